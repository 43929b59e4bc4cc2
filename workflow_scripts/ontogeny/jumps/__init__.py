"""Jumps: abrupt, lasting changes in a series of measurements, each a claim with a known false-alarm rate."""

from ontogeny.jumps.detectors import DETECTORS, Detector, detect_jumps, z_score_flags
from ontogeny.jumps.events import NOISE_FLOOR, Detection, Jump

__all__ = ["DETECTORS", "NOISE_FLOOR", "Detection", "Detector", "Jump", "detect_jumps", "z_score_flags"]

_ANALYSES = {
    "calibration": ["FalseAlarms", "adjusted_p_values", "false_alarm_rate", "surrogate_p_values"],
    "plan": ["CapturePlan", "Moment", "plan_captures", "read_plan", "write_plan"],
    "report": ["JumpReport", "find_jumps", "read_jumps", "write_jumps"],
    "validity": ["run_battery", "validity_command", "write_battery"],
    "agreement": ["detector_agreement", "match_events"],
    "characterise": ["JumpKinds", "characterise_jumps", "jump_kinds", "phase_table"],
    "comparison": ["compare_groups", "holm", "jump_rates", "mixed_model", "searched_series"],
    "convergence": ["Convergence", "Settling", "layer_convergence", "settling"],
    "critical_periods": ["CriticalPeriods", "LossRelation", "find_critical_periods", "loss_relation"],
}
"""Analyses of tables of jumps and records, loaded on first use: detection alone needs neither pandas nor SciPy."""

__all__ += sorted(name for names in _ANALYSES.values() for name in names)


def __getattr__(name: str):
    for module, names in _ANALYSES.items():
        if name in names:
            from importlib import import_module

            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
