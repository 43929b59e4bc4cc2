"""The elementwise functions of neurons by number (their places in `KINDS`), for compiled loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ontogeny.compilation import compiled

LEAK = np.float32(0.01)

_PLAIN: dict[str, Any] = {"nogil": True, "_nrt": False}


@compiled(**_PLAIN)
def activate(value: float, kind: int, slope: float) -> float:
    """The function numbered `kind` of a float64; `slope` belongs to leaky_relu and elu."""
    if kind == 0:
        return value if value > 0.0 else value * slope
    if kind == 1:
        return value if value > 0.0 else 0.0
    if kind == 2:
        return math.tanh(value)
    if kind == 3:
        return 1.0 / (1.0 + math.exp(-value))
    if kind == 5:
        return value if value > 0.0 else slope * math.expm1(value)
    if kind == 6:
        return 0.5 * value * (1.0 + math.erf(value * 0.7071067811865476))
    if kind == 7:
        return value / (1.0 + math.exp(-value))
    if kind == 8:
        return value + math.log1p(math.exp(-value)) if value > 0.0 else math.log1p(math.exp(value))
    return value


@compiled(**_PLAIN)
def lowest_between(low: float, high: float, kind: int, slope: float) -> float:
    """The least value of the function between `low` and `high`: at an end, or where gelu and silu have their dip."""
    least = min(activate(low, kind, slope), activate(high, kind, slope))
    if kind == 6 and low < -0.7517915 < high:
        least = -0.1699713
    if kind == 7 and low < -1.2784646 < high:
        least = -0.2784646
    return least


@compiled(nogil=True)
def activate32(kind: int, z: Any) -> Any:
    """The first four functions in float32, as networks are trained."""
    if kind == 0:
        return z if z > 0 else z * LEAK
    if kind == 1:
        return z if z > 0 else np.float32(0.0)
    if kind == 2:
        return np.float32(math.tanh(z))
    return np.float32(1.0) / (np.float32(1.0) + np.float32(math.exp(-z)))


@compiled(nogil=True)
def slope32(kind: int, z: Any, a: Any) -> Any:
    """Their derivative at `z`, where the function is `a`."""
    if kind == 0:
        return np.float32(1.0) if z > 0 else LEAK
    if kind == 1:
        return np.float32(1.0) if z > 0 else np.float32(0.0)
    if kind == 2:
        return np.float32(1.0) - a * a
    return a * (np.float32(1.0) - a)
