"""`detect_jumps`: run a detector of the registry, or a user's own, on a series, and say how sure each event is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ontogeny.errors import OntogenyError
from ontogeny.jumps.calibration import battery_p_values, surrogate_p_values
from ontogeny.jumps.detectors import Detector, abstention, check_settings, normal_events, resolve_detector
from ontogeny.jumps.events import LONGEST_GAP, Detection, Jump, above_floor, as_series, levels_around
from ontogeny.jumps.guards import BOUND_SIGMAS, Guarded, guard, lasting
from ontogeny.jumps.settings import JumpSettings
from ontogeny.jumps.transitions import (
    SHORTEST,
    Event,
    largest_p_value,
    least_score,
    p_value,
    relaxes,
    transition_events,
)

DEFAULTS = JumpSettings()

ABRUPT = 2.0
"""Widths, in measurements, up to which a change is a jump."""


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
    surrogates: when above 0, p-values come from that many surrogates of the series itself
    (`surrogate_p_values`, with the seed `surrogate_seed`). Otherwise they come from the battery of
    nulls (`battery_p_values`): the chance that a series of this length without a jump, of the families
    tried, holds a score as high; NaN for a detector or settings that the stored battery does not hold.
    settings: the detector's own.

    NaN and infinities are left out, as if those steps had not been logged (`.missing` counts them); a change
    across more than four of them in a row cannot be placed and is not reported, but noted. Constant series give none.
    A series too short for the detector gives none and `.abstained` says why.

    Returns a `Detection`: a list of `Jump` in order of step. Raises OntogenyError for values or settings that are not
    valid.
    """
    series, places = as_series(values, steps)
    name, entry = resolve_detector(detector)
    settings = check_settings(name, entry, settings)
    if not isinstance(noise_floor, int | float | np.number) or not 0 <= noise_floor < 1:
        raise OntogenyError(f"noise_floor = {noise_floor!r} is not a relative change: give a number from 0 to below 1")
    kept = np.flatnonzero(np.isfinite(series))
    finite = np.ascontiguousarray(series[kept])
    found = Detection(detector=name, settings=settings, length=series.size, missing=series.size - finite.size)
    guarded = guard(finite) if entry.guarded else Guarded(finite, np.arange(finite.size), 1, 0.0, ())
    found.notes = guarded.notes
    kept, finite = kept[guarded.kept], guarded.values
    found.abstained = abstention(finite, entry)
    if found.abstained or np.ptp(finite) <= noise_floor * np.max(np.abs(finite)):
        return found
    events = normal_events(entry.function(finite, **settings), finite, name)
    if entry.guarded:
        events = [event for event in events if lasting(finite, event[0], event[2], guarded.noise)]
    events, notes = _reportable(events, finite, kept, places, noise_floor)
    found.notes += tuple(notes)
    p_values = np.full(len(events), np.nan)
    if events:
        if surrogates:
            p_values = surrogate_p_values(finite, events, entry, settings, surrogates, surrogate_seed)
        else:
            p_values = battery_p_values([e[1] for e in events], finite.size, name, settings)
    for (i, score, size), p in zip(events, p_values):
        onset, end = places[kept[i - 1]].item(), places[kept[i]].item()
        before, after, z_score = levels_around(finite, i - 1, i)
        found.append(
            Jump(
                step=end,
                index=int(kept[i]),
                size=float(size),
                direction="up" if size > 0 else "down",
                score=float(score),
                p_value=float(p),
                onset=onset,
                end=end,
                midpoint_low=onset,
                midpoint_high=end,
                width_low=0.0,
                width_high=float(end - onset),
                value_before=before,
                value_after=after,
                z_score=z_score,
            )
        )
    return found


def detect_transitions(
    values: Any,
    steps: Any = None,
    *,
    noise_floor: float = DEFAULTS.noise_floor,
    jumps: Sequence[Jump] | None = None,
) -> Detection:
    """Find lasting changes of any width, from one measurement to a third of the record.

    values, steps, noise_floor: as for `detect_jumps`. Widths are judged in measurements, so steps may be spaced in any
    way, evenly in their logarithm for instance; where they are not even, a change whose rate by steps is no lower
    before its onset is taken for a relaxation. jumps: the abrupt changes, if they are known; by default
    those of `detect_jumps`. A jump that makes up most of a transition is reported in its place.

    Each event has its p-value: the chance that a series of this length without a transition, of the worst null of the
    battery, holds a score as high anywhere. Events are reported where that chance allows at most 0.2 false alarms per
    1000 points. Returns a `Detection`; its notes say which widths could be judged. Raises OntogenyError for values or
    steps that are not valid.
    """
    series, places = as_series(values, steps)
    kept = np.flatnonzero(np.isfinite(series))
    guarded = guard(np.ascontiguousarray(series[kept]))
    kept, finite = kept[guarded.kept], guarded.values
    found = Detection(detector="transition", length=series.size, missing=series.size - int(np.isfinite(series).sum()))
    found.notes = guarded.notes
    flat = finite.size < 2 or np.ptp(finite) <= noise_floor * np.max(np.abs(finite))
    if finite.size < SHORTEST or flat:
        found.abstained = None if flat else f"{finite.size} finite values, and transitions need {SHORTEST}"
        found.extend(jumps or ())
        return found
    found.notes += (sampling_note(finite.size),)
    at = places[kept].astype(float)
    events = [
        event
        for event in transition_events(finite, least_score(False, finite.size), least_score(True, finite.size))
        if abs(event.size) > noise_floor * np.max(np.abs(finite))
        and abs(event.size) > BOUND_SIGMAS * guarded.noise
        and not relaxes(finite, at, event)
    ]
    chances = [p_value(event.score, event.smooth, finite.size) for event in events]
    most = largest_p_value(finite.size)
    slow = [_transition(event, finite, at, places, kept, p) for event, p in zip(events, chances) if p <= most]
    abrupt = detect_jumps(series, places, DEFAULTS.detector, noise_floor=noise_floor) if jumps is None else jumps
    found.extend(_one_each(slow, list(abrupt)))
    return found


def sampling_note(points: int) -> str:
    """Which widths can be judged with so many measurements."""
    return f"{points} measurements: widths of 1 to {points // 3} measurements were judged, none wider or narrower"


def _transition(
    event: Event, finite: np.ndarray, at: np.ndarray, places: np.ndarray, kept: np.ndarray, p_value: float
) -> Jump:
    position = np.arange(at.size)
    onset, end, low, high = (
        float(np.interp(place, position, at)) for place in (event.onset, event.end, event.middle_low, event.middle_high)
    )
    index = int(np.clip(round(event.middle), 1, at.size - 1))
    per_point = (end - onset) / max(event.width, 1e-9)
    last = min(int(np.ceil(event.end)), finite.size - 1)
    before, after, z_score = levels_around(finite, int(event.onset), last)
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
        value_before=before,
        value_after=after,
        z_score=z_score,
    )


def _one_each(slow: list[Jump], abrupt: list[Jump], most_of: float = 0.6) -> list[Jump]:
    """Transitions and jumps, of those that overlap the jump if it makes up most of the change."""
    kept: list[Jump] = []
    for event in slow:
        margin = 0.25 * event.width
        inside = [jump for jump in abrupt if event.onset - margin <= jump.step <= event.end + margin]
        sudden = [jump for jump in inside if event.width_low <= ABRUPT * (jump.end - jump.onset)]
        if any(abs(jump.size) >= most_of * abs(event.size) and jump.direction == event.direction for jump in sudden):
            continue
        abrupt = [jump for jump in abrupt if jump not in inside]
        kept.append(event)
    return sorted([*kept, *abrupt], key=lambda event: event.step)


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
