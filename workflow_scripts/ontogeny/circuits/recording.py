"""A run of a PyTorch model as a graph of tensor operations, recorded while it runs."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.fx import Graph, Node
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

_IN_PARTS = torch._C.DispatchKey.CompositeImplicitAutograd
_PLAIN = (int, float, complex, bool, str, torch.dtype, torch.device, torch.layout, torch.memory_format, type(None))


def recorded(run: Callable[[Tensor], Any], x: Tensor, instead: Mapping[Any, Callable[..., Any]]) -> Graph:
    """The operations of a run on x, of which the last one returns what it gave.

    instead: operations to record as others, with a function that does these. What a node of the graph gave is its
    `value_of`; tensors that no operation made, weights among them, are nodes "get_attr". Raises whatever the run does.
    """
    recorder = _Recorder(instead)
    recorder.note(x, recorder.graph.placeholder("x"))
    with recorder:
        result = run(x)
    recorder.graph.output(recorder.nodes_of(result))
    return recorder.graph


def value_of(node: Node) -> Any:
    """What a node gave in the run that was recorded: a tensor, several, or a number."""
    return node.meta["value"]


class _Recorder(TorchDispatchMode):
    def __init__(self, instead: Mapping[Any, Callable[..., Any]]) -> None:
        super().__init__()
        self.graph, self.instead = Graph(), instead
        self.known: dict[int, Node] = {}  # by the identity of tensors, which stay alive in the nodes

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if any(kind.__torch_dispatch__ is not torch._C._disabled_torch_dispatch_impl for kind in types):
            return NotImplemented  # tensors of a kind that does this by operations on others
        if func in self.instead:
            with self:
                return self.instead[func](*args, **kwargs)
        if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), _IN_PARTS):
            with self:
                return func.decompose(*args, **kwargs)
        value = func(*args, **kwargs)
        self.note(value, self.graph.call_function(func, self.nodes_of(args), self.nodes_of(kwargs)))
        return value

    def note(self, value: Any, node: Node) -> None:
        """Take note of the node that gave a tensor or several."""
        node.meta["value"] = value
        if isinstance(value, (tuple, list)):
            for at, part in enumerate(value):
                self.note(part, self.graph.call_function(operator.getitem, (node, at)))
        elif not isinstance(value, _PLAIN):
            self.known[id(value)] = node

    def nodes_of(self, values: Any) -> Any:
        """Values with nodes in place of tensors, and of what else is held."""
        return tree_map(lambda value: value if isinstance(value, _PLAIN) else self._node_of(value), values)

    def _node_of(self, held: Any) -> Node:
        if id(held) not in self.known:
            self.note(held, self.graph.get_attr(f"held_{len(self.known)}"))
        return self.known[id(held)]
