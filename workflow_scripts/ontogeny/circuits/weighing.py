"""Linear maps: neurons weighed and added up by one operation, or product by product."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ontogeny.circuits.flows import (
    Sums,
    adds_other_numbers,
    flows_in,
    in_double,
    longer,
    ones_for,
    ratio_of,
    rows_unlike,
    shared_by_two,
    tensors_in,
)
from ontogeny.circuits.marks import DRAWS
from ontogeny.circuits.operations import REDUCTIONS
from ontogeny.circuits.stacking import Stack
from ontogeny.errors import OntogenyError

_ADD_FIRST = {"addmm", "addmv", "addbmm", "baddbmm"}  # the first of their tensors is added, as a bias is


class Weighing(Stack):
    """A stack on which linear maps are done."""

    def _mapped(self, target: Any, name: str, arguments: Any, keywords: Any, apart: bool = False) -> Sums:
        """A linear map with fixed weights; apart: of inputs each of which is there once."""
        flows = flows_in((arguments, keywords))
        if len({id(flow) for flow in flows}) > 1:
            raise OntogenyError(f"the model multiplies values that depend on x with each other ('{name}')")
        flow = self._sums_apart(flows[0]) if name in REDUCTIONS else self.sums(flows[0])
        if flow.layer in self.doubled:
            raise shared_by_two()
        if len(flow.row.unique()) < self.rows:
            raise rows_unlike()
        if flow.made and name not in REDUCTIONS:
            flow = self._rescaled(flow) or self._as_neurons(flow)
        keywords = {key: value for key, value in keywords.items() if key != "dtype"}

        def run(value: Tensor, other: Callable[[Any], Any] = in_double) -> Tensor:
            return target(*self._with(arguments, lambda _: value, other), **keywords)

        nothing = torch.zeros_like(flow.const)
        none, idle = run(nothing), run(nothing, ones_for)
        const = run(flow.const)
        coef = torch.stack([run(one) - none for one in flow.coef])
        gains = torch.rand(flow.const.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.5
        if name in REDUCTIONS:
            gains = 1 + (97 * ratio_of(flow.own).nan_to_num()).sin() / 2
        ways = [torch.stack([run(one * gains**power, ones_for) - idle for one in flow.reach]) for power in (1, 2, 3)]
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
        tensors = tensors_in((arguments, keywords))
        added = tensors[:1] if name in _ADD_FIRST and isinstance(arguments[0], Tensor) else []
        weighed = any(map(self._weighs, tensors)) or (name in REDUCTIONS and flow.weighed)
        trained = any(map(self.is_weight, tensors[len(added) :])) or (name in REDUCTIONS and flow.trained)
        spread = None
        if flow.spread and name in REDUCTIONS:
            later = flow.spread
            spread = lambda: self._mapped(target, name, self._with(arguments, lambda _: later()), keywords)  # noqa: E731
        row = self._rows(run, none, flow, name)
        return Sums(flow.layer, coef, reach, const, row, "map", own, weighed, trained, spread=spread)

    def _rows(self, run: Callable[[Tensor], Tensor], none: Tensor, flow: Sums, name: str) -> Tensor:
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

    def _affine(self, target: Any, name: str, arguments: Any, keywords: Any, shape: torch.Size) -> Sums:
        """Sums added, or scaled and moved by numbers.

        What is multiplied with weights once more and then added to others is the next layer's, see `Sums`.
        """
        flows = flows_in(arguments)
        level = self._level(flows, name, self._as_products)
        weights = [tensor for tensor in tensors_in(arguments) if name in ("mul", "div") and self._weighs(tensor)]
        if name in ("mul", "div") and shape.numel() > flows[0].const.numel() and level[0].made:
            level = [self._as_neurons(level[0])]
        if weights and level[0].layer in self.doubled:
            raise shared_by_two()
        rows = [one.row.expand(shape) for one in level]
        if any(not torch.equal(row, rows[0]) for row in rows):
            raise OntogenyError(f"the model mixes rows of x ('{name}')")

        def again(of: Callable[[Sums], Sums]) -> Sums:
            parts = {id(flow): of(one) for flow, one in zip(flows, level)}
            return self._affine(target, name, self._with(arguments, lambda f: parts[id(f)]), keywords, shape)

        twice = any(one.spread for one in level)
        if adds_other_numbers(level, shape) and (twice or all(one.weighed for one in level)):
            return again(self._as_products)
        known = {id(flow): one for flow, one in zip(flows, level)}

        def run(of: Callable[[Sums], Tensor], other: Callable[[Any], Any] = in_double) -> Tensor:
            return target(*self._with(arguments, lambda flow: of(known[id(flow)]), other), **keywords).expand(shape)

        none = run(lambda flow: torch.zeros_like(flow.const))
        const = run(lambda flow: flow.const)

        def of_neuron(k: int) -> Callable[[Sums], Tensor]:
            return lambda flow: flow.coef[k]

        def of_draw(k: int) -> Callable[[Sums], Tensor]:
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
        return Sums(level[0].layer, coef, reach, const, rows[0], made, own, weighed, trained, spread=spread)

    def _level(self, flows: Sequence[Sums], name: str, lifted: Callable[[Sums], Sums] | None = None) -> list[Sums]:
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
        return [replace(f, coef=longer(f.coef, n), reach=longer(f.reach, n)) for f in flows]
