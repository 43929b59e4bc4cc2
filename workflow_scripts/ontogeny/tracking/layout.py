"""What a row of a layer's activation matrix is, for layers of every kind."""

from __future__ import annotations

from torch import nn

from ontogeny.tracking.estimators import resolve_layout
from ontogeny.tracking.settings import DEFAULTS


def rows_of_layer(
    module: nn.Module, axes: int, layout: str = DEFAULTS.rows, feature_axis: int | None = None
) -> tuple[str, int | None]:
    """The layout and feature axis of a layer's output with that many axes.

    With `auto`, a row is a position of a sample where the output is a sequence of vectors (three axes, features last),
    and a sample where it is not: the maps of a convolution in any number of dimensions, whose channels come second.
    """
    if axes == 2:
        return "samples", None
    if isinstance(module, nn.modules.conv._ConvNd):
        return "samples" if layout == "auto" else layout, 1 if feature_axis is None else feature_axis
    return resolve_layout(layout, axes), feature_axis
