"""Functions number by number: what happens to a neuron between two linear maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from ontogeny.circuits.flows import FLOWS, Given, Neurons, Sums, flows_in, rows_unlike, shape_of, tensors_in
from ontogeny.circuits.naming import POINTS, is_silent
from ontogeny.circuits.operations import AFFINE
from ontogeny.circuits.weighing import Weighing
from ontogeny.errors import OntogenyError


class Pointwise(Weighing):
    """A stack on which functions number by number are done."""

    def _pointwise(self, target: Any, name: str, arguments: Any, keywords: Any) -> Any:
        """A function number by number: of one tensor, or of several at equal places."""
        flows = flows_in((arguments, keywords))
        tensors = tensors_in((arguments, keywords))
        shape = torch.broadcast_shapes(*[shape_of(flow) for flow in flows], *[t.shape for t in tensors])
        outside = all(isinstance(flow, Given) for flow in flows)
        if outside and not (name in AFFINE and any(map(self._weighs, tensors))):
            return self._context(target, arguments, keywords)
        if name in ("add", "sub", "rsub") and len(flows) > 1:
            layers = {getattr(flow, "layer", 0) for flow in flows}
            bare = [f for f in flows if len(layers) > 1 or not getattr(f, "weighed", isinstance(f, Neurons))]
            silent = {id(f) for f in bare if is_silent(f)}
            if 0 < len(silent) < len(flows):
                arguments = self._with(
                    arguments, lambda flow: torch.zeros(shape_of(flow)) if id(flow) in silent else flow
                )
                return self._pointwise(target, name, arguments, keywords)
        if any(isinstance(flow, Given) for flow in flows):
            if len(flows) > 1 and name not in ("add", "sub", "rsub") and not outside:
                raise OntogenyError(
                    f"the model does '{name}' on neurons together with its inputs: a connection that skips a layer, or "
                    "a product, is not a plain stack of layers"
                )
            flows_as = {id(flow): self.sums(flow) for flow in flows}
            arguments = self._with(arguments, lambda flow: flows_as[id(flow)])
            flows = flows_in(arguments)
        linear = name in ("add", "sub", "rsub") or (name in AFFINE and len(flows) == 1)
        linear &= not (name == "div" and (flows[0] is not arguments[0] or keywords.get("rounding_mode")))
        if linear and all(isinstance(flow, Sums) for flow in flows):
            return self._affine(target, name, arguments, keywords, shape)
        together = self._composed(target, name, arguments, keywords, shape, linear)
        if linear:

            def affine(of: Callable[[Any], Sums] = self._sums_apart) -> Sums:
                sums = {id(flow): of(flow) for flow in flows}
                return self._affine(target, name, self._with(arguments, lambda f: sums[id(f)]), keywords, shape)

            if together is None:
                return affine()
            if len(flows) == 1 and isinstance(flows[0], Neurons):
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

    def _composed(
        self, target: Any, name: str, arguments: Any, keywords: Any, shape: torch.Size, linear: bool
    ) -> Neurons | None:
        """A function of functions of the same sums, or None where the sums, or the numbers beside them, differ."""
        flows = flows_in((arguments, keywords))
        base = next((flow for flow in flows if isinstance(flow, Neurons)), None)
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
                return parts[id(value)](sums) if isinstance(value, FLOWS) else value

            return target(*tree_map(leaf, arguments), **tree_map(leaf, keywords))

        return replace(base, after=after, place=place, weighed=False, apart=None, alike=alike)

    def composed(self, flow: Any, function: Callable[[Tensor], Tensor], constants: Sequence[Tensor]) -> Neurons:
        """What a function number by number makes of a flow; it takes tensors of the flow's shape only.

        constants: tensors in the function. Raises OntogenyError if it does not treat the rows of x alike.
        """
        before = flow if isinstance(flow, Neurons) else self.neurons(self.sums(flow), "identity")
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

        points = POINTS[:, None, None].expand(-1, self.rows, n)
        values = after(points).nan_to_num(nan=0.123)
        if not torch.equal(values, values[:, :1].expand(-1, self.rows, n)):
            raise rows_unlike()
        alike = before.alike and not any(n in one.shape and one.unique().numel() > 1 for one in constants)
        alike &= torch.equal(values, values[..., :1].expand(-1, self.rows, n))
        return replace(before, after=after, place=place, weighed=False, apart=None, alike=alike)

    def _context(self, target: Any, arguments: Any, keywords: Any) -> Any:
        """An operation on x before the first layer: its result is part of what that layer gets."""

        def known(value: Any) -> Any:
            if not isinstance(value, Tensor) or (self.rows > 1 and (not value.ndim or len(value) != self.rows)):
                return value
            source = value.reshape(self.rows, -1)
            return Given(source, torch.arange(source.numel()).reshape(value.shape))

        value = target(*self._with(arguments, lambda f: f.values), **self._with(keywords, lambda f: f.values))
        return type(value)(map(known, value)) if isinstance(value, (tuple, list)) else known(value)

    def _normalised(self, arguments: Any) -> Any:
        """Batch normalisation by running statistics: input, weight, bias, mean, variance, ..., eps last."""
        flow, weight, bias, mean, variance = arguments[:5]
        eps = next(float(a) for a in reversed(arguments) if isinstance(a, float))
        if mean is None or variance is None:
            raise OntogenyError("batch normalisation without running statistics mixes rows: it cannot be read")
        shape = (1, -1, *([1] * (shape_of(flow).numel() and len(shape_of(flow)) - 2)))
        scale = (1.0 if weight is None else weight.double()) / torch.sqrt(variance.double() + eps)
        offset = (0.0 if bias is None else bias.double()) - scale * mean.double()
        wide = self._pointwise(torch.ops.aten.mul.Tensor, "mul", (flow, scale.reshape(shape)), {})
        return self._pointwise(torch.ops.aten.add.Tensor, "add", (wide, offset.reshape(shape)), {})
