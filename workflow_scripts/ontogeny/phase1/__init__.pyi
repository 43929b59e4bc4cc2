from .folders import find_records
from .read import combine, phase1_from_frame, phase1_from_results, read_many, read_phase1
from .record import ALIASES, DIMENSIONALITY_METRICS, MODEL_LEVEL, RUN_LEVEL, RUN_METRICS, Note, Phase1, safe_name
from .repair import repair_stable_rank
from .write import phase1_json, write_phase1

__all__ = [
    "ALIASES",
    "DIMENSIONALITY_METRICS",
    "MODEL_LEVEL",
    "Note",
    "Phase1",
    "RUN_LEVEL",
    "RUN_METRICS",
    "combine",
    "find_records",
    "phase1_from_frame",
    "phase1_from_results",
    "phase1_json",
    "read_many",
    "read_phase1",
    "repair_stable_rank",
    "safe_name",
    "write_phase1",
]
