"""Transitions: changes that take a while. Widths from one measurement to a third of the record.

Two searches, for two kinds of series, each over dyadic scales (block means of 1, 2, 4, ... points).

*In noise* (`noisy`): the likelihood ratio of steps in windows of blocks.

*Without noise* (`peaks`): peaks of the rate, in units of what a random walk of the rate would reach.

Scores are divided by the threshold of their scale, which was set on the nulls of the battery
(`ontogeny.jumps.series`); `p_value` turns the scores of either search into probabilities under the worst of them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from ontogeny.jumps.courses import FAR, OUTGROWS_WAVE, WAVE, WIDE, is_wave, levelled, outgrows, times_elsewhere
from ontogeny.jumps.events import evenly_spaced
from ontogeny.jumps.guards import on_relaxation, recovers, slope, stays, steady
from ontogeny.jumps.noisy import CLEAR, nulls, steeper_inside, steps_in_noise
from ontogeny.jumps.peaks import SMOOTH, peaks_of_rates
from ontogeny.jumps.shapes import (
    BLOCKS,
    RAMP_SHARE,
    ROUNDING,
    SHORTEST,
    WIDEST,
    Candidate,
    Event,
    all_apart,
    beside,
    block_means,
    forms_of_change,
    overlap,
    straight_rise,
)
from ontogeny.statistics import median

FLOWS = 0.5
"""Share of the rate inside an event without noise with which it goes on beyond its end."""

UNLIKE = 0.035
"""Share of its size by which a change of uneven rate is nowhere more than from one of even rate."""

UNEVEN = 0.1
"""Share of its width by which a change whose rate is uneven is misplaced."""

MISFIT = 0.03
"""Share of its width by which a change of another form than the fitted ones is misplaced."""

WIDTH_MISFIT = 0.15
"""Share of its width by which the width of such a change is off."""

UNITS = 1.5

_MOST_APART = 6
"""Steps of a series that are scored without the others."""

_MOST_VALUES = 100_000
"""Values that are searched at a time, in series of one length."""

BACK = {False: 0.7, True: 0.35}
"""Share of the size of an event in noise, and of one without, by which a series that turns back swings."""

MOST_TURNS = {False: (0, 1, 3), True: (0, 1, 3)}
"""Times that a series may do so, by the number of sides of the event at which it is at rest."""

TURNED = 0.3
"""Share of the size of an event by which a series that turns back before and after it is a wave."""

WITHIN = 0.15
"""Share of the size of an event by which a wave goes beyond the two levels that the event joins, at most."""

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


def _without_others(x: np.ndarray, found: list[list[Candidate]], least: float) -> list[list[Candidate]]:
    """The steps of each series (series, n) with a score of `least`, each also scored after the others that are `CLEAR`
    by their own windows were taken out: several changes are no autocorrelation of the noise, and no wander. Three or
    more that go up and down are a wave, and stay."""
    freed, asked, far = [], [], []
    for row, candidates in enumerate(found):
        if not any(c.alone >= CLEAR for c in candidates):
            continue
        apart = all_apart(sorted(candidates, key=lambda c: -c.alone), _MOST_APART)
        clear = {c: _placed(x[row], c) for c in apart if c.alone >= CLEAR and steeper_inside(x[row], c)}
        events = list(clear.values())
        for c, event in clear.items():
            score = min(c.alone, times_elsewhere(x[row], event, events) / FAR)
            if score > c.score and event.width >= WIDE:
                best = max((other for other in candidates if overlap(c, other)), key=lambda other: other.score)
                far.append((row, best._replace(score=max(score, best.score))))
        if len(apart) < 2:
            continue
        up_and_down = len(apart) > 2 and len({c.size > 0 for c in apart}) > 1
        if up_and_down and not all(outgrows(x[row], event, events, OUTGROWS_WAVE) for event in events):
            continue
        for c in apart:
            others = [event for other, event in clear.items() if other is not c]
            if others:
                freed.append(x[row] - sum(straight_rise(x.shape[1], event) for event in others))
                asked.append((row, c))
    found = [[c for c in candidates if c.score >= least] for candidates in found]
    for row, c in far:
        if c.score >= least:
            found[row].append(c)
    if freed:
        for (row, c), again in zip(asked, steps_in_noise(np.stack(freed), least)):
            found[row] += [other for other in again if other.score >= least and overlap(c, other)]
    return found


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
        x = levelled(part - np.median(part, axis=1, keepdims=True))
        in_noise = _without_others(x, steps_in_noise(x, noisy), noisy)
        for given, row, steps, peaks in zip(part, x, in_noise, peaks_of_rates(x, smooth)):
            chosen = _strongest(row, [*steps, *peaks], resolution(given)) if steps or peaks else []
            found: list[Event] = []
            for event in (_placed(row, c) for c in chosen):
                if all(check(row, event) for check in _CHECKS) and _rests_elsewhere(row, event, found):
                    found.append(event)
            joined = _joined(row, sorted(found, key=lambda event: event.middle))
            joined = [event for event in joined if outgrows(row, event, joined) and _has_two_sides(row, event)]
            wide = [event for event in joined if not event.smooth and event.width >= max(WAVE[0] * n, 8.0)]
            waves = bool(wide) and is_wave(row, wide)
            events.append([event for event in joined if event not in wide] if waves else joined)
    return events


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
    shapes = [form for middle in BLOCKS * np.linspace(0.2, 0.8, 25) for form in forms_of_change(place - middle, widths)]
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


def _strongest(x: np.ndarray, candidates: list[Candidate], unit: np.ndarray | None) -> list[Candidate]:
    """The candidates of a series (n,), of those that overlap only the strongest that is larger than the resolution
    and, of steps, steeper inside than outside."""

    def counts(c: Candidate) -> bool:
        if unit is not None and abs(c.size) <= UNITS * unit[min(int(c.middle), x.size - 1)]:
            return False
        return c.onset is not None or steeper_inside(x, c)

    return all_apart(sorted(candidates, key=lambda c: -c.score), len(candidates), counts)


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
    resting = sum(side.size >= event.width / 2 and _fall(block_means(side[None], block)[0]) <= most for side in sides)
    return resting > 0 and _turns(block_means(x[None], block)[0], most) <= MOST_TURNS[event.smooth][resting]


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
    before, after = (block_means(side[None], min(block, side.size))[0] for side in (level[low::-1], level[high:]))
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
    change = np.diff(block_means(x[None], block)[0])
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


def _placed(x: np.ndarray, found: Candidate) -> Event:
    """Onset, midpoint and end: of a peak of the rate its own; otherwise by a step fitted to the surroundings.

    Intervals: of the profile likelihood; of a peak of the rate its width over the peak's height in units of its noise;
    both widened by what another form of the change would be off.
    """
    if found.onset is not None:
        sure = _half(found.width / (SMOOTH * found.score), found.width)
        end = found.onset + found.width
        places = (found.middle, found.onset, end, found.size, found.score, found.middle - sure, found.middle + sure)
        return Event(*places, max(found.width - 2 * sure, 0.0), found.width + 2 * sure, smooth=True)
    line = nulls()[1]
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
    forms = forms_of_change(centres[:, None] - place, wide)
    steps, length = beside(np.concatenate(forms, axis=1), nulls()[1])
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
