"""The network from a site on, for many values of the site at once, by the shortest way to the same scores."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ontogeny.errors import OntogenyError
from ontogeny.models import without_fast_path
from ontogeny.models.trace import Key, Trace, trace
from ontogeny.neurons.scores import logits_of, scores_of
from ontogeny.neurons.sites import Site, replaced, replaced_at

logger = logging.getLogger("ontogeny")

CHUNK_VALUES = 8_000_000
"""Numbers that one batched pass may hold at the site (32 MB in single precision)."""

_ACTIVATIONS = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.GELU, nn.Tanh, nn.Sigmoid, nn.SiLU, nn.ELU, nn.SELU, nn.CELU,
    nn.Softplus, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.Mish,
)  # fmt: skip
_PASSING = (nn.Dropout, nn.Dropout2d, nn.Dropout3d, nn.Identity, nn.AlphaDropout)


@dataclass(frozen=True)
class Consumer:
    """The one linear map through which all the effect of a site passes: `path` of the module, `weight` (out, units)."""

    path: str
    weight: Tensor


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
