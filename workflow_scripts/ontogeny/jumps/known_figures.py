"""Figures of known transitions: what progressed when, and which detectors saw it."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ontogeny.errors import OntogenyError
from ontogeny.jumps.detection import detect_transitions
from ontogeny.jumps.figures import metric_label, shortened
from ontogeny.jumps.known import FINDERS, OUTSIDE, truth_of
from ontogeny.phase1 import RUN_LEVEL, Phase1
from ontogeny.plotting.style import COLOURS, INK, JUMP, MUTED, figure, log_axis

METRIC = "stable_rank"
_MOST_RUNS = 3
_MOST_LAYERS = 4

PANELS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "modular_addition": (
        ("Accuracy", ("train_accuracy", "probe_accuracy")),
        ("Loss", ("restricted_loss", "excluded_loss", "probe_loss")),
    ),
    "sparse_parity": (("Accuracy", ("probe_accuracy",)), ("Weight on\nrelevant bits", ("relevant_weight",))),
    "deep_linear": (("Mode strength", ("mode_",)), ("Loss", ("loss",))),
    "superposition": (("Feature recovered", ("feature_",)), ("Interference", ("interference_",))),
    "repeated_sequences": (("Prefix matching", ("prefix_matching_",)), ("Loss", ("second_half_loss", "loss"))),
}
"""What is drawn above the layers for each task: labels of axes, and names, or beginnings of names, of columns."""

LABELS = {
    "train_accuracy": "training",
    "probe_accuracy": "held out",
    "restricted_loss": "restricted",
    "excluded_loss": "excluded",
    "probe_loss": "held out",
    "second_half_loss": "second half",
    "loss": "training",
}


def plot_progress(record: Phase1, jumps: pd.DataFrame, runs: Sequence[str] | None = None) -> Figure:
    """A column per run with known transitions: the quantities that define them and the layers' stable rank, with what
    is detected in either.

    `jumps` are the significant ones of `find_jumps` (run, layer, metric, step, onset, end).
    Grey bands: windows of the known transitions, from 10 to 90%; dotted lines: closed forms, where there are any.
    Raises OntogenyError if no run has known transitions.
    """
    known = [run for run in record.runs if truth_of(record, run)]
    chosen = list(runs) if runs is not None else _first_of_each(known)[:_MOST_RUNS]
    if not chosen:
        raise OntogenyError("no run of the record has known transitions: its metadata have no entry 'truth'")
    fig, axes = figure(3, len(chosen), width=0.6 + 3.5 * len(chosen), height=5.4, sharex="col", squeeze=False)
    for column, run in zip(axes.T, chosen):
        _progress(column[:2], record, run)
        _layers(column[2], record, run, jumps[jumps["run"] == run])
        for axis in column:
            for window in truth_of(record, run):
                axis.axvspan(window["start"], window["end"], color=MUTED, alpha=0.16, linewidth=0)
        column[0].set_title(_title(record, run), fontsize=9)
        column[2].set_xlabel("Training step")
        fig.align_ylabels(column)
    handles = [
        Line2D([], [], color=MUTED, linewidth=6, alpha=0.3, label="known transition, 10 to 90%"),
        Line2D([], [], color=JUMP, marker="o", markersize=4, label="detected: midpoint, onset to end"),
    ]
    if any("expected" in window for run in chosen for window in truth_of(record, run)):
        handles.insert(1, Line2D([], [], color=INK, linestyle=":", label="closed form"))
    fig.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=7.5)
    return fig


def _first_of_each(runs: Sequence[str]) -> list[str]:
    """The first run of each name, of those that differ in their seed alone."""
    return list({run.rsplit("/s", 1)[0]: run for run in reversed(runs)}.values())[::-1]


def _task(record: Phase1, run: str) -> str:
    train = record.metadata_of(run).get("train") or {}
    return str((train.get("task") or {}).get("name", ""))


def _title(record: Phase1, run: str) -> str:
    names = {
        "modular_addition": "Modular addition",
        "deep_linear": "Deep linear network",
        "sparse_parity": "Sparse parity",
        "superposition": "Toy model of superposition",
        "repeated_sequences": "Repeated sequences",
    }
    return names.get(_task(record, run), shortened(run))


def _progress(axes: Sequence[Axes], record: Phase1, run: str) -> None:
    held = {metric: (s, v) for r, layer, metric, s, v in record.each_series() if r == run and layer == RUN_LEVEL}
    expected = {window["quantity"]: window["expected"] for window in truth_of(record, run) if "expected" in window}
    defining = {window["quantity"] for window in truth_of(record, run)}
    panels = PANELS.get(_task(record, run), (("Held-out accuracy", ("probe_accuracy",)), ("Loss", ("loss",))))
    for axis, (label, names) in zip(axes, panels):
        shown = [
            metric
            for name in names
            for metric in held
            if metric == name or (name[-1] == "_" and metric.startswith(name))
        ]
        shades = _shades(len(shown)) if len(shown) > 3 else COLOURS
        for metric, colour in zip(shown, shades):
            steps, values = held[metric]
            axis.plot(steps, values, color=colour, linewidth=1.2, label=LABELS.get(metric))
            if metric in defining:
                for event in detect_transitions(values, steps):
                    _mark(axis, steps, values, event.step, event.onset, event.end)
            if metric in expected:
                axis.plot(steps, expected[metric], color=INK, linewidth=0.9, linestyle=":")
        if 1 < len(shown) <= 3:
            if "oss" in label:
                axis.legend(fontsize=7, loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0.1)
            else:
                axis.legend(fontsize=7)
        low = min(held[metric][1].min() for metric in shown) if shown else 0.0
        if "oss" in label and low > 0:
            log_axis(axis)
        axis.set_ylabel(label)


def _mark(axis: Axes, steps: np.ndarray, values: np.ndarray, step: float, onset: float, end: float) -> None:
    level = float(np.interp(step, steps, values))
    axis.plot([onset, end], [level, level], color=JUMP, linewidth=1.5, zorder=3)
    axis.plot(step, level, "o", color=JUMP, markersize=4, zorder=4)


def _shades(count: int) -> list[tuple[float, ...]]:
    return [mpl.colormaps["viridis"](0.05 + 0.8 * i / max(count - 1, 1)) for i in range(count)]


def _layers(axis: Axes, record: Phase1, run: str, jumps: pd.DataFrame) -> None:
    layers = record.layers_of(run)[:_MOST_LAYERS]
    shades = _shades(len(layers))
    found = jumps[jumps["metric"] == METRIC]
    for layer, colour in zip(layers, shades):
        steps, values = record.series(layer, METRIC, run)
        axis.plot(steps, values, color=colour, linewidth=1.2, label=shortened(layer, 18))
        for _, event in found[found["layer"] == layer].iterrows():
            _mark(axis, steps, values, event["step"], event["onset"], event["end"])
    axis.legend(fontsize=7)
    axis.set_ylabel(metric_label(METRIC))


def plot_known_transitions(table: pd.DataFrame) -> Figure:
    """Recall, delay and false alarms of every detector (`score_known`): a row per known transition, a colour per
    detector. Dots: series of layers, with 95% intervals over runs; bars: what the same events would reach at random
    times; diamonds: the defining quantity itself."""
    known = table[table["transition"] != OUTSIDE]
    alarms = table[table["transition"] == OUTSIDE]
    rows = list(dict.fromkeys(zip(known["kind"], known["transition"])))
    kinds = list(dict.fromkeys(alarms["kind"]))
    finders = [name for name in FINDERS if name in set(table["detector"])]
    fig, (left, middle, right) = figure(
        1, 3, width=8.4, height=1.6 + 0.3 * max(len(rows), len(kinds)), gridspec_kw={"width_ratios": [3, 3, 2]}
    )
    offsets = np.linspace(0.3, -0.3, len(finders))
    for offset, finder, colour in zip(offsets, finders, COLOURS):
        mine = (
            known[known["detector"] == finder]
            .set_index(["kind", "transition"])
            .reindex(pd.MultiIndex.from_tuples(rows))
        )
        at = np.arange(len(rows))[::-1] + offset
        left.hlines(at, mine["recall_low"], mine["recall_high"], color=colour, linewidth=1)
        left.scatter(mine["recall"], at, s=14, color=colour, label=finder, zorder=3)
        left.scatter(mine["chance"], at, s=34, marker="|", color=colour, linewidths=1.1, zorder=2)
        left.scatter(mine["own"], at, s=22, marker="D", facecolors="none", edgecolors=colour, linewidths=0.8, zorder=2)
        share = {
            name: mine[name] / mine["width"].where(mine["width"] > 0) for name in ("delay", "delay_low", "delay_high")
        }
        middle.hlines(at, share["delay_low"], share["delay_high"], color=colour, linewidth=1)
        middle.scatter(share["delay"], at, s=14, color=colour, zorder=3)
        rates = alarms[alarms["detector"] == finder].set_index("kind")["per_1000"].reindex(kinds)
        right.scatter(np.maximum(rates, 0.01), np.arange(len(kinds))[::-1] + offset, s=14, color=colour, zorder=3)
    names = [f"{shortened(kind, 18)}: {name}" if kind != name else name for kind, name in rows]
    left.set_yticks(np.arange(len(rows))[::-1], names, fontsize=7)
    middle.set_yticks([])
    right.set_yticks(np.arange(len(kinds))[::-1], [shortened(kind, 20) for kind in kinds], fontsize=7)
    left.set(xlim=(-0.03, 1.03), xlabel="Recall (share of series)")
    middle.axvline(0, color=INK, linewidth=0.7, linestyle=":")
    middle.set(xlim=(-0.8, 0.8), xlabel="Delay (widths of the transition)")
    right.axvline(0.2, color=INK, linewidth=0.7, linestyle=":")
    right.set(xscale="log", xlim=(0.007, 300), xlabel="Events elsewhere\n(per 1,000 measurements)")
    right.set_xticks([0.01, 0.1, 1, 10, 100], ["0", "0.1", "1", "10", "100"])
    right.minorticks_off()
    for axis, count in ((left, len(rows)), (middle, len(rows)), (right, len(kinds))):
        axis.set_ylim(-0.5, count - 0.5)
        for place in range(1, count):
            axis.axhline(place - 0.5, color=MUTED, linewidth=0.4, alpha=0.5)
    for axis in (left, middle, right):
        axis.grid(False, axis="y")
    handles, labels = left.get_legend_handles_labels()
    handles += [
        Line2D([], [], color=MUTED, linestyle="", marker="o", markersize=4.5),
        Line2D([], [], color=MUTED, linestyle="", marker="|", markersize=8),
        Line2D([], [], color=MUTED, linestyle="", marker="D", markersize=4.5, markerfacecolor="none"),
    ]
    labels += ["series of layers", "at random times", "the defining quantity"]
    fig.legend(handles, labels, loc="outside lower center", ncols=max(len(finders), 4), fontsize=7.5)
    return fig
