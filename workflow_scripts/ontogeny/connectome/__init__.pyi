from .baselines import baseline_table
from .diagnose import diagnose_scatter
from .edges import edge_table
from .fit import Fit, fit_connectome, resolved_settings
from .learning import learning_table
from .metrics import recovery_metrics
from .recorded import read_activity
from .search import (
    FIRST_SETTINGS,
    SPACE,
    STUDY_FIRST,
    STUDY_SPACE,
    Guideline,
    Proposal,
    Record,
    Rules,
    Search,
    Setting,
    classify,
    compare_policies,
    explore,
    principles,
    propose,
    read_memory,
    read_records,
    run_iteration,
    ucb_scores,
    valid_prefix,
    write_logbook,
)
from .settings import ActivitySettings, FitSettings
from .simulate import Activity, activity_report, as_activity, simulate_activity
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
    "baseline_table",
    "classify",
    "compare_policies",
    "diagnose_scatter",
    "edge_table",
    "explore",
    "fit_connectome",
    "learning_table",
    "principles",
    "propose",
    "read_activity",
    "read_memory",
    "read_records",
    "recovery_metrics",
    "resolved_settings",
    "run_iteration",
    "simulate_activity",
    "symbolic_form",
    "symbolic_functions",
    "ucb_scores",
    "valid_prefix",
    "write_logbook",
]
