from .diagnose import diagnose_scatter
from .fit import Fit, FitSettings, fit_connectome, recommended_settings
from .learning import learning_table
from .logbook import principles, read_memory, write_logbook
from .metrics import recovery_metrics
from .policy import Guideline, Proposal, Record, Rules, Setting, classify, propose, ucb_scores, valid_prefix
from .recorded import read_activity
from .search import Search, compare_policies, read_records, run_iteration
from .search_run import explore
from .simulate import Activity, ActivitySettings, activity_report, as_activity, simulate_activity
from .space import FIRST_SETTINGS, SPACE, STUDY_FIRST, STUDY_SPACE
from .symbolic import symbolic_form, symbolic_functions

__all__ = [
    "Activity",
    "ActivitySettings",
    "FIRST_SETTINGS",
    "Fit",
    "FitSettings",
    "Guideline",
    "Proposal",
    "Record",
    "Rules",
    "SPACE",
    "STUDY_FIRST",
    "STUDY_SPACE",
    "Search",
    "Setting",
    "activity_report",
    "as_activity",
    "classify",
    "compare_policies",
    "diagnose_scatter",
    "explore",
    "fit_connectome",
    "learning_table",
    "principles",
    "propose",
    "read_activity",
    "read_memory",
    "read_records",
    "recommended_settings",
    "recovery_metrics",
    "run_iteration",
    "simulate_activity",
    "symbolic_form",
    "symbolic_functions",
    "ucb_scores",
    "valid_prefix",
    "write_logbook",
]
