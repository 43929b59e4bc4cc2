"""Recall against false alarms: what each detector finds as its threshold moves, and what that costs."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ontogeny.jumps.chances import ALARMS_PER_1000
from ontogeny.jumps.detection import LOOKS, jumps_in_each, transitions_in_each
from ontogeny.jumps.events import as_series
from ontogeny.jumps.known import chance_share
from ontogeny.jumps.series import NULLS, planted

if TYPE_CHECKING:
    import pandas as pd

RAMPS = (5, 20, 50, 100, 200)
"""Lengths of the planted ramps, in measurements."""

BACKGROUNDS = ("white", "ar1_0.9", "linear_drift")
SIGMAS = 8
SWEPT: dict[str, dict[str, Sequence[float]]] = {
    "z_score": {"threshold": (3, 4, 5, 6, 8, 12)},
    "gradient": {"threshold": (3, 4, 5, 6, 8, 12)},
    "pelt": {"penalty": (10, 30, 100, 300, 1000)},
}
"""Detectors of others, and the settings that are swept; the first is the default."""

CHANCES = (0.45, 0.225, 0.15, 0.075, 0.03, 0.015, 0.0045, 0.0015)
"""p-values from which the events of the search for transitions are taken."""

COLUMNS = ("detector", "setting", "families", "rate", "worst", "worst_family", "recall", "chance")

Steps = list[np.ndarray]
"""The steps of the events found in each series."""


def trade_off(length: int, rows: int, *, seed: int) -> pd.DataFrame:
    """False alarms and recall of each detector at each setting, in series of `length`, `rows` of each kind.

    Columns: rate, worst: false alarms per 1000 points, the mean over the families of nulls and the worst of them;
    recall: the share of planted ramps (`RAMPS`, 8 local standard deviations, on three backgrounds) with an event
    within, give or take 2 points; chance: the recall of the same events at random times. The setting of 'transition',
    jumps and transitions together, is the largest p-value of an event.
    """
    import pandas as pd

    nulls = {name: make(np.random.default_rng([seed, k]), rows, length) for k, (name, make) in enumerate(NULLS.items())}
    cases = []
    for k, background in enumerate(BACKGROUNDS):
        for ramp in RAMPS:
            if ramp <= length / 4:
                rng = np.random.default_rng([seed, 1000 + k, ramp])
                margin = max(length // 10, ramp // 2)
                cases.append((ramp, *planted(background, rng, rows, length, SIGMAS, ramp, margin=margin)))
    found = []
    for name, finds in _finders(nulls, [series for _, series, _ in cases]):
        for setting, on_nulls, on_cases in finds:
            rates = {family: 1000 * sum(map(len, steps)) / (rows * length) for family, steps in zip(nulls, on_nulls)}
            hits, chances = [], []
            for (ramp, _, places), steps in zip(cases, on_cases):
                for at, each in zip(places, steps):
                    hits.append(bool(((each >= at - 2) & (each <= at + ramp + 2)).any()))
                    chances.append(chance_share(each.astype(float), float(length), ramp + 4.0))
            worst = max(rates, key=lambda family: rates[family])
            mean = float(np.mean(list(rates.values())))
            row = (name, setting, len(rates), mean, rates[worst], worst, np.mean(hits), np.mean(chances))
            found.append(dict(zip(COLUMNS, row)))
    return pd.DataFrame(found)


def _finders(
    nulls: dict[str, np.ndarray], cases: Sequence[np.ndarray]
) -> Iterator[tuple[str, list[tuple[float, list[Steps], list[Steps]]]]]:
    """Each detector with its settings and what it finds in the nulls and in the cases."""
    batches = [*nulls.values(), *cases]
    events = [_all_transitions(batch) for batch in batches]
    swept = []
    for chance in CHANCES:
        found = [[np.array([e.step for e in each if e.p_value <= chance]) for each in batch] for batch in events]
        swept.append((chance, found[: len(nulls)], found[len(nulls) :]))
    yield "transition", swept
    for name, settings in SWEPT.items():
        swept = []
        for key, values in settings.items():
            for value in values:
                found = [_found(batch, name, {key: value}) for batch in batches]
                swept.append((value, found[: len(nulls)], found[len(nulls) :]))
        yield name, swept


def _all_transitions(batch: np.ndarray) -> list[Any]:
    """Jumps and transitions of each series, those included of which more would be false alarms than is allowed."""
    allowed = dict(ALARMS_PER_1000)
    ALARMS_PER_1000.update(dict.fromkeys(allowed, max(CHANCES) / LOOKS))
    try:
        return list(transitions_in_each([as_series(row) for row in batch]))
    finally:
        ALARMS_PER_1000.update(allowed)


def _found(batch: np.ndarray, name: str, settings: dict[str, Any]) -> Steps:
    found = jumps_in_each([as_series(row) for row in batch], name, **settings)
    return [np.array([event.step for event in each]) for each in found]


def plot_trade_off(table: pd.DataFrame, path: str | os.PathLike) -> list[Path]:
    """Draw `trade_off` to `path` as PNG and PDF, data beside as CSV: recall, and recall at random times, against the
    mean rate of false alarms."""
    from ontogeny.plotting.style import COLOURS, MUTED, figure, panel_letter, save_figure

    fig, axes = figure(1, 2, width=7.2, height=3.2, sharey=True)
    titles = ("Within the planted change", "Beyond what random times give")
    values: tuple[Callable[[Any], Any], ...] = (lambda t: t["recall"], lambda t: t["recall"] - t["chance"])
    for letter, axis, title, value in zip("ab", axes, titles, values):
        for k, (name, part) in enumerate(table.groupby("detector", sort=False)):
            rate = np.maximum(part["rate"].to_numpy(float), 0.003)
            label = str(name).replace("_", " ")
            axis.plot(rate, value(part), "-o", ms=3.5, color=COLOURS[k], label=label)
            default = part.iloc[0] if name != "transition" else _as_shipped(part)
            axis.plot(max(float(default["rate"]), 0.003), value(default), "o", ms=8, mfc="none", color=COLOURS[k])
        axis.axvline(0.2, color=MUTED, ls="--", lw=1)
        axis.set(xscale="log", ylim=(-0.03, 1.03), title=title, xlabel="false alarms per 1,000 measurements (mean)")
        ticks = (0.003, 0.01, 0.1, 1, 10)
        axis.set_xticks(ticks, ["0", *(f"{tick:g}" for tick in ticks[1:])])
        axis.minorticks_off()
        panel_letter(axis, letter)
    axes[0].set_ylabel("share of changes found")
    axes[0].legend(loc="center left", bbox_to_anchor=(0.0, 0.35))
    return save_figure(fig, path, data=table)


def _as_shipped(part: pd.DataFrame) -> Any:
    """The row of the search for transitions nearest to the largest p-value that is reported."""
    reported = LOOKS * max(ALARMS_PER_1000.values())
    return part.iloc[int((part["setting"].map(math.log) - math.log(reported)).abs().argmin())]
