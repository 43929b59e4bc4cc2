from .attention import attention_maps, attention_rollout, head_evolution, head_statistics
from .attribution import (
    METHODS,
    Attribution,
    attribution_control,
    cascading_control,
    grad_cam,
    integrated_gradients,
    saliency,
    smoothgrad,
)
from .filters import PreferredInput, filter_evolution, first_layer_filters, preferred_input, top_inputs

__all__ = [
    "Attribution",
    "METHODS",
    "PreferredInput",
    "attention_maps",
    "attention_rollout",
    "attribution_control",
    "cascading_control",
    "filter_evolution",
    "first_layer_filters",
    "grad_cam",
    "head_evolution",
    "head_statistics",
    "integrated_gradients",
    "preferred_input",
    "saliency",
    "smoothgrad",
    "top_inputs",
]
