"""The default detector: a step test at several scales, each normalised by its own neighbourhood.

At every split t of a series and for half-widths w of 1, 2, 4, 7 and 12 points, D is the mean of the w points from t
on minus the mean of the w before. Two estimates of what D would be without a step there are taken from the
differences centred 2w to the left and to the right, which a step at t does not touch: their mean, and the smaller
of the two (0 if their signs differ). The contrast is D minus whichever leaves less; it is 0 where they disagree
about the sign. So straight and curved drift cancel. It is divided by the median magnitude of the linear contrast
D - (left + right) / 2 over about 80 splits around, beyond the reach of a step at t (of both sides, and no less
than `SIDE` times that of either side), so colour and slowly or suddenly changing variance cancel too.

The threshold rises for heavy tails: if, among the one-point contrasts of the whole series, the ratio of the 98%
quantile to the median exceeds that of Gaussian noise, scores are divided by the square of the excess. It also rises
with the number of points, by 4.5% for each doubling beyond 400. A candidate must also persist (the four points after
lie wholly beyond the four before), must be abrupt (most of the change across eight points takes place across two and
four), without noise must be steeper than what surrounds it, must be a break (a change of level fits the 20 points on
either side, or the 10, better than a bend does), must near an end of the series exceed the changes between it and the
end, and in data of a coarse resolution (whole numbers, half precision) must exceed 2.5 units of it, so that a metric of
whole numbers jumps by three or more. Candidates within
8 points are one event, the strongest. At the splits nearest to an end, all points up to it are one side: see
`_at_start`.

Arrays are (series, n) throughout: many series of one length at a time.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

WIDTHS = (1, 2, 4, 7, 12)
THRESHOLD = 5.5
LEAST = 2.5
"""Lowest score of surrogates that is worked out."""

HALF = 40
SIDE = 0.7
BLOCK = 8
_MOST_GATHERED = 1_000_000
"""Values of neighbourhoods that are held at a time."""

_MOST_VALUES = 60_000
"""Values that are searched at a time, in series of one length."""

EDGES = (3, 4, 5, 6, 7, 8)
"""Splits, from either end, at which all points up to the end are one side."""

EDGE_WIDTH = 4
CALM = 0.55
SUDDEN = 0.65
"""Shares of a contrast at these splits by which the points up to the end differ, at most, and by which the two points
beside the split do, at least."""

PERSISTENCE = 4
MERGE = 8
UNITS = 2.5
RESTS = (16, 1 / 8)
"""Measurements for which a series of 0 and 1, as an accuracy or whether something is there, rests on both sides of a
change if that is a step and no count that goes up or down by one; and if it changes several times, the share of it."""

EDGE = 8
EARLY = 100
"""Points from the start, and at most a quarter of the series, within which it is asked whether it is rougher there."""

ROUGH = 12
EVEN = 2.0
UNEVEN = 3.0
"""Times rougher from which scores are divided by them, and the same from the roughness just after a change."""

STEEPER = 1.3
"""Times steeper than its surroundings that a jump without noise is."""

CLEAN = 0.15
"""Typical second difference, as a share of the rate at a jump, up to which a series has next to no noise."""

BREAKS = ((20, 8.0), (10, 20.0))
RAMPS = (2, 4, 6, 8)
HALF_BITS = (8, 11)
"""Bits of the mantissa of bfloat16 and float16."""

ROUNDING = 64 * np.finfo(np.float64).eps
LARGEST = 1e6

_OF_A_UNIT = 0.3
"""Share of the resolution of a series that no scale of its contrasts is below."""

# Standard deviation of the contrast relative to that of the linear contrast, in white noise, times 1.4826.
_SCALE = 0.86 * 1.4826
# 98% quantile over median of |Gaussian|.
_GAUSSIAN_TAIL = 3.449


def contrasts(x: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Contrast, linear contrast and D minus the smaller neighbour, each (series, n + 1), 0 where not defined.

    Column t belongs to the split before point t; defined for 3 width <= t <= n - 3 width.
    """
    rows, n = x.shape
    out = np.zeros((rows, n + 1)), np.zeros((rows, n + 1)), np.zeros((rows, n + 1))
    if n < 6 * width:
        return out
    sums = _window_sums(x, width)
    difference = sums[:, width:] - sums[:, :-width]
    difference /= width
    middle = difference[:, 2 * width : difference.shape[1] - 2 * width]
    left = difference[:, : middle.shape[1]]
    right = difference[:, 4 * width :]
    contrast, linear, shrunk = (each[:, 3 * width : n - 3 * width + 1] for each in out)
    np.add(left, right, out=linear)
    linear *= 0.5
    np.subtract(middle, linear, out=linear)
    np.subtract(middle, _smaller(left, right), out=shrunk)
    contrast[:] = _smaller(linear, shrunk)
    if 3 * width < PERSISTENCE:
        out[0][:, 3 * width : PERSISTENCE] = out[0][:, n - PERSISTENCE + 1 : n - 3 * width + 1] = 0.0
    if width == EDGE_WIDTH:
        out[0][:, list(EDGES)] = _at_start(x)
        out[0][:, [n - at for at in EDGES]] = -_at_start(x[:, ::-1])
    return out


def _at_start(x: np.ndarray) -> np.ndarray:
    """Contrast of the splits `EDGES`, (series, splits): the mean of `EDGE_WIDTH` points from there on minus that of all
    before, or that less the drift of the points after, whichever is nearer to zero; 0 where the points before differ
    by more than `CALM` of it, or less than `SUDDEN` of it takes place at once."""
    out = np.empty((len(x), len(EDGES)))
    for k, at in enumerate(EDGES):
        before, after, later = x[:, :at], x[:, at : at + EDGE_WIDTH], x[:, at + EDGE_WIDTH : at + 2 * EDGE_WIDTH]
        level = after.mean(axis=1)
        change = level - before.mean(axis=1)
        drift = (later.mean(axis=1) - level) * (0.5 + 0.5 * at / EDGE_WIDTH)
        contrast = _smaller(change, change - drift)
        abrupt = (x[:, at] - x[:, at - 1]) * np.sign(contrast) >= SUDDEN * np.abs(contrast)
        out[:, k] = np.where(abrupt & (np.ptp(before, axis=1) <= CALM * np.abs(contrast)), contrast, 0.0)
    return out


def _smaller(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The one that is nearer to zero, 0 where they differ in sign."""
    above, below = np.minimum(a, b), np.maximum(a, b)
    np.maximum(above, 0.0, out=above)
    np.minimum(below, 0.0, out=below)
    above += below
    return above


def _window_sums(x: np.ndarray, width: int) -> np.ndarray:
    """Sums of `width` consecutive points, (series, n - width + 1), by doubling."""
    total, done, power, span = np.zeros((len(x), x.shape[1] + 1)), 0, x, 1
    while True:
        if width & span:
            length = x.shape[1] - done - span + 1
            total = total[:, :length] + power[:, done : done + length]
            done += span
        if done == width:
            return total
        power = power[:, :-span] + power[:, span:]
        span *= 2


@functools.lru_cache(maxsize=64)
def neighbourhoods(n: int, width: int) -> np.ndarray:
    """For each block of 8 splits: start and end of the splits to its left and right that give its scale, (blocks, 4).

    A block without enough of them has all zeros.
    """
    starts = np.arange(0, n + 1, BLOCK)
    ends = starts + BLOCK
    low, high, reach = 3 * width, n - 3 * width + 1, 3 * width - 1
    left_end = np.maximum(starts - reach, low)
    left = np.maximum(left_end - HALF, low)
    right = np.minimum(ends + reach, high)
    right_end = np.minimum(right + HALF, high)
    n_left, n_right = left_end - left, right_end - right
    right_end = np.where(n_left < HALF, np.minimum(right + 2 * HALF - n_left, high), right_end)
    left = np.where(n_right < HALF, np.maximum(left_end - 2 * HALF + n_right, low), left)
    bounds = np.stack([left, left_end, right, right_end], axis=1)
    bounds[:, 1] = np.maximum(bounds[:, 0], bounds[:, 1])
    bounds[:, 3] = np.maximum(bounds[:, 2], bounds[:, 3])
    edge = low - EDGES[0] if width == EDGE_WIDTH else 0
    usable = (ends > low - edge) & (starts < high + edge)
    usable &= bounds[:, 1] - bounds[:, 0] + bounds[:, 3] - bounds[:, 2] >= 16
    bounds = np.where(usable[:, None], bounds, 0).astype(np.int64)
    bounds.flags.writeable = False
    return bounds


def _members(bounds: np.ndarray, nothing: int) -> np.ndarray:
    """The splits of each neighbourhood (blocks, 4), from the first on, and `nothing` where there are fewer than
    `2 * HALF`: (blocks, 2 * HALF)."""
    place = np.arange(2 * HALF)
    left = (bounds[:, 1] - bounds[:, 0])[:, None]
    found = np.where(place < left, bounds[:, :1] + place, bounds[:, 2:3] + place - left)
    return np.where(place < left + (bounds[:, 3] - bounds[:, 2])[:, None], found, nothing)


@functools.lru_cache(maxsize=64)
def _parts_of_series(n: int, width: int) -> tuple[slice, np.ndarray, np.ndarray]:
    """The blocks in a row whose neighbourhoods have `HALF` splits on both sides; the other blocks, and their splits
    (blocks, 2 * HALF)."""
    bounds = neighbourhoods(n, width)
    even = np.flatnonzero((bounds[:, 1] - bounds[:, 0] == HALF) & (bounds[:, 3] - bounds[:, 2] == HALF))
    inside = slice(int(even[0]), int(even[-1]) + 1) if even.size else slice(0, 0)
    others = np.concatenate([np.arange(inside.start), np.arange(inside.stop, len(bounds))])
    others = others[bounds[others].any(axis=1)]
    return inside, others, _members(bounds[others], n + 1)


def _may_be_below(magnitude: np.ndarray, width: int, level: np.ndarray) -> np.ndarray:
    """Whether the median of `magnitude` (series, n + 2), whose last column is -1, over each block's neighbourhood may
    be `level` (series, blocks) or less: (series, blocks); False for a block without a neighbourhood."""
    n = magnitude.shape[1] - 2
    bounds = neighbourhoods(n, width)
    inside, others, members = _parts_of_series(n, width)
    out = np.zeros(level.shape, bool)
    most = max(_MOST_GATHERED // (2 * HALF * len(magnitude)), 1)
    windows = np.lib.stride_tricks.sliding_window_view(magnitude, HALF, axis=1)
    for first in range(inside.start, inside.stop, most):
        part = slice(first, min(first + most, inside.stop))
        sides = (windows[:, bounds[first, side] :: BLOCK][:, : part.stop - first] for side in (0, 2))
        out[:, part] = sum(np.count_nonzero(side > level[:, part, None], axis=2) for side in sides) <= HALF
    count = bounds[others, 1] - bounds[others, 0] + bounds[others, 3] - bounds[others, 2]
    out[:, others] = np.count_nonzero(magnitude[:, members] > level[:, others, None], axis=2) <= count // 2
    return out


def medians(magnitude: np.ndarray, bounds: np.ndarray, side: float, rows: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Median of a row of `magnitude` (series, n + 1) over a block's neighbourhood (4,), and no less than `side` times
    that of either side of 20 or more: one for each of `rows` and `blocks`, which have neighbourhoods. The upper of two
    middle values counts."""
    out = np.empty(rows.size)
    bounds = bounds[blocks]
    counts = np.stack([bounds[:, 1] - bounds[:, 0], bounds[:, 3] - bounds[:, 2]], axis=1)
    code = 4 * HALF * counts[:, 0] + counts[:, 1]
    for n_left, n_right in (divmod(each, 4 * HALF) for each in np.unique(code).tolist()):
        alike = np.flatnonzero(code == 4 * HALF * n_left + n_right)
        for chosen in np.split(alike, range(_MOST_GATHERED // (2 * HALF), alike.size, _MOST_GATHERED // (2 * HALF))):
            row = rows[chosen][:, None]
            left = magnitude[row, bounds[chosen, 0][:, None] + np.arange(n_left)]
            right = magnitude[row, bounds[chosen, 2][:, None] + np.arange(n_right)]
            scale = _upper_median(np.concatenate([left, right], axis=1))
            for part in (left, right):
                if part.shape[1] >= 20:
                    scale = np.maximum(scale, side * _upper_median(part))
            out[chosen] = scale
    return out


def _upper_median(values: np.ndarray) -> np.ndarray:
    middle = values.shape[-1] // 2
    values.partition(middle, axis=-1)
    return values[..., middle].copy()


def resolution(x: np.ndarray) -> np.ndarray | None:
    """Local unit (n,) of a series (n,) that holds many repeated values or is stored in half precision, 0 where it does
    not; None if it has none.

    Half precision (8 or 11 bits of mantissa) has that of its last bit. Whole numbers have the largest unit that divides
    all their distances, or 1 if they change at most four times, but for 0 and 1 that rest. Others have the smallest
    distance of values nearby, and none at all if they change at most four times.
    """
    n = x.size
    if n < 2:
        return None
    ordered = np.sort(x)
    gaps = np.diff(ordered)
    gaps = gaps[gaps > 0]
    if gaps.size + 1 > 0.8 * n or not gaps.size:
        return _last_bit(x)
    changes = np.flatnonzero(x[1:] != x[:-1]) + 1
    rarely = changes.size <= 4
    if rarely and ordered[0] == 0 and ordered[-1] == 1 and gaps.size == 1:
        rests = int(np.diff(changes, prepend=0, append=n).min())
        return None if rests >= max(RESTS[0], RESTS[1] * n * (changes.size > 1)) else np.ones(n)
    if abs(ordered[0]) < 2**52 and abs(ordered[-1]) < 2**52 and np.array_equal(x, np.rint(x)):
        return np.full(n, 1.0 if rarely else float(np.gcd.reduce(gaps.astype(np.int64))))
    if rarely:
        return None
    least = 1e-9 * max(abs(ordered[0]), abs(ordered[-1]))
    padded = np.full(-(-n // 32) * 32 + 80, np.nan)
    padded[40 : 40 + n] = x
    around = np.sort(np.lib.stride_tricks.sliding_window_view(padded, 112)[::32], axis=1)
    near = np.diff(around, axis=1)
    near[~(near > least)] = np.inf
    few = np.isfinite(near).sum(axis=1) + 1 < 0.8 * np.isfinite(around).sum(axis=1)
    unit = np.repeat(np.where(few & np.isfinite(near).any(axis=1), near.min(axis=1), 0.0), 32)[:n]
    bits = _last_bit(x)
    if bits is not None:
        unit = np.maximum(unit, bits)
    if not unit.any():
        return None
    smallest = unit[unit > 0].min()
    if (np.abs(gaps / smallest - np.rint(gaps / smallest)) <= 0.05).all():
        unit = np.maximum(unit, smallest)
    return unit


def unit_note(x: np.ndarray, units: float) -> str | None:
    """Why no change is found in a series (n,) of whole numbers that moves by no more than so many of its units from one
    value to the next; None for others."""
    moves = float(np.abs(np.diff(x)).max(initial=0.0))
    if not moves or not np.array_equal(x, np.rint(x)) or (unit := resolution(x)) is None or moves > units * unit.max():
        return None
    return (
        f"it holds whole numbers that change by {'up to ' if moves > unit.max() else ''}{moves:g} at a time: a slow "
        "drift, rounded, looks the same, so that such a step is not told from it"
    )


def _last_bit(x: np.ndarray) -> np.ndarray | None:
    """The last bit (n,) of numbers (n,) in half precision, bfloat16 or float16; None for others and whole numbers."""
    for few in (x[:8], x):
        mantissa, exponent = np.frexp(few)
        bits = next((bits for bits in HALF_BITS if not np.any(np.ldexp(mantissa, bits) % 1)), None)
        if bits is None:
            return None
    if not np.any(x % 1):
        return None
    return np.where(x == 0, 0.0, np.ldexp(1.0, exponent - bits))


@functools.lru_cache(maxsize=64)
def _neighbourhoods(n: int) -> tuple[np.ndarray, np.ndarray]:
    """`neighbourhoods` of every width, (widths, blocks, 4), and what a median over each is multiplied by, (widths,
    blocks)."""
    bounds = np.stack([neighbourhoods(n, width) for width in WIDTHS])
    count = bounds[:, :, 1] - bounds[:, :, 0] + bounds[:, :, 3] - bounds[:, :, 2]
    penalty = _SCALE * (1 + np.array(WIDTHS)[:, None] / np.maximum(count, 1))
    penalty.flags.writeable = bounds.flags.writeable = False
    return bounds, penalty


def scores(x: np.ndarray, least: float | np.ndarray, unit: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Signed score and contrast, in the series' units, of the strongest scale at every split: two (series, n + 1).

    least: scores below it, of all series or of each, are not needed, and may be given as 0.
    unit: resolution at each point, (series, n), or None. Scores already hold the correction for heavy tails.

    Most scales are only compared with what they would have to be below: that takes no median.
    """
    rows, n = x.shape
    best, size = np.zeros((rows, n + 1)), np.zeros((rows, n + 1))
    asked = 1.000001 / (np.broadcast_to(least, rows) * _length_factor(n))[:, None]
    widths = []
    some = np.zeros(rows, bool)
    for width, bounds, penalty in zip(WIDTHS, *_neighbourhoods(n)):
        if bounds.any():
            contrast, linear, shrunk = contrasts(x, width)
            magnitude = np.abs(linear, out=linear)
            possible = _may_be_below(_with_nothing(magnitude), width, _highest_of_blocks(contrast) * asked / penalty)
            some |= possible.any(axis=1)
            widths.append((bounds, penalty, contrast, magnitude, shrunk if width == 1 else None, possible))
    chosen = np.flatnonzero(some)
    if not chosen.size:
        return best, size
    excess = np.ones(chosen.size)
    for bounds, penalty, contrast, magnitude, away, possible in widths:
        contrast, needed = contrast[chosen], possible[chosen]
        if away is not None:
            needed = np.broadcast_to(bounds.any(axis=1), needed.shape)
        row, block = np.nonzero(needed)
        scale = np.full(needed.shape, np.nan)
        scale[row, block] = medians(magnitude, bounds, SIDE, chosen[row], block) * penalty[block]
        if unit is not None:
            scale = np.maximum(scale, _OF_A_UNIT * unit[chosen][:, np.minimum(np.arange(len(bounds)) * BLOCK, n - 1)])
        scale = np.repeat(scale, BLOCK, axis=1)[:, : n + 1]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            z = contrast / scale
            if away is not None:
                excess = _tail_excess(np.abs(away[chosen, 3 : n - 2] / scale[:, 3 : n - 2]), n)
        z[np.isnan(z)] = 0.0
        np.clip(z, -LARGEST, LARGEST, out=z)
        stronger = np.abs(z) > np.abs(best[chosen])
        best[chosen] = np.where(stronger, z, best[chosen])
        size[chosen] = np.where(stronger, contrast, size[chosen])
    best[chosen] /= _length_factor(n) * excess[:, None]
    return best, size


def _with_nothing(magnitude: np.ndarray) -> np.ndarray:
    """With a last column of -1."""
    out = np.full((len(magnitude), magnitude.shape[1] + 1), -1.0)
    out[:, :-1] = magnitude
    return out


def _highest_of_blocks(contrast: np.ndarray) -> np.ndarray:
    """Largest magnitude in each block of splits, (series, blocks)."""
    padded = np.zeros((len(contrast), -(-contrast.shape[1] // BLOCK) * BLOCK))
    np.abs(contrast, out=padded[:, : contrast.shape[1]])
    return padded.reshape(len(padded), -1, BLOCK).max(axis=2)


def _length_factor(n: int) -> float:
    """What scores are divided by for the number of places tried: 1 up to 400 points, 4.5% more for each doubling."""
    return 1 + 0.045 * min(max(float(np.log2(n / 400)), 0.0), 4.0)


def _ranks(count: int) -> tuple[int, int]:
    """Of so many ordered contrasts, the places of the median and of the 98% quantile."""
    return int(0.5 * (count - 1)), int(0.98 * (count - 1))


def _expected_tail(n: int) -> float:
    """The most that the one is of the other in Gaussian noise."""
    return _GAUSSIAN_TAIL * (1.1 + 1.6 / math.sqrt(n))


def _tail_excess(magnitude: np.ndarray, n: int) -> np.ndarray:
    """Divisor of the scores, 1 or more, for each row of one-point contrasts in units of their scale."""
    magnitude = np.where(np.isfinite(magnitude), magnitude, 0.0)
    half, high = _ranks(magnitude.shape[1])
    ordered = np.partition(magnitude, (half, high), axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = ordered[:, high] / ordered[:, half] / _expected_tail(n)
    return np.where(np.isfinite(ratio), np.maximum(ratio, 1.0), 1.0) ** 2


def candidates(
    x: np.ndarray, threshold: float | np.ndarray, largest: np.ndarray, unit: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Row, split, signed score and contrast of every split that scores `threshold` and passes all checks.

    threshold: of all series, or of each. largest: largest magnitude of each series before it was centred, (series,):
    what the rounding of the values and of their sums can make of it is no change.
    """
    n = x.shape[1]
    threshold = np.broadcast_to(threshold, len(x))
    score, size = scores(x, threshold, unit)
    score[:, : EDGES[0]] = 0.0
    score[:, n - EDGES[0] + 1 :] = 0.0
    rows, at = np.nonzero(np.abs(score) >= threshold[:, None])
    if not rows.size:
        return rows, at, np.zeros(0), np.zeros(0)
    kept = np.abs(size[rows, at]) > ROUNDING * largest[rows]
    if unit is not None:
        kept &= np.abs(size[rows, at]) > UNITS * unit[rows, at]
    sign = np.sign(score[rows, at])
    for one_way in (_persists, _is_abrupt):
        kept[kept] = one_way(x, rows[kept], at[kept], sign[kept])
    kept[kept] = _is_steeper(x, rows[kept], at[kept], sign[kept])
    for either_way in (_is_break, _exceeds_the_edge):
        kept[kept] = either_way(x, rows[kept], at[kept])
    rows, at = rows[kept], at[kept]
    found = score[rows, at] / _rougher(x, rows, at)
    strong = np.abs(found) >= threshold[rows]
    rows, at = rows[strong], at[strong]
    return rows, at, found[strong], size[rows, at]


def _rougher(x: np.ndarray, rows: np.ndarray, at: np.ndarray) -> np.ndarray:
    """How many times rougher a series is before an early change, or just after one of the first values, than well after
    it, 1 or more: there the wider scales have no neighbourhood, and a running mean or another series whose steps shrink
    from the start on would be judged by what they shrink to."""
    times, n = np.ones(rows.size), x.shape[1]
    early = np.flatnonzero((at < min(EARLY, n // 4)) & (at + 2 * ROUGH + HALF <= n))
    if early.size:
        place = at[early]
        first = place <= ROUGH
        near = np.where(first, place + PERSISTENCE, np.maximum(place - 2 * ROUGH, 0))
        far = place + np.where(first, PERSISTENCE + ROUGH, ROUGH)
        before = _rough(x, rows[early], near, np.where(first, far, place - 1))
        after = _rough(x, rows[early], far, np.minimum(far + 2 * HALF, n))
        rougher = (after > 0) & (before >= np.where(first, UNEVEN, EVEN) * after)
        times[early[rougher]] = before[rougher] / after[rougher]
    return times


def _rough(x: np.ndarray, rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Median magnitude of the second differences of each row from a position to before another, of three or more."""
    out = np.empty(rows.size)
    for length in np.unique(last - first):
        here = np.flatnonzero(last - first == length)
        for part in np.split(here, range(4096, here.size, 4096)):
            values = x[rows[part][:, None], first[part][:, None] + np.arange(length)]
            half = int(length - 2) // 2
            ordered = np.partition(np.abs(np.diff(values, 2, axis=1)), (half - 1 + length % 2, half), axis=1)
            out[part] = 0.5 * (ordered[:, half - 1 + length % 2] + ordered[:, half])
    return out


def _persists(x: np.ndarray, rows: np.ndarray, at: np.ndarray, sign: np.ndarray) -> np.ndarray:
    ahead = np.arange(PERSISTENCE)
    after = sign[:, None] * x[rows[:, None], np.minimum(at[:, None] + ahead, x.shape[1] - 1)]
    before = sign[:, None] * x[rows[:, None], np.maximum(at[:, None] - 1 - ahead, 0)]
    return after.min(axis=1) > before.max(axis=1)


def _is_abrupt(x: np.ndarray, rows: np.ndarray, at: np.ndarray, sign: np.ndarray) -> np.ndarray:
    """Whether 40% of the change over eight points is found over two, and 60% over four, within a point of the place."""
    n = x.shape[1]
    abrupt = np.ones(rows.size, dtype=bool)
    judged = (at >= 8) & (at <= n - 8)
    if judged.any():
        row, place, s = rows[judged], at[judged], sign[judged]
        whole = _difference(x, row, place, 8) * s
        for width, share in ((2, 0.4), (4, 0.6)):
            nearest = [s * _difference(x, row, np.clip(place + shift, width, n - width), width) for shift in (-1, 0, 1)]
            abrupt[judged] &= np.max(nearest, axis=0) >= share * whole
    return abrupt


def _is_break(x: np.ndarray, rows: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Whether a change of level fits the points around better than a bend does, both with slopes of their own on
    either side: for a reach in `BREAKS`, the bend, wherever it is best, leaves more by so many times the variance that
    the change leaves. True nearer than 8 points to an end."""
    n = x.shape[1]
    broken = np.minimum(at, n - at) < 8
    for reach, least in BREAKS:
        sides = np.stack([np.minimum(at, reach), np.minimum(n - at, reach)], axis=1)
        for before, after in np.unique(sides[~broken], axis=0).tolist():
            here = np.flatnonzero(~broken & (sides == (before, after)).all(axis=1))
            for part in np.split(here, range(4096, here.size, 4096)):
                y = x[rows[part][:, None], at[part][:, None] + np.arange(-before, after)]
                y = y - y.mean(axis=1, keepdims=True)
                total = (y * y).sum(axis=1)
                level, bend = (total - _most_explained(y, bases) for bases in _level_and_bend(before, after))
                variance = np.maximum(level, 1e-12 * total) / (before + after - 4)
                broken[part] = bend - level > least * variance
    return broken


def _is_steeper(x: np.ndarray, rows: np.ndarray, at: np.ndarray, sign: np.ndarray) -> np.ndarray:
    """Whether the series rises faster across a split than on either side, where it has next to no noise: a straight
    rise that ends, as a warm-up of the learning rate does, is no jump, whatever curve comes after it."""
    n, reach = x.shape[1], 2 * PERSISTENCE
    half = np.minimum(np.minimum(at, n - at) // 2, PERSISTENCE)
    low, high = at - half, at + half - 1
    inside = sign * (x[rows, high] - x[rows, low]) / (high - low)
    sides = []
    for start, end in ((np.maximum(low - reach, 0), low), (high, np.minimum(high + reach, n - 1))):
        sides.append(
            np.where(end > start, sign * (x[rows, end] - x[rows, start]) / np.maximum(end - start, 1), -np.inf)
        )
    steep = inside > STEEPER * np.maximum(*sides)
    doubted = np.flatnonzero(~steep)
    if doubted.size:
        first, last = np.maximum(at[doubted] - HALF, 0), np.minimum(at[doubted] + HALF, n)
        steep[doubted] = _rough(x, rows[doubted], first, last) > CLEAN * inside[doubted]
    return steep


def _exceeds_the_edge(x: np.ndarray, rows: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Whether a change near an end of the series is larger than every other between it and that end, and `STEEPER`
    times as large as most of the next ones on its other side: a curve that begins steeply has no neighbourhood on one
    side to say how steep it is. True further than `EDGE` points from it."""
    n = x.shape[1]
    larger = np.minimum(at, n - at) >= EDGE
    for k in np.flatnonzero(~larger):
        here = x[rows[k]] if at[k] < EDGE else x[rows[k], ::-1]
        split = min(at[k], n - at[k])
        change = np.abs(np.diff(here[: split + 2 * EDGE]))
        own, inner = change[split - 1], np.sort(change[split + 1 :])
        larger[k] = own > change[: max(split - 2, 0)].max(initial=0.0)
        larger[k] &= not inner.size or own > STEEPER * inner[-1 - inner.size // 8]
    return larger


def _most_explained(y: np.ndarray, bases: np.ndarray) -> np.ndarray:
    """Sum of squares of each y (candidates, points) in the basis (points, columns) that holds most of it."""
    forms, points, columns = bases.shape
    parts = y @ bases.transpose(1, 0, 2).reshape(points, forms * columns)
    return (parts * parts).reshape(len(y), forms, columns).sum(axis=2).max(axis=1)


@functools.lru_cache(maxsize=512)
def _level_and_bend(before: int, after: int) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal bases of the two forms around a split: (forms, points, columns) each.

    A change of level, at once or as a ramp over up to 8 points; and a line that bends once, at any half point.
    """
    u = np.arange(-before, after) + 0.5
    line = [np.ones_like(u), u]
    levels = [[*line, np.maximum(u, 0), (u > 0).astype(float)]]
    for ramp in RAMPS:
        for centre in (-2, 0, 2):
            levels.append([*line, np.maximum(u - centre, 0), np.clip((u - centre) / ramp + 0.5, 0, 1)])
    bends = [[*line, np.maximum(u - knot, 0)] for knot in np.arange(2 - before, after - 1.5, 0.5)]
    return _bases(levels), _bases(bends)


def _bases(forms: list[list[np.ndarray]]) -> np.ndarray:
    return np.linalg.qr(np.moveaxis(np.array(forms), 1, 2))[0]


def _difference(x: np.ndarray, rows: np.ndarray, at: np.ndarray, width: int) -> np.ndarray:
    ahead = np.arange(width)
    after = x[rows[:, None], at[:, None] + ahead]
    before = x[rows[:, None], at[:, None] - 1 - ahead]
    return (after - before).mean(axis=1)


def strongest(at: np.ndarray, score: np.ndarray, size: np.ndarray) -> list[int]:
    """Positions in `at` of the strongest candidates, no two within `MERGE` points, in order of place.

    Where scores are equal, as without any noise, the larger contrast is the stronger.
    """
    chosen: list[int] = []
    for k in np.lexsort((-np.abs(size), -np.abs(score))):
        if all(abs(at[k] - at[j]) > MERGE for j in chosen):
            chosen.append(int(k))
    return sorted(chosen, key=lambda k: at[k])


def step_events(series: np.ndarray, threshold: float = THRESHOLD) -> list[list[tuple[int, float]]]:
    """Index and score of the steps of each finite series (series, n)."""
    found: list[list[tuple[int, float]]] = []
    most = max(1, _MOST_VALUES // series.shape[1])
    for first in range(0, len(series), most):
        part = series[first : first + most]
        x = part - np.median(part, axis=1, keepdims=True)
        units = _resolutions(part)
        rows, at, score, size = candidates(x, threshold, np.abs(part).max(axis=1), units)
        chosen = []
        for row in range(len(part)):
            own = np.flatnonzero(rows == row)
            chosen.append(own[strongest(at[own], score[own], size[own])])
        score = _without_others(x, chosen, at, score, size, units, threshold)
        found += [[(int(at[k]), float(score[k])) for k in own] for own in chosen]
    return found


def _without_others(
    x: np.ndarray,
    chosen: Sequence[np.ndarray],
    at: np.ndarray,
    score: np.ndarray,
    size: np.ndarray,
    unit: np.ndarray | None,
    threshold: float,
) -> np.ndarray:
    """Magnitudes of the scores (steps,) of all steps; where several were chosen in a series (series, n), what each
    scores without the others if that is more: they are no noise of its neighbourhood."""
    score, place = np.abs(score), np.arange(x.shape[1])
    crowd = [(row, k) for row, own in enumerate(chosen) if own.size > 1 for k in own]
    most = max(1, _MOST_VALUES // x.shape[1])
    for part in (crowd[first : first + most] for first in range(0, len(crowd), most)):
        rows, steps = np.array(part).T
        freed = x[rows].copy()
        for i, (row, k) in enumerate(part):
            for other in chosen[row][chosen[row] != k]:
                freed[i] -= size[other] * (place >= at[other])
        alone = scores(freed, threshold, None if unit is None else unit[rows])[0][np.arange(len(part)), at[steps]]
        score[steps] = np.maximum(score[steps], np.abs(alone))
    return score


def _resolutions(series: np.ndarray) -> np.ndarray | None:
    """`resolution` of each series (series, n), 0 where it has none; None if none has."""
    each = {row: unit for row, values in enumerate(series) if (unit := resolution(values)) is not None}
    if not each:
        return None
    units = np.zeros(series.shape)
    for row, unit in each.items():
        units[row] = unit
    return units


def highest_scores(x: np.ndarray, least: float | np.ndarray = LEAST) -> np.ndarray:
    """The highest score of any split that passes the checks, for every row of x (series, n); 0 where none has
    `least`, of all series or of each."""
    centred = x - np.median(x, axis=1, keepdims=True)
    rows, _, score, _ = candidates(centred, np.maximum(least, LEAST), np.abs(x).max(axis=1))
    out = np.zeros(x.shape[0])
    np.maximum.at(out, rows, np.abs(score))
    return out
