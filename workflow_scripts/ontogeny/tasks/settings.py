"""Settings of what is learned: images, logic gates, prompts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ontogeny.settings import Positive, Settings

ImageTask = Literal["digits", "mnist", "fashion_mnist", "cifar10"]


class TaskSettings(Settings):
    """What is learned. A bare name stands for `{name: ...}`."""

    name: ImageTask = Field(
        default="digits",
        description="Data set. `digits` ships with scikit-learn; the others are fetched once and cached.",
    )
    path: str | None = Field(default=None, description="A local `.npz` with `x` and `y`, read instead of fetching.")
    n_train: Positive | None = Field(
        default=None, description="Training images; all that the other splits leave, if not given."
    )
    n_validation: Positive = Field(default=360, description="Validation images, never trained on.")
    n_probe: Positive = Field(default=256, description="Held-out images on which every measurement of a run is made.")
    split_seed: int = Field(
        default=0, ge=0, lt=2**31, description="Seed of the splits; the same for all runs that are to be compared."
    )
    standardise: bool = Field(
        default=True, description="Subtract the mean and divide by the standard deviation of the training images."
    )


class GateTaskSettings(Settings):
    """Logic gates, learned from samples of their truth tables. A bare name, or a list of them, is `{gates: ...}`."""

    gates: list[str | list[Annotated[int, Field(ge=0, le=1)]]] = Field(
        default=["XOR"],
        min_length=1,
        description="Gates by name, or truth tables by their bits; one output of the network each.",
    )
    n_samples_train: Positive = Field(default=1000, description="Training samples.")
    n_samples_val: Positive = Field(default=20, description="Validation samples a combination of inputs.")
    n_repeats: Positive = Field(default=1, description="Times that the validation samples are repeated.")
    noise_std: float = Field(default=0.0, ge=0, description="Standard deviation of Gaussian noise on the inputs.")
    noise_copies: Positive = Field(default=1, description="Noisy copies of every sample.")
    weights: str | list[Annotated[float, Field(ge=0)]] | None = Field(
        default=None, description="Probabilities of the combinations of inputs; equal, if not given."
    )


PositiveShare = Annotated[float, Field(gt=0, lt=1)]


class SplitSettings(Settings):
    """Shares of the prompts; templates, and copies of a text, stay in one split."""

    train: PositiveShare = Field(default=0.6, description="Share of the prompts to train on.")
    validation: PositiveShare = Field(default=0.2, description="Share that early stopping and the pictures look at.")
    test: PositiveShare = Field(default=0.2, description="Share that nothing looks at before the end.")

    @model_validator(mode="after")
    def _whole(self) -> SplitSettings:
        if abs(self.train + self.validation + self.test - 1) > 1e-9:
            raise ValueError(
                f"the shares add up to {self.train + self.validation + self.test:g}; they should add up to 1"
            )
        return self


SYNTHETIC = "synthetic"


class JudgeTaskSettings(Settings):
    """Prompts labelled safe or unsafe. A bare name or path, or a list of paths, stands for `{prompts: ...}`."""

    kind: Literal["prompts"] = Field(default="prompts", description="The kind of task; there is one.")
    prompts: str | list[str] = Field(
        default=SYNTHETIC,
        min_length=1,
        description="`synthetic`, or files (CSV, TSV, JSONL) or folders of prompts with labels.",
    )
    format: Literal["prompts", "toxicchat", "realtoxicityprompts", "jailbreakbench", "harmbench"] | None = Field(
        default=None, description="Format of the files; seen from their columns, if not given."
    )
    count: Positive | None = Field(
        default=4000, description="Prompts that are made, or the most that are read; all of the files, if `null`."
    )
    max_length: int = Field(
        default=64,
        ge=4,
        le=100_000,
        description="Tokens a prompt; of longer ones the first quarter and the end are kept.",
    )
    split: SplitSettings = Field(default_factory=SplitSettings)
    split_seed: int = Field(default=0, ge=0, lt=2**31, description="Seed of the synthetic prompts and of the splits.")
    n_probe: Positive = Field(default=96, description="Validation prompts on which every measurement of a run is made.")
