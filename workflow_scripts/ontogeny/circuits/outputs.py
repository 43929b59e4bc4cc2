"""When an output is right: the rules that a circuit can be judged by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ontogeny.errors import OntogenyError, shown


@dataclass(frozen=True)
class OutputRule:
    """The outputs that are right for each target: above < output <= upto, in float32.

    `above` and `upto` hold a limit for target 0, for target 1, and for each further one; infinite ones are no limit.
    """

    name: str
    above: tuple[float, ...]
    upto: tuple[float, ...]

    def limits(self, targets: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """`above` and `upto` of every row; targets (rows,) are 0, 1, ..."""
        return np.array(self.above, np.float32)[targets], np.array(self.upto, np.float32)[targets]

    def right(self, outputs: NDArray[Any], targets: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each of `outputs` (..., rows) is right."""
        above, upto = self.limits(targets)
        return (outputs > above) & (outputs <= upto)


_BELOW, _HALF, _MORE = (
    float(np.nextafter(np.float32(-0.5), np.float32(-1))),
    0.5,
    float(np.nextafter(np.float32(1.5), np.float32(0))),
)

ROUNDED = OutputRule("rounded", (_BELOW, _HALF), (_HALF, _MORE))
"""The output, rounded half to even, equals the target: 0 accepts [-0.5, 0.5] and 1 accepts (0.5, 1.5), as published."""


def _is_finite(value: Any) -> bool:
    """Whether something is one finite number of float32; text is none."""
    try:
        given = np.asarray(value)
        with np.errstate(over="ignore"):
            return given.dtype.kind in "biuf" and given.ndim == 0 and bool(np.isfinite(given.astype(np.float32)))
    except (TypeError, ValueError, RuntimeError):
        return False


def _too_large(value: Any) -> str:
    """What to say of a number that is finite, and infinite in float32."""
    try:
        finite = not isinstance(value, str) and bool(np.isfinite(float(value)))
    except OverflowError:
        finite = True
    except (TypeError, ValueError):
        finite = False
    return ", and outputs, which are float32, reach no further than 3.4e+38" if finite else ""


def above(threshold: float) -> OutputRule:
    """Target 1 asks for an output above `threshold`, target 0 for one that is not: signs and logits at 0.

    Raises OntogenyError for a threshold that is not finite in float32.
    """
    if not _is_finite(threshold):
        beyond = _too_large(threshold)
        raise OntogenyError(f"the threshold of an output is {shown(threshold)}{beyond}: give a finite number")
    limit = float(np.float32(threshold))
    return OutputRule(f"above {limit:g}", (-np.inf, limit), (limit, np.inf))


@dataclass(frozen=True)
class Tolerance:
    """Outputs are right that differ from their target, any number, by at most `tolerance`."""

    tolerance: float

    def for_targets(self, y: NDArray[np.float32]) -> tuple[OutputRule, NDArray[np.float32]]:
        """The limits of each different number among y, and which of them each number (its shape) is."""
        values, places = np.unique(y, return_inverse=True)
        low, high = values.astype(np.float64) - self.tolerance, values.astype(np.float64) + self.tolerance
        with np.errstate(over="ignore"):
            least, most = low.astype(np.float32), high.astype(np.float32)
        below = np.where(least < low, least, np.nextafter(least, np.float32(-np.inf)))
        upto = np.where(most > high, np.nextafter(most, np.float32(-np.inf)), most)
        rule = OutputRule(f"within {self.tolerance:g}", tuple(below.tolist()), tuple(upto.tolist()))
        return rule, places.reshape(y.shape).astype(np.float32)


AnyRule = OutputRule | Tolerance


def check_rule(rule: Any) -> None:
    """Raise OntogenyError for what is neither `ROUNDED`, `above` a threshold nor `within` a tolerance."""
    if not isinstance(rule, OutputRule | Tolerance):
        given = "a function" if callable(rule) else shown(rule)
        raise OntogenyError(f"the rule of outputs is {given}: give ROUNDED, above(threshold) or within(tolerance)")


def within(tolerance: float) -> Tolerance:
    """For targets that are any numbers: outputs are right that differ from theirs by at most `tolerance`.

    Raises OntogenyError for a tolerance that is not a finite number of float32 above 0.
    """
    if not (_is_finite(tolerance) and tolerance > 0):
        beyond = "" if _is_finite(tolerance) else _too_large(tolerance)
        raise OntogenyError(f"the tolerance of an output is {shown(tolerance)}{beyond}: give a finite number above 0")
    return Tolerance(float(tolerance))
