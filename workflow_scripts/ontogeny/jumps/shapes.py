"""Forms of changes, and what is found of them: candidates of a search, and events."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

BLOCKS = 64

LOGISTIC = 2 * math.log(9.0)
"""The 10 to 90% width of a logistic function, in units of its scale."""

RAMP_SHARE = 0.8
"""The 10 to 90% width of a ramp, as a share of its whole width."""

SHORTEST = BLOCKS
"""Measurements of the shortest series that is judged."""

MEDIAN_OF_SQUARES = 0.4549
"""Median of the square of a standard normal variable."""

LEAST_SHARE = 0.001
"""Least change, as a share of the range of the series, that can be a transition."""

WIDEST = 0.4
"""Share of the record that a transition may take from 10 to 90%."""

ROUNDING = 1e-13


class Event(NamedTuple):
    """A transition at positions of a series: midpoint, onset (10%), end (90%), 95% intervals, and score."""

    middle: float
    onset: float
    end: float
    size: float
    score: float
    middle_low: float
    middle_high: float
    width_low: float
    width_high: float
    smooth: bool = False
    """Found by the search for series without noise."""

    @property
    def width(self) -> float:
        """From onset to end, in measurements."""
        return self.end - self.onset


class Candidate(NamedTuple):
    """What a search found before its surroundings are looked at: where, how wide and large, and its score."""

    middle: float
    width: float
    size: float
    score: float
    onset: float | None = None
    """Given where the shape itself says it: of peaks of the rate."""
    block: int = 1
    """Points per block of the scale at which it was found."""
    alone: float = 0.0
    """Of steps, the score by what they leave in their own window, whatever the others hold."""


def beside(shapes: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each column adds to the line, at length 1, and the length that it had."""
    rest = shapes - line @ (line.T @ shapes)
    length = np.sqrt((rest * rest).sum(axis=0))
    return rest / length, length


def forms_of_change(away: np.ndarray, width: float | np.ndarray) -> list[np.ndarray]:
    """Steps around their middle, of one 10 to 90% width: logistic, at once and then relaxing, its mirror image, and a
    ramp."""
    tau = width / math.log(9.0)
    after = 1 - np.exp(-np.maximum(away / tau + math.log(2.0), 0))
    before = np.exp(-np.maximum(math.log(2.0) - away / tau, 0))
    ramp = np.clip(RAMP_SHARE * away / width + 0.5, 0, 1)
    return [1 / (1 + np.exp(np.clip(-LOGISTIC * away / width, -500, 500))), after, before, ramp]


def block_means(x: np.ndarray, block: int) -> np.ndarray:
    """Means of every `block` points of each series, (series, n // block)."""
    if block == 1:
        return x
    count = x.shape[1] // block
    return x[:, : count * block].reshape(len(x), count, block).mean(axis=2)


def straight_rise(n: int, event: Event) -> np.ndarray:
    """The straight rise of an event over n points, 0 before it."""
    away = np.arange(n) - 0.5 * (event.onset + event.end)
    return event.size * np.clip(RAMP_SHARE * away / max(event.width, RAMP_SHARE) + 0.5, 0, 1)


def sums_of_squares(values: np.ndarray) -> np.ndarray:
    """The sum of the squares of each row (rows, columns)."""
    return np.einsum("ij,ij->i", values, values)


def orthonormal(columns: list[np.ndarray]) -> np.ndarray:
    """An orthonormal basis (points, columns) of what these columns (points,) span."""
    return np.linalg.qr(np.stack(columns, axis=1))[0]


def all_apart(
    candidates: Sequence[Candidate], most: int, counts: Callable[[Candidate], bool] = lambda c: True
) -> list[Candidate]:
    """The first candidates that count and overlap none before them, at most so many."""
    chosen: list[Candidate] = []
    taken: list[tuple[float, float]] = []
    for c in candidates:
        if len(chosen) == most:
            break
        low, high = _interval(c)
        if not any(low <= end and start <= high for start, end in taken) and counts(c):
            chosen.append(c)
            taken.append((low, high))
    return chosen


def overlap(a: Candidate, b: Candidate) -> bool:
    """Whether two candidates may be one change: their intervals meet, of peaks of the rate from onset to end, of steps
    a fifth more than their width."""
    (a_low, a_high), (b_low, b_high) = _interval(a), _interval(b)
    return a_low <= b_high and b_low <= a_high


def _interval(c: Candidate) -> tuple[float, float]:
    if c.onset is not None:
        return c.onset, c.onset + c.width
    return c.middle - 0.6 * c.width, c.middle + 0.6 * c.width
