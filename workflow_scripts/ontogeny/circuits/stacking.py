"""Layers of neurons that a model has made so far, and one kind of tensor as another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from ontogeny.circuits.flows import (
    FLOWS,
    Given,
    Neuron,
    Neurons,
    Sums,
    alike_numbers,
    longer,
    ratio_of,
    rows_unlike,
    shared_by_two,
)
from ontogeny.circuits.marks import Marks, drawn
from ontogeny.circuits.naming import named_function, same_neurons, scaled_and_moved
from ontogeny.errors import OntogenyError


class Stack:
    """What is known of a run of a model on x (rows, inputs): its inputs, and layer by layer its neurons."""

    def __init__(self, x: Tensor, is_weight: Callable[[Tensor], bool], biases: bool = True) -> None:
        """biases: numbers put beside those of x before the first layer are weighed as biases, and are no inputs."""
        self.rows, self.is_weight, self.biases = len(x), is_weight, biases
        self.beside = False  # whether there were any
        self.inputs: list[Tensor] = []
        self.sources: list[tuple[Tensor, int]] = []
        self.layers: list[list[Neuron]] = []
        self.marks = Marks()
        self.closed: list[tuple[Any, int, Tensor, Tensor]] = []
        self.as_neurons: list[tuple[Sums, Sums]] = []
        self.doubled: set[int] = set()

    def given(self, x: Tensor) -> Given:
        """x (rows, columns) as what the model gets."""
        return Given(x, torch.arange(x.numel()).reshape(x.shape))

    def hold(self, tensor: Tensor) -> None:
        """Take note of a tensor that the model has, which may be weights."""
        if tensor.dtype == torch.bool or tensor.is_complex():
            return
        if self.is_weight(tensor) or tensor.unique().numel() > 1:
            self.marks.begin(tensor)

    def sums(self, flow: Any) -> Sums:
        """Any flow as sums, of inputs or of the neurons of a layer, which is closed if it was not."""
        if isinstance(flow, Sums):
            return flow
        if isinstance(flow, Given):
            return self._of_inputs(flow)
        return self._of_neurons(flow)

    def _of_inputs(self, flow: Given) -> Sums:
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
        return Sums(0, coef, coef, const, flow.place // n, "", own[:, column])

    def _of_neurons(self, flow: Neurons) -> Sums:
        if flow.shared:
            raise shared_by_two()
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
        return Sums(layer, coef, (coef != 0).double(), const, flow.place // n, "", own[:, flow.place % n])

    def _closed(self, flow: Neurons, neurons: list[Neuron]) -> tuple[Any, int, Tensor, Tensor]:
        """Where the neurons of a flow begin in their layer, and the scale and offset that make its numbers of them.

        Raises OntogenyError if other neurons of the layer have the same sums and are no more than scaled and moved.
        """
        n = len(flow.bias)
        alike: tuple[Tensor, Tensor] | None = (torch.ones(n).double(), torch.zeros(n).double())
        begins = {id(neuron.flow): (at - neuron.k, neuron.flow) for at, neuron in enumerate(neurons)}
        for start, other in begins.values():
            if (part := self._same_sums(other, flow, other.place.shape)) is not None:
                if not same_neurons(other, flow):
                    alike = scaled_and_moved(other.after, part[0], n)
                    if alike is None or alike[1].any() or any(one.weighed or one.scaled for one in (flow, other)):
                        self.doubled.add(flow.layer + 1)
                if alike is None:
                    raise shared_by_two()
                return flow.after, start, *alike
        function, factors = named_function(flow)
        start = len(neurons)
        neurons += [Neuron(flow, k, float(factors[k]), function) for k in range(n)]
        return flow.after, start, torch.ones(n).double(), torch.zeros(n).double()

    def neurons(self, flow: Sums, name: str = "identity") -> Neurons:
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
        own = ratio_of(flow.own).reshape(-1)[order].reshape(self.rows, per_row)
        ordered = own.sort(dim=1).values
        shared = bool(alike_numbers(ordered[:, 1:], ordered[:, :-1]).any())
        if shared and flow.spread:
            return self.neurons(flow.spread(), name)
        place = place.reshape(flow.row.shape)
        scaled = flow.spread is not None
        parts = (flow.layer, coef[:, 0], reach, const[0], own[0], lambda sums: sums, place, shared, scaled)
        return Neurons(*parts, held=flow.weighed, trained=flow.trained)

    def _as_neurons(self, flow: Sums) -> Sums:
        """Sums as neurons without a function, the same ones whenever they are asked for."""
        if flow.closed:
            return flow.closed()
        known = next((neurons for sums, neurons in self.as_neurons if sums is flow), None)
        if known is None:
            inputs = self._rescaled(flow) if not flow.layer else None
            known = inputs or (self.sums(self.neurons(flow)) if flow.made else flow)
            self.as_neurons.append((flow, known))
        return known

    def _as_products(self, flow: Sums) -> Sums:
        return flow.spread() if flow.spread else self._as_neurons(flow)

    def _rescaled(self, flow: Sums) -> Sums | None:
        """Sums of one neuron each, as those neurons on another scale, or None; inputs on it are new inputs."""
        used = (flow.coef != 0).reshape(len(flow.coef), -1)
        if flow.made != "product" or (used.sum(0) > 1).any() or (used.sum(1) > self.rows).any():
            return None
        if flow.layer:
            return None if flow.const.any() else flow
        return self._apart(flow)

    def _apart(self, flow: Sums) -> Sums:
        """Sums of one input each as inputs of their own: one that is there twice is two."""
        order = torch.argsort(flow.row.reshape(-1), stable=True)
        place = torch.empty(len(order), dtype=torch.long)
        place[order] = torch.arange(len(order))
        if len(order) % self.rows or (torch.bincount(flow.row.reshape(-1)) != len(order) // self.rows).any():
            raise rows_unlike()
        known = torch.stack(self.inputs, dim=1)[flow.row.reshape(-1)]
        coef = longer(flow.coef, len(self.inputs))
        values = (coef.reshape(len(coef), -1).T * known).sum(1) + flow.const.reshape(-1)
        values = values[order].reshape(self.rows, -1)
        return self.sums(Given(values, place.reshape(flow.row.shape)))

    def _sums_apart(self, flow: Any) -> Sums:
        """Any flow as sums, with what was added after its weights, as a bias is, outside of the neurons."""
        return flow.apart() if isinstance(flow, Neurons) and flow.apart else self.sums(flow)

    def _same_sums(self, base: Neurons, flow: Any, shape: torch.Size) -> tuple[Callable[[Tensor], Tensor], bool] | None:
        """`flow` as a function of the sums of `base`, and whether it is one for all neurons, or None."""
        own = flow if isinstance(flow, Neurons) else self.neurons(flow)
        if own.layer != base.layer or len(own.bias) != len(base.bias):
            return None
        if not torch.equal(own.place.expand(shape), base.place.expand(shape)):
            return None
        if own is not base and not alike_numbers(own.own, base.own).all():
            return None
        n = max(len(own.weight), len(base.weight))
        one, two = longer(base.weight, n), longer(own.weight, n)
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

    def _weighs(self, tensor: Tensor) -> bool:
        """Whether numbers are weights, or are made of what the model holds and not the same everywhere."""
        return self.is_weight(tensor) or (tensor.is_floating_point() and self.marks.holds(tensor))

    def _marked(self, k: int, others: bool = True) -> Callable[[Any], Any]:
        """What gives the k-th of the numbers that stand for weights, or others of a tensor, and the rest as it is."""

        def mark(value: Any) -> Any:
            if not isinstance(value, Tensor) or not value.is_floating_point():
                return value
            own = self.marks.of(value) if others or self._weighs(value) else None
            return value.double() if own is None else own[k]

        return mark

    @staticmethod
    def _with(arguments: Any, of: Callable[[Any], Any], other: Callable[[Any], Any] = lambda value: value) -> Any:
        return tree_map(lambda leaf: of(leaf) if isinstance(leaf, FLOWS) else other(leaf), arguments)
