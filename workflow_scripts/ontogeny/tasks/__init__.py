"""What is learned: data in, splits and data order out. NumPy only; no model and no PyTorch."""

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
    "IMAGE_SETS",
    "ImageData",
    "ImageSet",
    "ImageSplits",
    "epoch_order",
    "load_images",
    "split_images",
]
