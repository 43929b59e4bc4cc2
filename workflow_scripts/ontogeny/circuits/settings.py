"""Settings of the enumeration of circuits."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ontogeny.settings import Positive, Settings, Share


class CircuitSettings(Settings):
    """Enumeration of all circuits of the networks of an ensemble, and what is made of them."""

    candidates: Literal["all", "published"] = Field(
        "all", description="Every subnetwork, or without those that use all hidden neurons, as published."
    )
    accuracy_threshold: Share = Field(0.99, description="Share of validation rows above which a circuit is perfect.")
    min_sparsity: Share = Field(0.0, description="Least node sparsity of a circuit; 0 is off.")
    convergence_frequency: Positive = Field(1, description="Epochs between enumerations.")
    records: Literal["representative", "all", "none"] = Field(
        "representative", description="Networks whose circuits are written out in the published record format."
    )
    compress: bool = Field(True, description="Write the records gzipped.")
    frames: Positive = Field(42, description="Frames of an animation.")
