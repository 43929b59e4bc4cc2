"""The validity battery: does a detector find changes that are there, and only those?

`run_battery` tries a detector on series without a jump (`series.NULLS`) and with one (`series.planted`), and gives
one tidy table; `false_alarm_rate` sums it up.
"""

from __future__ import annotations

import functools
import importlib
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError, check_number, unknown
from ontogeny.jumps.calibration import FalseAlarms, stored_entry
from ontogeny.jumps.chances import CANDIDATE
from ontogeny.jumps.detection import jumps_in_each
from ontogeny.jumps.detectors import DETECTORS, Detector, check_settings, resolve_detector
from ontogeny.jumps.events import NOISE_FLOOR, Detection, as_series
from ontogeny.jumps.guards import BOUND_SIGMAS, guard
from ontogeny.jumps.series import BACKGROUNDS, FURTHER_NULLS, NULLS, planted
from ontogeny.jumps.settings import JumpSettings, ValiditySettings
from ontogeny.jumps.shapes import SHORTEST
from ontogeny.jumps.transitions import transition_events
from ontogeny.statistics import proportion_interval

if TYPE_CHECKING:
    import pandas as pd

DEFAULTS = ValiditySettings()
DETECTOR = JumpSettings().detector

BARS = {"false_alarms_per_1000": {1000: 0.5, 200: 1.5}, "recall": 0.9, "recall_sigmas": 5, "placed_within": 2}
"""What the default detector must keep: false alarms per 1000 points by length of the series, and recall at 5 sigma."""

SIGMAS = (1, 2, 3, 4, 5, 6, 8)
RAMPS = (2, 4, 8)
_NEAR = 10
LENGTHS = (100, 200, 300, 400, 600, 1000, 2500)
"""Of the series whose highest scores the table of transitions holds."""


def false_alarm_bar(length: int) -> float:
    """Most false alarms per 1000 points that the bar allows in series of `length`."""
    return 0.5 if length >= 1000 else 1.5


def rate_interval(counts: Sequence[int], points: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of the events per 1000 points, from the events in every series of `points` in all.

    The exact interval of a Poisson count (Garwood 1936), widened by the dispersion of the counts where they are more
    uneven than Poisson's.
    """
    from scipy.stats import chi2

    each = np.asarray(counts)
    total = int(each.sum())
    dispersion = 1.0
    if total and each.size > 1:
        dispersion = max(1.0, float(each.var(ddof=1) / each.mean()))
    effective, tail = total / dispersion, (1 - confidence) / 2
    low = chi2.ppf(tail, 2 * effective) / 2 if effective > 0 else 0.0
    high = chi2.ppf(1 - tail, 2 * effective + 2) / 2
    return 1000 * dispersion * low / points, 1000 * dispersion * high / points


@checks_arguments
def run_battery(
    detector: str | Callable[..., Any] | Detector = DETECTOR,
    lengths: Sequence[int] = (200, 1000),
    repeats: int = DEFAULTS.repeats,
    seed: int = DEFAULTS.seed,
    *,
    nulls: Mapping[str, Callable[..., np.ndarray]] | None = None,
    further: bool = False,
    planted: bool = True,
    sigmas: Iterable[float] = SIGMAS,
    ramps: Iterable[int] = RAMPS,
    settings: Mapping[str, Any] | None = None,
    keep_scores: list | None = None,
) -> pd.DataFrame:
    """Try a detector on nulls and planted changes; one row for each kind of series, length, size and ramp.

    detector: a name, a function of a series that returns events, or a registry entry; settings: its own.
    repeats: series of each kind; further: also try the families of `series.FURTHER_NULLS`; nulls: try these instead.
    sigmas: sizes of planted steps, in local standard deviations; ramps: lengths of planted ramps, at 5 sigma.
    keep_scores: a list that receives (null, length, score) of every false alarm.

    Columns: detector, kind (null, step, ramp), series, length, sigmas, ramp, repeats, abstained, events (outside
    10 points of a planted change), per_1000, per_1000_low, per_1000_high, found (within 2 points), recall,
    recall_low, recall_high, found_near (within 10), extra (more than one event for one change), offset (mean
    distance of those found near).

    Raises OntogenyError for a seed, repeats or lengths out of range.
    """
    import pandas as pd

    name, entry = resolve_detector(detector)
    settings = check_settings(name, entry, dict(settings or {}))
    for length in lengths:
        check_number(length, "the length of a series", "a whole number of 10 or more", 10, whole=True)
    families = dict(nulls) if nulls is not None else {**NULLS, **(FURTHER_NULLS if further else {})}
    rows = []
    for length in lengths:
        for k, (family, make) in enumerate(families.items()):
            batch = make(np.random.default_rng([seed, 1, int(length), k]), int(repeats), int(length))
            found = _detect(batch, name, entry, settings)
            if keep_scores is not None:
                keep_scores += [(family, int(length), jump.score) for jumps in found for jump in jumps]
            rows.append({"kind": "null", "series": family, "length": length} | _null_row(found, int(length)))
        if planted:
            cases = [("step", s, 0) for s in sigmas] + [("ramp", 5, r) for r in ramps]
            for k, background in enumerate(BACKGROUNDS):
                for kind, size, ramp in cases:
                    rng = np.random.default_rng([seed, 2, int(length), k, round(10 * size), ramp])
                    row = _planted_row(background, rng, int(repeats), int(length), size, ramp, name, entry, settings)
                    rows.append({"kind": kind, "series": background, "length": length, **row})
    table = pd.DataFrame(rows)
    table.insert(0, "detector", name)
    return table[[column for column in _COLUMNS if column in table]]


_COLUMNS = (
    "detector", "kind", "series", "length", "sigmas", "ramp", "repeats", "abstained", "events", "per_1000",
    "per_1000_low", "per_1000_high", "found", "recall", "recall_low", "recall_high", "found_near", "extra", "offset",
)  # fmt: skip


def _detect(batch: np.ndarray, name: str, entry: Detector, settings: dict[str, Any]) -> list[Detection]:
    known = DETECTORS.get(name) is entry
    return jumps_in_each([as_series(row) for row in batch], name if known else entry, **settings)


def _null_row(found: list, length: int) -> dict[str, Any]:
    counts = [len(jumps) for jumps in found]
    points = length * len(found)
    low, high = rate_interval(counts, points)
    return {
        "repeats": len(found),
        "abstained": sum(jumps.abstained is not None for jumps in found),
        "events": sum(counts),
        "per_1000": 1000 * sum(counts) / points,
        "per_1000_low": low,
        "per_1000_high": high,
    }


def _planted_row(
    background: str,
    rng: np.random.Generator,
    repeats: int,
    length: int,
    sigmas: float,
    ramp: int,
    name: str,
    entry: Detector,
    settings: dict[str, Any],
) -> dict[str, Any]:
    batch, places = planted(background, rng, repeats, length, sigmas, ramp, margin=max(length // 10, 1))
    found = _detect(batch, name, entry, settings)
    hits, near, extra, offsets, elsewhere = 0, 0, 0, [], []
    for jumps, place in zip(found, places):
        gaps = np.array([max(place - j.index, j.index - place - ramp, 0) for j in jumps])
        elsewhere.append(int((gaps > _NEAR).sum()) if gaps.size else 0)
        close = gaps[gaps <= _NEAR] if gaps.size else gaps
        hits += bool(close.size and close.min() <= BARS["placed_within"])
        near += bool(close.size)
        extra += max(close.size - 1, 0)
        offsets += [float(close.min())] if close.size else []
    low, high = (float(end) for end in proportion_interval(hits, repeats))
    false_low, false_high = rate_interval(elsewhere, length * repeats)
    return {
        "sigmas": sigmas,
        "ramp": ramp,
        "repeats": repeats,
        "abstained": sum(jumps.abstained is not None for jumps in found),
        "events": sum(elsewhere),
        "per_1000": 1000 * sum(elsewhere) / (length * repeats),
        "per_1000_low": false_low,
        "per_1000_high": false_high,
        "found": hits,
        "recall": hits / repeats,
        "recall_low": low,
        "recall_high": high,
        "found_near": near,
        "extra": extra,
        "offset": float(np.mean(offsets)) if offsets else math.nan,
    }


def summarise_false_alarms(table: pd.DataFrame, length: int) -> dict[str, Any]:
    """Mean and worst false-alarm rate over a battery's nulls of one length (see `calibration.FalseAlarms`)."""
    nulls = table[(table["kind"] == "null") & (table["length"] == length)].reset_index(drop=True)
    worst = nulls.loc[nulls["per_1000"].idxmax()]
    spread = (nulls["per_1000_high"] - nulls["per_1000"], nulls["per_1000"] - nulls["per_1000_low"])
    mean = float(nulls["per_1000"].mean())
    up, down = (float(np.sqrt((side**2).sum()) / len(nulls)) for side in spread)
    return {
        "rate": mean,
        "low": max(mean - down, 0.0),
        "high": mean + up,
        "worst": float(worst["per_1000"]),
        "worst_low": float(worst["per_1000_low"]),
        "worst_high": float(worst["per_1000_high"]),
        "worst_null": str(worst["series"]),
        "length": int(length),
        "series": int(nulls["repeats"].sum()),
    }


@checks_arguments
def false_alarm_rate(
    detector: str | Callable[..., Any] | Detector = DETECTOR,
    length: int = 1000,
    *,
    repeats: int = DEFAULTS.repeats,
    seed: int = DEFAULTS.seed,
    **settings: Any,
) -> FalseAlarms:
    """Measured false alarms of a detector in series of about `length` points.

    For a registered detector with its default settings these are the numbers that ship with the package. For any
    other they are measured, with `repeats` series of each null, once in a process for the same settings.
    """
    name, entry = resolve_detector(detector)
    settings = check_settings(name, entry, settings)
    stored = stored_entry(name, settings, length) if isinstance(detector, str) else None
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
    table = run_battery(entry, lengths=(length,), repeats=repeats, seed=seed, planted=False, settings=held.settings)
    return FalseAlarms(**summarise_false_alarms(table, length), stored=False)


def make_stored_table(
    path: str | os.PathLike, repeats: Mapping[str, int], lengths: Sequence[int] = (200, 400, 1000), *, seed: int
) -> None:
    """Measure every registered detector with its default settings and write the table that ships with the package.

    repeats: series of each null, by detector.
    """
    from ontogeny.files import write_json

    measured = {}
    for name, entry in DETECTORS.items():
        by_length = {}
        for length in lengths:
            scores: list = []
            table = run_battery(name, (length,), repeats[name], seed, planted=False, keep_scores=scores)
            found = summarise_false_alarms(table, length)
            more = max(found["worst"] / found["rate"], 1.0) if found["rate"] > 0 else 1.0
            points = length * repeats[name] * len(NULLS) / more
            exceedance = _exceedance(sorted(score for _, _, score in scores), points)
            by_length[str(length)] = {"false_alarms": found, "exceedance": exceedance}
        measured[name] = {"settings": check_settings(name, entry, {}), "lengths": by_length}
    write_json(path, {"format": "ontogeny-false-alarms/1", "seed": seed, "detectors": measured})


def _exceedance(scores: list[float], points: float) -> dict[str, Any]:
    """Rate per 1000 points of false alarms at or above a grid of scores, and the slope of its logarithm beyond.

    points: of all nulls, less what the worst null has more than all together.
    """
    values = np.array(scores) if len(scores) >= 2 else np.array([1.0, 2.0])
    shares = np.unique(np.concatenate([np.linspace(0, 0.9, 10), 1 - np.geomspace(0.1, max(5 / values.size, 0.02), 6)]))
    at = np.unique(np.quantile(values, shares))
    rate = [max(1000 * np.count_nonzero(values >= s) / points, 1e-6) for s in at]
    top = values[int(0.9 * values.size) :]
    slope = -1 / max(float(np.mean(np.log(top / top[0]))), 0.05) if top.size > 2 else -4.0
    return {"score": [round(float(s), 6) for s in at], "per_1000": rate, "slope": slope}


def highest_transition_scores(series: np.ndarray, noise_floor: float = NOISE_FLOOR) -> np.ndarray:
    """The scores of the strongest transition candidates of each series (series, n) after its guards, (series, 2): of
    the search in noise, and of that without; 0 where there is none."""
    highest = np.zeros((len(series), 2))
    looked = [guard(row) for row in series]
    lengths = np.array([look.values.size for look in looked])
    for length in np.unique(lengths[lengths >= SHORTEST]):
        rows = np.flatnonzero(lengths == length)
        for row, events in zip(rows, transition_events(np.stack([looked[row].values for row in rows]), CANDIDATE)):
            floor = noise_floor * float(np.abs(looked[row].values).max())
            least = max(BOUND_SIGMAS * looked[row].noise, floor)
            for event in events:
                if abs(event.size) > least and np.ptp(looked[row].values) > floor:
                    highest[row, int(event.smooth)] = max(highest[row, int(event.smooth)], event.score)
    return highest


def make_transition_table(
    path: str | os.PathLike, rows: int = 500, lengths: Sequence[int] = LENGTHS, entropy: int = 30
) -> None:
    """Measure the highest scores of transitions in every null and write the table that ships with the package.

    rows: series of each null; entropy: seeds them. For each search, length and each of a grid of chances: the score
    that the worst null exceeds with that chance.
    """
    from ontogeny.files import write_json

    chances = np.array([0.5, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01])
    searches: dict[str, dict[str, dict[str, list[float]]]] = {"noisy": {}, "smooth": {}}
    for length in lengths:
        worst = np.zeros((2, len(chances)))
        for k, make in enumerate(NULLS.values()):
            batch = make(np.random.default_rng([entropy, length, k]), rows, length)
            highest = highest_transition_scores(batch)
            worst = np.maximum(worst, np.quantile(highest, 1 - chances, axis=0, method="higher").T)
        for search, scores in zip(searches, worst):
            rising = np.maximum.accumulate(scores) + 1e-6 * np.arange(len(chances))
            searches[search][str(length)] = {"score": rising.tolist(), "p_value": chances.tolist()}
    write_json(path, {"format": "ontogeny-transition-scores/2", "entropy": entropy, "rows": rows, "searches": searches})


def verdict(table: pd.DataFrame) -> list[str]:
    """Sentences: which bars a battery's table keeps and which it breaks."""
    nulls = table[table["kind"] == "null"]
    over = nulls[nulls["per_1000"] > nulls["length"].map(false_alarm_bar)]
    lines = []
    if len(over):
        listed = ", ".join(f"{r.series} ({r.per_1000:.2f} at {r.length} measurements)" for r in over.itertuples())
        lines.append(f"too many false alarms per 1,000 measurements: {listed}")
    elif len(nulls):
        worst = nulls.loc[nulls["per_1000"].idxmax()]
        lines.append(
            f"false alarms keep the bar in all {nulls['series'].nunique()} nulls; most: {worst['per_1000']:.2f} per "
            f"1,000 measurements ({worst['series']}, {worst['length']} measurements)"
        )
    if "sigmas" in table:
        steps = table[(table["kind"] == "step") & (table["sigmas"] == BARS["recall_sigmas"])]
        low = steps[steps["recall"] < BARS["recall"]]
        if len(low):
            listed = ", ".join(f"{r.series} ({r.recall:.2f} at {r.length} measurements)" for r in low.itertuples())
            lines.append(f"finds fewer than 9 of 10 steps of 5 sigma: {listed}")
        elif len(steps):
            lines.append(f"finds at least {steps['recall'].min():.0%} of steps of 5 sigma on every background")
    return lines


def load_detector(name: str) -> str | Callable[..., Any]:
    """A detector by its registered name, or a function by 'module:function' (looked for here, too).

    Raises OntogenyError for an unknown name, and a module or function that cannot be used.
    """
    if ":" not in name:
        if name not in DETECTORS:
            raise unknown("detector", name, [*DETECTORS, "module:function"])
        return name
    module_name, _, function_name = name.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise OntogenyError(f"the module of detector '{name}' cannot be imported: {error}") from None
    finally:
        sys.path.pop(0)
    function = getattr(module, function_name, None)
    if function is None:
        raise unknown("function", function_name, [n for n in dir(module) if not n.startswith("_")], module_name)
    if not callable(function):
        raise OntogenyError(f"{name} is not a function: give one that takes a series and returns events")
    return function
