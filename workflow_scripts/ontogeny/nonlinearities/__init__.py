"""The elementwise functions of neurons, on arrays: one home for names, formulas and default settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special
from numpy.typing import NDArray

from ontogeny.errors import unknown

LEAK = 0.01
"""The slope of leaky_relu below zero."""

NONLINEARITIES: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "none": lambda x: x,
    "relu": lambda x: np.maximum(x, 0.0),
    "leaky_relu": lambda x: np.where(x > 0, x, LEAK * x),
    "gelu": lambda x: x * scipy.special.ndtr(x),
    "tanh": np.tanh,
    "sigmoid": scipy.special.expit,
    "silu": lambda x: x * scipy.special.expit(x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0.0))),
    "square": np.square,
    "softplus": lambda x: np.where(x > 20, x, np.log1p(np.exp(np.minimum(x, 20.0)))),
}
"""Elementwise functions by name, with PyTorch's default settings; "none" for activations that are outputs already."""


def apply_nonlinearity(values: Any, nonlinearity: str) -> NDArray[np.float64]:
    """`values` in float64 after the named function. Raises OntogenyError for a name not in `NONLINEARITIES`."""
    if nonlinearity not in NONLINEARITIES:
        raise unknown("nonlinearity", nonlinearity, NONLINEARITIES)
    return NONLINEARITIES[nonlinearity](np.asarray(values, dtype=np.float64))


KINDS = ("leaky_relu", "relu", "tanh", "sigmoid", "identity", "elu", "gelu", "silu", "softplus")
"""Names of the functions that compiled loops know; the place of a name is its number there."""
