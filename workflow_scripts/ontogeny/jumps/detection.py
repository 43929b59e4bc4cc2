"""`detect_jumps`: run a detector of the registry, or a user's own, on a series, and say how sure each event is."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ontogeny.arguments import plain
from ontogeny.errors import OntogenyError, expect, shown, unknown
from ontogeny.jumps import multiscale
from ontogeny.jumps.calibration import Searched, battery_p_values, raised_p_values
from ontogeny.jumps.chances import largest_p_value, least_score, p_value
from ontogeny.jumps.detectors import Detector, abstention, check_settings, normal_events, resolve_detector
from ontogeny.jumps.events import LONGEST_GAP, Detection, Jump, above_floor, as_series, levels_around
from ontogeny.jumps.guards import BOUND_SIGMAS, guard, in_units, lasting
from ontogeny.jumps.multiscale import MERGE, unit_note
from ontogeny.jumps.settings import JumpSettings
from ontogeny.jumps.shapes import RAMP_SHARE, SHORTEST, Event, beside
from ontogeny.jumps.transitions import UNITS, relaxes, transition_events
from ontogeny.statistics import median
from ontogeny.words import counted

DEFAULTS = JumpSettings()

Series = tuple[np.ndarray, np.ndarray]
"""Values (n,) and their steps (n,), as `as_series` gives them."""

Found = TypeVar("Found")

ABRUPT = 2.0
"""Widths, in measurements, up to which a change is a jump."""


REACH = 14
"""Points on either side of a jump from which it is placed."""

QUICK = (1.0, 2.0, 3.0, 4.0)
"""Points that a jump may take."""

TRANSITION = "transition"
"""Detector of jumps and transitions together."""

LOOKS = 1.5
"""What p-values are multiplied by where a series is searched for jumps and for transitions: in the worst families of
the battery, so many times as many series hold one below a chance by both searches as by one. Bonferroni's 2 is for
searches that never meet."""

FEWEST_AFTER = 4
"""Values from a jump on of which it can be said whether they recover."""

UNSURE = 0.02
"""Least p-value of a jump with fewer, which may be the beginning of a spike."""


def detect_jumps(
    values: Any,
    steps: Any = None,
    detector: str | Callable[..., Iterable[Any]] | Detector = DEFAULTS.detector,
    *,
    noise_floor: float = DEFAULTS.noise_floor,
    surrogates: int = 0,
    surrogate_seed: int = 0,
    **settings: Any,
) -> Detection:
    """Find abrupt, lasting changes in a series.

    values: numbers (n,), one for each logged step; steps: the logged steps (n,), rising, 0..n-1 if not given.
    detector: a name in `DETECTORS`, an entry of it, or a function of a series that returns events (see `detectors`).
    noise_floor: least change, relative to the magnitude of the values around it, that can be a jump.
    p-values come from the battery of nulls (`battery_p_values`): the chance that a series of this length without a
    jump, of the family that does so most often, holds a score as high; NaN for a detector or settings that the stored
    battery does not hold. surrogates: when above 0, that many surrogates of the series itself are asked
    (`surrogate_p_values`, with the seed `surrogate_seed`); of the default detector the larger p-value counts, and they
    are asked where it may be theirs (`raised_p_values`); of others, which fire in most series of some family, theirs.
    settings: the detector's own.

    NaN and infinities are left out, as if those steps had not been logged (`.missing` counts them); a change
    across more than four of them in a row cannot be placed and is not reported, but noted. Constant series give none.
    A series too short for the detector gives none and `.abstained` says why.

    Returns a `Detection`: a list of `Jump` in order of step. Raises OntogenyError for values or settings that are not
    valid.
    """
    given = [as_series(values, steps)]
    return jumps_in_each(given, detector, noise_floor, surrogates=surrogates, seeds=[surrogate_seed], **settings)[0]


def jumps_in_each(
    series: Sequence[Series],
    detector: str | Callable[..., Iterable[Any]] | Detector = DEFAULTS.detector,
    noise_floor: float = DEFAULTS.noise_floor,
    *,
    surrogates: int = 0,
    seeds: Sequence[int] | None = None,
    looks: Sequence[Look] | None = None,
    **settings: Any,
) -> list[Detection]:
    """`detect_jumps` for many series (values (n,), steps (n,)), faster where many have one length.

    looks: of a guarded detector, what `look_at` gave for each, if it is known. Raises OntogenyError for an unknown
    detector, settings it does not have, or a noise floor that is no relative change.
    """
    return changes_in_each(
        series, detector, noise_floor, False, surrogates=surrogates, seeds=seeds, looks=looks, **settings
    )[0]


def changes_in_each(
    series: Sequence[Series],
    detector: str | Callable[..., Iterable[Any]] | Detector = DEFAULTS.detector,
    noise_floor: float = DEFAULTS.noise_floor,
    transitions: bool = DEFAULTS.transitions,
    *,
    surrogates: int = 0,
    seeds: Sequence[int] | None = None,
    looks: Sequence[Look] | None = None,
    **settings: Any,
) -> tuple[list[Detection], list[Detection]]:
    """The jumps of many series, as `jumps_in_each` finds them, and with them the transitions of `transitions_in_each`.

    Surrogates are asked only about jumps whose place no transition takes: in the first list of the two, p-values are
    those of the battery, of jumps alone; in the second they are for both searches (`LOOKS`). transitions: without them,
    both lists are one. Raises OntogenyError for an unknown
    detector, settings it does not have, or a noise floor that is no relative change.
    """
    name, entry = resolve_detector(detector)
    if not isinstance(noise_floor, int | float | np.number) or not 0 <= noise_floor < 1:
        raise OntogenyError(f"noise_floor = {noise_floor!r} is not a relative change: give a number from 0 to below 1")
    search = _Search(name, entry, check_settings(name, entry, settings), noise_floor, surrogates)
    looked = looks if looks and entry.guarded else [look_at(values, entry.guarded) for values, _ in series]
    jumps, unsure = _jumps(series, search, looked, seeds)
    found = (
        transitions_in_each(series, noise_floor, jumps, looked if entry.guarded else looks) if transitions else jumps
    )
    if surrogates:
        _ask_surrogates(found, unsure, search)
    if entry.guarded:
        for each, last, look in zip(jumps, found, looked):
            if not last:
                _say_units(each, look, UNITS if transitions else multiscale.UNITS)
    return jumps, found


def _say_units(found: Detection, look: Look, units: float) -> None:
    """Add to a detection that gave nothing that whole numbers move by no more than so many of their units, if so."""
    note = None if found.abstained else unit_note(look.values, units)
    if note and note not in found.notes:
        found.notes += (note,)


class _Search(NamedTuple):
    """A detector by its name and entry, its completed settings, the noise floor, and how many surrogates are asked."""

    name: str
    entry: Detector
    settings: dict[str, Any]
    noise_floor: float
    surrogates: int


def _jumps(
    series: Sequence[Series], search: _Search, looked: Sequence[Look], seeds: Sequence[int] | None
) -> tuple[list[Detection], dict[int, Searched]]:
    """The jumps of each series; and, by its place, what was searched of each of which no surrogates were asked."""
    name, entry, settings, noise_floor, surrogates = search
    found = []
    for (values, _), look in zip(series, looked):
        each = Detection(detector=name, settings=settings, length=values.size, missing=look.missing, notes=look.notes)
        each.abstained = abstention(look.values, entry)
        each.notes += () if each.abstained else look.flat_note(noise_floor)
        found.append(each)
    views = [
        View(i, *view)
        for i, look in enumerate(looked)
        if not found[i].abstained and not look.flat(noise_floor)
        for view in look.views()
    ]
    searched: list[tuple[View, Searched]] = []
    for view, events in _by_length(views, lambda x: _events(x, name, entry, settings)):
        i, look = view.of, looked[view.of]
        if entry.guarded:
            events = [event for event in events if lasting(view.values, event[0], event[2], look.noise)]
        if view.logs:
            events = [(at, score, _of_logs(view.values, at - 1, at, size)) for at, score, size in events]
        events, notes = _reportable(events, look.values, look.kept, series[i][1], noise_floor)
        found[i].notes += tuple(note for note in notes if note not in found[i].notes)
        if events:
            p_values = battery_p_values([e[1] for e in events], look.values.size, name, settings)
            if entry.guarded:
                late = np.array([e[0] for e in events]) > look.values.size - FEWEST_AFTER
                p_values[late] = np.maximum(p_values[late], UNSURE)
            searched.append((view, Searched(view.values, events, p_values, seeds[i] if seeds is not None else 0)))
    twofold = [pair for pair in searched if looked[pair[0].of].searches > 1]
    if surrogates and twofold:
        raised = raised_p_values([one for _, one in twofold], entry, settings, surrogates)
        twofold = [(view, one._replace(p_values=p)) for (view, one), p in zip(twofold, raised)]
    once = [pair for pair in searched if looked[pair[0].of].searches == 1]
    jumps: dict[int, list[Jump]] = {}
    for view, one in [*once, *twofold]:
        look, places = looked[view.of], series[view.of][1]
        each_p = np.minimum(one.p_values * look.searches, 1.0).tolist()
        jumps.setdefault(view.of, []).extend(
            _jump(event, view.values, look, places, p) for event, p in zip(one.events, each_p)
        )
    for i, changes in jumps.items():
        if looked[i].searches > 1:
            changes = _surest(changes, MERGE)
        found[i].extend(_with_levels(changes, looked[i], series[i][1]))
    return found, {view.of: one._replace(at=looked[view.of].kept[[e[0] for e in one.events]]) for view, one in once}


def _ask_surrogates(found: Sequence[Detection], unsure: dict[int, Searched], search: _Search) -> None:
    """Let the surrogates of series that hold jumps raise the p-values of these."""
    asked = [i for i in unsure if any(change.kind == "jump" for change in found[i])]
    raised = raised_p_values([unsure[i] for i in asked], search.entry, search.settings, search.surrogates)
    for i, p_values in zip(asked, raised):
        count = _looks(found[i])
        of = dict(zip(unsure[i].at.tolist(), np.minimum(count * p_values, 1.0).tolist()))
        found[i][:] = [replace(c, p_value=of[c.index]) if c.kind == "jump" else c for c in found[i]]


def _looks(found: Detection) -> float:
    """What the p-values of a detection are multiplied by."""
    return LOOKS if found.detector == TRANSITION and found.abstained is None else 1


def _surest(changes: list[Jump], near: int) -> list[Jump]:
    """The changes of a series in order of place; of those that are in it by two searches, the one of lesser p-value."""
    kept: list[Jump] = []
    for change in sorted(changes, key=lambda change: change.p_value):
        if all(
            abs(change.index - other.index) > near and not (change.onset <= other.end and other.onset <= change.end)
            for other in kept
        ):
            kept.append(change)
    return sorted(kept, key=lambda change: change.index)


@dataclass(frozen=True)
class Look:
    """The finite, guarded values (m,) of a series, and their positions (m,) in it."""

    values: np.ndarray
    kept: np.ndarray
    missing: int
    noise: float
    notes: tuple[str, ...]
    proportional: bool = False
    exponent: int = 0
    """The values are those of the series divided by 2 to this power."""

    @property
    def searches(self) -> int:
        """How many views there are, by which p-values are multiplied."""
        return 1 + self.proportional

    def views(self) -> list[tuple[np.ndarray, bool]]:
        """The values (m,) and, if their noise is proportional to their level, their logarithms: what is searched, and
        whether it is logarithms."""
        return [(self.values, False), *([(np.log(self.values), True)] if self.proportional else [])]

    def flat(self, noise_floor: float) -> bool:
        """Whether the values differ by no more than the noise floor."""
        return self.values.size < 2 or bool(np.ptp(self.values) <= noise_floor * np.max(np.abs(self.values)))

    def flat_note(self, noise_floor: float) -> tuple[str, ...]:
        """Why nothing is found in values that differ by no more than the noise floor, though not equal; else none."""
        if not (self.flat(noise_floor) and self.values.size and np.ptp(self.values) > 0):
            return ()
        share = float(np.ptp(self.values) / np.max(np.abs(self.values)))
        return (
            f"it varies by {share:.2g} of its size, which is not above the noise floor, {noise_floor:g}, below which "
            "rounding makes changes too",
        )


def look_at(series: np.ndarray, guarded: bool = True) -> Look:
    """The values of a series (n,) that are searched."""
    finite = np.isfinite(series)
    kept = np.flatnonzero(finite)
    values = np.ascontiguousarray(series[kept])
    missing = series.size - kept.size
    if not guarded:
        return Look(values, kept, missing, 0.0, ())
    seen = guard(values)
    return Look(seen.values, kept[seen.kept], missing, seen.noise, seen.notes, seen.proportional, seen.exponent)


class View(NamedTuple):
    """One search of a series: its place among the given ones, its values (m,) or their logarithms, and which of the
    two."""

    of: int
    values: np.ndarray
    logs: bool


def _of_logs(x: np.ndarray, onset: int, end: int, size: float) -> float:
    """A change of `size` of logarithms x (n,) from one position to another, in the units of the values."""
    level = 0.5 * (median(x[max(onset - 7, 0) : onset + 1]) + median(x[end : end + 8]))
    return float(np.exp(level + 0.5 * size) - np.exp(level - 0.5 * size))


def _by_length(
    views: Sequence[View], search: Callable[[np.ndarray], list[list[Found]]]
) -> Iterator[tuple[View, list[Found]]]:
    """What `search` finds in each view, which it is given (series, n), those of one length together."""
    lengths: dict[int, list[View]] = {}
    for view in views:
        lengths.setdefault(view.values.size, []).append(view)
    for members in lengths.values():
        yield from zip(members, search(np.stack([view.values for view in members])))


def _events(
    x: np.ndarray, name: str, entry: Detector, settings: dict[str, Any]
) -> list[list[tuple[int, float, float]]]:
    if entry.many is None:
        return [normal_events(entry.function(row, **settings), row, name) for row in x]
    return [normal_events(events, row, name) for events, row in zip(entry.many(x, **settings), x)]


def _jump(event: tuple[int, float, float], x: np.ndarray, look: Look, places: np.ndarray, p_value: float) -> Jump:
    (i, score, size), kept = event, look.kept
    onset, end = places[kept[i - 1]].item(), places[kept[i]].item()
    low, high = (places[kept[at]].item() for at in _likely_splits(x, i))
    return Jump(
        step=end,
        index=int(kept[i]),
        size=in_units(float(size), look.exponent),
        direction="up" if size > 0 else "down",
        score=float(score),
        p_value=p_value,
        onset=onset,
        end=end,
        midpoint_low=low,
        midpoint_high=high,
        width_low=0.0,
        width_high=float(high - low),
    )


def _likely_splits(x: np.ndarray, index: int) -> tuple[int, int]:
    """Positions in a series (n,) between which the midpoint of a jump to the level that begins at `index` lies, with
    95% confidence.

    The profile likelihood of a change between two levels, at once or over up to four points, that is not far from
    `index`; the autocorrelation that the best one leaves says how many of the points count.
    """
    first, last = max(index - REACH, 0), min(index + REACH, x.size)
    y = x[first:last] - x[first:last].mean()
    middles, steps = _quick_steps(index - first, y.size)
    part = y @ steps
    best = int(np.abs(part).argmax())
    left = np.maximum(y @ y - part**2, 1e-12 * (y @ y))
    rest = y - part[best] * steps[:, best]
    rho = min(max(float(rest[1:] @ rest[:-1]) / max(float(rest @ rest), 1e-300), 0.0), 0.9)
    likely = middles[left <= left[best] * math.exp(3.84 / (y.size * (1 - rho) / (1 + rho)))] + first
    return min(math.floor(likely.min() - 0.25), index - 1), max(math.ceil(likely.max() + 0.25), index)


@functools.lru_cache(maxsize=256)
def _quick_steps(index: int, n: int, near: float = 6.0) -> tuple[np.ndarray, np.ndarray]:
    """Middles (steps,) of changes that take up to four points, about `index` of n points, and the changes, centred and
    of length 1, (n, steps)."""
    place = np.arange(n)
    middles = np.arange(max(index - 0.5 - near, 1.0), min(index - 0.5 + near, n - 2.0) + 0.25, 0.5)
    shapes = [np.clip((place[:, None] - middles) / width + 0.5, 0.0, 1.0) for width in QUICK]
    return np.tile(middles, len(QUICK)), beside(np.concatenate(shapes, axis=1), np.full((n, 1), n**-0.5))[0]


def _with_levels(jumps: list[Jump], look: Look, places: np.ndarray) -> list[Jump]:
    """The changes of a series, in order, with the levels on either side of each, up to its neighbours."""
    at = places[look.kept]
    onsets = (np.searchsorted(at, [jump.onset for jump in jumps], side="right") - 1).tolist()
    ends = np.searchsorted(at, [jump.end for jump in jumps], side="left").tolist()
    lows, highs = [0, *ends[:-1]], [*onsets[1:], at.size - 1]
    levels = [levels_around(look.values, *bounds) for bounds in zip(onsets, ends, lows, highs)]
    return [
        replace(
            jump,
            value_before=in_units(before, look.exponent),
            value_after=in_units(after, look.exponent),
            z_score=z_score,
        )
        for jump, (before, after, z_score) in zip(jumps, levels)
    ]


def detect_transitions(
    values: Any,
    steps: Any = None,
    *,
    noise_floor: float = DEFAULTS.noise_floor,
    jumps: Sequence[Jump] | None = None,
    **settings: Any,
) -> Detection:
    """Find lasting changes of any width, from one measurement to a third of the record.

    values, steps, noise_floor: as for `detect_jumps`. Widths are judged in measurements, so steps may be spaced in any
    way, evenly in their logarithm for instance; where they are not even, a change whose rate by steps is no lower
    before its onset is taken for a relaxation. jumps: the abrupt changes, if they are known; by default
    those of `detect_jumps`. A jump that makes up most of a transition is reported in its place.

    Each event has its p-value: the chance that a series of this length without a transition, of the worst null of the
    battery, holds a score as high anywhere, in its search or the other. Events are reported where that chance allows at
    most 0.2 false alarms per 1000 points. Returns a `Detection`; its notes say which widths could be judged. Raises
    OntogenyError for values or steps that are not valid, and for settings that it does not have.
    """
    for name in settings:
        raise unknown("setting", name, ["noise_floor", "jumps"], "detect_transitions")
    given = [as_series(values, steps)]
    if jumps is not None:
        expect(jumps, Sequence, "a list of jumps, as detect_jumps gives it,")
    return transitions_in_each(given, noise_floor, None if jumps is None else [jumps])[0]


def detect_many(values: Any, steps: Any = None, *, noise_floor: float = DEFAULTS.noise_floor) -> list[Detection]:
    """`detect_transitions` for many series that were measured at the same steps: values (series, n), steps (n,).

    Several times faster than one call for each. Raises OntogenyError for values or steps of another shape.
    """
    given = values if hasattr(values, "iloc") else plain(values)
    if hasattr(given, "iloc") or getattr(given, "ndim", 2) != 2 or not isinstance(given, Iterable):
        wrong = f"has {counted(given.ndim, 'dimension')}" if hasattr(given, "shape") else f"is {shown(values)}"
        wrong = "is a table" if hasattr(given, "iloc") else wrong
        raise OntogenyError(f"values {wrong}: give one row for each series, as an array (series, n)")
    rows = list(given)
    return transitions_in_each([as_series(row, steps) for row in rows], noise_floor)


def transitions_in_each(
    series: Sequence[Series],
    noise_floor: float = DEFAULTS.noise_floor,
    jumps: Sequence[Sequence[Jump]] | None = None,
    looks: Sequence[Look] | None = None,
) -> list[Detection]:
    """`detect_transitions` for many series (values (n,), steps (n,)), faster where many have one length.

    looks: what `look_at` gave for each, if it is known.
    """
    looked = looks or [look_at(values) for values, _ in series]
    abrupt = jumps_in_each(series, noise_floor=noise_floor, looks=looked) if jumps is None else jumps
    found: list[Detection] = []
    views: list[View] = []
    for i, ((values, _), look) in enumerate(zip(series, looked)):
        each = Detection(detector=TRANSITION, length=values.size, missing=look.missing, notes=look.notes)
        found.append(each)
        flat = look.flat(noise_floor)
        if look.values.size < SHORTEST or flat:
            each.abstained = (
                None if flat else f"{counted(look.values.size, 'finite value')}, and transitions need {SHORTEST}"
            )
            each.notes += look.flat_note(noise_floor)
            each.extend(abrupt[i])
        else:
            each.notes += (sampling_note(look.values.size),)
            each.notes += (PROPORTIONAL,) if look.proportional else ()
            views += [View(i, *view) for view in look.views()]
    slow: dict[int, list[Jump]] = {view.of: [] for view in views}
    for view, events in _by_length(views, _slow_events):
        look, places = looked[view.of], series[view.of][1]
        at, count = places[look.kept].astype(float), look.searches
        least = max(noise_floor * float(np.max(np.abs(look.values))), BOUND_SIGMAS * look.noise)
        for event in events:
            p = min(count * p_value(event.score, event.smooth, at.size), 1.0)
            if p > largest_p_value(event.smooth, at.size) or relaxes(view.values, at, event):
                continue
            if view.logs:
                event = _of_values(view.values, event)
            if abs(event.size) > least:
                event = event._replace(size=in_units(event.size, look.exponent))
                slow[view.of].append(_transition(event, at, places, look.kept, p))
    for i, each_slow in slow.items():
        look, places = looked[i], series[i][1]
        slow_ones = _surest(each_slow, 0) if look.searches > 1 else each_slow
        changes = _one_each(slow_ones, list(abrupt[i]), look.values, places[look.kept].astype(float))
        changes = [replace(c, p_value=float(np.minimum(LOOKS * c.p_value, 1.0))) for c in changes]
        found[i].extend(_with_levels(changes, look, places) if each_slow else changes)
    for each, look in zip(found, looked):
        if not each:
            _say_units(each, look, UNITS)
    return found


def _of_values(x: np.ndarray, event: Event) -> Event:
    """An event of logarithms x (n,) as one of the values: its size, and where 10, 50 and 90% of that are reached by a
    ramp of the logarithms."""
    share = np.log1p(np.array([0.1, 0.5, 0.9]) * np.expm1(event.size)) / event.size
    onset, middle, end = (event.middle + (share - 0.5) * event.width / RAMP_SHARE).tolist()
    wider = (end - onset) / max(event.width, 1e-300)
    return event._replace(
        middle=middle,
        onset=max(onset, 0.0),
        end=min(end, x.size - 1.0),
        size=_of_logs(x, int(event.onset), math.ceil(event.end), event.size),
        middle_low=event.middle_low + middle - event.middle,
        middle_high=event.middle_high + middle - event.middle,
        width_low=event.width_low * wider,
        width_high=event.width_high * wider,
    )


def _slow_events(x: np.ndarray) -> list[list[Event]]:
    return transition_events(x, least_score(False, x.shape[1]), least_score(True, x.shape[1]))


PROPORTIONAL = "its noise is proportional to its level, so its logarithms were searched too"


def sampling_note(points: int) -> str:
    """Which widths can be judged with so many measurements."""
    return f"{points} measurements: widths of 1 to {points // 3} measurements were judged, none wider or narrower"


def _transition(event: Event, at: np.ndarray, places: np.ndarray, kept: np.ndarray, p_value: float) -> Jump:
    position = np.arange(at.size)
    onset, end, low, high = (
        float(np.interp(place, position, at)) for place in (event.onset, event.end, event.middle_low, event.middle_high)
    )
    index = int(np.clip(round(event.middle), 1, at.size - 1))
    per_point = (end - onset) / max(event.width, 1e-9)
    return Jump(
        step=places[kept[index]].item(),
        index=int(kept[index]),
        size=event.size,
        direction="up" if event.size > 0 else "down",
        score=event.score,
        p_value=p_value,
        kind="transition",
        onset=onset,
        end=end,
        midpoint_low=low,
        midpoint_high=high,
        width_low=event.width_low * per_point,
        width_high=event.width_high * per_point,
    )


def _one_each(
    slow: list[Jump], abrupt: list[Jump], values: np.ndarray, at: np.ndarray, most_of: float = 0.6
) -> list[Jump]:
    """Transitions and jumps of a series (n,) at steps (n,): of those that overlap the jump if it makes up most of the
    change, and the jumps if there are several that describe it better."""
    kept: list[Jump] = []
    for event in slow:
        inside = [jump for jump in abrupt if _meet(event, jump)]
        if len(inside) > 1 and _is_staircase(event, inside, values, at):
            continue
        sudden = [jump for jump in inside if event.width_low <= ABRUPT * (jump.end - jump.onset)]
        if any(abs(jump.size) >= most_of * abs(event.size) and jump.direction == event.direction for jump in sudden):
            continue
        abrupt = [jump for jump in abrupt if jump not in inside]
        kept.append(event)
    return sorted([*kept, *abrupt], key=lambda event: event.step)


def _meet(event: Jump, jump: Jump) -> bool:
    """Whether a jump is within a transition, give or take a quarter of its width and at least a measurement."""
    margin = max(0.25 * event.width, jump.end - jump.onset)
    return bool(event.onset - margin <= jump.end and jump.onset <= event.end + margin)


def _is_staircase(event: Jump, jumps: Sequence[Jump], values: np.ndarray, at: np.ndarray, left: float = 0.3) -> bool:
    """Whether levels between the jumps leave less than `left` of the squares that one ramp leaves, from a width before
    the onset to a width after the end."""
    near = (at >= event.onset - event.width) & (at <= event.end + event.width)
    y, t = values[near], at[near]
    level = np.searchsorted([jump.step for jump in jumps], t, side="right")
    means = np.bincount(level, y) / np.maximum(np.bincount(level), 1)
    stairs = float(np.square(y - means[level]).sum())
    ramp = np.clip(RAMP_SHARE * (t - 0.5 * (event.onset + event.end)) / max(event.width, 1e-300) + 0.5, 0, 1)
    away, rise = y - y.mean(), ramp - ramp.mean()
    return stairs < left * float(away @ away - (away @ rise) ** 2 / max(rise @ rise, 1e-300))


def _reportable(
    events: list[tuple[int, float, float]],
    finite: np.ndarray,
    kept: np.ndarray,
    places: np.ndarray,
    noise_floor: float,
) -> tuple[list[tuple[int, float, float]], list[str]]:
    """Events above the noise floor that can be placed, and notes on those that cannot."""
    chosen, notes = [], []
    for i, score, size in events:
        if not above_floor(finite, i, size, noise_floor):
            continue
        missing = kept[i] - kept[i - 1] - 1
        if missing > LONGEST_GAP:
            notes.append(f"a change at step {places[kept[i]]} spans {missing} missing values, so it is left out")
            continue
        chosen.append((i, score, size))
    return chosen, notes
