from .comparison import PolicyComparison, compare_policies
from .declaration import Search, search_from
from .logbook import write_logbook
from .memory import read_memory
from .policy import Proposal, propose, ucb_scores, valid_prefix
from .records import Record, classify, read_records, reward
from .rules import Guideline, Rules
from .run import explore, run_iteration
from .space import FIRST_SETTINGS, SPACE, STUDY_FIRST, STUDY_SPACE, Setting
from .tables import principles

__all__ = [
    "FIRST_SETTINGS",
    "Guideline",
    "PolicyComparison",
    "Proposal",
    "Record",
    "Rules",
    "SPACE",
    "STUDY_FIRST",
    "STUDY_SPACE",
    "Search",
    "Setting",
    "classify",
    "compare_policies",
    "explore",
    "principles",
    "propose",
    "read_memory",
    "read_records",
    "reward",
    "run_iteration",
    "search_from",
    "ucb_scores",
    "valid_prefix",
    "write_logbook",
]
