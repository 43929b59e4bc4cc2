"""A PyTorch model followed while it runs, operation by operation, and told as layers of neurons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from ontogeny.circuits.flows import (
    FLOWS,
    Drawn,
    Given,
    Neurons,
    Shares,
    Sums,
    alike_numbers,
    flows_in,
    longer,
    refused,
    shape_of,
    shared_by_two,
    tensors_in,
)
from ontogeny.circuits.functions import Nonlinearity
from ontogeny.circuits.moving import WRITTEN, Moving
from ontogeny.circuits.naming import GRID, as_function, function_of_layer, log_softmax, named_function, softmax
from ontogeny.circuits.operations import CONTRACTIONS, MADE, MOVES, POINTWISE, REDUCTIONS, name_of
from ontogeny.errors import OntogenyError

_SPARSE = {"_sparse_addmm": torch.ops.aten.addmm.default, "_sparse_mm": torch.ops.aten.mm.default}
_DRAWS = {"rand", "randn", "rand_like", "randn_like"}
_SHARED = {"_softmax", "_log_softmax", "softmax", "log_softmax"}


class Layers(NamedTuple):
    """Weights (neurons, before), biases (neurons,) and functions of all layers, what the first one gets (rows, inputs),
    and the place of every output of the model among (rows, outputs)."""

    weights: list[Tensor]
    biases: list[Tensor]
    functions: list[Nonlinearity]
    inputs: Tensor
    place: Tensor


class Reader(Moving):
    """What one run of a model does to x (rows, inputs), step by step."""

    def step(self, target: Any, arguments: Sequence[Any], keywords: dict[str, Any]) -> Any:
        """What an operation makes of the flows among its arguments. Raises OntogenyError where it is none of ours."""
        name = name_of(target).rstrip("_") or str(target)
        flows = flows_in((arguments, keywords))
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
            return Drawn(torch.Size(like) if isinstance(like, (list, tuple)) else shape_of(like), name)
        random = [leaf for leaf in tree_leaves((arguments, keywords)) if isinstance(leaf, Drawn)]
        if random and name in ("mul", "div", "add", "sub", "neg") and not flows:
            shape = torch.broadcast_shapes(*(one.shape for one in random), *(t.shape for t in tensors_in(arguments)))
            numbers = [leaf for leaf in arguments if not isinstance(leaf, Drawn)]
            silent = name == "mul" and any(not torch.as_tensor(one).any() for one in numbers)
            return torch.zeros(shape) if silent else Drawn(shape, random[0].by)
        if random or torch.Tag.nondeterministic_seeded in getattr(target, "tags", ()):
            by = random[0].by if random else name
            raise OntogenyError(f"the model draws random numbers ('{by}'), so that two runs of it need not agree")
        if not flows:
            value = target(*arguments, **keywords)
            self.marks.follow(target, name, arguments, keywords, value)
            return value
        if name in _SPARSE:
            target, name, arguments = _SPARSE[name], name.removeprefix("_sparse_"), tree_map(_dense, arguments)
        if any(isinstance(flow, Shares) for flow in flows):
            of, takes_some = flows[0], name in ("select", "slice", "index")
            if len(flows) == 1 and takes_some and (one := self._share(target, name, arguments)):
                return one
            if len(flows) == 1 and name in MOVES and not takes_some:
                return of
            if len(flows) == 1 and (name in _SHARED or (name == "exp" and of.logarithm)):
                return Shares(of.of, "log" in name)
            raise OntogenyError(f"the model does '{name}' after a softmax: return what softmax is taken of")
        if name in MADE:
            return target(*self._with(arguments, lambda flow: torch.zeros(shape_of(flow))), **keywords)
        if name == "nansum":
            if not all(map(self._is_finite, flows)):
                raise OntogenyError("the model does 'nansum' on values that may be NaN: write it with torch.where")
            target, name = torch.ops.aten.sum.dim_IntList, "sum"
            arguments = (arguments[0], None) if len(arguments) == 1 else arguments
        if name == "_trilinear" and len(flows) == 1:
            return self._trilinear(*arguments)
        if name in ("index_add", "scatter_add") and flows_in(arguments) == flows_in(arguments[3:4]):
            return self._added_at(target, arguments, keywords)
        if name in ("_embedding_bag", "_embedding_bag_forward_only") and flows == flows_in(arguments[6:7]):
            if arguments[4] != 0:
                raise refused(name)
            weights, *between = arguments[:6]
            rest = arguments[7:]

            def bag(weights: Tensor, value: Tensor) -> Tensor:
                return target(weights, *between, value, *rest, **keywords)[0]

            return (self._mapped(bag, "linear", (weights, arguments[6]), {}), None, None, None)
        if name == "log_sigmoid_forward":
            return (self._pointwise(torch.nn.functional.logsigmoid, name, arguments[:1], {}), None)
        if name == "copy":
            return self._moved(torch.ops.aten.expand.default, "expand", (arguments[1], shape_of(arguments[0])), {})
        if name in WRITTEN and not flows_in([a for at, a in enumerate(arguments) if at not in (0, WRITTEN[name])]):
            return self._written(target, name, arguments, keywords)
        if name == "constant_pad_nd":
            self.beside |= isinstance(arguments[0], Given)
            if self.biases or not isinstance(arguments[0], Given):
                return self._padded(*arguments)
        if name in MOVES:
            return self._moved(target, name, arguments, keywords)
        if "batch_norm" in name:
            return (self._normalised(arguments), None, None)
        if name in CONTRACTIONS or name in REDUCTIONS or self._covers_all(name, arguments):
            outside = all(isinstance(flow, Given) for flow in flows)
            outside &= len(flows) > 1 or not any(map(self._weighs, tensors_in((arguments, keywords))))
            if outside:
                return self._context(target, arguments, keywords)
            return self._mapped(target, name, arguments, keywords)
        if torch.Tag.pointwise in getattr(target, "tags", ()) or name in POINTWISE:
            return self._pointwise(target, name, arguments, keywords)
        if all(isinstance(flow, Given) for flow in flows):
            tensors = tensors_in((arguments, keywords))
            weighs = any(map(self.is_weight, tensors)) or (
                any(map(self._weighs, tensors)) and _is_linear(target, arguments, keywords)
            )
            if "norm" not in name and weighs:
                raise refused(name)
            return self._context(target, arguments, keywords)
        if name in _SHARED:
            return Shares(flows[0], "log" in name)
        if len(flows) == 1 and isinstance(arguments[0], (Sums, Neurons)) and self._alone(target, arguments, keywords):
            return self._pointwise(target, name, arguments, keywords)
        raise refused(name)

    def _trilinear(self, *arguments: Any) -> Any:
        """Products of three tensors, two of them fixed, summed over some axes: `torch.bilinear`."""
        wide: list[Any] = list(arguments[:3])
        for at, axes in enumerate(arguments[3:6]):
            for axis in axes:
                wide[at] = self.step(torch.ops.aten.unsqueeze.default, (wide[at], axis), {})
        flow = next(one for one in wide if isinstance(one, FLOWS))
        first, second = (one for one in wide if one is not flow)
        factor = self.step(torch.ops.aten.mul.Tensor, (first, second), {})
        product = self.step(torch.ops.aten.mul.Tensor, (flow, factor), {})
        return self.step(torch.ops.aten.sum.dim_IntList, (product, list(arguments[6])), {})

    def _added_at(self, target: Any, arguments: Sequence[Any], keywords: dict[str, Any]) -> Any:
        """Numbers of a flow added to those of a fixed tensor, at places that are fixed."""
        into, axis, places, flow, *_ = arguments
        if keywords.get("alpha", 1) != 1:
            raise refused("index_add")
        nothing = torch.zeros(into.shape, dtype=torch.float64)

        def added(value: Tensor) -> Tensor:
            return target(nothing.to(value.dtype), axis, places, value)

        if (added(torch.ones(shape_of(flow))) <= 1).all():
            put = torch.ops.aten.index_copy.default if name_of(target) == "index_add" else torch.ops.aten.scatter.src
            made = self.step(put, (torch.zeros_like(into), axis, places, flow), {})
        else:
            made = self._mapped(added, "sum", (flow,), {})
        return self.step(torch.ops.aten.add.Tensor, (made, into), {}) if into.any() else made

    def _is_finite(self, flow: Any) -> bool:
        """Whether no number of a flow can be NaN or infinite."""
        if isinstance(flow, Given):
            return bool(flow.values.isfinite().all())
        if isinstance(flow, Neurons):
            points = torch.as_tensor(GRID, dtype=torch.float32)[:, None].expand(-1, len(flow.bias))
            return bool(flow.after(points).isfinite().all())
        level = self.layers[flow.layer - 1] if flow.layer else []
        return all(self._is_finite(neuron.flow) for neuron in level)

    def _share(self, target: Any, name: str, arguments: Sequence[Any]) -> Neurons | None:
        """The share of one of two outputs, which is the sigmoid of their difference, or None."""
        shares: Shares = arguments[0]
        if not isinstance(shares.of, Sums):
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
        if name != "convolution" or not isinstance(arguments[0], FLOWS) or arguments[8] != 1:
            return False
        shape, kernel = shape_of(arguments[0]), arguments[1].shape
        return len(shape) == len(kernel) and shape[2:] == kernel[2:] and not any(arguments[4])

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

    def finish(self, result: Any) -> Layers:
        """The layers up to `result`, what the model returns.

        Raises OntogenyError if it does not depend on x through dense layers, at least one of them hidden.
        """
        last = result.of if isinstance(result, Shares) else result
        if isinstance(last, Neurons) and not last.layer and (last.weighed or last.apart):
            last = self._sums_apart(last)
        if not isinstance(last, (Sums, Neurons)):
            raise OntogenyError(
                "the output does not depend on x through layers of neurons that PyTorch runs in float32"
            )
        if isinstance(last, Sums):
            last = self.neurons(replace(last, made="map") if last.layer in self.doubled else last, "returning")
        widths = [len(self.inputs), *(len(level) for level in self.layers[: last.layer])]
        weights, reaches = [longer(last.weight, widths[-1]).T], [longer(last.reach, widths[-1]).T]
        biases, functions, fixed, mixed = [last.bias], list[Nonlinearity](), list[bool](), False
        for level, width in zip(self.layers[: last.layer][::-1], widths[-2::-1]):
            heard = reaches[0].any(dim=0)  # by any neuron that the outputs depend on
            weights[0], reaches[0] = weights[0][:, heard], reaches[0][:, heard]
            level = [neuron for neuron, used in zip(level, heard.tolist()) if used]
            known = torch.stack([neuron.flow.own[neuron.k] for neuron in level]).sort().values
            if alike_numbers(known[1:], known[:-1]).any():
                raise shared_by_two()
            weights.insert(0, torch.stack([longer(neuron.flow.weight[:, neuron.k], width) for neuron in level]))
            reaches.insert(0, torch.stack([longer(neuron.flow.reach[:, neuron.k], width) for neuron in level]))
            biases.insert(0, torch.stack([neuron.flow.bias[neuron.k] for neuron in level]))
            functions.insert(0, function_of_layer(level))
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
        if isinstance(result, Shares):
            functions.append(Nonlinearity(None, function=log_softmax if result.logarithm else softmax, together=True))
        else:
            function, factors = named_function(last)
            functions.append(function if (factors == 1).all() else as_function(last))
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


def _is_linear(target: Any, arguments: Any, keywords: Any) -> bool:
    """Whether an operation gives twice as much for twice the numbers that x is."""

    def run(factor: int) -> list[Tensor]:
        def times(leaf: Any) -> Any:
            return leaf.values * factor if isinstance(leaf, Given) else leaf

        return tensors_in(target(*tree_map(times, arguments), **tree_map(times, keywords)))[:1]

    return all(one.is_floating_point() and torch.allclose(2 * one, two) for one, two in zip(run(1), run(2)))


def _dense(value: Any) -> Any:
    return value.to_dense() if isinstance(value, Tensor) and value.layout != torch.strided else value
