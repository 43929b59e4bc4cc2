"""The search for steps in noise.

Windows of 64 blocks, half overlapping eightfold. In each, a line with a ramp or a logistic step of any
width and place is fitted, and against it what a series without a transition may do: a cubic, a line that bends once,
a line with an exponential relaxation towards either end. Where the step explains nearly all, its middle and width are
refined between those of the bank. The score is the log likelihood ratio against the best of
these, with as many independent residuals as their autocorrelation leaves (n (1 - r) / (1 + r), r the larger of the
window's own and the median over the windows of that scale; Bartlett 1946), and no more than the gain of steps in the
other windows allows. A random walk explains itself by its few independent residuals, a slow wander below the noise by
the steps that many windows seem to hold, a relaxation by its own form, drift by the line.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from ontogeny.jumps.guards import slope
from ontogeny.jumps.shapes import (
    BLOCKS,
    LEAST_SHARE,
    RAMP_SHARE,
    ROUNDING,
    WIDEST,
    Candidate,
    beside,
    block_means,
    forms_of_change,
    sums_of_squares,
)

HOP = 8

WIDTHS = (4, 5, 6, 8, 10, 12, 16, 21, 26)

NOISY = 5.3

PER_WINDOW = 0.8

FINEST = 1.0

FEWEST_WINDOWS = 8
"""Windows of a scale from which a series is asked whether it wanders below its noise."""

ROUNDED = (2.0, 4.0, 8.0)
"""Blocks over which a bend may be rounded, as that of the logarithm of a decay to a floor is."""

_GAIN_OF_NOISE = 1.07
"""Log likelihood ratio over a cubic that the steps of `_screened` have in 6 of 10 windows of white noise, or less."""

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


@functools.cache
def nulls() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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


@functools.cache
def _steps() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ramps and logistic steps beside the line (64, shapes); their middle, their 10 to 90% width, their length."""
    u = np.arange(BLOCKS) + 0.5
    shapes, middles, widths = [], [], []
    for width in WIDTHS:
        margin = max(2.0, width / 2) + 0.4 * width
        for middle in np.arange(math.ceil(margin), BLOCKS - margin + 1e-9, max(1, width // 4)):
            forms = forms_of_change(u - middle, RAMP_SHARE * width)
            shapes += forms
            middles += [middle] * len(forms)
            widths += [RAMP_SHARE * width] * len(forms)
    steps, length = beside(np.array(shapes).T, nulls()[1])
    return steps, np.array(middles), np.array(widths), length


@functools.lru_cache(maxsize=1024)
def _finer(k: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps of the form of the bank's step `k` whose middle and width lie between those of the bank, beside the line
    (64, shapes), and what each becomes if its middle, its width and its form are not quite those, beside the line and
    the step itself: orthonormal, (shapes, 64, 5)."""
    line = nulls()[1]
    _, middles, widths, _ = _steps()
    u = np.arange(BLOCKS) + 0.5
    form = k % len(forms_of_change(u, 1.0))
    hop = max(1, int(widths[k] / RAMP_SHARE) // 4)
    steps, around = [], []
    for shift in hop * np.array([-0.5, -0.25, 0.0, 0.25, 0.5]):
        for by in (0.9, 1.0, 1.1):
            middle, width = middles[k] + shift, by * widths[k]
            forms = forms_of_change(u - middle, width)
            later, earlier = (forms_of_change(u - middle - away, width)[form] for away in (0.25, -0.25))
            wider, narrower = (forms_of_change(u - middle, width * more)[form] for more in (1.1, 0.9))
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


def steps_in_noise(x: np.ndarray, least: float) -> list[list[Candidate]]:
    """Steps of any width in each series (series, n), as likelihood ratios in windows of `BLOCKS` blocks."""
    found: list[list[Candidate]] = [[] for _ in x]
    smallest = LEAST_SHARE * np.ptp(x, axis=1)
    _, middles, widths, _ = _steps()
    for block in _scales(x.shape[1]):
        y = block_means(x, block)
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
            found[row].append(Candidate(at_step, wide, change, strength, block=block, alone=own))
    return found


def _independent(rho: np.ndarray) -> np.ndarray:
    """Independent residuals of a window that are autocorrelated by `rho` (windows,)."""
    return BLOCKS * (1 - rho) / (1 + rho)


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
    (cubic, line, _), steps = nulls(), _few_steps()
    bent = values @ cubic
    bent = sums_of_squares(values) - sums_of_squares(bent)
    rest = values - (values @ line) @ line.T
    straight = sums_of_squares(rest)
    part = rest @ steps
    best, held = _largest(part)
    rest -= held[:, None] * steps.T[best]
    left = np.maximum(sums_of_squares(rest), ROUNDING * sums_of_squares(values) + 1e-300)
    rho = np.einsum("ij,ij->i", rest[:, 1:], rest[:, :-1]) / left
    rho = np.minimum(np.maximum(rho + (1 + 4 * rho) / BLOCKS, 0), 0.97)
    return np.log(np.maximum(straight, left) / left), rho, np.log(np.maximum(bent, left) / left)


def _largest(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """In each row the first place of the value that is furthest from zero, and that value."""
    each, low, high = np.arange(len(part)), part.argmin(axis=1), part.argmax(axis=1)
    least, most = part[each, low], part[each, high]
    lower = (-least > most) | ((-least == most) & (low < high))
    return np.where(lower, low, high), np.where(lower, least, most)


def _window_scores(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """For each window (windows, 64): log ratio of residual sums of squares, residual autocorrelation, best step, its
    size, and whether the step leaves next to nothing.

    Where that is so, what it leaves is how its form differs from that of the change; the
    autocorrelation is that of the rest.
    """
    cubic, line, bends = nulls()
    steps, _, _, length = _steps()
    values = values - values.mean(axis=1, keepdims=True)
    total = sums_of_squares(values)
    rest = values - (values @ line) @ line.T
    straight = sums_of_squares(rest)
    smooth = np.maximum(np.square(rest @ bends).max(axis=1), sums_of_squares(values @ cubic) - (total - straight))
    part = rest @ steps
    best, held = _largest(part)
    floor = ROUNDING * total + 1e-300
    without = np.maximum(straight - smooth, floor)
    rest -= held[:, None] * steps.T[best]
    left = sums_of_squares(rest)
    close = left < CLOSE * straight
    for row in np.flatnonzero(close):
        fine, around = _finer(int(best[row]))
        whole = rest[row] + held[row] * steps[:, best[row]]
        part = whole @ fine
        nearest = int(np.abs(part).argmax())
        whole -= part[nearest] * fine[:, nearest]
        left[row] = whole @ whole
        rest[row] = whole - around[nearest] @ (whole @ around[nearest])
    rho = np.einsum("ij,ij->i", rest[:, 1:], rest[:, :-1]) / np.maximum(sums_of_squares(rest), 1e-300)
    rho = np.minimum(np.maximum(rho + (1 + 4 * rho) / BLOCKS, 0), 0.97)
    return np.log(without / np.maximum(left, floor)), rho, best, held / length[best], close


def steeper_inside(x: np.ndarray, step: Candidate) -> bool:
    """Whether the rate inside is larger than on either side, over up to 3/4 of the width."""
    y = block_means(x[None], step.block)[0]
    middle, width = (step.middle + 0.5) / step.block, step.width / step.block / RAMP_SHARE
    sign = math.copysign(1, step.size)
    bounds = [middle - 1.25 * width, middle - width / 2, middle + width / 2, middle + 1.25 * width]
    a, b, c, d = (int(np.clip(round(bound), 0, y.size)) for bound in bounds)
    inside = sign * slope(y[max(round(middle - 0.4 * width), 0) : max(round(middle + 0.4 * width), 2)])
    return inside > max(sign * slope(y[a : b + 1]), sign * slope(y[max(c - 1, 0) : d]))
