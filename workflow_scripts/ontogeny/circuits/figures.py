"""Curves of circuits over training, the effect of regularisers, and what discovery methods return."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ontogeny.circuits.statistics import mean_curves
from ontogeny.plotting.style import COLOURS, INK, MUTED, colour_map, figure, from_zero, log_axis

_NAMES = {
    "circuits": "perfect circuits",
    "sparsity": "mean node sparsity",
    "train_loss": "training loss, with penalties",
    "val_loss": "validation loss",
    "first_circuit": "epoch of the first circuit",
    "epochs": "epochs trained",
    "converged": "converged",
}


def _name(measure: str, table: pd.DataFrame) -> str:
    """The axis label of a measure, with the candidates that circuits were counted among."""
    return _NAMES[measure] + (f" ({table.candidates.iloc[0]} candidates)" if measure == "circuits" else "")


def _curve(axes: Axes, curves: pd.DataFrame, colour: str, label: str | None, style: str = "-") -> None:
    curves = curves[curves.n >= min(5, curves.n.max())]
    axes.fill_between(curves.epoch, curves.low, curves.high, color=colour, alpha=0.1, linewidth=0)
    for edge in (curves.low, curves.high):
        axes.plot(curves.epoch, edge, linestyle=(0, (3, 1.5)), color=colour, linewidth=0.7, alpha=0.8)
    axes.plot(curves.epoch, curves["mean"], style, color=colour, label=label)


def _epoch_axis(axes: Axes, history: pd.DataFrame) -> None:
    axes.set_xlabel("epoch")
    lowest, highest = max(int(history.epoch.min()), 1), int(history.epoch.max())
    if highest > 30 * lowest:
        log_axis(axes, "x")
        axes.set_xlim(lowest, highest)


def figures_of_study(
    history: pd.DataFrame, seeds: pd.DataFrame, effects: pd.DataFrame
) -> dict[str, tuple[Figure, pd.DataFrame]]:
    """The figures of a study by name, each with the table that it shows; arguments as of the functions below."""
    return {
        "counts": plot_curves(history, "circuits"),
        "sparsity": plot_curves(history, "sparsity"),
        "losses": plot_losses(history),
        "overview": plot_overview(history),
        "effects": (plot_regularisers(seeds, effects), effects),
    }


def plot_curves(history: pd.DataFrame, measure: str = "circuits") -> tuple[Figure, pd.DataFrame]:
    """Circuits (or sparsity) against epochs: the mean over seeds of each condition and its 95 % interval.

    A seed that has stopped keeps its last value. A mean is drawn from where five seeds have a value on (all, if there
    are fewer). Returns the figure and the table it shows (`mean_curves`).
    """
    history = history[history.epoch > 0]
    table = mean_curves(history, measure)
    fig, axes = figure(width=5.2, height=3.4)
    colours = colour_map(table.condition)
    for condition, curves in table.groupby("condition", sort=False):
        _curve(axes, curves, colours[condition], condition)
    _epoch_axis(axes, history)
    axes.set_ylabel(_name(measure, history))
    from_zero(axes)
    axes.legend(loc="best", title="mean over seeds, 95% interval", alignment="left")
    return fig, table


def plot_losses(history: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Training (solid, penalties included) and validation loss (dashed) against epochs, means over seeds."""
    history = history[history.epoch > 0]
    tables = [mean_curves(history, measure).assign(measure=measure) for measure in ("train_loss", "val_loss")]
    fig, axes = figure(width=5.2, height=3.4)
    colours = colour_map(tables[0].condition)
    for table, style in zip(tables, ("-", "--")):
        for condition, curves in table.groupby("condition", sort=False):
            axes.plot(
                curves.epoch, curves["mean"], style, color=colours[condition], label=condition if style == "-" else None
            )
    log_axis(axes, "y")
    _epoch_axis(axes, history)
    axes.set_ylabel("mean loss (solid training, dashed validation)")
    axes.legend(loc="best")
    return fig, pd.concat(tables, ignore_index=True)


def plot_overview(history: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """A grid: circuits, sparsity and losses (rows) of every condition (columns), each seed thin, their mean thick."""
    history = history[history.epoch > 0]
    conditions = list(dict.fromkeys(history.condition))
    colours = colour_map(conditions)
    fig, grid = figure(
        3, len(conditions), width=max(2.3 * len(conditions) + 0.6, 4), height=6.2, sharex="col", sharey="row",
        squeeze=False,
    )  # fmt: skip
    tables = []
    for row, measure in enumerate(("circuits", "sparsity", "train_loss")):
        table = mean_curves(history, measure)
        tables.append(table.assign(measure=measure))
        for column, condition in enumerate(conditions):
            axes = grid[row, column]
            chosen = history[history.condition == condition]
            lines = [group[["epoch", measure]].to_numpy(float) for _, group in chosen.groupby("seed")]
            axes.add_collection(LineCollection(lines, colors=MUTED, linewidths=0.4, alpha=0.35, zorder=1))
            axes.autoscale_view()
            curves = table[table.condition == condition]
            curves = curves[curves.n >= min(5, curves.n.max())]
            axes.plot(curves.epoch, curves["mean"], color=colours[condition], linewidth=2, zorder=3)
            if measure == "train_loss":
                log_axis(axes, "y", most=5)
            if row == 0:
                axes.set_title(condition)
            if column == 0:
                axes.set_ylabel(_name(measure, history).replace(" (", "\n("))
    for axes in grid[:-1, 0]:
        from_zero(axes, margin=0.03)
    for axes in grid[-1]:
        _epoch_axis(axes, history)
    handles = [
        Line2D([], [], color=MUTED, linewidth=0.6, label="one seed"),
        Line2D(
            [],
            [],
            color=colours[conditions[0]],
            linewidth=2,
            label="mean over seeds",
        ),
    ]
    fig.legend(handles=handles, loc="outside lower center", ncols=2)
    return fig, pd.concat(tables, ignore_index=True)


def _bars(value: float, low: float, high: float) -> list[list[float]]:
    """Error bars down and up, never below nothing by rounding."""
    return [[max(value - low, 0.0)], [max(high - value, 0.0)]]


def plot_regularisers(seeds: pd.DataFrame, effects: pd.DataFrame, measure: str = "circuits") -> Figure:
    """The effect of every condition: values of each seed, what share converged, and the paired effect sizes.

    `seeds` is `ontogeny.circuits.statistics.seed_table`, `effects` is `compare_conditions` of it. Effects show their
    bootstrap interval with the p value that belongs to it, filled where that by Holm over the conditions is below 0.05.
    """
    from ontogeny.circuits.statistics import condition_table

    conditions = list(dict.fromkeys(seeds.condition))
    colours = colour_map(conditions)
    summary = condition_table(seeds, [measure]).set_index("condition")
    fig, (values, shares, forest) = figure(
        1, 3, width=2.6 + 1.15 * max(len(conditions), 3) + 1.6, height=3.3, width_ratios=(1.5, 1, 1.35)
    )  # fmt: skip
    rng = np.random.default_rng(0)
    for k, condition in enumerate(conditions):
        points = seeds.loc[(seeds.condition == condition) & seeds.converged, measure].dropna().to_numpy(float)
        values.plot(
            k + rng.uniform(-0.17, 0.17, len(points)), points, "o", color=colours[condition], markersize=2.4,
            alpha=0.45, markeredgewidth=0,
        )  # fmt: skip
        row = summary.loc[condition]
        if len(points):
            values.errorbar(
                k + 0.33, row["mean"], _bars(row["mean"], row.mean_low, row.mean_high), fmt="o",
                color=INK, markersize=4, linewidth=1.2, capsize=2,
            )  # fmt: skip
            values.plot([k - 0.24, k + 0.24], [row["median"]] * 2, color=INK, linewidth=1.2)
        shares.errorbar(
            k, row.converged_share, _bars(row.converged_share, row.share_low, row.share_high),
            fmt="o", color=colours[condition], capsize=2,
        )  # fmt: skip
    for axes in (values, shares):
        axes.set_xticks(range(len(conditions)), conditions, rotation=30 if len(conditions) > 2 else 0, ha="right")
        axes.set_xlim(-0.6, len(conditions) - 0.4)
        axes.grid(axis="x", visible=False)
    values.set_ylabel(_name(measure, seeds))
    from_zero(values)
    values.set_title("each seed, median, mean ± 95%")
    shares.set_ylabel("share of seeds converged")
    shares.set_ylim(0, 1.02)
    shares.set_title("convergence")
    shown = effects[(effects.measure == measure) & effects.effect.notna()]
    for k, (_, row) in enumerate(shown.iterrows()):
        significant = row.p_holm < 0.05
        forest.errorbar(
            row.effect, k, xerr=_bars(row.effect, row.effect_low, row.effect_high), fmt="o", capsize=2,
            color=colours.get(row.condition, INK), markerfacecolor=None if significant else "white",
        )  # fmt: skip
        forest.annotate(
            f"p = {row.p_value:.2g}, Holm {row.p_holm:.2g}", (row.effect, k), (0, 6), textcoords="offset points",
            ha="center", fontsize=7,
        )  # fmt: skip
    forest.axvline(0, color=MUTED, linewidth=0.8)
    forest.set_yticks(range(len(shown)), shown.condition)
    forest.set_ylim(len(shown) - 0.4, -0.7)
    forest.grid(axis="y", visible=False)
    baseline = shown.baseline.iloc[0] if len(shown) else conditions[0]
    forest.set_xlabel(f"Cohen's d, against {baseline}")
    forest.set_title("paired effect ± 95%\nfilled: Holm p < 0.05")
    return fig


def plot_discovery(table: pd.DataFrame, along: pd.DataFrame | None = None) -> Figure:
    """How often each method of circuit discovery returns a circuit, and a minimal one, with 95 % intervals.

    Minimal is one that contains no other. `table` is `ontogeny.circuits.discovery.discovery_table`. Beside it, the
    edges of what is returned, and of the smallest circuit; and, with `along` (`discovery_by_progress`), how often it is
    minimal from the first circuit of a network to the end of its training.
    """
    n = 2 if along is None or along.empty else 3
    widths = (1.5, 1, 1.5)[:n]
    fig, all_axes = figure(
        1,
        n,
        width=2.6 * sum(widths) + 1.0,
        height=max(0.36 * len(table) + 1.3, 3.0 if n == 3 else 0),
        width_ratios=widths,
    )
    shares, sizes = all_axes[:2]
    places = np.arange(len(table))
    for column, name, colour, shift in (
        ("found", "a circuit", COLOURS[2], -0.16),
        ("is_minimal", "one that contains no other", COLOURS[0], 0.16),
    ):
        low, high = table[f"{column}_low"], table[f"{column}_high"]
        error = np.clip([table[column] - low, high - table[column]], 0, None)
        shares.errorbar(
            table[column], places + shift, xerr=error, fmt="o", color=colour, capsize=2, markersize=4, label=name
        )  # fmt: skip
    shares.set_yticks(places, table.method)
    shares.set_xlim(-0.03, 1.03)
    shares.set_xlabel(f"share of {int(table.networks.iloc[0]):,} networks")
    shares.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=8)
    sizes.barh(places, table.edges, height=0.5, color=COLOURS[4])
    sizes.axvline(table.fewest.mean(), color=INK, linewidth=1)
    sizes.set_yticks(places, [])
    sizes.set_xlabel("edges (line: smallest circuit)")
    sizes.grid(axis="y", visible=False)
    for axes in (shares, sizes):
        axes.set_ylim(len(table) - 0.5, -0.5)
    if along is not None and n == 3:
        colours = colour_map(table.method)
        for method, curve in along.groupby("method", sort=False):
            _curve(
                all_axes[2],
                curve.rename(columns={"progress": "epoch", "is_minimal": "mean", "is_minimal_low": "low",
                                      "is_minimal_high": "high", "networks": "n"}),
                colours[method],
                str(method),
            )  # fmt: skip
        all_axes[2].set_ylim(0, 1)
        all_axes[2].set_xlim(0, 1)
        all_axes[2].set_ylabel("contains no other")
        all_axes[2].set_xlabel("from the first circuit (0) to the end (1)")
        all_axes[2].legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=7)
    return fig


def plot_ablations(summary: pd.DataFrame, title: str = "") -> Figure:
    """Accuracy of circuits under each ablation beside its control, means over networks with 95 % intervals.

    `summary` is that of `ontogeny.circuits.ablation.ablation_summary`. A point to the right of its control is a circuit
    that does better than it.
    """
    fig, axes = figure(width=5.6, height=0.42 * len(summary) + 1.2)
    places = np.arange(len(summary))
    for column, name, colour, shift in (
        ("accuracy", "circuits", COLOURS[2], -0.13),
        ("control", "control", MUTED, 0.13),
    ):
        values = summary[column]
        error = np.nan_to_num(np.clip([values - summary[f"{column}_low"], summary[f"{column}_high"] - values], 0, None))
        axes.errorbar(
            values, places + shift, xerr=error, fmt="o", color=colour, capsize=2, markersize=4, label=name
        )  # fmt: skip
    names = summary.ablation.str.replace("resample_least", "resample, worst donor").str.replace("noise_", "noise, sd ")
    axes.set_yticks(places, names.str.replace("elsewhere", "outside the data"))
    axes.invert_yaxis()
    axes.set_xlim(right=1.02)
    axes.set_xlabel(f"share right, or decided alike, over {int(summary.networks.max()):,} networks")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=8)
    if title:
        axes.set_title(title, pad=24)
    return fig
