"""What changes from before to after a moment of training, in every part of a network, against quiet moments."""

import importlib
from typing import Any

from ontogeny.changes.compare import against_controls
from ontogeny.changes.study import changes_of_study

_HOMES = {
    "Change": "measure",
    "changes_of_run": "run",
    "flipped_predictions": "measure",
    "network_changes": "measure",
}


def __getattr__(name: str) -> Any:
    """What needs PyTorch is loaded on first use."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"ontogeny.changes.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'ontogeny.changes' has no attribute '{name}'")


__all__ = ["against_controls", "changes_of_study", *sorted(_HOMES)]
