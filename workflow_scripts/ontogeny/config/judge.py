"""Settings of judges: transformers that learn to tell safe from unsafe prompts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ontogeny.config.base import Positive, Settings

PositiveShare = Annotated[float, Field(gt=0, lt=1)]


class SplitSettings(Settings):
    """Shares of the prompts; templates, and copies of a text, stay in one split."""

    train: PositiveShare = Field(0.6, description="Share of the prompts to train on.")
    validation: PositiveShare = Field(0.2, description="Share that early stopping and the pictures look at.")
    test: PositiveShare = Field(0.2, description="Share that nothing looks at before the end.")

    @model_validator(mode="after")
    def _whole(self) -> SplitSettings:
        if abs(self.train + self.validation + self.test - 1) > 1e-9:
            raise ValueError(
                f"the shares add up to {self.train + self.validation + self.test:g}; they should add up to 1"
            )
        return self


class JudgeTaskSettings(Settings):
    """Prompts labelled safe or unsafe. A bare name or path, or a list of paths, stands for `{prompts: ...}`."""

    kind: Literal["prompts"] = Field("prompts", description="The kind of task; there is one.")
    prompts: str | list[str] = Field(
        "synthetic",
        min_length=1,
        description="`synthetic`, or files (CSV, TSV, JSONL) or folders of prompts with labels.",
    )
    format: Literal["prompts", "toxicchat", "realtoxicityprompts", "jailbreakbench", "harmbench"] | None = Field(
        None, description="Format of the files; seen from their columns, if not given."
    )
    count: Positive | None = Field(
        4000, description="Prompts that are made, or the most that are read; all of the files, if `null`."
    )
    max_length: int = Field(
        64, ge=4, le=100_000, description="Tokens a prompt; of longer ones the first quarter and the end are kept."
    )
    split: SplitSettings = Field(default_factory=SplitSettings)
    split_seed: int = Field(0, ge=0, lt=2**31, description="Seed of the synthetic prompts and of the splits.")
    n_probe: Positive = Field(96, description="Validation prompts on which every measurement of a run is made.")


class JudgeModelSettings(Settings):
    """The judge. A bare name stands for `{name: ...}`."""

    name: str = Field(
        "embedded",
        min_length=1,
        description="`embedded`, a small decoder that is pretrained on the training prompts first; or a checkpoint, "
        "by its folder or its name on the Hugging Face hub.",
    )
    vocabulary: int = Field(2048, ge=300, description="Most tokens of the tokenizer (embedded).")
    width: Positive = Field(112, description="Model width (embedded).")
    layers: Positive = Field(6, description="Layers (embedded).")
    heads: Positive = Field(4, description="Attention heads a layer (embedded).")
    feedforward: Positive = Field(288, description="Width of the feed-forward layers (embedded).")
    pretrain_steps: int = Field(300, ge=0, description="Steps of next-token prediction before fine-tuning (embedded).")
    pretrain_batch_size: Positive = Field(32, description="Prompts a step of pretraining (embedded).")
    pretrain_learning_rate: float = Field(2e-3, gt=0, le=100, description="Learning rate of pretraining (embedded).")
    pretrain_seed: int = Field(0, ge=0, lt=2**31, description="Seed of the initial weights and of pretraining.")
    frozen_layers: int = Field(1, ge=0, description="First layers that, with the embeddings, are not trained; 0: none.")
    dtype: Literal["float32", "bfloat16"] = Field("float32", description="Precision of the backbone.")
    gradient_checkpointing: bool = Field(False, description="Compute activations again in the backward pass.")
    device_map: str | None = Field(
        None, description="Placement of a large backbone, such as `auto` (needs the package accelerate)."
    )

    @model_validator(mode="after")
    def _fits(self) -> JudgeModelSettings:
        if self.name == "embedded":
            if self.width % (2 * self.heads):
                raise ValueError(f"width is {self.width}; it should be a multiple of twice heads, {2 * self.heads}")
            if self.frozen_layers > self.layers:
                raise ValueError(f"frozen_layers is {self.frozen_layers}, but there are only {self.layers} layers")
        return self


class JudgeTrainingSettings(Settings):
    """How the judge is fine-tuned: AdamW on the cross-entropy."""

    epochs: Positive = Field(8, description="Most epochs.")
    batch_size: Positive = Field(32, description="Prompts that go through the network at once.")
    accumulation: Positive = Field(1, description="Such batches an optimisation step.")
    learning_rate: float = Field(6e-4, gt=0, le=100, description="Learning rate after warm-up.")
    weight_decay: float = Field(0.01, ge=0, le=10, description="Decoupled weight decay.")
    schedule: Literal["constant", "cosine"] = Field("cosine", description="Learning rate over the run, after warm-up.")
    warmup_steps: int = Field(30, ge=0, description="Steps of linear warm-up.")
    gradient_clip: float | None = Field(
        1.0, gt=0, description="Largest gradient norm; longer gradients are scaled down."
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Label smoothing of the cross-entropy.")
    balance: Literal["loss", "none"] = Field(
        "loss", description="Weigh both classes the same in the loss, or every prompt."
    )
    early_stopping: Positive | None = Field(
        3, description="Epochs without a new lowest validation loss before training ends; never, if `null`."
    )
    checkpoint_every: Positive | None = Field(
        None, description="Steps between checkpoints; steps in between are replayed. An epoch, if not given."
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="Where it runs. Replay is exact on the CPU.")


class JudgeAnalysisSettings(Settings):
    """The mechanism of a judge, measured at every epoch, and its pages. Changing it never trains again."""

    visualization_interval: Positive = Field(
        1, description="Epochs between records and pages; the ends always have them."
    )
    run_advanced: bool = Field(True, description="Matched pairs, neurons and circuits too, the dearer part.")
    samples: Positive = Field(2, description="Validation prompts of each label that get pages of their own.")
    discovery: int = Field(256, ge=16, description="Training prompts on which probes are trained and neurons chosen.")
    held_out: int = Field(256, ge=16, description="Validation prompts on which everything is judged.")
    pairs: int = Field(
        40, ge=8, description="Matched pairs of validation prompts; half score edges, half judge circuits."
    )
    attributed: Positive = Field(12, description="Validation prompts over which attributions are averaged.")
    integration_steps: int = Field(32, ge=2, description="Points of Integrated Gradients.")
    edge_steps: Positive = Field(5, description="Points of the integrated gradients of edges.")
    permutations: int = Field(200, ge=19, description="Permutations of the labels, for neurons.")
    shuffles: Positive = Field(20, description="Probes trained on shuffled labels.")
    ablations: int = Field(10, ge=2, description="Random sets of neurons that ablation is compared with.")
    random_subgraphs: int = Field(5, ge=2, description="Random subgraphs of each size that circuits are compared with.")
    faithfulness: float = Field(0.85, gt=0, le=1, description="Share of the logit difference a circuit has to carry.")
    alpha: float = Field(0.01, gt=0, lt=0.5, description="Level of the tests, and false discovery rate of neurons.")
    seed: int = Field(0, ge=0, description="Seed of all choices and resampling.")
