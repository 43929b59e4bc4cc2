"""Settings of the enumeration of circuits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from ontogeny.settings import Positive, Settings, complete

Candidates = Literal["all", "published"]
CANDIDATES: tuple[str, ...] = get_args(Candidates)
Networks = Literal["representative", "all", "none"]


class CircuitSettings(Settings):
    """Enumeration of all circuits of the networks of an ensemble, and what is made of them."""

    candidates: Candidates = Field(
        default="all", description="Every subnetwork, or without those that use all hidden neurons, as published."
    )
    accuracy_threshold: float = Field(
        default=0.99, ge=0, lt=1, description="Share of validation rows above which a circuit is perfect."
    )
    min_sparsity: float = Field(
        default=0.0, ge=0, lt=1, description="Node sparsity above which a circuit counts; 0 counts every circuit."
    )
    convergence_frequency: Positive = Field(
        default=1, description="Epochs between enumerations: n counts after epochs n, 2n, 3n, ..., and after the last."
    )
    window: int = Field(
        default=3, ge=0, description="Epochs between a jump and the appearance of a circuit that count as together."
    )
    records: Networks = Field(
        default="representative", description="Networks whose circuits are written out in the published record format."
    )
    compress: bool = Field(default=True, description="Write the records gzipped.")
    frames: Positive = Field(default=42, description="Frames of an animation.")
    noise: list[Annotated[float, Field(gt=0)]] = Field(
        default=[0.1, 0.3],
        min_length=1,
        description="Standard deviations of the noise on inputs of circuits (target `ablations`).",
    )
    noise_draws: Positive = Field(default=64, description="Draws of noise for each distinct row.")


DEFAULTS = CircuitSettings()

GivenSettings = CircuitSettings | Mapping[str, Any]
"""Settings, or their names and values."""


def complete_settings(given: GivenSettings) -> CircuitSettings:
    """`given` with the defaults of what it leaves out. Raises OntogenyError for a name or value that is refused."""
    return complete(CircuitSettings, given, "circuit")
