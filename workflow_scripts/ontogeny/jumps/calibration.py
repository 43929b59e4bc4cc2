"""How far a jump can be believed: p-values against surrogates and against the battery, false-alarm rates, and
false discovery rates over many series.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

import numpy as np

from ontogeny.errors import OntogenyError, unknown
from ontogeny.jumps.detectors import DETECTORS, Detector, check_settings, normal_events, resolve_detector

TABLE = "false_alarms.json"


def phase_randomised(x: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` series (count, n) with the amplitude spectrum of x (n,) and random phases (Theiler et al. 1992)."""
    n = x.size
    spectrum = np.fft.rfft(x)
    turned = np.abs(spectrum) * np.exp(2j * np.pi * rng.random((count, spectrum.size)))
    turned[:, 0] = spectrum[0]
    if n % 2 == 0:
        turned[:, -1] = np.abs(spectrum[-1]) * np.where(rng.random(count) < 0.5, 1.0, -1.0)
    return np.fft.irfft(turned, n, axis=1)


def stepless_surrogates(
    series: np.ndarray, places: Sequence[int], count: int, rng: np.random.Generator, reach: int = 40
) -> np.ndarray:
    """`count` series (count, n) like `series` (n,) but without its changes at the indices `places`.

    The change between points is replaced, at each place, by the median change around it. The changes are divided
    by their local median magnitude (over `reach` to each side), phase-randomised, multiplied by it again, and
    summed. So colour, drift and changing variance stay, while the changes and all other structure go.
    """
    change = np.diff(series)
    for place in places:
        around = change[max(place - 9, 0) : place + 8]
        change[place - 1] = np.median(around)
    drift = np.median(change)
    away = change - drift
    scale = _running_median(np.abs(away), reach)
    least = 0.05 * np.mean(np.abs(away))
    if not least > 0:
        return np.tile(series[0] + np.concatenate([[0.0], np.cumsum(change)]), (count, 1))
    scale = np.maximum(scale, least)
    drawn = phase_randomised(away / scale, count, rng) * scale + drift
    return series[0] + np.concatenate([np.zeros((count, 1)), np.cumsum(drawn, axis=1)], axis=1)


def _running_median(x: np.ndarray, reach: int, stride: int = 8) -> np.ndarray:
    """Median over `reach` points to each side, worked out at every `stride`-th point and interpolated."""
    at = np.arange(0, x.size, stride)
    values = [np.median(x[max(i - reach, 0) : i + reach + 1]) for i in at]
    return np.interp(np.arange(x.size), at, values)


def surrogate_p_values(
    series: np.ndarray,
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
    """
    if int(surrogates) != surrogates or surrogates < 19:
        raise OntogenyError(f"surrogates = {surrogates} is too few for a p-value: give a whole number of 19 or more")
    drawn = stepless_surrogates(series, [e[0] for e in events], int(surrogates), np.random.default_rng(seed))
    return tail_p_values([e[1] for e in events], _highest(drawn, detector, settings))


def _highest(x: np.ndarray, detector: Detector, settings: dict[str, Any]) -> np.ndarray:
    if detector.highest is not None:
        return detector.highest(x, **settings)
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


def _entry(name: str, settings: dict[str, Any], length: int) -> dict[str, Any] | None:
    stored = _stored().get(name)
    if stored is None or name not in DETECTORS or stored["settings"] != settings:
        return None
    lengths = sorted(stored["lengths"], key=int)
    return stored["lengths"][min(lengths, key=lambda k: abs(math.log(int(k) / max(length, 1))))]


def battery_p_values(scores: Sequence[float], length: int, name: str, settings: dict[str, Any]) -> np.ndarray:
    """Chance that a series of `length` points without a jump scores as high as each of `scores`.

    Taken from the shipped table: the rate of false alarms above each score, averaged over the battery's nulls,
    continued by a power law; p = 1 - exp(-rate x length). NaN where the table does not hold the detector with
    these settings.
    """
    entry = _entry(name, settings, length)
    if entry is None:
        return np.full(len(scores), np.nan)
    exceed = entry["exceedance"]
    at, rate = np.log(exceed["score"]), np.log(exceed["per_1000"])
    logs = np.log(np.maximum(scores, 1e-300))
    inside = np.interp(logs, at, rate)
    beyond = rate[-1] + exceed["slope"] * (logs - at[-1])
    rates = np.exp(np.where(logs > at[-1], beyond, inside))
    return np.clip(-np.expm1(-rates * length / 1000), 1e-12, 1.0)


def false_alarm_rate(
    detector: str | Callable[..., Any] = "step",
    length: int = 1000,
    *,
    repeats: int = 20,
    seed: int = 0,
    **settings: Any,
) -> FalseAlarms:
    """Measured false alarms of a detector in series of about `length` points.

    For a registered detector with its default settings these are the numbers that ship with the package. For any
    other they are measured, with `repeats` series of each null, once in a process for the same settings.
    """
    name, entry = resolve_detector(detector)
    settings = check_settings(name, entry, settings)
    stored = _entry(name, settings, length) if isinstance(detector, str) else None
    if stored is not None:
        return FalseAlarms(**stored["false_alarms"], stored=True)
    length = int(min(max(length, 2 * entry.shortest, 100), 2000))
    return _measured(entry, json.dumps(settings, sort_keys=True, default=repr), length, repeats, seed, _Held(settings))


class _Held:
    """Settings that a cache compares by their text, given beside."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)

    def __hash__(self) -> int:
        return 0


@functools.lru_cache(maxsize=64)
def _measured(entry: Detector, text: str, length: int, repeats: int, seed: int, held: _Held) -> FalseAlarms:
    from ontogeny.jumps.validity import run_battery, summarise_false_alarms

    table = run_battery(entry, lengths=(length,), repeats=repeats, seed=seed, planted=False, settings=held.settings)
    return FalseAlarms(**summarise_false_alarms(table, length), stored=False)


def adjusted_p_values(p_values: Sequence[float], tests: int | None = None, method: str = "bh") -> np.ndarray:
    """q-values: the false discovery rate at which each p-value would be called (NaN stays NaN).

    tests: number of hypotheses when more were tested than p-values are given (those left out have p = 1).
    method: 'bh', Benjamini and Hochberg 1995, which holds for tests that are independent or positively dependent,
    as those of one network's layers and metrics are when they rise and fall together; 'by', Benjamini and Yekutieli
    2001, which holds for any dependence and is stricter by the sum of 1/k.
    """
    if method not in ("bh", "by"):
        raise unknown("method", method, ["bh", "by"])
    p = np.asarray(p_values, dtype=float)
    out = np.full(p.size, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    m = max(tests or 0, known.size)
    if not known.size:
        return out
    order = known[np.argsort(p[known], kind="stable")]
    factor = float(np.sum(1 / np.arange(1, m + 1))) if method == "by" else 1.0
    raw = p[order] * m * factor / np.arange(1, known.size + 1)
    out[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)
    return out
