"""Figures of what was found in the runs of a study. Each takes tables and gives a Matplotlib figure.

Save with `ontogeny.plotting.save_figure`, with the table as its data.
"""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ontogeny.jumps.answer import counted_changes
from ontogeny.jumps.figures import metric_label, shortened, wrapped
from ontogeny.plotting.style import COLOURS, INK, JUMP, MUTED, colour_map, figure, from_zero, log_axis
from ontogeny.statistics import bootstrap_interval
from ontogeny.words import counted

_EARLY = 20
"""Where nine tenths of all jumps lie before this percentage of training, its axis is logarithmic."""
_LEAST_FOR_INTERVAL = 3
"""Runs from which an interval of their mean is drawn."""
_CROWD = 20
"""Changes of a run, on average, from which their marks are thin."""
_MOST_NAMED = 8
"""Up to so many runs get a colour and a legend entry each."""


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
    crowded = len(jumps) > _CROWD * len(runs)
    for direction, colour, shift in (("up", JUMP, 0.17), ("down", COLOURS[0], -0.17)):
        part = jumps[jumps["direction"] == direction]
        left.scatter(
            100 * part["fraction"],
            [place[run] + shift for run in part["run"]],
            marker="|",
            s=22,
            c=colour,
            linewidths=0.8 if crowded else 1.6,
            alpha=0.6 if crowded else 1.0,
        )
    per_run = rates.groupby("run", sort=False, observed=True)[["jumps", "measurements"]].sum()
    height = 1000 * per_run["jumps"] / per_run["measurements"]
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
    right.set_xlabel("Changes per 1,000\nmeasurements")
    from_zero(right, "x")
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
    """Coincidences of jumps of different layers beside those by chance, run by run, and the loss around jumps.

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
    most = rows[["coincidences", "high"]].max(axis=None) if len(rows) else 1
    left.set_xscale("symlog", linthresh=1)
    left.set_xlim(-0.2, max(2.0, 1.6 * most))
    left.set_xticks(
        [0, *(tick for ten in (1, 10, 100, 1000) for tick in (ten, 2 * ten, 5 * ten) if tick <= max(2.0, 1.6 * most))]
    )
    left.xaxis.set_major_formatter(mpl.ticker.FormatStrFormatter("%d"))
    left.minorticks_off()
    left.grid(False, axis="y")
    left.set_xlabel("Coincidences of jumps of different layers")
    left.set_title("Coordination" if len(rows) else "Fewer than two layers jump", fontsize=9)
    dots = {"coordinated": JUMP} if shown.any() else {}
    if not shown.all():
        dots[", ".join(dict.fromkeys(rows["verdict"][~shown]))] = "white"
    handles = [
        Line2D([], [], marker="o", linestyle="", color=colour, markeredgecolor=INK, label=verdict)
        for verdict, colour in dots.items()
    ]
    if handles:
        handles.append(
            Line2D([], [], color=MUTED, linewidth=5, alpha=0.45, label="by chance, 95% (the null that decides)")
        )
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
        right.set_title("\n".join(wrapped(sentence or "Loss around jumps", 46)), fontsize=8)
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
    from_zero(left, "x", margin=0.02)
    left.grid(False, axis="y")
    missing = ", ".join(f"{a} − {b}" for a, b in zip(left_out["a"], left_out["b"]))
    if not both:
        few = wrapped(f"not compared, fewer than two runs: {missing}", 60) if missing else ["one group"]
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
    title += wrapped(f"not compared, fewer than two runs: {missing}", 52) if missing else []
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
    fig.suptitle("\n".join(wrapped(reason, int(31 * sum(ratios)))), fontsize=8.5)
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
