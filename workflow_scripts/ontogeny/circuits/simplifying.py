"""Graphs of tensor operations without what makes no difference: things done twice, and parts that are not used."""

from __future__ import annotations

import operator
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from torch.fx import Graph, Node

from ontogeny.circuits.recording import value_of

_ATEN = torch.ops.aten


class _Range(NamedTuple):
    """Numbers start to stop of a tensor along an axis; dropped: whether the axis is."""

    source: Node
    axis: int
    start: int
    stop: int
    dropped: bool


def simplify(graph: Graph) -> None:
    """Let what is done twice be done once, and let parts of tensors that were put together be the tensors themselves.

    The operations of the graph must write into nothing.
    """
    seen: dict[Any, Node] = {}
    for node in list(graph.nodes):
        if node.op != "call_function" or torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            continue
        if (part := _part(node)) is not None:
            part.meta = dict(part.meta or node.meta)
            node.replace_all_uses_with(part)
            continue
        key = (node.target, repr(node.args), repr(node.kwargs))
        if (first := seen.setdefault(key, node)) is not node:
            node.replace_all_uses_with(first)


def _part(node: Node) -> Node | None:
    """The tensor that a part of tensors put together is, or a part of it, or None."""
    taken = _taken(node)
    if taken is None:
        return None
    source, axis, start, stop, dropped = taken
    if not dropped and (start, stop) == (0, _shape(source)[axis]):
        return source
    if source.target not in (_ATEN.cat.default, _ATEN.stack.default):
        return None
    pieces: Any = source.args[0]
    joined = _axis(source, source.args[1:] or tuple(source.kwargs.values()))
    if joined != axis:
        return None
    stacked = source.target == _ATEN.stack.default
    ends = list(accumulate(1 if stacked else _shape(piece)[axis] for piece in pieces))
    at = next(k for k, end in enumerate(ends) if start < end)
    if stop > ends[at]:
        return None
    piece, begin = pieces[at], ends[at - 1] if at else 0
    with node.graph.inserting_before(node):
        if stacked:
            return piece if dropped else node.graph.call_function(_ATEN.unsqueeze.default, (piece, axis))
        if dropped:
            return node.graph.call_function(_ATEN.select.int, (piece, axis, start - begin))
        if (start, stop) == (begin, ends[at]):
            return piece
        return node.graph.call_function(_ATEN.slice.Tensor, (piece, axis, start - begin, stop - begin))


def _taken(node: Node) -> _Range | None:
    """Which numbers of which tensor an operation takes, if it takes some along one axis."""
    indexed = node.target == operator.getitem
    whole = node.args[0] if indexed else node
    source = whole.args[0] if isinstance(whole, Node) and whole.args else None
    if not isinstance(whole, Node) or not isinstance(source, Node) or source.op != "call_function":
        return None
    if indexed:
        which = node.args[1]
        if not isinstance(which, int):
            return None
        if whole.target == _ATEN.unbind.int:
            axis = _axis(source, whole.args[1:])
            return _Range(source, axis, which, which + 1, True)
        if whole.target in (_ATEN.split.Tensor, _ATEN.split_with_sizes.default):
            axis, given = _axis(source, whole.args[2:]), whole.args[1]
            size = _shape(source)[axis]
            lengths: list[int] = [given] * (which + 1) if isinstance(given, int) else list(given)  # type: ignore[arg-type]
            start = sum(lengths[:which])
            return _Range(source, axis, start, min(start + lengths[which], size), False)
        return None
    if node.target == _ATEN.select.int:
        axis = _axis(source, node.args[1:])
        index = int(node.args[2]) % _shape(source)[axis]  # type: ignore[arg-type]
        return _Range(source, axis, index, index + 1, True)
    if node.target == _ATEN.slice.Tensor and len(node.args) < 5:
        axis = _axis(source, node.args[1:])
        ends = [None if end is None else int(end) for end in (*node.args[2:], None, None)[:2]]  # type: ignore[arg-type]
        start, stop, _ = slice(*ends).indices(_shape(source)[axis])
        return _Range(source, axis, start, stop, False) if stop > start else None
    return None


def _axis(source: Node, rest: Any) -> int:
    return int(rest[0] if rest else 0) % len(_shape(source))


def _shape(node: Node) -> torch.Size:
    return torch.Size(value_of(node).shape)
