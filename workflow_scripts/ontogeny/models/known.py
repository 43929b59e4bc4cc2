"""The small networks on which known transitions are studied, and the measures of their progress.

Measures take the network as it is and return numbers by name; none of them needs the end of training.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ontogeny.errors import OntogenyError

Shape = tuple[int, ...]


class DeepLinear(nn.Module):
    """Linear layers without biases and without nonlinearities (Saxe, McClelland and Ganguli 2014, arXiv:1312.6120)."""

    def __init__(self, input_shape: Shape, classes: int, width: int | None, depth: int) -> None:
        super().__init__()
        inputs = math.prod(input_shape)
        widths = [inputs, *[width or inputs] * (depth - 1), classes]
        self.layers = nn.Sequential(*(nn.Linear(a, b, bias=False) for a, b in pairwise(widths)))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.flatten(1))

    @torch.no_grad()
    def balance(self, left: Tensor, right: Tensor, strength: float, noise: float) -> None:
        """Set all layers so that each mode (`left`, `right`: (n, k)) begins at `strength`, shared evenly by the layers,
        through random rotations between them, plus Gaussian noise of standard deviation `noise`."""
        weights = [layer.weight for layer in self.layers if isinstance(layer, nn.Linear)]
        root, width = strength ** (1 / len(weights)), weights[0].shape[0]
        bases = [_rotation(width)[:, : left.shape[1]].to(left) for _ in weights[1:]]
        for weight, target, source in zip(weights, [*bases, left], [right, *bases]):
            weight.copy_(root * target @ source.T)
            weight.add_(torch.randn(weight.shape) * noise)

    def product(self) -> Tensor:
        """The map that the layers make together, (outputs, inputs)."""
        first, *rest = (layer.weight for layer in self.layers if isinstance(layer, nn.Linear))
        for weight in rest:
            first = weight @ first
        return first


def _rotation(size: int) -> Tensor:
    return torch.linalg.qr(torch.randn(size, size))[0]


class Superposition(nn.Module):
    """Features through a narrow layer and back: ReLU(D E x + b) (Elhage et al. 2022, arXiv:2209.10652; untied)."""

    def __init__(self, input_shape: Shape, classes: int, width: int) -> None:
        super().__init__()
        self.encoder = nn.Linear(math.prod(input_shape), width, bias=False)
        self.decoder = nn.Linear(width, classes)
        with torch.no_grad():
            for weight in (self.encoder.weight, self.decoder.weight):
                weight.mul_(0.05)
            self.decoder.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.decoder(self.encoder(x.flatten(1))))

    def product(self) -> Tensor:
        """What each feature (column) does to each output (row) through the narrow layer."""
        return self.decoder.weight @ self.encoder.weight


class Attention(nn.Module):
    """Causal self-attention, its four maps linear layers of their own; `pattern` keeps the weights if `keep` is set."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.keep = heads, False
        self.pattern: Tensor | None = None
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        ahead = torch.ones(scores.shape[-2:], dtype=torch.bool, device=x.device).triu(1)
        pattern = scores.masked_fill(ahead, -torch.inf).softmax(-1)
        if self.keep:
            self.pattern = pattern.detach()
        return self.o((pattern @ v).transpose(1, 2).flatten(2))


class AttentionOnly(nn.Module):
    """A transformer of attention layers alone, on tokens (samples, positions); it gives the logits of what comes next.

    Two layers of it learn induction heads all at once (Olsson et al. 2022, arXiv:2209.11895). Positions begin as large
    as tokens, as the head that looks at the token before must find it by its position.
    """

    def __init__(self, input_shape: Shape, classes: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise OntogenyError(f"width {width} is not a multiple of heads {heads}: every head takes an equal share")
        self.embed = nn.Embedding(classes, width)
        self.positions = nn.Parameter(torch.randn(input_shape[-1], width))
        self.layers = nn.ModuleList(Attention(width, heads) for _ in range(depth))
        self.unembed = nn.Linear(width, classes, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens) + self.positions[: tokens.shape[1]]
        for layer in self.layers:
            x = x + layer(x)
        return self.unembed(x)


# ----------------------------------------------------------------------------------------------------- measures


def mode_strengths(model: DeepLinear, left: Tensor, right: Tensor) -> dict[str, float]:
    """`mode_1`, ...: how strongly the network's map holds each mode (`left`, `right`: (n, k))."""
    found = ((left.T @ model.product().detach()) * right.T).sum(1)
    return {f"mode_{i + 1}": float(value) for i, value in enumerate(found)}


def feature_measures(model: Superposition) -> dict[str, float]:
    """`feature_1`, ...: how much of a feature comes back to its own output (1: all); `interference_1`, ...: the sum of
    squares of what the other features add to it."""
    product = model.product().detach()
    own = product.diagonal()
    others = product.square().sum(1) - own.square()
    found = {f"feature_{i + 1}": float(value) for i, value in enumerate(own)}
    return found | {f"interference_{i + 1}": float(value) for i, value in enumerate(others)}


@contextmanager
def _kept(model: AttentionOnly) -> Iterator[list[Attention]]:
    layers = [layer for layer in model.layers if isinstance(layer, Attention)]
    for layer in layers:
        layer.keep = True
    try:
        yield layers
    finally:
        for layer in layers:
            layer.keep, layer.pattern = False, None


@torch.no_grad()
def induction_measures(model: AttentionOnly, tokens: Tensor) -> dict[str, float]:
    """What makes induction heads, on repeated sequences `tokens` (samples, positions); heads are `layer.head`.

    prefix_matching: attention from the second half to the token after the same token's first occurrence;
    previous_token: attention to the token before; copying: (sum of eigenvalues) / (sum of their magnitudes) of the
    head's map from tokens to logits, 1 for a head that copies (Elhage et al. 2021, "A Mathematical Framework for
    Transformer Circuits"); in_context: loss in the second half minus that in the first (Olsson et al. 2022).
    """
    half = tokens.shape[1] // 2
    with _kept(model) as layers:
        logits = model(tokens)
        patterns = [layer.pattern for layer in layers]
    found: dict[str, float] = {}
    for number, (layer, pattern) in enumerate(zip(layers, patterns)):
        if pattern is None:
            continue
        size = layer.o.weight.shape[0] // layer.heads
        matching = pattern.diagonal(-(half - 1), -2, -1)[..., 1:].mean((0, 2))
        previous = pattern.diagonal(-1, -2, -1).mean((0, 2))
        for head in range(layer.heads):
            part = slice(head * size, (head + 1) * size)
            inner = layer.v.weight[part] @ model.embed.weight.T @ model.unembed.weight @ layer.o.weight[:, part]
            values = torch.linalg.eigvals(inner)
            found[f"prefix_matching_{number}.{head}"] = float(matching[head])
            found[f"previous_token_{number}.{head}"] = float(previous[head])
            found[f"copying_{number}.{head}"] = float(values.real.sum() / values.abs().sum().clamp_min(1e-30))
    losses = functional.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:], reduction="none").mean(0)
    found["second_half_loss"] = float(losses[half:].mean())
    found["in_context"] = float(losses[half:].mean() - losses[: half - 1].mean())
    return found


KEY_POWER = 0.9
"""Share of the power in functions of the sum that the key frequencies hold."""


@torch.no_grad()
def modular_measures(model: nn.Module, inputs: Tensor, labels: Tensor, trained: Tensor) -> dict[str, float]:
    """Progress of modular addition, after Nanda et al. 2023 (arXiv:2301.05217).

    inputs: all p^2 pairs in order (a, b), labels: their sums (p^2,); trained: which pairs are trained on, bool (p^2,).
    Logits are split into their part that depends on a + b alone, which generalises, and the rest, which can only
    memorise. The paper keeps a few frequencies of the first part, the key frequencies of the trained network; here all
    are kept, so that no measure needs the end of training.

    `restricted_loss`: of all pairs, by the part that depends on a + b; `excluded_loss`: of the trained pairs, by the
    rest; `key_frequencies`: how many hold 90% of the power of the first part; `train_accuracy`: of the trained pairs;
    `fourier_concentration`: the Gini coefficient of the power of the first layer's weights over frequencies, 0 if even
    and towards 1 if on a single one; `weight_norm`: the Euclidean norm of all parameters.
    """
    p = round(math.sqrt(len(labels)))
    model.eval()
    logits = model(inputs).double()
    general = torch.zeros(p, logits.shape[1], dtype=torch.float64, device=logits.device)
    general.index_add_(0, labels, logits / p)
    power = torch.fft.rfft(general, dim=0)[1:].abs().square().sum(1).sort(descending=True).values
    count = int((power.cumsum(0) < KEY_POWER * power.sum()).sum()) + 1
    excluded = (logits - general[labels] + general.mean(0))[trained]
    sums = torch.arange(p, device=logits.device)
    return {
        "restricted_loss": float(functional.cross_entropy(general, sums)),
        "excluded_loss": float(functional.cross_entropy(excluded, labels[trained])),
        "key_frequencies": float(count),
        "train_accuracy": float((logits.argmax(1) == labels)[trained].double().mean()),
        "fourier_concentration": _concentration(_first_weight(model), p),
        "weight_norm": weight_norm(model),
    }


def _concentration(weight: Tensor, p: int) -> float:
    power = torch.fft.rfft(weight.double().unflatten(1, (-1, p)), dim=-1)[..., 1:].abs().square().sum((0, 1))
    ordered = power.sort().values
    place = torch.arange(1, len(ordered) + 1, device=ordered.device)
    return float(2 * (place * ordered).sum() / (len(ordered) * ordered.sum()) - (len(ordered) + 1) / len(ordered))


def _first_weight(model: nn.Module) -> Tensor:
    return next(parameter for parameter in model.parameters() if parameter.ndim == 2).detach()


def weight_norm(model: nn.Module) -> float:
    """Euclidean norm of all parameters."""
    return math.sqrt(sum(float(parameter.detach().double().square().sum()) for parameter in model.parameters()))


def parity_measures(model: nn.Module, relevant: int) -> dict[str, float]:
    """`relevant_weight`: share of the power of the first layer's weights on the first `relevant` inputs, those that
    decide the parity (the hidden progress of Barak et al. 2022, arXiv:2207.08799); and `weight_norm`."""
    power = _first_weight(model).double().square().sum(0)
    return {"relevant_weight": float(power[:relevant].sum() / power.sum()), "weight_norm": weight_norm(model)}
