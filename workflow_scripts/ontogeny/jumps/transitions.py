"""Transitions: changes that take a while. Widths from one measurement to a third of the record.

Two searches, for two kinds of series, each over dyadic scales (block means of 1, 2, 4, ... points).

*In noise*: windows of 64 blocks, half overlapping eightfold. In each, a line with a ramp or a logistic step of any
width and place is fitted, and against it what a series without a transition may do: a cubic, a line that bends once,
a line with an exponential relaxation towards either end. The score is the log likelihood ratio against the best of
these, with as many independent residuals as their autocorrelation leaves (n (1 - r) / (1 + r), r the larger of the
window's own and the median over the windows of that scale; Bartlett 1946). A random walk explains itself by its few
independent residuals, a relaxation by its own form, drift by the line.

*Without noise*: an interior peak of the rate, which falls to half or less, of its height, on both sides. The score is
the height over what a random walk of the rate (an integrated random walk of the values) would reach over half of the
peak's width; its step is the median of the third differences of the blocks, over four widths to either side. A plain
relaxation has no interior peak.

Scores are divided by the threshold of their scale, which was set on the nulls of the battery
(`ontogeny.jumps.series`); `p_value` turns the scores of either search into probabilities under the worst of them.
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass
from importlib import resources
from typing import NamedTuple

import numpy as np

BLOCKS = 64
HOP = 8
WIDTHS = (4, 5, 6, 8, 10, 12, 16, 21)
LOGISTIC = 2 * math.log(9.0)
"""The 10 to 90% width of a logistic function, in units of its scale."""

RAMP_SHARE = 0.8
"""The 10 to 90% width of a ramp, as a share of its whole width."""

NOISY = 5.3
PER_WINDOW = 0.8
FINEST = 1.0
SMOOTH = 6.5
SHORTEST = BLOCKS
"""Measurements of the shortest series that is judged."""

_FEWEST_BLOCKS = 24
_MEDIAN_OF_SQUARES = 0.4549
"""Median of the square of a standard normal variable."""

REACH = 4.0
"""Widths of a peak of the rate, on either side, from which its noise is taken."""
LEAST_SHARE = 0.01
"""Least change, as a share of the range of the series, that can be a transition."""

WIDEST = 0.4
"""Share of the record that a transition may take from 10 to 90%."""

MISFIT = 0.03
"""Share of its width by which a change of another form than the fitted ones is misplaced."""

WIDTH_MISFIT = 0.15
"""Share of its width by which the width of such a change is off."""

UNITS = 1.5
ROUNDING = 1e-13
SCREEN = 0.5
"""Share of the threshold that a few steps have to gain over the line before a window is fitted in full."""

CANDIDATE = 0.6
"""Share of the threshold from which candidates are kept for the null's table."""

ALARMS_PER_1000 = 0.15
"""False alarms that events allow for, by the table of the nulls."""

TABLE = "transitions.json"


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


@dataclass(frozen=True)
class _Candidate:
    middle: float
    width: float
    size: float
    score: float
    onset: float | None = None
    """Given where the shape itself says it: of peaks of the rate."""


@functools.cache
def _nulls() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Orthonormal cubic (64, 4) and line (64, 2), and what bends and relaxations add to the line (64, shapes)."""
    m = BLOCKS
    u = np.arange(m) - (m - 1) / 2
    t = 2 * u / m
    cubic = np.linalg.qr(np.stack([np.ones(m), t, t**2, t**3], axis=1))[0]
    line = np.linalg.qr(np.stack([np.ones(m), t], axis=1))[0]
    shapes = [np.maximum(u - knot, 0) for knot in np.arange(2 - m / 2, m / 2 - 1.5)]
    for tau in (m / 48, m / 24, m / 12, m / 8, m / 5, m / 3):
        shapes += [np.exp((u[0] - u) / tau), np.exp((u - u[-1]) / tau)]
    return cubic, line, _beside(np.array(shapes).T, line)[0]


def _beside(shapes: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each column adds to the line, at length 1, and the length that it had."""
    rest = shapes - line @ (line.T @ shapes)
    length = np.sqrt((rest * rest).sum(axis=0))
    return rest / length, length


def _forms(away: np.ndarray, width: float | np.ndarray) -> list[np.ndarray]:
    """Steps around their middle, of one 10 to 90% width: logistic, at once and then relaxing, and its mirror image."""
    tau = width / math.log(9.0)
    after = 1 - np.exp(-np.maximum(away / tau + math.log(2.0), 0))
    before = np.exp(-np.maximum(math.log(2.0) - away / tau, 0))
    return [1 / (1 + np.exp(np.clip(-LOGISTIC * away / width, -500, 500))), after, before]


@functools.cache
def _steps() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ramps and logistic steps beside the line (64, shapes); their middle, their 10 to 90% width, their length."""
    u = np.arange(BLOCKS) + 0.5
    shapes, middles, widths = [], [], []
    for width in WIDTHS:
        margin = max(2.0, width / 2) + width / 2
        for middle in np.arange(math.ceil(margin), BLOCKS - margin + 1e-9, max(1, width // 4)):
            forms = _forms(u - middle, RAMP_SHARE * width)
            shapes += forms
            middles += [middle] * len(forms)
            widths += [RAMP_SHARE * width] * len(forms)
    beside, length = _beside(np.array(shapes).T, _nulls()[1])
    return beside, np.array(middles), np.array(widths), length


def _scales(n: int) -> list[int]:
    """Points per block, from the whole record in one window down to 1."""
    found: list[int] = []
    size = n / BLOCKS
    while n >= BLOCKS:
        block = max(round(size), 1)
        if n // block < BLOCKS:
            block = max(n // BLOCKS, 1)
        if block not in found:
            found.append(block)
        if block == 1:
            break
        size /= 2
    return found


@functools.lru_cache(maxsize=64)
def _starts(count: int) -> np.ndarray:
    """First blocks of the windows over `count` blocks; the last window ends with them."""
    starts = np.arange(0, count - BLOCKS + 1, HOP)
    return starts if starts[-1] == count - BLOCKS else np.append(starts, count - BLOCKS)


def _noisy(x: np.ndarray, unit: np.ndarray | None) -> list[_Candidate]:
    """Steps of any width in a series (n,), as likelihood ratios in windows of `BLOCKS` blocks."""
    found: list[_Candidate] = []
    for block in _scales(x.size):
        count = x.size // block
        y = x[: count * block].reshape(count, block).mean(axis=1) if block > 1 else x
        starts = _starts(count)
        threshold = NOISY + PER_WINDOW * math.log(len(starts)) + (FINEST if block == 1 else 0.0)
        first = [_screened(y, starts[i : i + 4096]) for i in range(0, len(starts), 4096)]
        gain, rho = (np.concatenate(column) for column in zip(*first))
        typical = float(np.median(rho))
        starts = starts[BLOCKS / 2 * (1 - typical) / (1 + typical) * gain >= SCREEN * threshold]
        if not starts.size:
            continue
        parts = [_window_scores(y, starts[i : i + 2048]) for i in range(0, len(starts), 2048)]
        gain, rho, best, size = (np.concatenate(column) for column in zip(*parts))
        rho = np.maximum(rho, typical)
        score = BLOCKS * (1 - rho) / (1 + rho) / 2 * gain / threshold
        kept = np.flatnonzero(score >= CANDIDATE)
        _, middles, widths, _ = _steps()
        for i in kept:
            shape = best[i]
            middle = (starts[i] + middles[shape]) * block - 0.5
            width = widths[shape] * block
            if unit is not None and abs(size[i]) <= UNITS * unit[min(int(middle), x.size - 1)]:
                continue
            if _steeper_inside(y, starts[i] + middles[shape], widths[shape] / RAMP_SHARE, math.copysign(1, size[i])):
                found.append(_Candidate(float(middle), float(width), float(size[i]), float(score[i])))
    return found


@functools.cache
def _few_steps() -> np.ndarray:
    """Every second logistic step of the bank, (64, shapes): what windows are screened with."""
    return np.ascontiguousarray(_steps()[0][:, ::6])


def _screened(y: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each window, what the best of a few steps gains over the line, and the autocorrelation that it leaves."""
    line, steps = _nulls()[1], _few_steps()
    values = y[starts[:, None] + np.arange(BLOCKS)]
    rest = values - (values @ line) @ line.T
    straight = (rest * rest).sum(axis=1)
    part = rest @ steps
    best = np.abs(part).argmax(axis=1)
    held = part[np.arange(len(best)), best]
    residual = rest - held[:, None] * steps[:, best].T
    left = np.maximum((residual * residual).sum(axis=1), ROUNDING * (values * values).sum(axis=1) + 1e-300)
    rho = (residual[:, 1:] * residual[:, :-1]).sum(axis=1) / left
    return np.log(np.maximum(straight, left) / left), np.clip(rho + (1 + 4 * rho) / BLOCKS, 0, 0.97)


def _window_scores(y: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """For each window: log ratio of residual sums of squares, residual autocorrelation, best step, its size."""
    cubic, line, bends = _nulls()
    steps, _, _, length = _steps()
    values = y[starts[:, None] + np.arange(BLOCKS)]
    values = values - values.mean(axis=1, keepdims=True)
    total = (values * values).sum(axis=1)
    rest = values - (values @ line) @ line.T
    straight = (rest * rest).sum(axis=1)
    smooth = np.maximum(((rest @ bends) ** 2).max(axis=1), ((values @ cubic) ** 2).sum(axis=1) - (total - straight))
    part = rest @ steps
    best = np.abs(part).argmax(axis=1)
    held = part[np.arange(len(best)), best]
    floor = ROUNDING * total + 1e-300
    without = np.maximum(straight - smooth, floor)
    residual = rest - held[:, None] * steps[:, best].T
    left = (residual * residual).sum(axis=1)
    rho = (residual[:, 1:] * residual[:, :-1]).sum(axis=1) / np.maximum(left, 1e-300)
    rho = np.clip(rho + (1 + 4 * rho) / BLOCKS, 0, 0.97)
    return np.log(without / np.maximum(left, floor)), rho, best, held / length[best]


def _steeper_inside(y: np.ndarray, middle: float, width: float, sign: float) -> bool:
    """Whether the rate inside is larger than on either side, over up to 3/4 of the width."""
    bounds = [middle - 1.25 * width, middle - width / 2, middle + width / 2, middle + 1.25 * width]
    a, b, c, d = (int(np.clip(round(bound), 0, y.size)) for bound in bounds)
    inside = sign * _slope(y[max(round(middle - 0.4 * width), 0) : max(round(middle + 0.4 * width), 2)])
    return inside > max(sign * _slope(y[a : b + 1]), sign * _slope(y[max(c - 1, 0) : d]))


def _slope(y: np.ndarray) -> float:
    if y.size < 2:
        return 0.0
    t = np.arange(y.size) - (y.size - 1) / 2
    return float(t @ y / (t @ t))


def _smooth(x: np.ndarray, unit: np.ndarray | None) -> list[_Candidate]:
    """Interior peaks of the rate of a series (n,) that falls to half or less on both sides."""
    from scipy.signal import find_peaks, peak_widths

    found: list[_Candidate] = []
    largest = float(np.abs(x).max())
    block = 1
    while x.size // block >= _FEWEST_BLOCKS:
        count = x.size // block
        y = x[: count * block].reshape(count, block).mean(axis=1) if block > 1 else x
        rate = np.diff(y)
        rough = np.diff(rate, 2)
        if _too_rough(rate, rough, largest):
            block *= 2
            continue
        for sign in (1.0, -1.0):
            height = np.maximum(sign * rate, 0)
            peaks, about = find_peaks(height, prominence=1e-300)
            chosen = about["prominences"] >= 0.5 * height[peaks]
            peaks, prominence = peaks[chosen], about["prominences"][chosen]
            if not peaks.size:
                continue
            ends = (np.zeros(peaks.size, int), np.full(peaks.size, height.size - 1))
            width, _, left, right = peak_widths(height, peaks, 0.5, (height[peaks], *ends))
            for k, peak in enumerate(peaks):
                if not (5 <= width[k] <= 40 and left[k] > 0 and right[k] < height.size - 1):
                    continue
                low, high = int(max(0, peak - REACH * width[k] - 2)), int(min(rough.size, peak + REACH * width[k]))
                step = math.sqrt(float(np.median(rough[low:high] ** 2)) / (2 * _MEDIAN_OF_SQUARES))
                step = max(step, ROUNDING * 10 * largest, 1e-300)
                score = prominence[k] / (step * math.sqrt(width[k] / 2)) / SMOOTH
                if score < CANDIDATE:
                    continue
                size, (onset, middle, end) = _course(y, height, int(peak))
                onset, middle, end = ((at + 0.5) * block - 0.5 for at in (onset, middle, end))
                if unit is not None and abs(size) <= UNITS * unit[min(int(middle), x.size - 1)]:
                    continue
                found.append(_Candidate(middle, max(end - onset, 1.0), sign * size, float(score), onset))
        block *= 2
    return found


def _course(y: np.ndarray, height: np.ndarray, peak: int, low: float = 0.1) -> tuple[float, tuple[float, float, float]]:
    """Size of the change around a peak of the rate, as far as the rate exceeds a tenth of the peak's, and the blocks at
    which 10, 50 and 90% of it are reached."""
    above = height >= low * height[peak]
    before, after = np.flatnonzero(~above[:peak]), np.flatnonzero(~above[peak:])
    first = int(before[-1]) + 1 if before.size else 0
    last = peak + int(after[0]) if after.size else height.size
    course = np.abs(y[first : last + 1] - y[first])
    size = float(course[-1])
    places = np.interp([0.1 * size, 0.5 * size, 0.9 * size], course, np.arange(first, last + 1))
    return size, (float(places[0]), float(places[1]), float(places[2]))


def _too_rough(rate: np.ndarray, rough: np.ndarray, largest: float, reach: int = 12) -> bool:
    """Whether no peak of the rate can score, even where the series is smoothest: no stretch of `reach` blocks has a
    median of third differences that small."""
    if rough.size <= 2 * reach:
        return False
    quiet = np.sort(np.abs(rough[: rough.size // reach * reach]).reshape(-1, reach), axis=1)[:, reach // 3].min()
    step = max(float(quiet) / math.sqrt(2 * _MEDIAN_OF_SQUARES), ROUNDING * 10 * largest, 1e-300)
    return float(np.abs(rate).max()) < CANDIDATE * SMOOTH * step * math.sqrt(2.5)


def transition_events(series: np.ndarray, noisy: float = 1.0, smooth: float | None = None) -> list[Event]:
    """The transitions of a finite series (n,) with a score of at least `noisy` in the search in noise and of `smooth`
    (or as much) in that without; in order of place.

    Of events that overlap only the strongest is kept.
    """
    from ontogeny.jumps.multiscale import resolution

    n = series.size
    smooth = noisy if smooth is None else smooth
    if n < SHORTEST:
        return []
    x = series - np.median(series)
    unit = resolution(series)
    reach = float(np.ptp(x))
    candidates = [
        c
        for c in [*_noisy(x, unit), *_smooth(x, unit)]
        if c.score >= (noisy if c.onset is None else smooth)
        and abs(c.size) >= LEAST_SHARE * reach
        and c.width <= WIDEST * n
    ]
    chosen: list[_Candidate] = []
    for c in sorted(candidates, key=lambda c: -c.score):
        if not any(_overlap(c, other) for other in chosen):
            chosen.append(c)
    placed = [_placed(x, c) for c in sorted(chosen, key=lambda c: c.middle)]
    return [event for event in placed if _lasts(x, event) and _stands_out(x, event)]


def _overlap(a: _Candidate, b: _Candidate) -> bool:
    """Whether two candidates may be one change: their intervals meet, of peaks of the rate from onset to end, of steps
    a fifth more than their width."""
    (a_low, a_high), (b_low, b_high) = _interval(a), _interval(b)
    return a_low <= b_high and b_low <= a_high


def _interval(c: _Candidate) -> tuple[float, float]:
    if c.onset is not None:
        return c.onset, c.onset + c.width
    return c.middle - 0.6 * c.width, c.middle + 0.6 * c.width


def _lasts(x: np.ndarray, event: Event, reach: int = 24) -> bool:
    """Whether the levels around an event differ by half its size or more; of a spike they do not.

    A wide peak of the rate needs no such proof.
    """
    if event.width > reach and event.smooth:
        return True
    reach = max(reach, math.ceil(event.width))
    first, last = int(event.onset), min(math.ceil(event.end) + 1, x.size - 1)
    before, after = x[max(first - reach, 0) : first + 1], x[last : last + reach]
    change = float(np.median(after) - np.median(before)) * math.copysign(1, event.size)
    slopes = _slope(before), _slope(after)
    if abs(slopes[0] - slopes[1]) * reach < 0.5 * abs(event.size):
        drift = 0.5 * sum(slopes) * (last - first + 0.5 * (before.size + after.size))
        change = max(change, change - drift * math.copysign(1, event.size))
    return change >= 0.5 * abs(event.size)


def _stands_out(x: np.ndarray, event: Event, narrow: float = 16.0) -> bool:
    """Whether a narrow peak of the rate is higher than nine in ten of the rates elsewhere."""
    if not event.smooth or event.width >= narrow:
        return True
    rate = np.abs(np.diff(x))
    first, last = int(event.onset), int(event.end) + 1
    elsewhere = np.concatenate([rate[:first], rate[last:]])
    return elsewhere.size == 0 or float(rate[first:last].max()) > float(np.quantile(elsewhere, 0.9))


def _placed(x: np.ndarray, found: _Candidate) -> Event:
    """Onset, midpoint and end: of a peak of the rate its own; otherwise by a step fitted to the surroundings.

    Intervals: of the profile likelihood; of a peak of the rate its width over the peak's height in units of its noise;
    both widened by what another form of the change would be off.
    """
    if found.onset is not None:
        sure = _half(found.width / (SMOOTH * found.score), found.width)
        end = found.onset + found.width
        places = (found.middle, found.onset, end, found.size, found.score, found.middle - sure, found.middle + sure)
        return Event(*places, max(found.width - 2 * sure, 0.0), found.width + 2 * sure, smooth=True)
    line = _nulls()[1]
    reach = max(1.6 * found.width / RAMP_SHARE, 8.0)
    low, high = max(found.middle - reach, 0.0), min(found.middle + reach, x.size - 1.0)
    edges = np.linspace(low - 0.5, high + 0.5, BLOCKS + 1)
    scale = edges[1] - edges[0]
    sums = np.concatenate([[0.0], np.cumsum(x)])
    y = np.diff(np.interp(edges + 0.5, np.arange(x.size + 1), sums)) / scale
    y = y - y.mean()
    rest = y - line @ (line.T @ y)
    place, wide, shapes = _fine_steps(found, edges)
    steps, length = _beside(shapes, line)
    part = rest @ steps
    left = np.maximum(rest @ rest - part * part, ROUNDING * (y @ y) + 1e-300)
    left = np.where(part * found.size > 0, left, np.inf)
    best = int(left.argmin())
    if not math.isfinite(left[best]):
        left = np.zeros(left.size)
    residual = rest - part[best] * steps[:, best]
    rho = float(residual[1:] @ residual[:-1] / max(residual @ residual, 1e-300))
    rho = min(max(rho + (1 + 4 * rho) / BLOCKS, 0.0), 0.97)
    independent = max(min(BLOCKS, high - low + 1) * (1 - rho) / (1 + rho), 2.0)
    likely = left <= left[best] * math.exp(min(5.99 / independent, 2.0))
    width = float(wide[best])
    middle = float(place[best])
    low, high = middle - float(place[likely].min()), float(place[likely].max()) - middle
    spare = WIDTH_MISFIT * width + 1.0
    size = float(part[best] / length[best])
    return Event(
        middle=middle,
        onset=max(middle - width / 2, 0.0),
        end=min(middle + width / 2, x.size - 1.0),
        size=size if size * found.size > 0 and abs(size) < 4 * abs(found.size) else found.size,
        score=found.score,
        middle_low=middle - _half(low, width),
        middle_high=middle + _half(high, width),
        width_low=max(float(wide[likely].min()) - spare, 0.0),
        width_high=float(wide[likely].max()) + spare,
    )


def _half(likely: float, width: float) -> float:
    """Half the interval of a midpoint: what the likelihood leaves open, and what the form of the change may be off."""
    return 1.15 * math.hypot(likely, MISFIT * width + 0.7)


def _fine_steps(found: _Candidate, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middles, 10 to 90% widths and forms (64, steps) of ramps and logistic steps around a candidate."""
    centres = 0.5 * (edges[1:] + edges[:-1])
    middles = found.middle + max(found.width, 2.0) * np.linspace(-0.7, 0.7, 29)
    base = max(found.width, 1.0)
    widths = np.concatenate([[w for w in (1.0, 2.0, 4.0) if w < 0.4 * base], base * np.geomspace(0.4, 2.0, 10)])
    place, wide = (grid.ravel() for grid in np.meshgrid(middles, widths))
    forms = _forms(centres[:, None] - place, wide)
    return np.tile(place, len(forms)), np.tile(wide, len(forms)), np.concatenate(forms, axis=1)


def relaxes(x: np.ndarray, steps: np.ndarray, event: Event) -> bool:
    """Whether, on uneven steps, the rate per step before the onset is half of that inside, or more.

    On even steps the rates of measurements are those of steps, and were looked at.
    """
    gaps = np.diff(steps)
    if gaps.max() <= 1.5 * gaps.min():
        return False
    positions = np.arange(x.size)
    bounds = [max(event.onset - event.width, 0.0), event.onset, event.end]
    start, onset, end = np.interp(bounds, positions, steps)
    first, low, high = np.interp(bounds, positions, x)
    inside = (high - low) / max(end - onset, 1e-300)
    before = (low - first) / max(onset - start, 1e-300)
    return bool(before * np.sign(inside) >= 0.5 * abs(inside))


@functools.cache
def _table() -> dict[str, dict[str, dict[str, list[float]]]]:
    text = resources.files("ontogeny.jumps").joinpath(TABLE).read_text(encoding="utf-8")
    searches: dict[str, dict[str, dict[str, list[float]]]] = json.loads(text)["searches"]
    return searches


def _nearest(length: int, smooth: bool) -> dict[str, list[float]]:
    table = _table()["smooth" if smooth else "noisy"]
    return table[min(table, key=lambda known: abs(math.log(int(known) / max(length, 1))))]


def p_value(score: float, smooth: bool, length: int) -> float:
    """Chance that a series of `length` points without a transition scores as high, in the worst null of the battery.

    From the shipped table of the highest scores of that search (`Event.smooth`), at the nearest length (in
    logarithms); beyond it an exponential tail.
    """
    known = _nearest(length, smooth)
    at, logs = np.array(known["score"]), np.log(np.array(known["p_value"]))
    if score <= at[-1]:
        found = float(np.interp(score, at, logs, left=0.0))
    else:
        found = float(logs[-1] + min((logs[-1] - logs[-4]) / (at[-1] - at[-4]), -1.0) * (score - at[-1]))
    return float(np.clip(math.exp(max(found, -700.0)), 1e-12, 1.0))


def least_score(smooth: bool, length: int) -> float:
    """Score from which the p-value of an event is no larger than `largest_p_value`."""
    known = _nearest(length, smooth)
    allowed = -math.log(largest_p_value(length))
    return max(float(np.interp(allowed, -np.log(known["p_value"]), known["score"])), CANDIDATE)


def largest_p_value(length: int, alarms: float = ALARMS_PER_1000) -> float:
    """Largest p-value of an event: `alarms` per 1000 points in the worst null, and at most one of seven series."""
    return min(alarms * length / 1000, 0.15)
