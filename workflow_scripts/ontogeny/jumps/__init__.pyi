from .agreement import detector_agreement, match_events
from .answer import Answer
from .calibration import FalseAlarms, surrogate_p_values
from .characterise import JumpKinds, characterise_jumps, jump_kinds, phase_table
from .comparison import compare_groups, jump_rates, mixed_model, searched_series
from .convergence import Convergence, Settling, layer_convergence, settling
from .critical_periods import CriticalPeriods, LossRelation, find_critical_periods, loss_relation
from .detection import detect_jumps, detect_many, detect_transitions
from .detectors import DETECTORS, Detector, z_score_flags
from .events import NOISE_FLOOR, Detection, Jump
from .locate import locate_transition, locate_transitions, with_answers
from .plan import CapturePlan, Moment, find_progress, plan_captures, read_plan, write_plan
from .report import JumpReport, find_jumps, read_jumps, write_jumps
from .validity import false_alarm_rate, run_battery

__all__ = [
    "Answer",
    "CapturePlan",
    "Convergence",
    "CriticalPeriods",
    "DETECTORS",
    "Detection",
    "Detector",
    "FalseAlarms",
    "Jump",
    "JumpKinds",
    "JumpReport",
    "LossRelation",
    "Moment",
    "NOISE_FLOOR",
    "Settling",
    "characterise_jumps",
    "compare_groups",
    "detect_jumps",
    "detect_many",
    "detect_transitions",
    "detector_agreement",
    "false_alarm_rate",
    "find_critical_periods",
    "find_jumps",
    "jump_kinds",
    "jump_rates",
    "layer_convergence",
    "loss_relation",
    "locate_transition",
    "locate_transitions",
    "match_events",
    "mixed_model",
    "phase_table",
    "find_progress",
    "plan_captures",
    "read_jumps",
    "read_plan",
    "run_battery",
    "searched_series",
    "settling",
    "surrogate_p_values",
    "with_answers",
    "write_jumps",
    "write_plan",
    "z_score_flags",
]
