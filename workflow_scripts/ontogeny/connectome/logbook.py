"""The logbook of a search: the log, the memory and the UCB scores as the study keeps them, and the same as tables.

`{config}_analysis.md` is a log to which every iteration and every block's end adds; `{config}_memory.md` is what one
would want to know before the next iteration, bounded in length; `ucb_scores.txt` is the standing of the current block.
All of them are written from the records, so nothing is lost with them. What somebody wrote into the memory by hand
is kept: lines that begin with `- Note:` stay in it, and a memory that was edited otherwise is set aside under another
name before a new one is written.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.connectome.policy import BlockEnd, Record, Rules, Setting, propose, short, success, ucb_scores
from ontogeny.connectome.search import Search, holm, read_records, search_json, training_minutes
from ontogeny.errors import OntogenyError
from ontogeny.files import read_json, read_text, write_csv, write_json, write_text

MEMORY_LINES = 500
"""The most lines that a memory file has, as in the study."""

_STUDY_LABELS = {"lr_W", "lr", "lr_emb", "coeff_W_L1", "batch_size", "data_aug"}
_MODES = {
    "exploit": "success-exploit/exploit",
    "explore": "success-exploit/explore",
    "failure-probe": "failure-probe/boundary",
    "robustness-test": "success-exploit/robustness-test",
}


# Pieces of text


def sparsity(filling_factor: float) -> str:
    """A filling factor as the study writes it: 75% (connectivity_filling_factor=0.75)."""
    return f"{filling_factor * 100:g}% (connectivity_filling_factor={float(filling_factor)})"


def _number(metrics: Mapping[str, Any], name: str, form: str = ".3f") -> str:
    value = metrics.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "nan" if name in metrics else "N/A"
    return format(value, form)


def _line(text: Any) -> str:
    return " ".join(str(text).split())


def config_text(record: Record, search: Search) -> str:
    """The Config line: the study's six settings under its labels, then options that are not at their first value."""
    order = ["lr_W", "lr", "lr_emb", "coeff_W_L1", "batch_size", "data_aug"]
    space = sorted(search.space, key=lambda s: order.index(s.label) if s.label in order else len(order))
    parts = []
    for setting in space:
        value = record.settings.get(setting.name)
        if setting.label in _STUDY_LABELS or value != search.first.get(setting.name):
            parts.append(f"{setting.label}={short(value)}")
    return ", ".join(parts)


def mutation_text(record: Record, search: Search) -> str:
    """The Mutation line: `lr_W: 2.0E-3 -> 5.0E-3`, or what happened instead."""
    change = record.mutation
    if "setting" not in change:
        return _line(change.get("law", "none"))
    label = next((s.label for s in search.space if s.name == change["setting"]), change["setting"])
    return _line(f"{label}: {short(change['old'])} -> {short(change['new'])}")


def scatter_text(metrics: Mapping[str, Any]) -> str:
    """The Scatter line: the reading that came with the metrics, or the slope where there is none."""
    text = metrics.get("scatter")
    if isinstance(text, str) and text.strip():
        return _line(text).removeprefix("Scatter:").strip()
    slope = metrics.get("slope")
    return f"slope {slope:.2f}" if isinstance(slope, int | float) and not isinstance(slope, bool) else "not read"


def observation_text(record: Record, before: Sequence[Record]) -> str:
    """One line on what this iteration showed, against its parent and against the block so far."""
    parent = next((r for r in before if r.node == record.parent), None)
    r2, cluster = _number(record.metrics, "connectivity_R2"), _number(record.metrics, "cluster_accuracy")
    level = f"{record.filling_factor * 100:g}%"
    if parent is None:
        text = f"at {level}: R2={r2}, clusters={cluster}"
    else:
        gain = record.score - parent.score
        verdict = "better than" if gain > 0.02 else "worse than" if gain < -0.02 else "as good as"
        was = f"R2 {_number(parent.metrics, 'connectivity_R2')}, clusters {_number(parent.metrics, 'cluster_accuracy')}"
        text = f"at {level}: {verdict} node {parent.node} (R2={r2}, clusters={cluster}; was {was}; score {gain:+.3f})"
    best = max((r.score for r in before), default=-math.inf)
    if before and record.score > best:
        text += ", best of the block so far"
    return text


def iteration_text(
    record: Record,
    before: Sequence[Record],
    following: str,
    search: Search,
    minutes: Mapping[str, float] | None = None,
) -> str:
    """The log entry of one iteration in the study's form; with `minutes` of training by evaluation, it tells those."""
    metrics = record.metrics
    time = {"training_time_min": minutes[record.evaluation]} if record.evaluation in (minutes or {}) else {}
    lines = [
        f"## Iter {record.node}: {record.outcome}",
        f"Node: id={record.node}, parent={'root' if record.parent is None else record.parent}",
        f"Mode/Strategy: {_MODES.get(record.strategy, record.strategy)}",
        f"Sparsity: {sparsity(record.filling_factor)}",
        f"Config: {config_text(record, search)}",
        f"Metrics: test_R2={_number(metrics, 'test_R2')}, test_pearson={_number(metrics, 'test_pearson')}, "
        f"connectivity_R2={_number(metrics, 'connectivity_R2')}, "
        f"cluster_accuracy={_number(metrics, 'cluster_accuracy')}, "
        f"final_loss={_number(metrics, 'final_loss', '.4E')}"
        + ("" if minutes is None else f", training_time_min={_number(time, 'training_time_min', '.2f')}"),
        f"Scatter: {scatter_text(metrics)}",
        f"Mutation: {mutation_text(record, search)}",
        f"Parent rule: {_line(record.rule)}",
        f"Observation: {observation_text(record, before)}",
        f"Next: parent={following}",
    ]
    return "\n".join(lines) + "\n"


def _block_summary(records: Sequence[Record], end: BlockEnd) -> str:
    best = next(r for r in records if r.node == end.best_node)
    good = sum(success(r.metrics) for r in records)
    return (
        f"Block {end.block} ({end.filling_factor * 100:g}%): best R²={_number(best.metrics, 'connectivity_R2')}, "
        f"cluster={_number(best.metrics, 'cluster_accuracy')} at node {best.node}; "
        f"{good} of {len(records)} iterations with both at 0.9 or above. Key finding: {_finding(records, end)}."
    )


def _finding(records: Sequence[Record], end: BlockEnd) -> str:
    """What the block showed most clearly: the change of one setting with the largest effect either way."""
    by_node = {r.node: r for r in records}
    effects = [
        (r.score - by_node[r.parent].score, r) for r in records if r.parent in by_node and "setting" in r.mutation
    ]
    if not effects:
        return "no setting was compared with another value of it"
    gain, record = max(effects, key=lambda item: (abs(item[0]), -item[1].node))
    if abs(gain) < 0.02:
        return "no single change moved the score by 0.02 or more"
    change = record.mutation
    return (
        f"{change['setting']} {short(change['old'])} -> {short(change['new'])} "
        f"{'gained' if gain > 0 else 'lost'} {abs(gain):.3f} (node {record.node})"
    )


# The log


def _blocks(records: Sequence[Record]) -> list[tuple[int, list[Record]]]:
    ordered = sorted(records, key=lambda r: (r.block, r.iteration))
    return [(block, list(group)) for block, group in itertools.groupby(ordered, key=lambda r: r.block)]


def analysis_text(records: Sequence[Record], search: Search, minutes: Mapping[str, float] | None = None) -> str:
    """The log of all records. The log of some records begins with the log of all that came before them.

    `minutes` tells what each evaluation's training took (see `training_minutes`); None leaves times out.

    Of blocks that run side by side only what joins up is logged: a block's entries wait for the block before it.
    """
    parts = [f"# Experiment Log: {search.config}\n"]
    for (block, group), (rules, end), place in zip(_blocks(records), search.replay(records), itertools.count(1)):
        if block != place:
            break
        level = search.blocks[block - 1]
        parts.append(f"## Block {block}: {sparsity(level)}\n")
        for i, record in enumerate(group):
            following = _following(group, i, rules, search)
            parts.append(iteration_text(record, group[:i], following, search, minutes))
        if end is None:
            break
        lines = [f"### Block {block} summary\n", _block_summary(group, end)]
        lines.append(f"Branching rate: {end.branches}/{max(len(group) - 1, 0)} = {end.branching_rate:.0%}")
        changes = end.changes or ("no change needed",)
        lines += [f"INSTRUCTIONS EDITED: {change}" for change in changes]
        if not search.sequential and block < len(search.blocks) and end.changes:
            lines.append("(Blocks run side by side: these rules are recorded, and hold in none of the other blocks.)")
        parts.append("\n".join(lines) + "\n\n---\n")
    return "\n".join(parts)


def without_times(log: str) -> str:
    """A log without what its iterations took, which differs from one making to the next."""
    return re.sub(r", training_time_min=\S+", "", log)


def _following(group: Sequence[Record], i: int, rules: Rules, search: Search) -> str:
    """The parent of the iteration after `group[i]`: root after a block's last one."""
    if group[i].iteration >= search.n_iter_block:
        return "root"
    after = group[i + 1] if i + 1 < len(group) else propose(group[: i + 1], rules, search.seed, search.policy)
    return "root" if after.parent is None else str(after.parent)


def ucb_text(records: Sequence[Record], search: Search) -> str:
    """The UCB scores of the block that is under way, or of the last one; empty before the first iteration."""
    groups = _blocks(records)
    if not groups:
        return ""
    block, group = groups[-1]
    first, last = (block - 1) * search.n_iter_block + 1, block * search.n_iter_block
    by_node = {record.node: record for record in group}
    lines = [f"=== UCB Scores (Block {block}, iters {first}-{last}, N={len(group)}, c={search.ucb_c:g}) ===", ""]
    for score in ucb_scores(group, search.ucb_c).values():
        parent = "root" if score.parent is None else score.parent
        lines.append(
            f"Node {score.node}: UCB={score.ucb:.3f}, parent={parent}, visits={score.visits}, R2={score.R2:.3f}, "
            f"cluster={score.cluster:.3f}, Mutation={mutation_text(by_node[score.node], search)}"
        )
    return "\n".join(lines) + "\n"


# Principles and tables


def principles(records: Sequence[Record], search: Search, level: float = 0.95) -> pd.DataFrame:
    """What single changes did, from all pairs of a node and its parent that differ in one setting.

    Pairs are grouped by setting and direction. `gain` is the mean change of the score with its interval (Student's
    t over pairs); `p` tests it against 0, `p_holm` is corrected for the number of groups with two pairs or more.
    `status` is "established" (p_holm < 0.05), "contradicted" (both gains and losses of 0.02 or more), or "open".

    Columns: setting, direction, pairs, blocks, gain, low, high, gain_R2, gain_cluster, p, p_holm, status, nodes.
    """
    from scipy import stats

    by_node = {record.node: record for record in records}
    space: dict[str, Setting] = {setting.name: setting for setting in search.space}
    pairs: dict[tuple[str, str], list[tuple[Record, Record]]] = {}
    for record in records:
        name, parent = record.mutation.get("setting"), by_node.get(record.parent)
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
        low = high = p = math.nan
        if len(gains) > 1:
            error = float(np.std(gains, ddof=1)) / math.sqrt(len(gains))
            half = stats.t.ppf(0.5 + level / 2, len(gains) - 1) * error
            low, high = gains.mean() - half, gains.mean() + half
            same = error < 1e-12
            p = (1.0 if abs(gains.mean()) < 1e-12 else 0.0) if same else float(stats.ttest_1samp(gains, 0).pvalue)
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
    tested = frame["p"].notna()
    frame["p_holm"] = math.nan
    frame.loc[tested, "p_holm"] = holm(frame.loc[tested, "p"].to_numpy(float))
    frame["status"] = np.where(
        frame["p_holm"] < 0.05, "established", np.where(frame["contradicted"], "contradicted", "open")
    )
    frame["strength"] = -frame["gain"].abs()
    frame = frame.sort_values(["p_holm", "strength", "setting", "direction"], na_position="last", kind="stable")
    return frame[columns].reset_index(drop=True)


def iteration_table(records: Sequence[Record], search: Search) -> pd.DataFrame:
    """One row an iteration: numbers, strategy, mutation, settings, metrics, score, UCB within its block."""
    rows = []
    for _, group in _blocks(records):
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
    """One row a block: best metrics, the settings behind them, successes, branching rate, seed noise, rule changes.

    `seed_noise` is the largest difference of score between a robustness-test and the node that it ran again; NaN
    without one.
    """
    rows = []
    known = search.replay(records)
    for block, group in _blocks(records):
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
                "finding": _finding(group, end) if end else "",
                "changes": "; ".join(end.changes) if end else "",
            }
        )
    return pd.DataFrame(rows)


# The memory


def memory_text(records: Sequence[Record], search: Search, notes: Sequence[str] = (), lines: int = MEMORY_LINES) -> str:
    """The memory: what is known over all blocks, the block before, the block under way; observations last.

    At most `lines` lines: tables keep their last rows, the block under way its last iterations in full and the
    earlier ones in one line each.

    Args:
        records: all records.
        search: the declaration.
        notes: lines written by hand, kept under Open Questions.
        lines: at least 120.
    """
    if lines < 120:
        raise OntogenyError(f"a memory of {lines} lines cannot hold its sections: at least 120 are needed")
    groups = dict(_blocks(records))
    current = max(groups, default=1)
    if groups and len(groups[current]) == search.n_iter_block and current < len(search.blocks):
        current += 1
    table = block_table(
        [r for r in records if r.block < current or len(groups[r.block]) == search.n_iter_block], search
    )
    budget = lines // 10

    out = [f"# Working Memory: {search.config}", "", "## Knowledge Base (accumulated across all blocks)", ""]
    out += ["### Sparsity Comparison Table", ""]
    out += [
        "| Block | Sparsity | filling_factor | Best R² | Best Cluster | Optimal L1 | Optimal lr_W | finding |",
        "| ----- | -------- | -------------- | ------- | ------------ | ---------- | ------------ | ------- |",
    ]
    for row in table.tail(budget).itertuples():
        best = {"connectivity_R2": row.best_R2, "cluster_accuracy": row.best_cluster}
        out.append(
            f"| {row.block} | {row.filling_factor * 100:g}% | {float(row.filling_factor)} | "
            f"{_number(best, 'connectivity_R2')} | {_number(best, 'cluster_accuracy')} | {short(row.coeff_W_L1)} | "
            f"{short(row.learning_rate_W_start)} | {row.finding.replace('|', '/')} |"
        )
    out += ["", "### Sparsity-L1 Guidelines", "", "| Sparsity | filling_factor | Optimal L1 Range | Notes |"]
    out += ["| -------- | -------------- | ---------------- | ----- |"]
    for known in _guidelines(records, search)[-budget:]:
        low, high = short(known.low), short(known.high)
        span = low if low == high else f"{low} to {high}"
        note = known.note.replace("|", "/")
        out.append(f"| {known.filling_factor * 100:g}% | {float(known.filling_factor)} | {span} | {note} |")

    found = principles(records, search)
    out += ["", "### Established Principles", ""]
    sure = found[found["status"] == "established"]
    for row in sure.head(budget).itertuples():
        verb = "helps" if row.gain > 0 else "hurts"
        out.append(f"- {row.setting} {row.direction} {verb}: {_evidence(row)}")
    if sure.empty:
        out.append("- none yet: no change of one setting has an effect that is sure after correction for their number")
    out += ["", "### Open Questions", ""]
    unsure = found[(found["status"] != "established") & ((found["gain"].abs() >= 0.02) | (found["status"] != "open"))]
    for row in unsure.head(budget).itertuples():
        what = "helps in places and hurts in others" if row.status == "contradicted" else "may matter"
        out.append(f"- {row.setting} {row.direction} {what}: {_evidence(row)}")
    missed = table[table["best_score"] < 0.9] if not table.empty else table
    for row in missed.tail(budget).itertuples():
        out.append(f"- {row.filling_factor * 100:g}% has no good settings yet (best score {row.best_score:.3f})")
    kept = [_line(note) for note in notes][-budget:]
    out += [f"- Note: {note}" for note in kept]

    out += ["", "---", "", f"## Previous Block Summary (Block {current - 1})", ""]
    previous = groups.get(current - 1)
    if previous and len(previous) == search.n_iter_block:
        end = search.replay(records)[current - 2][1]
        out.append(_block_summary(previous, end))
        out += [f"INSTRUCTIONS EDITED: {change}" for change in end.changes[:8]]
    else:
        out.append("None: this is the first block." if current == 1 else "Its records are not complete.")

    level = search.blocks[current - 1]
    first, last = (current - 1) * search.n_iter_block + 1, current * search.n_iter_block
    out += ["", "---", "", f"## Current Block (Block {current})", "", "### Block Info", ""]
    out += [f"Sparsity: {sparsity(level)}", f"Iterations: {first} to {last}", "", "### Hypothesis", ""]
    out.append(_hypothesis(current, records, search))
    out += ["", "### Iterations This Block", ""]

    group = groups.get(current, [])
    tail = ["### Emerging Observations", ""]
    tail += _observations(group, search)[:20]
    room = lines - len(out) - len(tail) - 1
    out += _iterations(group, records, search, room)
    return "\n".join([*out, *tail]) + "\n"


def _guidelines(records: Sequence[Record], search: Search) -> list:
    """The guidelines after all blocks that are complete, also where blocks ran side by side."""
    known = {g.filling_factor: g for g in search.guidelines}
    for rules, end in search.replay(records):
        if end is not None:
            level = rules.filling_factor
            known |= {g.filling_factor: g for g in end.guidelines if math.isclose(g.filling_factor, level)}
    return sorted(known.values(), key=lambda g: -g.filling_factor)


def _evidence(row: Any) -> str:
    many = "pair" if row.pairs == 1 else "pairs"
    text = f"score {row.gain:+.3f}"
    if row.pairs > 1:
        text += f" [{row.low:+.3f}, {row.high:+.3f}], p = {row.p_holm:.2g} after Holm"
    nodes = row.nodes.split()
    listed = ", ".join(nodes[:8]) + (", ..." if len(nodes) > 8 else "")
    return f"{text} (evidence: {row.pairs} {many} in {row.blocks} block{'s' * (row.blocks > 1)}, nodes {listed})"


def _hypothesis(block: int, records: Sequence[Record], search: Search) -> str:
    level = search.blocks[block - 1]
    try:
        rules = search.rules(block, records)
    except OntogenyError:
        return "The blocks before this one are not complete."
    start = config_text(
        Record(block, 1, 0, None, level, rules.first, {}, "exploit", "", {}, search.seed), search
    )  # fmt: skip
    known = [g for g in rules.guidelines if math.isclose(g.filling_factor, level)]
    reason = f"L1 from the guideline for {level * 100:g}%" if known else "no guideline for this level yet"
    standing = [name for name, on in (("exploration", rules.explore), (f"focus-{rules.focus}", rules.focus)) if on]
    extra = f"; rules in force: {', '.join(standing)}" if standing else ""
    origin = "the best settings of the block before" if search.sequential and block > 1 else "the first settings"
    return f"{origin[0].upper()}{origin[1:]} serve at {level * 100:g}% too ({reason}{extra}): {start}"


def _observations(group: Sequence[Record], search: Search) -> list[str]:
    if not group:
        return ["- nothing yet"]
    best = max(group, key=lambda r: (r.score, -r.node))
    lines = [
        f"- best so far: node {best.node}, {best.outcome}, R2={_number(best.metrics, 'connectivity_R2')}, "
        f"cluster={_number(best.metrics, 'cluster_accuracy')}, {config_text(best, search)}"
    ]
    by_node = {r.node: r for r in group}
    for record in group:
        if record.parent in by_node:
            gain = record.score - by_node[record.parent].score
            if record.strategy == "robustness-test":
                lines.append(
                    f"- node {record.node} ran node {record.parent} again: score {gain:+.3f} by the seed alone"
                )
            elif abs(gain) >= 0.02:
                lines.append(f"- {mutation_text(record, search)}: score {gain:+.3f} (node {record.node})")
    spread = max(r.score for r in group) - min(r.score for r in group)
    if len(group) >= 3 and spread < 0.02:
        lines.append("- the landscape is flat here: all scores within 0.02")
    return lines


def _iterations(group: Sequence[Record], records: Sequence[Record], search: Search, room: int) -> list[str]:
    full: list[list[str]] = []
    brief: list[list[str]] = []
    rules = search.replay(records)[group[0].block - 1][0] if group else None
    for i, record in enumerate(group):
        following = _following(group, i, rules, search)
        full.append(iteration_text(record, group[:i], following, search).splitlines() + [""])
        brief.append(
            [f"- Iter {record.node}: {record.outcome}, score {record.score:.3f}, {mutation_text(record, search)}"]
        )
    split = len(group)
    while split > 0:
        rest = sum(map(len, full[split - 1 :]))
        if rest + (split - 1) + 2 > room:
            break
        split -= 1
    short_lines = [line for lines in brief[:split] for line in lines]
    long_lines = [line for lines in full[split:] for line in lines]
    space = room - len(long_lines) - 2
    if len(short_lines) > space:
        dropped = len(short_lines) - space + 1
        short_lines = [f"- {dropped} earlier iterations are in the log", *short_lines[dropped:]]
    return [*short_lines, *([""] if short_lines else []), *long_lines]


@dataclass(frozen=True)
class Memory:
    """A memory file that was read: its sections by title, its comparison table, its notes."""

    sections: Mapping[str, str]
    table: pd.DataFrame
    notes: tuple[str, ...]


_SECTIONS = (
    "# Working Memory",
    "## Knowledge Base",
    "### Sparsity Comparison Table",
    "### Established Principles",
    "### Open Questions",
    "## Previous Block Summary",
    "## Current Block",
    "### Block Info",
    "### Hypothesis",
    "### Iterations This Block",
    "### Emerging Observations",
)
_TABLE = ["Block", "Sparsity", "filling_factor", "Best R²", "Best Cluster", "Optimal L1", "Optimal lr_W", "finding"]


def read_memory(path: str | os.PathLike) -> Memory:
    """Read a memory file, also one of the study's.

    Raises:
        OntogenyError: a section is missing or out of order, or a row of the comparison table has other columns.
    """
    return _parse_memory(read_text(path), str(path))


def _parse_memory(text: str, where: str) -> Memory:
    lines = text.splitlines()
    at = []
    start = 0
    for title in _SECTIONS:
        hit = next((i for i in range(start, len(lines)) if lines[i].startswith(title)), None)
        if hit is None:
            early = next((i for i, line in enumerate(lines) if line.startswith(title)), None)
            why = "is missing" if early is None else f"(line {early + 1}) stands before a section that belongs above it"
            raise OntogenyError(f"{where}: the section '{title}' {why}")
        at.append(hit)
        start = hit + 1
    later = next((i for i in range(at[-1] + 1, len(lines)) if re.match(r"#{1,3} (?!Iter)", lines[i])), None)
    if later is not None:
        raise OntogenyError(
            f"{where}, line {later + 1}: '{lines[later]}' stands after Emerging Observations, which come last"
        )
    sections = {
        lines[i].lstrip("# ").strip(): "\n".join(lines[i + 1 : j]).strip()
        for i, j in zip(at, [*at[1:], len(lines)])
    }  # fmt: skip
    rows = []
    start, stop = at[2] + 1, at[3]
    header: list[str] | None = None
    for i in range(start, stop):
        if lines[i].startswith("###"):
            break
        if not lines[i].startswith("|"):
            continue
        cells = [cell.strip() for cell in lines[i].strip().strip("|").split("|")]
        if header is None:
            if cells != _TABLE:
                raise OntogenyError(
                    f"{where}, line {i + 1}: the comparison table has columns {cells}; {_TABLE} are wanted"
                )
            header = cells
        elif set("".join(cells)) <= {"-", " ", ":"}:
            continue
        else:
            if len(cells) != len(_TABLE):
                raise OntogenyError(
                    f"{where}, line {i + 1}: {len(cells)} cells where the table has {len(_TABLE)} columns"
                )
            try:
                rows.append([int(cells[0]), cells[1], *map(float, cells[2:5]), *cells[5:]])
            except ValueError:
                raise OntogenyError(
                    f"{where}, line {i + 1}: a block number, a sparsity and three numbers are wanted; got {cells[:5]}"
                ) from None
    notes = tuple(line[len("- Note:") :].strip() for line in lines if line.startswith("- Note:"))
    return Memory(sections, pd.DataFrame(rows, columns=_TABLE), notes)


# Writing


def write_logbook(folder: str | os.PathLike, search: Search, records: Sequence[Record] | None = None) -> list[Path]:
    """Write the log, the memory, the UCB scores and the tables from the records; return the paths.

    A log or a memory in `folder` that does not stem from these records (edited by hand, or written before a change
    of policy) is first set aside as `..._1.md`, `..._2.md`, ...; a warning says so in one sentence. Lines in it that
    begin with `- Note:` are taken over into the new memory.

    Args:
        folder: the search's folder.
        search: its declaration.
        records: its records; read from `folder` by default.
    """
    folder = Path(folder)
    records = list(read_records(folder, search) if records is None else records)
    log_path, memory_path = folder / f"{search.config}_analysis.md", folder / f"{search.config}_memory.md"
    log = analysis_text(records, search, training_minutes(folder, records))
    if log_path.exists():
        old, new = without_times(log_path.read_text(encoding="utf-8", errors="replace")), without_times(log)
        if not new.startswith(old) and not old.startswith(new):
            _set_aside(log_path, f"{log_path.name} is not the log of these records")
    paths = [log_path, memory_path, folder / "ucb_scores.txt", folder / "rules.json"]
    notes = _keep_memory(memory_path, paths[3]) if memory_path.exists() else ()
    memory = memory_text(records, search, notes)
    tables = {
        "iterations": iteration_table(records, search),
        "blocks": block_table(records, search),
        "principles": principles(records, search),
    }
    write_text(log_path, log)
    write_text(memory_path, memory)
    write_text(paths[2], ucb_text(records, search))
    rules = {"search": search_json(search), "blocks": _rules_json(records, search), "memory": _digest(memory)}
    write_json(paths[3], rules)
    for name, frame in tables.items():
        if not frame.empty:
            paths.append(folder / f"{name}.csv")
            write_csv(paths[-1], frame)
    return paths


def _rules_json(records: Sequence[Record], search: Search) -> list[dict[str, Any]]:
    rows = []
    started = {record.block for record in records}
    for rules, end in search.replay(records):
        if rules.block not in started:
            continue
        rows.append(
            {
                "block": rules.block,
                "filling_factor": rules.filling_factor,
                "first": dict(rules.first),
                "ucb_c": rules.ucb_c,
                "explore": rules.explore,
                "focus": rules.focus,
                "guidelines": [vars(g) for g in rules.guidelines],
                "branching_rate": end.branching_rate if end else None,
                "best_node": end.best_node if end else None,
                "changes_at_end": list(end.changes) if end else [],
            }
        )
    return rows


def _set_aside(path: Path, why: str) -> Path:
    taken = (path.with_name(f"{path.stem}_{i}{path.suffix}") for i in itertools.count(1))
    aside = next(other for other in taken if not other.exists())
    path.rename(aside)
    warnings.warn(f"{why}: kept as {aside.name}, and written anew from the records", stacklevel=4)
    return aside


def _keep_memory(path: Path, rules_path: Path) -> tuple[str, ...]:
    """The notes in a memory file. The file is set aside when anything but its notes was edited since it was written."""
    raw = path.read_bytes()
    text = raw.decode("utf-8", errors="replace")
    notes = tuple(line[len("- Note:") :].strip() for line in text.splitlines() if line.startswith("- Note:"))
    try:
        written = read_json(rules_path).get("memory")
    except (OntogenyError, AttributeError):
        written = None
    if _digest(text) != written:
        why = f"{path.name} was edited beyond its notes"
        try:
            _parse_memory(raw.decode("utf-8"), path.name)
        except UnicodeDecodeError as error:
            why = f"{path.name} is not UTF-8 text: byte {error.start} is {raw[error.start]:#04x}"
        except OntogenyError as error:
            why = str(error)
        _set_aside(path, why)
    return notes


def _digest(memory: str) -> str:
    """A digest of a memory without its notes and blank lines."""
    lines = (line for line in memory.splitlines() if line.strip() and not line.startswith("- Note:"))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


__all__ = [
    "MEMORY_LINES",
    "Memory",
    "analysis_text",
    "block_table",
    "iteration_table",
    "memory_text",
    "principles",
    "read_memory",
    "ucb_text",
    "without_times",
    "write_logbook",
]
