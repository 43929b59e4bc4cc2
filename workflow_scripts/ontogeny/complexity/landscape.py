"""Loss landscapes of many networks at once: losses and gradients of every chain in one call.

A landscape holds N networks of one form and gives, for K chains that each belong to one of them, the loss and its
gradient. Chains lie on the last axis for small MLPs, whose few parameters are then vectors over chains, and on the
first for all other networks.
"""

from __future__ import annotations

import copy
import fnmatch
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from ontogeny.errors import OntogenyError, first_line, shown, unknown
from ontogeny.models.trace import scores_in
from ontogeny.nonlinearities.torch import SLOPES
from ontogeny.progress import logger

Data = tuple[Tensor, Tensor] | Mapping[str, Tensor]
Loss = Callable[[Any, Any], Tensor]

_LARGEST_TOGETHER = 100_000
"""Parameters up to which the chains of a network are faster side by side than one after another."""


def _as_tensor(value: Any, what: str) -> Tensor:
    """In float64. Raises OntogenyError for anything but numbers."""
    try:
        return torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise OntogenyError(f"{what} is {shown(value)}: give an array of numbers") from None


def layers_of(weights: Sequence[Any], biases: Sequence[Any] | None) -> tuple[list[Tensor], list[Tensor] | None]:
    """Weights and biases of every layer in float64. Raises OntogenyError unless there is one of each for a layer."""
    layers = [_as_tensor(w, f"weights[{k}]") for k, w in enumerate(weights)]
    if not layers or any(w.ndim != 3 for w in layers):
        raise OntogenyError("weights should be one array (networks, out, in) per layer")
    if biases is None:
        return layers, None
    shifts = [_as_tensor(b, f"biases[{k}]") for k, b in enumerate(biases)]
    if len(shifts) != len(layers) or any(b.ndim != 2 for b in shifts):
        raise OntogenyError("biases should be one array (networks, out) per layer, or None")
    return layers, shifts


class MLPLandscape:
    """N small MLPs and the mean squared error of each on its own rows, in float64.

    weights[l] (N, out, in) and biases[l] (N, out), the last layer linear; x (rows, inputs) and y (rows, outputs), or
    with a leading N. `counts` (rows,) or (N, rows) says how often each row stands in the data, which spares repeated
    rows; `n_samples` is its sum. `biases` None are none. The loss is the mean over samples and outputs of the squared
    error. Raises OntogenyError if shapes do not fit or anything is not finite.
    """

    chain_axis = 1

    def __init__(
        self,
        weights: Sequence[Any],
        biases: Sequence[Any] | None,
        x: Any,
        y: Any,
        counts: Any = None,
        activation: str = "leaky_relu",
    ) -> None:
        if activation not in SLOPES:
            raise unknown("activation", activation, SLOPES)
        self.activation, self.slope = SLOPES[activation]
        layers, shifts = layers_of(weights, biases)
        self.n_networks = len(layers[0])
        self.sizes = [layers[0].shape[2], *(w.shape[1] for w in layers)]
        for k, w in enumerate(layers):
            if w.shape != (self.n_networks, self.sizes[k + 1], self.sizes[k]):
                raise OntogenyError(f"weights[{k}] is {tuple(w.shape)}; it does not follow the layer before it")
        for k, b in enumerate(shifts or []):
            if b.shape != (self.n_networks, self.sizes[k + 1]):
                raise OntogenyError(f"biases[{k}] is {tuple(b.shape)}; expected {(self.n_networks, self.sizes[k + 1])}")
        self.has_biases = shifts is not None
        parts: list[Tensor] = []
        self.names: list[str] = []
        for k, w in enumerate(layers):
            parts.append(w.reshape(self.n_networks, -1))
            self.names += [f"weights.{k}"] * (w.shape[1] * w.shape[2])
            if shifts is not None:
                parts.append(shifts[k])
                self.names += [f"biases.{k}"] * w.shape[1]
        self.start = torch.cat(parts, dim=1).T.contiguous()
        self.n_parameters = len(self.start)
        self.x, self.y = (self._by_network(value, what) for value, what in ((x, "x"), (y, "y")))
        rows = self.x.shape[0]
        if self.y.shape[0] != rows:
            raise OntogenyError(f"x has {rows} rows and y {self.y.shape[0]}; give one target for a row")
        counted = torch.ones(rows, dtype=torch.float64) if counts is None else _as_tensor(counts, "counts")
        counted = counted[None] if counted.ndim == 1 else counted
        fits = counted.ndim == 2 and counted.shape[1] == rows and counted.shape[0] in (1, self.n_networks)
        if not fits or bool((counted < 0).any()):
            raise OntogenyError(f"counts is {tuple(counted.shape)}; expected one number per row, {rows}, 0 or more")
        counted = counted.T
        self.n_samples = int(counted.sum(0).min())
        self.share = (counted / counted.sum(0))[:, None]
        if not all(bool(torch.isfinite(value).all()) for value in (self.start, self.x, self.y)):
            raise OntogenyError("weights, x or y hold values that are not finite; leave those networks or rows out")

    def start_of(self, owner: Tensor) -> Tensor:
        """The weights (P, K) of the networks `owner` (K,)."""
        return self.start[:, owner]

    def _by_network(self, value: Any, what: str) -> Tensor:
        """(rows, features, 1 or N)."""
        held = _as_tensor(value, what)
        held = held[None] if held.ndim == 2 else held
        expected = self.sizes[0] if what == "x" else self.sizes[-1]
        if held.ndim != 3 or held.shape[0] not in (1, self.n_networks) or held.shape[2] != expected:
            raise OntogenyError(f"{what} is {tuple(held.shape)}; expected (rows, {expected})")
        return held.permute(1, 2, 0).contiguous()

    def evaluate(
        self, theta: Tensor, owner: Tensor, batch_size: int | None, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Losses (K,) and gradients (P, K) of the chains `theta` (P, K), which belong to the networks `owner` (K,).

        Raises OntogenyError if a batch size is given: all rows are always used.
        """
        if batch_size is not None:
            raise OntogenyError("batch_size does not go with small MLPs: all rows cost next to nothing; leave it out")
        x, y, share = (t if t.shape[2] == 1 else t[:, :, owner] for t in (self.x, self.y, self.share))
        chains = theta.shape[1]
        weights, before, after = [], [], [x]
        position, last = 0, len(self.sizes) - 2
        for k in range(last + 1):
            n_in, n_out = self.sizes[k], self.sizes[k + 1]
            w = theta[position : position + n_in * n_out].view(n_out, n_in, chains)
            position += n_in * n_out
            z = (w[None] * after[-1][:, None]).sum(2)
            if self.has_biases:
                z += theta[position : position + n_out]
                position += n_out
            weights.append(w)
            before.append(z)
            after.append(z if k == last else self.activation(z))
        error = after[-1] - y
        delta = error * (share / self.sizes[-1])
        losses = (error * delta).sum((0, 1))
        delta *= 2
        gradient = torch.empty_like(theta)
        for k in range(last, -1, -1):
            n_in, n_out = self.sizes[k], self.sizes[k + 1]
            if self.has_biases:
                position -= n_out
                gradient[position : position + n_out] = delta.sum(0)
            position -= n_in * n_out
            products = (delta[:, :, None] * after[k][:, None]).sum(0)
            gradient[position : position + n_in * n_out] = products.reshape(n_in * n_out, chains)
            if k:
                delta = (weights[k][None] * delta[:, :, None]).sum(1) * self.slope(before[k - 1], after[k])
        return losses, gradient


class ModuleLandscape:
    """Any PyTorch network, at one or several states, and a loss that is a mean over samples.

    `data` is (inputs, targets), or a mapping of tensors that the network takes by name (as language models do), all
    with samples on the first axis. `loss(outputs, targets)` gives a mean over samples (`loss(outputs, data)` for a
    mapping); by default the cross-entropy of integer targets, the mean squared error of others, or the `loss` that the
    outputs carry. The network runs in eval mode. Only parameters that require gradients move, or all if none does.
    `patterns` name those that move, all by default; `name[0:8]` and `name[:,0:8]` are rows and columns of a parameter,
    such as those of one head. `states` are further weights of the same network, one mapping each.

    Raises OntogenyError if the loss is not a finite scalar, or not a mean over samples.
    """

    chain_axis = 0

    def __init__(
        self,
        model: nn.Module,
        data: Data,
        loss: Loss | None = None,
        states: Sequence[Mapping[str, Tensor]] | None = None,
        patterns: Sequence[str] | None = None,
    ) -> None:
        self.model = model
        self.was_training = model.training
        if isinstance(data, Mapping):
            self.data: Any = {name: torch.as_tensor(value) for name, value in data.items()}
        else:
            self.data = tuple(map(torch.as_tensor, data))
        tensors = list(self.data.values()) if isinstance(self.data, dict) else list(self.data)
        if not tensors or len({len(t) for t in tensors}) != 1 or not len(tensors[0]):
            raise OntogenyError("data should be tensors with samples on their first axis, equally many in each")
        self.n_samples = len(tensors[0])
        self.loss = loss or self._default_loss()
        named = dict(model.named_parameters())
        if not named:
            raise OntogenyError(f"{type(model).__name__} has no parameters, so there is nothing to estimate")
        trained = [name for name, p in named.items() if p.requires_grad] or list(named)
        places = _chosen({name: named[name] for name in trained}, patterns or ["*"])
        if not places:
            raise unknown("parameters", ", ".join(patterns or []), named)
        chosen = list(places)
        self._places = {name: place for name, place in places.items() if place is not None}
        self.shapes = {name: self._part(name, named[name]).shape for name in chosen}
        self.names = [name for name, shape in self.shapes.items() for _ in range(math.prod(shape))]
        self.n_parameters = sum(math.prod(shape) for shape in self.shapes.values())
        every = [{name: p.detach() for name, p in named.items()}] if states is None else list(states)
        self.n_networks = len(every)
        self.start = torch.stack(
            [torch.cat([self._part(name, state[name].detach()).reshape(-1) for name in chosen]) for state in every]
        )
        self.fixed = [
            {name: state[name].detach() for name in named if name not in self.shapes or name in self._places}
            | dict(model.named_buffers())
            for state in every
        ]
        self._vmapped: bool | None = None
        self._check_loss()

    def start_of(self, owner: Tensor) -> Tensor:
        """The weights (K, P) of the networks `owner` (K,); of one network they are not copied."""
        return self.start.expand(len(owner), -1) if self.n_networks == 1 else self.start[owner]

    def subsample(self, count: int, seed: int) -> ModuleLandscape:
        """The same networks on `count` of the samples, drawn at random; this landscape, if there are no more."""
        if count >= self.n_samples:
            return self
        fewer = copy.copy(self)
        rows = torch.randperm(self.n_samples, generator=torch.Generator().manual_seed(seed))[:count]
        fewer.data, fewer.n_samples = self._rows(rows), count
        return fewer

    def _part(self, name: str, tensor: Tensor) -> Tensor:
        """The part of a parameter that moves: all of it, or the rows or columns that were chosen, these first."""
        if name not in self._places:
            return tensor
        axis, places = self._places[name]
        return tensor.movedim(axis, 0)[places]

    def _default_loss(self) -> Loss:
        if isinstance(self.data, dict):
            return lambda outputs, data: outputs["loss"] if isinstance(outputs, Mapping) else outputs.loss
        whole = not self.data[1].is_floating_point()
        loss = nn.functional.cross_entropy if whole else nn.functional.mse_loss
        return lambda outputs, targets: loss(scores_in(outputs), targets)

    def _value(self, parameters: dict[str, Tensor], fixed: dict[str, Tensor], data: Any) -> Tensor:
        arguments, keywords = ((), data) if isinstance(data, dict) else ((data[0],), {})
        if self._places:
            whole = {
                name: fixed[name].movedim(axis, 0).index_put((places,), parameters[name]).movedim(0, axis)
                for name, (axis, places) in self._places.items()
            }
            parameters = parameters | whole
            fixed = {name: value for name, value in fixed.items() if name not in whole}
        outputs = functional_call(self.model, (parameters, fixed), arguments, keywords)
        return self.loss(outputs, data if isinstance(data, dict) else data[1])

    def _rows(self, rows: Any) -> Any:
        return (
            {k: v[rows] for k, v in self.data.items()}
            if isinstance(self.data, dict)
            else tuple(v[rows] for v in self.data)
        )

    def _check_loss(self) -> None:
        middle = (self.n_samples + 1) // 2
        parts = [slice(None), slice(0, middle), slice(middle, None)][: 1 if self.n_samples < 2 else 3]
        with _eval(self.model):
            values = [self._checked(part, with_gradient=part is parts[-1]) for part in parts]
        if not all(map(math.isfinite, values)):
            raise OntogenyError(f"the loss of these data is {values[0]:g} at the weights; expected finite numbers")
        if len(values) == 3:
            mean = (middle * values[1] + (self.n_samples - middle) * values[2]) / self.n_samples
            if abs(mean - values[0]) > 1e-3 * max(abs(values[0]), abs(mean), 1e-12):
                raise OntogenyError(
                    f"the loss of all {self.n_samples} samples is {values[0]:.6g}, but the halves of the data average "
                    f"to {mean:.6g}; expected a mean over samples, not a sum or a loss that mixes samples"
                )

    def _checked(self, part: slice, with_gradient: bool) -> float:
        """The loss of some samples, from which a gradient can be taken."""
        named = {
            name: value.detach().requires_grad_(with_gradient) for name, value in self._named(self.start[0]).items()
        }
        try:
            with torch.set_grad_enabled(with_gradient):
                value = self._value(named, self.fixed[0], self._rows(part))
        except (RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
            raise OntogenyError(f"the network or its loss fails on these data: {first_line(error)}") from error
        if not isinstance(value, Tensor) or value.numel() != 1:
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise OntogenyError(f"the loss gives {shape}; expected one number, the mean over samples")
        if with_gradient and not value.requires_grad:
            raise OntogenyError(
                "the loss has no gradient: it is detached from the parameters; expected one to differentiate"
            )
        return float(value.detach())

    def _named(self, flat: Tensor) -> dict[str, Tensor]:
        named, position = {}, 0
        for name, shape in self.shapes.items():
            size = math.prod(shape)
            named[name] = flat[..., position : position + size].view(*flat.shape[:-1], *shape)
            position += size
        return named

    def evaluate(
        self, theta: Tensor, owner: Tensor, batch_size: int | None, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Losses (K,) and gradients (K, P) of the chains `theta` (K, P), which belong to the networks `owner` (K,)."""
        rows = None
        if batch_size is not None and batch_size < self.n_samples:
            rows = torch.randint(self.n_samples, (len(theta), batch_size), generator=generator)
        with _eval(self.model):
            if self._vmapped is not False and self.n_parameters <= _LARGEST_TOGETHER:
                try:
                    return self._together(theta, owner, rows)
                except (RuntimeError, ValueError, TypeError) as error:
                    if self._vmapped:
                        raise
                    logger.info("chains run one after another: %s", first_line(error))
                    self._vmapped = False
            return self._one_by_one(theta, owner, rows)

    def _together(self, theta: Tensor, owner: Tensor, rows: Tensor | None) -> tuple[Tensor, Tensor]:
        fixed, where = self.fixed[0], None
        if self.n_networks > 1 and self.fixed[0]:
            fixed = {name: torch.stack([f[name] for f in self.fixed])[owner] for name in self.fixed[0]}
            where = 0
        data = self._rows(slice(None)) if rows is None else self._rows(rows)
        axes = (0, where, None if rows is None else 0)
        gradients, losses = vmap(grad_and_value(self._value), in_dims=axes)(self._named(theta), fixed, data)
        self._vmapped = True
        return losses.detach(), torch.cat([g.detach().reshape(len(theta), -1) for g in gradients.values()], dim=1)

    def _one_by_one(self, theta: Tensor, owner: Tensor, rows: Tensor | None) -> tuple[Tensor, Tensor]:
        losses, gradient = [], torch.empty_like(theta)
        for k, flat in enumerate(theta):
            named = {name: value.detach().requires_grad_() for name, value in self._named(flat).items()}
            data = self._rows(slice(None) if rows is None else rows[k])
            loss = self._value(named, self.fixed[int(owner[k])], data)
            found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
            for slot, value in zip(self._named(gradient[k]).values(), found):
                slot.copy_(value) if value is not None else slot.zero_()
            losses.append(loss.detach())
        return torch.stack(losses), gradient


_PART = re.compile(r"^(.*)\[\s*(:\s*,)?\s*(\d*)\s*:\s*(\d*)\s*\]$")


def _chosen(named: Mapping[str, Tensor], patterns: Sequence[str]) -> dict[str, tuple[int, Tensor] | None]:
    """The parameters that `patterns` name, in their order: None for all of one, or an axis and places along it.

    Raises OntogenyError for a part that is empty, and for parts of one parameter along both axes.
    """
    whole: set[str] = set()
    parts: dict[str, tuple[int, set[int]]] = {}
    for pattern in patterns:
        match = _PART.match(pattern)
        for name, tensor in named.items():
            if match is None and fnmatch.fnmatch(name, pattern):
                whole.add(name)
            elif match is not None and fnmatch.fnmatch(name, match[1]):
                axis = 1 if match[2] else 0
                length = tensor.shape[axis] if tensor.ndim > axis else 0
                places = set(range(length)[int(match[3] or 0) : int(match[4] or length)])
                before = parts.get(name, (axis, set()))
                if not places or before[0] != axis:
                    raise OntogenyError(
                        f"parameters: {pattern} of {name}, which is {tuple(tensor.shape)}, should be rows, or columns, "
                        "that it has, and rows or columns alone"
                    )
                parts[name] = (axis, before[1] | places)
    return {
        name: None if name in whole else (parts[name][0], torch.tensor(sorted(parts[name][1])))
        for name in named
        if name in whole or name in parts
    }


Landscape = MLPLandscape | ModuleLandscape


class _eval:
    """The network in eval mode while the block runs, and afterwards as it was."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def __enter__(self) -> None:
        self.modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()

    def __exit__(self, *_: object) -> None:
        for module, mode in self.modes:
            module.training = mode
