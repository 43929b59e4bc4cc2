"""Taking the activations of chosen layers out of a model, without changing what the model does."""

from __future__ import annotations

import dataclasses
import itertools
import sys
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch._library.effects import EffectType

from ontogeny.errors import OntogenyError, unknown
from ontogeny.words import counted, with_article

WHEN = ("always", "training")


def _forget_compiled_code() -> None:
    """Let `torch.compile` compile again: its code for one module serves all of the class, without new hooks."""
    dynamo = sys.modules.get("torch._dynamo")
    if dynamo is not None:
        dynamo.reset()


class ActivationCapture:
    """The latest output of each chosen layer, kept by forward hooks.

    `register_hooks` takes the layers; given a model here, they are registered at once. As a context manager it
    removes its hooks at the end, whatever happens inside; contexts may be nested. Deleting the object removes
    them too, and a copy or pickle of the model does not carry them.

    A layer that gives a tuple, list, mapping or data class is represented by its first tensor of two or more axes (for
    `nn.MultiheadAttention` the attention output, for `nn.LSTM` the output sequence, for a Hugging Face output its
    first field). A layer called several times in one forward pass is represented by the last call. A layer without such
    a tensor (a scalar, a vector), and one that runs inside `torch.vmap` or another transformation, has no activation:
    there is one warning, and the forward pass goes on. In what `torch.compile` compiles, with
    `fullgraph` or without, a hook is one call among others, and breaks no graph.

    What is kept is the layer's output as it was, even if a later layer (an in-place ReLU, an in-place addition)
    overwrites that memory: whether this happens is learned from each layer's first output, and a layer whose
    output is overwritten is copied from then on. Other outputs are kept by reference, so a hook costs
    microseconds; they stay in memory until the next forward pass or `clear_activations`.

    Arguments:
        model, layers, layer_names: see `register_hooks`.
        when: "always", or "training": then only a forward pass with gradients enabled is kept, and one in evaluation
            mode only where none came in training mode (a network may be trained with `eval()`, to hold its batch
            norms still). So an evaluation between two training steps leaves no trace.
        max_rows: keep only the first so many samples of each output.
        transform: called with the layer's name and its output inside the forward pass; its result is kept in
            place of the tensor. It must not change the tensor, nor keep it.
    """

    def __init__(
        self,
        model: nn.Module | None = None,
        layers: Sequence[nn.Module | str] | Mapping[str, nn.Module | str] | None = None,
        layer_names: Sequence[str] | None = None,
        *,
        when: str = "always",
        max_rows: int | None = None,
        transform: Callable[[str, torch.Tensor], Any] | None = None,
    ) -> None:
        self.hooks: list[torch.utils.hooks.RemovableHandle] = []
        if when not in WHEN:
            raise unknown("capture condition", when, WHEN)
        if max_rows is not None and (isinstance(max_rows, bool) or not isinstance(max_rows, int) or max_rows < 1):
            raise OntogenyError(f"max_rows is {max_rows!r}: keep at least one row, a whole number, or None to keep all")
        self.when = when
        self.max_rows = max_rows
        self.transform = transform
        self.layers: dict[str, nn.Module] = {}
        self.enabled = True
        self._model: weakref.ref[nn.Module] | None = None
        self._kept: dict[str, Any] = {}
        self._evaluated: dict[str, Any] = {}
        self._warned: set[str] = set()
        self._overwritten: dict[str, bool | None] = {}
        self._depth = 0
        self._wanted = (model, layers, layer_names)
        if model is not None:
            self.register_hooks(model, layers, layer_names)
        elif layers is not None:
            raise OntogenyError("layers were given without their model: ActivationCapture(model, layers)")

    def register_hooks(
        self,
        model: nn.Module,
        layers: Sequence[nn.Module | str] | Mapping[str, nn.Module | str] | None = None,
        layer_names: Sequence[str] | None = None,
    ) -> None:
        """Watch `layers` of `model`. Layers watched before are let go, so that no output is kept twice.

        `layers` holds modules of the model or their dotted paths, or maps names to them; if None, the layers that
        `ontogeny.models.monitored_layers` finds. They are called `layer_names`, or by class and position
        ("Linear_0"). Raises OntogenyError for a layer that the model does not have, naming the nearest, for
        names that do not match the layers, and for a name or layer given twice.
        """
        chosen = resolve_layers(model, layers, layer_names)
        self.remove_hooks()
        self._model = weakref.ref(model)
        self._wanted = (model, layers, layer_names)
        self.layers = chosen
        self._overwritten = dict.fromkeys(chosen)
        _forget_compiled_code()
        try:
            for name, module in chosen.items():
                self.hooks.append(module.register_forward_hook(_Hook(self, name, module)))
        except BaseException:
            self.remove_hooks()
            raise

    def get_activation(self, layer_name: str) -> Any:
        """The latest output of a layer (detached, or what `transform` made of it); None if there is none.

        None, too, in the rare case that an output was overwritten in place although the layer's first was not.
        Raises OntogenyError for a name that is not watched.
        """
        if self.layers and layer_name not in self.layers:
            raise unknown("layer", layer_name, self.layers)
        if layer_name not in self._kept and layer_name in self._evaluated:
            self._kept[layer_name] = self._evaluated.pop(layer_name)
        kept = self._kept.get(layer_name)
        return kept if kept is None or self.transform is not None else self._intact(layer_name, kept)

    def get_all_activations(self) -> dict[str, Any]:
        """The latest output of every layer that has one, by name, in the order of the layers."""
        found = {name: self.get_activation(name) for name in self.layers}
        return {name: activation for name, activation in found.items() if activation is not None}

    @property
    def activations(self) -> dict[str, Any]:
        """The same as `get_all_activations`."""
        return self.get_all_activations()

    def clear_activations(self) -> None:
        """Forget the outputs; go on watching."""
        self._kept.clear()
        self._evaluated.clear()

    def remove_hooks(self) -> None:
        """Stop watching, and forget the outputs. Safe to call at any time, any number of times."""
        for hook in self.hooks:
            hook.remove()
        self.hooks.clear()
        self.layers = {}
        self.clear_activations()

    def __enter__(self) -> ActivationCapture:
        model, layers, types = self._wanted
        if not self.hooks and model is not None:
            self.register_hooks(model, layers, types)
        self._depth += 1
        return self

    def __exit__(self, *error: object) -> None:
        self._depth -= 1
        if self._depth <= 0:
            self._depth = 0
            self.remove_hooks()

    def __del__(self) -> None:
        for hook in getattr(self, "hooks", ()):
            hook.remove()

    def _receive(self, name: str, output: Any) -> None:
        if not self.enabled:
            return
        kept = self._kept
        if self.when == "training":
            model = self._model() if self._model is not None else None
            if model is None or not torch.is_grad_enabled():
                return
            kept = self._kept if model.training else self._evaluated
        tensor = output if type(output) is torch.Tensor and output.ndim > 1 else first_tensor(output)
        if _is_transformed(output if tensor is None else tensor):
            self._warn_once(name, "runs inside torch.vmap or another transformation")
            return
        if tensor is None:
            self._warn_once(name, f"returns {_described(output)}, without a tensor of two or more axes")
            return
        if kept is self._evaluated and not tensor.requires_grad:
            return
        tensor = tensor.detach()
        if self.transform is not None:
            kept[name] = self.transform(name, tensor[: self.max_rows])
            return
        overwritten = self._overwritten[name]
        if overwritten is True or tensor.is_inference():
            kept[name] = (None, 0, tensor[: self.max_rows].clone())
        else:
            copy = tensor[: self.max_rows].clone() if overwritten is None else None
            kept[name] = (tensor, tensor._version, copy)

    def _receive_compiled(self, name: str, tensor: torch.Tensor, grad: bool) -> None:
        """Take an output from within compiled code, which may use its memory again: so it is copied."""
        model = self._model() if self._model is not None else None
        if not self.enabled or (self.when == "training" and (model is None or not grad)):
            return
        kept = self._evaluated if self.when == "training" and model is not None and not model.training else self._kept
        rows = tensor[: self.max_rows]
        kept[name] = (None, 0, rows.clone()) if self.transform is None else self.transform(name, rows)

    def _warn_once(self, name: str, what: str) -> None:
        if name not in self._warned:
            self._warned.add(name)
            warnings.warn(f"layer '{name}' {what}: it has no activation; watch another layer instead", stacklevel=4)

    def _intact(self, name: str, kept: tuple[torch.Tensor | None, int, torch.Tensor | None]) -> torch.Tensor | None:
        """The output of (reference, version counter at the time, copy if one was made); learn who overwrites."""
        reference, version, copy = kept
        if reference is None:
            return copy
        changed = reference._version != version
        self._overwritten[name] = bool(self._overwritten[name]) or changed
        self._kept[name] = (None, 0, copy) if changed else (reference, version, None)
        return copy if changed else reference[: self.max_rows]


_HOOKS: weakref.WeakValueDictionary[int, _Hook] = weakref.WeakValueDictionary()
_NUMBERS = itertools.count()


@torch.library.custom_op("ontogeny::keep", mutates_args=())
def _keep(tensor: torch.Tensor, hook: int, grad: bool) -> None:
    """A call in compiled code that hands a layer's output to the hook of a number, whatever surrounds it."""
    taker = _HOOKS.get(hook)
    if taker is not None:
        taker.receive_compiled(tensor, grad)


@_keep.register_fake
def _(tensor: torch.Tensor, hook: int, grad: bool) -> None:
    """Nothing to compute."""


torch.library._register_effectful_op("ontogeny::keep", EffectType.ORDERED)


def _main_tensor(output: Any) -> torch.Tensor | None:
    """As `first_tensor`, of outputs that compiled code may look into: tensors, tuples and lists, and mappings."""
    if isinstance(output, torch.Tensor):
        return output if output.ndim >= 2 else None
    for part in output.values() if isinstance(output, dict) else output if isinstance(output, tuple | list) else ():
        found = _main_tensor(part)
        if found is not None:
            return found
    return None


class _Hook:
    """A forward hook that holds its owner weakly, serves one module only, and is inert when copied or pickled."""

    def __init__(self, owner: ActivationCapture, name: str, module: nn.Module) -> None:
        self._owner = weakref.ref(owner)
        self._module = weakref.ref(module)
        self._name = name
        self.number = next(_NUMBERS)
        _HOOKS[self.number] = self

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> None:
        if torch.compiler.is_compiling():
            tensor = _main_tensor(output)
            if tensor is not None:
                _keep(tensor.detach(), self.number, torch.is_grad_enabled() and tensor.requires_grad)
            return
        owner = self._owner()
        if owner is not None and self._module() is module:
            owner._receive(self._name, output)

    def receive_compiled(self, tensor: torch.Tensor, grad: bool) -> None:
        """Take an output of compiled code; `grad`, whether gradients flow through it."""
        owner = self._owner()
        if owner is not None and self._name in owner.layers:
            owner._receive_compiled(self._name, tensor, grad)

    def __deepcopy__(self, memo: dict) -> Callable[..., None]:
        return _no_hook

    def __reduce__(self) -> tuple:
        return _inert, ()


def _inert() -> Callable[..., None]:
    return _no_hook


def _no_hook(*arguments: Any) -> None:
    """A hook that does nothing."""


def first_tensor(output: Any) -> torch.Tensor | None:
    """The first tensor of two or more axes in a layer's output, searched depth first; None if there is none."""
    if isinstance(output, torch.Tensor):
        return output if output.ndim >= 2 else None
    for part in _parts(output):
        found = first_tensor(part)
        if found is not None:
            return found
    return None


def _parts(output: Any) -> Iterator[Any]:
    if isinstance(output, Mapping):
        yield from output.values()
    elif isinstance(output, list | tuple):
        yield from output
    elif dataclasses.is_dataclass(output) and not isinstance(output, type):
        yield from (getattr(output, each.name, None) for each in dataclasses.fields(output))


def _described(output: Any) -> str:
    return f"a tensor of shape {tuple(output.shape)}" if isinstance(output, torch.Tensor) else type(output).__name__


def _is_transformed(tensor: Any) -> bool:
    """Whether it is one of `torch.func`'s tensors, which must not leave their transformation."""
    functorch = getattr(torch._C, "_functorch", None) if isinstance(tensor, torch.Tensor) else None
    return functorch is not None and bool(functorch.is_functorch_wrapped_tensor(tensor))


def resolve_layers(
    model: nn.Module,
    layers: Sequence[nn.Module | str] | Mapping[str, nn.Module | str] | None,
    layer_names: Iterable[str] | None = None,
) -> dict[str, nn.Module]:
    """The modules to watch, by name, in order (see `ActivationCapture.register_hooks`).

    Raises OntogenyError for layers or names that are missing, repeated, or not of the model.
    """
    if not isinstance(model, nn.Module):
        raise OntogenyError(f"a torch.nn.Module is expected as the model, not {type(model).__name__}")
    from ontogeny.models import monitored_layers

    if layers is None:
        found = monitored_layers(model, names=None if layer_names is None else list(layer_names))
        return {layer.name: layer.module for layer in found}
    if isinstance(layers, str | nn.Module):
        raise OntogenyError(f"layers is one {type(layers).__name__}: give a list of layers")
    if isinstance(layers, Mapping):
        layer_names, layers = (list(layers) if layer_names is None else layer_names), list(layers.values())
    members = {id(module) for module in model.modules()}
    modules = []
    for layer in layers:
        if isinstance(layer, str):
            layer = monitored_layers(model, names=[layer])[0].module
        modules.append(_member(model, layer, members))
    if not modules:
        raise OntogenyError("no layers to watch: name at least one")
    if layer_names is None:
        layer_names = [f"{type(module).__name__}_{index}" for index, module in enumerate(modules)]
    names = list(layer_names)
    if len(names) != len(modules):
        raise OntogenyError(
            f"{counted(len(names), 'layer name')} for {counted(len(modules), 'layer')}: give one name per layer"
        )
    for index, name in enumerate(names):
        if name in names[:index]:
            raise OntogenyError(f"the layer name '{name}' is given twice: every layer needs its own")
        if any(modules[index] is other for other in modules[:index]):
            raise OntogenyError(f"the layer '{name}' is the same module as another in the list: give each once")
    return dict(zip(names, modules, strict=True))


def _member(model: nn.Module, layer: Any, members: set[int]) -> nn.Module:
    if not isinstance(layer, nn.Module):
        raise OntogenyError(f"a layer is a module or its name, not {type(layer).__name__}")
    if id(layer) not in members:
        raise OntogenyError(
            f"{with_article(type(layer).__name__)} among the layers is not part of this {type(model).__name__}"
        )
    return layer


def module_path(model: nn.Module, module: nn.Module) -> str:
    """The dotted path of `module` in `model` ("" for the model itself)."""
    return next(path for path, candidate in model.named_modules() if candidate is module)
