from .importance import (
    ablation_importance,
    against_control,
    conductance_importance,
    gradient_importance,
    importance_agreement,
    importance_change,
    importance_with_controls,
)
from .selectivity import class_selectivity, selectivity_with_controls
from .sites import unit_activations
from .statistics import compare_neurons, neuron_statistics
from .units import unit_health

__all__ = [
    "ablation_importance",
    "against_control",
    "class_selectivity",
    "compare_neurons",
    "conductance_importance",
    "gradient_importance",
    "importance_agreement",
    "importance_change",
    "importance_with_controls",
    "neuron_statistics",
    "selectivity_with_controls",
    "unit_activations",
    "unit_health",
]
