"""Settings of jump and transition detection, of its validity, and of the moments that are captured."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from ontogeny.jumps.detectors import DETECTORS
from ontogeny.jumps.events import NOISE_FLOOR
from ontogeny.settings import OpenShare, Positive, Settings


class JumpSettings(Settings):
    """When a change in a metric counts as a jump."""

    detector: Literal["step", "z_score", "gradient", "pelt", "likelihood_ratio"] = Field(
        default="step", description="Detector (see `ontogeny validity`)."
    )
    threshold: float | None = Field(
        default=None, gt=0, description="Score above which the detector fires; its calibrated default, if not given."
    )
    noise_floor: float = Field(
        default=NOISE_FLOOR, ge=NOISE_FLOOR, lt=1, description="Relative change below which nothing is a jump."
    )
    transitions: bool = Field(True, description="Also find transitions, of any width up to a third of the record.")
    metrics: list[str] | None = Field(
        default=None, min_length=1, description="Metrics to search; all that were measured, if not given."
    )
    false_discovery_rate: OpenShare = Field(
        default=0.05, description="Expected share of false ones among a run's significant jumps."
    )

    @model_validator(mode="after")
    def _threshold_of_detector(self) -> JumpSettings:
        have = [name for name, entry in DETECTORS.items() if "threshold" in (entry.settings or {})]
        if self.threshold is not None and self.detector not in have:
            raise ValueError(f"detector {self.detector} has no threshold; leave it out, or take {' or '.join(have)}")
        return self

    def detector_settings(self) -> dict[str, Any]:
        """What the detector itself is given."""
        return {} if self.threshold is None else {"threshold": self.threshold}


class ValiditySettings(Settings):
    """The battery of nulls and planted changes that measures detectors (target `validity`)."""

    detectors: list[str] = Field(
        default=["step", "z_score"], min_length=1, description="Detectors by name, or as `module:function` of your own."
    )
    repeats: Positive = Field(default=50, description="Series of each kind and length.")
    seed: int = Field(default=0, ge=0, description="Seed of the random series.")


class CaptureSettings(Settings):
    """Which moments are looked at closely."""

    strongest: int = Field(
        default=3,
        ge=0,
        le=1000,
        description="Jumps and transitions that are captured: first those of held-out accuracy, modes and in-context "
        "scores, then those that most series share, then the most significant.",
    )
    controls: int = Field(
        default=2,
        ge=0,
        le=1000,
        description="Matched controls per jump or transition: stretches of its length without one, for comparison.",
    )
    window: Positive = Field(
        default=10,
        description="Steps from `before` to a jump and from it to `after`; to a transition's onset and from its end.",
    )
    dtype: Literal["float16", "float32"] = Field(default="float32", description="Precision of the activations on disk.")
