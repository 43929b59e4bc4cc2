"""What is learned: data in, splits and data order out. NumPy only; no model and no PyTorch."""

from ontogeny.tasks.gates import (
    GATES,
    Gate,
    GateData,
    GateSample,
    get_gate,
    get_gates,
    sample_gates,
    separate_output,
    truth_table,
)
from ontogeny.tasks.images import (
    IMAGE_SETS,
    ImageData,
    ImageSet,
    ImageSplits,
    epoch_order,
    load_images,
    split_images,
)

__all__ = [
    "GATES",
    "Gate",
    "GateData",
    "GateSample",
    "get_gate",
    "get_gates",
    "sample_gates",
    "separate_output",
    "truth_table",
    "IMAGE_SETS",
    "ImageData",
    "ImageSet",
    "ImageSplits",
    "epoch_order",
    "load_images",
    "split_images",
]
