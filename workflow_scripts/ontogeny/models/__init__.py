"""Networks by name, and the layers worth watching in any PyTorch network."""

from ontogeny.models.build import MODELS, ModelSpec, build_model, count_parameters
from ontogeny.models.layers import (
    NONLINEARITIES,
    LayerHandler,
    MonitoredLayer,
    SkippedModule,
    detect_architecture,
    get_handler,
    monitored_layers,
    readout_layer,
    without_fast_path,
)

__all__ = [
    "MODELS",
    "NONLINEARITIES",
    "LayerHandler",
    "ModelSpec",
    "MonitoredLayer",
    "SkippedModule",
    "build_model",
    "count_parameters",
    "detect_architecture",
    "get_handler",
    "monitored_layers",
    "readout_layer",
    "without_fast_path",
]
