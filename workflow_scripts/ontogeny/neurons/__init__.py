"""What single units do, measured after their nonlinearity, and how that changes in training."""

from ontogeny.lazy import lazy_names
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

__getattr__ = lazy_names(__name__, _HOMES)


__all__ = ["NONLINEARITIES", "apply_nonlinearity", "compare_neurons", "neuron_statistics", *_HOMES]
