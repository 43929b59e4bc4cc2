"""What a series does beside its changes: relaxations that it is searched without, waves, and how much it changes
elsewhere."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

from ontogeny.jumps.peaks import unit_of
from ontogeny.jumps.shapes import (
    LOGISTIC,
    MEDIAN_OF_SQUARES,
    RAMP_SHARE,
    Event,
    beside,
    block_means,
    forms_of_change,
    orthonormal,
    straight_rise,
    sums_of_squares,
)
from ontogeny.statistics import median

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

_NEARBY = 4096
"""Points around an event, in quarters of its width, at most, with which it is compared."""

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

RELAXATIONS = np.geomspace(0.015, 0.8, 10)
"""Time constants of relaxations that series are searched without, as shares of the record."""


def levelled(x: np.ndarray) -> np.ndarray:
    """The series (series, n), of those that are not rounded without their relaxation, if it is nearly all of them and
    the rest, beside a step, is even noise. A step on a steep part of it would be taken for a bend, or misplaced."""
    y = block_means(x, max(x.shape[1] // COURSE_POINTS, 1))
    bases = _relaxations(y.shape[1])[0]
    rest = y - (y @ bases[0][:, :2]) @ bases[0][:, :2].T
    straight = sums_of_squares(rest)
    left = straight - np.square(rest @ bases[:, :, 2].T).max(axis=1)
    place = (np.arange(x.shape[1]) + 0.5) / (y.shape[1] * max(x.shape[1] // COURSE_POINTS, 1))
    out = x.copy()
    for row in np.flatnonzero(left < RELAXING * straight).tolist():
        if not unit_of(x[row]) > 0:
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


def is_wave(x: np.ndarray, events: Sequence[Event]) -> bool:
    """Whether one wave beside a straight line, of up to `WAVE[1]` cycles, explains a whole series (n,) far better than
    these events beside a line, a cubic or a relaxation: it leaves less than `WAVE_LEAVES` of the squares. Several
    events of one direction are no wave."""
    directions = [event.size > 0 for event in events]
    if len(set(directions)) < len(directions):
        return False
    block = max(x.size // WAVE_POINTS, 1)
    y = block_means(x[None], block)[0]
    courses, waves = _courses(y.size), _waves(y.size)
    y = y - y.mean()
    by_wave = float(y @ y) - float(np.square(y @ waves).reshape(-1, 4).sum(axis=1).max())
    place = (np.arange(y.size) + 0.5) * block - 0.5
    forms = [forms_of_change(place - 0.5 * (event.onset + event.end), event.width)[::3] for event in events]
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
    return [orthonormal(course) for course in courses]


@functools.lru_cache(maxsize=16)
def _waves(count: int) -> np.ndarray:
    """Orthonormal bases of a line with a sine of any phase, of all frequencies side by side (points, 4 frequencies)."""
    t = np.linspace(-1, 1, count)
    cycles = np.pi * np.arange(0.75, WAVE[1] + 0.01, 0.125)
    waves = [np.stack([np.ones(count), t, np.sin(cycle * t), np.cos(cycle * t)], axis=1) for cycle in cycles]
    return np.concatenate(np.linalg.qr(np.array(waves))[0], axis=1)


def outgrows(x: np.ndarray, event: Event, events: Sequence[Event], times: float = OUTGROWS) -> bool:
    """Whether an event in noise is so many times what a series (n,) typically changes by elsewhere over the event's
    width, beside the events and the line, cubic or relaxation that suit it best. A random walk and other wander change
    as much elsewhere. Of long series a stretch around the event is asked."""
    if event.smooth:
        return True
    change = _changes_elsewhere(x, event, events)
    if change.size < FEWEST_CHANGES:
        return True
    return times * median(np.abs(change - median(change))) <= math.sqrt(MEDIAN_OF_SQUARES) * abs(event.size)


def times_elsewhere(x: np.ndarray, event: Event, events: Sequence[Event]) -> float:
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
    y = block_means(x[None], block)[0]
    steps = block_means(np.stack([straight_rise(x.size, each) for each in events]), block).T
    bases = [np.linalg.qr(np.column_stack([course, steps]))[0] for course in _courses(y.size)]
    rest = min((y - basis @ (basis.T @ y) for basis in bases), key=lambda rest: float(rest @ rest))
    lag = max(round(event.width / RAMP_SHARE / block), 1)
    first = np.arange(max(y.size - lag, 0)) * block
    elsewhere = (first + (lag + 1) * block <= event.onset) | (first > event.end)
    return (rest[lag:] - rest[:-lag])[elsewhere]


def _earlier(event: Event, by: int) -> Event:
    """An event of a series whose first `by` measurements are left out."""
    return event._replace(middle=event.middle - by, onset=event.onset - by, end=event.end - by)
