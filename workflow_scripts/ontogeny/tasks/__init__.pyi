from .gates import GATES, Gate, GateData, GateSample, get_gate, get_gates, sample_gates, separate_output, truth_table
from .images import IMAGE_SETS, ImageData, ImageSet, load_images
from .splits import ImageSplits, epoch_order, split_images

__all__ = [
    "GATES",
    "Gate",
    "GateData",
    "GateSample",
    "IMAGE_SETS",
    "ImageData",
    "ImageSet",
    "ImageSplits",
    "epoch_order",
    "get_gate",
    "get_gates",
    "load_images",
    "sample_gates",
    "separate_output",
    "split_images",
    "truth_table",
]
