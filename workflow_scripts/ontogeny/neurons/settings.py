"""Settings of the statistics of neurons and of the importance of units."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ontogeny.settings import OpenShare, Positive, Settings


class NeuronSettings(Settings):
    """Comparison of single neurons before and after a jump."""

    threshold: float = Field(default=1e-6, ge=0, description="Activation at or below which a neuron counts as silent.")
    false_discovery_rate: OpenShare = Field(
        default=0.05, description="Share of the neurons called changed that may be false."
    )


class ImportanceSettings(Settings):
    """How much single units matter, which classes they answer to, and which do no work."""

    samples: Annotated[int, Field(ge=8)] = Field(
        default=256, description="Probe samples on which it is measured, at most."
    )
    layers: list[str] | None = Field(
        default=None,
        min_length=1,
        description="Layers by display name; all but the one whose outputs are the scores, if not given.",
    )
    untrained: Positive = Field(default=2, description="Networks with fresh weights, the control.")
    repeats: Positive = Field(default=2, description="Draws of ablation by resampling.")
    conductance_steps: Annotated[int, Field(ge=2)] = Field(
        default=12, description="Points on the line of the conductance."
    )
    permutations: Annotated[int, Field(ge=19)] = Field(
        default=499, description="Random labellings of the selectivity's test."
    )
    false_discovery_rate: OpenShare = Field(
        default=0.05, description="Share of the units called important or selective that may be false."
    )
    duplicates: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.999, description="Correlation from which two units count as one."
    )
    seed: int = Field(default=0, ge=0, description="Seed of draws, bootstraps and the untrained networks.")
