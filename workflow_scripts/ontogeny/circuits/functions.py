"""Elementwise functions of a layer's neurons: those that the search knows by name, and any other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ontogeny.circuits._plain import activate
from ontogeny.nonlinearities import KINDS


@dataclass(frozen=True)
class Nonlinearity:
    """An elementwise function: its name in `ACTIVATIONS` with its slope, or, if `name` is None, a Python function.

    function: of values (..., neurons); each: how many neurons, where each has its own function, else 0; together:
    whether it is no function of single neurons, as softmax; outputs: how many values it gives, where these are not as
    many as neurons or are made of several in any way, else 0.
    """

    name: str | None
    slope: float = 0.01
    function: Callable[[NDArray[Any]], NDArray[Any]] | None = field(default=None, repr=False)
    each: int = 0
    together: bool = False
    outputs: int = 0

    def __call__(self, values: NDArray[Any], axis: int = -1) -> NDArray[Any]:
        """The function of float64 values with neurons along `axis`."""
        if self.name is not None:
            return activate(values, KINDS.index(self.name), self.slope)
        assert self.function is not None
        if not self.each:
            return self.function(values)
        return np.moveaxis(self.function(np.moveaxis(values, axis, -1)), -1, axis)

    def equals(self, other: Nonlinearity, neurons: int) -> bool:
        """Whether both give the same for a layer of so many neurons, at some hundred values of each."""
        if self.name is not None and other.name is not None:
            return (self.name, self.slope) == (other.name, other.slope)
        values = np.random.default_rng(0).normal(size=(512, neurons)) * np.repeat([0.3, 3.0], 256)[:, None]
        return np.array_equal(self(values), other(values), equal_nan=True)

    def of(self, neuron: int) -> Nonlinearity:
        """The function of one neuron, on arrays of any shape."""
        if not self.each:
            return self

        def function(values: NDArray[Any]) -> NDArray[Any]:
            return self(np.repeat(np.asarray(values)[..., None], self.each, axis=-1))[..., neuron]

        return Nonlinearity(None, function=function)


def masked_sums(
    x: NDArray[Any],
    weights: Sequence[NDArray[np.float32]],
    biases: Sequence[NDArray[np.float32]],
    hidden: Sequence[Nonlinearity],
    masks: Sequence[NDArray[Any]] | None = None,
) -> NDArray[np.float32]:
    """Sums (..., rows, outputs) of the last layer of a network, layer by layer in float32, for x (rows, inputs).

    weights[l] (out, in), biases[l] (out,); hidden: functions of the hidden layers; masks[l] (..., out, in): which
    weights there are.
    """
    values = x
    for layer, (w, b) in enumerate(zip(weights, biases)):
        if layer:
            values = np.asarray(hidden[layer - 1](values.astype(np.float64)), np.float32)
        own = w if masks is None else w * masks[layer]
        values = values @ np.swapaxes(own, -1, -2) + b
    return np.asarray(values, np.float32)


IDENTITY = Nonlinearity("identity")
