"""What the functions of neurons are: by name where they have one, and compared with each other at some points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ontogeny.circuits._plain import activate
from ontogeny.circuits.flows import Given, Neuron, Neurons, Sums
from ontogeny.circuits.functions import Nonlinearity
from ontogeny.nonlinearities import KINDS

POINTS = 3 * torch.randn(601, generator=torch.Generator().manual_seed(0))
GRID = np.concatenate([-np.logspace(-3, 6, 60)[::-1], [0.0], np.logspace(-3, 6, 60), np.linspace(-25, 25, 401)])


def named_function(flow: Neurons) -> tuple[Nonlinearity, NDArray[np.float64]]:
    """The function of neurons by name, with a factor for each (neurons,), or as it is with factors of 1."""
    n = len(flow.bias)
    with torch.no_grad():
        points = torch.as_tensor(GRID)[:, None].expand(-1, n).contiguous()
        try:
            after = flow.after(points)
        except RuntimeError:
            after = flow.after(points.float())
        values = after.double().numpy()
    found = values[:, 0]
    if values.shape == (len(GRID), n) and np.isfinite(values).all():
        up, down = int(np.abs(GRID - 1.25).argmin()), int(np.abs(GRID + 1.25).argmin())
        for kind in ("identity", "relu", "leaky_relu", "tanh", "sigmoid", "elu", "gelu", "silu", "softplus"):
            slopes = [0.01]
            if kind in ("leaky_relu", "elu") and found[up]:
                below = GRID[down] if kind == "leaky_relu" else np.expm1(GRID[down])
                slopes = [float(found[down] / found[up] * GRID[up] / below)]
            for slope in slopes:
                if not 0 <= slope <= 1:
                    continue
                rounded = round(slope, 12)
                with np.errstate(over="ignore"):
                    plain = activate(GRID, KINDS.index(kind), rounded)
                factors = values[up] / plain[up]
                if (factors != 0).all() and np.allclose(values, plain[:, None] * factors, rtol=2e-6, atol=1e-6):
                    near = np.round(factors, 6)
                    factors = np.where(np.abs(factors - near) < 1e-7, near, factors)
                    return Nonlinearity(kind, rounded), factors
    return as_function(flow), np.ones(n)


def function_of_layer(neurons: Sequence[Neuron]) -> Nonlinearity:
    """The function of a layer of neurons, each with its own."""
    first, places = neurons[0].function, [neuron.k for neuron in neurons]
    different = {(f.name, f.slope) if f.name else id(f) for f in (neuron.function for neuron in neurons)}
    if len(different) == 1 and (not first.each or places == list(range(first.each))):
        return first
    single = [neuron.function.of(neuron.k) for neuron in neurons]
    return Nonlinearity(
        None,
        function=lambda values: np.stack([f(values[..., k]) for k, f in enumerate(single)], axis=-1),
        each=len(neurons),
    )


def as_function(flow: Neurons) -> Nonlinearity:
    """What follows the sums of `flow`, in float32, as a function on arrays."""
    n = len(flow.bias)

    def function(values: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad():
            given = torch.as_tensor(np.ascontiguousarray(values, np.float32))
            return np.asarray(torch.as_tensor(flow.after(given)).to(torch.float32).numpy())

    return Nonlinearity(None, function=function, each=0 if flow.alike and _takes_any_number(function, n) else n)


def _takes_any_number(function: Callable[[NDArray[Any]], NDArray[Any]], n: int) -> bool:
    """Whether a function of n neurons takes others, and gives the same for all."""
    points = np.random.default_rng(0).normal(0, 3, 64)
    try:
        values = [function(np.repeat(points[:, None], m, axis=1)) for m in (n, n + 1)]
    except RuntimeError:
        return False
    wide = np.hstack(values)
    return np.array_equal(np.broadcast_to(wide[:, :1], wide.shape), wide, equal_nan=True)


def scaled_and_moved(
    one: Callable[[Tensor], Tensor], other: Callable[[Tensor], Tensor], n: int
) -> tuple[Tensor, Tensor] | None:
    """Scale and offset (neurons,) that make the second function of the first, or None."""
    points = torch.as_tensor(GRID)[:, None].expand(-1, n).contiguous()
    try:
        first, second = one(points).double(), other(points).double()
    except RuntimeError:
        return None
    low, high = first.argmin(dim=0, keepdim=True), first.argmax(dim=0, keepdim=True)
    apart = first.gather(0, high) - first.gather(0, low)
    if first.shape != points.shape or second.shape != points.shape or not (apart > 0).all():
        return None
    scale = (second.gather(0, high) - second.gather(0, low)) / apart
    near = first.abs().argmin(dim=0, keepdim=True)
    offset = second.gather(0, near) - scale * first.gather(0, near)
    offset = torch.where(offset.abs() < 1e-12, 0.0, offset)
    return (scale[0], offset[0]) if torch.allclose(second, scale * first + offset, 1e-9, 1e-9) else None


def same_neurons(one: Neurons, other: Neurons) -> bool:
    """Whether neurons are computed twice: the same functions of the same sums."""
    if not (torch.equal(one.weight, other.weight) and torch.equal(one.bias, other.bias)):
        return False
    points = torch.as_tensor(GRID, dtype=torch.float32)[:, None].expand(-1, len(one.bias))
    return torch.equal(one.after(points), other.after(points))


def is_silent(flow: Any) -> bool:
    """Whether numbers are 0 whatever is masked, as those of a branch with a weight of 0."""
    if isinstance(flow, Given):
        return not flow.values.any()
    if isinstance(flow, Sums):
        return not (flow.coef.any() or flow.const.any())
    points = torch.as_tensor(GRID, dtype=torch.float32)[:, None].expand(-1, len(flow.bias))
    return not flow.after(points).any()


def is_real(flow: Neurons) -> bool:
    """Whether values are numbers, not integers or whether something is so."""
    return flow.after(torch.zeros(1, len(flow.bias))).is_floating_point()


def softmax(values: NDArray[Any]) -> NDArray[Any]:
    """Shares (..., neurons) of the exponentials of values (..., neurons)."""
    grown = np.exp(values - np.max(values, axis=-1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=-1, keepdims=True))


def log_softmax(values: NDArray[Any]) -> NDArray[Any]:
    """Logarithms of what `softmax` gives."""
    moved = values - np.max(values, axis=-1, keepdims=True)
    return np.asarray(moved - np.log(np.exp(moved).sum(axis=-1, keepdims=True)))
