"""Where a layer's units live in a forward pass, and running the network with other values there.

The value at a site is what the rest of the network receives: the layer's output after its normalisation and its
nonlinearity, where both can be seen, and the layer's output itself where they cannot. Everything here works on a
copy of the model, so that the model given is never touched.
"""

from __future__ import annotations

import copy
import logging
import operator
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import torch
from torch import Tensor, nn

from ontogeny.errors import OntogenyError, first_line
from ontogeny.models import monitored_layers, without_fast_path
from ontogeny.models.trace import UNKNOWN, Following, Key, Trace, nonlinear, replaced_call, scores_in, trace

logger = logging.getLogger("ontogeny")

CHUNK_VALUES = 8_000_000
"""Numbers that one batched pass may hold at the site (32 MB in single precision)."""

_ACTIVATIONS = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.GELU, nn.Tanh, nn.Sigmoid, nn.SiLU, nn.ELU, nn.SELU, nn.CELU,
    nn.Softplus, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Mish,
)  # fmt: skip
_NORMS = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm)
_PASSING = (nn.Dropout, nn.Dropout2d, nn.Dropout3d, nn.Identity, nn.AlphaDropout)


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


@dataclass(frozen=True)
class Consumer:
    """The one linear map through which all the effect of a site passes: `path` of the module, `weight` (out, units)."""

    path: str
    weight: Tensor


def working_copy(model: nn.Module) -> nn.Module:
    """A copy of `model` to work on: in eval mode, nothing in place, no gradients of parameters.

    Raises OntogenyError if the model cannot be copied.
    """
    if not isinstance(model, nn.Module):
        raise OntogenyError(f"the model is a {type(model).__name__}: a torch.nn.Module is expected")
    try:
        twin = copy.deepcopy(model)
    except Exception as error:
        raise OntogenyError(
            f"this {type(model).__name__} cannot be copied ({first_line(error)}): detach what it keeps of "
            "former forward passes"
        ) from error
    for module in twin.modules():
        if getattr(module, "inplace", False) is True:
            setattr(module, "inplace", False)  # noqa: B010
    return twin.eval().requires_grad_(False)


def logits_of(output: Any) -> Tensor:
    """The class scores (samples, classes) in a model's output (`scores_in`). Raises OntogenyError for any other."""
    scores = scores_in(output)
    if not isinstance(scores, Tensor) or scores.ndim != 2:
        what = f"shape {tuple(scores.shape)}" if isinstance(scores, Tensor) else type(scores).__name__
        raise OntogenyError(f"the model's output is {what}: class scores of shape (samples, classes) are expected")
    return scores


def checked_data(inputs: Any, labels: Any = None, sequences: bool = False) -> tuple[Tensor, Tensor | None]:
    """`inputs` and `labels` as tensors that fit each other (labels int64, one per sample).

    With `sequences`, labels may be the tokens of sequences, (samples, positions), of which each next one is predicted.

    Raises OntogenyError if they do not fit, if inputs hold NaN or infinity, or there are none.
    """
    inputs = torch.as_tensor(inputs)
    if inputs.ndim < 2 or len(inputs) == 0:
        raise OntogenyError(f"inputs of shape {tuple(inputs.shape)}: two or more axes expected, samples first")
    if inputs.is_floating_point() and not bool(torch.isfinite(inputs).all()):
        raise OntogenyError("the inputs hold NaN or infinite values: clean them first")
    if labels is None:
        return inputs, None
    labels = torch.as_tensor(labels)
    of_tokens = sequences and labels.ndim == 2 and labels.shape == inputs.shape
    if (labels.ndim != 1 and not of_tokens) or len(labels) != len(inputs):
        raise OntogenyError(
            f"{len(inputs)} inputs, labels of shape {tuple(labels.shape)}: one label per sample expected"
        )
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise OntogenyError(f"labels are {labels.dtype}: class numbers (integers from 0) are expected")
    labels = labels.long()
    if int(labels.min()) < 0:
        raise OntogenyError(f"labels hold {int(labels.min())}: class numbers from 0 are expected")
    return inputs, labels


def sample_losses(scores: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of every sample in nats, float64; scores (..., samples, classes), labels (samples,)."""
    by_class = scores.movedim(-1, 0).to(torch.float64, memory_format=torch.contiguous_format)
    picked = by_class.gather(0, labels.expand(1, *by_class.shape[1:]))[0]
    top = by_class.detach().amax(0)
    return (by_class - top).exp_().sum(0).log() + top - picked


@torch.no_grad()
def scores_of(model: nn.Module, inputs: Tensor, chunk: int = 512) -> Tensor:
    """Class scores of all inputs, (samples, classes), `chunk` samples at a time."""
    with without_fast_path():
        return torch.cat([logits_of(model(part)) for part in inputs.split(chunk)])


def evaluate(model: nn.Module, inputs: Tensor, labels: Tensor, chunk: int = 512) -> tuple[Tensor, Tensor]:
    """Loss (nats) and correctness (0 or 1) of every sample, both float64 (samples,).

    Where labels are the tokens of sequences, (samples, positions), both are means over the next tokens of a sample.
    """
    if labels.ndim == 2:
        return _evaluate_next(model, inputs, labels, chunk)
    scores = scores_of(model, inputs, chunk)
    check_classes(scores, labels)
    return sample_losses(scores, labels), (scores.argmax(-1) == labels).double()


@torch.no_grad()
def _evaluate_next(model: nn.Module, inputs: Tensor, tokens: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
    losses, right = [], []
    with without_fast_path():
        for part, wanted in zip(inputs.split(chunk), tokens[:, 1:].split(chunk)):
            scores = scores_in(model(part))
            if not isinstance(scores, Tensor) or scores.shape[:-1] != part.shape:
                raise OntogenyError("scores of tokens at every position, (samples, positions, words), are expected")
            check_classes(scores, wanted)
            for some, next_ones in zip(scores[:, :-1].split(8), wanted.split(8)):
                losses.append(sample_losses(some, next_ones).mean(1))
                right.append((some.argmax(-1) == next_ones).double().mean(1))
    return torch.cat(losses), torch.cat(right)


def check_classes(scores: Tensor, labels: Tensor) -> None:
    """Raises OntogenyError if a label is beyond the model's classes."""
    if int(labels.max()) >= scores.shape[-1]:
        raise OntogenyError(f"labels go up to {int(labels.max())}, but the model has {scores.shape[-1]} classes")


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
    """Inside the block, the value at (path, side) of a `Site` is `function` of what it would have been."""
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
        raise OntogenyError(f"'{path}' gives a {type(value).__name__}: only tensors, and tuples that begin with one, "
                            "can be replaced")  # fmt: skip

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
    """The value at `site` for all inputs, (samples, ...), `chunk` samples at a time."""
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


def unit_activations(model: nn.Module, inputs: Any, layer: str, pool: str = "mean", chunk: int = 512) -> Tensor:
    """Activations of the units of `layer` after its nonlinearity, one number per sample and unit: (samples, units).

    Positions (pixels of a channel, tokens) are pooled by `mean` or `max`. The model is not changed.
    """
    if pool not in ("mean", "max"):
        raise OntogenyError(f"pool is '{pool}': mean or max is expected")
    twin = working_copy(model)
    inputs, _ = checked_data(inputs)
    site = find_site(twin, layer, inputs)
    parts = [by_unit(site_values(twin, site, part, chunk), site) for part in inputs.split(chunk)]
    return torch.cat([part.mean(1) if pool == "mean" else part.amax(1) for part in parts])


def by_unit(values: Tensor, site: Site) -> Tensor:
    """Values at a site as (samples, positions, units)."""
    return values.movedim(site.axis, -1).reshape(len(values), -1, site.units)


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


# ------------------------------------------------------------------------------------------- the rest of the network


@torch.no_grad()
def find_consumer(model: nn.Module, site: Site, inputs: Tensor) -> Consumer | None:
    """The linear layer that alone reads the site, or None.

    It must receive the very tensor of the site (dropout in eval mode may lie between), and with its output held
    fixed the scores must not depend on the site, which automatic differentiation decides.
    """
    if site.axis != -1 or site.order or site.shape:
        return None
    found = trace(model, inputs[:2])
    value = _key_of(found, site)
    event = found.reader(value)
    path = next((each for key in (event.gave if event else []) for each in found.made_by.get(key, [])), None)
    if path is None or type(model.get_submodule(path)) is not nn.Linear or len(found.outputs[path]) != 1:
        return None
    with torch.enable_grad(), without_fast_path():
        leaf = found.values[value].clone().requires_grad_()
        with (
            replaced_at(model, site, lambda _: leaf),
            replaced(model, path, "output", lambda output: output.detach()),
        ):
            scores = logits_of(model(inputs[:2]))
        if scores.requires_grad and torch.autograd.grad(scores.sum(), leaf, allow_unused=True)[0] is not None:
            return None
    reader = model.get_submodule(path)
    assert isinstance(reader.weight, Tensor)
    return Consumer(path, reader.weight.detach())


def _key_of(found: Trace, site: Site) -> Key:
    """The value of the site in a traced forward pass."""
    if site.side == "output":
        return found.outputs[site.path][0]
    name, number = site.path.split("#")
    return found.place((name, int(number)))


@torch.no_grad()
def find_tail(model: nn.Module, path: str, inputs: Tensor) -> list[nn.Module] | None:
    """The modules from the output of `path` to the scores, if they are a plain chain that treats every row alone.

    Each must receive the very tensor that the one before it returned, a matrix, and the last one's output must be the
    model's; the chain is also run, to see that it gives the scores.
    """
    found = trace(model, inputs[:2])
    modules = dict(model.named_modules())
    key = found.outputs[path][0]
    chain: list[nn.Module] = []
    while key not in found.final:
        event = found.reader(key)
        after = [each for each in (event.gave if event else []) if each in found.made_by]
        if event is None or not after:
            return None
        owner = found.made_by[after[0]][0]
        module = modules[owner]
        if found.values[key].ndim != 2 or not isinstance(module, (nn.Linear, nn.LayerNorm, *_ACTIVATIONS, *_PASSING)):
            return None
        chain.append(module)
        key = after[0]
    start, scores = found.values[found.outputs[path][0]], found.values[key]
    if not torch.allclose(_through(chain, start.clone()), scores, rtol=1e-5, atol=1e-6):
        return None
    return chain


def _through(chain: Sequence[nn.Module], value: Tensor) -> Tensor:
    """The chain applied to `value`, which may be overwritten."""
    for module in chain:
        if type(module) is nn.ReLU:
            value = torch.relu_(value)
        elif type(module) is nn.Linear and module.out_features <= 32:
            value = _narrow(module, value)
        else:
            value = module(value)
    return value


def _narrow(layer: nn.Linear, value: Tensor) -> Tensor:
    """A linear layer of few outputs: twice as fast on the CPU with the factors exchanged."""
    product = layer.weight @ value.T
    return (product if layer.bias is None else product.add_(layer.bias[:, None])).T


class Rest:
    """The network from a site on, for many variants of the site's value in one batched pass.

    model: a working copy. inputs: (samples, ...), all of which are held at once; `parts` splits larger sets. like:
    another of the same model and site, whose findings about the structure are taken over.
    """

    def __init__(self, model: nn.Module, site: Site, inputs: Tensor, like: Rest | None = None) -> None:
        self.model, self.site, self.inputs = model, site, inputs
        self.consumer: Consumer | None = find_consumer(model, site, inputs) if like is None else like.consumer
        kept: dict[str, Tensor] = {}

        def keep(name: str) -> Callable[[Tensor], Tensor]:
            return lambda value: kept.setdefault(name, value.clone())

        with ExitStack() as stack:
            stack.enter_context(replaced_at(model, site, keep("values")))
            if self.consumer is not None:
                stack.enter_context(replaced(model, self.consumer.path, "output", keep("consumed")))
            self.scores = scores_of(model, inputs, chunk=len(inputs))
        self.values = kept["values"]
        if len(self.values) != len(inputs):
            raise OntogenyError(f"layer '{site.layer}' does not keep samples along its first axis: name another layer")
        self._consumed = kept.get("consumed")
        self._tail: list[nn.Module] | None = None if like is None else like._tail
        if like is None and self.consumer is not None and self._consumed is not None and self._consumed.ndim == 2:
            self._tail = find_tail(model, self.consumer.path, inputs)
        self._batched: bool = True if like is None else like._batched

    @classmethod
    def parts(
        cls, model: nn.Module, site: Site, inputs: Tensor, units: int, chunk: int
    ) -> Iterator[tuple[slice, Rest]]:
        """The network from a site on, for up to `chunk` of `inputs` at a time, with the rows that they are.

        So many samples are taken that the variants of all `units` run in few passes and within `CHUNK_VALUES`: then
        what comes before the site is computed about once a sample, however large the site is.
        """
        first = cls(model, site, inputs[:2])
        start = first.values if first._consumed is None else first._consumed
        fitting = max(1, CHUNK_VALUES // max(start[0].numel() * max(units, 1), 1))
        step = chunk if first._tail is not None else min(chunk, fitting)
        for low in range(0, len(inputs), step):
            rows = slice(low, min(low + step, len(inputs)))
            yield rows, cls(model, site, inputs[rows], like=first)

    def with_units(self, units: Sequence[int], replacements: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Scores with each unit alone replaced, as (slice into `units`, scores (some, samples, classes)).

        replacements: (units, samples, positions...) or broadcastable to it: what each unit is set to. Where the
        single reader of the site is a linear layer, a unit's change moves that layer's output along one column of
        its weights, so neither it nor anything before it is computed again. Where all that follows is a chain that
        treats samples alone, only those samples are run in which the unit changes.
        """
        axis = self.site.axis
        wanted = torch.as_tensor(units)
        if self._tail is not None:
            per = max(1, CHUNK_VALUES // max(self.scores.numel(), 1))
            for low in range(0, len(units), per):
                part = slice(low, low + per)
                yield part, self._down_the_tail(wanted[part], replacements[part])
            return
        if self._consumed is not None and self.consumer is not None:
            start, weight = self._consumed, self.consumer.weight
            per = max(1, CHUNK_VALUES // max(start.numel(), 1))
            for low in range(0, len(wanted), per):
                part = slice(low, low + per)
                here = wanted[part]
                old = self.values.index_select(-1, here).movedim(-1, 0)
                delta = (_spread(replacements[part], old) - old).unsqueeze(-1)
                columns = weight[:, here].T.reshape(len(here), *[1] * (start.ndim - 1), -1)
                yield part, self._run(self.consumer, torch.addcmul(start, delta, columns))
            return
        per = max(1, CHUNK_VALUES // max(self.values.numel(), 1))
        for low in range(0, len(wanted), per):
            part = slice(low, low + per)
            here = wanted[part]
            variants = self.values.expand(len(here), *self.values.shape).clone()
            moved = variants.movedim(axis if axis < 0 else axis + 1, -1)
            for row, unit in enumerate(here.tolist()):
                moved[row, ..., unit] = _spread(replacements[part][row : row + 1], moved[row : row + 1, ..., unit])[0]
            yield part, self._run(self.site, variants)

    @torch.no_grad()
    def _down_the_tail(self, units: Tensor, replacements: Tensor) -> Tensor:
        assert self.consumer is not None and self._consumed is not None and self._tail is not None  # noqa: PT018
        old = self.values.index_select(1, units).T
        delta = _spread(replacements, old) - old
        columns = self.consumer.weight.index_select(1, units).T.contiguous()
        scores = self.scores.expand(len(units), *self.scores.shape).clone()
        for row, change in enumerate(delta):
            moved = change.nonzero().squeeze(1)
            if len(moved):
                start = self._consumed.index_select(0, moved).addr_(change.index_select(0, moved), columns[row])
                scores[row].index_copy_(0, moved, _through(self._tail, start))
        return scores

    def with_values(self, values: Tensor) -> Tensor:
        """Scores (samples, classes) with the whole value at the site replaced by `values`."""
        return self._run(self.site, values.unsqueeze(0))[0]

    def _one(self, place: Site | Consumer, value: Tensor) -> Tensor:
        if isinstance(place, Site):
            there = replaced_at(self.model, place, lambda _: value)
        else:
            there = replaced(self.model, place.path, "output", lambda _: value)
        with there:
            return logits_of(self.model(self.inputs))

    @torch.no_grad()
    def _run(self, place: Site | Consumer, variants: Tensor) -> Tensor:
        with without_fast_path():
            if self._batched and len(variants) > 1:
                try:
                    with warnings.catch_warnings():
                        warnings.filterwarnings("ignore", message="There is a performance drop")
                        return torch.func.vmap(lambda value: self._one(place, value))(variants)
                except OntogenyError:
                    raise
                except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
                    logger.info("one variant at a time, as the model does not run batched: %s", error)
                    self._batched = False
            return torch.stack([self._one(place, value) for value in variants])


def _spread(replacements: Tensor, like: Tensor) -> Tensor:
    """`replacements` with axes added at the end until it broadcasts to `like`."""
    return replacements.reshape(*replacements.shape, *[1] * (like.ndim - replacements.ndim)).expand_as(like)


__all__ = [
    "Consumer",
    "Rest",
    "Site",
    "by_unit",
    "check_classes",
    "checked_data",
    "chosen_units",
    "evaluate",
    "find_consumer",
    "find_tail",
    "find_site",
    "logits_of",
    "replaced",
    "replaced_at",
    "sample_losses",
    "scores_of",
    "site_values",
    "unit_activations",
    "working_copy",
]
