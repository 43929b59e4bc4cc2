"""How sure a jump is: p-values against surrogates and against the shipped table of the battery, and
false discovery rates over many series.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any, NamedTuple

import numpy as np

from ontogeny.arguments import Reals, checks_arguments
from ontogeny.errors import OntogenyError, check_number
from ontogeny.jumps.detectors import DETECTORS, Detector, normal_events
from ontogeny.jumps.surrogates import stepless_surrogates_of_each

TABLE = "false_alarms.json"

FEW = (3, 16)
"""How many surrogates of a series are searched first, and then; the highest of n is near the upper 1 / n of all."""

TAIL = 4.0
"""The power of the tail beyond that: a score c times as high is taken to be c ** -TAIL times as likely."""

_MOST_VALUES = 60_000
"""Values of surrogates that are searched at a time."""


@checks_arguments
def surrogate_p_values(
    series: Reals,
    events: Sequence[tuple[int, float, float]],
    detector: Detector,
    settings: dict[str, Any],
    surrogates: int = 199,
    seed: int = 0,
) -> np.ndarray:
    """p-value of each event (index, score, size): the chance that a series like this, without its changes, scores
    as high anywhere.

    The highest scores of the surrogates (`stepless_surrogates`) are counted: (1 + those as high) / (1 + all). Beyond
    their upper fifth, the tail is continued by a power law fitted to it (Hill 1975), which is cautious for lighter
    tails; so p-values are not limited by the number of surrogates.
    Raises OntogenyError for fewer than 19 surrogates, and for anything else than a series and its events.
    """
    _enough_draws(surrogates)
    series = np.asarray(series, dtype=float)
    if series.ndim != 1 or series.size < 2 or any(np.shape(event) != (3,) for event in events):
        raise OntogenyError("give a series (n,) and its events, each as (index, score, size)")
    return _by_surrogates(Searched(series, events, np.empty(0), seed), detector, settings, surrogates)


def _by_surrogates(one: Searched, detector: Detector, settings: dict[str, Any], surrogates: int) -> np.ndarray:
    (drawn,) = _surrogates([one], surrogates)
    return tail_p_values([e[1] for e in one.events], _highest(drawn, detector, settings))


class Searched(NamedTuple):
    """A series (m,) that was searched: its events (index, score, size), their p-values by the battery, a seed, and the
    positions of the events in the series as given."""

    values: np.ndarray
    events: Sequence[tuple[int, float, float]]
    p_values: np.ndarray
    seed: int
    at: np.ndarray = np.empty(0, int)


def raised_p_values(
    searched: Sequence[Searched], detector: Detector, settings: dict[str, Any], surrogates: int
) -> list[np.ndarray]:
    """p-values of the events of each series by its surrogates, and of a guarded detector by the battery where larger.

    Surrogates are slow, so of a guarded detector only a `FEW` of each series are searched first. All are searched
    where a tail of power `TAIL` from the highest of those could raise the battery's p-value of one of the events.
    Raises OntogenyError for fewer than 19 surrogates.
    """
    _enough_draws(surrogates)
    if not detector.guarded:
        return [_by_surrogates(each, detector, settings, surrogates) for each in searched]
    found = [s.p_values for s in searched]
    asked = list(range(len(searched)))
    for few in FEW:
        highest = _highest_of_few([searched[i] for i in asked], few, detector, settings)
        asked = [i for i, high in zip(asked, highest) if high > _enough(searched[i], few)]
    for i in asked:
        found[i] = np.fmax(found[i], _by_surrogates(searched[i], detector, settings, surrogates))
    return found


def _enough_draws(surrogates: int) -> None:
    check_number(surrogates, "surrogates", "a whole number of 19 or more, which a p-value needs", 19, whole=True)


def _enough(searched: Searched, few: int) -> float:
    """Highest score of a few surrogates that leaves all events of a series the p-values of the battery."""
    p_values = np.nan_to_num(searched.p_values, nan=1.0)
    return min(score * (few * p) ** (1 / TAIL) for (_, score, _), p in zip(searched.events, p_values))


def _highest_of_few(searched: Sequence[Searched], few: int, detector: Detector, settings: dict[str, Any]) -> np.ndarray:
    """The highest score in a few surrogates of each series; series of one length are asked together."""
    highest = np.zeros(len(searched))
    lengths: dict[int, list[int]] = {}
    for i, each in enumerate(searched):
        lengths.setdefault(each.values.size, []).append(i)
    for length, members in lengths.items():
        most = max(1, _MOST_VALUES // (few * length))
        for part in (members[first : first + most] for first in range(0, len(members), most)):
            drawn = _surrogates([searched[i] for i in part], few).reshape(-1, length)
            least = np.repeat([_enough(searched[i], few) for i in part], few)
            scores = _highest(drawn, detector, settings, least)
            highest[part] = scores.reshape(len(part), few).max(axis=1)
    return highest


def _surrogates(searched: Sequence[Searched], count: int) -> np.ndarray:
    """So many of each of the series, which have one length: (series, count, n)."""
    values, places = np.stack([one.values for one in searched]), [[e[0] for e in one.events] for one in searched]
    return stepless_surrogates_of_each(values, places, count, [np.random.default_rng(one.seed) for one in searched])


def _highest(
    x: np.ndarray, detector: Detector, settings: dict[str, Any], least: float | np.ndarray = 0.0
) -> np.ndarray:
    if detector.highest is not None:
        return detector.highest(x, **settings, **({"least": least} if detector.guarded else {}))
    found = [normal_events(detector.function(row, **settings), row, "detector") for row in x]
    return np.array([max((score for _, score, _ in events), default=0.0) for events in found])


def tail_p_values(scores: Sequence[float], null: np.ndarray) -> np.ndarray:
    """Chance that a draw like those of `null` (draws,) is as high as each of `scores`; see `surrogate_p_values`."""
    null = np.sort(np.asarray(null, dtype=float))
    count = null.size
    counted = (1 + count - np.searchsorted(null, scores, side="left")) / (1 + count)
    top = null[int(0.8 * count) :]
    if top.size < 3 or not top[0] > 0:
        return counted
    exponent = 1 / max(np.mean(np.log(top / top[0])), 1e-3)
    share = top.size / count
    p = counted.copy()
    for k, score in enumerate(scores):
        if score > top[0]:
            tail = share * (score / top[0]) ** -exponent
            p[k] = max(min(counted[k], tail), 1e-12) if counted[k] <= 5 / (1 + count) else counted[k]
    return p


@dataclass(frozen=True)
class FalseAlarms:
    """Measured false alarms per 1000 points of a detector, in the battery's nulls of the nearest length.

    rate, low, high: mean over the nulls and its 95% interval; worst, worst_low, worst_high, worst_null: the null
    with the most; length: of the series tried; stored: whether the numbers shipped with the package.
    """

    rate: float
    low: float
    high: float
    worst: float
    worst_low: float
    worst_high: float
    worst_null: str
    length: int
    series: int
    stored: bool

    def as_dict(self) -> dict[str, Any]:
        """The same as a dictionary, for JSON."""
        return asdict(self)


@functools.cache
def _stored() -> dict[str, Any]:
    try:
        text = resources.files("ontogeny.jumps").joinpath(TABLE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    return json.loads(text)["detectors"]


def stored_entry(name: str, settings: dict[str, Any], length: int) -> dict[str, Any] | None:
    """What the shipped table holds of a detector with these settings, at the nearest length; None if nothing."""
    stored = _stored().get(name)
    if stored is None or name not in DETECTORS or stored["settings"] != settings:
        return None
    lengths = sorted(stored["lengths"], key=int)
    return stored["lengths"][min(lengths, key=lambda k: abs(math.log(int(k) / max(length, 1))))]


def battery_p_values(scores: Sequence[float], length: int, name: str, settings: dict[str, Any]) -> np.ndarray:
    """Chance that a series of `length` points without a jump, of the worst null, scores as high as each of `scores`.

    Taken from the shipped table: the rate of false alarms above each score, pooled over the battery's nulls, times what
    the worst null has more than all together, and continued by a power law; p = 1 - exp(-rate x length). NaN where the
    table does not hold the detector with these settings.
    """
    entry = stored_entry(name, settings, length)
    if entry is None:
        return np.full(len(scores), np.nan)
    exceed = entry["exceedance"]
    at, rate = np.log(exceed["score"]), np.log(exceed["per_1000"])
    logs = np.log(np.maximum(scores, 1e-300))
    inside = np.interp(logs, at, rate)
    beyond = rate[-1] + exceed["slope"] * (logs - at[-1])
    rates = np.exp(np.where(logs > at[-1], beyond, inside))
    return np.clip(-np.expm1(-rates * length / 1000), 1e-12, 1.0)
