"""The tree of a search as figures and pages lay it out: its places, its colours, its best nodes."""

from __future__ import annotations

from collections.abc import Sequence

from ontogeny.connectome.search.declaration import Search
from ontogeny.connectome.search.records import Record
from ontogeny.errors import OntogenyError

OUTCOME_COLOURS = {
    "CONVERGED": "#009E73",
    "partial-W": "#0072B2",
    "partial-E": "#E69F00",
    "partial": "#B9B9B9",
    "failed": "#D55E00",
}


def tree_layout(records: Sequence[Record]) -> dict[int, tuple[int, int]]:
    """Places of a block's nodes as an indented tree: `{node: (depth, row)}`, one row per node, children under parents.

    Nodes whose parent is not among `records` are at depth 0.

    Raises OntogenyError for nodes that are their own ancestors.
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


def groups_of(records: Sequence[Record]) -> list[list[Record]]:
    """The records of each block, in order. Raises OntogenyError if there are none."""
    if not records:
        raise OntogenyError("there is nothing to draw: the search has no records yet")
    blocks = sorted({record.block for record in records})
    return [sorted((r for r in records if r.block == b), key=lambda r: r.iteration) for b in blocks]


def best_of(group: Sequence[Record]) -> Record:
    """The record of the highest score, the earlier one of equals."""
    return max(group, key=lambda record: (record.score, -record.node))


def some_declaration(records: Sequence[Record]) -> Search:
    """A declaration good enough for names, when only records are at hand.

    Raises OntogenyError if there are no records.
    """
    if not records:
        raise OntogenyError("there is nothing to draw: the search has no records yet")
    levels = {record.block: record.filling_factor for record in records}
    per_block = max(record.iteration for record in records)
    return Search(blocks=tuple(levels.get(b, 1.0) for b in range(1, max(levels) + 1)), n_iter_block=per_block)


__all__ = ["OUTCOME_COLOURS", "best_of", "groups_of", "some_declaration", "tree_layout"]
