"""Settings of interventions: ablation, pruning, noise, patching, interpolation."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationInfo, field_validator

from ontogeny.errors import nearest
from ontogeny.settings import OpenShare, Positive, Settings, Share

MOMENTS = ("start", "jump", "control", "before", "after", "end")


def _moment(value: Any, info: ValidationInfo) -> Any:
    """One of `MOMENTS` or a step; with a context, one of its `moments`, the names of networks that are at hand."""
    named = (info.context or {}).get("moments")
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if value in (MOMENTS if named is None else named) or (whole and named is None):
        return value
    known = MOMENTS if named is None else named
    guess = nearest(str(value), known)
    hint = f"did you mean '{guess}'? " if guess else ""
    raise ValueError(
        f"{value!r} is not a moment: {hint}Allowed: {', '.join(known)}{', or a step' if named is None else ''}"
    )


def _units(value: Any) -> Any:
    numbers = isinstance(value, list) and all(isinstance(unit, int) and unit >= 0 for unit in value)
    if value in ("all", "each") or numbers:
        return value
    raise ValueError(f"{value!r} does not name units. Allowed: all, each, or a list of their numbers")


Moment = Annotated[str | int, BeforeValidator(_moment)]


Moments = list[Moment]


Spread = Annotated[float, Field(ge=0)]


class InterventionSettings(Settings):
    """What every intervention may say."""

    kind: str

    n_resamples: Annotated[int, Field(ge=100)] = Field(default=1000, description="Bootstrap samples of the intervals.")
    confidence: OpenShare = Field(default=0.95, description="Confidence of the intervals.")
    chunk: Positive = Field(default=512, description="Samples per pass.")


class _Single(InterventionSettings):
    moments: Moments | None = Field(
        default=None, min_length=1, description="`start`, `jump` (every jump and transition), `control`, "
        "`before`, `after`, `end`, or a step. Start, jumps and end, if not given."
    )  # fmt: skip
    layers: list[str] | None = Field(
        default=None,
        min_length=1,
        description="Layers by display name or module path; all that are monitored, if not given.",
    )

    @field_validator("moments", "layers", mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | int) and not isinstance(value, bool) else value


class Ablate(_Single):
    """Units of a layer set to zero, to their mean, or to their values for other inputs."""

    kind: Literal["ablate"] = "ablate"
    units: Annotated[str | list[int], BeforeValidator(_units)] = Field(
        default="all", description="`all` of a layer together, `each` alone, or a list of units together."
    )
    mode: Literal["zero", "mean", "resample"] = Field(default="mean", description="What they are set to.")


class Prune(_Single):
    """Weights removed without training on."""

    kind: Literal["prune"] = "prune"
    method: Literal["magnitude", "random", "structured", "random_structured"] = Field(
        default="magnitude",
        description="Smallest weights, or whole units of the smallest norm, or their random controls.",
    )
    amounts: list[Share] = Field(
        default=[0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95], min_length=1, description="Shares removed."
    )  # fmt: skip
    scope: Literal["global", "layer"] = Field(
        default="global", description="Whether weights are ranked in all layers together."
    )
    repeats: Positive = Field(default=5, description="Draws of a random method.")


class NoiseActivations(_Single):
    """Gaussian noise added to the activations of a layer, one layer at a time."""

    kind: Literal["noise_activations"] = "noise_activations"
    levels: list[Spread] = Field(
        default=[0.0, 0.1, 0.2, 0.5, 1.0, 2.0],
        min_length=1,
        description="Size of the noise over that of the activations.",
    )
    repeats: Positive = Field(default=5, description="Draws of noise.")


class NoiseWeights(_Single):
    """Gaussian noise added to the weights."""

    kind: Literal["noise_weights"] = "noise_weights"
    levels: list[Spread] = Field(
        default=[0.0, 0.05, 0.1, 0.2, 0.5, 1.0], min_length=1, description="Size of the noise over that of the weights."
    )
    repeats: Positive = Field(default=5, description="Draws of noise.")
    together: bool = Field(default=True, description="In all layers at once, or else one layer at a time.")


class _Pair(InterventionSettings):
    source: Moment = Field(
        description="Moment whose network is the source; `before` and `after` are those of every jump and transition."
    )
    target: Moment = Field(description="Moment whose network is changed.")


class Patch(_Pair):
    """One layer of the network at `target` replaced by that at `source`, a layer at a time."""

    kind: Literal["patch"] = "patch"
    layers: list[str] | None = Field(
        default=None,
        min_length=1,
        description="Layers by display name or module path; all that are monitored, if not given.",
    )
    what: Literal["activations", "weights"] = Field(default="activations", description="What is replaced.")
    control: Annotated[list[Moment], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="Source and target of a control; for `before` and `after` of a jump, those of its "
        "matched controls, if not given."
    )  # fmt: skip

    @field_validator("layers", mode="before")
    @classmethod
    def _alone(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class Interpolate(_Pair):
    """The straight line of weights from `source` to `target`; the matched controls of a jump are the control."""

    kind: Literal["interpolate"] = "interpolate"
    positions: list[Annotated[float, Field(ge=-1, le=2)]] = Field(
        default=[0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
        min_length=1,
        description="Positions on the line.",
    )
    batch_norm: Literal["recompute", "interpolate"] = Field(
        default="recompute", description="Statistics of batch norm between the ends: computed again, or averaged."
    )


def _spelt_out(intervention: Any) -> Any:
    return {"kind": intervention} if isinstance(intervention, str) else intervention


def _kind(intervention: Any) -> str:
    found = intervention.get("kind") if isinstance(intervention, dict) else getattr(intervention, "kind", None)
    return found if isinstance(found, str) else ""


Intervention = Annotated[
    Annotated[Ablate, Tag("ablate")]
    | Annotated[Prune, Tag("prune")]
    | Annotated[NoiseActivations, Tag("noise_activations")]
    | Annotated[NoiseWeights, Tag("noise_weights")]
    | Annotated[Patch, Tag("patch")]
    | Annotated[Interpolate, Tag("interpolate")],
    Discriminator(_kind),
    BeforeValidator(_spelt_out),
]


INTERVENTIONS: dict[str, type[InterventionSettings]] = {
    tag.tag: settings for settings, tag in map(get_args, get_args(get_args(Intervention)[0]))
}
"""The settings of every intervention, by its kind."""


def default_interventions() -> list[Any]:
    """What is done to every run unless the configuration says otherwise."""
    return [
        Ablate(),
        Prune(),
        Prune(method="random", repeats=3),
        NoiseActivations(levels=[0.0, 0.5, 1.0, 2.0], repeats=2),
        NoiseWeights(levels=[0.0, 0.1, 0.2, 0.5, 1.0], repeats=3),
        Patch(source="before", target="after"),
        Patch(source="start", target="end"),
        Interpolate(source="before", target="after"),
        Interpolate(source="start", target="end"),
    ]
