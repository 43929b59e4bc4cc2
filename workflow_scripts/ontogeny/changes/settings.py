"""Settings of what changed at the captured moments."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ontogeny.settings import OpenShare, Settings


class ChangeSettings(Settings):
    """What changed from before to after each captured moment, against the matched controls."""

    explained: Annotated[int, Field(ge=2)] = Field(
        default=64, description="Probe images whose saliency maps are compared, spread over the classes."
    )
    false_discovery_rate: OpenShare = Field(
        default=0.05, description="Share of the units called changed that may be false."
    )
    seed: int = Field(default=0, ge=0, description="Seed of bootstraps and random exchanges.")
