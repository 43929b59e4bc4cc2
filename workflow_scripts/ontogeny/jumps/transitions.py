"""Transitions: changes that take a while. Widths from one measurement to a third of the record.

Two searches, for two kinds of series, each over dyadic scales (block means of 1, 2, 4, ... points).

*In noise*: windows of 64 blocks, half overlapping eightfold. In each, a line with a ramp or a logistic step of any
width and place is fitted, and against it what a series without a transition may do: a cubic, a line that bends once,
a line with an exponential relaxation towards either end. Where the step explains nearly all, its middle and width are
refined between those of the bank. The score is the log likelihood ratio against the best of
these, with as many independent residuals as their autocorrelation leaves (n (1 - r) / (1 + r), r the larger of the
window's own and the median over the windows of that scale; Bartlett 1946), and no more than the gain of steps in the
other windows allows. A random walk explains itself by its few independent residuals, a slow wander below the noise by
the steps that many windows seem to hold, a relaxation by its own form, drift by the line.

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
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from typing import NamedTuple

import numpy as np

from ontogeny.jumps.events import evenly_spaced
from ontogeny.jumps.guards import on_relaxation, recovers, slope, stays, steady
from ontogeny.statistics import median

BLOCKS = 64
HOP = 8
WIDTHS = (4, 5, 6, 8, 10, 12, 16, 21, 26)
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
FEWEST_WINDOWS = 8
"""Windows of a scale from which a series is asked whether it wanders below its noise."""

ROUNDED = (2.0, 4.0, 8.0)
"""Blocks over which a bend may be rounded, as that of the logarithm of a decay to a floor is."""

_GAIN_OF_NOISE = 1.07
"""Log likelihood ratio over a cubic that the steps of `_screened` have in 6 of 10 windows of white noise, or less."""

_MEDIAN_OF_SQUARES = 0.4549
"""Median of the square of a standard normal variable."""

PROMINENT = (0.1, 0.5)
"""Shares of its height by which a peak of the rate rises above the valleys on both sides: with the lesser, changes that
follow one another are told apart; with the larger, one change whose rate is uneven is one."""

FLOWS = 0.5
"""Share of the rate inside an event without noise with which it goes on beyond its end."""

UNLIKE = 0.035
"""Share of its size by which a change of uneven rate is nowhere more than from one of even rate."""

UNEVEN = 0.1
"""Share of its width by which a change whose rate is uneven is misplaced."""

NARROWEST = 5
"""Least width of a peak of the rate at half its height, in blocks."""

WIDEST_PEAK = 40
"""The same for the greatest width."""

REACH = 4.0
"""Widths of a peak of the rate, on either side, from which its noise is taken."""
LEAST_SHARE = 0.001
"""Least change, as a share of the range of the series, that can be a transition."""

WIDEST = 0.4
"""Share of the record that a transition may take from 10 to 90%."""

MISFIT = 0.03
"""Share of its width by which a change of another form than the fitted ones is misplaced."""

WIDTH_MISFIT = 0.15
"""Share of its width by which the width of such a change is off."""

RELAXING = 0.1
"""Squares that a relaxation leaves of those of a straight line, up to which a series is searched without it."""

COURSE_POINTS = 128
"""Means of neighbours, about, to which it is fitted."""

SECOND = 1.1
"""Squares that two relaxations, or a line that bends, leave, as a multiple of those of a relaxation with a step, up to
which there is no such step."""

UNEVEN_NOISE = 3.0
LASTING_NOISE = 0.25
"""Ratio of the variances of the quarters of a series, and autocorrelation, from which what a relaxation with a step
leaves is no noise beside them."""

UNITS = 1.5
ROUNDING = 1e-13
SCREEN = 0.5
"""Share of the threshold that a few steps have to gain over the line before a window is fitted in full."""

EXPLAINED = 2.0
"""Log ratio by which a few steps reduce the residuals of the line from which a window is fitted in full, whatever
autocorrelation they leave."""

CLOSE = 0.03
"""Share of the variance around the line below which what a step leaves is mostly its misfit."""

CLEAR = 3.0
"""Times the threshold from which a step by its own window is a change of which the others are freed: walks and waves
have few."""

_MOST_APART = 6
"""Steps of a series that are scored without the others."""

_MOST_VALUES = 100_000
"""Values that are searched at a time, in series of one length."""

_NEARBY = 4096
"""Points around an event, in quarters of its width, at most, with which it is compared."""

CANDIDATE = 0.6
"""Share of the threshold from which candidates are kept for the null's table."""

LEAST = {False: CANDIDATE, True: 1.0}
"""Least score of an event in noise and of one without: series that wander smoothly, which are not in the battery, score
higher than its nulls without noise."""

ALARMS_PER_1000 = {False: 0.15, True: 0.08}
"""False alarms that events of the search in noise and of that without noise allow for, by the table of the nulls."""

BACK = {False: 0.7, True: 0.35}
"""Share of the size of an event in noise, and of one without, by which a series that turns back swings."""

MOST_TURNS = {False: (0, 1, 3), True: (0, 1, 3)}
"""Times that a series may do so, by the number of sides of the event at which it is at rest."""

TURNED = 0.3
"""Share of the size of an event by which a series that turns back before and after it is a wave."""

WITHIN = 0.15
"""Share of the size of an event by which a wave goes beyond the two levels that the event joins, at most."""

WAVE = (1 / 16, 5.0)
"""Width of an event, as a share of the record, from which it is asked whether the series is a wave, and most cycles of
that: more are told from what repeats."""

WAVE_LEAVES = 0.65
"""Squares that a wave leaves, as a share of what the events leave, below which it is one."""

WAVE_POINTS = 100
"""Means of neighbours, about, in which that is asked."""

FEWEST_CHANGES = 4
"""Changes over the width of an event elsewhere from which it is compared with them."""

OUTGROWS = 3.5
"""Least size of an event in noise, in standard deviations of what the series changes by over its width elsewhere."""

FEWEST_TO_BE_FAR = 24
FAR = 3.0
"""Root mean squares of what the series changes by over its width elsewhere, for each unit of score, that a clear event
is larger: however its noise lasts or wanders."""

WIDE = 2.0
"""Width, in measurements, from which that is asked of an event."""

OUTGROWS_WAVE = 8.0
"""The same of three events or more that go up and down."""

SUDDEN = 0.45
"""Time from 10 to 50% of a change, as a share of that from 50 to 90%, up to which it is a relaxation: 0.37 of an
exponential one."""

SUDDEN_AT_END = 0.72
"""The same with the share of its width that is before its onset, for one that begins where the series does."""

TURNS_BESIDE = 0.5
RESTS_BESIDE = 0.25
"""Shares of the size of an event without noise by which a series moves beside it from which it turns there, and up to
which it rests."""

FAR_ABOVE = 10.0
"""Score of an event without noise from which it needs no rest beside it."""

RESTING = 0.12
"""Typical change elsewhere, as a share of the largest change inside a peak of the rate, from which a series wanders."""

SPIKE = 16.0
"""Width of an event, in measurements, up to which it may be a spike that decays."""

TAIL = {False: (-4.0, -1.0), True: (-1.5, -1.0)}
"""Steepest and flattest slope of the logarithm of a p-value beyond the table, in noise and without: series that wander
smoothly have a longer tail than those of the battery."""

TABLE = "transitions.json"

RELAXATIONS = np.geomspace(0.015, 0.8, 10)
"""Time constants of relaxations that series are searched without, as shares of the record."""


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


class _Candidate(NamedTuple):
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


@functools.cache
def _nulls() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Orthonormal cubic (64, 4) and line (64, 2), and what bends and relaxations add to the line (64, shapes)."""
    m = BLOCKS
    u = np.arange(m) - (m - 1) / 2
    t = 2 * u / m
    cubic = np.linalg.qr(np.stack([np.ones(m), t, t**2, t**3], axis=1))[0]
    line = np.linalg.qr(np.stack([np.ones(m), t], axis=1))[0]
    shapes = [np.maximum(u - knot, 0) for knot in np.arange(2 - m / 2, m / 2 - 1.5)]
    for over in ROUNDED:
        shapes += [
            over * np.logaddexp(0, (u - knot) / over)
            for knot in np.arange(2 * over - m / 2, m / 2 - 2 * over, over / 2)
        ]
    for tau in (m / 48, m / 24, m / 12, m / 8, m / 5, m / 3):
        shapes += [np.exp((u[0] - u) / tau), np.exp((u - u[-1]) / tau)]
    return cubic, line, beside(np.array(shapes).T, line)[0]


def beside(shapes: np.ndarray, line: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each column adds to the line, at length 1, and the length that it had."""
    rest = shapes - line @ (line.T @ shapes)
    length = np.sqrt((rest * rest).sum(axis=0))
    return rest / length, length


def _forms(away: np.ndarray, width: float | np.ndarray) -> list[np.ndarray]:
    """Steps around their middle, of one 10 to 90% width: logistic, at once and then relaxing, its mirror image, and a
    ramp."""
    tau = width / math.log(9.0)
    after = 1 - np.exp(-np.maximum(away / tau + math.log(2.0), 0))
    before = np.exp(-np.maximum(math.log(2.0) - away / tau, 0))
    ramp = np.clip(RAMP_SHARE * away / width + 0.5, 0, 1)
    return [1 / (1 + np.exp(np.clip(-LOGISTIC * away / width, -500, 500))), after, before, ramp]


@functools.cache
def _steps() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ramps and logistic steps beside the line (64, shapes); their middle, their 10 to 90% width, their length."""
    u = np.arange(BLOCKS) + 0.5
    shapes, middles, widths = [], [], []
    for width in WIDTHS:
        margin = max(2.0, width / 2) + 0.4 * width
        for middle in np.arange(math.ceil(margin), BLOCKS - margin + 1e-9, max(1, width // 4)):
            forms = _forms(u - middle, RAMP_SHARE * width)
            shapes += forms
            middles += [middle] * len(forms)
            widths += [RAMP_SHARE * width] * len(forms)
    steps, length = beside(np.array(shapes).T, _nulls()[1])
    return steps, np.array(middles), np.array(widths), length


@functools.lru_cache(maxsize=1024)
def _finer(k: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps of the form of the bank's step `k` whose middle and width lie between those of the bank, beside the line
    (64, shapes), and what each becomes if its middle, its width and its form are not quite those, beside the line and
    the step itself: orthonormal, (shapes, 64, 5)."""
    line = _nulls()[1]
    _, middles, widths, _ = _steps()
    u = np.arange(BLOCKS) + 0.5
    form = k % len(_forms(u, 1.0))
    hop = max(1, int(widths[k] / RAMP_SHARE) // 4)
    steps, around = [], []
    for shift in hop * np.array([-0.5, -0.25, 0.0, 0.25, 0.5]):
        for by in (0.9, 1.0, 1.1):
            middle, width = middles[k] + shift, by * widths[k]
            forms = _forms(u - middle, width)
            later, earlier = (_forms(u - middle - away, width)[form] for away in (0.25, -0.25))
            wider, narrower = (_forms(u - middle, width * more)[form] for more in (1.1, 0.9))
            others = [other - forms[form] for j, other in enumerate(forms) if j != form]
            steps.append(forms[form])
            around.append(np.stack([*line.T, forms[form], later - earlier, wider - narrower, *others], axis=1))
    return beside(np.array(steps).T, line)[0], np.linalg.qr(np.array(around))[0][:, :, line.shape[1] + 1 :]


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


def _means(x: np.ndarray, block: int) -> np.ndarray:
    """Means of every `block` points of each series, (series, n // block)."""
    if block == 1:
        return x
    count = x.shape[1] // block
    return x[:, : count * block].reshape(len(x), count, block).mean(axis=2)


def _noisy(x: np.ndarray, least: float) -> list[list[_Candidate]]:
    """Steps of any width in each series (series, n), as likelihood ratios in windows of `BLOCKS` blocks."""
    found: list[list[_Candidate]] = [[] for _ in x]
    smallest = LEAST_SHARE * np.ptp(x, axis=1)
    _, middles, widths, _ = _steps()
    for block in _scales(x.shape[1]):
        y = _means(x, block)
        starts = _starts(y.shape[1])
        # Windows of all series in one row: that of series i from block j on is row i * count + j of `windows`.
        windows = np.lib.stride_tricks.sliding_window_view(y.reshape(-1), BLOCKS)
        rows = np.repeat(np.arange(len(x)), len(starts))
        at = (np.arange(len(x))[:, None] * y.shape[1] + starts).reshape(-1)
        threshold = NOISY + PER_WINDOW * math.log(len(starts)) + (FINEST if block == 1 else 0.0)
        gain, rho, beyond = _in_parts(_screened, windows, at)
        typical = _lower_median(rho.reshape(len(x), -1))[rows]
        wander = _wander(beyond.reshape(len(x), -1), block == 1)[rows]
        kept = (_independent(typical) / 2 * gain >= SCREEN * threshold) | (gain >= EXPLAINED)
        kept |= _independent(rho) / 2 * gain >= SCREEN * CLEAR * threshold
        if not kept.any():
            continue
        chosen = at[kept]
        gain, fitted, best, size, close = _in_parts(_window_scores, windows, chosen)
        rho[kept] = np.where(close, fitted, rho[kept])
        typical = _lower_median(rho.reshape(len(x), -1))[rows]
        rows, at, typical, wander = rows[kept], chosen, typical[kept], wander[kept]
        rho = np.maximum(fitted, typical)
        score = np.minimum(_independent(rho), BLOCKS / wander) / 2 * gain / threshold
        alone = _independent(fitted) / 2 * gain / threshold
        best = best.astype(int)
        middle = (at - rows * y.shape[1] + middles[best]) * block - 0.5
        width = widths[best] * block
        kept = (score >= least) | (alone >= max(least, 1.0))
        kept &= (np.abs(size) >= smallest[rows]) & (width <= WIDEST * x.shape[1])
        columns = np.stack([middle, width, size, score, alone], axis=1)
        for row, (at_step, wide, change, strength, own) in zip(rows[kept].tolist(), columns[kept].tolist()):
            found[row].append(_Candidate(at_step, wide, change, strength, block=block, alone=own))
    return found


def _independent(rho: np.ndarray) -> np.ndarray:
    """Independent residuals of a window that are autocorrelated by `rho` (windows,)."""
    return BLOCKS * (1 - rho) / (1 + rho)


def _without_others(x: np.ndarray, found: list[list[_Candidate]], least: float) -> list[list[_Candidate]]:
    """The steps of each series (series, n) with a score of `least`, each also scored after the others that are `CLEAR`
    by their own windows were taken out: several changes are no autocorrelation of the noise, and no wander. Three or
    more that go up and down are a wave, and stay."""
    freed, asked, far = [], [], []
    for row, candidates in enumerate(found):
        if not any(c.alone >= CLEAR for c in candidates):
            continue
        apart = _apart(sorted(candidates, key=lambda c: -c.alone), _MOST_APART)
        clear = {c: _placed(x[row], c) for c in apart if c.alone >= CLEAR and _steeper_inside(x[row], c)}
        events = list(clear.values())
        for c, event in clear.items():
            score = min(c.alone, _times_elsewhere(x[row], event, events) / FAR)
            if score > c.score and event.width >= WIDE:
                best = max((other for other in candidates if _overlap(c, other)), key=lambda other: other.score)
                far.append((row, best._replace(score=max(score, best.score))))
        if len(apart) < 2:
            continue
        up_and_down = len(apart) > 2 and len({c.size > 0 for c in apart}) > 1
        if up_and_down and not all(_outgrows(x[row], event, events, OUTGROWS_WAVE) for event in events):
            continue
        for c in apart:
            others = [event for other, event in clear.items() if other is not c]
            if others:
                freed.append(x[row] - sum(_ramp(x.shape[1], event) for event in others))
                asked.append((row, c))
    found = [[c for c in candidates if c.score >= least] for candidates in found]
    for row, c in far:
        if c.score >= least:
            found[row].append(c)
    if freed:
        for (row, c), again in zip(asked, _noisy(np.stack(freed), least)):
            found[row] += [other for other in again if other.score >= least and _overlap(c, other)]
    return found


def _ramp(n: int, event: Event) -> np.ndarray:
    """The straight rise of an event over n points, 0 before it."""
    away = np.arange(n) - 0.5 * (event.onset + event.end)
    return event.size * np.clip(RAMP_SHARE * away / max(event.width, RAMP_SHARE) + 0.5, 0, 1)


def _wander(gain: np.ndarray, finest: bool) -> np.ndarray:
    """How much more the steps of `_screened` explain in the windows of each series (series, windows) than in white
    noise, beside a cubic, 1 or more: a slow wander below the noise is taken for steps in many windows. In 6 of 10
    windows, so that changes in some do not count; at the finest scale, which no other stands in for, one change in all
    windows that hold it does not either. 1 where there are few windows."""
    count = gain.shape[1]
    at = int(0.6 * (count - 1))
    if finest:
        at = min(at, count - 2 - BLOCKS // HOP)
    if count < FEWEST_WINDOWS or at < 0:
        return np.ones(len(gain))
    return np.maximum(BLOCKS / 2 * np.partition(gain, at, axis=1)[:, at] / _GAIN_OF_NOISE, 1.0)


def _lower_median(values: np.ndarray) -> np.ndarray:
    """Median of each row; of an even number the lower of the two in the middle."""
    middle = (values.shape[1] - 1) // 2
    return np.partition(values, middle, axis=1)[:, middle]


def _in_parts(
    function: Callable[[np.ndarray], tuple[np.ndarray, ...]], windows: np.ndarray, at: np.ndarray, most: int = 2048
) -> tuple[np.ndarray, ...]:
    """What `function` gives for the windows at `at`, of which not more than `most` are held at a time."""
    parts = [function(windows[at[i : i + most]]) for i in range(0, len(at), most)]
    return tuple(np.concatenate(column) for column in zip(*parts))


@functools.cache
def _few_steps() -> np.ndarray:
    """Every second logistic step of the bank, (64, shapes): what windows are screened with."""
    return np.ascontiguousarray(_steps()[0][:, ::8])


def _screened(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each window (windows, 64), what the best of a few steps gains over the line, the autocorrelation that it
    leaves, and what it gains over the line and the cubic."""
    (cubic, line, _), steps = _nulls(), _few_steps()
    bent = values @ cubic
    bent = _squares(values) - _squares(bent)
    rest = values - (values @ line) @ line.T
    straight = _squares(rest)
    part = rest @ steps
    best, held = _largest(part)
    rest -= held[:, None] * steps.T[best]
    left = np.maximum(_squares(rest), ROUNDING * _squares(values) + 1e-300)
    rho = np.einsum("ij,ij->i", rest[:, 1:], rest[:, :-1]) / left
    rho = np.minimum(np.maximum(rho + (1 + 4 * rho) / BLOCKS, 0), 0.97)
    return np.log(np.maximum(straight, left) / left), rho, np.log(np.maximum(bent, left) / left)


def _largest(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """In each row the first place of the value that is furthest from zero, and that value."""
    each, low, high = np.arange(len(part)), part.argmin(axis=1), part.argmax(axis=1)
    least, most = part[each, low], part[each, high]
    lower = (-least > most) | ((-least == most) & (low < high))
    return np.where(lower, low, high), np.where(lower, least, most)


def _squares(values: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", values, values)


def _window_scores(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """For each window (windows, 64): log ratio of residual sums of squares, residual autocorrelation, best step, its
    size, and whether the step leaves next to nothing.

    Where that is so, what it leaves is how its form differs from that of the change; the
    autocorrelation is that of the rest.
    """
    cubic, line, bends = _nulls()
    steps, _, _, length = _steps()
    values = values - values.mean(axis=1, keepdims=True)
    total = _squares(values)
    rest = values - (values @ line) @ line.T
    straight = _squares(rest)
    smooth = np.maximum(np.square(rest @ bends).max(axis=1), _squares(values @ cubic) - (total - straight))
    part = rest @ steps
    best, held = _largest(part)
    floor = ROUNDING * total + 1e-300
    without = np.maximum(straight - smooth, floor)
    rest -= held[:, None] * steps.T[best]
    left = _squares(rest)
    close = left < CLOSE * straight
    for row in np.flatnonzero(close):
        fine, around = _finer(int(best[row]))
        whole = rest[row] + held[row] * steps[:, best[row]]
        part = whole @ fine
        nearest = int(np.abs(part).argmax())
        whole -= part[nearest] * fine[:, nearest]
        left[row] = whole @ whole
        rest[row] = whole - around[nearest] @ (whole @ around[nearest])
    rho = np.einsum("ij,ij->i", rest[:, 1:], rest[:, :-1]) / np.maximum(_squares(rest), 1e-300)
    rho = np.minimum(np.maximum(rho + (1 + 4 * rho) / BLOCKS, 0), 0.97)
    return np.log(without / np.maximum(left, floor)), rho, best, held / length[best], close


def _steeper_inside(x: np.ndarray, step: _Candidate) -> bool:
    """Whether the rate inside is larger than on either side, over up to 3/4 of the width."""
    y = _means(x[None], step.block)[0]
    middle, width = (step.middle + 0.5) / step.block, step.width / step.block / RAMP_SHARE
    sign = math.copysign(1, step.size)
    bounds = [middle - 1.25 * width, middle - width / 2, middle + width / 2, middle + 1.25 * width]
    a, b, c, d = (int(np.clip(round(bound), 0, y.size)) for bound in bounds)
    inside = sign * slope(y[max(round(middle - 0.4 * width), 0) : max(round(middle + 0.4 * width), 2)])
    return inside > max(sign * slope(y[a : b + 1]), sign * slope(y[max(c - 1, 0) : d]))


def _smooth(x: np.ndarray, least: float) -> list[list[_Candidate]]:
    """Interior peaks of the rate of each series (series, n) that falls to half or less on both sides."""
    found: list[list[_Candidate]] = [[] for _ in x]
    largest = np.abs(x).max(axis=1)
    smallest = LEAST_SHARE * np.ptp(x, axis=1)
    units: dict[int, float] = {}
    block = 1
    while x.shape[1] // block >= _FEWEST_BLOCKS:
        y = _means(x, block)
        rate = np.diff(y)
        rough = np.diff(rate, 2)
        lowest = _lowest_peaks(rough, largest, least)
        reached = np.stack([_sustained(rate), _sustained(-rate)], axis=1) >= lowest[:, None] / 2
        for row in np.flatnonzero(reached.any(axis=1)).tolist():
            if row not in units:
                units[row] = _unit(x[row])
            floor = max(ROUNDING * 10 * largest[row], units[row] / math.sqrt(block), 1e-300)
            for sign in (1.0, -1.0):
                if not reached[row, int(sign < 0)]:
                    continue
                for peak in _peaks(sign * rate[row], rough[row], floor, least, float(lowest[row])):
                    size, (onset, middle, end) = _course(y[row], peak)
                    onset, middle, end = ((at + 0.5) * block - 0.5 for at in (onset, middle, end))
                    width = max(end - onset, 1.0)
                    if size >= smallest[row] and width <= WIDEST * x.shape[1]:
                        found[row].append(_Candidate(middle, width, sign * size, peak.score, onset, block))
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


def _unit(x: np.ndarray) -> float:
    """The unit that a series (n,) is rounded to, 0 if to none."""
    from ontogeny.jumps.multiscale import resolution

    units = resolution(x)
    return 0.0 if units is None else median(units[units > 0])


def _peaks(rate: np.ndarray, rough: np.ndarray, floor: float, least: float, lowest: float) -> Iterator[_Peak]:
    """The interior peaks of a rate (blocks,), given its second differences, with a score of `least` or more, which none
    of a prominence below `lowest` has; the steps of the rate's random walk are no smaller than `floor`."""
    height = np.maximum(rate, 0)
    peaks, prominence = _peaks_and_prominences(height)
    chosen: list[np.ndarray] = []
    for share in PROMINENT:
        prominent = prominence >= share * height[peaks]
        if prominent.any() and not (chosen and len(chosen[0]) == prominent.sum()):
            chosen.append(peaks[prominent])
            high = np.flatnonzero(prominence[prominent] >= lowest)
            if high.size:
                yield from _between_valleys(height, peaks[prominent], prominence[prominent], high, rough, floor, least)


def _peaks_and_prominences(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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


def _widths_at_half(y: np.ndarray, peaks: np.ndarray) -> np.ndarray:
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
    width = _widths_at_half(height, own)
    for j in np.flatnonzero((width >= NARROWEST) & (width <= WIDEST_PEAK)).tolist():
        k, at, wide = int(high[j]), int(own[j]), float(width[j])
        step = math.sqrt(
            median(rough[int(max(0, at - REACH * wide - 2)) : int(min(rough.size, at + REACH * wide))] ** 2)
            / (2 * _MEDIAN_OF_SQUARES)
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
    step = np.maximum(np.maximum(quiet / math.sqrt(2 * _MEDIAN_OF_SQUARES), ROUNDING * 10 * largest), 1e-300)
    return least * SMOOTH * step * math.sqrt(NARROWEST / 2)


def transition_events(series: np.ndarray, noisy: float = 1.0, smooth: float | None = None) -> list[list[Event]]:
    """The transitions of each finite series (series, n) with a score of at least `noisy` in the search in noise and of
    `smooth` (or as much) in that without; in order of place.

    Of events that overlap only the strongest is kept.
    """
    from ontogeny.jumps.multiscale import resolution

    rows, n = series.shape
    smooth = noisy if smooth is None else smooth
    if n < SHORTEST:
        return [[] for _ in series]
    events = []
    most = max(1, _MOST_VALUES // n)
    for first in range(0, rows, most):
        part = series[first : first + most]
        x = _levelled(part - np.median(part, axis=1, keepdims=True))
        in_noise = _without_others(x, _noisy(x, noisy), noisy)
        for given, row, steps, peaks in zip(part, x, in_noise, _smooth(x, smooth)):
            chosen = _strongest(row, [*steps, *peaks], resolution(given)) if steps or peaks else []
            found: list[Event] = []
            for event in (_placed(row, c) for c in chosen):
                if all(check(row, event) for check in _CHECKS) and _rests_elsewhere(row, event, found):
                    found.append(event)
            joined = _joined(row, sorted(found, key=lambda event: event.middle))
            joined = [event for event in joined if _outgrows(row, event, joined) and _has_two_sides(row, event)]
            wide = [event for event in joined if not event.smooth and event.width >= max(WAVE[0] * n, 8.0)]
            waves = bool(wide) and _is_wave(row, wide)
            events.append([event for event in joined if event not in wide] if waves else joined)
    return events


def _levelled(x: np.ndarray) -> np.ndarray:
    """The series (series, n), of those that are not rounded without their relaxation, if it is nearly all of them and
    the rest, beside a step, is even noise. A step on a steep part of it would be taken for a bend, or misplaced."""
    y = _means(x, max(x.shape[1] // COURSE_POINTS, 1))
    bases = _relaxations(y.shape[1])[0]
    rest = y - (y @ bases[0][:, :2]) @ bases[0][:, :2].T
    straight = _squares(rest)
    left = straight - np.square(rest @ bases[:, :, 2].T).max(axis=1)
    place = (np.arange(x.shape[1]) + 0.5) / (y.shape[1] * max(x.shape[1] // COURSE_POINTS, 1))
    out = x.copy()
    for row in np.flatnonzero(left < RELAXING * straight).tolist():
        if not _unit(x[row]) > 0:
            size, tau = _relaxation(y[row], rest[row])
            out[row] -= size * np.exp(-place / tau)
    return out


def _relaxation(y: np.ndarray, rest: np.ndarray) -> tuple[float, float]:
    """Size and time constant, as a share of the record, of the relaxation that with a step explains most of y
    (points,), given what a straight line leaves of it; size 0 if two relaxations, or a line that bends, do so
    about as well, or if what is left is no even noise."""
    bases, seconds, steps, raw = _relaxations(y.size)
    fits, two = [], math.inf
    for k, basis in enumerate(bases):
        beyond = rest - basis[:, 2] * (basis[:, 2] @ rest)
        part = beyond @ steps[k]
        best = int(np.abs(part).argmax())
        fits.append((float(beyond @ beyond - part[best] ** 2), k, best))
        two = min(two, float(beyond @ beyond - np.square(beyond @ seconds[k]).max(initial=0.0)))
    left, k, best = min(fits)
    columns = np.column_stack([bases[k][:, :2], np.exp(-_shares(y.size) / RELAXATIONS[k]), raw[:, best]])
    parts = np.linalg.lstsq(columns, y, rcond=None)[0]
    noise = y - columns @ parts
    variances = [float(quarter.var()) for quarter in np.array_split(noise, 4)]
    even = max(variances) <= UNEVEN_NOISE * min(variances)
    bent = float(rest @ rest - np.square(rest @ _bends(y.size)).max())
    if min(two, bent) <= SECOND * left or not even or noise[1:] @ noise[:-1] > LASTING_NOISE * (noise @ noise):
        return 0.0, 1.0
    return float(parts[2]), float(RELAXATIONS[k])


def _shares(count: int) -> np.ndarray:
    return (np.arange(count) + 0.5) / count


@functools.lru_cache(maxsize=8)
def _relaxations(count: int) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Over so many points: orthonormal bases of a line and each relaxation (relaxations, points, 3); what shorter ones,
    and logistic steps, add to each, (points, columns) of length 1; and these steps (points, steps)."""
    t = _shares(count)
    relaxing = np.exp(-t[:, None] / RELAXATIONS)
    bases = np.linalg.qr(np.stack([np.column_stack([np.ones(count), t, each]) for each in relaxing.T]))[0]
    steps = [
        1 / (1 + np.exp(np.clip(-LOGISTIC * (t - middle) / width, -500, 500)))
        for width in (0.01, 0.03, 0.08, 0.2)
        for middle in np.arange(max(width, 0.02), 1 - max(width, 0.02) + 1e-9, max(width / 3, 0.01))
    ]
    raw = np.array(steps).T
    seconds = [beside(relaxing[:, :k], basis)[0] for k, basis in enumerate(bases)]
    return bases, seconds, [beside(raw, basis)[0] for basis in bases], raw


@functools.lru_cache(maxsize=8)
def _bends(count: int) -> np.ndarray:
    """What bends, at once and rounded, add to a line over so many points, (points, bends) of length 1."""
    t = _shares(count)
    line = np.linalg.qr(np.column_stack([np.ones(count), t]))[0]
    past = t[:, None] - np.arange(0.05, 0.951, 0.02)
    rounded = [over * np.logaddexp(0, past / over) for over in (0.02, 0.04, 0.08)]
    return beside(np.concatenate([np.maximum(past, 0), *rounded], axis=1), line)[0]


def _is_wave(x: np.ndarray, events: Sequence[Event]) -> bool:
    """Whether one wave beside a straight line, of up to `WAVE[1]` cycles, explains a whole series (n,) far better than
    these events beside a line, a cubic or a relaxation: it leaves less than `WAVE_LEAVES` of the squares. Several
    events of one direction are no wave."""
    directions = [event.size > 0 for event in events]
    if len(set(directions)) < len(directions):
        return False
    block = max(x.size // WAVE_POINTS, 1)
    y = _means(x[None], block)[0]
    courses, waves = _courses(y.size), _waves(y.size)
    y = y - y.mean()
    by_wave = float(y @ y) - float(np.square(y @ waves).reshape(-1, 4).sum(axis=1).max())
    place = (np.arange(y.size) + 0.5) * block - 0.5
    forms = [_forms(place - 0.5 * (event.onset + event.end), event.width)[::3] for event in events]
    return all(
        by_wave < WAVE_LEAVES * _left_beside(y, course, np.array(steps).T)
        for course in courses
        for steps in zip(*forms)
    )


def _left_beside(y: np.ndarray, course: np.ndarray, steps: np.ndarray) -> float:
    """Squares of y (points,) that an orthonormal course (points, columns) and a step or two (points, steps) leave."""
    rest = y - course @ (course.T @ y)
    first, *others = (steps - course @ (course.T @ steps)).T
    first = first / max(math.sqrt(first @ first), 1e-300)
    left = float(rest @ rest) - float(rest @ first) ** 2
    for other in others:
        other = other - first * (first @ other)
        left -= float(rest @ other) ** 2 / max(float(other @ other), 1e-300)
    return max(left, 0.0)


@functools.lru_cache(maxsize=16)
def _courses(count: int) -> list[np.ndarray]:
    """Orthonormal bases over so many points, (points, columns) each: of a line, a cubic and relaxations."""
    t = np.linspace(-1, 1, count)
    line = [np.ones(count), t]
    courses = [line, [*line, t**2, t**3], *([line[0], np.exp(-(t + 1) / tau)] for tau in (0.05, 0.1, 0.2, 0.4, 0.8))]
    return [_orthonormal(course) for course in courses]


@functools.lru_cache(maxsize=16)
def _waves(count: int) -> np.ndarray:
    """Orthonormal bases of a line with a sine of any phase, of all frequencies side by side (points, 4 frequencies)."""
    t = np.linspace(-1, 1, count)
    cycles = np.pi * np.arange(0.75, WAVE[1] + 0.01, 0.125)
    waves = [np.stack([np.ones(count), t, np.sin(cycle * t), np.cos(cycle * t)], axis=1) for cycle in cycles]
    return np.concatenate(np.linalg.qr(np.array(waves))[0], axis=1)


def _orthonormal(columns: list[np.ndarray]) -> np.ndarray:
    return np.linalg.qr(np.stack(columns, axis=1))[0]


def _joined(x: np.ndarray, events: Sequence[Event]) -> list[Event]:
    """The events of a series (n,) in order of place, those without noise made as long as their rate goes on
    (`_goes_on`) and, of one direction, made one where they then meet, if that is one change (`_is_one`)."""
    place = np.arange(x.size)
    out: list[tuple[Event, float, float]] = []
    for event in events:
        first, last = _goes_on(x, place, event) if event.smooth else (event.onset, event.end)
        pieces, low = 0, first
        while pieces < len(out):
            before, begins, ends = out[-1 - pieces]
            if not ((event.smooth or before.smooth) and before.size * event.size > 0 and ends >= low):
                break
            pieces, low = pieces + 1, min(low, begins)
        for count, low, high in _wholes(out[len(out) - pieces :], first, last):
            parts = out[len(out) - count :]
            if not count and low > event.onset - event.width / 4 and high < event.end + event.width / 4:
                continue
            whole = _between(x, low, high, max([event.score, *(part[0].score for part in parts)]))
            alone = count == pieces or out[-1 - count][0].end < whole.onset
            if alone and whole.width <= WIDEST * x.size and _is_one(x, low, high):
                out[len(out) - count :] = [(whole, low, high)]
                break
        else:
            if pieces and out[-1][0].end >= event.onset:
                event = max(out.pop()[0], event, key=lambda each: abs(each.size))
            out.append((event, event.onset, event.end))
    return [event for event, _, _ in out]


def _wholes(
    pieces: Sequence[tuple[Event, float, float]], first: float, last: float
) -> Iterator[tuple[int, float, float]]:
    """What an event that goes on from `first` to `last` may be a whole of: how many of the last pieces before it, and
    from where to where; with most pieces first."""
    for count in range(len(pieces), -1, -1):
        parts = pieces[len(pieces) - count :]
        yield count, min([first, *(part[1] for part in parts)]), max([last, *(part[2] for part in parts)])
        if parts and parts[0][0].middle >= first:
            yield count, first, last


def _goes_on(x: np.ndarray, place: np.ndarray, event: Event) -> tuple[float, float]:
    """From where to where the rate of a series (n,) about an event is `FLOWS` of that inside it, or more, in blocks of
    an eighth of its width."""
    block = max(event.width / 8, 1.0)
    least = FLOWS * 0.8 * abs(event.size) / max(event.width, 1.0)
    bounds = []
    for at, way in ((event.onset - block, -block), (event.end + block, block)):
        while 0 <= at + way <= x.size - 1:
            low, high = np.interp(sorted((at, at + way)), place, x)
            if (high - low) * math.copysign(1, event.size) / block < least:
                break
            at += way
        bounds.append(float(np.clip(at, 0, x.size - 1)))
    return bounds[0], bounds[1]


def _is_one(x: np.ndarray, first: float, last: float) -> bool:
    """Whether a single change is nowhere further from a series (n,) between two positions than `UNLIKE` of the whole:
    two changes that follow one another, as the modes of a deep linear network, are."""
    y = np.interp(np.linspace(first, last, BLOCKS), np.arange(x.size), x)
    y = y - y.mean()
    shapes = _single_changes()
    away = y[:, None] - shapes * (y @ shapes)
    return bool(np.abs(away).max(axis=0).min() <= UNLIKE * abs(y[-1] - y[0]))


@functools.cache
def _single_changes() -> np.ndarray:
    """Changes of several forms, middles and widths over `BLOCKS` points, centred and of length 1: (64, shapes)."""
    place, widths = np.arange(BLOCKS)[:, None], BLOCKS * np.geomspace(0.2, 1.5, 12)
    shapes = [form for middle in BLOCKS * np.linspace(0.2, 0.8, 25) for form in _forms(place - middle, widths)]
    return beside(np.concatenate(shapes, axis=1), np.full((BLOCKS, 1), BLOCKS**-0.5))[0]


def _between(x: np.ndarray, first: float, last: float, score: float) -> Event:
    """The event of an uneven rate that takes a series (n,) from one position to another."""
    low, high = int(first), min(math.ceil(last), x.size - 1)
    size = float(x[high] - x[low])
    course = np.maximum.accumulate((x[low : high + 1] - x[low]) * math.copysign(1, size))
    onset, middle, end = np.interp(np.array([0.1, 0.5, 0.9]) * course[-1], course, np.arange(low, high + 1)).tolist()
    width = end - onset
    sure = _half(UNEVEN * width, width)
    widths = (max(width - 2 * sure, 0.0), width + 2 * sure)
    return Event(middle, onset, end, size, score, middle - sure, middle + sure, *widths, smooth=True)


def _strongest(x: np.ndarray, candidates: list[_Candidate], unit: np.ndarray | None) -> list[_Candidate]:
    """The candidates of a series (n,), of those that overlap only the strongest that is larger than the resolution
    and, of steps, steeper inside than outside."""

    def counts(c: _Candidate) -> bool:
        if unit is not None and abs(c.size) <= UNITS * unit[min(int(c.middle), x.size - 1)]:
            return False
        return c.onset is not None or _steeper_inside(x, c)

    return _apart(sorted(candidates, key=lambda c: -c.score), len(candidates), counts)


def _apart(
    candidates: Sequence[_Candidate], most: int, counts: Callable[[_Candidate], bool] = lambda c: True
) -> list[_Candidate]:
    """The first candidates that count and overlap none before them, at most so many."""
    chosen: list[_Candidate] = []
    taken: list[tuple[float, float]] = []
    for c in candidates:
        if len(chosen) == most:
            break
        low, high = _interval(c)
        if not any(low <= end and start <= high for start, end in taken) and counts(c):
            chosen.append(c)
            taken.append((low, high))
    return chosen


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
    first, last = int(event.onset), math.ceil(event.end) + 1
    return stays(x, first, last, event.size, max(reach, math.ceil(event.width))) or _on_relaxation(x, event)


def _on_relaxation(x: np.ndarray, event: Event) -> bool:
    return event.width <= SPIKE and on_relaxation(x, *_around(x, event), event.size)


def _around(x: np.ndarray, event: Event) -> tuple[int, int]:
    """The last position before an event and the first one after it."""
    return max(int(event.onset) - 1, 0), min(math.ceil(event.end) + 1, x.size - 1)


def _stands_out(x: np.ndarray, event: Event, narrow: float = 16.0) -> bool:
    """Whether a narrow peak of the rate is higher than nine in ten of the rates elsewhere."""
    if not event.smooth or event.width >= narrow:
        return True
    rate = np.abs(np.diff(x))
    first, last = int(event.onset), int(event.end) + 1
    elsewhere = np.concatenate([rate[:first], rate[last:]])
    return elsewhere.size == 0 or float(rate[first:last].max()) > float(np.quantile(elsewhere, 0.9))


def _keeps(x: np.ndarray, event: Event) -> bool:
    """Whether a narrow step in noise is no spike that decays (`guards.recovers`)."""
    if event.smooth or event.width > SPIKE:
        return True
    first, last = _around(x, event)
    change = np.diff(x[first : last + 1]) * math.copysign(1, event.size)
    return not recovers(x, first + int(change.argmax()) + 1, event.size, first) or _on_relaxation(x, event)


def _swings_little(x: np.ndarray, event: Event, reach: float = 4.0) -> bool:
    """Whether a wide event is more than the largest swing of a series that swings.

    A side is at rest if over `reach` widths the series turns back by no more than `BACK` of the event's size, beside
    the drift that both sides share. One side at least must be, and the whole series may turn back as far only so often
    (`MOST_TURNS`).
    """
    if event.width < 8:
        return True
    far = reach * event.width
    low, first = max(int(event.onset - far), 0), int(event.onset)
    last, high = math.ceil(event.end), min(int(event.end + far) + 1, x.size)
    drift = steady(slope(x[low : first + 1]), slope(x[last:high]))
    level = (x[low:high] - drift * np.arange(high - low)) * math.copysign(1, event.size)
    block = max(int(event.width / 4), 1)
    most = BACK[event.smooth] * abs(event.size)
    sides = (level[: first - low + 1], level[last - low :])
    resting = sum(side.size >= event.width / 2 and _fall(_means(side[None], block)[0]) <= most for side in sides)
    return resting > 0 and _turns(_means(x[None], block)[0], most) <= MOST_TURNS[event.smooth][resting]


def _is_no_wave(x: np.ndarray, event: Event, nearby: float = 1.5) -> bool:
    """Whether a wide event is more than one swing of a wave, of which a short record holds few: not both before and
    after it does the series turn back, over `nearby` widths, by `TURNED` of its size or more, while all of it stays
    within the levels that the event joins, give or take `WITHIN`. A drift against the event does not stay within."""
    if event.width < 8:
        return True
    level = x * math.copysign(1, event.size)
    low = max(int(event.middle - 0.625 * event.width), 0)
    high = min(int(event.middle + 0.625 * event.width), x.size - 1)
    block = max(int(event.width / 4), 1)
    near = int(nearby * event.width / block)
    before, after = (_means(side[None], min(block, side.size))[0] for side in (level[low::-1], level[high:]))
    size = after[0] - before[0]
    turned = min(before[:near].max() - before[0], after[0] - after[:near].min())
    beyond = max(before.max(), after.max()) - after[0], before[0] - min(before.min(), after.min())
    return bool(turned < TURNED * size or max(beyond) > WITHIN * size)


def _rests_elsewhere(x: np.ndarray, event: Event, stronger: Sequence[Event]) -> bool:
    """Whether a series without noise moves less outside a peak of its rate, and those of the stronger events, than one
    that wanders smoothly does.

    The median of the changes of blocks of a quarter of the width, beside the steady drift, is at most `RESTING` of the
    largest one inside.
    """
    if not event.smooth:
        return True
    block = max(int(event.width / 4), 1)
    change = np.diff(_means(x[None], block)[0])
    first, last = int(event.onset / block), math.ceil(event.end / block)
    outside = np.ones(change.size, bool)
    outside[max(first - 2, 0) : last + 2] = False
    for other in stronger:
        spare = 0.5 * other.width
        outside[max(int((other.onset - spare) / block) - 1, 0) : math.ceil((other.end + spare) / block) + 1] = False
    elsewhere = change[outside]
    if elsewhere.size < 2:
        return True
    away = np.abs(elsewhere - median(elsewhere))
    return median(away) <= RESTING * float(np.abs(change[first:last]).max(initial=0.0))


def _outgrows(x: np.ndarray, event: Event, events: Sequence[Event], times: float = OUTGROWS) -> bool:
    """Whether an event in noise is so many times what a series (n,) typically changes by elsewhere over the event's
    width, beside the events and the line, cubic or relaxation that suit it best. A random walk and other wander change
    as much elsewhere. Of long series a stretch around the event is asked."""
    if event.smooth:
        return True
    change = _changes_elsewhere(x, event, events)
    if change.size < FEWEST_CHANGES:
        return True
    return times * median(np.abs(change - median(change))) <= math.sqrt(_MEDIAN_OF_SQUARES) * abs(event.size)


def _times_elsewhere(x: np.ndarray, event: Event, events: Sequence[Event]) -> float:
    """How many times the root mean square of `_changes_elsewhere` an event is; 0 if these are few."""
    change = _changes_elsewhere(x, event, events)
    if change.size < FEWEST_TO_BE_FAR:
        return 0.0
    return abs(event.size) / max(math.sqrt(change @ change / change.size), 1e-300)


def _changes_elsewhere(x: np.ndarray, event: Event, events: Sequence[Event]) -> np.ndarray:
    """What a series (n,) changes by elsewhere over the width of an event, beside the events and the line, cubic or
    relaxation that suit it best. Of long series a stretch around the event is asked."""
    block = max(int(event.width / 4), 1)
    if x.size > (size := _NEARBY * block):
        begin = int(min(max(event.middle - size / 2, 0), x.size - size))
        inside = [_earlier(each, begin) for each in events if each.end > begin and each.onset < begin + size]
        return _changes_elsewhere(x[begin : begin + size], _earlier(event, begin), inside)
    y = _means(x[None], block)[0]
    steps = _means(np.stack([_ramp(x.size, each) for each in events]), block).T
    bases = [np.linalg.qr(np.column_stack([course, steps]))[0] for course in _courses(y.size)]
    rest = min((y - basis @ (basis.T @ y) for basis in bases), key=lambda rest: float(rest @ rest))
    lag = max(round(event.width / RAMP_SHARE / block), 1)
    first = np.arange(max(y.size - lag, 0)) * block
    elsewhere = (first + (lag + 1) * block <= event.onset) | (first > event.end)
    return (rest[lag:] - rest[:-lag])[elsewhere]


def _earlier(event: Event, by: int) -> Event:
    """An event of a series whose first `by` measurements are left out."""
    return event._replace(middle=event.middle - by, onset=event.onset - by, end=event.end - by)


def _has_two_sides(x: np.ndarray, event: Event) -> bool:
    """Whether an event without noise is more than a relaxation, and more than one stretch of a course that moves on
    either side.

    The rate of a relaxation is highest where it begins: at the very start of the series, as that of a running mean
    does, or where the series turns, as a learning rate does after its warm-up. The same backwards in time. And of a
    wide event that is not far above the threshold, one side at least is at rest (`RESTS_BESIDE`), over up to its width.
    """
    if not event.smooth:
        return True
    width = max(event.width, 1.0)
    early, late = max(event.middle - event.onset, 1e-9), max(event.end - event.middle, 1e-9)
    rests = []
    for quick, slow, room, near, far in (
        (early, late, event.onset, event.onset - 0.25 * width, event.onset - 1.25 * width),
        (late, early, x.size - 1 - event.end, event.end + 0.25 * width, event.end + 1.25 * width),
    ):
        first, last = (int(np.clip(place, 0, x.size - 1)) for place in (min(near, far), math.ceil(max(near, far))))
        moves = (
            float(np.ptp(x[first : last + 1])) / abs(event.size) if room > 0.25 * width and last > first + 1 else None
        )
        begins = room < (SUDDEN_AT_END - quick / slow) * width
        turns = moves is not None and moves > TURNS_BESIDE
        if begins or (quick < SUDDEN * slow and turns):
            return False
        rests.append(moves is not None and last - first >= 0.25 * width and moves <= RESTS_BESIDE)
    return any(rests) or event.score >= FAR_ABOVE or event.width < x.size / 20


def _fall(course: np.ndarray) -> float:
    """How far a series (n,) comes down from its highest value so far."""
    return float(np.max(np.maximum.accumulate(course) - course, initial=0.0))


def _turns(course: np.ndarray, least: float) -> int:
    """How often a series (n,) turns back by `least` or more."""
    turns, rising = 0, 0
    peak = trough = course[0]
    for value in course.tolist():
        peak, trough = max(peak, value), min(trough, value)
        if rising >= 0 and peak - value >= least:
            turns, rising, trough = turns + (rising > 0), -1, value
        elif rising <= 0 and value - trough >= least:
            turns, rising, peak = turns + (rising < 0), 1, value
    return turns


_CHECKS = (_lasts, _stands_out, _keeps, _swings_little, _is_no_wave)
"""What an event has to pass, given its series."""


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
    place, wide, steps, length = _fine_steps(found.width, low - found.middle, high - found.middle)
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
    middle = found.middle + float(place[best])
    low, high = float(place[best] - place[likely].min()), float(place[likely].max() - place[best])
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


@functools.lru_cache(maxsize=32)
def _fine_steps(width: float, low: float, high: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ramps and logistic steps around a candidate of a width, in `BLOCKS` blocks from `low` to `high` of its middle:
    their middles (steps,), 10 to 90% widths, what they add to the line (64, steps), and the length of that."""
    edges = np.linspace(low - 0.5, high + 0.5, BLOCKS + 1)
    centres = 0.5 * (edges[1:] + edges[:-1])
    middles = max(width, 2.0) * np.linspace(-0.7, 0.7, 29)
    base = max(width, 1.0)
    widths = np.concatenate([[w for w in (1.0, 2.0, 4.0) if w < 0.4 * base], base * np.geomspace(0.4, 2.0, 10)])
    place, wide = (grid.ravel() for grid in np.meshgrid(middles, widths))
    forms = _forms(centres[:, None] - place, wide)
    steps, length = beside(np.concatenate(forms, axis=1), _nulls()[1])
    return np.tile(place, len(forms)), np.tile(wide, len(forms)), steps, length


def relaxes(x: np.ndarray, steps: np.ndarray, event: Event) -> bool:
    """Whether, on uneven steps, the rate per step before the onset is half of that inside, or more.

    On even steps the rates of measurements are those of steps, and were looked at.
    """
    if evenly_spaced(steps):
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
        slope = (logs[-1] - logs[-4]) / (at[-1] - at[-4])
        found = float(logs[-1] + float(np.clip(slope, *TAIL[smooth])) * (score - at[-1]))
    return float(np.clip(math.exp(max(found, -700.0)), 1e-12, 1.0))


def least_score(smooth: bool, length: int) -> float:
    """Score from which the p-value of an event is no larger than `largest_p_value`."""
    known = _nearest(length, smooth)
    allowed = -math.log(largest_p_value(smooth, length))
    return max(float(np.interp(allowed, -np.log(known["p_value"]), known["score"])), LEAST[smooth])


def largest_p_value(smooth: bool, length: int) -> float:
    """Largest p-value of an event: `ALARMS_PER_1000` of its search in the worst null, and at most as many in a
    series."""
    alarms = ALARMS_PER_1000[smooth]
    return min(alarms * length / 1000, alarms)
