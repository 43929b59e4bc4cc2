"""Which numbers of a tensor an operation's results depend on, read from the operations and not from values.

Every number of the tensor that is asked about has a label, its place. All tensors made of it are followed by the least
and the largest label among the numbers that each of theirs depends on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.fx import Node
from torch.fx.node import map_arg
from torch.utils._pytree import tree_leaves

from ontogeny.circuits.operations import MADE, MOVES, POINTWISE, name_of

_NONE, _ALL = 2**40, -(2**40)  # the least and the largest label where there is none
_ALONG = {
    "sum", "mean", "amax", "amin", "max", "min", "prod", "logsumexp", "any", "all", "var", "std", "norm", "argmax",
    "argmin", "linalg_vector_norm", "softmax", "_softmax", "log_softmax", "_log_softmax", "cumsum", "cumprod",
    "logcumsumexp", "cummax", "cummin", "sort", "argsort", "topk", "median", "aminmax",
}  # fmt: skip
_PRODUCTS = {"mm", "bmm", "mv", "dot", "addmm", "baddbmm", "addmv"}


class _Labels(NamedTuple):
    """The least and the largest label that each number depends on (*shape)."""

    least: Tensor
    most: Tensor


class _UnknownError(Exception):
    """An operation of which it is not known what its results depend on."""


def number_by_number(nodes: Sequence[Node], values: dict[Node, Any]) -> bool | None:
    """Whether each number of the last of `nodes` depends on that at its place in the first, alone; None: not known.

    nodes: operations in the order in which they run, all that depends on the first of them; values: what all nodes of
    the graph gave. A product with 0 depends on nothing.
    """
    start, *rest = nodes
    places = torch.arange(values[start].numel()).reshape(values[start].shape)
    labels: dict[Node, Any] = {start: _Labels(places, places)}
    try:
        for node in rest:
            labels[node] = _after(node, values, labels)
    except (_UnknownError, RuntimeError, IndexError, TypeError, ValueError):
        return None
    end = labels[rest[-1]]
    return bool(torch.equal(end.least, places) and torch.equal(end.most, places))


def _after(node: Node, values: dict[Node, Any], labels: dict[Node, Any]) -> Any:
    name = name_of(node.target)
    if "getitem" in name:
        whole, which = node.args
        return labels[whole][which]  # type: ignore[index]
    value = values[node]
    shapes = [one.shape for one in (value if isinstance(value, (tuple, list)) else [value])]

    def of(leaf: Any) -> _Labels:
        if isinstance(leaf, Node) and leaf in labels:
            return labels[leaf]
        shape = values[leaf].shape if isinstance(leaf, Node) else ()
        return _Labels(torch.full(shape, _NONE), torch.full(shape, _ALL))

    if name in MADE:
        return _Labels(torch.full(shapes[0], _NONE), torch.full(shapes[0], _ALL))
    given = [of(leaf) for leaf in tree_leaves((node.args, node.kwargs)) if isinstance(leaf, Node)]
    if torch.Tag.pointwise in getattr(node.target, "tags", ()) or name in POINTWISE:
        found = _without(_together(given, shapes[0]), node, name, values, labels)
        return [found] * len(shapes) if isinstance(value, (tuple, list)) else found
    places = [leaf for leaf in tree_leaves(node.args[1:]) if isinstance(leaf, Node)]
    if name in ("index", "embedding", "take", "gather") and node.args[0] not in labels:
        wide = _together(given[1:], torch.broadcast_shapes(*(values[place].shape for place in places)))
        added = [1] * (len(shapes[0]) - wide.least.ndim)
        return _Labels(*(part.reshape(*part.shape, *added).expand(shapes[0]) for part in wide))
    if name in MOVES or name in ("select_scatter", "slice_scatter"):
        if "index" in name and labels.keys() & set(places):
            raise _UnknownError(name)
        return _moved(node, of, values)
    if name in _ALONG:
        parts = [_along(node, given[0], shape) for shape in shapes]
        return parts if isinstance(value, (tuple, list)) else parts[0]
    if name in _PRODUCTS:
        return _summed(node, of, value.shape, values, labels)
    raise _UnknownError(name)


def _together(parts: Sequence[_Labels], shape: Sequence[int]) -> _Labels:
    return _Labels(
        torch.stack([part.least.expand(shape) for part in parts]).amin(0),
        torch.stack([part.most.expand(shape) for part in parts]).amax(0),
    )


def _without(found: _Labels, node: Node, name: str, values: dict[Node, Any], labels: dict[Node, Any]) -> _Labels:
    """Labels of a pointwise operation, none where it multiplies with a number that is 0 whatever x is."""
    if name != "mul":
        return found
    nothing = torch.zeros(found.least.shape, dtype=torch.bool)
    for leaf in node.args:
        constant = leaf if not isinstance(leaf, Node) else values[leaf] if leaf not in labels else None
        if constant is not None:
            nothing |= torch.as_tensor(constant) == 0
    return _Labels(found.least.masked_fill(nothing, _NONE), found.most.masked_fill(nothing, _ALL))


def _moved(node: Node, of: Any, values: dict[Node, Any]) -> Any:
    """Numbers put elsewhere."""
    target: Any = node.target
    indexed = target in (torch.ops.aten.index.Tensor, torch.ops.aten.index_select.default)
    keywords = {key: value for key, value in node.kwargs.items() if key not in ("dtype", "memory_format")}

    def run(part: str) -> Any:
        def one(leaf: Node) -> Any:
            return values[leaf] if indexed and leaf is not node.args[0] else getattr(of(leaf), part)

        return target(*map_arg(node.args, one), **map_arg(keywords, one))

    least, most = run("least"), run("most")
    return [_Labels(*parts) for parts in zip(least, most)] if isinstance(least, (tuple, list)) else _Labels(least, most)


def _along(node: Node, given: _Labels, shape: torch.Size) -> _Labels:
    """Numbers made of all along some axes; shape: of the result, with or without those axes, or as long as before."""
    axes: Any = None
    for at, argument in enumerate(node.target._schema.arguments):  # type: ignore[union-attr]
        if argument.name == "dim":
            axes = node.args[at] if at < len(node.args) else node.kwargs.get("dim", argument.default_value)
    axes = list(range(given.least.ndim)) if axes is None or axes == [] else axes
    kept = _Labels(given.least.amin(axes, keepdim=True), given.most.amax(axes, keepdim=True))
    same = kept.least.numel() == shape.numel()
    return _Labels(*(part.reshape(shape) if same else part.expand(shape) for part in kept))


def _summed(node: Node, of: Any, shape: torch.Size, values: dict[Node, Any], labels: dict[Node, Any]) -> _Labels:
    """A product of matrices or vectors, perhaps with something added."""
    *added, one, other = (leaf for leaf in node.args if isinstance(leaf, Node))
    vector = values[other].ndim == 1

    def wide(leaf: Node, tensor: Tensor) -> Tensor:
        """(..., rows, summed over, columns)"""
        if leaf is one:
            return tensor.reshape(1, -1, 1) if tensor.ndim == 1 else tensor[..., None]
        return tensor.reshape(1, -1, 1) if vector else tensor[..., None, :, :]

    parts = [[wide(leaf, part) for part in of(leaf)] for leaf in (one, other)]
    least, most = torch.minimum(parts[0][0], parts[1][0]), torch.maximum(parts[0][1], parts[1][1])
    for leaf in (one, other):
        if leaf not in labels:
            nothing = wide(leaf, values[leaf]) == 0
            least, most = least.masked_fill(nothing, _NONE), most.masked_fill(nothing, _ALL)
    product = _Labels(least.amin(-2).reshape(shape), most.amax(-2).reshape(shape))
    return _together([*map(of, added), product], shape)
