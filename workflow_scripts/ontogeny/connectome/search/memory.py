"""The memory of a search: what to know before the next iteration, bounded in length."""

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

import pandas as pd

from ontogeny.arguments import checks_arguments
from ontogeny.connectome.search.declaration import Search
from ontogeny.connectome.search.records import Record
from ontogeny.connectome.search.space import short
from ontogeny.connectome.search.tables import block_table, principles
from ontogeny.connectome.search.text import (
    block_summary,
    by_block,
    config_text,
    following_parent,
    iteration_text,
    mutation_text,
    number_text,
    one_line,
    sparsity,
)
from ontogeny.errors import OntogenyError
from ontogeny.files import read_json, read_text
from ontogeny.words import counted

MEMORY_LINES = 500
"""The most lines that a memory file has, as in the study."""


def memory_text(
    records: Sequence[Record],
    search: Search,
    notes: Sequence[str] = (),
    added: Sequence[str] = (),
    lines: int = MEMORY_LINES,
) -> str:
    """The memory: what is known over all blocks, the block before, the block under way; observations last.

    At most `lines` lines: tables keep their last rows, the block under way its last iterations in full and the
    earlier ones in one line each.

    Args:
        records: all records.
        search: the declaration.
        notes: lines written by hand, kept under Open Questions.
        added: principles written by hand, kept under Established Principles.
        lines: at least 120.

    Raises OntogenyError for fewer than 120 lines.
    """
    if lines < 120:
        raise OntogenyError(f"a memory of {lines} lines cannot hold its sections: at least 120 are needed")
    groups = dict(by_block(records))
    current = max(groups, default=1)
    if groups and len(groups[current]) == search.n_iter_block and current < len(search.blocks):
        current += 1
    table = block_table(
        [r for r in records if r.block < current or len(groups[r.block]) == search.n_iter_block], search
    )
    budget = lines // 10
    found = principles(records, search)
    level = search.blocks[current - 1]
    first, last = (current - 1) * search.n_iter_block + 1, current * search.n_iter_block
    out = [f"# Working Memory: {search.config}", "", "## Knowledge Base (accumulated across all blocks)"]
    out += ["", "### Sparsity Comparison Table", "", *_comparison(table.tail(budget))]
    out += ["", "### Sparsity-L1 Guidelines", "", *_guideline_table(_guidelines(records, search)[-budget:])]
    out += ["", "### Established Principles", "", *_established(found, added, budget)]
    out += ["", "### Open Questions", "", *_open_questions(found, table, notes, budget)]
    out += ["", "---", "", f"## Previous Block Summary (Block {current - 1})", ""]
    out += _previous_block(current, groups.get(current - 1), records, search)
    out += ["", "---", "", f"## Current Block (Block {current})", "", "### Block Info", ""]
    out += [f"Sparsity: {sparsity(level)}", f"Iterations: {first} to {last}"]
    out += ["", "### Hypothesis", "", _hypothesis(current, records, search)]
    out += ["", "### Iterations This Block", ""]

    group = groups.get(current, [])
    tail = ["### Emerging Observations", ""]
    tail += _observations(group, search)[:20]
    room = lines - len(out) - len(tail) - 1
    out += _iterations(group, records, search, room)
    return "\n".join([*out, *tail]) + "\n"


def _comparison(table: pd.DataFrame) -> list[str]:
    out = [
        "| Block | Sparsity | filling_factor | Best R² | Best Cluster | Optimal L1 | Optimal lr_W | finding |",
        "| ----- | -------- | -------------- | ------- | ------------ | ---------- | ------------ | ------- |",
    ]
    for row in table.itertuples():
        best = {"connectivity_R2": row.best_R2, "cluster_accuracy": row.best_cluster}
        out.append(
            f"| {row.block} | {row.filling_factor * 100:g}% | {float(row.filling_factor)} | "
            f"{number_text(best, 'connectivity_R2')} | {number_text(best, 'cluster_accuracy')} | "
            f"{short(row.coeff_W_L1)} | {short(row.learning_rate_W_start)} | {row.finding.replace('|', '/')} |"
        )
    return out


def _guideline_table(guidelines: Sequence[Any]) -> list[str]:
    out = ["| Sparsity | filling_factor | Optimal L1 Range | Notes |"]
    out += ["| -------- | -------------- | ---------------- | ----- |"]
    for known in guidelines:
        low, high = short(known.low), short(known.high)
        span = low if low == high else f"{low} to {high}"
        note = known.note.replace("|", "/")
        out.append(f"| {known.filling_factor * 100:g}% | {float(known.filling_factor)} | {span} | {note} |")
    return out


def _established(found: pd.DataFrame, added: Sequence[str], budget: int) -> list[str]:
    out = []
    sure = found[found["status"] == "established"]
    for row in sure.head(budget).itertuples():
        verb = "helps" if row.gain > 0 else "hurts"
        out.append(f"- {row.setting} {row.direction} {verb}: {_evidence(row)}")
    if sure.empty:
        out.append("- none yet: no change of one setting has an effect that is sure after correction for their number")
    out += [f"- {one_line(line)}" for line in added[-budget:]]
    return out


def _open_questions(found: pd.DataFrame, table: pd.DataFrame, notes: Sequence[str], budget: int) -> list[str]:
    out = []
    unsure = found[(found["status"] != "established") & ((found["gain"].abs() >= 0.02) | (found["status"] != "open"))]
    for row in unsure.head(budget).itertuples():
        what = "helps in places and hurts in others" if row.status == "contradicted" else "may matter"
        out.append(f"- {row.setting} {row.direction} {what}: {_evidence(row)}")
    missed = table[table["best_score"] < 0.9] if not table.empty else table
    for row in missed.tail(budget).itertuples():
        out.append(f"- {row.filling_factor * 100:g}% has no good settings yet (best score {row.best_score:.3f})")
    kept = [one_line(note) for note in notes][-budget:]
    out += [f"- Note: {note}" for note in kept]
    return out


def _previous_block(
    current: int, previous: Sequence[Record] | None, records: Sequence[Record], search: Search
) -> list[str]:
    if not previous or len(previous) != search.n_iter_block:
        return ["None: this is the first block." if current == 1 else "Its records are not complete."]
    end = search.replay(records)[current - 2][1]
    if end is None:
        return []
    return [block_summary(previous, end), *(f"INSTRUCTIONS EDITED: {change}" for change in end.changes[:8])]


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
        f"- best so far: node {best.node}, {best.outcome}, R2={number_text(best.metrics, 'connectivity_R2')}, "
        f"cluster={number_text(best.metrics, 'cluster_accuracy')}, {config_text(best, search)}"
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
    replayed = search.replay(records)
    for i, record in enumerate(group):
        following = following_parent(group, i, replayed[record.block - 1][0], search)
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


@checks_arguments
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
                    f"{where}, line {i + 1}: the comparison table has columns {cells}; expected {_TABLE}"
                )
            header = cells
        elif set("".join(cells)) <= {"-", " ", ":"}:
            continue
        else:
            if len(cells) != len(_TABLE):
                raise OntogenyError(
                    f"{where}, line {i + 1}: {counted(len(cells), 'cell')} where the table has {len(_TABLE)} columns"
                )
            try:
                rows.append([int(cells[0]), cells[1], *map(float, cells[2:5]), *cells[5:]])
            except ValueError:
                raise OntogenyError(
                    f"{where}, line {i + 1}: expected a block number, a sparsity and three numbers; got {cells[:5]}"
                ) from None
    notes = tuple(line[len("- Note:") :].strip() for line in lines if line.startswith("- Note:"))
    return Memory(sections, pd.DataFrame(rows, columns=_TABLE), notes)


def set_aside(path: Path, why: str) -> Path:
    """Rename a file that was edited by hand, to a name that is free, and warn of it."""
    taken = (path.with_name(f"{path.stem}_{i}{path.suffix}") for i in itertools.count(1))
    aside = next(other for other in taken if not other.exists())
    path.rename(aside)
    warnings.warn(f"{why}: kept as {aside.name}, and written anew from the records", stacklevel=4)
    return aside


_PRINCIPLES = "### Established Principles"
_NONE_YET = "- none yet:"


def added_principles(memory: str) -> tuple[str, ...]:
    """The principles in a memory that a person added: those without the evidence that the search gives for its own."""
    return tuple(line[2:].strip() for line in _added_lines(memory))


def _added_lines(memory: str) -> list[str]:
    lines = memory.splitlines()
    if _PRINCIPLES not in lines:
        return []
    section = itertools.takewhile(lambda line: not line.startswith("#"), lines[lines.index(_PRINCIPLES) + 1 :])
    ours = ("(evidence: ", _NONE_YET, "- Note:")
    return [line for line in section if line.startswith("- ") and not any(mark in line for mark in ours)]


def read_principles(path: Path) -> tuple[str, ...]:
    """The principles that a person added to the memory file at `path`; none, where there is no file."""
    return added_principles(path.read_text(encoding="utf-8", errors="replace")) if path.exists() else ()


def keep_memory(path: Path, rules_path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The notes and the added principles in a memory file, which is set aside when anything else in it was edited."""
    raw = path.read_bytes()
    text = raw.decode("utf-8", errors="replace")
    notes = tuple(line[len("- Note:") :].strip() for line in text.splitlines() if line.startswith("- Note:"))
    try:
        written = read_json(rules_path).get("memory")
    except (OntogenyError, AttributeError):
        written = None
    if memory_digest(text) != written:
        why = f"{path.name} was edited beyond its notes and principles"
        try:
            _parse_memory(raw.decode("utf-8"), path.name)
        except UnicodeDecodeError as error:
            why = f"{path.name} is not UTF-8 text: byte {error.start} is {raw[error.start]:#04x}"
        except OntogenyError as error:
            why = str(error)
        set_aside(path, why)
    return notes, added_principles(text)


def memory_digest(memory: str) -> str:
    """A digest of a memory without its notes, the principles that were added, and blank lines."""
    added = _added_lines(memory)
    lines = (
        line for line in memory.splitlines() if line.strip() and not line.startswith("- Note:") and line not in added
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
