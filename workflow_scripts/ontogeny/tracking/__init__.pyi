from .capture import ActivationCapture, first_tensor
from .collapse import CollapseAlarm, representation_state
from .estimators import METRICS, measure, register_metric, singular_values, to_rows
from .tracker import HighFrequencyTracker, measure_probe

__all__ = [
    "ActivationCapture",
    "CollapseAlarm",
    "HighFrequencyTracker",
    "METRICS",
    "first_tensor",
    "measure",
    "measure_probe",
    "register_metric",
    "representation_state",
    "singular_values",
    "to_rows",
]
