"""Following the dimensionality of a network's layers while it trains.

`measure` turns an activation matrix into numbers, `ActivationCapture` takes activations out of a model, and
`HighFrequencyTracker` does both from inside any training loop. Names are loaded on first use: the estimators
need no PyTorch.
"""

from __future__ import annotations

import importlib
from typing import Any

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


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"ontogeny.tracking.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'ontogeny.tracking' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
