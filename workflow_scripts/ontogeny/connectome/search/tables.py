"""A search as tables: its iterations, its blocks, and what single changes did."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.arguments import checks_arguments
from ontogeny.connectome.search.declaration import Search
from ontogeny.connectome.search.policy import ucb_scores
from ontogeny.connectome.search.records import Record, success
from ontogeny.connectome.search.space import Setting
from ontogeny.connectome.search.text import by_block, finding, mutation_text
from ontogeny.statistics import adjust, student_interval


@checks_arguments
def principles(records: Sequence[Record], search: Search, confidence: float = 0.95) -> pd.DataFrame:
    """What single changes did, from all pairs of a node and its parent that differ in one setting.

    Pairs are grouped by setting and direction. `gain` is the mean change of the score with its interval (Student's
    t over pairs); `p` tests it against 0, `p_holm` is corrected for the number of groups with two pairs or more.
    `status` is "established" (p_holm < 0.05), "contradicted" (both gains and losses of 0.02 or more), or "open".

    Columns: setting, direction, pairs, blocks, gain, low, high, gain_R2, gain_cluster, p, p_holm, status, nodes.
    """
    from scipy.stats import ttest_1samp

    by_node = {record.node: record for record in records}
    space: dict[str, Setting] = {setting.name: setting for setting in search.space}
    pairs: dict[tuple[str, str], list[tuple[Record, Record]]] = {}
    for record in records:
        name = record.mutation.get("setting")
        parent = None if record.parent is None else by_node.get(record.parent)
        if name not in space or parent is None:
            continue
        way = space[name].direction(record.mutation["old"], record.mutation["new"])
        label = {1: "up", -1: "down"}[way] if space[name].numeric else f"to {way}"
        pairs.setdefault((name, label), []).append((parent, record))

    def change(found: list[tuple[Record, Record]], metric: str) -> float:
        values = [[r.metrics.get(metric) for r in pair] for pair in found]
        usable = [b - a for a, b in values if isinstance(a, int | float) and isinstance(b, int | float)]
        return float(np.mean(usable)) if usable else math.nan

    rows = []
    for (name, direction), found in pairs.items():
        gains = np.array([child.score - parent.score for parent, child in found])
        _, low, high = map(float, student_interval(gains, confidence))
        p = math.nan
        if len(gains) > 1:
            same = float(np.std(gains)) < 1e-12
            p = (1.0 if abs(gains.mean()) < 1e-12 else 0.0) if same else float(ttest_1samp(gains, 0).pvalue)
        rows.append(
            {
                "setting": name,
                "direction": direction,
                "pairs": len(found),
                "blocks": len({child.block for _, child in found}),
                "gain": float(gains.mean()),
                "low": low,
                "high": high,
                "gain_R2": change(found, "connectivity_R2"),
                "gain_cluster": change(found, "cluster_accuracy"),
                "p": p,
                "contradicted": bool(gains.max() >= 0.02 and gains.min() <= -0.02),
                "nodes": " ".join(str(child.node) for _, child in found),
            }
        )
    columns = [
        "setting",
        "direction",
        "pairs",
        "blocks",
        "gain",
        "low",
        "high",
        "gain_R2",
        "gain_cluster",
        "p",
        "p_holm",
        "status",
        "nodes",
    ]
    frame = pd.DataFrame(rows)
    if frame.empty:
        return pd.DataFrame(columns=columns)
    frame["p_holm"] = adjust(frame["p"].to_numpy(float)).p_values
    frame["status"] = np.where(
        frame["p_holm"] < 0.05, "established", np.where(frame["contradicted"], "contradicted", "open")
    )
    frame["strength"] = -frame["gain"].abs()
    frame = frame.sort_values(["p_holm", "strength", "setting", "direction"], na_position="last", kind="stable")
    return frame[columns].reset_index(drop=True)


def iteration_table(records: Sequence[Record], search: Search) -> pd.DataFrame:
    """One row per iteration: numbers, strategy, mutation, settings, metrics, score, UCB within its block."""
    rows = []
    for _, group in by_block(records):
        scores = ucb_scores(group, search.ucb_c)
        for record in group:
            row: dict[str, Any] = {
                "block": record.block,
                "iteration": record.iteration,
                "node": record.node,
                "parent": "root" if record.parent is None else str(record.parent),
                "filling_factor": record.filling_factor,
                "strategy": record.strategy,
                "mutation": mutation_text(record, search),
                "law": record.mutation.get("law", ""),
                "outcome": record.outcome,
                "score": record.score,
                "ucb": scores[record.node].ucb,
                "visits": scores[record.node].visits,
                "seed": record.seed,
            }
            row |= {s.name: record.settings.get(s.name) for s in search.space}
            plain_metrics = {k: v for k, v in record.metrics.items() if isinstance(v, int | float | str) or v is None}
            row |= {k: v for k, v in plain_metrics.items() if k not in row}
            rows.append(row)
    return pd.DataFrame(rows)


def block_table(records: Sequence[Record], search: Search) -> pd.DataFrame:
    """One row per block: best metrics, the settings behind them, successes, branching rate, seed noise, rule changes.

    `seed_noise` is the largest difference of score between a robustness-test and the node that it ran again; NaN
    without one.
    """
    rows = []
    known = search.replay(records)
    for block, group in by_block(records):
        best = max(group, key=lambda r: (r.score, -r.node))
        by_node = {r.node: r for r in group}
        reruns = [
            abs(r.score - by_node[r.parent].score)
            for r in group
            if r.strategy == "robustness-test" and r.parent in by_node
        ]
        end = known[block - 1][1] if block <= len(known) else None
        rows.append(
            {
                "block": block,
                "filling_factor": search.blocks[block - 1],
                "iterations": len(group),
                "best_node": best.node,
                "best_score": best.score,
                "best_R2": best.metrics.get("connectivity_R2"),
                "best_cluster": best.metrics.get("cluster_accuracy"),
                "successes": sum(success(r.metrics) for r in group),
                "coeff_W_L1": best.settings.get("coeff_W_L1"),
                "learning_rate_W_start": best.settings.get("learning_rate_W_start"),
                "branching_rate": end.branching_rate if end else math.nan,
                "seed_noise": max(reruns) if reruns else math.nan,
                "finding": finding(group) if end else "",
                "changes": "; ".join(end.changes) if end else "",
            }
        )
    return pd.DataFrame(rows)
