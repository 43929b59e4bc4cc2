"""Figures of a search over training settings: its tree, its landscape, its course, policies compared, W compared."""

from __future__ import annotations

import html
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ontogeny.connectome.search.comparison import PolicyComparison
from ontogeny.connectome.search.declaration import Search
from ontogeny.connectome.search.policy import ucb_scores
from ontogeny.connectome.search.records import CLUSTER_WEIGHT, OUTCOMES, R2_WEIGHT, Record, metric_value
from ontogeny.connectome.search.space import Setting, short
from ontogeny.connectome.search.tables import iteration_table
from ontogeny.connectome.search.text import config_text, mutation_text, observation_text, scatter_text
from ontogeny.errors import OntogenyError
from ontogeny.files import write_text
from ontogeny.plotting.style import COLOURS, INK, MUTED, SEQUENTIAL, colour_map, figure, save_figure

OUTCOME_COLOURS = {
    "CONVERGED": "#009E73",
    "partial-W": "#0072B2",
    "partial-E": "#E69F00",
    "partial": "#B9B9B9",
    "failed": "#D55E00",
}
STRATEGY_MARKERS = {"exploit": "o", "explore": "D", "failure-probe": "v", "robustness-test": "s"}


def tree_layout(records: Sequence[Record]) -> dict[int, tuple[int, int]]:
    """Places of a block's nodes as an indented tree: `{node: (depth, row)}`, one row per node, children under parents.

    Nodes whose parent is not among `records` are at depth 0.
    """
    nodes = {record.node for record in records}
    children: dict[int | None, list[int]] = {}
    for record in records:
        parent = record.parent if record.parent in nodes and record.parent != record.node else None
        children.setdefault(parent, []).append(record.node)
    places: dict[int, tuple[int, int]] = {}
    stack = [(node, 0) for node in sorted(children.get(None, []), reverse=True)]
    while stack:
        node, depth = stack.pop()
        places[node] = (depth, len(places))
        stack += [(child, depth + 1) for child in sorted(children.get(node, []), reverse=True)]
    if len(places) < len(nodes):
        raise OntogenyError(f"nodes {sorted(nodes - set(places))} are their own ancestors: that is no tree")
    return places


def _groups(records: Sequence[Record]) -> list[list[Record]]:
    if not records:
        raise OntogenyError("there is nothing to draw: the search has no records yet")
    blocks = sorted({record.block for record in records})
    return [sorted((r for r in records if r.block == b), key=lambda r: r.iteration) for b in blocks]


def _best(group: Sequence[Record]) -> Record:
    return max(group, key=lambda record: (record.score, -record.node))


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
    search = search or _declaration(records)
    groups = _groups(records)
    columns = min(columns, len(groups))
    rows = math.ceil(len(groups) / columns)
    tallest = max(len(group) for group in groups)
    width, height = 5.2 * columns, 0.75 + rows * (0.45 + 0.215 * tallest)
    fig, panels = figure(rows, columns, width=width, height=height, squeeze=False)
    deepest = 1
    for axes, group in zip(panels.flat, groups):
        places = tree_layout(group)
        deepest = max(deepest, *(depth for depth, _ in places.values()))
        best = _best(group).node
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


def _declaration(records: Sequence[Record]) -> Search:
    """A declaration good enough for names, when only records are at hand."""
    if not records:
        raise OntogenyError("there is nothing to draw: the search has no records yet")
    levels = {record.block: record.filling_factor for record in records}
    per_block = max(record.iteration for record in records)
    return Search(blocks=tuple(levels.get(b, 1.0) for b in range(1, max(levels) + 1)), n_iter_block=per_block)


# Landscape and course


def _positions(setting: Setting, values: Sequence[Any]) -> tuple[dict[Any, float], list[float], list[str]]:
    """Where values stand on an axis: logarithms with a slot for 0, or places in a list; and the ticks."""
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
    low = math.floor(min(logs.values(), default=0.0))
    high = math.ceil(max(logs.values(), default=0.0))
    step = max(1, round((high - low) / 4))
    ticks = [float(t) for t in range(low, max(high, low + 1) + 1, step)]
    labels = [f"1E{int(t)}" for t in ticks]
    if any(v == 0 for v in values):
        logs[0] = low - 1.0
        ticks, labels = [low - 1.0, *ticks], ["0", *labels]
    return logs, ticks, labels


def plot_landscape(
    records: Sequence[Record], path: str | os.PathLike, search: Search | None = None, columns: int = 3
) -> list[Path]:
    """Draw the score against each setting that took more than one value, coloured by connectivity.

    Thin lines join a node to its parent where that setting, and no other, was changed between them; a ring marks the
    best node of each level. Points at one place are spread a little sideways.
    """
    search = search or _declaration(records)
    _groups(records)
    shown = [s for s in search.space if len({short(r.settings.get(s.name)) for r in records}) > 1]
    if not shown:
        raise OntogenyError("there is no landscape to draw: no setting took more than one value")
    levels = sorted({record.filling_factor for record in records}, reverse=True)
    shades = plt.get_cmap(SEQUENTIAL)(np.linspace(0.05, 0.9, len(levels)))
    colour = dict(zip(levels, shades))
    best = {level: _best([r for r in records if r.filling_factor == level]).node for level in levels}
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
    return save_figure(fig, path, iteration_table(records, search))


def plot_progress(records: Sequence[Record], path: str | os.PathLike, search: Search | None = None) -> list[Path]:
    """Draw R2 and cluster accuracy of every iteration, block by block, with the best score so far in each block."""
    search = search or _declaration(records)
    groups = _groups(records)
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
        text: a line under the numbers, as the reading of the scatter.
        most: more entries than this are thinned at even distance (zeros and others apart); the fit uses all.
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
    words = f"R² = {r2:.3f}\nslope = {slope:.3f}" + (f"\n{text}" if text else "")
    axes.text(0.03, 0.97, words, transform=axes.transAxes, va="top", fontsize=8)


def plot_comparison(
    true: np.ndarray, learned: np.ndarray, folder: str | os.PathLike, epoch: int, iteration: int, text: str = ""
) -> Path:
    """Write `comparison_{epoch}_{iteration}.png` in `folder`: learned against true W. Returns its path."""
    fig, axes = figure(width=3.6, height=3.6)
    draw_comparison(axes, true, learned, text)
    axes.set_title(f"epoch {epoch}, iteration {iteration}")
    return save_figure(fig, Path(folder) / f"comparison_{epoch}_{iteration}", formats=("png",))[0]


# The page


def _node_json(record: Record, before: Sequence[Record], search: Search) -> dict[str, Any]:
    metrics = {
        k: (float(f"{v:.6g}") if isinstance(v, float) and math.isfinite(v) else v)
        for k, v in record.metrics.items()
        if isinstance(v, int | float | str) and not (isinstance(v, float) and not math.isfinite(v))
    }
    score = ucb_scores([record], 0.0)[record.node]
    return {
        "node": record.node,
        "parent": record.parent,
        "block": record.block,
        "outcome": record.outcome,
        "strategy": record.strategy,
        "r2": score.R2,
        "cluster": score.cluster,
        "mutation": mutation_text(record, search),
        "config": config_text(record, search),
        "rule": record.rule,
        "scatter": scatter_text(record.metrics),
        "observation": observation_text(record, before),
        "settings": {k: short(v) for k, v in record.settings.items()},
        "metrics": metrics,
        "seed": record.seed,
    }


_ROW, _STEP, _LEFT = 26, 26, 18
_SHAPES = {
    "exploit": '<circle cx="{x}" cy="{y}" r="8" {paint}/>',
    "explore": '<path d="M{x} {y}m0 -10l10 10l-10 10l-10 -10z" {paint}/>',
    "failure-probe": '<path d="M{x} {y}m-9 -7h18l-9 16z" {paint}/>',
    "robustness-test": '<rect x="{a}" y="{b}" width="15" height="15" {paint}/>',
}


def _block_svg(group: Sequence[Record], search: Search) -> str:
    places = tree_layout(group)
    deepest = max(depth for depth, _ in places.values())
    width = _LEFT + deepest * _STEP + 610
    height = len(group) * _ROW + 10
    best = _best(group).node
    parts = [f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="group">']
    spot = {node: (_LEFT + depth * _STEP, 18 + row * _ROW) for node, (depth, row) in places.items()}
    for record in group:
        x, y = spot[record.node]
        if record.parent in spot:
            above, top = spot[record.parent]
            parts.append(f'<path class="edge" d="M{above} {top}V{y}H{x}"/>')
    right = _LEFT + deepest * _STEP + 310
    for record in group:
        x, y = spot[record.node]
        paint = f'fill="{OUTCOME_COLOURS[record.outcome]}" stroke="#222222" stroke-width="0.8"'
        shape = _SHAPES.get(record.strategy, _SHAPES["exploit"]).format(x=x, y=y, a=x - 7.5, b=y - 7.5, paint=paint)
        score = ucb_scores([record], 0.0)[record.node]
        words = html.escape(f"{record.node}  {mutation_text(record, search)}".replace("->", "→"))
        label = html.escape(f"node {record.node}, {record.outcome}, {mutation_text(record, search)}", quote=True)
        ring = f'<circle class="best" cx="{x}" cy="{y}" r="12"/>' if record.node == best else ""
        parts.append(
            f'<g class="node" tabindex="0" role="button" aria-label="{label}" data-node="{record.node}">'
            f'<rect class="row" x="0" y="{y - _ROW // 2}" width="{width}" height="{_ROW}"/>{ring}{shape}'
            f'<text x="{x + 16}" y="{y + 4}">{words}</text>'
            f'<text x="{right}" y="{y + 4}">{score.R2:.3f} / {score.cluster:.3f}</text>'
            f'<text class="ucb" x="{right + 110}" y="{y + 4}"></text></g>'
        )
    return "".join([*parts, "</svg>"])


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<title>[[title]]</title>
<style>
body{font:14px/1.45 "DejaVu Sans",Verdana,sans-serif;color:#222;margin:0;background:#fff}
header{padding:14px 22px 10px;border-bottom:1px solid #e6e6e6;position:sticky;top:0;background:#fff;z-index:2}
h1{font-size:18px;margin:0 0 6px}h2{font-size:14px;margin:0 0 4px}
main{display:grid;grid-template-columns:minmax(0,1fr) 340px;gap:22px;padding:16px 22px}
section{margin-bottom:20px;overflow-x:auto}
svg text{font:12px "DejaVu Sans",Verdana,sans-serif;fill:#222;white-space:pre}
.edge{fill:none;stroke:#8a8a8a}.best{fill:none;stroke:#222;stroke-width:2}
.row{fill:transparent}.node{cursor:pointer;outline:none}
.node:hover .row,.node:focus .row{fill:#f2f6fa}.node.chosen .row{fill:#dcebf7}
.node.next .ucb{font-weight:bold}.ucb{fill:#0072B2}
aside{position:sticky;top:110px;align-self:start;border-left:1px solid #e6e6e6;padding-left:16px;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;font-size:12px}td{padding:2px 6px 2px 0;vertical-align:top}
td:first-child{color:#666}.key{display:inline-flex;align-items:center;margin-right:14px;font-size:12px}
.key i{width:11px;height:11px;border-radius:6px;display:inline-block;margin-right:5px;border:1px solid #222}
label{font-size:12px;margin-right:8px}input[type=range]{vertical-align:middle;width:200px}
.mute{color:#666;font-size:12px}
@media(max-width:900px){main{grid-template-columns:1fr}aside{position:static;border:0;padding:0}}
</style></head><body>
<header><h1>[[title]]</h1><div>[[keys]]</div>
<div style="margin-top:6px"><label for="c">exploration constant c</label>
<input id="c" type="range" min="0" max="3" step="0.002" value="[[c]]"> <output id="cv"></output>
<span class="mute">&nbsp; bold: the node that the next iteration would start from at this c</span></div></header>
<main><div>[[blocks]]</div>
<aside><h2 id="head">Choose a node</h2><div id="text" class="mute">Click a row, or move with Tab and Enter.</div>
<table id="facts"></table></aside></main>
<script type="application/json" id="data">[[data]]</script>
<script>
"use strict";
const nodes = JSON.parse(document.getElementById("data").textContent);
const byId = new Map(nodes.map(n => [n.node, n]));
const rows = new Map([...document.querySelectorAll(".node")].map(g => [Number(g.dataset.node), g]));
const slider = document.getElementById("c"), shown = document.getElementById("cv");
function score() {
  const c = Number(slider.value);
  shown.textContent = c.toFixed(3);
  const blocks = new Map();
  for (const n of nodes) blocks.set(n.block, [...(blocks.get(n.block) || []), n]);
  for (const group of blocks.values()) {
    const visits = new Map(group.map(n => [n.node, 1]));
    for (const n of group) {
      let p = n.parent, steps = 0;
      while (p !== null && visits.has(p) && steps++ < group.length) {
        visits.set(p, visits.get(p) + 1);
        p = byId.get(p).parent;
      }
    }
    let best = null, top = -Infinity;
    for (const n of group) {
      const ucb = [[r2w]] * n.r2 + [[cw]] * n.cluster + c * Math.sqrt(Math.log(group.length) / visits.get(n.node));
      if (ucb > top + 1e-12) { top = ucb; best = n.node; }
      const g = rows.get(n.node);
      g.querySelector(".ucb").textContent = "UCB " + ucb.toFixed(3) + "  visits " + visits.get(n.node);
      g.classList.remove("next");
    }
    rows.get(best).classList.add("next");
  }
}
function cell(row, text) { const td = document.createElement("td"); td.textContent = text; row.append(td); }
function choose(id) {
  const n = byId.get(id);
  for (const g of rows.values()) g.classList.remove("chosen");
  rows.get(id).classList.add("chosen");
  document.getElementById("head").textContent = "Node " + id + ": " + n.outcome;
  document.getElementById("text").textContent = n.observation;
  const facts = document.getElementById("facts");
  facts.replaceChildren();
  const lines = [["mutation", n.mutation], ["strategy", n.strategy], ["parent", n.parent === null ? "root" : n.parent],
    ["parent rule", n.rule], ["scatter", n.scatter], ["seed", n.seed],
    ...Object.entries(n.metrics).filter(([k]) => k !== "scatter"), ...Object.entries(n.settings)];
  for (const [k, v] of lines) {
    const row = document.createElement("tr"); cell(row, k); cell(row, String(v)); facts.append(row);
  }
}
for (const [id, g] of rows) {
  g.addEventListener("click", () => choose(id));
  g.addEventListener("keydown", e => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); choose(id); } });
}
slider.addEventListener("input", score);
score();
</script></body></html>
"""


def write_tree_page(
    records: Sequence[Record], path: str | os.PathLike, search: Search | None = None, title: str = ""
) -> Path:
    """Write the trees as one HTML page that needs no network.

    A row shows a node's mutation, R2, cluster accuracy and UCB; a click shows all its settings and metrics; a slider
    for c recomputes the UCB scores and marks where the next iteration would start. All text from data is escaped.
    """
    search = search or _declaration(records)
    groups = _groups(records)
    sections = []
    nodes: list[dict[str, Any]] = []
    for group in groups:
        level = group[0].filling_factor
        head = html.escape(f"Block {group[0].block}: {level * 100:g}% connectivity")
        sections.append(
            f'<section><h2>{head} <span class="mute">R² / clusters, UCB</span></h2>'
            f"{_block_svg(group, search)}</section>"
        )
        nodes += [_node_json(record, group[:i], search) for i, record in enumerate(group)]
    seen = {record.outcome for record in records}
    keys = [
        f'<span class="key"><i style="background:{OUTCOME_COLOURS[name]}"></i>{name}</span>'
        for name in OUTCOMES
        if name in seen
    ]
    shapes = "circle: exploit, diamond: explore, triangle: failure-probe, square: robustness-test, ring: best"
    data = json.dumps(nodes, ensure_ascii=True, allow_nan=False)
    for mark in "<>&":
        data = data.replace(mark, f"\\u{ord(mark):04x}")
    values = {
        "title": html.escape(title or f"{search.config}: search over training settings"),
        "keys": "".join(keys) + f'<span class="mute">{shapes}</span>',
        "c": f"{search.ucb_c:g}",
        "blocks": "".join(sections),
        "r2w": str(R2_WEIGHT),
        "cw": str(CLUSTER_WEIGHT),
        "data": data,
    }
    text = re.sub(r"\[\[(\w+)\]\]", lambda found: values[found[1]], _PAGE)
    write_text(path, text)
    return Path(path)


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
    "write_tree_page",
]
