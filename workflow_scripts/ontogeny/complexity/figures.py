"""Figures of the learning coefficient along training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ontogeny.complexity.settings import SCALE_STEPS
from ontogeny.complexity.stages import WHOLE, main_estimates
from ontogeny.errors import OntogenyError
from ontogeny.phase1 import RUN_LEVEL, Phase1
from ontogeny.plotting.style import COLOURS, INK, JUMP, MUTED, PlainTicks, figure, log_axis, step_axis

if TYPE_CHECKING:
    from ontogeny.complexity.calibration import Calibration

_METRICS = ("participation_ratio", "stable_rank")
_OTHERS = tuple(colour for colour in COLOURS if colour != JUMP)


def plot_complexity(
    table: pd.DataFrame, record: Phase1, jumps: pd.DataFrame | None = None, title: str | None = None
) -> Figure:
    """Loss, learning coefficient and dimensionality of one run on one time axis, jumps and transitions marked.

    table: of `complexity_of_run`. Bars are two standard errors over chains; hollow points have a note that speaks
    against them. Of several localisations each has a line, on a logarithmic axis unless an estimate is negative. The
    loss on the probe is drawn where the record has it. The dimensionality is that with the strongest significant
    transition, or that of the last monitored layer but one. jumps: step, `significant` and, of transitions, onset and
    end; lines mark the significant ones, shades the spans of transitions. Time is logarithmic where half of the
    estimates lie in its first tenth.

    Raises OntogenyError for an empty table.
    """
    if table.empty:
        raise OntogenyError("the table of learning coefficients is empty; there is nothing to draw")
    run = record.runs[0]
    held = {(layer, metric): (s, v) for r, layer, metric, s, v in record.each_series() if r == run}
    layer, metric = _dimensionality(record.layers_of(run), set(held), jumps)
    fig, axes = figure(3 if metric else 2, 1, width=6.4, height=5.6 if metric else 4.2, sharex=True)
    measured = {name: held[RUN_LEVEL, name][1] for name in ("loss", "probe_loss") if (RUN_LEVEL, name) in held}
    if "loss" in measured and not np.array_equal(measured["loss"], measured.get("probe_loss", [])):
        axes[0].plot(*held[RUN_LEVEL, "loss"], color=MUTED, linewidth=0.8, label="training batch")
    if (RUN_LEVEL, "probe_loss") in held:
        axes[0].plot(*held[RUN_LEVEL, "probe_loss"], color=COLOURS[0], linewidth=0.9, label="probe")
    whole = main_estimates(table)
    axes[0].plot(whole["step"], whole["loss"], "o-", color=INK, markersize=3, label="samples of the estimate")
    axes[0].set_ylabel("Loss")
    log_axis(axes[0])
    axes[0].legend()
    lines = list(table.groupby(["group", "localisation"], sort=False))
    pulls = table.loc[table["group"] == WHOLE, "localisation"].unique()
    for k, ((group, pull), part) in enumerate(lines):
        label = str(group) if group != WHOLE else f"localisation {pull:g}" if len(pulls) > 1 else "all parameters"
        _points(axes[1], part, INK if k == 0 else _OTHERS[(k - 1) % len(_OTHERS)], label)
    axes[1].set_ylabel("Learning coefficient")
    if len(pulls) > 1 and (table["llc"] > 0).all():
        log_axis(axes[1])
    else:
        axes[1].axhline(0, color=MUTED, linewidth=0.6)
    if len(lines) > 1:
        axes[1].legend(fontsize=7, ncols=2)
    if metric:
        axes[2].plot(*held[layer, metric], color=COLOURS[0], linewidth=1.0)
        axes[2].set_ylabel(f"{metric.replace('_', ' ').capitalize()}\n({layer})")
    for step, onset, end in _significant(jumps):
        for axis in axes:
            axis.axvline(step, color=JUMP, linewidth=0.8, alpha=0.6)
            if end > onset:
                axis.axvspan(onset, end, color=JUMP, alpha=0.06, linewidth=0)
    step_axis(axes[-1], whole["step"])
    axes[-1].set_xlabel("Training step")
    axes[0].set_title(title or run)
    fig.align_ylabels(axes)
    return fig


def _dimensionality(
    layers: list[str], held: set[tuple[str, str]], jumps: pd.DataFrame | None
) -> tuple[str, str | None]:
    """The layer and the metric of dimensionality to draw; no metric where the record has none."""
    if jumps is not None and {"layer", "metric", "score", "significant"} <= set(jumps):
        found = jumps[jumps["significant"].astype(bool) & jumps["metric"].isin(_METRICS)]
        found = found.sort_values("score", ascending=False)
        for layer, metric in zip(found["layer"], found["metric"]):
            if (layer, metric) in held:
                return layer, metric
    layer = layers[max(len(layers) - 2, 0)]
    return layer, next((m for m in _METRICS if (layer, m) in held), None)


def _points(axis: Axes, part: pd.DataFrame, colour: str, label: str) -> None:
    clean = part["notes"].fillna("") == ""
    axis.plot(part["step"], part["llc"], "-", color=colour, linewidth=0.9)
    for rows, face in ((part[clean], colour), (part[~clean], "white")):
        axis.errorbar(
            rows["step"], rows["llc"], 2 * rows["standard_error"].fillna(0), fmt="o", color=colour, markersize=4,
            markerfacecolor=face, elinewidth=0.8, label=label if face == colour else None,
        )  # fmt: skip


def _significant(jumps: pd.DataFrame | None) -> list[tuple[float, float, float]]:
    """Step, onset and end of the significant jumps and transitions, each once."""
    if jumps is None or jumps.empty or "significant" not in jumps:
        return []
    found = jumps[jumps["significant"].astype(bool)]
    spans = found[["onset", "end"]] if {"onset", "end"} <= set(found) else found[["step", "step"]]
    spans = np.where(np.isnan(spans.to_numpy(float)), found[["step"]], spans)
    return sorted({(float(step), float(a), float(b)) for step, (a, b) in zip(found["step"], spans)})


def plot_complexity_of_ensemble(table: pd.DataFrame, title: str, most: int = 100) -> Figure:
    """Learning coefficients of the networks of one ensemble over training, against epoch and against loss.

    table: of `complexity_of_ensemble`. Faint lines are networks (the first `most`), the bold one their median at each
    share of training; on the right, estimates with a note (not at a minimum, for instance) are hollow. The axis of the
    coefficient is linear from -10 to 10 and logarithmic beyond.

    Raises OntogenyError for an empty table.
    """
    if table.empty:
        raise OntogenyError("the table of learning coefficients is empty; there is nothing to draw")
    fig, axes = figure(1, 2, width=7.2, height=3.0)
    last = table.groupby("seed")["epoch"].transform("max").clip(lower=1)
    table = table.assign(share=table["epoch"] / last)
    for _, part in list(table.groupby("seed"))[:most]:
        axes[0].plot(part["share"], part["llc"], color=COLOURS[0], linewidth=0.5, alpha=0.25)
    bins = np.round(table["share"] * 20) / 20
    median = table.groupby(bins)["llc"].median()
    axes[0].plot(median.index, median.to_numpy(), color=INK, linewidth=1.8, label="median")
    axes[0].axhline(0, color=MUTED, linewidth=0.6)
    axes[0].set(xlabel="Share of the network's own training", ylabel="Learning coefficient")
    axes[0].set_title(title)
    axes[0].legend()
    clean = table["notes"].fillna("") == ""
    for rows, face, label in ((table[clean], COLOURS[0], "no note"), (table[~clean], "white", "with a note")):
        axes[1].scatter(
            rows["loss"], rows["llc"], s=7, facecolors=face, edgecolors=COLOURS[0], linewidths=0.4, label=label
        )
    log_axis(axes[1], "x")
    axes[1].axhline(0, color=MUTED, linewidth=0.6)
    axes[1].set(xlabel="Training loss", ylabel="Learning coefficient")
    for axis in axes:
        axis.set_yscale("symlog", linthresh=10, linscale=2)
        axis.yaxis.set_major_formatter(PlainTicks())
    axes[1].legend()
    return fig


def plot_complexity_and_circuits(table: pd.DataFrame, title: str | None = None) -> Figure:
    """What changes where the learning coefficient does: correlations of changes, against the null.

    table: of `complexity_and_circuits`. Points are means over networks, bars their bootstrap intervals; hollow ones
    have the change of the loss taken out. Grey bands hold 95 % of the means between networks.

    Raises OntogenyError for an empty table.
    """
    if table.empty:
        raise OntogenyError("the table of changes is empty; there is nothing to draw")
    quantities = list(dict.fromkeys(table["quantity"]))[::-1]
    fig, axes = figure(1, 1, width=6.4, height=1.3 + 0.32 * len(quantities))
    for given, shift, face in (("nothing", 0.17, INK), ("loss", -0.17, "white")):
        rows = table[table["given"] == given].dropna(subset="correlation")
        place = np.array([quantities.index(name) for name in rows["quantity"]]) + shift
        axes.barh(
            place, rows["between_high"] - rows["between_low"], 0.3, rows["between_low"], color=MUTED, alpha=0.35,
            label="between networks, 95%" if given == "nothing" else None,
        )  # fmt: skip
        ends = np.abs(rows[["low", "high"]].to_numpy().T - rows["correlation"].to_numpy())
        axes.errorbar(
            rows["correlation"], place, xerr=ends,
            fmt="o", color=INK, markersize=4, markerfacecolor=face, elinewidth=0.9,
            label="changes as they are" if given == "nothing" else "change of the loss taken out",
        )  # fmt: skip
    axes.axvline(0, color=MUTED, linewidth=0.6)
    axes.set_yticks(range(len(quantities)), [name.replace("_", " ") for name in quantities])
    axes.set_ylim(-0.6, len(quantities) - 0.4)
    axes.set_xlabel("Rank correlation with the changes of the learning coefficient")
    axes.set_title(title)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.9 / fig.get_figheight()), ncols=3, fontsize=7)
    return fig


def plot_calibration(calibration: Calibration, acceptance: float, title: str = "") -> Figure:
    """Step sizes on the way to the one that was chosen, and the share accepted, for every network.

    calibration: of `calibrate`; acceptance: the share that was asked for. Before 0 is the search for the scale. Shares
    are means over 10 steps; lines at the right end of the upper panel are the choices.
    """
    fig, axes = figure(2, 1, width=4.8, height=4.0, sharex=True)
    count, networks = calibration.tried.shape
    walk = count - SCALE_STEPS
    time, faint = np.arange(count) - SCALE_STEPS, max(0.15, 1 / networks)
    for k in range(networks):
        tried, accepted = calibration.tried[:, k], calibration.accepted[:, k]
        name, choice = ("tried", "chosen") if k == 0 else (None, None)
        axes[0].plot(time[SCALE_STEPS:], tried[SCALE_STEPS:], color=COLOURS[0], alpha=faint, linewidth=0.9, label=name)
        axes[0].plot(time[:SCALE_STEPS], tried[:SCALE_STEPS], ".", color=MUTED, alpha=faint)
        axes[0].hlines(calibration.chosen[k], walk / 2, walk, color=JUMP, linewidth=1.4, alpha=faint, label=choice)
        smooth = np.convolve(accepted[SCALE_STEPS:], np.full(10, 0.1), "valid")
        axes[1].plot(np.arange(len(smooth)) + 5, smooth, color=COLOURS[0], alpha=faint, linewidth=0.9)
        axes[1].plot(time[:SCALE_STEPS], accepted[:SCALE_STEPS], ".", color=MUTED, alpha=faint)
    axes[1].axhline(acceptance, color=MUTED, linewidth=0.8, linestyle="--", label="asked for")
    log_axis(axes[0])
    axes[0].set(ylabel="Step size", title=title)
    axes[1].set(xlabel="Step of the walk", ylabel="Share accepted", ylim=(-0.03, 1.03))
    for axis in axes:
        axis.legend(loc="lower right")
    fig.align_ylabels(axes)
    return fig
