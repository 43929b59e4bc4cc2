"""Phase 1 records: reading them in every known layout, writing them, and mending what is known to be wrong.

record = read_phase1("mlp_medium_mnist.json")
record.frame                                     # run, layer, step, metric, value
steps, values = record.series("network.0", "stable_rank")
print(*record.notes, sep="\\n")                   # what was flagged, dropped or derived
"""

from ontogeny.phase1.read import (
    combine,
    find_records,
    phase1_from_frame,
    phase1_from_results,
    read_many,
    read_phase1,
)
from ontogeny.phase1.record import (
    ALIASES,
    DIMENSIONALITY_METRICS,
    MODEL_LEVEL,
    RUN_LEVEL,
    RUN_METRICS,
    Note,
    Phase1,
    safe_name,
)
from ontogeny.phase1.repair import repair_stable_rank
from ontogeny.phase1.write import phase1_json, write_phase1

__all__ = [
    "ALIASES",
    "DIMENSIONALITY_METRICS",
    "MODEL_LEVEL",
    "RUN_LEVEL",
    "RUN_METRICS",
    "Note",
    "Phase1",
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
