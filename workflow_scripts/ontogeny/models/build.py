"""The networks by name: multilayer perceptrons, convolutional and residual networks, Transformer encoders, ViTs.

The sizes behind the published names reproduce, at 28x28 pixels, the parameter counts in the records of the study
that made those names. A network's weights are a pure function of its settings and its seed.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError, check_number, expect, first_line, shown, unknown
from ontogeny.models.known import AttentionOnly, DeepLinear, Superposition
from ontogeny.models.layers import without_fast_path
from ontogeny.nonlinearities.torch import MODULES

Shape = tuple[int, ...]


@dataclass(frozen=True)
class ModelSpec:
    """One entry of `MODELS`: a function `build(input_shape, classes, **settings)` and the settings it takes.

    `defaults` names every setting; a setting that is not in it is refused.
    """

    build: Callable[..., nn.Module]
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "defaults", MappingProxyType(dict(self.defaults)))


# ------------------------------------------------------------------------------------------------------ networks


class MLP(nn.Module):
    """Linear layers with a nonlinearity between them, on the flattened input (`network.0`, `network.2`, ...)."""

    def __init__(self, input_shape: Shape, classes: int, hidden: list[int], activation: str, dropout: float) -> None:
        super().__init__()
        widths = [math.prod(input_shape), *hidden]
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), MODULES[activation]()]
            if dropout:
                layers.append(nn.Dropout(dropout))
        self.network = nn.Sequential(*layers, nn.Linear(widths[-1], classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x.flatten(1))


class CNN(nn.Module):
    """3x3 convolutions, each with a nonlinearity and 2x2 pooling (while two pixels are left), and a linear head."""

    def __init__(self, input_shape: Shape, classes: int, channels: list[int], activation: str, dropout: float) -> None:
        super().__init__()
        before, height, width = _image(input_shape)
        layers: list[nn.Module] = []
        for after in channels:
            pool = min(height, width) >= 2
            layers += [
                nn.Conv2d(before, after, kernel_size=3, padding=1),
                MODULES[activation](),
                nn.MaxPool2d(2) if pool else nn.Identity(),
            ]
            before = after
            if pool:
                height, width = height // 2, width // 2
        self.conv_layers = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(before * height * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.dropout(self.conv_layers(x).flatten(1)))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm around an identity (He et al. 2016, arXiv:1512.03385, Fig. 2)."""

    def __init__(self, before: int, after: int, stride: int, activation: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.activation1 = MODULES[activation]()
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.shortcut: nn.Module
        if stride != 1 or before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after))
        else:
            self.shortcut = nn.Identity()
        self.activation2 = MODULES[activation]()

    def forward(self, x: Tensor) -> Tensor:
        inner = self.activation1(self.bn1(self.conv1(x)))
        return self.activation2(self.bn2(self.conv2(inner)) + self.shortcut(x))


class ResNet(nn.Module):
    """A convolution, one residual block per entry of `channels` (halving the image after the first), a linear head."""

    def __init__(self, input_shape: Shape, classes: int, channels: list[int], activation: str, dropout: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(_image(input_shape)[0], channels[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.activation = MODULES[activation]()
        self.blocks = nn.Sequential(
            *(
                ResidualBlock(before, after, 1 if position == 0 else 2, activation)
                for position, (before, after) in enumerate(zip([channels[0], *channels], channels))
            )
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.activation(self.bn1(self.conv1(x))))
        return self.fc(self.dropout(self.pool(x).flatten(1)))


class EncoderBlock(nn.TransformerEncoderLayer):
    """PyTorch's encoder layer without its fused evaluation path: hooks see everything, and change nothing."""

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        with without_fast_path():
            return super().forward(*args, **kwargs)


class Encoder(nn.Module):
    """A stack of encoder blocks, each with initial weights of its own."""

    def __init__(
        self,
        width: int,
        depth: int,
        heads: int,
        feedforward: int | None,
        dropout: float,
        activation: str,
        pre_norm: bool,
    ) -> None:
        super().__init__()
        if width % heads:
            raise OntogenyError(f"width {width} is not a multiple of heads {heads}: every head takes an equal share")
        self.layers = nn.ModuleList(
            EncoderBlock(
                width,
                heads,
                feedforward or 4 * width,
                dropout,
                MODULES[activation](),
                batch_first=True,
                norm_first=pre_norm,
            )
            for _ in range(depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class TransformerClassifier(nn.Module):
    """A Transformer encoder over pieces of an image, with learned positions, averaged over pieces.

    tokens: None makes one token of every image row; a number cuts the flattened image into that many equal pieces
    (16 is the published networks' cut of a 28x28 image).
    """

    def __init__(
        self,
        input_shape: Shape,
        classes: int,
        width: int,
        depth: int,
        heads: int,
        feedforward: int | None,
        dropout: float,
        activation: str,
        tokens: int | None,
    ) -> None:
        super().__init__()
        channels, height, columns = _image(input_shape)
        size = channels * height * columns
        if tokens is not None and size % tokens:
            raise OntogenyError(f"tokens {tokens} does not divide the {size} values of an image into equal pieces")
        self.tokens = tokens
        count = tokens or height
        self.input_proj = nn.Linear(size // count, width)
        self.positions = nn.Parameter(torch.randn(count, width) * 0.02)
        self.transformer = Encoder(width, depth, heads, feedforward, dropout, activation, pre_norm=False)
        self.fc = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        pieces = x.transpose(1, 2).flatten(2) if self.tokens is None else x.flatten(1).unflatten(1, (self.tokens, -1))
        return self.fc(self.transformer(self.input_proj(pieces) + self.positions).mean(1))


class VisionTransformer(nn.Module):
    """Patches, a class token, learned positions, pre-norm blocks (Dosovitskiy et al. 2021, arXiv:2010.11929).

    patch: side of a patch in pixels; None takes the largest that divides the image, up to 4 and a quarter of its side.
    """

    def __init__(
        self,
        input_shape: Shape,
        classes: int,
        width: int,
        depth: int,
        heads: int,
        feedforward: int | None,
        dropout: float,
        activation: str,
        patch: int | None,
    ) -> None:
        super().__init__()
        channels, height, columns = _image(input_shape)
        patch = patch or _fitting_patch(height, columns)
        if height % patch or columns % patch:
            fits = [side for side in range(1, min(height, columns) + 1) if height % side == columns % side == 0]
            raise OntogenyError(
                f"patch {patch} does not divide an image of {height}x{columns} pixels: {_or(fits)} would"
            )
        self.patch_embed = nn.Conv2d(channels, width, kernel_size=patch, stride=patch)
        self.class_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.positions = nn.Parameter(torch.randn(1 + (height // patch) * (columns // patch), width) * 0.02)
        self.dropout = nn.Dropout(dropout)
        self.transformer = Encoder(width, depth, heads, feedforward, dropout, activation, pre_norm=True)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patch_embed(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(x), -1, -1), patches], dim=1)
        encoded = self.transformer(self.dropout(tokens + self.positions))
        return self.head(self.norm(encoded[:, 0]))


def _fitting_patch(height: int, width: int) -> int:
    largest = max(1, min(4, min(height, width) // 4))
    patch = max(side for side in range(1, largest + 1) if height % side == width % side == 0)
    if patch == 1 and largest > 1:
        raise OntogenyError(
            f"no patch of 2 to {largest} pixels divides an image of {height}x{width}: give patch, or other images"
        )
    return patch


def _image(input_shape: Shape) -> tuple[int, int, int]:
    if len(input_shape) != 3:
        raise OntogenyError(f"input shape {input_shape} is not (channels, height, width), which this model needs")
    channels, height, width = input_shape
    return channels, height, width


# ------------------------------------------------------------------------------------------------------ registry


def _mlp(*hidden: int) -> ModelSpec:
    return ModelSpec(MLP, {"hidden": list(hidden), "activation": "relu", "dropout": 0.0})


def _cnn(*channels: int, build: type[nn.Module] = CNN) -> ModelSpec:
    return ModelSpec(build, {"channels": list(channels), "activation": "relu", "dropout": 0.0})


def _transformer(width: int, depth: int, heads: int = 4) -> ModelSpec:
    settings = {"width": width, "depth": depth, "heads": heads, "feedforward": None}
    return ModelSpec(TransformerClassifier, {**settings, "dropout": 0.1, "activation": "relu", "tokens": None})


def _vit(width: int, depth: int, heads: int, feedforward: int) -> ModelSpec:
    settings = {"width": width, "depth": depth, "heads": heads, "feedforward": feedforward}
    return ModelSpec(VisionTransformer, {**settings, "dropout": 0.0, "activation": "gelu", "patch": None})


MODELS: dict[str, ModelSpec] = {
    "mlp": _mlp(64, 64),
    "mlp_shallow_2": _mlp(128, 64),
    "mlp_medium_5": _mlp(64, 64, 64, 64, 32),
    "mlp_deep_10": _mlp(*[32] * 10),
    "mlp_verydeep_15": _mlp(*[24] * 15),
    "mlp_narrow": _mlp(32, 32, 32, 32),
    "mlp_medium": _mlp(128, 128, 64, 64),
    "mlp_wide": _mlp(256, 256, 128, 128),
    "mlp_verywide": _mlp(512, 512, 256, 256),
    "cnn_shallow": _cnn(32, 64),
    "cnn_medium": _cnn(32, 64, 128),
    "cnn_deep": _cnn(32, 64, 128, 256),
    "resnet_small": _cnn(16, 32, 64, build=ResNet),
    "transformer_shallow": _transformer(128, 2),
    "transformer_medium": _transformer(128, 4),
    "transformer_deep": _transformer(128, 6),
    "transformer_narrow": _transformer(64, 4),
    "vit": _vit(width=64, depth=4, heads=4, feedforward=128),
    "vit_tiny": _vit(width=32, depth=3, heads=4, feedforward=64),
    "deep_linear": ModelSpec(DeepLinear, {"width": None, "depth": 2}),
    "superposition": ModelSpec(Superposition, {"width": 4}),
    "attention_only": ModelSpec(AttentionOnly, {"width": 48, "depth": 2, "heads": 4}),
}
"""The networks known by name. To add one: a function or class, and an entry here."""


@checks_arguments
def build_model(name: str, input_shape: Shape, classes: int, seed: int, **overrides: Any) -> nn.Module:
    """The network `name` for inputs of `input_shape` (channels, height, width), with `classes` outputs.

    seed: fixes the initial weights; global random state is left as it was.
    overrides: settings that replace the model's own defaults (`MODELS[name].defaults`); None keeps the default.

    Raises OntogenyError for an unknown name or setting, and for values that do not fit together.
    """
    if name not in MODELS:
        raise unknown("model", name, MODELS)
    spec = MODELS[name]
    expect(spec, ModelSpec, f"a ModelSpec as the entry '{name}' of MODELS")
    input_shape = tuple(_whole("input shape", side) for side in input_shape)
    classes, seed = _whole("classes", classes), _whole("seed", seed, least=0)
    settings = {key: list(value) if isinstance(value, list) else value for key, value in spec.defaults.items()}
    for key, value in overrides.items():
        if key not in settings:
            raise unknown(f"setting of model {name}", key, settings)
        if value is not None:
            settings[key] = _CHECKS[key](key, value) if key in _CHECKS else value
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        _check_signature(name, spec.build, (input_shape, classes), settings)
        model = spec.build(input_shape, classes, **settings)
    if not isinstance(model, nn.Module):
        raise OntogenyError(
            f"the function of model '{name}' should return a torch.nn.Module, but what it returned is {shown(model)}"
        )
    return model


def _check_signature(name: str, build: Callable[..., Any], given: tuple[Any, ...], settings: dict[str, Any]) -> None:
    """Refuse a function that does not take what its entry in `MODELS` promises."""
    try:
        signature = inspect.signature(build)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*given, **settings)
    except TypeError as error:
        listed = ", ".join(("input_shape", "classes", *settings))
        raise OntogenyError(
            f"the function of model '{name}' does not take what its entry in MODELS names ({first_line(error)}): "
            f"it should take {listed}"
        ) from None


@checks_arguments
def count_parameters(model: nn.Module, trainable: bool = False) -> int:
    """How many numbers `model` learns, shared ones counted once; with `trainable`, those not frozen."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable)


def _whole(what: str, value: Any, least: int = 1) -> int:
    check_number(value, what, f"a whole number of at least {least}", least, 2**63 - 1, whole=True)
    return int(value)


def _widths(what: str, value: Any) -> list[int]:
    if not isinstance(value, list | tuple) or (not value and what != "hidden"):
        raise OntogenyError(f"{what} is {value!r}: a list of whole numbers is expected, such as [64, 32]")
    return [_whole(f"an entry of {what}", width) for width in value]


def _probability(what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise OntogenyError(f"{what} is {value!r}: a number from 0 up to, but not, 1 is expected")
    return float(value)


def _activation(what: str, value: Any) -> str:
    if value not in MODULES:
        raise unknown("activation", value, MODULES)
    return value


def _or(numbers: list[int]) -> str:
    *most, last = map(str, numbers)
    return f"{', '.join(most)} or {last}" if most else last


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "hidden": _widths,
    "channels": _widths,
    "dropout": _probability,
    "activation": _activation,
    **dict.fromkeys(("width", "depth", "heads", "feedforward", "patch", "tokens"), _whole),
}
