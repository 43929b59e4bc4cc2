"""Settings of the networks."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from ontogeny.settings import Positive, Settings

ModelName = Literal[
    "mlp",
    "mlp_shallow_2",
    "mlp_medium_5",
    "mlp_deep_10",
    "mlp_verydeep_15",
    "mlp_narrow",
    "mlp_medium",
    "mlp_wide",
    "mlp_verywide",
    "cnn_shallow",
    "cnn_medium",
    "cnn_deep",
    "resnet_small",
    "transformer_shallow",
    "transformer_medium",
    "transformer_deep",
    "transformer_narrow",
    "vit",
    "vit_tiny",
    "deep_linear",
    "superposition",
    "attention_only",
]


class ModelSettings(Settings):
    """The network. A bare name stands for `{name: ...}`; the other keys replace that model's own defaults."""

    name: ModelName = Field(default="mlp", description="One of the networks of `ontogeny.models`.")
    hidden: list[Positive] | None = Field(default=None, description="Widths of the hidden layers (MLP).")
    channels: list[Positive] | None = Field(default=None, description="Channels of the convolutions (CNN).")
    width: Positive | None = Field(
        default=None, description="Model width (Transformer, ViT, attention_only), or of the hidden layers."
    )
    depth: Positive | None = Field(default=None, description="Number of blocks, or of layers (deep_linear).")
    heads: Positive | None = Field(
        default=None, description="Attention heads per block (Transformer, ViT, attention_only)."
    )
    feedforward: Positive | None = Field(
        default=None, description="Width of the feed-forward layers (Transformer, ViT)."
    )
    patch: Positive | None = Field(default=None, description="Side of a patch in pixels (ViT).")
    tokens: Positive | None = Field(
        default=None,
        description="Pieces that the flattened image is cut into (Transformer; 16 as published); rows, if not given.",
    )
    dropout: float | None = Field(default=None, ge=0, lt=1, description="Dropout probability.")
    activation: Literal["relu", "gelu", "tanh", "leaky_relu", "square"] | None = Field(
        default=None, description="Nonlinearity."
    )

    def overrides(self) -> dict[str, Any]:
        """The keys that were given, besides the name."""
        return {key: value for key, value in self.model_dump(exclude={"name"}).items() if value is not None}


class GateModelSettings(Settings):
    """A small MLP whose circuits can be enumerated."""

    hidden: list[Positive] = Field(default=[3, 3], min_length=1, description="Widths of the hidden layers.")
    activation: Literal["leaky_relu", "relu", "tanh", "sigmoid"] = Field(
        default="leaky_relu", description="Nonlinearity."
    )
    dropout_rate: float = Field(default=0.0, ge=0, lt=1, description="Dropout probability of hidden neurons.")


class JudgeModelSettings(Settings):
    """The judge. A bare name stands for `{name: ...}`."""

    name: str = Field(
        default="embedded",
        min_length=1,
        description="`embedded`, a small decoder that is pretrained on the training prompts first; or a checkpoint, "
        "by its folder or its name on the Hugging Face hub.",
    )
    head: Literal["auto", "new", "kept", "verdict"] = Field(
        default="auto",
        description="`new`, an untrained one; `kept`, a classifier's own; `verdict`, a generative judge's answer, safe "
        "or unsafe, after its chat template. `auto` keeps that of a folder with a classifier, and is `new` otherwise.",
    )
    unsafe_labels: list[str] | None = Field(
        default=None,
        min_length=1,
        description="Labels of a kept head that are unsafe; recognised by name, if not given.",
    )
    verdicts: tuple[str, str] = Field(
        default=("safe", "unsafe"), description="How a generative judge answers, safe first (verdict)."
    )
    template: str | None = Field(
        default=None,
        description="What stands around a prompt, with `{prompt}` in it (verdict); the chat template, if not given.",
    )
    vocabulary: int = Field(default=2048, ge=300, description="Most tokens of the tokenizer (embedded).")
    width: Positive = Field(default=112, description="Model width (embedded).")
    layers: Positive = Field(default=6, description="Layers (embedded).")
    heads: Positive = Field(default=4, description="Attention heads per layer (embedded).")
    feedforward: Positive = Field(default=288, description="Width of the feed-forward layers (embedded).")
    pretrain_steps: int = Field(
        default=300, ge=0, description="Steps of next-token prediction before fine-tuning (embedded)."
    )
    pretrain_batch_size: Positive = Field(default=32, description="Prompts per step of pretraining (embedded).")
    pretrain_learning_rate: float = Field(
        default=2e-3, gt=0, le=100, description="Learning rate of pretraining (embedded)."
    )
    pretrain_seed: int = Field(default=0, ge=0, lt=2**31, description="Seed of the initial weights and of pretraining.")
    frozen_layers: int = Field(
        default=1, ge=0, description="First layers that, with the embeddings, are not trained; 0: none."
    )
    dtype: Literal["float32", "bfloat16"] = Field(default="float32", description="Precision of the backbone.")
    gradient_checkpointing: bool = Field(default=False, description="Compute activations again in the backward pass.")
    device_map: str | None = Field(
        default=None, description="Placement of a large backbone, such as `auto` (needs the package accelerate)."
    )

    @model_validator(mode="after")
    def _fits(self) -> JudgeModelSettings:
        if self.template is not None and self.template.count("{prompt}") != 1:
            raise ValueError("template should hold {prompt} once")
        if self.name == "embedded":
            if self.width % (2 * self.heads):
                raise ValueError(f"width is {self.width}; it should be a multiple of twice heads, {2 * self.heads}")
            if self.frozen_layers > self.layers:
                raise ValueError(f"frozen_layers is {self.frozen_layers}, but there are only {self.layers} layers")
        return self
