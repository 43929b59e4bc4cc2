"""Jumps: abrupt, lasting changes in a series of measurements, each a claim with a known false-alarm rate."""

from ontogeny.jumps.detection import detect_jumps
from ontogeny.jumps.detectors import DETECTORS, Detector, z_score_flags
from ontogeny.jumps.events import NOISE_FLOOR, Detection, Jump
from ontogeny.lazy import lazy_names

__all__ = ["DETECTORS", "NOISE_FLOOR", "Detection", "Detector", "Jump", "detect_jumps", "z_score_flags"]

_HOMES = {
    "FalseAlarms": "calibration",
    "adjusted_p_values": "calibration",
    "surrogate_p_values": "calibration",
    "CapturePlan": "plan",
    "Moment": "plan",
    "plan_captures": "plan",
    "read_plan": "plan",
    "write_plan": "plan",
    "JumpReport": "report",
    "find_jumps": "report",
    "read_jumps": "report",
    "write_jumps": "report",
    "false_alarm_rate": "validity",
    "run_battery": "validity",
    "detector_agreement": "agreement",
    "match_events": "agreement",
    "JumpKinds": "characterise",
    "characterise_jumps": "characterise",
    "jump_kinds": "characterise",
    "phase_table": "characterise",
    "compare_groups": "comparison",
    "holm": "comparison",
    "jump_rates": "comparison",
    "mixed_model": "comparison",
    "searched_series": "comparison",
    "Convergence": "convergence",
    "Settling": "convergence",
    "layer_convergence": "convergence",
    "settling": "convergence",
    "CriticalPeriods": "critical_periods",
    "LossRelation": "critical_periods",
    "find_critical_periods": "critical_periods",
    "loss_relation": "critical_periods",
}
"""Analyses of tables of jumps and records, loaded on first use: detection alone needs neither pandas nor SciPy."""

__all__ += sorted(_HOMES)

__getattr__ = lazy_names(__name__, _HOMES)
