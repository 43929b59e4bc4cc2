"""Settings of features: attribution, attention, filters, preferred inputs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ontogeny.settings import Positive, Settings

Method = Literal["saliency", "smoothgrad", "integrated_gradients", "grad_cam"]


class FeatureSettings(Settings):
    """What a network looks at: attribution, attention, filters, the inputs that units prefer."""

    samples: Annotated[int, Field(ge=2)] = Field(
        default=16, description="Probe images that are explained, spread over the classes."
    )
    methods: list[Method] | None = Field(
        default=None, min_length=1, description="Attribution methods; all that the network allows, if not given."
    )
    baseline: Literal["zero", "mean", "least"] = Field(
        default="zero", description="Where Integrated Gradients start; zero is the mean image of standardised data."
    )
    integrated_steps: Annotated[int, Field(ge=2)] = Field(
        default=32, description="Points on the line of Integrated Gradients."
    )
    noisy_copies: Positive = Field(default=25, description="Noisy copies that SmoothGrad averages.")
    units: Positive = Field(
        default=2, description="Units of each layer whose preferred inputs are shown: those that vary most."
    )
    ascent_steps: Positive = Field(default=60, description="Steps of gradient ascent towards a preferred input.")
    seed: int = Field(default=0, ge=0, description="Seed of noise, of ascents, and of the untrained networks.")
