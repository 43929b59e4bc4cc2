"""Settings of what is measured while a network trains."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ontogeny.settings import Positive, Settings

Metric = Literal[
    "stable_rank", "participation_ratio", "participation_ratio_covariance", "cumulative_90", "nuclear_norm_ratio"
]

OF_ENSEMBLES: tuple[Metric, ...] = ("stable_rank", "participation_ratio", "nuclear_norm_ratio")
"""What is measured of every network of an ensemble."""


class TrackingSettings(Settings):
    """What is measured while the network trains, and how often."""

    every: Positive = Field(default=1, description="Steps between measurements.")
    metrics: list[Metric] = Field(
        default=["stable_rank", "participation_ratio", "cumulative_90", "nuclear_norm_ratio"],
        min_length=1,
        description="Dimensionality metrics of every monitored layer's activations.",
    )
    source: Literal["probe", "batch"] = Field(
        default="probe", description="Measured on the fixed probe batch in eval mode, or on the live batch."
    )
    rows: Literal["auto", "samples", "positions", "pooled"] = Field(
        default="auto",
        description="What a row of a layer's activation matrix is, where a layer has positions (pixels, tokens). "
        "`auto`: a token of a sequence, but a whole sample of a convolution.",
    )
    centre: bool = Field(default=False, description="Subtract each column's mean first.")
    layers: list[str] | None = Field(
        default=None, min_length=1, description="Layers to monitor, by display name or module path; all, if not given."
    )


DEFAULTS = TrackingSettings()


class JudgeTrackingSettings(TrackingSettings):
    """What is measured while a judge trains; by default the residual stream and the MLP output of every layer, at the
    token that it classifies at."""

    every: Positive = Field(default=2, description="Steps between measurements.")
    centre: bool = Field(
        default=True,
        description="Subtract each column's mean first; it dominates, since every prompt ends in the same token.",
    )
