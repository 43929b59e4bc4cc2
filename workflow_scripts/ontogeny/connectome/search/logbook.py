"""The logbook of a search: the log, the memory and the UCB scores as the study keeps them, and the same as tables.

`{config}_analysis.md` is a log to which every iteration and every block's end adds; `{config}_memory.md` is what one
would want to know before the next iteration, bounded in length; `ucb_scores.txt` is the standing of the current block,
empty once that is complete. All of them are written from the records, so nothing is lost with them. What somebody
wrote into the memory by hand is kept: lines that begin with `- Note:`, and principles that were added under Established
Principles, which also steer the search (see `ontogeny.connectome.search.steering`). A memory that was edited
otherwise is set aside under another name before a new one is written.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ontogeny.arguments import checks_arguments
from ontogeny.connectome.search.declaration import Search, search_json
from ontogeny.connectome.search.memory import keep_memory, memory_digest, memory_text, set_aside
from ontogeny.connectome.search.policy import ucb_scores
from ontogeny.connectome.search.records import Record, read_records, training_minutes
from ontogeny.connectome.search.tables import block_table, iteration_table, principles
from ontogeny.connectome.search.text import (
    block_summary,
    by_block,
    following_parent,
    iteration_text,
    sparsity,
)
from ontogeny.files import write_csv, write_json, write_text


def analysis_text(records: Sequence[Record], search: Search, minutes: Mapping[str, float] | None = None) -> str:
    """The log of all records. The log of some records begins with the log of all that came before them.

    `minutes` tells what each evaluation's training took (see `training_minutes`); None leaves times out.

    Of blocks that run side by side only what joins up is logged: a block's entries wait for the block before it.
    """
    parts = [f"# Experiment Log: {search.config}\n"]
    for (block, group), (rules, end), place in zip(by_block(records), search.replay(records), itertools.count(1)):
        if block != place:
            break
        level = search.blocks[block - 1]
        parts.append(f"## Block {block}: {sparsity(level)}\n")
        for i, record in enumerate(group):
            following = following_parent(group, i, rules, search)
            parts.append(iteration_text(record, group[:i], following, search, minutes))
        if end is None:
            break
        lines = [f"### Block {block} summary\n", block_summary(group, end)]
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


def ucb_text(records: Sequence[Record], search: Search) -> str:
    """The UCB scores of the block that is under way, best first; empty at a block's end, as the next starts at root."""
    groups = by_block(records)
    if not groups or len(groups[-1][1]) >= search.n_iter_block:
        return ""
    lines = []
    for score in ucb_scores(groups[-1][1], search.ucb_c).values():
        parent = "root" if score.parent is None else score.parent
        lines.append(
            f"Node {score.node}: UCB={score.ucb:.3f}, parent={parent}, visits={score.visits}, R2={score.R2:.3f}, "
            f"cluster={score.cluster:.2f}"
        )
    return "\n".join(lines) + "\n"


@checks_arguments
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
            set_aside(log_path, f"{log_path.name} is not the log of these records")
    paths = [log_path, memory_path, folder / "ucb_scores.txt", folder / "rules.json"]
    notes, added = keep_memory(memory_path, paths[3]) if memory_path.exists() else ((), ())
    memory = memory_text(records, search, notes, added)
    tables = {
        "iterations": iteration_table(records, search),
        "blocks": block_table(records, search),
        "principles": principles(records, search),
    }
    write_text(log_path, log)
    write_text(memory_path, memory)
    write_text(paths[2], ucb_text(records, search))
    rules = {"search": search_json(search), "blocks": _rules_json(records, search), "memory": memory_digest(memory)}
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
