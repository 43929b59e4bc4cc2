"""`detect_jumps`: run a detector of the registry, or a user's own, on a series, and say how sure each event is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ontogeny.errors import OntogenyError
from ontogeny.jumps.calibration import battery_p_values, surrogate_p_values
from ontogeny.jumps.detectors import abstention, check_settings, normal_events, resolve_detector
from ontogeny.jumps.events import LONGEST_GAP, Detection, Jump, above_floor, as_series
from ontogeny.jumps.settings import JumpSettings

DEFAULTS = JumpSettings()


def detect_jumps(
    values: Any,
    steps: Any = None,
    detector: str | Callable[..., Iterable[Any]] = DEFAULTS.detector,
    *,
    noise_floor: float = DEFAULTS.noise_floor,
    surrogates: int = 0,
    surrogate_seed: int = 0,
    **settings: Any,
) -> Detection:
    """Find abrupt, lasting changes in a series.

    values: numbers (n,), one for each logged step; steps: the logged steps (n,), rising, 0..n-1 if not given.
    detector: a name in `DETECTORS`, or a function of a series that returns events (see `detectors`).
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
    told = {"detector": name, "settings": settings, "length": series.size, "missing": series.size - finite.size}
    reason = abstention(finite, entry)
    if reason:
        return Detection(abstained=reason, **told)
    if np.ptp(finite) <= noise_floor * np.max(np.abs(finite)):
        return Detection(**told)
    events = normal_events(entry.function(finite, **settings), finite, name)
    events, notes = _reportable(events, finite, kept, places, noise_floor)
    p_values = np.full(len(events), np.nan)
    if events:
        if surrogates:
            p_values = surrogate_p_values(finite, events, entry, settings, surrogates, surrogate_seed)
        else:
            p_values = battery_p_values([e[1] for e in events], finite.size, name, settings)
    jumps = [
        Jump(places[kept[i]].item(), int(kept[i]), float(size), "up" if size > 0 else "down", float(score), float(p))
        for (i, score, size), p in zip(events, p_values)
    ]
    return Detection(jumps, notes=notes, **told)


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
