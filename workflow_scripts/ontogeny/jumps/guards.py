"""What is wrong with a series before it is searched: repeated values, saturation, spikes, too few points.

A detector takes every value for a measurement of its own. Values logged several times, or held until the next one is
measured, look like perfect steps; a metric that rests at a bound has no noise there; a spike that decays is a step at
first. Each guard says so in a sentence, and what was done about it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HELD_SHARE = 0.4
"""Share of values that repeat their predecessor from which a series is taken for held, if its levels are new ones."""

LEAST_RUNS = 20
SATURATED_SHARE = 0.1
RECOVERY = 24
RECOVERED = 0.6
BOUND_SIGMAS = 4.0


@dataclass(frozen=True)
class Guarded:
    """A series as it is to be searched.

    values: (m,) the measurements, kept: their positions (m,) in the series as given; every: how many times each value
    is repeated (1: not at all); noise: standard deviation away from the bound of a saturated series, else 0; notes.
    """

    values: np.ndarray
    kept: np.ndarray
    every: int
    noise: float
    notes: tuple[str, ...]


def guard(series: np.ndarray) -> Guarded:
    """Look at a finite series (n,) and keep one value for each measurement."""
    kept, every, notes = _measurements(series)
    values = series[kept]
    noise = 0.0
    bound = _bound(values)
    if bound is not None:
        share = float(np.mean(values == bound))
        noise = _noise_off(values, bound)
        notes.append(f"{share:.0%} of the values rest at {bound:g}: the metric is saturated there")
    return Guarded(values, kept, every, noise, tuple(notes))


def _measurements(series: np.ndarray) -> tuple[np.ndarray, int, list[str]]:
    n = series.size
    everything = np.arange(n)
    starts = np.concatenate([[0], np.flatnonzero(series[1:] != series[:-1]) + 1]) if n else everything
    runs = starts.size
    if runs < 6 or 1 - runs / n < HELD_SHARE:
        return everything, 1, []
    every = int(np.gcd.reduce(np.diff(starts)))
    fresh = np.unique(series).size >= 0.9 * runs
    if (every == 1 and not (fresh and runs >= LEAST_RUNS)) or (every == 2 and runs < LEAST_RUNS):
        return everything, 1, []
    if every > 1:
        kept = np.arange(int(starts[1] % every), n, every)
        kept = kept if kept[0] == 0 else np.concatenate([[0], kept])
        return kept, every, [f"values repeat in runs of {every}: it was measured every {every} points"]
    mean = n / runs
    return starts, max(round(mean), 1), [f"values are held for {mean:.1f} points on average: only new values count"]


def _bound(values: np.ndarray) -> float | None:
    if values.size < LEAST_RUNS:
        return None
    for bound in (float(values.max()), float(values.min())):
        at = values == bound
        if at.mean() >= SATURATED_SHARE and np.count_nonzero(at[1:] != at[:-1]) > 4 and np.unique(values).size > 20:
            return bound
    return None


def _noise_off(values: np.ndarray, bound: float) -> float:
    other = float(values.min() if bound == values.max() else values.max())
    off = (values != bound) & (values != other)
    inner = values[off]
    return float(inner.std()) if inner.size > 2 else 0.0


def lasting(series: np.ndarray, index: int, size: float, noise: float) -> bool:
    """Whether a change is a lasting one, larger than the noise of a saturated series."""
    return abs(size) > BOUND_SIGMAS * noise and not recovers(series, index, size)


def recovers(series: np.ndarray, index: int, size: float) -> bool:
    """Whether the change at `index` decays back towards the level before within `RECOVERY` points.

    Measured from the straight line before it, or from the level just before it, a lasting change keeps its size; a
    decaying spike loses most of it, first quickly and then slowly. It is followed up to the next change of its
    size; where fewer than 12 points are left, losing a third is enough.
    """
    after = series[index : index + RECOVERY + RECOVERY // 3]
    before = series[max(index - RECOVERY, 0) : index]
    if before.size < 3 or after.size < 4 or size == 0:
        return False
    sign = 1.0 if size > 0 else -1.0
    again = np.flatnonzero(np.abs(np.diff(after))[6:] > 0.8 * abs(size))
    after = after[: again[0] + 7] if again.size else after
    if _decays(sign * (after - float(np.median(before[-8:]))), convex=2.5):
        return True
    if before.size < 8 or after.size < 12:
        return False
    place = np.arange(before.size) - (before.size - 1) / 2
    slope = float(place @ before / (place @ place))
    level = float(np.median(before - slope * place)) + slope * (place[-1] + 1 + np.arange(after.size))
    return _decays(sign * (after - level), convex=0.0)


def _decays(away: np.ndarray, convex: float) -> bool:
    """Whether distances from a level, (n,), fall by more than `RECOVERED`; the fall to their middle part must be
    `convex` times the fall from there to their last part, or more."""
    if away.size < 12:
        half = away.size // 2
        return float(np.median(away[half:])) < 0.67 * float(np.median(away[: min(3, half)]))
    part = away.size // 4
    first, middle, last = (
        float(np.median(away[low:high])) for low, high in ((0, 3), (part, 2 * part), (2 * part, away.size))
    )
    fallen = first > 0 and last < (1 - RECOVERED) * first and middle < 0.75 * first
    return fallen and first - middle >= convex * (middle - last)
