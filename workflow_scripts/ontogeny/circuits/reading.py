"""A PyTorch model followed while it runs, operation by operation, and told as layers of neurons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from ontogeny.circuits._plain import activate
from ontogeny.circuits.functions import Nonlinearity
from ontogeny.circuits.marks import DRAWS, Marks, drawn
from ontogeny.circuits.operations import AFFINE, CONTRACTIONS, MADE, MOVES, POINTWISE, REDUCTIONS, name_of
from ontogeny.errors import OntogenyError
from ontogeny.nonlinearities import KINDS

_SPARSE = {"_sparse_addmm": torch.ops.aten.addmm.default, "_sparse_mm": torch.ops.aten.mm.default}
_WRITTEN = {"select_scatter": 1, "slice_scatter": 1, "index_put": 2, "index_copy": 3, "scatter": 3}
"""Operations that write into a tensor, with the place of what they write among their arguments."""
_ADD_FIRST = {"addmm", "addmv", "addbmm", "baddbmm"}  # the first of their tensors is added, as a bias is
_CANCELLED = 1e-9  # random numbers of half and more add up to no more than this only where they cancel
_DRAWS = {"rand", "randn", "rand_like", "randn_like"}
_SHARED = {"_softmax", "_log_softmax", "softmax", "log_softmax"}
_BAG = "which is linear only in the weights of its rows (per_sample_weights), and with mode 'sum'"
_WHY = {
    "convolution": "whose connections share weights: circuits are those of dense layers",
    "_softmax": "between its layers: every neuron there depends on all of its layer",
    "_log_softmax": "between its layers: every neuron there depends on all of its layer",
    "index_put": "which adds up, or writes at places that depend on x: write it with torch.where",
    "mkldnn_rnn_layer": "a recurrent layer with gates, which multiplies values that depend on x with each other",
    "trilinear": "which multiplies values that depend on x with each other",
    "_embedding_bag": _BAG,
    "_embedding_bag_forward_only": _BAG,
    "argmax": "which leaves no outputs to judge: return what it is taken of, and count with rule 'argmax'",
}


@dataclass(frozen=True)
class _Given:
    """A tensor made of x before the first layer: place (*shape) in source (rows, columns) of each of its numbers."""

    source: Tensor
    place: Tensor

    @property
    def values(self) -> Tensor:
        return self.source.reshape(-1)[self.place]


@dataclass(frozen=True)
class _Sums:
    """A tensor of weighted sums of the neurons of a layer (0: inputs): coef (neurons, *shape), const (*shape).

    reach (neurons, *shape): which neurons have a weight, be it 0, as 0 and 1. row (*shape): the row of x that each
    number belongs to. made: "" for neurons themselves, "map" after a linear map, "product" where one is being written
    out, product by product (the later by name goes before). own (DRAWS, *shape): the same sums of other numbers, each
    neuron's and each weight's own, by which copies are known: on whatever scale and with whatever bias, they have the
    same ratio. weighed: whether they are sums with numbers that the model holds, all of them; trained: whether any of
    these is one of its weights. closed: the same numbers as
    neurons of a layer, where that is not this tensor's but of what it was taken from. spread: the same numbers as
    products of neurons with weights, where sums were multiplied with weights once more: so far these scale the
    neurons, but of several neurons added they are the next layer's.
    """

    layer: int
    coef: Tensor
    reach: Tensor
    const: Tensor
    row: Tensor
    made: str
    own: Tensor
    weighed: bool = False
    trained: bool = False
    closed: Callable[[], _Sums] | None = None
    spread: Callable[[], _Sums] | None = None


@dataclass(frozen=True)
class _Neurons:
    """A tensor of functions of sums: place (*shape) of each number in (rows, neurons).

    weight (before, neurons), bias (neurons,): the sums; reach: which weights there are, be they 0; own (neurons,): the
    ratio by which each sum is known, see `_Sums`. after: values of sums (..., neurons). shared: whether several neurons
    are of the same sums. scaled: whether the sums were multiplied with weights once more. weighed: whether multiplying
    with weights was the last thing done. apart: the same numbers as sums, without what was added after weights in the
    functions. alike: whether all neurons have one function. held, trained: whether the sums are with numbers that
    the model holds, and with its weights.
    """

    layer: int
    weight: Tensor
    reach: Tensor
    bias: Tensor
    own: Tensor
    after: Callable[[Tensor], Tensor]
    place: Tensor
    shared: bool = False
    scaled: bool = False
    weighed: bool = False
    apart: Callable[[], _Sums] | None = None
    alike: bool = True
    held: bool = True
    trained: bool = True


@dataclass(frozen=True)
class _Neuron:
    """Number k of `flow`, in a layer: its function, and the factor by which its values are that function's."""

    flow: _Neurons
    k: int
    factor: float
    function: Nonlinearity


@dataclass(frozen=True)
class _Drawn:
    """A tensor of random numbers, which nothing comes of if it is multiplied with 0."""

    shape: torch.Size
    by: str


@dataclass(frozen=True)
class _Shares:
    """What softmax makes of outputs, or its logarithm."""

    of: _Sums | _Neurons
    logarithm: bool


class Layers(NamedTuple):
    """Weights (neurons, before), biases (neurons,) and functions of all layers, what the first one gets (rows, inputs),
    and the place of every output of the model among (rows, outputs)."""

    weights: list[Tensor]
    biases: list[Tensor]
    functions: list[Nonlinearity]
    inputs: Tensor
    place: Tensor


_Flow = _Given | _Sums | _Neurons | _Shares
_FLOWS = (_Given, _Sums, _Neurons, _Shares)


def rows_unlike() -> OntogenyError:
    """The error for a model that does one thing with some rows of x and another with others."""
    return OntogenyError("the rows of x are not treated alike: every row must go through the same layers")


def _flows(values: Any) -> list[Any]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, _FLOWS)]


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


def _double(value: Any) -> Any:
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


def _ones(value: Any) -> Any:
    return torch.ones_like(value, dtype=torch.float64) if isinstance(value, Tensor) else value


def _ratio(own: Tensor) -> Tensor:
    """What the numbers (DRAWS, ...) of sums have in common with those of sums on another scale; NaN for none."""
    return own[1] / own[0]


def _alike(one: Tensor, other: Tensor) -> Tensor:
    return (one - other).abs() <= 1e-9 * (1 + one.abs())


def _several(level: Sequence[_Sums], shape: torch.Size) -> bool:
    """Whether sums to be added to a tensor of this shape have, at the same place, weights for the same number.

    Sums that are one on different scales have, where weights made these. A sum that cancels out has none.
    """
    for k, one in enumerate(level):
        for other in level[:k]:
            reach = [part.reach.expand(len(part.reach), *shape) > 0 for part in (one, other)]
            apart = ~_alike(_ratio(one.own), _ratio(other.own)).expand(shape)
            if one.spread and other.spread:
                apart = apart | (one.coef != other.coef).any(dim=0).expand(shape)
            for part in (one, other):
                apart = apart & (part.own.abs().amax(dim=0) > _CANCELLED).expand(shape)
            if bool(((reach[0] & reach[1]).any(dim=0) & apart).any()):
                return True
    return False


def _longer(coef: Tensor, n: int) -> Tensor:
    """`coef` (neurons, ...) with zeros for neurons that came later."""
    return torch.cat([coef, coef.new_zeros((n - len(coef), *coef.shape[1:]))]) if len(coef) < n else coef


class Reader:
    """What one run of a model does to x (rows, inputs), step by step."""

    def __init__(self, x: Tensor, is_weight: Callable[[Tensor], bool], biases: bool = True) -> None:
        """biases: numbers put beside those of x before the first layer are weighed as biases, and are no inputs."""
        self.rows, self.is_weight, self.biases = len(x), is_weight, biases
        self.beside = False  # whether there were any
        self.inputs: list[Tensor] = []
        self.sources: list[tuple[Tensor, int]] = []
        self.layers: list[list[_Neuron]] = []
        self.marks = Marks()
        self.closed: list[tuple[Any, int, Tensor, Tensor]] = []
        self.as_neurons: list[tuple[_Sums, _Sums]] = []
        self.doubled: set[int] = set()

    def given(self, x: Tensor) -> _Given:
        """x (rows, columns) as what the model gets."""
        return _Given(x, torch.arange(x.numel()).reshape(x.shape))

    def hold(self, tensor: Tensor) -> None:
        """Take note of a tensor that the model has, which may be weights."""
        if tensor.dtype == torch.bool or tensor.is_complex():
            return
        if self.is_weight(tensor) or tensor.unique().numel() > 1:
            self.marks.begin(tensor)

    # One kind of tensor as another

    def sums(self, flow: Any) -> _Sums:
        """Any flow as sums, of inputs or of the neurons of a layer, which is closed if it was not."""
        if isinstance(flow, _Sums):
            return flow
        if isinstance(flow, _Given):
            return self._of_inputs(flow)
        return self._of_neurons(flow)

    def _of_inputs(self, flow: _Given) -> _Sums:
        n = flow.source.shape[1]
        start = next((at for known, at in self.sources if known is flow.source), None)
        if start is None:
            start = len(self.inputs)
            self.sources.append((flow.source, start))
            self.inputs += list(flow.source.double().T)
        column = flow.place % n
        coef = torch.zeros((len(self.inputs), *flow.place.shape), dtype=torch.float64)
        for k in range(n):
            coef[start + k] = (column == k).double()
        const = torch.zeros(flow.place.shape, dtype=torch.float64)
        own = torch.cat([drawn(torch.Size([1]), -1 - start - k) for k in range(n)], dim=1)
        return _Sums(0, coef, coef, const, flow.place // n, "", own[:, column])

    def _of_neurons(self, flow: _Neurons) -> _Sums:
        if flow.shared:
            raise _shared_by_two()
        layer, n = flow.layer + 1, len(flow.bias)
        while len(self.layers) < layer:
            self.layers.append([])
        neurons = self.layers[layer - 1]
        known = next((one for one in self.closed if one[0] is flow.after), None)
        if known is None:
            known = self._closed(flow, neurons)
            self.closed.append(known)
        _, start, scale, offset = known
        coef = torch.zeros((len(neurons), *flow.place.shape), dtype=torch.float64)
        for k in range(n):
            coef[start + k] = (flow.place % n == k).double() * neurons[start + k].factor * scale[k]
        const = offset[flow.place % n]
        own = torch.cat([drawn(torch.Size([1]), -1000 * layer - 1 - start - k) for k in range(n)], dim=1)
        return _Sums(layer, coef, (coef != 0).double(), const, flow.place // n, "", own[:, flow.place % n])

    def _closed(self, flow: _Neurons, neurons: list[_Neuron]) -> tuple[Any, int, Tensor, Tensor]:
        """Where the neurons of a flow begin in their layer, and the scale and offset that make its numbers of them.

        Raises OntogenyError if other neurons of the layer have the same sums and are no more than scaled and moved.
        """
        n = len(flow.bias)
        alike: tuple[Tensor, Tensor] | None = (torch.ones(n).double(), torch.zeros(n).double())
        begins = {id(neuron.flow): (at - neuron.k, neuron.flow) for at, neuron in enumerate(neurons)}
        for start, other in begins.values():
            if (part := self._same_sums(other, flow, other.place.shape)) is not None:
                if not _same(other, flow):
                    alike = _scaled_and_moved(other.after, part[0], n)
                    if alike is None or alike[1].any() or any(one.weighed or one.scaled for one in (flow, other)):
                        self.doubled.add(flow.layer + 1)
                if alike is None:
                    raise _shared_by_two()
                return flow.after, start, *alike
        function, factors = _named(flow)
        start = len(neurons)
        neurons += [_Neuron(flow, k, float(factors[k]), function) for k in range(n)]
        return flow.after, start, torch.ones(n).double(), torch.zeros(n).double()

    def neurons(self, flow: _Sums, name: str = "identity") -> _Neurons:
        """Sums as a layer of neurons that is under way: the same sums in every row.

        Raises OntogenyError if they are not, come from several maps, or some do not depend on x.
        """
        if flow.layer == 0 and (inputs := self._rescaled(flow)):
            flow = inputs
        if not flow.made:
            raise OntogenyError(
                f"the model does '{name}' on neurons put together from several maps: apply one function to each layer"
            )
        if (flow.row < 0).any():
            raise OntogenyError("the model puts numbers that do not depend on x among its neurons")
        order = torch.argsort(flow.row.reshape(-1), stable=True)
        per_row = flow.row.numel() // self.rows
        counted = torch.bincount(flow.row.reshape(-1), minlength=self.rows)
        if not per_row or (counted != per_row).any():
            raise rows_unlike()
        coef = flow.coef.reshape(len(flow.coef), -1)[:, order].reshape(len(flow.coef), self.rows, per_row)
        const = flow.const.reshape(-1)[order].reshape(self.rows, per_row)
        if not (torch.allclose(coef, coef[:, :1], 1e-9, 1e-12) and torch.allclose(const, const[:1], 1e-9, 1e-12)):
            raise OntogenyError("the model does its sums with numbers that differ between rows")
        reach = flow.reach.reshape(len(flow.coef), -1)[:, order].reshape(len(flow.coef), self.rows, per_row)[:, 0]
        place = torch.empty(flow.row.numel(), dtype=torch.long)
        place[order] = torch.arange(len(place))
        own = _ratio(flow.own).reshape(-1)[order].reshape(self.rows, per_row)
        ordered = own.sort(dim=1).values
        shared = bool(_alike(ordered[:, 1:], ordered[:, :-1]).any())
        if shared and flow.spread:
            return self.neurons(flow.spread(), name)
        place = place.reshape(flow.row.shape)
        scaled = flow.spread is not None
        parts = (flow.layer, coef[:, 0], reach, const[0], own[0], lambda sums: sums, place, shared, scaled)
        return _Neurons(*parts, held=flow.weighed, trained=flow.trained)

    def _as_neurons(self, flow: _Sums) -> _Sums:
        """Sums as neurons without a function, the same ones whenever they are asked for."""
        if flow.closed:
            return flow.closed()
        known = next((neurons for sums, neurons in self.as_neurons if sums is flow), None)
        if known is None:
            inputs = self._rescaled(flow) if not flow.layer else None
            known = inputs or (self.sums(self.neurons(flow)) if flow.made else flow)
            self.as_neurons.append((flow, known))
        return known

    def _as_products(self, flow: _Sums) -> _Sums:
        return flow.spread() if flow.spread else self._as_neurons(flow)

    def _rescaled(self, flow: _Sums) -> _Sums | None:
        """Sums of one neuron each, as those neurons on another scale, or None; inputs on it are new inputs."""
        used = (flow.coef != 0).reshape(len(flow.coef), -1)
        if flow.made != "product" or (used.sum(0) > 1).any() or (used.sum(1) > self.rows).any():
            return None
        if flow.layer:
            return None if flow.const.any() else flow
        return self._apart(flow)

    def _apart(self, flow: _Sums) -> _Sums:
        """Sums of one input each as inputs of their own: one that is there twice is two."""
        order = torch.argsort(flow.row.reshape(-1), stable=True)
        place = torch.empty(len(order), dtype=torch.long)
        place[order] = torch.arange(len(order))
        if len(order) % self.rows or (torch.bincount(flow.row.reshape(-1)) != len(order) // self.rows).any():
            raise rows_unlike()
        known = torch.stack(self.inputs, dim=1)[flow.row.reshape(-1)]
        coef = _longer(flow.coef, len(self.inputs))
        values = (coef.reshape(len(coef), -1).T * known).sum(1) + flow.const.reshape(-1)
        values = values[order].reshape(self.rows, -1)
        return self.sums(_Given(values, place.reshape(flow.row.shape)))

    def _sums_apart(self, flow: Any) -> _Sums:
        """Any flow as sums, with what was added after its weights, as a bias is, outside of the neurons."""
        return flow.apart() if isinstance(flow, _Neurons) and flow.apart else self.sums(flow)

    # Operations

    def step(self, target: Any, arguments: Sequence[Any], keywords: dict[str, Any]) -> Any:
        """What an operation makes of the flows among its arguments. Raises OntogenyError where it is none of ours."""
        name = name_of(target).rstrip("_") or str(target)
        flows = _flows((arguments, keywords))
        if "getitem" in name:
            return arguments[0][arguments[1]]
        if "rrelu" in name and flows:
            bounds = (*arguments[2:4], *(0.125, 1 / 3)[len(arguments[2:4]) :])
            value = self._pointwise(torch.ops.aten.leaky_relu.default, name, (flows[0], sum(bounds) / 2), {})
            return (value, None) if "functional" in name else value
        if "attention" in name and flows:
            raise OntogenyError("the model does attention, whose outputs are products of values that depend on x")
        if name in _DRAWS:
            like = arguments[0]
            return _Drawn(torch.Size(like) if isinstance(like, (list, tuple)) else self._shape(like), name)
        random = [leaf for leaf in tree_leaves((arguments, keywords)) if isinstance(leaf, _Drawn)]
        if random and name in ("mul", "div", "add", "sub", "neg") and not flows:
            shape = torch.broadcast_shapes(*(one.shape for one in random), *(one.shape for one in _tensors(arguments)))
            numbers = [leaf for leaf in arguments if not isinstance(leaf, _Drawn)]
            silent = name == "mul" and any(not torch.as_tensor(one).any() for one in numbers)
            return torch.zeros(shape) if silent else _Drawn(shape, random[0].by)
        if random or torch.Tag.nondeterministic_seeded in getattr(target, "tags", ()):
            by = random[0].by if random else name
            raise OntogenyError(f"the model draws random numbers ('{by}'), so that two runs of it need not agree")
        if not flows:
            value = target(*arguments, **keywords)
            self.marks.follow(target, name, arguments, keywords, value)
            return value
        if name in _SPARSE:
            target, name, arguments = _SPARSE[name], name.removeprefix("_sparse_"), tree_map(_dense, arguments)
        if any(isinstance(flow, _Shares) for flow in flows):
            of, takes_some = flows[0], name in ("select", "slice", "index")
            if len(flows) == 1 and takes_some and (one := self._share(target, name, arguments)):
                return one
            if len(flows) == 1 and name in MOVES and not takes_some:
                return of
            if len(flows) == 1 and (name in _SHARED or (name == "exp" and of.logarithm)):
                return _Shares(of.of, "log" in name)
            raise OntogenyError(f"the model does '{name}' after a softmax: return what softmax is taken of")
        if name in MADE:
            return target(*self._with(arguments, lambda flow: torch.zeros(self._shape(flow))), **keywords)
        if name == "nansum":
            if not all(map(self._is_finite, flows)):
                raise OntogenyError("the model does 'nansum' on values that may be NaN: write it with torch.where")
            target, name = torch.ops.aten.sum.dim_IntList, "sum"
            arguments = (arguments[0], None) if len(arguments) == 1 else arguments
        if name == "_trilinear" and len(flows) == 1:
            return self._trilinear(*arguments)
        if name in ("index_add", "scatter_add") and _flows(arguments) == _flows(arguments[3:4]):
            return self._added_at(target, arguments, keywords)
        if name in ("_embedding_bag", "_embedding_bag_forward_only") and flows == _flows(arguments[6:7]):
            if arguments[4] != 0:
                raise self._refused(name)
            weights, *between = arguments[:6]
            rest = arguments[7:]

            def bag(weights: Tensor, value: Tensor) -> Tensor:
                return target(weights, *between, value, *rest, **keywords)[0]

            return (self._mapped(bag, "linear", (weights, arguments[6]), {}), None, None, None)
        if name == "log_sigmoid_forward":
            return (self._pointwise(torch.nn.functional.logsigmoid, name, arguments[:1], {}), None)
        if name == "copy":
            return self._moved(torch.ops.aten.expand.default, "expand", (arguments[1], self._shape(arguments[0])), {})
        if name in _WRITTEN and not _flows([a for at, a in enumerate(arguments) if at not in (0, _WRITTEN[name])]):
            return self._written(target, name, arguments, keywords)
        if name == "constant_pad_nd":
            self.beside |= isinstance(arguments[0], _Given)
            if self.biases or not isinstance(arguments[0], _Given):
                return self._padded(*arguments)
        if name in MOVES:
            return self._moved(target, name, arguments, keywords)
        if "batch_norm" in name:
            return (self._normalised(arguments), None, None)
        if name in CONTRACTIONS or name in REDUCTIONS or self._covers_all(name, arguments):
            outside = all(isinstance(flow, _Given) for flow in flows)
            outside &= len(flows) > 1 or not any(map(self._weighs, _tensors((arguments, keywords))))
            if outside:
                return self._context(target, arguments, keywords)
            return self._mapped(target, name, arguments, keywords)
        if torch.Tag.pointwise in getattr(target, "tags", ()) or name in POINTWISE:
            return self._pointwise(target, name, arguments, keywords)
        if all(isinstance(flow, _Given) for flow in flows):
            tensors = _tensors((arguments, keywords))
            weighs = any(map(self.is_weight, tensors)) or (
                any(map(self._weighs, tensors)) and _is_linear(target, arguments, keywords)
            )
            if "norm" not in name and weighs:
                raise self._refused(name)
            return self._context(target, arguments, keywords)
        if name in _SHARED:
            return _Shares(flows[0], "log" in name)
        if len(flows) == 1 and isinstance(arguments[0], (_Sums, _Neurons)) and self._alone(target, arguments, keywords):
            return self._pointwise(target, name, arguments, keywords)
        raise self._refused(name)

    def _trilinear(self, *arguments: Any) -> Any:
        """Products of three tensors, two of them fixed, summed over some axes: `torch.bilinear`."""
        wide: list[Any] = list(arguments[:3])
        for at, axes in enumerate(arguments[3:6]):
            for axis in axes:
                wide[at] = self.step(torch.ops.aten.unsqueeze.default, (wide[at], axis), {})
        flow = next(one for one in wide if isinstance(one, _FLOWS))
        first, second = (one for one in wide if one is not flow)
        factor = self.step(torch.ops.aten.mul.Tensor, (first, second), {})
        product = self.step(torch.ops.aten.mul.Tensor, (flow, factor), {})
        return self.step(torch.ops.aten.sum.dim_IntList, (product, list(arguments[6])), {})

    def _added_at(self, target: Any, arguments: Sequence[Any], keywords: dict[str, Any]) -> Any:
        """Numbers of a flow added to those of a fixed tensor, at places that are fixed."""
        into, axis, places, flow, *_ = arguments
        if keywords.get("alpha", 1) != 1:
            raise self._refused("index_add")
        nothing = torch.zeros(into.shape, dtype=torch.float64)

        def added(value: Tensor) -> Tensor:
            return target(nothing.to(value.dtype), axis, places, value)

        if (added(torch.ones(self._shape(flow))) <= 1).all():
            put = torch.ops.aten.index_copy.default if name_of(target) == "index_add" else torch.ops.aten.scatter.src
            made = self.step(put, (torch.zeros_like(into), axis, places, flow), {})
        else:
            made = self._mapped(added, "sum", (flow,), {})
        return self.step(torch.ops.aten.add.Tensor, (made, into), {}) if into.any() else made

    def _is_finite(self, flow: Any) -> bool:
        """Whether no number of a flow can be NaN or infinite."""
        if isinstance(flow, _Given):
            return bool(flow.values.isfinite().all())
        if isinstance(flow, _Neurons):
            points = torch.as_tensor(_GRID, dtype=torch.float32)[:, None].expand(-1, len(flow.bias))
            return bool(flow.after(points).isfinite().all())
        level = self.layers[flow.layer - 1] if flow.layer else []
        return all(self._is_finite(neuron.flow) for neuron in level)

    def _share(self, target: Any, name: str, arguments: Sequence[Any]) -> _Neurons | None:
        """The share of one of two outputs, which is the sigmoid of their difference, or None."""
        shares: _Shares = arguments[0]
        if not isinstance(shares.of, _Sums):
            return None
        place = self.neurons(shares.of).place
        chosen = target(place, *arguments[1:])
        if int(place.max()) != 2 * self.rows - 1 or len((chosen % 2).unique()) != 1:
            return None
        where = torch.empty(place.numel(), dtype=torch.long)
        where[place.reshape(-1)] = torch.arange(place.numel())
        other = where[(place ^ 1).reshape(-1)]

        def of_other(tensor: Tensor) -> Tensor:
            return tensor.reshape(*tensor.shape[: tensor.ndim - place.ndim], -1)[..., other].reshape(tensor.shape)

        of = shares.of
        apart = replace(
            of,
            coef=of.coef - of_other(of.coef),
            reach=torch.maximum(of.reach, of_other(of.reach)),
            const=of.const - of_other(of.const),
            own=of.own - of_other(of.own),
            closed=None,
            spread=None,
        )
        one = self._moved(target, name, (apart, *arguments[1:]), {})
        function = torch.nn.functional.logsigmoid if shares.logarithm else torch.ops.aten.sigmoid.default
        return self._pointwise(function, "sigmoid", (one,), {})

    def _covers_all(self, name: str, arguments: Sequence[Any]) -> bool:
        """Whether a convolution has as many weights as connections: its kernels see all of their input, once."""
        if name != "convolution" or not isinstance(arguments[0], _FLOWS) or arguments[8] != 1:
            return False
        shape, kernel = self._shape(arguments[0]), arguments[1].shape
        return len(shape) == len(kernel) and shape[2:] == kernel[2:] and not any(arguments[4])

    @staticmethod
    def _refused(name: str) -> OntogenyError:
        why = _WHY.get(name) or _WHY.get(name.strip("_"), "which is neither a linear map nor an elementwise function")
        return OntogenyError(f"the model does '{name.strip('_')}', {why}")

    def composed(self, flow: Any, function: Callable[[Tensor], Tensor], constants: Sequence[Tensor]) -> _Neurons:
        """What a function number by number makes of a flow; it takes tensors of the flow's shape only.

        constants: tensors in the function. Raises OntogenyError if it does not treat the rows of x alike.
        """
        before = flow if isinstance(flow, _Neurons) else self.neurons(self.sums(flow), "identity")
        n, place = len(before.bias), before.place
        if not torch.equal(place.reshape(-1).sort().values, torch.arange(self.rows * n)):
            raise rows_unlike()

        def after(sums: Tensor) -> Tensor:
            values = before.after(sums)
            flat, whole = values.reshape(-1), self.rows * n
            blocks = torch.cat([flat, flat[:1].expand(-len(flat) % whole)]).reshape(-1, whole)
            given = blocks[:, place]
            try:
                made = torch.vmap(function)(given)
            except RuntimeError:  # an operation that knows no vmap
                made = torch.stack([function(one) for one in given])
            blocks = torch.empty_like(made.reshape(len(made), -1))
            blocks[:, place.reshape(-1)] = made.reshape(len(made), -1)
            return blocks.reshape(-1)[: len(flat)].reshape(values.shape)

        points = _POINTS[:, None, None].expand(-1, self.rows, n)
        values = after(points).nan_to_num(nan=0.123)
        if not torch.equal(values, values[:, :1].expand(-1, self.rows, n)):
            raise rows_unlike()
        alike = before.alike and not any(n in one.shape and one.unique().numel() > 1 for one in constants)
        alike &= torch.equal(values, values[..., :1].expand(-1, self.rows, n))
        return replace(before, after=after, place=place, weighed=False, apart=None, alike=alike)

    @staticmethod
    def _with(arguments: Any, of: Callable[[Any], Any], other: Callable[[Any], Any] = lambda value: value) -> Any:
        return tree_map(lambda leaf: of(leaf) if isinstance(leaf, _FLOWS) else other(leaf), arguments)

    def _context(self, target: Any, arguments: Any, keywords: Any) -> Any:
        """An operation on x before the first layer: its result is part of what that layer gets."""

        def known(value: Any) -> Any:
            if not isinstance(value, Tensor) or (self.rows > 1 and (not value.ndim or len(value) != self.rows)):
                return value
            source = value.reshape(self.rows, -1)
            return _Given(source, torch.arange(source.numel()).reshape(value.shape))

        value = target(*self._with(arguments, lambda f: f.values), **self._with(keywords, lambda f: f.values))
        return type(value)(map(known, value)) if isinstance(value, (tuple, list)) else known(value)

    def _moved(self, target: Any, name: str, arguments: Any, keywords: Any) -> Any:
        """Numbers put elsewhere, and not changed."""
        if name in ("view", "_unsafe_view", "view_copy"):
            target, arguments = torch.ops.aten.reshape.default, arguments[:2]
        flows = _flows((arguments, keywords))
        if name in ("index", "index_select", "gather", "take") and any(f is not arguments[0] for f in flows):
            raise OntogenyError(f"the model does '{name}' at places that depend on x")
        dtype = keywords.get("dtype") or torch.float32
        if dtype in (torch.float16, torch.bfloat16):
            raise OntogenyError(
                f"the model computes in {str(dtype).removeprefix('torch.')}, and circuits are judged in float32"
            )
        if dtype.is_complex:
            raise OntogenyError("the model computes with complex numbers, and circuits are those of real ones")
        first = flows[0]
        if all(isinstance(flow, _Given) for flow in flows):
            whole = name == "_to_copy" and not dtype.is_floating_point
            beside = self._constants(arguments)
            self.beside |= beside
            if not (beside and self.biases):
                if whole or beside or any(flow.source is not first.source for flow in flows):
                    return self._context(target, arguments, keywords)
                return self._each(target, arguments, keywords, first, ("place",))
        if name == "_to_copy" and not dtype.is_floating_point:
            return self._pointwise(target, name, arguments, keywords)
        if name == "_to_copy" and isinstance(first, _Neurons) and not _is_real(first):
            return self._pointwise(target, name, arguments, {"dtype": dtype})
        same = all(isinstance(f, _Neurons) and f.after is first.after for f in flows)
        if same and not self._constants(arguments):
            moved = self._each(target, arguments, keywords, first, ("place",))
            if first.apart is None:
                return moved
            apart = self._moved_later(target, name, arguments, keywords, self._sums_apart)
            if isinstance(moved, _Neurons):
                return replace(moved, apart=lambda: apart(None))
            return [replace(one, apart=lambda at=at: apart(at)) for at, one in enumerate(moved)]
        if self._constants(arguments):
            arguments = self._with_constants(arguments, name)
            flows = _flows((arguments, keywords))
        products = all(isinstance(flow, _Neurons) and flow.apart for flow in flows)
        sums = [self._sums_apart(flow) if products else self.sums(flow) for flow in flows]
        if products and any(one.const.any() for one in sums):
            sums = [self.sums(flow) for flow in flows]
        sums = self._level(sums, name, self._as_neurons)
        known = {id(flow): one for flow, one in zip(flows, sums)}
        made = max(one.made for one in sums)
        as_sums = self._with(arguments, lambda flow: known[id(flow)])
        if len({one.weighed for one in sums}) > 1:
            raise OntogenyError(
                f"a connection skips a layer (the model does '{name}' on sums with weights and on what they are of): "
                "circuits are enumerated in plain stacks of layers"
            )
        moved = self._each(target, as_sums, keywords, replace(sums[0], made=made), ("const", "row"))
        if not made:
            return moved
        closed, spread = (
            self._moved_later(target, name, as_sums, keywords, of) for of in (self._as_neurons, self._as_products)
        )
        twice = any(one.spread for one in sums)

        def following(one: _Sums, at: int | None = None) -> _Sums:
            return replace(one, closed=lambda: closed(at), spread=(lambda: spread(at)) if twice else None)

        if isinstance(moved, _Sums):
            return following(moved)
        return [following(one, at) for at, one in enumerate(moved)]

    def _moved_later(
        self, target: Any, name: str, arguments: Any, keywords: Any, of: Callable[[Any], _Sums]
    ) -> Callable[[int | None], _Sums]:
        """What gives, once asked for, the numbers of `arguments` put elsewhere as `of` makes sums of these, or one of
        several parts of them."""

        def put(at: int | None) -> _Sums:
            parts = self._moved(target, name, self._with(arguments, of), keywords)
            return parts if at is None else parts[at]

        return put

    def _with_constants(self, arguments: Any, name: str) -> Any:
        """Tensors beside flows in a list as sums without weights: biases, or outputs that are the same for all x."""
        like = self.sums(_flows(arguments)[0])
        places = [
            torch.arange(self.rows).reshape([-1 if a == axis else 1 for a in range(like.row.ndim)])
            for axis in range(like.row.ndim)
            if like.row.shape[axis] == self.rows
        ]
        row = next((place for place in places if torch.equal(place.expand(like.row.shape), like.row)), None)

        def constant(leaf: Any) -> Any:
            if not isinstance(leaf, Tensor):
                return leaf
            if row is None or torch.broadcast_shapes(row.shape, leaf.shape) != leaf.shape:
                raise OntogenyError(f"the model puts numbers that do not depend on x among its neurons ('{name}')")
            return self._constant(leaf, row.expand(leaf.shape), like)

        return [tree_map(constant, a) if isinstance(a, (list, tuple)) else a for a in arguments]

    def _constant(self, values: Tensor, row: Tensor, like: _Sums) -> _Sums:
        """Numbers that do not depend on x, in these rows of it, as sums beside those of `like`."""
        none, own = (torch.zeros((n, *values.shape), dtype=torch.float64) for n in (len(like.coef), DRAWS))
        return replace(
            like,
            coef=none,
            reach=none,
            const=values.double(),
            row=row,
            own=own,
            closed=lambda: self._constant(values, row, self._as_neurons(like)),
            spread=(lambda: self._constant(values, row, self._as_products(like))) if like.spread else None,
        )

    def _padded(self, flow: Any, pad: Sequence[int], value: float = 0.0) -> Any:
        """Numbers put before and after those of a flow, axis by axis from the last."""
        for at, (before, after) in enumerate(zip(pad[::2], pad[1::2])):
            axis = len(self._shape(flow)) - 1 - at

            def beside(n: int, flow: Any = flow, axis: int = axis) -> list[Tensor]:
                shape = list(self._shape(flow))
                shape[axis] = n
                return [torch.full(shape, float(value))] if n > 0 else []

            if min(before, after) < 0:
                length = self._shape(flow)[axis]
                flow = self._moved(
                    torch.ops.aten.slice.Tensor, "slice", (flow, axis, max(-before, 0), length + min(after, 0)), {}
                )
            if max(before, after) > 0:
                parts = [*beside(before), flow, *beside(after)]
                flow = self._moved(torch.ops.aten.cat.default, "cat", (parts, axis), {})
        return flow

    def _written(self, target: Any, name: str, arguments: Any, keywords: Any) -> Any:
        """Numbers written into a part of a tensor, which so far may hold numbers that do not depend on x."""
        into, values = arguments[0], arguments[at := _WRITTEN[name]]
        if not isinstance(values, _FLOWS):
            raise OntogenyError("the model writes numbers that do not depend on x over its neurons")
        if name == "index_put" and len(arguments) > 3 and arguments[3]:
            raise self._refused(name)
        if isinstance(into, Tensor):
            values = self.sums(values)
            axes = [axis for axis, length in enumerate(into.shape) if length == self.rows]
            row = torch.full(into.shape, -1, dtype=torch.long)
            if len(axes) == 1:
                row = torch.arange(self.rows).reshape([-1 if a == axes[0] else 1 for a in range(into.ndim)])
            into = self._constant(into, row.expand(into.shape), values)
        return self._moved(target, name, (into, *arguments[1:at], values, *arguments[at + 1 :]), keywords)

    @staticmethod
    def _constants(arguments: Any) -> bool:
        """Whether tensors stand beside flows in a list, to be put together with them."""
        lists = [a for a in arguments if isinstance(a, (list, tuple)) and _flows(a)]
        return any(isinstance(leaf, Tensor) for one in lists for leaf in tree_leaves(one))

    def _each(self, target: Any, arguments: Any, keywords: Any, like: Any, names: Sequence[str]) -> Any:
        """The operation on the named tensors of flows, and on each neuron's coefficients."""
        keywords = {key: value for key, value in keywords.items() if key not in ("dtype", "memory_format")}

        def run(of: Callable[[Any], Tensor]) -> Any:
            return target(*self._with(arguments, of), **keywords)

        def named(name: str) -> Callable[[Any], Tensor]:
            return lambda flow: getattr(flow, name)

        def of_neuron(name: str, k: int) -> Callable[[Any], Tensor]:
            return lambda flow: getattr(flow, name)[k] if name == "own" else _longer(getattr(flow, name), n)[k]

        parts = {name: run(named(name)) for name in names}
        n = max(len(flow.coef) for flow in _flows(arguments)) if isinstance(like, _Sums) else 0
        for name, count in (("coef", n), ("reach", n), ("own", DRAWS)) if n else ():
            pieces = [run(of_neuron(name, k)) for k in range(count)]
            several = not isinstance(pieces[0], Tensor)
            parts[name] = [torch.stack(list(one)) for one in zip(*pieces)] if several else torch.stack(pieces)
        several = isinstance(parts[names[0]], (list, tuple))
        fields = {key: value for key, value in vars(like).items() if key not in parts}
        if not several:
            return type(like)(**fields, **parts)
        count = len(parts[names[0]])
        return [type(like)(**fields, **{key: value[k] for key, value in parts.items()}) for k in range(count)]

    def _level(self, flows: Sequence[_Sums], name: str, lifted: Callable[[_Sums], _Sums] | None = None) -> list[_Sums]:
        """Sums of one layer, with as many coefficients. lifted: what makes those of a layer before sums of the next."""
        layers = {flow.layer for flow in flows}
        if lifted and max(layers) - min(layers) == 1:
            raised = [lifted(flow) if flow.made and flow.layer < max(layers) else flow for flow in flows]
            if len({flow.weighed for flow in raised}) == 1:
                flows, layers = raised, {flow.layer for flow in raised}
        if len(layers) > 1:
            raise OntogenyError(
                f"a connection skips a layer (the model does '{name}' on values of two layers): circuits are "
                "enumerated in plain stacks of layers"
            )
        n = max(len(flow.coef) for flow in flows)
        return [replace(f, coef=_longer(f.coef, n), reach=_longer(f.reach, n)) for f in flows]

    def _mapped(self, target: Any, name: str, arguments: Any, keywords: Any, apart: bool = False) -> _Sums:
        """A linear map with fixed weights; apart: of inputs each of which is there once."""
        flows = _flows((arguments, keywords))
        if len({id(flow) for flow in flows}) > 1:
            raise OntogenyError(f"the model multiplies values that depend on x with each other ('{name}')")
        flow = self._sums_apart(flows[0]) if name in REDUCTIONS else self.sums(flows[0])
        if flow.layer in self.doubled:
            raise _shared_by_two()
        if len(flow.row.unique()) < self.rows:
            raise rows_unlike()
        if flow.made and name not in REDUCTIONS:
            flow = self._rescaled(flow) or self._as_neurons(flow)
        keywords = {key: value for key, value in keywords.items() if key != "dtype"}

        def run(value: Tensor, other: Callable[[Any], Any] = _double) -> Tensor:
            return target(*self._with(arguments, lambda _: value, other), **keywords)

        nothing = torch.zeros_like(flow.const)
        none, idle = run(nothing), run(nothing, _ones)
        const = run(flow.const)
        coef = torch.stack([run(one) - none for one in flow.coef])
        gains = torch.rand(flow.const.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.5
        if name in REDUCTIONS:
            gains = 1 + (97 * _ratio(flow.own).nan_to_num()).sin() / 2
        ways = [torch.stack([run(one * gains**power, _ones) - idle for one in flow.reach]) for power in (1, 2, 3)]
        several = bool((ways[0] * ways[2] > ways[1] ** 2 * (1 + 1e-9)).any())  # weights from a number to another
        if several and name in REDUCTIONS and (flow.weighed or flow.spread):
            products = self._as_products(flow)
            return self._mapped(target, name, self._with(arguments, lambda _: products), keywords)
        if several and name not in REDUCTIONS:
            if flow.layer or flow.made or apart:
                raise OntogenyError(f"several weights connect the same two neurons: the model does '{name}' on copies")
            arguments = self._with(arguments, lambda _: self._apart(flow))
            return self._mapped(target, name, arguments, keywords, apart=True)
        reach = (ways[0] != 0).double()
        own = torch.stack([run(flow.own[k], self._marked(k)) - run(nothing, self._marked(k)) for k in range(DRAWS)])
        tensors = _tensors((arguments, keywords))
        added = tensors[:1] if name in _ADD_FIRST and isinstance(arguments[0], Tensor) else []
        weighed = any(map(self._weighs, tensors)) or (name in REDUCTIONS and flow.weighed)
        trained = any(map(self.is_weight, tensors[len(added) :])) or (name in REDUCTIONS and flow.trained)
        spread = None
        if flow.spread and name in REDUCTIONS:
            later = flow.spread
            spread = lambda: self._mapped(target, name, self._with(arguments, lambda _: later()), keywords)  # noqa: E731
        row = self._rows(run, none, flow, name)
        return _Sums(flow.layer, coef, reach, const, row, "map", own, weighed, trained, spread=spread)

    def _marked(self, k: int, others: bool = True) -> Callable[[Any], Any]:
        """What gives the k-th of the numbers that stand for weights, or others of a tensor, and the rest as it is."""

        def mark(value: Any) -> Any:
            if not isinstance(value, Tensor) or not value.is_floating_point():
                return value
            own = self.marks.of(value) if others or self._weighs(value) else None
            return value.double() if own is None else own[k]

        return mark

    def _rows(self, run: Callable[[Tensor], Tensor], none: Tensor, flow: _Sums, name: str) -> Tensor:
        """The row of x of every number that a linear map gives."""
        generator = torch.Generator().manual_seed(0)
        gains = torch.rand(flow.const.shape, generator=generator, dtype=torch.float64) + 0.5
        by_row = gains.reshape(-1)[: flow.row.numel()].clone()
        order = torch.argsort(flow.row.reshape(-1), stable=True)
        per_row = flow.row.numel() // self.rows
        by_row[order] = by_row[order][:per_row].repeat(self.rows)[: len(order)]
        gains = by_row.reshape(flow.row.shape)
        whole = run(gains) - none
        coded = (run(gains * (flow.row + 1).double()) - none) / whole
        squares = (run(gains * (flow.row + 1).double() ** 2) - none) / whole
        known = whole.abs() > 1e-9
        row = coded.round() - 1
        if not torch.allclose(squares[known], (row[known] + 1) ** 2, 1e-6, 1e-6):
            raise OntogenyError(f"the model mixes rows of x ('{name}')")
        shape = row.shape
        for axis in range(len(shape)):
            if shape[axis] == self.rows:
                along = torch.arange(self.rows).reshape([-1 if a == axis else 1 for a in range(len(shape))])
                guess = along.expand(shape)
                if torch.equal(guess[known], row[known].long()):
                    return guess.clone()
        if known.all():
            return row.long()
        raise OntogenyError("which row of x a number belongs to cannot be told: some neurons have no weights at all")

    def _normalised(self, arguments: Any) -> Any:
        """Batch normalisation by running statistics: input, weight, bias, mean, variance, ..., eps last."""
        flow, weight, bias, mean, variance = arguments[:5]
        eps = next(float(a) for a in reversed(arguments) if isinstance(a, float))
        if mean is None or variance is None:
            raise OntogenyError("batch normalisation without running statistics mixes rows: it cannot be read")
        shape = (1, -1, *([1] * (self._shape(flow).numel() and len(self._shape(flow)) - 2)))
        scale = (1.0 if weight is None else weight.double()) / torch.sqrt(variance.double() + eps)
        offset = (0.0 if bias is None else bias.double()) - scale * mean.double()
        wide = self._pointwise(torch.ops.aten.mul.Tensor, "mul", (flow, scale.reshape(shape)), {})
        return self._pointwise(torch.ops.aten.add.Tensor, "add", (wide, offset.reshape(shape)), {})

    @staticmethod
    def _shape(flow: Any) -> torch.Size:
        if isinstance(flow, Tensor):
            return flow.shape
        return flow.const.shape if isinstance(flow, _Sums) else flow.place.shape

    def _pointwise(self, target: Any, name: str, arguments: Any, keywords: Any) -> Any:
        """A function number by number: of one tensor, or of several at equal places."""
        flows = _flows((arguments, keywords))
        tensors = _tensors((arguments, keywords))
        shape = torch.broadcast_shapes(*[self._shape(flow) for flow in flows], *[t.shape for t in tensors])
        outside = all(isinstance(flow, _Given) for flow in flows)
        if outside and not (name in AFFINE and any(map(self._weighs, tensors))):
            return self._context(target, arguments, keywords)
        if name in ("add", "sub", "rsub") and len(flows) > 1:
            layers = {getattr(flow, "layer", 0) for flow in flows}
            bare = [f for f in flows if len(layers) > 1 or not getattr(f, "weighed", isinstance(f, _Neurons))]
            silent = {id(f) for f in bare if _is_silent(f)}
            if 0 < len(silent) < len(flows):
                arguments = self._with(
                    arguments, lambda flow: torch.zeros(self._shape(flow)) if id(flow) in silent else flow
                )
                return self._pointwise(target, name, arguments, keywords)
        if any(isinstance(flow, _Given) for flow in flows):
            if len(flows) > 1 and name not in ("add", "sub", "rsub") and not outside:
                raise OntogenyError(
                    f"the model does '{name}' on neurons together with its inputs: a connection that skips a layer, or "
                    "a product, is not a plain stack of layers"
                )
            flows_as = {id(flow): self.sums(flow) for flow in flows}
            arguments = self._with(arguments, lambda flow: flows_as[id(flow)])
            flows = _flows(arguments)
        linear = name in ("add", "sub", "rsub") or (name in AFFINE and len(flows) == 1)
        linear &= not (name == "div" and (flows[0] is not arguments[0] or keywords.get("rounding_mode")))
        if linear and all(isinstance(flow, _Sums) for flow in flows):
            return self._affine(target, name, arguments, keywords, shape)
        together = self._composed(target, name, arguments, keywords, shape, linear)
        if linear:

            def affine(of: Callable[[Any], _Sums] = self._sums_apart) -> _Sums:
                sums = {id(flow): of(flow) for flow in flows}
                return self._affine(target, name, self._with(arguments, lambda f: sums[id(f)]), keywords, shape)

            if together is None:
                return affine()
            if len(flows) == 1 and isinstance(flows[0], _Neurons):
                if name in ("mul", "div") and any(map(self._weighs, tensors)):
                    return replace(together, weighed=True, apart=lambda: affine(self.sums))
                if flows[0].apart:
                    return replace(together, apart=affine)
        if together is not None:
            return together
        levels = {flow.layer for flow in flows}
        if len(levels) > 1:
            raise OntogenyError(
                f"the model does '{name}' on values of two layers: a connection that skips a layer, or a product, is "
                "not a plain stack of layers"
            )
        raise OntogenyError(f"the model does '{name}' on values of different neurons: circuits need sums with weights")

    def _affine(self, target: Any, name: str, arguments: Any, keywords: Any, shape: torch.Size) -> _Sums:
        """Sums added, or scaled and moved by numbers.

        What is multiplied with weights once more and then added to others is the next layer's, see `_Sums`.
        """
        flows = _flows(arguments)
        level = self._level(flows, name, self._as_products)
        weights = [tensor for tensor in _tensors(arguments) if name in ("mul", "div") and self._weighs(tensor)]
        if name in ("mul", "div") and shape.numel() > flows[0].const.numel() and level[0].made:
            level = [self._as_neurons(level[0])]
        if weights and level[0].layer in self.doubled:
            raise _shared_by_two()
        rows = [one.row.expand(shape) for one in level]
        if any(not torch.equal(row, rows[0]) for row in rows):
            raise OntogenyError(f"the model mixes rows of x ('{name}')")

        def again(of: Callable[[_Sums], _Sums]) -> _Sums:
            parts = {id(flow): of(one) for flow, one in zip(flows, level)}
            return self._affine(target, name, self._with(arguments, lambda f: parts[id(f)]), keywords, shape)

        twice = any(one.spread for one in level)
        if _several(level, shape) and (twice or all(one.weighed for one in level)):
            return again(self._as_products)
        known = {id(flow): one for flow, one in zip(flows, level)}

        def run(of: Callable[[_Sums], Tensor], other: Callable[[Any], Any] = _double) -> Tensor:
            return target(*self._with(arguments, lambda flow: of(known[id(flow)]), other), **keywords).expand(shape)

        none = run(lambda flow: torch.zeros_like(flow.const))
        const = run(lambda flow: flow.const)

        def of_neuron(k: int) -> Callable[[_Sums], Tensor]:
            return lambda flow: flow.coef[k]

        def of_draw(k: int) -> Callable[[_Sums], Tensor]:
            return lambda flow: flow.own[k]

        coef = torch.stack([run(of_neuron(k)) - none for k in range(len(level[0].coef))])
        reach = torch.stack([one.reach.expand(len(one.reach), *shape) for one in level]).amax(dim=0)
        made = max(one.made for one in level)
        if not made and (len(level) > 1 or const.any() or not torch.equal(coef, level[0].coef)):
            made = "product"
        if name in ("mul", "div", "neg") and level[0].made:  # on another scale
            own = level[0].own.expand(DRAWS, *shape)
        else:
            numbers = [self._marked(k, False) for k in range(DRAWS)]
            idle = [run(lambda flow: torch.zeros_like(flow.const), other) for other in numbers]
            own = torch.stack([run(of_draw(k), numbers[k]) - idle[k] for k in range(DRAWS)])
        if len({one.weighed for one in level}) > 1:
            raise OntogenyError(
                f"the model does '{name}' on sums with weights and on the values that they are of, without weights, as "
                "a residual connection does: circuits consist of connections with weights"
            )
        weighed = level[0].weighed or bool(weights)
        trained = any(one.trained for one in level) or any(map(self.is_weight, weights))
        spread = None
        if twice or (weights and level[0].made):
            of = self._as_neurons if weights else self._as_products
            spread = lambda: again(of)  # noqa: E731
        return _Sums(level[0].layer, coef, reach, const, rows[0], made, own, weighed, trained, spread=spread)

    def _weighs(self, tensor: Tensor) -> bool:
        """Whether numbers are weights, or are made of what the model holds and not the same everywhere."""
        return self.is_weight(tensor) or (tensor.is_floating_point() and self.marks.holds(tensor))

    def _composed(
        self, target: Any, name: str, arguments: Any, keywords: Any, shape: torch.Size, linear: bool
    ) -> _Neurons | None:
        """A function of functions of the same sums, or None where the sums, or the numbers beside them, differ."""
        flows = _flows((arguments, keywords))
        base = next((flow for flow in flows if isinstance(flow, _Neurons)), None)
        if base is None:
            base = self.neurons(flows[0], name)
        place = base.place.expand(shape)
        n = len(base.bias)
        parts: dict[int, Callable[[Tensor], Tensor]] = {}
        alike = True
        for flow in flows:
            part = self._same_sums(base, flow, shape)
            if part is None:
                return None
            parts[id(flow)], one_function = part
            alike &= one_function
        first = torch.full((n,), -1, dtype=torch.long)
        flat = place.reshape(-1) % n
        first[flat.flip(0)] = torch.arange(len(flat) - 1, -1, -1)
        constants: dict[int, Tensor] = {}
        for leaf in tree_leaves((arguments, keywords)):
            if isinstance(leaf, Tensor):
                wide = leaf.expand(shape).reshape(-1)
                own = wide[first]
                if not torch.equal(own[flat], wide):
                    if linear:
                        return None
                    raise OntogenyError(f"the model does '{name}' with numbers that differ between rows")
                same = bool((own == own[0]).all())
                constants[id(leaf)] = own[0] if same else own
                alike &= same

        def after(sums: Tensor) -> Tensor:
            def leaf(value: Any) -> Any:
                if isinstance(value, Tensor):
                    own = constants[id(value)]
                    return own.to(sums.dtype) if own.is_floating_point() else own
                return parts[id(value)](sums) if isinstance(value, _FLOWS) else value

            return target(*tree_map(leaf, arguments), **tree_map(leaf, keywords))

        return replace(base, after=after, place=place, weighed=False, apart=None, alike=alike)

    def _same_sums(
        self, base: _Neurons, flow: Any, shape: torch.Size
    ) -> tuple[Callable[[Tensor], Tensor], bool] | None:
        """`flow` as a function of the sums of `base`, and whether it is one for all neurons, or None."""
        own = flow if isinstance(flow, _Neurons) else self.neurons(flow)
        if own.layer != base.layer or len(own.bias) != len(base.bias):
            return None
        if not torch.equal(own.place.expand(shape), base.place.expand(shape)):
            return None
        if own is not base and not _alike(own.own, base.own).all():
            return None
        n = max(len(own.weight), len(base.weight))
        one, two = _longer(base.weight, n), _longer(own.weight, n)
        at = one.abs().argmax(dim=0, keepdim=True)
        top = one.gather(0, at)[0]
        scale = torch.where(top != 0, two.gather(0, at)[0] / torch.where(top != 0, top, 1.0), 1.0)
        if not torch.allclose(two, one * scale, 1e-9, 1e-12):
            return None
        offset = own.bias - scale * base.bias
        if torch.allclose(scale, torch.ones_like(scale)) and offset.abs().max() < 1e-12:
            return own.after, own.alike
        scales = scale[0] if torch.allclose(scale, scale[:1], 1e-12, 0.0) else scale
        offset = torch.where(offset.abs() < 1e-12, 0.0, offset)
        offsets = offset[0] if torch.allclose(offset, offset[:1], 1e-12, 1e-12) else offset
        alike = own.alike and not scales.ndim and not offsets.ndim
        return lambda sums: own.after(sums * scales.to(sums.dtype) + offsets.to(sums.dtype)), alike

    def _alone(self, target: Any, arguments: Any, keywords: Any) -> bool:
        """Whether every number that an operation gives depends on the one at its place, alone."""
        points = torch.randn(7, 5, generator=torch.Generator().manual_seed(0)) * 2
        rest = arguments[1:]
        try:
            whole = target(points, *rest, **keywords)
            alone = [
                [target(points[r : r + 1, c : c + 1], *rest, **keywords)[0, 0] for c in range(5)] for r in range(7)
            ]
            return whole.shape == points.shape and bool(torch.allclose(whole, torch.tensor(alone), atol=1e-6))
        except (RuntimeError, TypeError, IndexError, AttributeError):
            return False

    # The end

    def finish(self, result: Any) -> Layers:
        """The layers up to `result`, what the model returns.

        Raises OntogenyError if it does not depend on x through dense layers, at least one of them hidden.
        """
        last = result.of if isinstance(result, _Shares) else result
        if isinstance(last, _Neurons) and not last.layer and (last.weighed or last.apart):
            last = self._sums_apart(last)
        if not isinstance(last, (_Sums, _Neurons)):
            raise OntogenyError(
                "the output does not depend on x through layers of neurons that PyTorch runs in float32"
            )
        if isinstance(last, _Sums):
            last = self.neurons(replace(last, made="map") if last.layer in self.doubled else last, "returning")
        widths = [len(self.inputs), *(len(level) for level in self.layers[: last.layer])]
        weights, reaches = [_longer(last.weight, widths[-1]).T], [_longer(last.reach, widths[-1]).T]
        biases, functions, fixed, mixed = [last.bias], list[Nonlinearity](), list[bool](), False
        for level, width in zip(self.layers[: last.layer][::-1], widths[-2::-1]):
            heard = reaches[0].any(dim=0)  # by any neuron that the outputs depend on
            weights[0], reaches[0] = weights[0][:, heard], reaches[0][:, heard]
            level = [neuron for neuron, used in zip(level, heard.tolist()) if used]
            known = torch.stack([neuron.flow.own[neuron.k] for neuron in level]).sort().values
            if _alike(known[1:], known[:-1]).any():
                raise _shared_by_two()
            weights.insert(0, torch.stack([_longer(neuron.flow.weight[:, neuron.k], width) for neuron in level]))
            reaches.insert(0, torch.stack([_longer(neuron.flow.reach[:, neuron.k], width) for neuron in level]))
            biases.insert(0, torch.stack([neuron.flow.bias[neuron.k] for neuron in level]))
            functions.insert(0, _together(level))
            fixed.insert(0, any(not neuron.flow.trained for neuron in level))
            mixed |= any(not neuron.flow.held for neuron in level)
        linear = [function.name == "identity" for function in functions]
        if mixed or any(one and any(linear[max(at - 1, 0) : at + 1]) for at, one in enumerate(fixed)):
            raise OntogenyError(
                "the model mixes neurons by fixed numbers before another layer: circuits are what is left where "
                "weights are set to 0, so make these numbers a parameter if they are weights"
            )
        if linear and linear[-1] and not last.trained:  # sums of the outputs, which all have the same neurons
            weights[-2:], biases[-2:] = [weights[-1] @ weights[-2]], [weights[-1] @ biases[-2] + biases[-1]]
            reaches[-2:] = [((reaches[-1] @ reaches[-2]) > 0).double()]
            functions.pop()
        if isinstance(result, _Shares):
            functions.append(Nonlinearity(None, function=_log_softmax if result.logarithm else _softmax, together=True))
        else:
            function, factors = _named(last)
            functions.append(function if (factors == 1).all() else _as_function(last))
        if len(weights) < 2:
            raise OntogenyError("the model has no hidden layer, so no circuits")
        columns = reaches[0].any(dim=0)
        weights[0], reaches[0] = weights[0][:, columns], reaches[0][:, columns]
        for layer, reach in enumerate(reaches):
            constant = ~reach.any(dim=1) & (layer == len(reaches) - 1)  # an output that is the same for all x
            if not (reach.all(dim=1) | constant).all():
                raise OntogenyError(
                    f"layer {layer + 1} is not connected to all of the layer before it: circuits are those of dense "
                    "layers"
                )
        return Layers(weights, biases, functions, torch.stack(self.inputs, dim=1)[:, columns], last.place)


def _together(neurons: Sequence[_Neuron]) -> Nonlinearity:
    """The function of a layer of neurons, each with its own."""
    first, places = neurons[0].function, [neuron.k for neuron in neurons]
    different = {(f.name, f.slope) if f.name else id(f) for f in (neuron.function for neuron in neurons)}
    if len(different) == 1 and (not first.each or places == list(range(first.each))):
        return first
    single = [neuron.function.of(neuron.k) for neuron in neurons]
    return Nonlinearity(
        None,
        function=lambda values: np.stack([f(values[..., k]) for k, f in enumerate(single)], axis=-1),
        each=len(neurons),
    )


def _softmax(values: NDArray[Any]) -> NDArray[Any]:
    grown = np.exp(values - np.max(values, axis=-1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=-1, keepdims=True))


def _log_softmax(values: NDArray[Any]) -> NDArray[Any]:
    moved = values - np.max(values, axis=-1, keepdims=True)
    return np.asarray(moved - np.log(np.exp(moved).sum(axis=-1, keepdims=True)))


def _as_function(flow: _Neurons) -> Nonlinearity:
    """What follows the sums of `flow`, in float32, as a function on arrays."""
    n = len(flow.bias)

    def function(values: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad():
            given = torch.as_tensor(np.ascontiguousarray(values, np.float32))
            return np.asarray(torch.as_tensor(flow.after(given)).to(torch.float32).numpy())

    return Nonlinearity(None, function=function, each=0 if flow.alike and _takes_any_number(function, n) else n)


def _takes_any_number(function: Callable[[NDArray[Any]], NDArray[Any]], n: int) -> bool:
    """Whether a function of n neurons takes others, and gives the same for all."""
    points = np.random.default_rng(0).normal(0, 3, 64)
    try:
        values = [function(np.repeat(points[:, None], m, axis=1)) for m in (n, n + 1)]
    except RuntimeError:
        return False
    wide = np.hstack(values)
    return np.array_equal(np.broadcast_to(wide[:, :1], wide.shape), wide, equal_nan=True)


def _scaled_and_moved(
    one: Callable[[Tensor], Tensor], other: Callable[[Tensor], Tensor], n: int
) -> tuple[Tensor, Tensor] | None:
    """Scale and offset (neurons,) that make the second function of the first, or None."""
    points = torch.as_tensor(_GRID)[:, None].expand(-1, n).contiguous()
    try:
        first, second = one(points).double(), other(points).double()
    except RuntimeError:
        return None
    low, high = first.argmin(dim=0, keepdim=True), first.argmax(dim=0, keepdim=True)
    apart = first.gather(0, high) - first.gather(0, low)
    if first.shape != points.shape or second.shape != points.shape or not (apart > 0).all():
        return None
    scale = (second.gather(0, high) - second.gather(0, low)) / apart
    near = first.abs().argmin(dim=0, keepdim=True)
    offset = second.gather(0, near) - scale * first.gather(0, near)
    offset = torch.where(offset.abs() < 1e-12, 0.0, offset)
    return (scale[0], offset[0]) if torch.allclose(second, scale * first + offset, 1e-9, 1e-9) else None


def _is_silent(flow: Any) -> bool:
    """Whether numbers are 0 whatever is masked, as those of a branch with a weight of 0."""
    if isinstance(flow, _Given):
        return not flow.values.any()
    if isinstance(flow, _Sums):
        return not (flow.coef.any() or flow.const.any())
    points = torch.as_tensor(_GRID, dtype=torch.float32)[:, None].expand(-1, len(flow.bias))
    return not flow.after(points).any()


def _is_real(flow: _Neurons) -> bool:
    """Whether values are numbers, not integers or whether something is so."""
    return flow.after(torch.zeros(1, len(flow.bias))).is_floating_point()


def _is_linear(target: Any, arguments: Any, keywords: Any) -> bool:
    """Whether an operation gives twice as much for twice the numbers that x is."""

    def run(factor: int) -> list[Tensor]:
        def times(leaf: Any) -> Any:
            return leaf.values * factor if isinstance(leaf, _Given) else leaf

        return _tensors(target(*tree_map(times, arguments), **tree_map(times, keywords)))[:1]

    return all(one.is_floating_point() and torch.allclose(2 * one, two) for one, two in zip(run(1), run(2)))


def _shared_by_two() -> OntogenyError:
    return OntogenyError("a linear map feeds two functions, so that its weights are shared by two neurons")


def _dense(value: Any) -> Any:
    return value.to_dense() if isinstance(value, Tensor) and value.layout != torch.strided else value


def _same(one: _Neurons, other: _Neurons) -> bool:
    """Whether neurons are computed twice: the same functions of the same sums."""
    if not (torch.equal(one.weight, other.weight) and torch.equal(one.bias, other.bias)):
        return False
    points = torch.as_tensor(_GRID, dtype=torch.float32)[:, None].expand(-1, len(one.bias))
    return torch.equal(one.after(points), other.after(points))


_POINTS = 3 * torch.randn(601, generator=torch.Generator().manual_seed(0))
_GRID = np.concatenate([-np.logspace(-3, 6, 60)[::-1], [0.0], np.logspace(-3, 6, 60), np.linspace(-25, 25, 401)])


def _named(flow: _Neurons) -> tuple[Nonlinearity, NDArray[np.float64]]:
    """The function of neurons by name, with a factor for each (neurons,), or as it is with factors of 1."""
    n = len(flow.bias)
    with torch.no_grad():
        points = torch.as_tensor(_GRID)[:, None].expand(-1, n).contiguous()
        try:
            after = flow.after(points)
        except RuntimeError:
            after = flow.after(points.float())
        values = after.double().numpy()
    found = values[:, 0]
    if values.shape == (len(_GRID), n) and np.isfinite(values).all():
        up, down = int(np.abs(_GRID - 1.25).argmin()), int(np.abs(_GRID + 1.25).argmin())
        for kind in ("identity", "relu", "leaky_relu", "tanh", "sigmoid", "elu", "gelu", "silu", "softplus"):
            slopes = [0.01]
            if kind in ("leaky_relu", "elu") and found[up]:
                below = _GRID[down] if kind == "leaky_relu" else np.expm1(_GRID[down])
                slopes = [float(found[down] / found[up] * _GRID[up] / below)]
            for slope in slopes:
                if not 0 <= slope <= 1:
                    continue
                rounded = round(slope, 12)
                with np.errstate(over="ignore"):
                    plain = activate(_GRID, KINDS.index(kind), rounded)
                factors = values[up] / plain[up]
                if (factors != 0).all() and np.allclose(values, plain[:, None] * factors, rtol=2e-6, atol=1e-6):
                    near = np.round(factors, 6)
                    factors = np.where(np.abs(factors - near) < 1e-7, near, factors)
                    return Nonlinearity(kind, rounded), factors
    return _as_function(flow), np.ones(n)
