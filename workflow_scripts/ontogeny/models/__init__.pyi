from .build import MODELS, ModelSpec, build_model, count_parameters
from .layers import (
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
    "LayerHandler",
    "MODELS",
    "ModelSpec",
    "MonitoredLayer",
    "NONLINEARITIES",
    "SkippedModule",
    "build_model",
    "count_parameters",
    "detect_architecture",
    "get_handler",
    "monitored_layers",
    "readout_layer",
    "without_fast_path",
]
