from .build import MODELS, ModelSpec, build_model, count_parameters
from .layers import (
    LayerHandler,
    MonitoredLayer,
    SkippedModule,
    detect_architecture,
    get_handler,
    monitored_layers,
    readout_layer,
    without_fast_path,
)
from .trace import Following, trace_layers

__all__ = [
    "Following",
    "LayerHandler",
    "MODELS",
    "ModelSpec",
    "MonitoredLayer",
    "SkippedModule",
    "build_model",
    "count_parameters",
    "detect_architecture",
    "get_handler",
    "monitored_layers",
    "readout_layer",
    "trace_layers",
    "without_fast_path",
]
