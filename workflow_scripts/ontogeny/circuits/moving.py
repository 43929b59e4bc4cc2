"""Numbers put elsewhere: reshaped, chosen, put together, padded and written into others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from ontogeny.circuits.flows import FLOWS, Given, Neurons, Sums, flows_in, longer, refused, shape_of
from ontogeny.circuits.marks import DRAWS
from ontogeny.circuits.naming import is_real
from ontogeny.circuits.pointwise import Pointwise
from ontogeny.errors import OntogenyError

WRITTEN = {"select_scatter": 1, "slice_scatter": 1, "index_put": 2, "index_copy": 3, "scatter": 3}
"""Operations that write into a tensor, with the place of what they write among their arguments."""


class Moving(Pointwise):
    """A stack whose numbers may be moved."""

    def _moved(self, target: Any, name: str, arguments: Any, keywords: Any) -> Any:
        """Numbers put elsewhere, and not changed."""
        if name in ("view", "_unsafe_view", "view_copy"):
            target, arguments = torch.ops.aten.reshape.default, arguments[:2]
        flows = flows_in((arguments, keywords))
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
        if all(isinstance(flow, Given) for flow in flows):
            whole = name == "_to_copy" and not dtype.is_floating_point
            beside = self._constants(arguments)
            self.beside |= beside
            if not (beside and self.biases):
                if whole or beside or any(flow.source is not first.source for flow in flows):
                    return self._context(target, arguments, keywords)
                return self._each(target, arguments, keywords, first, ("place",))
        if name == "_to_copy" and not dtype.is_floating_point:
            return self._pointwise(target, name, arguments, keywords)
        if name == "_to_copy" and isinstance(first, Neurons) and not is_real(first):
            return self._pointwise(target, name, arguments, {"dtype": dtype})
        same = all(isinstance(f, Neurons) and f.after is first.after for f in flows)
        if same and not self._constants(arguments):
            moved = self._each(target, arguments, keywords, first, ("place",))
            if first.apart is None:
                return moved
            apart = self._moved_later(target, name, arguments, keywords, self._sums_apart)
            if isinstance(moved, Neurons):
                return replace(moved, apart=lambda: apart(None))
            return [replace(one, apart=lambda at=at: apart(at)) for at, one in enumerate(moved)]
        if self._constants(arguments):
            arguments = self._with_constants(arguments, name)
            flows = flows_in((arguments, keywords))
        products = all(isinstance(flow, Neurons) and flow.apart for flow in flows)
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

        def following(one: Sums, at: int | None = None) -> Sums:
            return replace(one, closed=lambda: closed(at), spread=(lambda: spread(at)) if twice else None)

        if isinstance(moved, Sums):
            return following(moved)
        return [following(one, at) for at, one in enumerate(moved)]

    def _moved_later(
        self, target: Any, name: str, arguments: Any, keywords: Any, of: Callable[[Any], Sums]
    ) -> Callable[[int | None], Sums]:
        """What gives, once asked for, the numbers of `arguments` put elsewhere as `of` makes sums of these, or one of
        several parts of them."""

        def put(at: int | None) -> Sums:
            parts = self._moved(target, name, self._with(arguments, of), keywords)
            return parts if at is None else parts[at]

        return put

    def _each(self, target: Any, arguments: Any, keywords: Any, like: Any, names: Sequence[str]) -> Any:
        """The operation on the named tensors of flows, and on each neuron's coefficients."""
        keywords = {key: value for key, value in keywords.items() if key not in ("dtype", "memory_format")}

        def run(of: Callable[[Any], Tensor]) -> Any:
            return target(*self._with(arguments, of), **keywords)

        def named(name: str) -> Callable[[Any], Tensor]:
            return lambda flow: getattr(flow, name)

        def of_neuron(name: str, k: int) -> Callable[[Any], Tensor]:
            return lambda flow: getattr(flow, name)[k] if name == "own" else longer(getattr(flow, name), n)[k]

        parts = {name: run(named(name)) for name in names}
        n = max(len(flow.coef) for flow in flows_in(arguments)) if isinstance(like, Sums) else 0
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

    def _with_constants(self, arguments: Any, name: str) -> Any:
        """Tensors beside flows in a list as sums without weights: biases, or outputs that are the same for all x."""
        like = self.sums(flows_in(arguments)[0])
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

    def _constant(self, values: Tensor, row: Tensor, like: Sums) -> Sums:
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

    @staticmethod
    def _constants(arguments: Any) -> bool:
        """Whether tensors stand beside flows in a list, to be put together with them."""
        lists = [a for a in arguments if isinstance(a, (list, tuple)) and flows_in(a)]
        return any(isinstance(leaf, Tensor) for one in lists for leaf in tree_leaves(one))

    def _padded(self, flow: Any, pad: Sequence[int], value: float = 0.0) -> Any:
        """Numbers put before and after those of a flow, axis by axis from the last."""
        for at, (before, after) in enumerate(zip(pad[::2], pad[1::2])):
            axis = len(shape_of(flow)) - 1 - at

            def beside(n: int, flow: Any = flow, axis: int = axis) -> list[Tensor]:
                shape = list(shape_of(flow))
                shape[axis] = n
                return [torch.full(shape, float(value))] if n > 0 else []

            if min(before, after) < 0:
                length = shape_of(flow)[axis]
                flow = self._moved(
                    torch.ops.aten.slice.Tensor, "slice", (flow, axis, max(-before, 0), length + min(after, 0)), {}
                )
            if max(before, after) > 0:
                parts = [*beside(before), flow, *beside(after)]
                flow = self._moved(torch.ops.aten.cat.default, "cat", (parts, axis), {})
        return flow

    def _written(self, target: Any, name: str, arguments: Any, keywords: Any) -> Any:
        """Numbers written into a part of a tensor, which so far may hold numbers that do not depend on x."""
        into, values = arguments[0], arguments[at := WRITTEN[name]]
        if not isinstance(values, FLOWS):
            raise OntogenyError("the model writes numbers that do not depend on x over its neurons")
        if name == "index_put" and len(arguments) > 3 and arguments[3]:
            raise refused(name)
        if isinstance(into, Tensor):
            values = self.sums(values)
            axes = [axis for axis, length in enumerate(into.shape) if length == self.rows]
            row = torch.full(into.shape, -1, dtype=torch.long)
            if len(axes) == 1:
                row = torch.arange(self.rows).reshape([-1 if a == axes[0] else 1 for a in range(into.ndim)])
            into = self._constant(into, row.expand(into.shape), values)
        return self._moved(target, name, (into, *arguments[1:at], values, *arguments[at + 1 :]), keywords)
