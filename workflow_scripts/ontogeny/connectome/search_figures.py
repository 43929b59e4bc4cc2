"""Figures of a search over training settings: its tree, its landscape, its course, policies compared, W compared."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ontogeny.connectome.search.comparison import PolicyComparison
from ontogeny.connectome.search.declaration import Search
from ontogeny.connectome.search.records import OUTCOMES, Record, metric_value
from ontogeny.connectome.search.space import Setting, short
from ontogeny.connectome.search.tables import iteration_table
from ontogeny.connectome.search.text import mutation_text
from ontogeny.connectome.search_page import write_tree_page
from ontogeny.connectome.search_tree import OUTCOME_COLOURS, best_of, groups_of, some_declaration, tree_layout
from ontogeny.errors import OntogenyError
from ontogeny.plotting.style import COLOURS, INK, MUTED, SEQUENTIAL, colour_map, figure, save_figure

STRATEGY_MARKERS = {"exploit": "o", "explore": "D", "failure-probe": "v", "robustness-test": "s"}
_FEW = 4
"""Up to so many values of a setting that are apart stand under its axis themselves."""
_BESIDE_THE_LINE = 32
"""Letters in a row that leave the line of equality free, at the upper left of a scatter."""


def _outcome_keys(records: Sequence[Record]) -> list[Line2D]:
    seen = {record.outcome for record in records}
    keys = [
        Line2D([], [], marker="o", ls="", color=OUTCOME_COLOURS[name], label=name, ms=6)
        for name in OUTCOMES
        if name in seen
    ]
    used = {record.strategy for record in records}
    keys += [
        Line2D([], [], marker=mark, ls="", mfc="white", mec=INK, label=name, ms=6)
        for name, mark in STRATEGY_MARKERS.items()
        if name in used
    ]
    keys.append(Line2D([], [], marker="o", ls="", mfc="none", mec=INK, mew=1.6, ms=10, label="best of its block"))
    return keys


def plot_search_tree(
    records: Sequence[Record], path: str | os.PathLike, search: Search | None = None, columns: int = 2
) -> list[Path]:
    """Draw the tree of every block: one row per node with its mutation, R2 and cluster accuracy, coloured by outcome.

    Args:
        records: the search's records.
        path: where to, without or with an ending.
        search: its declaration, for short names of settings.
        columns: panels side by side.
    """
    search = search or some_declaration(records)
    groups = groups_of(records)
    columns = min(columns, len(groups))
    rows = math.ceil(len(groups) / columns)
    tallest = max(len(group) for group in groups)
    width, height = 5.2 * columns, 0.75 + rows * (0.45 + 0.215 * tallest)
    fig, panels = figure(rows, columns, width=width, height=height, squeeze=False)
    deepest = 1
    for axes, group in zip(panels.flat, groups):
        places = tree_layout(group)
        deepest = max(deepest, *(depth for depth, _ in places.values()))
        best = best_of(group).node
        for record in group:
            depth, row = places[record.node]
            if record.parent in places:
                above, top = places[record.parent]
                axes.plot([above, above, depth], [top, row, row], color=MUTED, lw=0.8, zorder=1)
            if record.node == best:
                axes.plot(depth, row, "o", ms=12, mfc="none", mec=INK, mew=1.6, zorder=3)
            marker = STRATEGY_MARKERS.get(record.strategy, "o")
            axes.plot(
                depth, row, marker, ms=7.5, color=OUTCOME_COLOURS[record.outcome], mec=INK, mew=0.5, zorder=2
            )  # fmt: skip
            axes.annotate(
                f"{record.node}  {mutation_text(record, search)}".replace("->", "→"), (depth, row), (10, 0),
                textcoords="offset points", va="center", fontsize=7.5,
            )  # fmt: skip
            axes.annotate(
                f"{record.metrics.get('connectivity_R2') or 0:.2f} / {record.metrics.get('cluster_accuracy') or 0:.2f}",
                (1, row), (0, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                va="center", ha="right", fontsize=7.5, color=INK,
            )  # fmt: skip
        axes.set_title(f"Block {group[0].block}: {group[0].filling_factor * 100:g}%")
        axes.set_title("R² / clusters", loc="right", fontsize=7.5, weight="normal", color=MUTED)
        axes.set_ylim(tallest - 0.4, -0.6)
        axes.set_axis_off()
    for axes in panels.flat:
        axes.set_xlim(-0.25, deepest + 4.2)
    for axes in panels.flat[len(groups) :]:
        axes.set_axis_off()
    fig.legend(handles=_outcome_keys(records), loc="outside lower center", ncols=5, handletextpad=0.3)
    return save_figure(fig, path, iteration_table(records, search))


# Landscape and course


def _positions(setting: Setting, values: Sequence[Any]) -> tuple[dict[Any, float], list[float], list[str]]:
    """Where values stand on an axis: logarithms with a slot for 0, or places in a list; and the ticks, at the values
    themselves where they are few."""
    if setting.values and not setting.numeric:
        order = [v for v in setting.values if v in values]
        return {v: float(i) for i, v in enumerate(order)}, [float(i) for i in range(len(order))], list(map(str, order))
    if setting.values:
        order = sorted(set(values))
        return (
            {v: float(i) for i, v in enumerate(order)},
            [float(i) for i in range(len(order))],
            list(map(short, order)),
        )
    logs = {v: math.log10(v) for v in values if v > 0}
    low, high = math.floor(min(logs.values(), default=0.0)), math.ceil(max(logs.values(), default=0.0))
    zero = {0: low - 1.0} if any(v == 0 for v in values) else {}
    logs |= zero
    marked = sorted(logs)
    own = [logs[v] for v in marked]
    if len(own) <= _FEW and np.diff(own).min(initial=np.inf) > 0.12 * np.ptp(own):
        return logs, own, list(map(short, marked))
    powers = range(low, max(high, low + 1) + 1, max(1, round((high - low) / 4)))
    return logs, [*zero.values(), *map(float, powers)], ["0"] * len(zero) + [f"1E{power}" for power in powers]


def plot_landscape(
    records: Sequence[Record], path: str | os.PathLike, search: Search | None = None, columns: int = 3
) -> list[Path]:
    """Draw the score against each setting that took more than one value, coloured by connectivity.

    Thin lines join a node to its parent where that setting, and no other, was changed between them; a ring marks the
    best node of each level. Points at one place are spread a little sideways.

    Raises OntogenyError if no setting took more than one value.
    """
    search = search or some_declaration(records)
    groups_of(records)
    shown = [s for s in search.space if len({short(r.settings.get(s.name)) for r in records}) > 1]
    if not shown:
        raise OntogenyError("there is no landscape to draw: no setting took more than one value")
    levels = sorted({record.filling_factor for record in records}, reverse=True)
    shades = plt.get_cmap(SEQUENTIAL)(np.linspace(0.05, 0.9, len(levels)))
    colour = dict(zip(levels, shades))
    best = {level: best_of([r for r in records if r.filling_factor == level]).node for level in levels}
    by_node = {record.node: record for record in records}
    columns = min(columns, len(shown))
    rows = math.ceil(len(shown) / columns)
    fig, panels = figure(rows, columns, width=3.0 * columns, height=0.6 + 2.1 * rows, squeeze=False, sharey=True)
    for axes, setting in zip(panels.flat, shown):
        where, ticks, labels = _positions(setting, [r.settings[setting.name] for r in records])
        spread = 0.014 * max(ticks[-1] - ticks[0], 1.0)
        aside = {level: (i - (len(levels) - 1) / 2) * spread for i, level in enumerate(levels)}

        def at(
            record: Record,
            where: Mapping[Any, float] = where,
            name: str = setting.name,
            aside: Mapping[float, float] = aside,
        ) -> float:
            return where[record.settings[name]] + aside[record.filling_factor]

        for record in records:
            parent = None if record.parent is None else by_node.get(record.parent)
            if parent is not None and record.mutation.get("setting") == setting.name:
                axes.plot(
                    [at(parent), at(record)], [parent.score, record.score], lw=0.8, alpha=0.7, zorder=1,
                    color=colour[record.filling_factor],
                )  # fmt: skip
        for level in levels:
            group = [r for r in records if r.filling_factor == level]
            axes.scatter(
                [at(r) for r in group], [r.score for r in group], s=16, color=colour[level], lw=0.3, ec="white",
                zorder=2,
            )  # fmt: skip
            top = by_node[best[level]]
            axes.scatter([at(top)], [top.score], s=60, fc="none", ec=colour[level], lw=1.4, zorder=3)
        axes.set_xticks(ticks, labels, rotation=0 if sum(map(len, labels)) < 26 else 20)
        axes.set_xlabel(setting.name)
        axes.set_ylim(-0.03, 1.06)
    for axes in panels[:, 0]:
        axes.set_ylabel("0.6 R² + 0.4 clusters")
    for axes in panels.flat[len(shown) :]:
        axes.set_axis_off()
    keys = [Line2D([], [], marker="o", ls="", color=colour[level], label=f"{level * 100:g}%") for level in levels]
    keys.append(Line2D([], [], marker="o", ls="", mfc="none", mec=INK, ms=8, label="best of its level"))
    fig.legend(handles=keys, loc="outside lower center", ncols=len(keys), handletextpad=0.2)
    fig.suptitle("Score by setting that was changed", x=0.01, ha="left", fontsize=10)
    return save_figure(fig, path, iteration_table(records, search))


def plot_progress(records: Sequence[Record], path: str | os.PathLike, search: Search | None = None) -> list[Path]:
    """Draw R2 and cluster accuracy of every iteration, block by block, with the best score so far in each block."""
    search = search or some_declaration(records)
    groups = groups_of(records)
    fig, panels = figure(2, 1, width=max(6.5, 0.17 * len(records) + 2.2), height=4.2, sharex=True)
    for axes, (metric, name) in zip(
        panels, (("connectivity_R2", "connectivity R²"), ("cluster_accuracy", "cluster accuracy"))
    ):
        for i, group in enumerate(groups):
            first, last = group[0].node - 0.5, (group[0].block) * search.n_iter_block + 0.5
            if i % 2 == 0:
                axes.axvspan(first, last, color="#F4F4F4", lw=0, zorder=0)
            values = [metric_value(r.metrics, metric) for r in group]
            nodes = [r.node for r in group]
            axes.step(nodes, np.maximum.accumulate(values), where="post", color=MUTED, lw=1.0, zorder=1)
            for record, value in zip(group, values):
                marker = STRATEGY_MARKERS.get(record.strategy, "o")
                axes.plot(record.node, value, marker, color=OUTCOME_COLOURS[record.outcome], mec=INK, mew=0.4, ms=6)
            if axes is panels[0]:
                axes.text(
                    (first + last) / 2,
                    1.1,
                    f"{group[0].filling_factor * 100:g}%",
                    ha="center",
                    va="bottom",
                    weight="bold",
                )
        axes.axhline(0.9, color=INK, lw=0.7, ls=(0, (4, 3)))
        axes.set_ylabel(name)
        axes.set_ylim(-0.05, 1.08)
        axes.grid(axis="x", visible=False)
    panels[1].set_xlabel("iteration")
    panels[1].xaxis.get_major_locator().set_params(integer=True)
    panels[1].set_xlim(groups[0][0].node - 0.5, groups[-1][0].block * search.n_iter_block + 0.5)
    keys = [
        *_outcome_keys(records)[:-1],
        Line2D([], [], color=MUTED, label="best so far"),
        Line2D([], [], color=INK, lw=0.7, ls=(0, (4, 3)), label="goal"),
    ]
    fig.legend(handles=keys, loc="outside lower center", ncols=5, handletextpad=0.3)
    return save_figure(fig, path, iteration_table(records, search))


# Policies


def plot_policies(comparison: PolicyComparison, path: str | os.PathLike) -> list[Path]:
    """Draw the best score so far of each policy with its interval over seeds, and paired differences with theirs."""
    curves, differences = comparison.curves, comparison.differences
    policies = list(dict.fromkeys(curves["policy"]))
    colour = colour_map(policies)
    both = not differences.empty
    fig, panels = figure(
        1, 1 + both, width=7.2 if both else 4.2, height=3.0, squeeze=False,
        width_ratios=[1.5, 1] if both else None,
    )  # fmt: skip
    axes = panels[0, 0]
    for policy in policies:
        curve = curves[curves["policy"] == policy]
        axes.plot(curve["iteration"], curve["mean"], "-o", ms=3.5, color=colour[policy], label=policy)
        axes.fill_between(curve["iteration"], curve["low"], curve["high"], color=colour[policy], alpha=0.15, lw=0)
    seeds = int(curves["seeds"].min())
    axes.set_xlabel("iteration in the block")
    axes.set_ylabel("best score so far")
    axes.set_title(f"Mean over blocks, 95% interval over {seeds} seed{'s' * (seeds > 1)}")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="lower right")
    if both:
        axes = panels[0, 1]
        names = {"sooner": "mean of the curve", "final": "end of the curve"}
        spots = []
        for row in differences.itertuples():
            spots.append(f"{row.policy}:\n{names[row.number]}")
            y = len(spots) - 1
            axes.plot([row.low, row.high], [y, y], color=colour[row.policy], lw=2)
            axes.plot(row.difference, y, "o", color=colour[row.policy], ms=6)
            axes.annotate(
                f"p = {row.p_holm:.2g}",
                (row.difference, y),
                (0, 7),
                textcoords="offset points",
                ha="center",
                fontsize=7.5,
            )
        axes.axvline(0, color=INK, lw=0.8)
        axes.set_yticks(range(len(spots)), spots)
        axes.set_ylim(len(spots) - 0.5, -0.7)
        axes.set_xlabel(f"difference to {differences['reference'].iloc[0]}")
        axes.set_title("Paired by seed")
        axes.grid(axis="y", visible=False)
    return save_figure(fig, path, curves)


# W learned against W true


def draw_comparison(axes: Axes, true: np.ndarray, learned: np.ndarray, text: str = "", most: int = 40_000) -> None:
    """Scatter the off-diagonal entries of the learned W against the true ones, with the line of equality and the fit.

    Args:
        axes: where to.
        true, learned: (N, N), in one scale.
        text: what stands under R2 in place of the slope, as the reading of a scatter that was scaled to slope 1.
        most: more entries than this are thinned at even distance (zeros and others apart); the fit uses all.

    Raises OntogenyError for matrices that are not square, of one shape and finite.
    """
    true, learned = np.asarray(true, float), np.asarray(learned, float)
    if true.ndim != 2 or true.shape[0] != true.shape[1] or learned.shape != true.shape:
        raise OntogenyError(f"true and learned W must be square and of one shape; got {true.shape} and {learned.shape}")
    off = ~np.eye(len(true), dtype=bool)
    x, y = true[off], learned[off]
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise OntogenyError("W holds values that are not finite")
    moved = x - x.mean()
    slope = float(moved @ y / (moved @ moved)) if moved.any() else math.nan
    spread = float(x.std() * y.std())
    r2 = float(np.mean(moved * (y - y.mean())) / spread) ** 2 if spread > 0 else 0.0
    keep = np.concatenate(
        [found[:: max(1, math.ceil(len(found) / (most // 2)))] for found in (np.flatnonzero(x == 0), np.flatnonzero(x))]
    )
    size = 3.0 if len(keep) > 5000 else 8.0
    axes.scatter(x[keep], y[keep], s=size, color=COLOURS[0], alpha=0.25, lw=0, rasterized=True)
    reach = max(float(np.abs(x).max()), float(np.abs(y).max()), 1e-12) * 1.05
    axes.plot([-reach, reach], [-reach, reach], color=MUTED, lw=0.8, ls=(0, (4, 3)))
    if math.isfinite(slope):
        fit = np.array([-reach, reach])
        axes.plot(fit, y.mean() + slope * (fit - x.mean()), color=COLOURS[1], lw=1.0)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.set_aspect("equal")
    axes.set_xlabel("true W")
    axes.set_ylabel("learned W")
    told = (text or f"slope = {slope:.3f}").splitlines()
    words = "\n".join([f"R² = {r2:.3f}", *(part for line in told for part in wrap(line, _BESIDE_THE_LINE))])
    behind = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5}
    axes.text(0.03, 0.97, words, transform=axes.transAxes, va="top", fontsize=8, bbox=behind)


def plot_comparison(
    true: np.ndarray, learned: np.ndarray, folder: str | os.PathLike, epoch: int, iteration: int, text: str = ""
) -> Path:
    """Write `comparison_{epoch}_{iteration}.png` in `folder`: learned against true W. Returns its path."""
    fig, axes = figure(width=3.6, height=3.6)
    draw_comparison(axes, true, learned, text)
    axes.set_title(f"epoch {epoch}, iteration {iteration}")
    return save_figure(fig, Path(folder) / f"comparison_{epoch}_{iteration}", formats=("png",))[0]


def search_figures(
    records: Sequence[Record], folder: str | os.PathLike, search: Search, comparison: PolicyComparison | None = None
) -> Mapping[str, list[Path]]:
    """Write every figure of a search into `folder`: search_tree, landscape, progress, policies, and the page."""
    folder = Path(folder)
    made = {
        "search_tree": plot_search_tree(records, folder / "search_tree", search),
        "progress": plot_progress(records, folder / "progress", search),
        "page": [write_tree_page(records, folder / "search_tree.html", search)],
    }
    if any(len({short(r.settings.get(s.name)) for r in records}) > 1 for s in search.space):
        made["landscape"] = plot_landscape(records, folder / "landscape", search)
    if comparison is not None:
        made["policies"] = plot_policies(comparison, folder / "policies")
    return made


__all__ = [
    "draw_comparison",
    "plot_comparison",
    "plot_landscape",
    "plot_policies",
    "plot_progress",
    "plot_search_tree",
    "search_figures",
    "tree_layout",
]
