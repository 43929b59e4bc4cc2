"""What the tensors of a model are while it is followed: given, sums of neurons, or functions of such sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from ontogeny.circuits.functions import Nonlinearity
from ontogeny.errors import OntogenyError

_CANCELLED = 1e-9  # random numbers of half and more add up to no more than this only where they cancel


@dataclass(frozen=True)
class Given:
    """A tensor made of x before the first layer: place (*shape) in source (rows, columns) of each of its numbers."""

    source: Tensor
    place: Tensor

    @property
    def values(self) -> Tensor:
        """The numbers (*shape)."""
        return self.source.reshape(-1)[self.place]


@dataclass(frozen=True)
class Sums:
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
    closed: Callable[[], Sums] | None = None
    spread: Callable[[], Sums] | None = None


@dataclass(frozen=True)
class Neurons:
    """A tensor of functions of sums: place (*shape) of each number in (rows, neurons).

    weight (before, neurons), bias (neurons,): the sums; reach: which weights there are, be they 0; own (neurons,): the
    ratio by which each sum is known, see `Sums`. after: values of sums (..., neurons). shared: whether several neurons
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
    apart: Callable[[], Sums] | None = None
    alike: bool = True
    held: bool = True
    trained: bool = True


@dataclass(frozen=True)
class Neuron:
    """Number k of `flow`, in a layer: its function, and the factor by which its values are that function's."""

    flow: Neurons
    k: int
    factor: float
    function: Nonlinearity


@dataclass(frozen=True)
class Drawn:
    """A tensor of random numbers, which nothing comes of if it is multiplied with 0."""

    shape: torch.Size
    by: str


@dataclass(frozen=True)
class Shares:
    """What softmax makes of outputs, or its logarithm."""

    of: Sums | Neurons
    logarithm: bool


Flow = Given | Sums | Neurons | Shares
FLOWS = (Given, Sums, Neurons, Shares)


def flows_in(values: Any) -> list[Any]:
    """The flows among arguments."""
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, FLOWS)]


def tensors_in(values: Any) -> list[Tensor]:
    """The tensors among arguments."""
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


def in_double(value: Any) -> Any:
    """A tensor of real numbers in float64, anything else as it is."""
    return value.double() if isinstance(value, Tensor) and value.is_floating_point() else value


def ones_for(value: Any) -> Any:
    """Ones in the shape of a tensor, anything else as it is."""
    return torch.ones_like(value, dtype=torch.float64) if isinstance(value, Tensor) else value


def ratio_of(own: Tensor) -> Tensor:
    """What the numbers (DRAWS, ...) of sums have in common with those of sums on another scale; NaN for none."""
    return own[1] / own[0]


def alike_numbers(one: Tensor, other: Tensor) -> Tensor:
    """Which numbers are equal but for rounding."""
    return (one - other).abs() <= 1e-9 * (1 + one.abs())


def adds_other_numbers(level: Sequence[Sums], shape: torch.Size) -> bool:
    """Whether sums to be added to a tensor of this shape have, at the same place, weights for the same number.

    Sums that are one on different scales have, where weights made these. A sum that cancels out has none.
    """
    for k, one in enumerate(level):
        for other in level[:k]:
            reach = [part.reach.expand(len(part.reach), *shape) > 0 for part in (one, other)]
            apart = ~alike_numbers(ratio_of(one.own), ratio_of(other.own)).expand(shape)
            if one.spread and other.spread:
                apart = apart | (one.coef != other.coef).any(dim=0).expand(shape)
            for part in (one, other):
                apart = apart & (part.own.abs().amax(dim=0) > _CANCELLED).expand(shape)
            if bool(((reach[0] & reach[1]).any(dim=0) & apart).any()):
                return True
    return False


def longer(coef: Tensor, n: int) -> Tensor:
    """`coef` (neurons, ...) with zeros for neurons that came later."""
    return torch.cat([coef, coef.new_zeros((n - len(coef), *coef.shape[1:]))]) if len(coef) < n else coef


def shape_of(flow: Any) -> torch.Size:
    """The shape of a flow or a tensor."""
    if isinstance(flow, Tensor):
        return flow.shape
    return flow.const.shape if isinstance(flow, Sums) else flow.place.shape


def rows_unlike() -> OntogenyError:
    """The error for a model that does one thing with some rows of x and another with others."""
    return OntogenyError("the rows of x are not treated alike: every row must go through the same layers")


def shared_by_two() -> OntogenyError:
    """The error for sums of which two functions are neurons."""
    return OntogenyError("a linear map feeds two functions, so that its weights are shared by two neurons")


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


def refused(name: str) -> OntogenyError:
    """The error for an operation that no circuit has."""
    why = _WHY.get(name) or _WHY.get(name.strip("_"), "which is neither a linear map nor an elementwise function")
    return OntogenyError(f"the model does '{name.strip('_')}', {why}")
