"""Where a layer's units live in a forward pass, and running the network with other values there.

The value at a site is what the rest of the network receives: the layer's output after its normalisation and its
nonlinearity, where both can be seen, and the layer's output itself where they cannot. Everything here works on a
copy of the model, so that the model given is never touched.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import torch
from torch import Tensor, nn

from ontogeny.arguments import Reals, checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.models import monitored_layers, without_fast_path
from ontogeny.models.trace import UNKNOWN, Following, nonlinear, replaced_call, trace
from ontogeny.neurons.scores import checked_data, told_if_not_run, working_copy
from ontogeny.words import with_article


@dataclass(frozen=True)
class Site:
    """A place in the forward pass where the units of one layer can be read and replaced.

    layer: display name of the layer. path: the module whose output (`side` "output") or first input ("input") is
    the value. axis: of the units in the value (samples are axis 0). units: how many there are. nonlinearity: the
    function that the value has been through ("none": the layer's own output).
    """

    layer: str
    path: str
    side: str
    axis: int
    units: int
    nonlinearity: str
    order: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()


# -------------------------------------------------------------------------------------------------- finding sites


def find_site(model: nn.Module, layer: str, inputs: Tensor, after_nonlinearity: bool = True) -> Site:
    """The site of `layer` (a display name such as `Linear_0`, or a module path) in `model`, found by running it.

    With `after_nonlinearity` the value is followed through normalisation, dropout, pooling and the nonlinearity,
    however each is called (`ontogeny.models.trace`); otherwise, or where nothing follows, or where something else reads
    what lies before (a shortcut), it is the layer's own output. Where what follows cannot be seen, it is the layer's
    own output too, and the nonlinearity is `unknown`.

    Raises OntogenyError for a layer that does not exist, does not run, or runs more than once in a forward pass.
    """
    chosen = monitored_layers(model, [layer])[0]
    with told_if_not_run(inputs[:2]):
        found = trace(model, inputs[:2])
    following = found.following(chosen.path)
    if following.calls != 1:
        times = "not at all" if not following.calls else f"{following.calls} times"
        raise OntogenyError(f"layer '{layer}' runs {times} in one forward pass: name one that runs once")
    own = found.values[found.outputs[chosen.path][0]]
    axis = 1 if chosen.kind == "conv" or own.ndim >= 4 else -1
    if not after_nonlinearity or following.call is None:
        name = following.nonlinearity if following.call is None else "none"
        return Site(chosen.name, chosen.path, "output", axis, own.shape[axis], name)
    value = found.values[found.place(following.call)]
    place, name = following.module, following.nonlinearity
    order: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()
    if following.moved:
        layout = _layout(value, own, following)
        if layout is None:
            return Site(chosen.name, chosen.path, "output", axis, own.shape[axis], UNKNOWN)
        order, shape = layout
    elif value.ndim != own.ndim:
        return Site(chosen.name, chosen.path, "output", axis, own.shape[axis], UNKNOWN)
    path, side = (f"{following.call[0]}#{following.call[1]}", "call") if place is None else (place, "output")
    return Site(chosen.name, path, side, axis, own.shape[axis], name, order, shape)


def _layout(value: Tensor, own: Tensor, following: Following) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The order of axes, or the shape of a sample, in which `value` is the nonlinearity of the layer's output `own`."""
    if not following.computable:
        return None
    expected, value = nonlinear(own, following.nonlinearity), value.double().cpu()
    if len(value) == len(own) and torch.allclose(value.reshape(own.shape), expected, rtol=1e-4, atol=1e-6):
        return (), tuple(own.shape[1:])
    for order in permutations(range(value.ndim)):
        turned = value.permute(order)
        if turned.shape == own.shape and torch.allclose(turned, expected, rtol=1e-4, atol=1e-6):
            return tuple(order), ()
    return None


# ------------------------------------------------------------------------------------------- reading and replacing


@contextmanager
def replaced(model: nn.Module, path: str, side: str, function: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Inside the block, the value at (path, side) of a `Site` is `function` of what it would have been.

    Raises OntogenyError inside the block if the value is neither a tensor nor a tuple that begins with one.
    """
    if side == "call":
        name, number = path.split("#")
        with replaced_call(model, name, int(number), function):
            yield
        return
    module = model.get_submodule(path)

    def swap(value: Any) -> Any:
        if isinstance(value, Tensor):
            return function(value)
        if isinstance(value, tuple | list):
            return type(value)((function(value[0]), *value[1:]))
        raise OntogenyError(
            f"'{path}' gives {with_article(type(value).__name__)}: only tensors, and tuples that begin with one, can "
            "be replaced"
        )

    if side == "output":
        handle = module.register_forward_hook(lambda _module, _args, output: swap(output))
    else:
        handle = module.register_forward_pre_hook(lambda _module, args: (function(args[0]), *args[1:]))
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def replaced_at(model: nn.Module, site: Site, function: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Inside the block, the value at `site`, in the layout of the layer's output, is `function` of what it would be."""

    def moved(value: Tensor) -> Tensor:
        if site.order:
            back = [site.order.index(place) for place in range(len(site.order))]
            return function(value.permute(site.order)).permute(back)
        if site.shape:
            return function(value.reshape(len(value), *site.shape)).reshape(value.shape)
        return function(value)

    with replaced(model, site.path, site.side, moved):
        yield


@torch.no_grad()
def site_values(model: nn.Module, site: Site, inputs: Tensor, chunk: int = 512) -> Tensor:
    """The value at `site` for all inputs, (samples, ...), `chunk` samples at a time.

    Raises OntogenyError if the layer does not keep samples along its first axis.
    """
    parts: list[Tensor] = []

    def keep(value: Tensor) -> Tensor:
        parts.append(value.detach().clone())
        return value

    with replaced_at(model, site, keep), without_fast_path():
        for part in inputs.split(chunk):
            model(part)
    if sum(map(len, parts)) != len(inputs):
        raise OntogenyError(f"layer '{site.layer}' does not keep samples along its first axis: name another layer")
    return torch.cat(parts)


@checks_arguments
def unit_activations(model: nn.Module, inputs: Reals, layer: str, pool: str = "mean", chunk: int = 512) -> Tensor:
    """Activations of the units of `layer` after its nonlinearity, one number per sample and unit: (samples, units).

    Positions (pixels of a channel, tokens) are pooled by `mean` or `max`. The model is not changed.

    Raises OntogenyError for another `pool`, for inputs that are not finite, and as `find_site` does.
    """
    if pool not in ("mean", "max"):
        raise OntogenyError(f"pool is '{pool}': mean or max is expected")
    twin = working_copy(model)
    inputs, _ = checked_data(inputs)
    site = find_site(twin, layer, inputs)
    parts = [by_unit(site_values(twin, site, part, chunk), site) for part in inputs.split(chunk)]
    return torch.cat([part.mean(1) if pool == "mean" else part.amax(1) for part in parts])


def by_unit(values: Tensor, site: Site) -> Tensor:
    """Values at a site as (samples, positions, units), in at least single precision."""
    precise = values.to(torch.promote_types(values.dtype, torch.float32))
    return precise.movedim(site.axis, -1).reshape(len(values), -1, site.units)


def chosen_units(site: Site, units: Sequence[int] | None) -> list[int]:
    """`units` as a checked list; None is all of them. Raises OntogenyError for one that does not exist."""
    if units is None:
        return list(range(site.units))
    try:
        chosen = [operator.index(unit) for unit in units]
    except TypeError:
        raise OntogenyError(f"units are {units!r}: a list of their numbers is expected") from None
    for unit in chosen:
        if not 0 <= unit < site.units:
            raise OntogenyError(f"layer '{site.layer}' has no unit {unit}: its units are 0 to {site.units - 1}")
    return chosen
