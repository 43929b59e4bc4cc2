"""Following the dimensionality of a network's layers while it trains.

`measure` turns an activation matrix into numbers, `ActivationCapture` takes activations out of a model, and
`HighFrequencyTracker` does both from inside any training loop. Names are loaded on first use: the estimators
need no PyTorch.
"""

from __future__ import annotations

from ontogeny.lazy import lazy_names

_HOMES = {
    "METRICS": "estimators",
    "measure": "estimators",
    "register_metric": "estimators",
    "singular_values": "estimators",
    "to_rows": "estimators",
    "ActivationCapture": "capture",
    "first_tensor": "capture",
    "CollapseAlarm": "collapse",
    "representation_state": "collapse",
    "HighFrequencyTracker": "tracker",
    "measure_probe": "tracker",
}
__all__ = [
    "METRICS",
    "ActivationCapture",
    "CollapseAlarm",
    "HighFrequencyTracker",
    "first_tensor",
    "measure",
    "measure_probe",
    "register_metric",
    "representation_state",
    "singular_values",
    "to_rows",
]

__getattr__ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
