"""The trees of a search as one HTML page that needs no network."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ontogeny.connectome.search.declaration import Search
from ontogeny.connectome.search.policy import ucb_scores
from ontogeny.connectome.search.records import CLUSTER_WEIGHT, OUTCOMES, R2_WEIGHT, Record
from ontogeny.connectome.search.space import short
from ontogeny.connectome.search.text import config_text, mutation_text, observation_text, scatter_text
from ontogeny.connectome.search_tree import OUTCOME_COLOURS, best_of, groups_of, some_declaration, tree_layout
from ontogeny.files import write_text
from ontogeny.plotting.templates import template

_ROW, _STEP, _LEFT = 26, 26, 18


def write_tree_page(
    records: Sequence[Record], path: str | os.PathLike, search: Search | None = None, title: str = ""
) -> Path:
    """Write the trees of `records` to the HTML page `path`, which runs without a network.

    A row shows a node's mutation, R2, cluster accuracy and UCB; a click shows all its settings and metrics; a slider
    for c recomputes the UCB scores and marks where the next iteration would start. All text from data is escaped.
    """
    search = search or some_declaration(records)
    groups = groups_of(records)
    seen = {record.outcome for record in records}
    text = template("ontogeny.connectome", "search_page.html").render(
        title=title or f"{search.config}: search over training settings",
        outcomes=[(name, OUTCOME_COLOURS[name]) for name in OUTCOMES if name in seen],
        c=f"{search.ucb_c:g}",
        blocks=[_block(group, search) for group in groups],
        row_height=_ROW,
        nodes=[_node(record, group[:i], search) for group in groups for i, record in enumerate(group)],
        r2_weight=R2_WEIGHT,
        cluster_weight=CLUSTER_WEIGHT,
    )
    write_text(path, text)
    return Path(path)


def _node(record: Record, before: Sequence[Record], search: Search) -> dict[str, Any]:
    metrics = {
        k: (float(f"{v:.6g}") if isinstance(v, float) else v)
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


def _block(group: Sequence[Record], search: Search) -> dict[str, Any]:
    """The drawing of one block: its size, the edges as SVG paths, and one row per node."""
    places = tree_layout(group)
    deepest = max(depth for depth, _ in places.values())
    best = best_of(group).node
    spot = {node: (_LEFT + depth * _STEP, 18 + row * _ROW) for node, (depth, row) in places.items()}
    edges, rows = [], []
    for record in group:
        x, y = spot[record.node]
        if record.parent in spot:
            above, top = spot[record.parent]
            edges.append(f"M{above} {top}V{y}H{x}")
        score = ucb_scores([record], 0.0)[record.node]
        mutation = mutation_text(record, search)
        rows.append(
            {
                "node": record.node,
                "x": x,
                "y": y,
                "best": record.node == best,
                "strategy": record.strategy,
                "colour": OUTCOME_COLOURS[record.outcome],
                "label": f"node {record.node}, {record.outcome}, {mutation}",
                "words": f"{record.node}  {mutation}".replace("->", "→"),
                "scores": f"{score.R2:.3f} / {score.cluster:.3f}",
            }
        )
    return {
        "title": f"Block {group[0].block}: {group[0].filling_factor * 100:g}% connectivity",
        "width": _LEFT + deepest * _STEP + 610,
        "height": len(group) * _ROW + 10,
        "right": _LEFT + deepest * _STEP + 310,
        "edges": edges,
        "rows": rows,
    }


__all__ = ["write_tree_page"]
