"""Settings of training."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ontogeny.settings import Positive, Settings, Share


class ShockSettings(Settings):
    """A sudden change at a known step, to try what finds it."""

    kind: Literal["learning_rate", "batch_size", "data", "labels", "ablation"] = Field(
        default="learning_rate",
        description="What changes: the rate or the batch size, by `factor`; the images, shifted by a quarter of their "
        "side; the labels, each one class on; or the units of the first layer, of which a quarter is set to zero.",
    )
    step: Positive = Field(default=200, description="The step from which it holds.")
    factor: float = Field(default=0.1, gt=0, le=1000, description="Factor of the learning rate or the batch size.")


class TrainingSettings(Settings):
    """How the network is trained."""

    steps: Positive = Field(default=400, description="Optimisation steps.")
    batch_size: Positive = Field(default=64, description="Images a step.")
    optimizer: Literal["adamw", "adam", "sgd"] = Field(default="adamw", description="Optimiser.")
    learning_rate: float = Field(default=1e-3, gt=0, le=100, description="Learning rate after warm-up.")
    weight_decay: float = Field(
        default=0.01, ge=0, le=10, description="Decoupled weight decay (AdamW), L2 for the others."
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="Momentum (SGD only).")
    schedule: Literal["constant", "cosine"] = Field(
        default="constant", description="Learning rate over the run, after warm-up."
    )
    warmup_steps: int = Field(default=0, ge=0, description="Steps of linear warm-up.")
    gradient_clip: float | None = Field(
        default=None, gt=0, description="Largest gradient norm; longer gradients are scaled down."
    )
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="Label smoothing of the cross-entropy.")
    checkpoint_every: Positive = Field(
        default=100, description="Steps between checkpoints; steps in between are replayed when asked for."
    )
    shock: ShockSettings | None = Field(default=None, description="A sudden change at a known step (image tasks).")
    device: Literal["cpu", "cuda"] = Field(
        default="cpu", description="Where it runs. Replay is exact, bit for bit, on the CPU."
    )


class GateTrainingSettings(Settings):
    """How every network of the ensemble is trained: AdamW on the squared error, as published."""

    epochs: Positive = Field(default=1000, description="Largest number of epochs.")
    batch_size: Positive = Field(default=100, description="Samples a step.")
    learning_rate: float = Field(default=0.001, gt=0, le=100, description="Learning rate.")
    weight_decay: float = Field(default=0.01, ge=0, le=10, description="AdamW's own decoupled weight decay.")
    loss_target: float = Field(default=0.01, ge=0, description="A network stops when its training loss is below this.")
    accuracy_target: Share = Field(default=0.99, description="Validation accuracy that a converged network has.")
    early_stopping: Positive = Field(
        default=200, description="Epochs without a new lowest loss before a network stops."
    )
    l1_lambda: float = Field(
        default=0.0, ge=0, description="Weight of the sum of magnitudes of all parameters in the loss."
    )
    l2_lambda: float = Field(
        default=0.0, ge=0, description="Weight of the sum of squares of all parameters in the loss."
    )
    published_streams: bool = Field(default=False, description="Draw random numbers in the published program's order.")


class JudgeTrainingSettings(Settings):
    """How the judge is fine-tuned: AdamW on the cross-entropy."""

    epochs: Positive = Field(default=8, description="Most epochs.")
    batch_size: Positive = Field(default=32, description="Prompts that go through the network at once.")
    accumulation: Positive = Field(default=1, description="Such batches per optimisation step.")
    learning_rate: float = Field(default=6e-4, gt=0, le=100, description="Learning rate after warm-up.")
    weight_decay: float = Field(default=0.01, ge=0, le=10, description="Decoupled weight decay.")
    schedule: Literal["constant", "cosine"] = Field(
        default="cosine", description="Learning rate over the run, after warm-up."
    )
    warmup_steps: int = Field(default=30, ge=0, description="Steps of linear warm-up.")
    gradient_clip: float | None = Field(
        default=1.0, gt=0, description="Largest gradient norm; longer gradients are scaled down."
    )
    label_smoothing: float = Field(default=0.0, ge=0, lt=1, description="Label smoothing of the cross-entropy.")
    balance: Literal["loss", "none"] = Field(
        default="loss", description="Weigh both classes the same in the loss, or every prompt."
    )
    early_stopping: Positive | None = Field(
        default=3, description="Epochs without a new lowest validation loss before training ends; never, if `null`."
    )
    checkpoint_every: Positive | None = Field(
        default=None, description="Steps between checkpoints; steps in between are replayed. An epoch, if not given."
    )
    processes: Positive = Field(
        default=1,
        description="Processes that share the weights and every batch (fully sharded data parallel); with `cuda` each "
        "has a card. Replay, by one process, is then equal up to rounding.",
    )
    device: Literal["cpu", "cuda"] = Field(default="cpu", description="Where it runs. Replay is exact on the CPU.")
