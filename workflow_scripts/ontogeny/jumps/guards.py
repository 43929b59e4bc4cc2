"""What is wrong with a series before it is searched: repeated values, periods, saturation, spikes, too few points.

A detector takes every value for a measurement of its own. Values logged several times, or held until the next one is
measured, look like perfect steps; a metric that rests at a bound has no noise there; a spike that decays is a step at
first. Each guard says so in a sentence, and what was done about it.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ontogeny.statistics import median

HELD_SHARE = 0.4
"""Share of values that repeat their predecessor from which a series is taken for held, if its levels are new ones."""

PLATEAU = 10
"""Times the typical run of one value from which a run is a plateau (an accuracy of 1, for instance), no held value."""

FEWEST_LEVELS = 3
EARLY_BEST = (0.05, 0.15)
"""Share of the record within which a best value so far is bettered first: of `FEWEST_LEVELS` levels, and of more."""

LATE_BEST = 0.4
"""The same of a series that rests `FEWEST_RESTS` times, at levels that no unit explains."""

LATE_HALF = 0.2
"""Share of the record from which half of what a best value so far gains is too late: of noise, most is gained early. A
share of few samples that rises later, by `FEWEST_UNITS` or more, rests because it is coarse."""

FEWEST_UNITS = 40

FEWEST_RESTS = 3
"""Rests from which a series that changes at many measurements in a row is asked whether it is the best value so far."""

FEWEST_HELD = 6
"""Levels from which a series that rests between them is asked whether it is the best value so far, or is held."""

LEAST_RUNS = 20
SATURATED_SHARE = 0.1
RECOVERY = 24
PAST = 72
"""Points before a change whose median is the level that a spike amid others recovers to."""

BOUND_SIGMAS = 4.0
LEAST_UNIT = 1e-9
"""Least unit of a series, as a share of the largest distance between its levels."""

OFF_GRID = 0.05
"""How far from a whole number of units a distance may be, in units."""

FEW_UNITS = 2.0
"""Units by which most values that rest because they are coarse follow one another, or fewer."""

UNITS_PER_STRETCH = 4.0
"""Units by which a share of few samples moves, where it moves, over stretches whose unevenness is measured."""

STRETCH = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)

FEWEST_PERIODS = 5
"""Periods from which a series is said to repeat."""

MOST_STEPS = 8
"""Periods up to which a series that goes one way is taken for one of several steps."""

CLIMBS = 0.7
SHORTEST_PERIOD = 5
REPEATS = 0.15
"""Least autocorrelation at the period, and least share of the variance that half of the periods explain in the others,
in long series; in n values 2 / sqrt(n) more."""

CLEAN = 0.9
"""Share of the variance explained from which a series is one that repeats without noise, and is left as it is."""

LEAST_OF_NOISY = 0.5
LEAST_OF_CLEAN = 1.25
"""Least change in a series that repeats, as a share of the range of what repeats: with that taken out, and without."""

STRETCHES = 16
"""Stretches of a series whose levels and noise are compared, of `LEAST_RUNS` values or more."""

LEAST_RATIO = 1.5
"""Ratio of the highest of these levels to the lowest from which the noise is compared with them."""

OF_NOISE = 1.4
"""Third differences over second ones from which what a series does from point to point is noise: 1.8 in white noise,
1.4 in a random walk of the rate, and less where it is smooth."""

ROUNDING = 1e-9
RECOVERED = 0.6
RISEN = 1.5
"""Standard deviations of the noise by which a spike is higher at its peak than where it begins, if it takes time to
rise: the highest of several noisy values is no peak."""

FEWEST_AROUND = 8
"""Points before a change from which it is asked whether it is one on a relaxation."""

COURSES = np.geomspace(3.0, 120.0, 16)
SPIKES = (2.0, 4.0, 8.0, 16.0, 32.0)
"""Time constants, in measurements, of relaxations and of spikes that decay."""

LIKE = (0.5, 2.5)
"""Size of a change on a relaxation, as a share of what it is beside its surroundings."""

BETTER = 1.05
CURVED = 1.8
"""Squares that a spike or a bend instead of the change leave, and that a straight line with the change leaves, as
multiples of what a relaxation with the change leaves, at least."""

UNALIKE = 0.35
"""Autocorrelation, at most, of what a relaxation with a change leaves."""

ALONE = 0.6
"""Share of a change on a relaxation that no other is above."""

MOST_EXPONENT = 200
"""Powers of two up to which a series is searched in its own units."""

_MEDIAN_OF_DIFFERENCES = 0.954
"""Median magnitude of the differences of white noise, in its standard deviations."""


@dataclass(frozen=True)
class Guarded:
    """A series as it is to be searched: its measurements, without what repeats.

    values: (m,) the measurements, kept: their positions (m,) in the series as given; every: how many times each value
    is repeated (1: not at all); noise: standard deviation away from the bound of a saturated series, or what a series
    that repeats leaves, else 0; proportional: whether its noise is proportional to its level; notes. exponent: values
    and noise are those of the series divided by 2 to this power, 0 unless its squares would be beyond float64.
    """

    values: np.ndarray
    kept: np.ndarray
    every: int
    noise: float
    proportional: bool
    notes: tuple[str, ...]
    exponent: int = 0


def guard(series: np.ndarray) -> Guarded:
    """Look at a finite series (n,) and keep one value for each measurement."""
    exponent = _exponent(series)
    series = np.ldexp(series, -exponent) if exponent else series
    kept, every, notes = _measurements(series)
    values = series[kept]
    noise, repeats = 0.0, _repeated(values)
    if repeats is not None:
        swing = float(np.ptp(repeats.course))
        least = swing * (LEAST_OF_CLEAN if repeats.share >= CLEAN else LEAST_OF_NOISY)
        values = values if repeats.share >= CLEAN else values - repeats.course
        noise = least / BOUND_SIGMAS
        notes.append(
            f"it repeats every {repeats.period:.3g} measurements, by {in_units(swing, exponent):.2g}: changes of less "
            f"than {in_units(least, exponent):.2g} are not told from it"
        )
    noise = max(noise, _chance_of_samples(values))
    bound = _bound(values)
    if bound is not None:
        share = float(np.mean(values == bound))
        noise = max(noise, _noise_off(values, bound))
        notes.append(f"{share:.0%} of the values rest at {in_units(bound, exponent):g}: the metric is saturated there")
    return Guarded(values, kept, every, noise, noise == 0 and _is_proportional(values), tuple(notes), exponent)


def _exponent(series: np.ndarray) -> int:
    """The power of two by which a finite series (n,) is divided so that squares of it are within float64; 0 if they
    are."""
    exponent = int(np.frexp(np.abs(series).max(initial=0.0))[1])
    return exponent if abs(exponent) > MOST_EXPONENT else 0


def in_units(value: float, exponent: int) -> float:
    """A value of a series that was divided by a power of two, in the units of the series as it was given."""
    with np.errstate(over="ignore"):
        return float(np.ldexp(value, exponent)) if exponent else value


def _measurements(series: np.ndarray) -> tuple[np.ndarray, int, list[str]]:
    n = series.size
    everything = np.arange(n)
    starts = np.concatenate([[0], np.flatnonzero(series[1:] != series[:-1]) + 1]) if n else everything
    runs = starts.size
    lengths = np.diff(starts, append=n)
    ordinary = lengths[lengths <= PLATEAU * max(median(lengths), 1.0)] if n else lengths
    if runs < FEWEST_LEVELS or 1 - runs / n < HELD_SHARE:
        return everything, 1, []
    held = 1 - ordinary.size / ordinary.sum() >= HELD_SHARE
    levels = series[starts]
    unit = _unit(levels)
    few = median(np.abs(np.diff(levels))) <= (FEW_UNITS + OFF_GRID) * unit
    rests = bool(np.count_nonzero(lengths > 1) >= FEWEST_RESTS) and not unit > 0
    if (held or rests) and _is_best_so_far(levels, starts, n, rests, unit if few else 0.0):
        return starts, max(round(n / runs), 1), ["it is the best value so far, so only new ones count"]
    if runs < FEWEST_HELD or not held:
        return everything, 1, []
    every = int(np.gcd.reduce(np.diff(starts)))
    fresh = np.unique(series).size >= 0.9 * runs
    turns = np.unique(np.sign(np.diff(levels))).size > 1
    if (every == 1 and not (fresh and (turns or runs >= LEAST_RUNS))) or (every == 2 and runs < LEAST_RUNS):
        return everything, 1, []
    if every == 1 and unit > 0 and few:
        return everything, 1, []
    if every > 1:
        kept = np.arange(int(starts[1] % every), n, every)
        kept = kept if kept[0] == 0 else np.concatenate([[0], kept])
        return kept, every, [f"values repeat in runs of {every}: it was measured every {every} rows"]
    mean = n / runs
    return starts, max(round(mean), 1), [f"values are held for {mean:.1f} rows on average: only new values count"]


def _unit(levels: np.ndarray) -> float:
    """The unit of which all distances between these levels (runs,), one after another, are whole multiples, as those of
    accuracies on few samples are; 0 if there is none."""
    apart = np.diff(np.unique(levels))
    if not apart.size or apart.min() < LEAST_UNIT * apart.max():
        return 0.0
    unit = float(apart.min())
    return unit if (np.abs(apart / unit - np.rint(apart / unit)) <= OFF_GRID).all() else 0.0


def _chance_of_samples(values: np.ndarray) -> float:
    """Standard deviation, about its smooth course, of a share (n,) of few samples that change one after another: that
    of a count of half of those that do, if it moves as unevenly as counts do, and less if less, as rounded values. 0
    where it goes up and down, so that its noise shows, and for other series."""
    if values.size < LEAST_RUNS:
        return 0.0
    levels = values[np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))]
    if levels.size < LEAST_RUNS or levels.min() < 0 or levels.max() > 1 or abs(np.sign(np.diff(levels)).mean()) < 0.5:
        return 0.0
    unit = _unit(levels)
    if not unit > 0:
        return 0.0
    units = np.rint(values / unit)
    for stretch in STRETCH:
        moves = np.diff(units[::stretch])
        moved = np.abs(moves)
        if moves.size < LEAST_RUNS or moved.sum() >= UNITS_PER_STRETCH * np.count_nonzero(moved):
            break
    expected = float(np.convolve(moved, [1 / 6, 2 / 3, 1 / 6], "valid").sum())
    uneven = float(np.square(np.diff(moves, 2)).sum()) / 6 / max(expected, 1.0)
    return 0.5 * math.sqrt(unit * float(np.ptp(values)) * min(uneven, 1.0))


def _is_best_so_far(
    levels: np.ndarray, starts: np.ndarray, n: int, rests: bool, unit: float, even: float = 0.3
) -> bool:
    """Whether values that rest from `starts` on at these levels (runs,) are the best of n measurements: they go one way
    from the beginning on, are no whole numbers, and do not change at even times, as a schedule does. unit: of which
    their distances are few; 0 if there is none."""
    changes, gaps = np.diff(levels), np.diff(starts)
    one_way = bool((changes > 0).all() or (changes < 0).all())
    early = LATE_BEST if rests else EARLY_BEST[levels.size > FEWEST_LEVELS]
    uneven = float(gaps.std()) > even * float(gaps.mean())
    if not (one_way and uneven and starts[1] <= early * n) or np.array_equal(levels, np.rint(levels)):
        return False
    gain = abs(float(levels[-1] - levels[0]))
    halfway = starts[int((np.abs(levels - levels[0]) >= 0.5 * gain).argmax())]
    return bool(halfway <= LATE_HALF * n) or not 0 < unit <= gain / FEWEST_UNITS


class _Repeated(NamedTuple):
    """What repeats in a series: the period in measurements, its course (n,), and the share of the variance, beside the
    slow course, that it explains."""

    period: float
    course: np.ndarray
    share: float


def _repeated(values: np.ndarray) -> _Repeated | None:
    """What repeats in a series (n,) that does so at least `FEWEST_PERIODS` times; None if it does not.

    The period is the first high peak of the autocorrelation beside a moving mean, beyond its first zero. What repeats
    is the mean over all periods at each phase; it counts if the mean over every second period predicts the others, and
    they it. Rounded values, most of which are equal to others, are left alone.
    """
    n = values.size
    longest = n // FEWEST_PERIODS
    if longest < SHORTEST_PERIOD or np.unique(values).size < n / 2:
        return None
    beside = _clipped(values - _moving_mean(values, longest))
    power = np.abs(np.fft.rfft(beside, 2 * n)) ** 2
    lags = np.arange(n // 2)
    covariance = np.fft.irfft(power)[: lags.size]
    if not covariance[0] > (ROUNDING * np.abs(values).max()) ** 2 * n:
        return None
    correlation = covariance / covariance[0] * n / (n - lags)
    below = np.flatnonzero(correlation[: longest + 1] < 0)
    if not below.size:
        return None
    first, least = int(below[0]), REPEATS + 2 / math.sqrt(n)
    highest = float(correlation[first : longest + 1].max())
    if highest < least:
        return None
    first += int((correlation[first : longest + 1] >= 0.85 * highest).argmax())
    lag = first + int(correlation[first : first + max(first // 4, 2)].argmax())
    if lag < SHORTEST_PERIOD:
        return None
    period, times = float(lag), 2
    while times * period + 1 < lags.size:
        near = max(int(period / 4), 1)
        low = max(round(times * period) - near, 1)
        period = (low + int(correlation[low : low + 2 * near + 1].argmax())) / times
        times *= 2
    turns = np.arange(n) / period
    phase = ((turns % 1) * round(period)).astype(int)
    beside = _clipped(values - _moving_mean(values, round(period)))
    even = turns.astype(int) % 2 == 0
    share = min(_predicted(beside, phase, even), _predicted(beside, phase, ~even))
    if share < least:
        return None
    course = _by_phase(beside - beside.mean(), phase)[phase]
    if n < MOST_STEPS * period and _climbs(values, round(period), float(np.ptp(course))):
        return None
    return _Repeated(period, course, share)


def _climbs(values: np.ndarray, period: int, swing: float) -> bool:
    """Whether a series (n,) goes one way from period to period, by `CLIMBS` of the swing of what repeats in it or
    more: a few steps at about even times repeat beside their slow course only."""
    change = values[period:] - values[:-period]
    return abs(median(change)) >= CLIMBS * swing


def _clipped(values: np.ndarray, most: float = 4.0) -> np.ndarray:
    """Values (n,) of which none is further from zero than `most` times their median distance: the start of a
    relaxation, a step or a spike do not outweigh the rest."""
    bound = most * median(np.abs(values))
    return np.clip(values, -bound, bound) if bound > 0 else values


def _moving_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Means of `width` neighbours of every value (n,), of fewer at the ends."""
    sums = np.concatenate([[0.0], np.cumsum(values - values[0])])
    place = np.arange(values.size)
    low, high = np.maximum(place - width // 2, 0), np.minimum(place - width // 2 + width, values.size)
    return (sums[high] - sums[low]) / (high - low) + values[0]


def _by_phase(values: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Mean of the values at each phase."""
    return np.bincount(phase, values) / np.maximum(np.bincount(phase), 1)


def _predicted(values: np.ndarray, phase: np.ndarray, chosen: np.ndarray) -> float:
    """Share of the variance of the values not chosen that the means of the chosen ones at each phase explain, beside
    what the noise of these means adds."""
    means = np.zeros(int(phase.max()) + 1)
    found = _by_phase(values[chosen], phase[chosen])
    means[: found.size] = found
    others = values[~chosen]
    left = float(np.square(others - means[phase[~chosen]]).sum() / max(np.square(others).sum(), 1e-300))
    periods = np.count_nonzero(chosen) / means.size
    return 1 - left / (1 + 1 / periods)


def _is_proportional(values: np.ndarray) -> bool:
    """Whether the noise of positive values (n,) is proportional to their level, as that of losses often is: from
    stretch to stretch, the ratio of the two varies less than half as much as the noise itself does (variances of the
    logarithms). The noise is the median of the second differences; smooth series have none."""
    stretch = max(values.size // STRETCHES, LEAST_RUNS // 2)
    if values.size < 4 * stretch or not values.min() > 0 or values.max() < LEAST_RATIO * values.min():
        return False
    parts = values[: values.size // stretch * stretch].reshape(-1, stretch)
    bends = np.diff(parts, 2, axis=1)
    noise, rough = (np.median(np.abs(part), axis=1) for part in (bends, np.diff(bends, axis=1)))
    if not noise.min() > 0 or median(rough / noise) < OF_NOISE:
        return False
    level, noise = np.log(np.median(parts, axis=1)), np.log(noise)
    return bool(np.ptp(level) >= math.log(LEAST_RATIO) and (noise - level).var() < 0.5 * noise.var())


def _bound(values: np.ndarray) -> float | None:
    if values.size < LEAST_RUNS:
        return None
    for bound in (float(values.max()), float(values.min())):
        at = values == bound
        if at.mean() >= SATURATED_SHARE and np.count_nonzero(at[1:] != at[:-1]) > 4 and np.unique(values).size > 20:
            return bound
    return None


def _noise_off(values: np.ndarray, bound: float) -> float:
    """Standard deviation of the values (n,) off their bounds: within stretches of `2 * RECOVERY` points, around the
    straight line of each, the upper quartile of the stretches. Over the whole series, what moves from bound to bound
    would be noise."""
    other = float(values.min() if bound == values.max() else values.max())
    off = (values != bound) & (values != other)
    spreads = []
    for start in range(0, values.size, 2 * RECOVERY):
        at = np.flatnonzero(off[start : start + 2 * RECOVERY])
        if at.size > 7:
            inner = values[start + at]
            spreads.append(float((inner - np.polynomial.Polynomial.fit(at, inner, 1)(at)).std()))
    if spreads:
        return float(np.quantile(spreads, 0.75))
    inner = values[off]
    return float(inner.std()) if inner.size > 2 else 0.0


def lasting(series: np.ndarray, index: int, size: float, noise: float) -> bool:
    """Whether a change is a lasting one, larger than the noise of a saturated series."""
    if not abs(size) > BOUND_SIGMAS * noise:
        return False
    kept = not recovers(series, index, size) and stays(series, index - 1, index, size, RECOVERY)
    return kept or on_relaxation(series, index - 1, index, size)


def on_relaxation(series: np.ndarray, first: int, last: int, size: float) -> bool:
    """Whether a change between two positions is a lasting one on a relaxation, whose course on either side is neither
    level nor straight.

    Over `PAST` points before and `RECOVERY` and a third after, a relaxation with a lasting change explains the series
    better than one with a spike that decays or with a bend, and far better than a straight line with that change. Its
    size is about the one given, and what is left holds no other change like it, as a sawtooth does.
    """
    low, high = max(first + 1 - PAST, 0), min(last + RECOVERY + RECOVERY // 3, series.size)
    before, after = first + 1 - low, high - last
    if before < FEWEST_AROUND or after < RECOVERY // 2:
        return False
    y = np.concatenate([series[low : first + 1], series[last:high]])
    drifts, beside, squares = _drifts_and_changes(before, last - low, after)
    rest = y - np.einsum("dij,dj->di", drifts, y @ drifts)
    part = np.einsum("di,dij->dj", rest, beside)
    left = np.maximum(np.square(rest).sum(axis=1)[:, None] - part**2 / squares, ROUNDING**2 * float(y @ y) + 1e-300)
    best = int(left[:, 0].argmin())
    step = float(part[best, 0] / squares[best, 0])
    if not (
        LIKE[0] < step / size < LIKE[1]
        and left[:, 1:].min() > BETTER * left[best, 0]
        and left[0, 0] > CURVED * left[best, 0]
    ):
        return False
    rest = rest[best] - step * beside[best, :, 0]
    gap = last - first
    if float(rest[1:] @ rest[:-1]) > UNALIKE * float(rest @ rest):
        return False
    others = np.concatenate([part[gap:] - part[:-gap] for part in (rest[:before], rest[before:]) if part.size > gap])
    return float((others * math.copysign(1, size)).max()) < ALONE * abs(step)


@functools.lru_cache(maxsize=32)
def _drifts_and_changes(before: int, last: int, after: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For points before a change and, from `last` on, after it: orthonormal bases of a line and relaxations (drifts,
    points, 2); what a lasting change, spikes that decay and a bend add to each (drifts, points, changes); the squares
    of that."""
    place = np.concatenate([np.arange(before), np.arange(last, last + after)])
    away = np.maximum(place - last, 0.0)
    later = (np.arange(place.size) >= before).astype(float)
    changes = np.stack([later, *(later * np.exp(-away / tau) for tau in SPIKES), away], axis=1)
    courses = np.stack([place, *np.exp(-place / COURSES[:, None])])
    drifts = np.linalg.qr(np.stack([np.ones(courses.shape), courses], axis=2))[0]
    beside = changes - drifts @ (drifts.transpose(0, 2, 1) @ changes)
    return drifts, beside, np.square(beside).sum(axis=1)


def stays(series: np.ndarray, first: int, last: int, size: float, reach: int) -> bool:
    """Whether the levels over `reach` points before `first` and after `last` differ by half of `size` or more, by
    themselves or beside the drift that both sides share."""
    sign, last = math.copysign(1, size), min(last, series.size - 1)
    before, after = series[max(first - reach, 0) : first + 1], series[last : last + reach]
    change = (median(after) - median(before)) * sign
    if change >= 0.5 * abs(size):
        return True
    slopes = (
        steady(slope(before), slope(series[max(first - 3 * reach, 0) : first + 1])),
        steady(slope(after), slope(series[last : last + 3 * reach])),
    )
    if abs(slopes[0] - slopes[1]) * reach < 0.5 * abs(size):
        drift = 0.5 * sum(slopes) * (last - first + 0.5 * (before.size + after.size))
        change = max(change, change - drift * sign)
    return change >= 0.5 * abs(size)


def steady(near: float, far: float) -> float:
    """The smaller of two slopes; 0 where they differ in sign, as those of a wave do."""
    return 0.0 if near * far <= 0 else min(near, far, key=abs)


def slope(y: np.ndarray) -> float:
    """Slope of the straight line through y (n,) by least squares; 0 for fewer than two values."""
    if y.size < 2:
        return 0.0
    place = np.arange(y.size) - (y.size - 1) / 2
    return float(place @ y / (place @ place))


def recovers(series: np.ndarray, index: int, size: float, onset: int | None = None) -> bool:
    """Whether the change at `index` decays back towards the level before within `RECOVERY` points.

    Measured from the straight line before it, from the level just before it, or from that of a longer past, a lasting
    change keeps its size; a decaying spike loses most of it, first quickly and then slowly. It is followed up to the
    next change of its size; where fewer than 12 points are left, a steady loss at the rate of such a spike is enough.
    The change is looked for within two points of `index`. What comes before it ends at the onset of a change that takes
    several points, whose first half is no trend that the second could fall short of.
    """
    sign = 1.0 if size > 0 else -1.0
    nearby = np.diff(series[max(index - 3, 0) : index + 3])
    index = max(index - 3, 0) + 1 + int((sign * nearby).argmax())
    after = series[index : index + RECOVERY + RECOVERY // 3]
    start = index if onset is None else min(index, onset)
    past = series[max(start - PAST, 0) : start]
    before = past[-RECOVERY:]
    if before.size < 3 or after.size < 4 or size == 0:
        return False
    again = np.flatnonzero(np.abs(np.diff(after))[3:] > 0.8 * abs(size))
    after = after[: again[0] + 4] if again.size else after
    if any(_decays(sign * (after - median(level)), convex=2.5) for level in (before[-8:], past)):
        return True
    before = _since_step(before)
    if before.size < 8 or after.size < 12:
        return False
    trend, place = slope(before), np.arange(before.size) - (before.size - 1) / 2
    level = median(before - trend * place) + trend * (place[-1] + 1 + index - start + np.arange(after.size))
    return _decays(sign * (after - level), convex=0.0)


def _since_step(y: np.ndarray, least: int = 3, left: float = 0.3) -> np.ndarray:
    """The values of y (n,) since a step in it, if one leaves less than `left` of the squares that a line leaves: the
    line through a step says nothing of what follows."""
    n = y.size
    if n < 2 * least + 2:
        return y
    away = y - y.mean()
    place = np.arange(n) - (n - 1) / 2
    line = away @ away - (place @ away) ** 2 / (place @ place)
    at = np.arange(least, n - least + 1)
    explained = np.cumsum(away)[at - 1] ** 2 * (1 / at + 1 / (n - at))
    best = int(explained.argmax())
    return y[at[best] :] if away @ away - explained[best] < left * line else y


def _decays(away: np.ndarray, convex: float) -> bool:
    """Whether distances from a level, (n,), fall by more than `RECOVERED`; the fall to their middle part must be
    `convex` times the fall from there to their last part, or more."""
    if away.size < 12:
        return _falls(away)
    part = away.size // 4
    nearby = away[: part + 2].tolist()
    starts = [sorted(nearby[at : at + 3])[1] for at in range(part)]
    peak = starts.index(max(starts))
    if peak and starts[peak] - starts[0] > RISEN * median(np.abs(away[1:] - away[:-1])) / _MEDIAN_OF_DIFFERENCES:
        away = away[peak:]
    part = away.size // 4
    first, middle, last = (median(away[low:high]) for low, high in ((0, 3), (part, 2 * part), (2 * part, away.size)))
    fallen = first > 0 and last < (1 - RECOVERED) * first and middle < 0.75 * first
    if away.size < RECOVERY:
        return (fallen and first - middle >= min(convex, 0.7) * (middle - last)) or _falls(away)
    return fallen and first - middle >= convex * (middle - last)


def _falls(away: np.ndarray, rate: float = 0.05, sure: float = 4.0) -> bool:
    """Whether a few distances from a level, (n,), fall by `rate` of the first a point, and surely so."""
    place = np.arange(away.size) - (away.size - 1) / 2
    fall = -slope(away)
    left = away - away.mean() + fall * place
    error = math.sqrt(float(left @ left) / max(away.size - 2, 1) / float(place @ place))
    first = median(away[: min(3, away.size // 2)])
    return first > 0 and fall > rate * first and fall > sure * error
