"""Optimisers of torch that start without its compiler, which takes longer to load than torch itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable
from functools import cache
from typing import Any, TypeVar, cast

import torch

MARKED = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")
"""Methods that torch marks for its compiler to leave alone; the mark loads the compiler at the first call."""

Kind = TypeVar("Kind", bound=torch.optim.Optimizer)


def eager(kind: type[Kind]) -> type[Kind]:
    """The optimiser `kind`, the same to the bit, whose methods do not load `torch._dynamo`.

    Its steps cannot be differentiated through, and it is not meant for `torch.compile`.
    """
    made: Any = _eager(cast(Hashable, kind))
    return cast(type[Kind], made)


@cache
def _eager(kind: Any) -> Any:
    methods: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in MARKED}
    update = inspect.unwrap(kind.step)

    @torch.no_grad()
    def step(self: torch.optim.Optimizer, closure: Callable[[], float] | None = None) -> float | None:
        return cast(float | None, update(self, closure))

    return type(kind.__name__, (kind,), {**methods, "step": step})
