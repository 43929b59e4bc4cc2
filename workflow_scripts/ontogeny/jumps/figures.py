"""Figures of Phase 1 records and of what was found in them. Each takes tables and gives a Matplotlib figure.

Colours of layers run from dark (input) to light (output). Upward jumps are triangles that point up, downward ones
point down. Save with `ontogeny.plotting.save_figure`, with the table as its data.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ontogeny.errors import OntogenyError
from ontogeny.jumps.answer import Answer, counted_changes, step_text
from ontogeny.jumps.measures import LOSSES, rank_of, ranked
from ontogeny.phase1 import RUN_LEVEL, Phase1
from ontogeny.plotting.style import COLOURS, DIVERGING, INK, JUMP, MUTED, colour_map, figure, log_axis, step_axis
from ontogeny.statistics import bootstrap_interval
from ontogeny.words import counted

METRIC_LABELS = {
    "stable_rank": "Stable rank",
    "participation_ratio": "Participation ratio",
    "participation_ratio_covariance": "Participation ratio\n(covariance)",
    "cumulative_90": "Components for 90%",
    "nuclear_norm_ratio": "Nuclear norm ratio",
    "loss": "Loss",
    "grad_norm": "Gradient norm",
}
_EARLY = 20
"""Where nine tenths of all jumps lie before this percentage of training, its axis is logarithmic."""
_LEAST_FOR_INTERVAL = 3
"""Runs from which an interval of their mean is drawn."""
_MOST_NAMED = 8
"""Up to so many runs get a colour and a legend entry each."""
_MOST_LABELS = 20
_TITLE = 74
"""Letters of a title across a figure of 7.2 inches."""
_MOST_MEASURES = 8
_SOLID = 5
"""With more layers every second line is dashed, since shades alone are hard to tell apart."""


def metric_label(metric: str) -> str:
    """How a metric is called in figures."""
    return METRIC_LABELS.get(metric, shortened(metric))


def shortened(name: str, most: int = 34) -> str:
    """`name` on one line, its middle left out when it is long."""
    text = " ".join(str(name).split())
    return text if len(text) <= most else f"{text[: most // 2 - 1]}…{text[-(most - most // 2) :]}"


def plot_metrics(
    record: Phase1,
    run: str | None = None,
    jumps: pd.DataFrame | None = None,
    metrics: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """All metrics of one run over training: one panel per metric, one line per layer, the loss at the bottom.

    `jumps` has run, layer, metric, step, direction, and optionally `significant` (true, by default). Significant
    jumps of the layers drawn are filled triangles, the others hollow; the title counts both. With kind,
    onset and end, the spans of significant transitions are shaded. Raises OntogenyError for a run without any of the
    metrics, and without a loss.
    """
    run = record.run_name(run)
    layers = record.layers_of(run)
    held = {(layer, metric): (s, v) for r, layer, metric, s, v in record.each_series() if r == run}
    names = [m for m in (metrics or record.metrics) if any((layer, m) in held for layer in layers)]
    bottom = [m for m in ("loss", "val_loss") if (RUN_LEVEL, m) in held]
    if not names and not bottom:
        raise OntogenyError(f"run {run!r} has nothing to draw of {list(metrics or [])}")
    rows = len(names) + bool(bottom)
    fig, axes = figure(rows, 1, width=7.2, height=0.6 + 1.5 * rows, sharex=True, squeeze=False)
    colours = _layer_colours(layers)
    marked = [False, False]
    for axis, metric in zip(axes[:, 0], names):
        drawn = [layer for layer in layers if (layer, metric) in held]
        for layer in drawn:
            axis.plot(*held[layer, metric], color=colours[layer], linewidth=1.0, linestyle=_dashes(layers, layer))
        marked = [a or b for a, b in zip(marked, _mark_jumps(axis, _of(jumps, run, metric), held, metric))]
        rebuilt = any((run, layer, metric) in record.derived for layer in drawn)
        axis.set_ylabel(metric_label(metric) + ("\n(rebuilt)" if rebuilt else ""))
        _log_if_wide(axis, [held[layer, metric][1] for layer in drawn])
        if metric.startswith("cumulative") and axis.get_yscale() == "linear":
            axis.yaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True, min_n_ticks=2))
    if bottom:
        axis = axes[-1, 0]
        for metric, style in zip(bottom, ("-", "--")):
            axis.plot(*held[RUN_LEVEL, metric], style, color=INK, linewidth=0.9, label=metric_label(metric))
        axis.set_ylabel("Loss")
        _log_if_wide(axis, [held[RUN_LEVEL, metric][1] for metric in bottom])
        if len(bottom) > 1:
            axis.legend()
    axes[-1, 0].set_xlabel("Training step")
    step_axis(axes[-1, 0], np.concatenate([steps for steps, _ in held.values()]))
    said = _title(f"{title or shortened(run, 50)}: metrics by layer", _jump_counts(jumps, run))
    axes[0, 0].set_title("\n".join(said))
    fig.align_ylabels(axes[:, 0])
    _layer_legend(fig, layers, colours, _marks(jumps, run, marked))
    return fig


def plot_heat_map(
    record: Phase1,
    run: str | None = None,
    jumps: pd.DataFrame | None = None,
    metrics: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Layers by steps of one run, one panel per metric, jumps overlaid; the input layer is at the bottom.

    Each layer is centred at its median and scaled so that 98% of its values lie between -1 and 1, so that layers of
    different level compare and steep first steps do not saturate. A layer that does not vary is grey. Raises
    OntogenyError for a run without layers.
    """
    run = record.run_name(run)
    layers = record.layers_of(run)
    held = {(layer, metric): (s, v) for r, layer, metric, s, v in record.each_series() if r == run}
    names = [m for m in (metrics or record.metrics) if any((layer, m) in held for layer in layers)]
    if not names:
        raise OntogenyError(f"run {run!r} has no layers to draw")
    tall = max(1.0, 0.16 * len(layers) + 0.35)
    fig, axes = figure(
        len(names), 1, width=7.2, height=0.8 + tall * len(names), sharex=True, squeeze=False, layout="none"
    )
    for axis, metric in zip(axes[:, 0], names):
        steps, scaled = _scaled(layers, metric, held)
        edges = _edges(steps)
        shades = mpl.colormaps[DIVERGING].with_extremes(bad="#DDDDDD")
        image = axis.pcolormesh(
            edges, np.arange(len(layers) + 1) - 0.5, scaled, cmap=shades, vmin=-1, vmax=1, rasterized=True
        )
        found = _of(jumps, run, metric)
        found = found[found["significant"].astype(bool)] if "significant" in found else found
        depth = {layer: i for i, layer in enumerate(layers)}
        for direction, marker in (("up", "^"), ("down", "v")):
            part = found[(found["direction"] == direction) & found["layer"].isin(layers)]
            axis.scatter(
                part["step"],
                part["layer"].map(depth),
                marker=marker,
                s=20,
                c="black",
                edgecolors="white",
                linewidths=0.5,
            )
        shown = range(0, len(layers), max(1, -(-len(layers) // _MOST_LABELS)))
        axis.set_yticks(list(shown), [shortened(layers[i], 28) for i in shown], fontsize=7)
        axis.grid(False)
        rebuilt = any((run, layer, metric) in record.derived for layer in layers)
        axis.set_title(metric_label(metric).replace("\n", " ") + (" (rebuilt)" if rebuilt else ""), fontsize=9)
    axes[-1, 0].set_xlabel("Training step")
    step_axis(axes[-1, 0], steps)
    said = _title(f"{title or shortened(run, 50)}: layers by steps", _jump_counts(jumps, run))
    fig.set_figheight(fig.get_figheight() + 0.17 * (len(said) - 1))
    top = 1 - 0.12 / fig.get_figheight()
    fig.suptitle("\n".join(said), x=0.01, ha="left", fontsize=10, fontweight="bold", y=top)
    _place_by_hand(fig, axes[:, 0].tolist(), max(len(shortened(layer, 28)) for layer in layers), len(said))
    beside = fig.add_axes((1 - 0.85 / fig.get_figwidth(), 0.3, 0.14 / fig.get_figwidth(), 0.4))
    bar = fig.colorbar(image, cax=beside, extend="both")
    bar.set_label("Deviation from the layer's median / largest of 98% of steps")
    return fig


def _place_by_hand(fig: Figure, panels: Sequence[Axes], letters: int, lines: int) -> None:
    """Room for tick labels of so many letters, a title of so many lines and a colour bar, without measuring text."""
    width, height = fig.get_figwidth(), fig.get_figheight()
    left, right = (0.2 + 0.062 * letters) / width, 1 - 1.05 / width
    above = 0.48 + 0.17 * lines
    fig.subplots_adjust(left, 0.5 / height, right, 1 - above / height, hspace=0.35 / (height / len(panels) - 0.4))


def plot_measures(record: Phase1, run: str | None = None, answer: Answer | None = None) -> Figure:
    """The measures of one run as a whole over training, one panel each, at most eight, held-out accuracy first.

    Settings, clocks and norms are left out, unless there is nothing else.
    The step at which `answer` says that one of them changed is a line, its 95% interval is shaded. Raises OntogenyError
    for a run without such measures.
    """
    run = record.run_name(run)
    held = {metric: (s, v) for r, layer, metric, s, v in record.each_series() if r == run and layer == RUN_LEVEL}
    if not held:
        raise OntogenyError(f"run {run!r} has no measures of the whole run to draw")
    asked = answer.metric if answer is not None and answer.kind != "none" else ""
    names = sorted(ranked(held) or held, key=lambda metric: metric != asked)[:_MOST_MEASURES]
    fig, axes = figure(
        len(names), 1, width=7.2, height=0.8 + 1.3 * len(names), sharex=True, squeeze=False, layout="constrained"
    )
    for axis, metric in zip(axes[:, 0], names):
        steps, values = held[metric]
        axis.plot(steps, values, color=INK, linewidth=1.0, marker="." if len(steps) < 50 else None)
        axis.set_ylabel(metric_label(metric))
        if rank_of(metric) in LOSSES:
            _log_if_wide(axis, [values])
    said = f"{shortened(run, 50)}: measures of the run"
    if answer is not None and asked in held:
        axes[0, 0].axvspan(answer.low, answer.high, color=JUMP, alpha=0.25, linewidth=0)
        axes[0, 0].axvline(answer.step, color=JUMP, linewidth=1.2)
        said += f"\n{shortened(asked)} changes at step {step_text(answer.step)} "
        said += f"(95% interval {step_text(answer.low)} to {step_text(answer.high)})"
    axes[0, 0].set_title(said)
    axes[-1, 0].set_xlabel("Training step")
    step_axis(axes[-1, 0], np.concatenate([held[metric][0] for metric in names]))
    fig.align_ylabels(axes[:, 0])
    return fig


def plot_jump_overview(jumps: pd.DataFrame, rates: pd.DataFrame, groups: dict[str, str] | None = None) -> Figure:
    """All jumps and transitions of all runs over training, and how many there are per 1,000 measurements of each run.

    `jumps` is characterised (run, fraction, direction). `rates` is what `jump_rates` gives: runs without a jump are
    shown too. `groups` colours the bars by run.
    """
    runs = list(dict.fromkeys(rates["run"]))
    place = {run: i for i, run in enumerate(runs)}
    fig, (left, right) = figure(
        1, 2, width=8.2, height=1.2 + 0.17 * max(len(runs), 4), sharey=True, gridspec_kw={"width_ratios": [3, 1]}
    )
    for direction, colour, shift in (("up", JUMP, 0.17), ("down", COLOURS[0], -0.17)):
        part = jumps[jumps["direction"] == direction]
        left.scatter(
            100 * part["fraction"],
            [place[run] + shift for run in part["run"]],
            marker="|",
            s=22,
            c=colour,
            linewidths=0.8,
            alpha=0.6,
        )
    per_run = rates.groupby("run", sort=False, observed=True)[["jumps", "points"]].sum()
    height = 1000 * per_run["jumps"] / per_run["points"]
    names = dict.fromkeys((groups or {}).get(run, "") for run in runs)
    kinds = {name: COLOURS[2 + i % (len(COLOURS) - 2)] for i, name in enumerate(names)}
    colours = [kinds[(groups or {}).get(run, "")] if groups else MUTED for run in per_run.index]
    right.barh([place[run] for run in per_run.index], height, color=colours, height=0.7)
    left.set_yticks(range(len(runs)), [shortened(run) for run in runs], fontsize=6.5)
    left.set_ylim(len(runs) - 0.4, -0.6)
    early = len(jumps) > 0 and 100 * jumps["fraction"].quantile(0.9) < _EARLY
    if early:
        left.set_xscale("symlog", linthresh=1)
        left.xaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%g"))
    left.set_xlim(-0.05 if early else -1, 110 if early else 101)
    left.set_xlabel("Training (%)" + (", logarithmic above 1" if early else ""))
    right.set_xlabel("Changes per 1,000 points")
    for axis in (left, right):
        axis.grid(False, axis="y")
    left.set_title(f"{counted_changes(jumps)} in {counted(len(runs), 'run')}")
    handles = [
        Line2D([], [], color=colour, marker="|", linestyle="", markersize=8, label=label)
        for colour, label in ((JUMP, "up"), (COLOURS[0], "down"))
        if (jumps["direction"] == label).any()
    ]
    if groups:
        handles += [
            Line2D([], [], color=colour, marker="s", linestyle="", label=shortened(kind))
            for kind, colour in kinds.items()
            if any(height[run] > 0 for run in runs if groups.get(run, "") == kind)
        ]
    if handles:
        fig.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 6))
    return fig


def plot_convergence(layers: pd.DataFrame, order: pd.DataFrame, metric: str) -> Figure:
    """Settling of layers by depth, and the order of layers in each run with its interval, for one metric.

    `layers` and `order` are those of `ontogeny.jumps.convergence.layer_convergence`.
    """
    part = layers[layers["metric"] == metric]
    ranks = order[order["metric"] == metric]
    runs = list(dict.fromkeys(part["run"]))
    rows = ranks[ranks["tau"].notna()]
    ratios = [1.25, 1][: 1 + (len(rows) > 0)]
    fig, panels = figure(
        1, len(ratios), width=8.2 if len(rows) else 4.8, height=max(3.2, 1.4 + 0.17 * len(rows)), squeeze=False,
        gridspec_kw={"width_ratios": ratios},
    )  # fmt: skip
    left = panels[0, 0]
    settled = part[part["status"] == "settled"]
    drawn = [run for run in runs if (settled["run"] == run).any()]
    named = colour_map(drawn) if len(drawn) <= _MOST_NAMED else dict.fromkeys(drawn, MUTED)
    for run in drawn:
        mine = settled[settled["run"] == run]
        deep = mine["depth"] / np.maximum(mine["n_layers"] - 1, 1)
        left.plot(deep, 100 * mine["fraction"], color=named[run], linewidth=0.8, marker="o", markersize=3,
                  alpha=0.8, label=shortened(run, 30))  # fmt: skip
    if drawn and len(drawn) <= _MOST_NAMED:
        fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    left.set(xlabel="Relative depth (0 input, 1 output)", ylabel="Settled at (% of training)", ylim=(-2, 102))
    counts = part["status"].value_counts()
    summary = ", ".join(
        f"{counts[name]} {name}" for name in ("settled", "unsettled", "flat", "short") if name in counts
    )
    title = f"{metric_label(metric)}: {summary}".replace("\n", " ")
    if not len(rows):
        left.set_title(f"{title}\nno run with three settled layers", fontsize=9)
        return fig
    left.set_title(title, fontsize=9)
    right = panels[0, 1]
    _forest(right, rows["run"], rows["tau"], rows["low"], rows["high"], rows["verdict"])
    right.axvline(0, color=INK, linewidth=0.8)
    right.set(xlim=(-1.05, 1.05), xlabel="Kendall's τ of depth and settling step\n← output first      input first →")
    right.set_title("Order of layers (95% intervals)", fontsize=9)
    return fig


def plot_critical_periods(
    coordination: pd.DataFrame, relation: pd.DataFrame | None = None, metric: str = "(any)", sentence: str = ""
) -> Figure:
    """Coincidences of jumps of different layers against shuffled ones, run by run, and the loss around jumps.

    `coordination` is that of `find_critical_periods`; `relation` and `sentence` are those of `loss_relation`.
    """
    rows = coordination[(coordination["metric"] == metric) & coordination["coincidences"].notna()]
    if rows["run"].nunique() == 2:
        rows = rows[rows["run"] != "(all)"]
    both = relation is not None and len(relation) > 0
    fig, axes = figure(1, 1 + both, width=8.2 if both else 4.8, height=max(3.2, 1.3 + 0.17 * len(rows)), squeeze=False)
    left = axes[0, 0]
    at = np.arange(len(rows))[::-1]
    left.hlines(at, rows["low"], rows["high"], color=MUTED, linewidth=5, alpha=0.45)
    shown = rows["verdict"] == "coordinated"
    left.scatter(
        rows["coincidences"], at, s=18, zorder=3, c=np.where(shown, JUMP, "white"), edgecolors=INK, linewidths=0.6
    )
    left.set_yticks(at, [shortened(run) for run in rows["run"]], fontsize=6.5)
    left.set_xscale("symlog", linthresh=1)
    most = rows[["coincidences", "high"]].max(axis=None) if len(rows) else 1
    left.set_xlim(-0.2, max(2.0, 1.6 * most))
    left.xaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%d"))
    left.grid(False, axis="y")
    left.set_xlabel("Coincidences of jumps of different layers")
    left.set_title("Coordination" if len(rows) else "Fewer than two layers jump", fontsize=9)
    handles = [
        Line2D([], [], marker="o", linestyle="", color=JUMP, markeredgecolor=INK, label="coordinated"),
        Line2D([], [], marker="o", linestyle="", color="white", markeredgecolor=INK, label="not shown"),
        Line2D([], [], color=MUTED, linewidth=5, alpha=0.45, label="shuffled, 95%"),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=3)
    if relation is not None and both:
        right = axes[0, 1]
        right.fill_between(
            relation["lag"], relation["null_low"], relation["null_high"], color=MUTED, alpha=0.3, linewidth=0
        )
        if relation["low"].notna().any():
            right.fill_between(
                relation["lag"], relation["low"], relation["high"], color=COLOURS[0], alpha=0.2, linewidth=0
            )
        right.plot(relation["lag"], relation["mean"], color=COLOURS[0])
        strong = relation[relation["p_value"] <= 0.05]
        right.scatter(strong["lag"], strong["mean"], s=16, color=JUMP, zorder=3)
        right.axvline(0, color=INK, linewidth=0.8, linestyle=":")
        right.set(xlabel="Lag (measurements; positive: after the jump)", ylabel="Fall of the loss (relative, arsinh)")
        right.set_title("\n".join(_wrapped(sentence or "Loss around jumps", 50)), fontsize=8, fontweight="normal")
    return fig


def plot_run_periods(
    jumps: pd.DataFrame, record: Phase1, periods: pd.DataFrame, run: str | None = None, metric: str = "(any)"
) -> Figure:
    """Jumps of every layer of one run over training, its critical periods shaded, with the loss below."""
    run = record.run_name(run)
    layers = record.layers_of(run)
    fig, (top, bottom) = figure(
        2,
        1,
        width=7.2,
        height=2.2 + 0.2 * len(layers),
        sharex=True,
        gridspec_kw={"height_ratios": [max(len(layers), 3), 3]},
    )
    found = jumps[jumps["run"] == run]
    if metric != "(any)":
        found = found[found["metric"] == metric]
    for _, window in periods[(periods["run"] == run) & (periods["metric"] == metric)].iterrows():
        for axis in (top, bottom):
            axis.axvspan(window["start"], window["end"], color=COLOURS[4], alpha=0.3, linewidth=0)
        spot = (window["start"] + window["end"]) / 2
        top.text(spot, len(layers) - 0.4, f"{window['layers']}", ha="center", va="bottom", fontsize=7)
    depth = {layer: i for i, layer in enumerate(layers)}
    for direction, marker, colour in (("up", "^", JUMP), ("down", "v", COLOURS[0])):
        part = found[(found["direction"] == direction) & found["layer"].isin(layers)]
        top.scatter(part["step"], part["layer"].map(depth), marker=marker, s=22, color=colour, linewidths=0)
    shown = range(0, len(layers), max(1, -(-len(layers) // _MOST_LABELS)))
    top.set_yticks(list(shown), [shortened(layers[i], 28) for i in shown], fontsize=7)
    top.set_ylim(-0.6, len(layers) + 0.3)
    top.set_title(f"{shortened(run, 44)}: jumps by layer; shaded: critical periods", fontsize=9)
    if any((r, layer, m) == (run, RUN_LEVEL, "loss") for r, layer, m, _, _ in record.each_series()):
        steps, values = record.series(RUN_LEVEL, "loss", run)
        bottom.plot(steps, values, color=INK, linewidth=0.8)
        _log_if_wide(bottom, [values])
    bottom.set(xlabel="Training step", ylabel="Loss")
    return fig


def plot_comparison(
    table: pd.DataFrame, comparisons: pd.DataFrame, value: str, group: str, run: str = "run", label: str = ""
) -> Figure:
    """Run means by group, and the differences of pairs of groups with their intervals.

    `comparisons` is that of `ontogeny.jumps.comparison.compare_groups` for the same `table`, `value` and `group`.
    """
    means = table.groupby([run, group], sort=False, observed=True)[value].mean().reset_index()
    names = list(dict.fromkeys(means[group]))
    pairs = comparisons[comparisons["difference"].notna()]
    left_out = comparisons[comparisons["difference"].isna()]
    rows = max(len(names), len(pairs), 3)
    both = len(pairs) > 0
    fig, panels = figure(1, 1 + both, width=8.2 if both else 4.8, height=1.4 + 0.24 * rows, squeeze=False)
    left = panels[0, 0]
    rng = np.random.default_rng(0)
    colours = colour_map(names)
    for i, name in enumerate(names):
        x = means.loc[means[group] == name, value].to_numpy()
        spots = i + rng.uniform(-0.18, 0.18, len(x))
        left.scatter(x, spots, s=16, color=colours[name], alpha=0.6, linewidths=0)
        if len(x) >= _LEAST_FOR_INTERVAL:
            left.plot(bootstrap_interval(x, n_resamples=2000, seed=rng), [i, i], color=INK, linewidth=1.6)
        left.scatter([x.mean()], [i], s=34, color=INK, marker="D", zorder=3)
    left.set_yticks(range(len(names)), [f"{shortened(n, 26)} ({(means[group] == n).sum()})" for n in names])
    left.set_ylim(len(names) - 0.5, -0.5)
    left.set_xlabel(label or value)
    left.grid(False, axis="y")
    missing = ", ".join(f"{a} − {b}" for a, b in zip(left_out["a"], left_out["b"]))
    if not both:
        few = _wrapped(f"not compared, fewer than two runs: {missing}", 60) if missing else ["one group"]
        left.set_title("\n".join(["Mean of each run (number of runs)", *few]), fontsize=8)
        return fig
    left.set_title("Mean of each run (number of runs)", fontsize=9)
    right = panels[0, 1]
    at = np.arange(len(pairs))[::-1]
    runs = means[group].value_counts()
    enough = pairs[["a", "b"]].isin(runs.index[runs >= _LEAST_FOR_INTERVAL]).all(axis=1).to_numpy()
    right.hlines(at[enough], pairs["low"][enough], pairs["high"][enough], color=INK, linewidth=1.2)
    right.scatter(
        pairs["difference"], at, s=26, zorder=3, c=np.where(pairs["p_holm"] <= 0.05, JUMP, "white"), edgecolors=INK
    )
    words = [f"{shortened(a, 18)} − {shortened(b, 18)}" for a, b in zip(pairs["a"], pairs["b"])]
    right.set_yticks(at, words)
    right.set_ylim(-0.5, len(pairs) - 0.5)
    right.axvline(0, color=INK, linewidth=0.8, linestyle=":")
    right.set_xlabel("Difference" + (" (95%)" if enough.any() else f"; intervals need {_LEAST_FOR_INTERVAL} runs each"))
    for spot, p in zip(at, pairs["p_holm"]):
        right.annotate(f"p = {p:.2g}", (1.01, spot), xycoords=("axes fraction", "data"), va="center", fontsize=7)
    title = ["Differences; filled: p ≤ 0.05 after Holm"]
    title += _wrapped(f"not compared, fewer than two runs: {missing}", 52) if missing else []
    right.set_title("\n".join(title), fontsize=8)
    right.grid(False, axis="y")
    return fig


def plot_jump_kinds(jumps: pd.DataFrame, labels: np.ndarray, evidence: pd.DataFrame, reason: str = "") -> Figure:
    """Size of jumps over training, coloured by kind, and the evidence for the number of kinds (see `jump_kinds`)."""
    known = len(evidence) > 0
    ratios = [1.4, 1.1, 1][: 2 + known]
    fig, axes = figure(1, len(ratios), width=2.34 * sum(ratios), height=3.2, gridspec_kw={"width_ratios": ratios})
    size = jumps["relative_size"].abs().to_numpy()
    for label in sorted(set(labels.tolist()) - {-1}):
        part = labels == label
        colour = COLOURS[label % len(COLOURS)]
        about = {"s": 9, "color": colour, "alpha": 0.55, "linewidths": 0}
        axes[0].scatter(100 * jumps["fraction"][part], size[part], label=f"{label + 1}: {part.sum()}", **about)
        axes[1].scatter(jumps["duration"][part], size[part], **about)
    if len(jumps):
        for axis in axes[:2]:
            log_axis(axis)
        log_axis(axes[1], "x")
    axes[0].set(xlabel="Training (%)", ylabel="Relative size of jump")
    axes[1].set(xlabel="Duration (steps)")
    if len(set(labels.tolist()) - {-1}) > 1:
        axes[0].legend(title="kind: jumps", fontsize=7, title_fontsize=7, markerscale=1.6, loc="best")
    if known:
        axes[2].set(xlabel="Number of kinds", ylabel="Gap statistic")
        axes[2].grid(False, axis="x")
        axes[2].errorbar(evidence["k"], evidence["gap"], evidence["se"], marker="o", markersize=4, color=INK)
        axes[2].set_xticks(evidence["k"])
    fig.suptitle("\n".join(_wrapped(reason, int(31 * sum(ratios)))), fontsize=8.5)
    return fig


def plot_agreement(agreement: pd.DataFrame) -> Figure:
    """Chance-corrected agreement of every pair of detectors (`detector_agreement`), with intervals."""
    names = list(dict.fromkeys([*agreement["a"], *agreement["b"]]))
    place = {name: i for i, name in enumerate(names)}
    grid = np.full((len(names), len(names)), np.nan)
    fig, axis = figure(width=1.6 + 0.85 * max(len(names), 3), height=1.0 + 0.62 * max(len(names), 3))
    for a, b, value, low, high in zip(*(agreement[c] for c in ("a", "b", "corrected", "low", "high"))):
        i, j = place[b], place[a]
        grid[i, j] = value
        words = "none" if np.isnan(value) else f"{value:z.2f}"
        words += "" if np.isnan(low) else f"\n{low:z.2f} to {high:z.2f}"
        axis.text(j, i, words, ha="center", va="center", fontsize=7, color="white" if value < 0.5 else INK)
    shades = mpl.colormaps["viridis"].with_extremes(bad="#F2F2F2")
    image = axis.imshow(
        grid[1:, :-1], vmin=0, vmax=1, cmap=shades, extent=(-0.5, len(names) - 1.5, len(names) - 0.5, 0.5)
    )
    axis.set_xticks(range(len(names) - 1), [shortened(name, 18) for name in names[:-1]], rotation=30, ha="right")
    axis.set_yticks(range(1, len(names)), [shortened(name, 18) for name in names[1:]])
    axis.grid(False)
    fig.colorbar(image, ax=axis, label="Agreement beyond chance")
    axis.set_title("Agreement of detectors", fontsize=9)
    return fig


def _of(jumps: pd.DataFrame | None, run: str, metric: str) -> pd.DataFrame:
    if jumps is None:
        return pd.DataFrame(columns=["layer", "step", "direction"])
    return jumps[(jumps["run"] == run) & (jumps["metric"] == metric)]


def _layer_colours(layers: Sequence[str]) -> dict[str, tuple]:
    shades = mpl.colormaps["viridis"]
    return {layer: shades(0.05 + 0.85 * i / max(len(layers) - 1, 1)) for i, layer in enumerate(layers)}


def _jump_counts(jumps: pd.DataFrame | None, run: str | None) -> str:
    """How many jumps and transitions of a run were found and are significant, as a part of a title."""
    if jumps is None:
        return ""
    mine = jumps[jumps["run"] == run]
    significant = int(mine["significant"].sum()) if "significant" in mine else len(mine)
    return f"({counted_changes(mine)} found, {significant} significant)"


def _title(name: str, counts: str) -> list[str]:
    """Lines of a title: one, where it fits."""
    whole = f"{name} {counts}".strip()
    return [whole] if len(whole) <= _TITLE or not counts else [*_wrapped(name, _TITLE), counts]


def _dashes(layers: Sequence[str], layer: str) -> Any:
    return (0, (4, 1.2)) if len(layers) > _SOLID and layers.index(layer) % 2 else "-"


def _marks(jumps: pd.DataFrame | None, run: str, drawn: Sequence[bool]) -> list[str]:
    """What filled and hollow triangles mean, "" for those that are not drawn."""
    if jumps is None:
        return ["", ""]
    mine = jumps[jumps["run"] == run]
    sure = mine["significant"].astype(bool) if "significant" in mine else pd.Series(True, index=mine.index)
    said = []
    for part in (mine[sure], mine[~sure]):
        kinds = set(part["kind"]) if "kind" in part else {"jump"}
        said.append(" or ".join(kind for kind in ("jump", "transition") if kind in kinds))
    filled = f"significant {said[0]}, up or down" + ("; shaded: transition" if "transition" in said[0] else "")
    return [words if shown else "" for words, shown in zip((filled, f"{said[1]}, not significant"), drawn)]


def _layer_legend(fig: Figure, layers: Sequence[str], colours: dict, marks: Sequence[str]) -> None:
    shown = list(layers) if len(layers) <= _MOST_LABELS else [layers[0], layers[len(layers) // 2], layers[-1]]
    handles = [
        Line2D([], [], color=colours[layer], linestyle=_dashes(layers, layer), label=shortened(layer, 32))
        for layer in shown
    ]
    for fill, label in zip((JUMP, "white"), marks):
        if label:
            handles.append(Line2D([], [], color=JUMP, markerfacecolor=fill, marker="^", linestyle="", label=label))
    if handles:
        fig.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)), fontsize=7)


def _mark_jumps(axis: Axes, found: pd.DataFrame, held: dict, metric: str) -> tuple[bool, bool]:
    """Mark jumps by triangles; whether any significant one, and any other, was drawn."""
    sure = found["significant"].astype(bool) if "significant" in found else pd.Series(True, index=found.index)
    if "kind" in found:
        slow = found[sure & (found["kind"] == "transition")]
        for onset, end in slow[["onset", "end"]].itertuples(index=False):
            axis.axvspan(onset, end, color=JUMP, alpha=0.1, linewidth=0)
    drawn = []
    for chosen, face, edge, line in ((sure, JUMP, "white", 0.5), (~sure, "white", JUMP, 0.8)):
        points: dict[str, list[tuple[float, float]]] = {"^": [], "v": []}
        for _, jump in found[chosen].iterrows():
            steps, values = held.get((jump["layer"], metric), (np.zeros(0), np.zeros(0)))
            place = int(np.searchsorted(steps, jump["step"]))
            if place < len(steps):
                points["^" if jump["direction"] == "up" else "v"].append((steps[place], values[place]))
        for marker, spots in points.items():
            if spots:
                x, y = np.array(spots).T
                axis.scatter(x, y, marker=marker, s=22, zorder=3, c=face, edgecolors=edge, linewidths=line)
        drawn.append(any(points.values()))
    return drawn[0], drawn[1]


def _log_if_wide(axis: Axes, series: Sequence[np.ndarray]) -> None:
    low, high = min(s.min() for s in series), max(s.max() for s in series)
    if low > 0 and high / low > 8:
        log_axis(axis)


def _scaled(layers: Sequence[str], metric: str, held: dict) -> tuple[np.ndarray, np.ma.MaskedArray]:
    present = {layer: held[layer, metric] for layer in layers if (layer, metric) in held}
    steps = np.unique(np.concatenate([s for s, _ in present.values()]))
    grid = np.full((len(layers), len(steps)), np.nan)
    for i, layer in enumerate(layers):
        if layer in present:
            at, values = present[layer]
            low, middle, high = np.quantile(values, [0.01, 0.5, 0.99])
            spread = max(high - middle, middle - low) or np.abs(values - middle).max()
            if spread > 1e-9 * max(abs(middle), 1e-300):
                grid[i, np.searchsorted(steps, at)] = (values - middle) / spread
    return steps, np.ma.masked_invalid(grid)


def _edges(steps: np.ndarray) -> np.ndarray:
    if len(steps) == 1:
        return np.array([steps[0] - 0.5, steps[0] + 0.5])
    middle = (steps[1:] + steps[:-1]) / 2
    return np.concatenate([[steps[0] - (middle[0] - steps[0])], middle, [steps[-1] + (steps[-1] - middle[-1])]])


def _forest(
    axis: Axes, names: pd.Series, value: pd.Series, low: pd.Series, high: pd.Series, verdict: pd.Series
) -> None:
    at = np.arange(len(names))[::-1]
    axis.hlines(at, low, high, color=MUTED, linewidth=1.4)
    shown = ~verdict.isin(["no order", "undetermined"])
    axis.scatter(value, at, s=18, c=np.where(shown, JUMP, "white"), edgecolors=INK, linewidths=0.6, zorder=3)
    words = [f"{shortened(name)}{': ' + kind if said else ''}" for name, kind, said in zip(names, verdict, shown)]
    axis.set_yticks(at, words, fontsize=6.5)
    axis.grid(False, axis="y")


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width) or [""]
