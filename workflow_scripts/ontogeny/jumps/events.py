"""What a jump is, what a detector gives back, and how a series is made ready for one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ontogeny.arguments import plain
from ontogeny.errors import OntogenyError
from ontogeny.statistics import median
from ontogeny.words import counted

NOISE_FLOOR = 1e-6
"""Least relative change that can be a jump: below it, float32 rounding alone makes changes."""

LONGEST_GAP = 4
"""Missing values in a row across which a change can still be placed."""


@dataclass(frozen=True)
class Jump:
    """One lasting change of a series: abrupt (kind 'jump'), or taking a while (kind 'transition').

    step: logged step of the first point of the new level, or of a transition's midpoint; index: its position in the
    series as given; size: change in the metric's units; direction: 'up' or 'down'; score: the detector's statistic,
    always positive, larger is stronger; p_value: NaN when not asked for. value_before, value_after: medians of up to 8
    values on either side, half a width away from onset and end, no further than the changes next to it; z_score: their
    difference over the standard deviation of the up to 50 values before, with their straight trend taken out.

    onset, end: steps at which 10% and 90% of the change are reached (of a jump the last step before and the step
    itself); midpoint_low, midpoint_high, width_low, width_high: 95% intervals, in steps.
    """

    step: float
    index: int
    size: float
    direction: str
    score: float
    p_value: float = math.nan
    kind: str = "jump"
    onset: float = math.nan
    end: float = math.nan
    midpoint_low: float = math.nan
    midpoint_high: float = math.nan
    width_low: float = math.nan
    width_high: float = math.nan
    value_before: float = math.nan
    value_after: float = math.nan
    z_score: float = math.nan

    @property
    def width(self) -> float:
        """From onset to end, in steps."""
        return self.end - self.onset


class Detection(list):
    """The jumps of one series, in order: a list of `Jump` that also says how it came about.

    abstained: why the detector gave no judgement, or None when it judged (an empty list then means: no jump);
    detector, settings: what was run; length: values given; missing: those that were not finite and were left out;
    notes: what else a reader should know.
    """

    def __init__(
        self,
        jumps: Iterable[Jump] = (),
        *,
        abstained: str | None = None,
        detector: str = "",
        settings: dict[str, Any] | None = None,
        length: int = 0,
        missing: int = 0,
        notes: Sequence[str] = (),
    ) -> None:
        super().__init__(jumps)
        self.abstained = abstained
        self.detector = detector
        self.settings = dict(settings or {})
        self.length = length
        self.missing = missing
        self.notes = tuple(notes)

    def __repr__(self) -> str:
        why = f", abstained={self.abstained!r}" if self.abstained else ""
        return f"Detection({list(self)!r}, detector={self.detector!r}{why})"


def as_series(values: Any, steps: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """`values` as float64 (n,) and their `steps` (n,), 0..n-1 by default; OntogenyError if they are not a series."""
    series = _numbers(values, "values")
    if steps is None:
        return series, np.arange(series.size)
    places = plain(steps)
    if getattr(getattr(places, "dtype", None), "kind", "") not in ("i", "u"):
        places = _numbers(steps, "steps")
    if places.shape != series.shape:
        raise OntogenyError(
            f"steps has {counted(places.size, 'entry')} and values {series.size}: give one step for each value"
        )
    if places.dtype.kind == "f" and not np.isfinite(places).all():
        raise OntogenyError(
            f"steps[{int(np.flatnonzero(~np.isfinite(places))[0])}] is not finite: give the step of every value"
        )
    later = places[1:] > places[:-1]
    if not later.all():
        i = int(np.flatnonzero(~later)[0]) + 1
        raise OntogenyError(f"steps[{i}] = {places[i]} does not come after {places[i - 1]}: sort the steps, once each")
    return series, places


def evenly_spaced(steps: np.ndarray) -> bool:
    """Whether no two neighbours of `steps` (n,) are half as far again apart as two others."""
    gaps = np.diff(steps)
    return gaps.size == 0 or bool(gaps.max() <= 1.5 * gaps.min())


def _numbers(values: Any, name: str) -> np.ndarray:
    try:
        array = np.asarray(plain(values))
        if array.dtype.kind in "cSUMm" or array.dtype.type is np.void:  # bfloat16 of ml_dtypes is of kind V, too
            raise TypeError
        array = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        raise OntogenyError(f"{name} must be numbers, one for each logged step") from None
    if array.ndim != 1:
        raise OntogenyError(f"{name} has shape {array.shape}: give one dimension, one number for each logged step")
    return array


def level_change(series: np.ndarray, index: int, low: int = 0, high: int | None = None, width: int = 8) -> float:
    """Median of the up to `width` points from `index` on, minus that of those before, none outside [low, high)."""
    high = series.size if high is None else high
    after = series[index : min(index + width, high)]
    before = series[max(index - width, low) : index]
    if not after.size or not before.size:
        return 0.0
    return median(after) - median(before)


def levels_around(
    series: np.ndarray, onset: int, end: int, low: int = 0, high: int | None = None, width: int = 8, past: int = 50
) -> tuple[float, float, float]:
    """`value_before`, `value_after` and `z_score` of a change between two positions of a finite series.

    low, high: positions of the end of the change before it and of the onset of the next one, which no level reaches
    across. Levels are taken half a width away from the change, where 99% of a logistic one is over; less far where the
    next change is near.
    """
    high = series.size - 1 if high is None else max(high, end)
    low = min(low, onset)
    away = (end - onset) // 2
    last = max(onset - away, (low + onset) // 2)
    first = min(end + away, (end + high + 1) // 2)
    before, after = series[max(last - width + 1, low) : last + 1], series[first : min(first + width, high + 1)]
    history = series[max(last - past + 1, low) : last + 1]
    level, new = median(before), median(after)
    place = np.arange(history.size) - (history.size - 1) / 2
    slope = place @ history / (place @ place) if history.size > 2 else 0.0
    spread = float((history - slope * place).std()) if history.size > 2 else 0.0
    return level, new, (new - level) / spread if spread > 0 else math.nan


def above_floor(series: np.ndarray, index: int, size: float, noise_floor: float, width: int = 8) -> bool:
    """Whether |size| is more than `noise_floor` times the largest magnitude within `width` points of `index`."""
    around = series[max(index - width, 0) : index + width]
    return abs(size) > noise_floor * float(np.max(np.abs(around)))
