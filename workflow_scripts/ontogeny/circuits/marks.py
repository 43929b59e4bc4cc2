"""Random numbers in place of a model's weights, by which sums of the same weights are told from sums of weights that
are equal by chance."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from ontogeny.circuits.operations import MOVES, POINTWISE

DRAWS = 2
"""Numbers for each weight: what is the same but for a factor has the same ratio of them."""


def drawn(shape: torch.Size, seed: int) -> Tensor:
    """Numbers (DRAWS, *shape) for something that is known by its seed."""
    return torch.rand((DRAWS, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.5


class Marks:
    """The random numbers (DRAWS, *shape) of all tensors that are a model's weights or are made of them.

    Weights keep theirs where they are moved, scaled, or go through a function one by one. They may be whole numbers,
    which become weights once they are made real ones.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Tensor, Tensor]] = {}

    def begin(self, tensor: Tensor) -> None:
        """Numbers of its own for a tensor that the model holds."""
        if id(tensor) not in self._known:
            self._known[id(tensor)] = tensor, drawn(tensor.shape, 1 + len(self._known))

    def of(self, tensor: Tensor) -> Tensor | None:
        """The numbers of a tensor, by its values where it is not made of weights; None: it is the same everywhere."""
        if id(tensor) in self._known:
            return self._known[id(tensor)][1]
        if not tensor.is_floating_point() or tensor.unique().numel() < 2:
            return None
        return drawn(tensor.shape, crc32(tensor.detach().double().contiguous().numpy().tobytes()))

    def holds(self, tensor: Tensor) -> bool:
        """Whether a tensor is made of what the model holds."""
        return id(tensor) in self._known

    def follow(self, target: Any, name: str, arguments: Any, keywords: Any, values: Any) -> None:
        """Take note of what an operation on fixed tensors made."""
        given = [t for t in tree_leaves((arguments, keywords)) if isinstance(t, Tensor) and self.holds(t)]
        of_whole = name in MOVES and isinstance(arguments[0], Tensor) and self.holds(arguments[0])
        made = [
            value
            for value in tree_leaves(values)
            if isinstance(value, Tensor) and (value.is_floating_point() or (of_whole and value.dtype != torch.bool))
        ]
        if not given or not made:
            return
        numbers: list[Tensor] = []
        if name == "_to_copy":
            numbers = [self._known[id(given[0])][1]]
        elif name in MOVES:
            numbers = self._moved(target, arguments, keywords)
        elif torch.Tag.pointwise in getattr(target, "tags", ()) or name in POINTWISE:
            one = torch.ones((), dtype=torch.float64)
            for tensor in given:
                own = self._known[id(tensor)][1]
                one = one * own.reshape(DRAWS, *[1] * (made[0].ndim - tensor.ndim), *tensor.shape)
            numbers = [one.expand(DRAWS, *made[0].shape)]
        if [part.shape[1:] for part in numbers] != [value.shape for value in made]:
            of = b"".join(self._known[id(tensor)][1].numpy().tobytes() for tensor in given)
            numbers = [drawn(value.shape, crc32(f"{name} {at}".encode() + of)) for at, value in enumerate(made)]
        for value, own in zip(made, numbers):
            self._known[id(value)] = value, own

    def _moved(self, target: Any, arguments: Any, keywords: Any) -> list[Tensor]:
        """The numbers where those of the arguments are put; none where the operation takes no such numbers."""
        keywords = {key: value for key, value in keywords.items() if key not in ("dtype", "memory_format")}

        def part(k: int, leaf: Any) -> Any:
            if not isinstance(leaf, Tensor) or not (leaf.is_floating_point() or leaf is arguments[0]):
                return leaf
            own = self.of(leaf)
            return leaf.double() if own is None else own[k].contiguous()

        try:
            runs = [
                tree_leaves(target(*tree_map(lambda v: part(k, v), arguments), **keywords))  # noqa: B023
                for k in range(DRAWS)
            ]
        except RuntimeError:
            return []
        return [torch.stack(parts) for parts in zip(*runs)]
