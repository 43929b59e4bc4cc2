"""What single units do, measured after their nonlinearity, and how that changes in training."""

import importlib
from typing import Any

from ontogeny.neurons.statistics import (
    NONLINEARITIES,
    apply_nonlinearity,
    compare_neurons,
    neuron_statistics,
)

_HOMES = {
    "ablation_importance": "importance",
    "against_control": "importance",
    "class_selectivity": "selectivity",
    "conductance_importance": "importance",
    "gradient_importance": "importance",
    "importance_agreement": "importance",
    "importance_change": "importance",
    "importance_with_controls": "importance",
    "selectivity_with_controls": "selectivity",
    "unit_activations": "sites",
    "unit_health": "units",
}


def __getattr__(name: str) -> Any:
    """What needs PyTorch is loaded on first use."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"ontogeny.neurons.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'ontogeny.neurons' has no attribute '{name}'")


__all__ = ["NONLINEARITIES", "apply_nonlinearity", "compare_neurons", "neuron_statistics", *_HOMES]
