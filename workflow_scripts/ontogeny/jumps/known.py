"""Detectors tried on runs whose transitions are known: recall, delay and false alarms of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.errors import OntogenyError
from ontogeny.jumps.detection import detect_jumps, detect_transitions
from ontogeny.jumps.events import Jump
from ontogeny.phase1 import RUN_LEVEL, Phase1
from ontogeny.statistics import bootstrap_interval

PAD = 0.01
"""Share of the record by which an event may miss the window of a transition."""

OUTSIDE = "(outside)"
"""The name under which events away from all known transitions are counted."""

COLUMNS = (
    "detector", "kind", "transition", "runs", "series", "found", "recall", "recall_low", "recall_high", "chance", "own",
    "larger", "peaked", "delay", "delay_low", "delay_high", "width", "alarms", "per_1000",
)  # fmt: skip

Finder = Callable[[np.ndarray, np.ndarray], Iterable[Jump]]


def _named(detector: str) -> Finder:
    return lambda values, steps: detect_jumps(values, steps, detector)


FINDERS: dict[str, Finder] = {
    "transition": lambda values, steps: detect_transitions(values, steps),
    **{name: _named(name) for name in ("step", "z_score", "gradient", "pelt")},
}
"""What is tried, by name: transitions and jumps together, and each detector of jumps alone."""


def truth_of(record: Phase1, run: str | None = None) -> list[dict[str, Any]]:
    """The known transitions of a run: name, quantity, start, middle, end (steps), from; empty if none are known."""
    known = record.metadata_of(run).get("truth")
    return [each for each in known if isinstance(each, dict)] if isinstance(known, list) else []


def score_known(record: Phase1, finders: Sequence[str] = tuple(FINDERS)) -> pd.DataFrame:
    """How each detector finds the known transitions of the runs of `record`.

    A row per (detector, kind, transition); the kind is the task of the runs. A series of a layer shows a transition if
    an event lies in its window, from 10 to 90% of the change, give or take 1% of the record.
    chance: the recall that the same events would have, series by series, if they were shifted in time at random (around
    the record); a detector that fires everywhere is in every window.
    own: the share of runs in which the quantity that defines the transition shows it (NaN where it is not recorded).
    larger, peaked: what could be found if the window were known, whatever the detector: the share of series whose
    change inside the window is larger than 95% of those over stretches as long elsewhere, and the share of those that
    also change less over as long just before and just after it (the mean over runs).
    found: such series, of `series` in all; recall: their share, the mean over `runs` with a 95% interval by resampling
    runs (NaN with one); delay: median over series of the nearest event's step minus the transition's middle, in steps,
    with the interval likewise; width: of the window, in steps. The row `OUTSIDE` of a kind counts events in no window:
    alarms, and per_1000 points outside. A shock belongs to the run's kind, with its name.

    Raises OntogenyError if no run has known transitions.
    """
    rows = []
    for run in record.runs:
        truth = truth_of(record, run)
        if truth:
            rows += _of_run(record, run, truth, finders)
    if not rows:
        raise OntogenyError("no run of the record has known transitions: its metadata have no entry 'truth'")
    each = pd.DataFrame(rows)
    found = []
    for (detector, kind, name), part in each.groupby(["detector", "kind", "transition"], sort=False):
        row = {"detector": detector, "kind": kind, "transition": name, "runs": part["run"].nunique()}
        row |= {"series": int(part["series"].sum())}
        if name == OUTSIDE:
            alarms, points = int(part["alarms"].sum()), float(part["measurements"].sum())
            row |= {"alarms": alarms, "per_1000": 1000 * alarms / points if points else np.nan}
        else:
            share = part["found"] / part["series"]
            row |= {"found": int(part["found"].sum()), "recall": float(share.mean()), "width": part["width"].mean()}
            row["recall_low"], row["recall_high"] = bootstrap_interval(share)
            row["chance"] = float(part["chance"].mean())
            row |= {name: float(part[name].mean()) for name in ("own", "larger", "peaked")}
            delays = part["delay"].dropna()
            row["delay"] = float(delays.mean()) if len(delays) else np.nan
            row["delay_low"], row["delay_high"] = bootstrap_interval(delays)
        found.append(row)
    return pd.DataFrame(found, columns=list(COLUMNS))


def _of_run(record: Phase1, run: str, truth: list[dict[str, Any]], finders: Sequence[str]) -> list[dict[str, Any]]:
    about = {"run": run, "kind": _kind(record, run)}
    series = [
        (steps, values)
        for name, layer, _, steps, values in record.each_series()
        if name == run and _moves(layer, values)
    ]
    defining = {window["quantity"] for window in truth}
    quantities = {
        metric: (steps, values)
        for name, layer, metric, steps, values in record.each_series()
        if name == run and layer == RUN_LEVEL and metric in defining
    }
    rows = []
    able = {window["name"]: _able(window, series) for window in truth}
    for finder in finders:
        events = [_events(finder, steps, values) for steps, values in series]
        own = {name: _events(finder, steps, values) for name, (steps, values) in quantities.items()}
        for window in truth:
            row = {**about, "detector": finder, "transition": window["name"], **_of_window(window, series, events)}
            row |= able[window["name"]]
            quantity = window["quantity"]
            if quantity in own:
                row["own"] = float(_within(window, quantities[quantity][0], own[quantity]).any())
            rows.append(row)
        inside = [
            np.any([_within(window, steps, each) for window in truth], axis=0)
            for (steps, _), each in zip(series, events)
        ]
        rows.append(
            {
                **about,
                "detector": finder,
                "transition": OUTSIDE,
                "series": len(series),
                "alarms": sum(int((~seen).sum()) for seen in inside),
                "measurements": sum(_points_outside(steps, truth) for steps, _ in series),
            }
        )
    return rows


def _events(finder: str, steps: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.array([event.step for event in FINDERS[finder](values, steps)], float)


def _pad(steps: np.ndarray) -> float:
    """Steps by which a window is widened at both ends, in a record of these steps."""
    return PAD * (steps[-1] - steps[0])


def _within(window: dict[str, Any], steps: np.ndarray, events: np.ndarray) -> np.ndarray:
    """Whether each of `events` lies in the widened window."""
    return (events >= window["start"] - _pad(steps)) & (events <= window["end"] + _pad(steps))


def _of_window(
    window: dict[str, Any], series: Sequence[tuple[np.ndarray, np.ndarray]], events: Sequence[np.ndarray]
) -> dict[str, Any]:
    """In how many series a transition was found, with what delay, and in how many it would be by chance."""
    width = window["end"] - window["start"]
    found, delays, chances = 0, [], []
    for (steps, _), each in zip(series, events):
        here = _within(window, steps, each)
        chances.append(chance_share(each, float(np.ptp(steps)), width + 2 * _pad(steps)))
        if here.any():
            found += 1
            away = each[here] - window["middle"]
            delays.append(away[np.abs(away).argmin()])
    return {
        "series": len(series),
        "found": found,
        "delay": float(np.median(delays)) if delays else np.nan,
        "width": width,
        "own": np.nan,
        "chance": float(np.mean(chances)) if chances else np.nan,
    }


def _able(window: dict[str, Any], series: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """The shares `larger` and `peaked` of series (steps, values), by `score_known`."""
    seen = [_change_inside(window, steps, values) for steps, values in series]
    larger, peaked = np.mean(seen, axis=0).tolist() if seen else (np.nan, np.nan)
    return {"larger": larger, "peaked": peaked}


def _change_inside(window: dict[str, Any], steps: np.ndarray, values: np.ndarray) -> tuple[bool, bool]:
    """Whether the change of a series (n,) inside a window is larger than 95% of those over stretches as long that do
    not meet it, and whether it is also larger than that just before and just after, as far as the record reaches."""
    first, last = (int(at) for at in np.searchsorted(steps, [window["start"], window["end"]]))
    last = min(max(last, first + 1), values.size - 1)
    length = last - first
    level = np.convolve(np.pad(values, length // 10, mode="edge"), np.full(2 * (length // 10) + 1, 1.0), "valid")
    level /= 2 * (length // 10) + 1
    change = level[length:] - level[:-length]
    inside, place = change[first], np.arange(change.size)
    elsewhere = np.abs(change[np.abs(place - first) >= length])
    if not elsewhere.size or not abs(inside) > np.quantile(elsewhere, 0.95):
        return False, False
    before = (level[first] - level[max(first - length, 0)]) * np.sign(inside)
    after = (level[min(last + length, values.size - 1)] - level[last]) * np.sign(inside)
    return True, bool(abs(inside) > max(before, after))


def chance_share(events: np.ndarray, span: float, width: float) -> float:
    """Share of the shifts of `events` (positions) around a record of length `span` at which one lies in a window of
    `width`."""
    if not events.size or not span > 0:
        return 0.0
    places = np.sort(events % span)
    gaps = np.diff(np.append(places, places[0] + span))
    return float(np.minimum(gaps, width).sum() / span)


def _moves(layer: str, values: np.ndarray) -> bool:
    return layer != RUN_LEVEL and np.ptp(values) > 1e-6 * np.abs(values).max()


def _points_outside(steps: np.ndarray, truth: list[dict[str, Any]]) -> int:
    pad = PAD * (steps[-1] - steps[0])
    covered = np.zeros(len(steps), bool)
    for window in truth:
        covered |= (steps >= window["start"] - pad) & (steps <= window["end"] + pad)
    return int((~covered).sum())


def _kind(record: Phase1, run: str) -> str:
    task = (record.metadata_of(run).get("train") or {}).get("task") or {}
    return str(task.get("name") or run)
