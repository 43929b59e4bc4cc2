"""A PyTorch model as a graph of tensor operations, which the reader goes through."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch._decomp import get_decompositions
from torch._functorch.autograd_function import custom_function_call
from torch._ops import HigherOrderOperator
from torch.fx import Graph, Node
from torch.fx.node import map_arg
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

from ontogeny.circuits.dependence import number_by_number
from ontogeny.circuits.functions import Nonlinearity
from ontogeny.circuits.operations import CONTRACTIONS, LINEAR, MOVES, POINTWISE, name_of
from ontogeny.circuits.reading import Layers, Reader
from ontogeny.circuits.recording import recorded, value_of
from ontogeny.circuits.simplifying import simplify
from ontogeny.errors import OntogenyError, first_line
from ontogeny.words import with_article

_ATEN = torch.ops.aten
_IN_PARTS: Any = get_decompositions([_ATEN.addcmul, _ATEN.addcdiv, _ATEN.addr])
_IN_PARTS |= dict.fromkeys((_ATEN.lerp.Scalar, _ATEN.lerp.Tensor), lambda one, other, by: one + by * (other - one))
_MOST_DECISIONS = 16  # values whose use is looked into
_STEPS = (0.0, -1e4, 1e4, 0.37)  # to other values in their place
_TRIALS = 64  # random halves of numbers that are changed to see what depends on them
_SCALES = (2.0, 0.3, 20.0)  # of the numbers drawn
_SHARES = (torch.ops.aten._softmax.default, torch.ops.aten._log_softmax.default)
_COPIES = {"clone", "zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full"}
_GATHERED = {"any", "all", "_is_all_true", "_is_any_true", "view", "logical_not", "bitwise_not", "logical_and", "mul"}


def read_model(run: Callable[[Tensor], Tensor], x: Tensor, weights: set[int] | None) -> Layers:
    """The layers of a model. weights: ids of its parameters; None: all tensors may be weights.

    Where operations cannot be read one by one, those that together are a function number by number are read as one.
    Raises OntogenyError if the model cannot be followed while it runs, what it does depends on numbers of x, or an
    operation is none of a network of layers.
    """
    try:
        graph, pure = _traced(run, x)
    except OntogenyError:
        raise
    except Exception as error:
        if "data-dependent" in str(error):
            raise _decides() from None
        raise OntogenyError(f"the model cannot be followed while it runs: {first_line(error)}") from None
    _check_decisions(run, x, graph)
    _check_exits(run, x, graph)
    if pure and not any(map(_changes_its_arguments, graph.nodes)):
        simplify(graph)
    order = {node: at for at, node in enumerate(graph.nodes)}
    ends = [node for node in order if node.op == "output" or _changes_its_arguments(node)]
    needed = sorted(set().union(*map(_and_all_before, ends)), key=lambda node: order[node])
    together = pure and len(ends) == 1
    parameters = _parameters(graph, weights)
    scalar = _regions(needed, x, parameters, scalar=True) if together else {}
    try:
        return _read(needed, x, parameters, scalar)
    except OntogenyError:
        if together and (regions := _regions(needed, x, parameters)):
            with suppress(OntogenyError):
                return _read(needed, x, parameters, regions)
        for tail in _tails(needed, x, parameters) if together else ():
            with suppress(OntogenyError):
                return _with_tail(_read(tail.nodes, x, parameters, scalar, tail.nodes[-1]), tail)
        if scalar:  # a layer of one neuron, perhaps, that is written out
            with suppress(OntogenyError):
                return _read(needed, x, parameters, {})
        raise


def _traced(run: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Graph, bool]:
    """The operations of a run on x, and whether none writes into a tensor that others read."""

    def once(x: Tensor) -> Tensor:
        with _Plainly():
            return run(x)

    with suppress(RuntimeError):  # of functions of autograd that know no transforms
        graph = recorded(torch.func.functionalize(once), x.clone(), _IN_PARTS)
        if not any(node.op == "get_attr" for node in graph.output_node().all_input_nodes):
            return graph, True
    return recorded(once, x.clone(), _IN_PARTS), False


class _Plainly(TorchFunctionMode):
    """A run in which sparse matrices are dense, products of several matrices are taken from the side of x and not in
    the cheapest order, and numbers are not looked at to make them places."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = getattr(func, "__name__", ""), kwargs or {}
        if isinstance(func, HigherOrderOperator) and func is not custom_function_call:
            raise OntogenyError(
                f"the model hands functions to '{name.removesuffix('_impl')}' of PyTorch (as torch.cond and its loops "
                "take), which are not followed: write it in plain operations"
            )
        if name.startswith("to_sparse") or name == "to_dense":
            return _dense(args[0])
        if name in ("linalg_multi_dot", "chain_matmul", "multi_dot"):
            matrices = list(args[0]) if isinstance(args[0], (list, tuple)) else list(args)
            if _is_parameter(matrices[0]) and not _is_parameter(matrices[-1]):
                return reduce(lambda product, one: one @ product, matrices[::-1])
            return reduce(torch.matmul, matrices)
        if name == "one_hot":
            n = args[1] if len(args) > 1 else kwargs.get("num_classes", -1)
            if n > 0:
                return (args[0][..., None] == torch.arange(n)).long()
        if any(isinstance(leaf, Tensor) and leaf.layout != torch.strided for leaf in tree_leaves((args, kwargs))):
            args, kwargs = tree_map(_dense, (args, kwargs))
        if func in (torch.sparse.mm, torch.smm):
            func = torch.mm
        elif func is torch.sparse.addmm:
            func = torch.addmm
        value = func(*args, **kwargs)
        if name in _COPIES and isinstance(value, Tensor) and not torch._C._functorch.is_functionaltensor(value):
            return value + torch.zeros(value.shape, dtype=value.dtype)  # so that it can be followed if written into
        return value


def _dense(value: Any) -> Any:
    if not isinstance(value, Tensor) or value.layout in (torch.strided, torch.jagged):
        return value
    with _disable_current_modes():  # compressed ones cannot be followed
        return value.to_dense()


def _name(node: Node) -> str:
    return name_of(node.target)


def _changes_its_arguments(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return node.op == "call_function" and schema is not None and bool(schema.is_mutable)


def _and_all_before(node: Node) -> set[Node]:
    found, pending = set(), [node]
    while pending:
        if (one := pending.pop()) not in found:
            found.add(one)
            pending += one.all_input_nodes
    return found


def _read(
    nodes: list[Node],
    x: Tensor,
    parameters: set[Node],
    regions: dict[Node, Any],
    end: Node | None = None,
) -> Layers:
    """The layers that the reader finds, up to `end` if it is given. regions: see `_regions`."""
    weighty: dict[int, Any] = {}
    reader = Reader(x, lambda tensor: id(tensor) in weighty or tensor.requires_grad)
    try:
        return _read_by(reader, weighty, nodes, x, parameters, regions, end)
    except OntogenyError:
        if not reader.beside:
            raise
        reader = Reader(x, reader.is_weight, biases=False)
        return _read_by(reader, weighty, nodes, x, parameters, regions, end)


def _read_by(
    reader: Reader,
    weighty: dict[int, Any],
    nodes: list[Node],
    x: Tensor,
    parameters: set[Node],
    regions: dict[Node, Any],
    end: Node | None,
) -> Layers:
    """As `_read`. weighty: tensors that are weights, by their id, to which those made of them are added."""
    known: dict[Node, Any] = {}
    within = set().union(*(inside for _, inside, _ in regions.values())) - set(regions)
    for node in nodes:
        if node in within:
            continue
        if node.op == "placeholder":
            known[node] = reader.given(x)
        elif node.op == "get_attr":
            value = known[node] = value_of(node)
            if type(value) not in (Tensor, torch.nn.Parameter):
                raise OntogenyError(
                    f"the model works with {_kind_of(value)}, and circuits are read from what is done with plain "
                    "tensors"
                )
            if node in parameters:
                weighty[id(value)] = value
            if not any("lift_fresh" in _name(user) for user in node.users):
                reader.hold(value)
        elif node.op == "output":
            return reader.finish(map_arg(node.args[0], lambda n: known[n]))
        else:
            try:
                if node in regions:
                    start, inside, function = regions[node]
                    if function in _SHARES:
                        known[node] = reader.step(function, (known[start], -1, False), {})
                    else:
                        beside = {one for n in inside for one in n.all_input_nodes} - inside - {start}
                        given = [known[n] for n in beside if isinstance(known.get(n), Tensor)]
                        known[node] = reader.composed(known[start], function, given)
                else:
                    arguments = map_arg(node.args, lambda n: known[n])
                    known[node] = reader.step(node.target, arguments, map_arg(node.kwargs, lambda n: known[n]))
            except Exception as error:
                own = isinstance(error, OntogenyError)
                if any(map(_changes_its_arguments, [node] if own else nodes)):
                    raise OntogenyError(
                        f"the model changes tensors in place in a way that cannot be followed (up to '{_name(node)}'), "
                        "as recurrent layers with gates do: read a stack of layers"
                    ) from None
                if own:
                    raise
                raise OntogenyError(
                    f"the model does '{node.name}' in a way that cannot be read: {first_line(error)}"
                ) from None
            if any(id(known.get(n)) in weighty for n in node.all_input_nodes):
                weighty[id(known[node])] = known[node]
            if node is end:
                return reader.finish(known[node])
    raise OntogenyError("the model returns nothing")


def _kind_of(held: Any) -> str:
    if isinstance(held, Tensor):
        return f"tensors of the type '{type(held).__name__}'"
    packed = "Packed" in str(getattr(held, "_type", lambda: "")())
    return "weights that are packed, as those of quantised models are" if packed else with_article(type(held).__name__)


# Decisions


def _decides() -> OntogenyError:
    return OntogenyError(
        "the model decides by values that depend on x (an if, a loop or .item()), so that not all x go through the "
        "same layers"
    )


def _check_decisions(run: Callable[[Tensor], Tensor], x: Tensor, graph: Graph) -> None:
    """Raise OntogenyError where the model takes a number out of its neurons and does something else by it.

    Numbers taken out of x alone stay the same, whatever is set to 0; tests for NaN and infinity do not tell circuits
    apart; and some numbers are only looked at: of another number the model would make the same.
    """
    decisions = [node for node in graph.nodes if torch.Tag.data_dependent_output in _tags(node)]
    for number, node in enumerate(decisions):
        before = _and_all_before(node)
        if not any(one.op == "get_attr" for one in before) or _tests_for_nan(node.args[0]):
            continue
        if number >= _MOST_DECISIONS or not _is_only_looked_at(run, x, graph, number, value_of(node)):
            raise _decides()


def _tags(node: Node) -> Any:
    return getattr(node.target, "tags", ())


def _tests_for_nan(node: Any) -> bool:
    if not isinstance(node, Node) or node.op != "call_function":
        return False
    name, arguments = _name(node), node.args
    if name in ("isnan", "isinf", "isfinite"):
        return True
    if name in ("eq", "ne"):
        return arguments[0] is arguments[1] or bool(arguments[1] == float("inf"))
    return name in _GATHERED and all(map(_tests_for_nan, node.all_input_nodes))


class _Otherwise(TorchDispatchMode):
    """A run in which the number that is taken out of a tensor at the `at`-th place is another."""

    def __init__(self, at: int, other: Any) -> None:
        super().__init__()
        self.at, self.other, self.passed = at, other, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        value = func(*args, **(kwargs or {}))
        if torch.Tag.data_dependent_output in func.tags:
            self.passed += 1
            if self.passed == self.at + 1:
                return self.other
        return value


def _is_only_looked_at(run: Callable[[Tensor], Tensor], x: Tensor, graph: Graph, at: int, taken: Any) -> bool:
    """Whether the model does the same whatever `taken` is, the `at`-th number that it takes out of a tensor.

    Or raises an error where what it took was not so.
    """
    others = [not taken] if isinstance(taken, bool) else [type(taken)(step - 2 * taken) for step in _STEPS]
    for value in others:

        def otherwise(inputs: Tensor, value: Any = value) -> Tensor:
            with _Otherwise(at, value):
                return run(inputs)

        try:
            other, _ = _traced(otherwise, x)
        except Exception:
            return isinstance(taken, bool)
        if not _do_the_same(graph, other):
            return False
    return True


class _Exits(TorchFunctionMode):
    """A run in which values of tensors that go where PyTorch cannot follow are kept, and perhaps changed."""

    def __init__(self, changed: bool = False) -> None:
        super().__init__()
        self.changed = changed
        self.names: list[str] = []
        self.values: list[Any] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        value = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name in ("numpy", "__array__", "tolist"):
            self.names.append("tolist" if name == "tolist" else "NumPy")
            self.values.append(copy.deepcopy(value))
            return _otherwise(value) if self.changed else value
        return value


def _otherwise(value: Any) -> Any:
    """Other numbers, in arrays or lists."""
    if isinstance(value, list):
        return [_otherwise(one) for one in value]
    return np.logical_not(value) if np.asarray(value).dtype == bool else 0.37 - 2 * value


def _check_exits(run: Callable[[Tensor], Tensor], x: Tensor, graph: Graph) -> None:
    """Raise OntogenyError where the model goes on with arrays or lists made of values that depend on x.

    Such a run is followed as if they were fixed numbers. Values that are only looked at, or that do not depend on x,
    may leave.
    """

    def left(inputs: Tensor) -> _Exits:
        with _Exits() as exits:
            run(inputs)
        return exits

    exits = left(x.clone())
    if not exits.names:
        return
    try:
        elsewhere = left(1.7 * x + 0.31 if x.is_floating_point() else (x == 0).to(x.dtype)).values
        if len(elsewhere) == len(exits.values) and all(map(_alike, exits.values, elsewhere)):
            return
        with _Exits(changed=True):
            other, _ = _traced(run, x)
        if _do_the_same(graph, other):
            return
    except Exception:
        pass
    raise OntogenyError(
        f"the model goes on with values that depend on x outside of PyTorch ({', '.join(dict.fromkeys(exits.names))}), "
        "where it cannot be followed: write that part with functions of torch"
    )


def _alike(one: Any, other: Any) -> bool:
    return bool(np.array_equal(np.asarray(one), np.asarray(other)))


def _do_the_same(one: Graph, other: Graph) -> bool:
    """Whether two runs consist of the same operations with the same fixed numbers."""
    return str(one) == str(other) and all(map(_equal, _held(one), _held(other)))


def _held(graph: Graph) -> Iterator[Any]:
    return map(value_of, graph.find_nodes(op="get_attr"))


def _equal(one: Any, other: Any) -> bool:
    return one is other or (isinstance(one, Tensor) and isinstance(other, Tensor) and torch.equal(one, other))


# Functions put together


def _parameters(graph: Graph, weights: set[int] | None) -> set[Node]:
    """Tensors of the graph that are the model's weights: its parameters, or all but those that the run makes itself."""
    tensors = {node: value_of(node) for node in graph.find_nodes(op="get_attr")}
    own = {node for node, value in tensors.items() if weights is not None and id(value) in weights}
    own = own or {node for node, value in tensors.items() if isinstance(value, Tensor) and _is_parameter(value)}
    made = {node for node in tensors if any("lift_fresh" in _name(user) for user in node.users)}
    return own or tensors.keys() - made or set(tensors)


def _is_parameter(tensor: Tensor) -> bool:
    return isinstance(tensor, torch.nn.Parameter) or tensor.requires_grad


def _regions(
    nodes: list[Node], x: Tensor, parameters: set[Node], scalar: bool = False
) -> dict[Node, tuple[Node, set[Node], Any]]:
    """Operations that together are a function number by number, by the last of them: where they start, all, it.

    What lies between a tensor and the last one of its shape through which all that is made of it goes. scalar: to the
    first one, and only functions of one number for each row, by way of several that no parameter is multiplied with;
    these have no weights that a layer could consist of.
    """
    values = {node: value_of(node) for node in nodes[:-1]}
    if any(isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16) for value in values.values()):
        return {}
    of_x = _made_of(nodes, {node for node in nodes if node.op == "placeholder"})
    of_weights = _made_of(nodes, {node for node in nodes if node.op == "get_attr"})
    of_parameters = _made_of(nodes, parameters)
    weighing = of_parameters - of_x
    regions: dict[Node, tuple[Node, set[Node], Any]] = {}
    taken: set[Node] = set()
    for at, start in enumerate(nodes):
        value = values.get(start)
        if start in taken or start not in of_x & (of_parameters if scalar else of_weights):
            continue
        if not isinstance(value, Tensor) or (scalar and value.numel() != len(x)):
            continue
        if not value.is_floating_point() or not value.numel() or value.numel() % len(x):
            continue
        inside = {start}
        found: tuple[Node, set[Node], Any] | None = None
        for end in nodes[at + 1 :]:
            given = set(end.all_input_nodes)
            if not given & inside:
                continue
            if end.op != "call_function" or given & of_x - inside:
                break
            only = set(start.users) & set(nodes) == {end}
            if only and _is_read_singly(end, inside) and _like(values[end], value):
                break
            inside.add(end)
            open_ = any(set(node.users) & set(nodes) - inside for node in inside - {end})
            if open_ or not isinstance(values[end], Tensor) or values[end].shape != value.shape:
                continue
            between = [n for n in nodes if n in inside]
            if value.numel() == len(x) and _has_weights(between, weighing, values, scalar):
                break  # perhaps a layer of one neuron
            if len(inside) == 2 or (scalar and not _has_several(between, values)):
                continue
            if all(_is_read_singly(node, inside) for node in between[1:]):
                continue
            function = _function(start, end, between, values)
            if shares := _shares(function, value):
                found = found or (end, inside - {start}, shares)
                break
            if number_by_number(between, values) is not False and _is_by_number(function, value):
                found = end, inside - {start}, function
                if scalar:
                    break
        if found is not None:
            end, within, function = found
            regions[end] = (start, within, function)
            taken |= {start, *within} - {end}
    return regions


def _made_of(nodes: list[Node], some: set[Node]) -> set[Node]:
    """Those of nodes that are some of them, or are made of these."""
    found = set(some)
    for node in nodes:
        if found.intersection(node.all_input_nodes):
            found.add(node)
    return found


class _Tail(NamedTuple):
    """What a model makes of a few numbers for each row at its end, without weights.

    nodes: all up to these numbers; outputs: (rows, outputs) of (rows, numbers); shape: of what the model returns.
    """

    nodes: list[Node]
    outputs: Callable[[Tensor], Tensor]
    shape: torch.Size


def _tails(nodes: list[Node], x: Tensor, parameters: set[Node]) -> Iterator[_Tail]:
    """Numbers for each row that all outputs are made of, without weights, and what is made of them, the last first."""
    values = {node: value_of(node) for node in nodes[:-1]}
    of_x = _made_of(nodes, {node for node in nodes if node.op == "placeholder"})
    of_parameters = _made_of(nodes, parameters)
    if len(nodes[-1].all_input_nodes) != 1:
        return
    (end,) = nodes[-1].all_input_nodes
    made = values.get(end)
    if not isinstance(made, Tensor) or made.shape[:1] != (len(x),):
        return
    singly = [[node] for node in nodes[-2:0:-1] if node in of_x & of_parameters and node is not end]
    weighed = False
    for starts in (*singly, _with_weights(end, nodes, of_x, of_parameters - of_x)):
        given = [values[start] for start in starts]
        if weighed and len(starts) == 1:
            continue
        if not all(isinstance(one, Tensor) and one.shape[:1] == (len(x),) and one.is_floating_point() for one in given):
            continue
        inside = _after(starts, end, of_x)
        if inside is None:
            continue
        between = [node for node in nodes if node in inside]
        weighed = _has_weights([starts[0], *between], of_parameters - of_x, values, anywhere=True)
        if weighed:
            continue
        sizes = [one.numel() // len(x) for one in given]

        def outputs(
            numbers: Tensor,
            starts: list[Node] = starts,
            between: list[Node] = between,
            sizes: list[int] = sizes,
        ) -> Tensor:
            own = dict(values)
            for start, part in zip(starts, numbers.split(sizes, 1)):
                own[start] = part.reshape(values[start].shape).to(values[start].dtype)
            for node in between:
                own[node] = _done(node, own)
            return own[end].reshape(len(x), -1).to(torch.float32)

        if _is_by_row(outputs, len(x), sum(sizes)):
            before = set().union(*map(_and_all_before, starts))
            yield _Tail(
                [*(node for node in nodes if node in before), *_side_by_side(starts, len(x))], outputs, made.shape
            )


def _with_weights(end: Node, nodes: list[Node], of_x: set[Node], weighing: set[Node]) -> list[Node]:
    """The last sums with weights that a node is made of, if it is made of several; in the order of nodes."""
    found, pending = set(), [end]
    while pending:
        node = pending.pop()
        if weighing.intersection(node.all_input_nodes):
            found.add(node)
        else:
            pending += of_x.intersection(node.all_input_nodes)
    return [node for node in nodes if node in found] if len(found) > 1 else [nodes[0]]


def _after(starts: list[Node], end: Node, of_x: set[Node]) -> set[Node] | None:
    """What `end` is made of, itself included, after all of `starts`; None where it is made of x in another way too."""
    found, pending = set[Node](), [end]
    while pending:
        node = pending.pop()
        if node in found or node in starts:
            continue
        if node.op == "placeholder":
            return None
        found.add(node)
        pending += of_x.intersection(node.all_input_nodes)
    return found


def _side_by_side(nodes: list[Node], rows: int) -> list[Node]:
    """Operations that put several tensors side by side, (rows, numbers); none for a single one."""
    if len(nodes) == 1:
        return []
    made = [nodes[0].graph.call_function(_ATEN.reshape.default, (node, [rows, -1])) for node in nodes]
    return [*made, nodes[0].graph.call_function(_ATEN.cat.default, (made, 1))]


def _is_by_row(outputs: Callable[[Tensor], Tensor], rows: int, n: int) -> bool:
    """Whether outputs (rows, outputs) are functions of the n numbers of their row, the same for all rows, by trial."""
    generator = torch.Generator().manual_seed(0)
    try:
        for trial in range(_TRIALS):
            first, second = (_SCALES[trial % len(_SCALES)] * torch.randn(2, rows, n, generator=generator)).unbind()
            other = torch.rand(rows, generator=generator) < 0.5
            mixed, alike = outputs(torch.where(other[:, None], second, first)), outputs(first[:1].expand(rows, n))
            pairs = (mixed[~other], outputs(first)[~other]), (alike, alike[:1].expand_as(alike))
            if not all(torch.equal(one.nan_to_num(nan=0.123), two.nan_to_num(nan=0.123)) for one, two in pairs):
                return False
    except (RuntimeError, TypeError, IndexError, ValueError):
        return False
    return True


def _with_tail(layers: Layers, tail: _Tail) -> Layers:
    """Layers whose outputs are followed by what a model makes of them."""
    rows, last, taken = len(layers.inputs), layers.functions[-1], len(layers.weights[-1])
    if not torch.equal(layers.place.reshape(-1), torch.arange(rows * taken)):
        raise OntogenyError("the model makes its outputs of numbers that do not belong to one row each")
    n = tail.outputs(torch.zeros(rows, taken)).shape[1]
    place = torch.arange(rows * n).reshape(tail.shape)

    def made(values: NDArray[Any]) -> NDArray[np.float32]:
        """All outputs (..., n) of sums (..., taken)."""
        numbers = torch.as_tensor(np.ascontiguousarray(last(values), np.float32)).reshape(-1, taken)
        blocks = torch.nn.functional.pad(numbers, (0, 0, 0, -len(numbers) % rows)).reshape(-1, rows, taken)
        with torch.no_grad():
            try:
                found = torch.vmap(tail.outputs)(blocks)
            except RuntimeError:  # an operation that knows no vmap
                found = torch.stack([tail.outputs(block) for block in blocks])
        return found.reshape(-1, n)[: len(numbers)].reshape(*values.shape[:-1], n).numpy()

    def each(values: NDArray[Any]) -> NDArray[np.float32]:
        if np.array_equal(values, np.broadcast_to(values[..., :1], values.shape), equal_nan=True):
            return made(values[..., :1])
        return np.stack([made(values[..., k : k + 1])[..., k] for k in range(n)], axis=-1)

    if taken > 1:
        function = Nonlinearity(None, function=made, together=True, outputs=n)
        return layers._replace(functions=[*layers.functions[:-1], function], place=place)
    function = Nonlinearity(None, function=each, each=n)
    weights = [*layers.weights[:-1], layers.weights[-1].expand(n, -1)]
    biases = [*layers.biases[:-1], layers.biases[-1].expand(n)]
    return Layers(weights, biases, [*layers.functions[:-1], function], layers.inputs, place)


def _like(one: Any, other: Tensor) -> bool:
    return isinstance(one, Tensor) and (one.shape, one.dtype) == (other.shape, other.dtype)


def _is_read_singly(node: Node, inside: set[Node]) -> bool:
    """Whether an operation on one of the numbers inside is plain enough to need no others to be understood."""
    name, given = _name(node), sum(one in inside for one in node.all_input_nodes)
    return name in MOVES or name == "copy" or (name in ("add", "sub", "mul", "div", "neg") and given == 1)


def _has_several(nodes: list[Node], values: dict[Node, Any]) -> bool:
    """Whether operations make several numbers, be it one, of each that the first of `nodes` gave, and gather them."""
    start, *rest = nodes
    return any(_size(values[n]) != _size(values[start]) or _name(n) in CONTRACTIONS | {"sum", "mean"} for n in rest)


def _size(value: Any) -> int:
    return value.numel() if isinstance(value, Tensor) else -1


def _has_weights(nodes: list[Node], weighing: set[Node], values: dict[Node, Any], anywhere: bool) -> bool:
    """Whether weights lie among operations on one number for each row, of which the first of `nodes` is a tensor.

    weighing: parameters, and what is made of them alone. A product with them is one of weights where it is a matrix's,
    or one of several by what is linear so far, or, with `anywhere`, wherever there are several numbers.
    """
    start, *rest = nodes
    linear, factors = {start}, set[Node]()
    n = values[start].numel()
    for node in rest:
        name, before = _name(node), node.all_input_nodes
        if linear.issuperset(one for one in before if one in nodes) and (name in MOVES or name in LINEAR):
            linear.add(node)
        if not weighing.intersection(before):
            continue
        looked_up = name in MOVES or name in ("gather", "take", "embedding")
        if name in CONTRACTIONS or not (looked_up or torch.Tag.pointwise in _tags(node) or name in POINTWISE):
            return True
        if name in ("mul", "div"):
            if _size(values[node]) > n and (anywhere or node in linear):
                return True
            factors |= weighing.intersection(before) if node in linear else set()
            if len(factors) > 1:
                return True
    return False


def _shares(function: Callable[[Tensor], Tensor], like: Tensor) -> Any:
    """The function of `_SHARES` that a function of tensors is, or None."""
    if like.shape[-1:] == (1,):  # a constant
        return None
    drawn = (3 * torch.randn(like.shape, generator=torch.Generator().manual_seed(1))).to(like.dtype)
    try:
        value = function(drawn)
        return next((one for one in _SHARES if torch.allclose(value, one(drawn, -1, False), 1e-5, 1e-6)), None)
    except (RuntimeError, TypeError, IndexError, ValueError):
        return None


def _done(node: Node, values: dict[Node, Any]) -> Any:
    arguments = map_arg(node.args, lambda n: values[n])
    assert callable(node.target)
    return node.target(*arguments, **map_arg(node.kwargs, lambda n: values[n]))


def _function(start: Node, end: Node, nodes: list[Node], values: dict[Node, Any]) -> Callable[[Tensor], Tensor]:
    def function(value: Tensor) -> Tensor:
        own = values | {start: value}
        for node in nodes:
            if node is not start:
                own[node] = _done(node, own)
        return own[end]

    return function


def _is_by_number(function: Callable[[Tensor], Tensor], like: Tensor) -> bool:
    """Whether every number that a function of tensors gives depends on the one at its place, alone, by trial."""
    generator = torch.Generator().manual_seed(0)

    def drawn(scale: float) -> Tensor:
        return (scale * torch.randn(like.shape, generator=generator)).to(like.dtype)

    try:
        for trial in range(_TRIALS):
            scale = _SCALES[trial % len(_SCALES)]
            first, other = drawn(scale), torch.rand(like.shape, generator=generator) < 0.5
            value = function(first)
            if not value.is_floating_point():
                return False
            if not torch.equal(function(torch.where(other, drawn(scale), first))[~other], value[~other]):
                return False
    except (RuntimeError, TypeError, IndexError, ValueError):
        return False
    return True
