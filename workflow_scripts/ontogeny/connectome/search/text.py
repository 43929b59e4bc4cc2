"""Pieces of text that the log and the memory share."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ontogeny.connectome.search.declaration import Search
from ontogeny.connectome.search.policy import propose
from ontogeny.connectome.search.records import Record, success
from ontogeny.connectome.search.rules import BlockEnd, Rules
from ontogeny.connectome.search.space import short

_STUDY_LABELS = {"lr_W", "lr", "lr_emb", "coeff_W_L1", "batch_size", "data_aug"}


def sparsity(filling_factor: float) -> str:
    """A filling factor as the study writes it: 75% (connectivity_filling_factor=0.75)."""
    return f"{filling_factor * 100:g}% (connectivity_filling_factor={float(filling_factor)})"


def number_text(metrics: Mapping[str, Any], name: str, form: str = ".3f") -> str:
    """A metric as text: `nan` if it is not finite, `N/A` if it is missing."""
    value = metrics.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return "nan" if name in metrics else "N/A"
    return format(value, form)


def one_line(text: Any) -> str:
    """Text without line breaks and repeated spaces."""
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
        return one_line(change.get("law", "none"))
    label = next((s.label for s in search.space if s.name == change["setting"]), change["setting"])
    return one_line(f"{label}: {short(change['old'])} -> {short(change['new'])}")


def scatter_text(metrics: Mapping[str, Any]) -> str:
    """The Scatter line: the reading that came with the metrics, or the slope where there is none."""
    text = metrics.get("scatter")
    if isinstance(text, str) and text.strip():
        return one_line(text).removeprefix("Scatter:").strip()
    slope = metrics.get("slope")
    return f"slope {slope:.2f}" if isinstance(slope, int | float) and not isinstance(slope, bool) else "not read"


def observation_text(record: Record, before: Sequence[Record]) -> str:
    """One line on what this iteration showed, against its parent and against the block so far."""
    parent = next((r for r in before if r.node == record.parent), None)
    r2, cluster = number_text(record.metrics, "connectivity_R2"), number_text(record.metrics, "cluster_accuracy")
    level = f"{record.filling_factor * 100:g}%"
    if parent is None:
        text = f"at {level}: R2={r2}, clusters={cluster}"
    else:
        gain = record.score - parent.score
        verdict = "better than" if gain > 0.02 else "worse than" if gain < -0.02 else "as good as"
        old_r2, old_cluster = (number_text(parent.metrics, name) for name in ("connectivity_R2", "cluster_accuracy"))
        was = f"R2 {old_r2}, clusters {old_cluster}"
        text = f"at {level}: {verdict} node {parent.node} (R2={r2}, clusters={cluster}; was {was}; score {gain:+.3f})"
    best = max((r.score for r in before), default=-math.inf)
    if before and record.score > best:
        text += ", best of the block so far"
    return text


def _mode(record: Record, before: Sequence[Record]) -> str:
    """Mode and strategy; the strategy alone in a block without a success to exploit."""
    if record.strategy == "failure-probe":
        return "failure-probe/boundary"
    if any(success(earlier.metrics) for earlier in before):
        return f"success-exploit/{record.strategy}"
    return record.strategy


def iteration_text(
    record: Record,
    before: Sequence[Record],
    following: str,
    search: Search,
    minutes: Mapping[str, float] | None = None,
) -> str:
    """The log entry of one iteration in the study's form; with `minutes` of training by evaluation, it tells those."""
    metrics = record.metrics
    took = (minutes or {}).get(record.evaluation)
    time = {} if took is None else {"training_time_min": took}
    lines = [
        f"## Iter {record.node}: {'converged' if record.outcome == 'CONVERGED' else record.outcome}",
        f"Node: id={record.node}, parent={'root' if record.parent is None else record.parent}",
        f"Mode/Strategy: {_mode(record, before)}",
        f"Sparsity: {sparsity(record.filling_factor)}",
        f"Config: {config_text(record, search)}",
        f"Metrics: test_R2={number_text(metrics, 'test_R2')}, test_pearson={number_text(metrics, 'test_pearson')}, "
        f"connectivity_R2={number_text(metrics, 'connectivity_R2')}, "
        f"cluster_accuracy={number_text(metrics, 'cluster_accuracy')}, "
        f"final_loss={number_text(metrics, 'final_loss', '.4E')}"
        + ("" if minutes is None else f", training_time_min={number_text(time, 'training_time_min', '.2f')}"),
        f"Scatter: {scatter_text(metrics)}",
        f"Mutation: {mutation_text(record, search)}",
        f"Parent rule: {one_line(record.rule)}",
        f"Observation: {observation_text(record, before)}",
        f"Next: parent={following}",
    ]
    return "\n".join(lines) + "\n"


def block_summary(records: Sequence[Record], end: BlockEnd) -> str:
    """What a finished block found, in a paragraph."""
    best = next(r for r in records if r.node == end.best_node)
    good = sum(success(r.metrics) for r in records)
    return (
        f"Block {end.block} ({end.filling_factor * 100:g}%): best R²={number_text(best.metrics, 'connectivity_R2')}, "
        f"cluster={number_text(best.metrics, 'cluster_accuracy')} at node {best.node}; "
        f"{good} of {len(records)} iterations with both at 0.9 or above. Key finding: {finding(records)}."
    )


def finding(records: Sequence[Record]) -> str:
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


def by_block(records: Sequence[Record]) -> list[tuple[int, list[Record]]]:
    """Each block with its records in the order of their iterations."""
    ordered = sorted(records, key=lambda r: (r.block, r.iteration))
    return [(block, list(group)) for block, group in itertools.groupby(ordered, key=lambda r: r.block)]


def following_parent(group: Sequence[Record], i: int, rules: Rules, search: Search) -> str:
    """The parent of the iteration after `group[i]`: root after a block's last one."""
    if group[i].iteration >= search.n_iter_block:
        return "root"
    after = group[i + 1] if i + 1 < len(group) else propose(group[: i + 1], rules, search.seed, search.policy)
    return "root" if after.parent is None else str(after.parent)
