"""The search for peaks of the rate in series without noise.

An interior peak of the rate, which falls to half or less, of its height, on both sides. The score is
the height over what a random walk of the rate (an integrated random walk of the values) would reach over half of the
peak's width; its step is the median of the third differences of the blocks, over four widths to either side. A plain
relaxation has no interior peak.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ontogeny.jumps.shapes import LEAST_SHARE, MEDIAN_OF_SQUARES, ROUNDING, WIDEST, Candidate, block_means
from ontogeny.statistics import median

SMOOTH = 6.5

_FEWEST_BLOCKS = 24

PROMINENT = (0.1, 0.5)
"""Shares of its height by which a peak of the rate rises above the valleys on both sides: with the lesser, changes that
follow one another are told apart; with the larger, one change whose rate is uneven is one."""

NARROWEST = 5
"""Least width of a peak of the rate at half its height, in blocks."""

WIDEST_PEAK = 40
"""The same for the greatest width."""

REACH = 4.0
"""Widths of a peak of the rate, on either side, from which its noise is taken."""


def peaks_of_rates(x: np.ndarray, least: float) -> list[list[Candidate]]:
    """Interior peaks of the rate of each series (series, n) that falls to half or less on both sides."""
    found: list[list[Candidate]] = [[] for _ in x]
    largest = np.abs(x).max(axis=1)
    smallest = LEAST_SHARE * np.ptp(x, axis=1)
    units: dict[int, float] = {}
    block = 1
    while x.shape[1] // block >= _FEWEST_BLOCKS:
        y = block_means(x, block)
        rate = np.diff(y)
        rough = np.diff(rate, 2)
        lowest = _lowest_peaks(rough, largest, least)
        reached = np.stack([_sustained(rate), _sustained(-rate)], axis=1) >= lowest[:, None] / 2
        for row in np.flatnonzero(reached.any(axis=1)).tolist():
            if row not in units:
                units[row] = unit_of(x[row])
            floor = max(ROUNDING * 10 * largest[row], units[row] / math.sqrt(block), 1e-300)
            for sign in (1.0, -1.0):
                if not reached[row, int(sign < 0)]:
                    continue
                for peak in _peaks(sign * rate[row], rough[row], floor, least, float(lowest[row])):
                    size, (onset, middle, end) = _course(y[row], peak)
                    onset, middle, end = ((at + 0.5) * block - 0.5 for at in (onset, middle, end))
                    width = max(end - onset, 1.0)
                    if size >= smallest[row] and width <= WIDEST * x.shape[1]:
                        found[row].append(Candidate(middle, width, sign * size, peak.score, onset, block))
        block *= 2
    return found


def _sustained(rate: np.ndarray) -> np.ndarray:
    """The highest level that `NARROWEST` blocks in a row reach in each series (series, blocks)."""
    lowest = rate[:, : rate.shape[1] - NARROWEST + 1].copy()
    for shift in range(1, NARROWEST):
        np.minimum(lowest, rate[:, shift : shift + lowest.shape[1]], out=lowest)
    return lowest.max(axis=1)


class _Peak(NamedTuple):
    place: int
    score: float
    height: np.ndarray
    """The rate in the peak's direction, 0 where it has the other, (blocks,)."""

    low: int
    high: int
    """The valleys of the rate between this peak and the next ones, or the ends."""


def unit_of(x: np.ndarray) -> float:
    """The unit that a series (n,) is rounded to, 0 if to none."""
    from ontogeny.jumps.multiscale import resolution

    units = resolution(x)
    return 0.0 if units is None else median(units[units > 0])


def _peaks(rate: np.ndarray, rough: np.ndarray, floor: float, least: float, lowest: float) -> Iterator[_Peak]:
    """The interior peaks of a rate (blocks,), given its second differences, with a score of `least` or more, which none
    of a prominence below `lowest` has; the steps of the rate's random walk are no smaller than `floor`."""
    height = np.maximum(rate, 0)
    peaks, prominence = peaks_and_prominences(height)
    chosen: list[np.ndarray] = []
    for share in PROMINENT:
        prominent = prominence >= share * height[peaks]
        if prominent.any() and not (chosen and len(chosen[0]) == prominent.sum()):
            chosen.append(peaks[prominent])
            high = np.flatnonzero(prominence[prominent] >= lowest)
            if high.size:
                yield from _between_valleys(height, peaks[prominent], prominence[prominent], high, rough, floor, least)


def peaks_and_prominences(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the peaks of y (n,), of flat ones their middle, and how far each stands above the higher of the
    lowest values on either side, up to a higher peak or the end."""
    starts = np.flatnonzero(np.concatenate([[True], y[1:] != y[:-1]]))
    level = y[starts]
    at = np.flatnonzero((level[1:-1] > level[:-2]) & (level[1:-1] > level[2:])) + 1
    if not at.size:
        return at, np.zeros(0)
    peaks = (starts[at] + starts[at + 1] - 1) // 2
    valleys = np.minimum.reduceat(level, np.concatenate([[0], at])).tolist()
    heights = level[at].tolist()
    before, after = _lowest_before(heights, valleys), _lowest_before(heights[::-1], valleys[::-1])[::-1]
    return peaks, level[at] - np.maximum(before, after)


def _lowest_before(heights: list[float], valleys: list[float]) -> list[float]:
    """The lowest valley between each peak and the last one before it that is higher; `valleys` has that before the
    first peak and one after each."""
    lowest: list[float] = []
    higher: list[tuple[float, float]] = []
    for height, valley in zip(heights, valleys):
        while higher and higher[-1][0] <= height:
            valley = min(valley, higher.pop()[1])
        higher.append((height, valley))
        lowest.append(valley)
    return lowest


def widths_at_half(y: np.ndarray, peaks: np.ndarray) -> np.ndarray:
    """Widths of peaks (peaks,) of y (n,) at half their height, between the values around it; infinite if more than
    `WIDEST_PEAK`, or where an end of y is higher than that."""
    half, width = 0.5 * y[peaks], np.zeros(peaks.size)
    for way in (-1, 1):
        left = np.arange(peaks.size)
        inner = y[peaks]
        for away in range(1, WIDEST_PEAK + 2):
            at = peaks[left] + way * away
            inside = (at >= 0) & (at < y.size)
            width[left[~inside]] = np.inf
            left, at, inner = left[inside], at[inside], inner[inside]
            value = y[at]
            over = value <= half[left]
            done = left[over]
            width[done] += away - (half[done] - value[over]) / (inner[over] - value[over])
            left, inner = left[~over], value[~over]
            if not left.size:
                break
        width[left] = np.inf
    return width


def _between_valleys(
    height: np.ndarray,
    peaks: np.ndarray,
    prominence: np.ndarray,
    high: np.ndarray,
    rough: np.ndarray,
    floor: float,
    least: float,
) -> Iterator[_Peak]:
    """Those of `_peaks` at the positions `high` in `peaks`, each of which ends at the valleys between it and the next
    ones."""
    own = peaks[high]
    width = widths_at_half(height, own)
    for j in np.flatnonzero((width >= NARROWEST) & (width <= WIDEST_PEAK)).tolist():
        k, at, wide = int(high[j]), int(own[j]), float(width[j])
        step = math.sqrt(
            median(rough[int(max(0, at - REACH * wide - 2)) : int(min(rough.size, at + REACH * wide))] ** 2)
            / (2 * MEDIAN_OF_SQUARES)
        )
        score = float(prominence[k] / (max(step, floor) * math.sqrt(wide / 2)) / SMOOTH)
        if score >= least:
            low, last = 0, height.size - 1
            if k > 0:
                low = int(peaks[k - 1] + height[peaks[k - 1] : at + 1].argmin())
            if k + 1 < peaks.size:
                last = int(at + height[at : peaks[k + 1] + 1].argmin())
            yield _Peak(at, score, height, low, last)


def _course(y: np.ndarray, peak: _Peak, share: float = 0.1) -> tuple[float, tuple[float, float, float]]:
    """Size of the change around a peak of the rate, as far as the rate exceeds a tenth of the peak's and up to the
    valleys, and the blocks at which 10, 50 and 90% of it are reached."""
    above = peak.height >= share * peak.height[peak.place]
    before, after = np.flatnonzero(~above[: peak.place]), np.flatnonzero(~above[peak.place :])
    first = max(int(before[-1]) + 1 if before.size else 0, peak.low)
    last = min(peak.place + int(after[0]) if after.size else above.size, peak.high + 1)
    course = np.abs(y[first : last + 1] - y[first])
    size = float(course[-1])
    places = np.interp([0.1 * size, 0.5 * size, 0.9 * size], course, np.arange(first, last + 1))
    return size, (float(places[0]), float(places[1]), float(places[2]))


def _lowest_peaks(rough: np.ndarray, largest: np.ndarray, least: float, reach: int = 12) -> np.ndarray:
    """Height below which no peak of the rate of each series can score `least`, even where the series is smoothest: no
    stretch of `reach` blocks has a median of the third differences `rough` (series, blocks) smaller than there."""
    rows, count = rough.shape
    if count <= 2 * reach:
        return np.zeros(rows)
    stretches = np.abs(rough[:, : count // reach * reach]).reshape(rows, -1, reach)
    quiet = np.partition(stretches, reach // 3, axis=2)[:, :, reach // 3].min(axis=1)
    step = np.maximum(np.maximum(quiet / math.sqrt(2 * MEDIAN_OF_SQUARES), ROUNDING * 10 * largest), 1e-300)
    return least * SMOOTH * step * math.sqrt(NARROWEST / 2)
