"""Settings of series of checkpoints that were saved by other programs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ontogeny.models.settings import ModelSettings
from ontogeny.settings import Label, Positive, Settings
from ontogeny.tasks.settings import TaskSettings
from ontogeny.tracking.settings import TrackingSettings


class SourceSettings(Settings):
    """Where the checkpoints are. A bare path stands for `{path: ...}`."""

    path: str | None = Field(
        default=None,
        description="Files or folders with `{step}` for the step (`run/checkpoint-{step}`, `step_{step}.pt`, "
        "`epoch=*-step={step}.ckpt`), or a folder that holds them.",
    )
    hub: str | None = Field(default=None, description="Repository on the Hugging Face hub with a revision per step.")
    revision: str = Field(default="step{step}", description="Name of the revisions, with `{step}` for the step (hub).")
    steps: list[Annotated[int, Field(ge=0)]] | None = Field(
        default=None, min_length=1, description="Steps to use; default: all that there are."
    )
    key: str | None = Field(
        default=None,
        description="Key under which a file holds the weights, or what their names begin with; default: found "
        "(`state_dict`, `model`).",
    )
    cache_limit: float = Field(
        default=20.0, gt=0, description="Gigabytes of downloads that are kept; older ones are deleted (hub)."
    )

    @model_validator(mode="after")
    def _one_place(self) -> SourceSettings:
        if (self.path is None) == (self.hub is None):
            raise ValueError("give either path or hub")
        if self.hub is not None and "{step}" not in self.revision:
            raise ValueError(f"revision is {self.revision!r}; it should hold {{step}}")
        return self


class NetworkSettings(Settings):
    """The network that the weights belong to; exactly one of the three."""

    auto: str | None = Field(
        default=None,
        description="An auto class of `transformers`, such as `AutoModelForCausalLM`; its configuration is read from "
        "the checkpoints, or from `config`.",
    )
    config: str | None = Field(
        default=None, description="Folder with the `config.json` of the network, where checkpoints have none (auto)."
    )
    model: ModelSettings | None = Field(default=None, description="One of the networks of `ontogeny.models`.")
    build: str | None = Field(
        default=None, description="A function of yours that returns the network, as `module.py:build`."
    )

    @field_validator("model", mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_kind(self) -> NetworkSettings:
        if sum(each is not None for each in (self.auto, self.model, self.build)) != 1:
            raise ValueError("give exactly one of auto, model and build")
        return self


class ProbeSettings(Settings):
    """The fixed inputs on which every checkpoint is measured; exactly one of images, text, and a file."""

    task: TaskSettings | None = Field(default=None, description="The held-out probe images of an image task.")
    file: str | None = Field(
        default=None,
        description="An `.npz` with `inputs` (samples first; integers are tokens) and, for classes, `labels`.",
    )
    text: str | None = Field(default=None, description="A text file, one sample per line.")
    tokenizer: str | None = Field(
        default=None, description="Tokenizer of the text: a folder, or a name on the hub; default: the network's."
    )
    tokens: bool = Field(default=False, description="Whether the inputs of the file are token sequences.")
    length: Positive = Field(default=64, description="Tokens per sample of text; shorter lines are left out.")
    samples: Positive = Field(default=256, description="Samples taken, from the first on.")

    @field_validator("task", mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_kind(self) -> ProbeSettings:
        if sum(each is not None for each in (self.task, self.file, self.text)) != 1:
            raise ValueError("give exactly one of task, file and text")
        return self


class SeriesTrackingSettings(TrackingSettings):
    """What is measured at every checkpoint. `every` counts checkpoints; only the probe can be measured."""

    source: Literal["probe"] = Field(default="probe", description="Measured on the fixed probe in eval mode.")


class SeriesSettings(Settings):
    """A series of checkpoints of one network, as a run."""

    source: SourceSettings = Field(description="Where the checkpoints are.")
    network: NetworkSettings = Field(description="The network that the weights belong to.")
    probe: ProbeSettings = Field(description="The fixed inputs on which every checkpoint is measured.")
    tracking: SeriesTrackingSettings = Field(default_factory=SeriesTrackingSettings)
    on_problem: Literal["stop", "drop"] = Field(
        default="stop",
        description="What to do with checkpoints that make the series false: stop, or leave them out and say so.",
    )
    label: Label = None
    capture_steps: list[Annotated[int, Field(ge=0)]] = Field(
        default=[], description="Steps whose activations are kept besides those at jumps."
    )

    @property
    def seeds(self) -> list[int]:
        """One run."""
        return [0]

    @property
    def sees_classes(self) -> bool:
        """Whether its probe has real-valued inputs of labelled classes, which analyses of gradients need."""
        return self.probe.text is None and not self.probe.tokens

    @field_validator("source", mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value
