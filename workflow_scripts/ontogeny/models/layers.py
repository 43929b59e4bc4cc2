"""The layers to watch in a network: which they are, what they are called, and what was left out and why.

One walk over the modules serves every kind of network. A module that computes with weights is watched; what is not
(norms, embeddings, parts that PyTorch uses without calling them) is listed with the reason. So every parameter of a
network belongs to a watched layer or to an entry of `skipped`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized

from ontogeny.errors import OntogenyError, nearest, unknown
from ontogeny.words import with_article

ARCHITECTURES = ("mlp", "cnn", "transformer", "vit", "rnn")


@dataclass(frozen=True)
class MonitoredLayer:
    """A module whose output is recorded.

    name: for display, the class and a number per class, such as `Linear_0`. path: as in `named_modules`.
    kind: linear, conv, attention, recurrent, block (a composite) or other.
    What follows it is found by running the model: `ontogeny.models.trace_layers`.
    """

    name: str
    path: str
    module: nn.Module
    kind: str


class SkippedModule(NamedTuple):
    """A module that holds parameters and is not monitored."""

    path: str
    reason: str


@contextmanager
def without_fast_path() -> Iterator[None]:
    """Switch off, inside the block, PyTorch's fused evaluation of Transformer layers, which calls no submodule.

    With it, hooks on the submodules of `nn.TransformerEncoderLayer` record nothing in eval mode.
    """
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


class LayerHandler:
    """The layers to monitor in `model`, in definition order.

    architecture: one of mlp, cnn, transformer, vit, rnn. layers: list of `MonitoredLayer`.
    skipped: list of `SkippedModule`, every module with parameters that is not monitored.
    """

    def __init__(self, model: nn.Module) -> None:
        _require_module(model)
        self.model = model
        self.layers, self.skipped = _walk(model)

    @cached_property
    def architecture(self) -> str:
        return _architecture(self.model, self.layers)

    def get_name(self) -> str:
        """The architecture."""
        return self.architecture

    def validate_model(self, model: nn.Module) -> bool:
        """Whether `model` is of this handler's architecture."""
        try:
            return detect_architecture(model) == self.architecture
        except OntogenyError:
            return False

    def get_activation_layers(self, model: nn.Module | None = None) -> list[nn.Module]:
        """The modules to hook, of this handler's model or of another one."""
        return [layer.module for layer in self._layers_of(model)]

    def get_layer_names(self, model: nn.Module | None = None, layers: Iterable[nn.Module] | None = None) -> list[str]:
        """The display names of `layers` (modules of the model), or of all monitored layers.

        Raises OntogenyError if one of `layers` is not part of the model.
        """
        if layers is None:
            return [layer.name for layer in self._layers_of(model)]
        model = self.model if model is None else model
        by_id = {id(layer.module): layer.name for layer in _directory(model)}
        names = []
        for position, module in enumerate(layers):
            if id(module) not in by_id:
                raise OntogenyError(
                    f"layer {position} ({type(module).__name__}) is not a part of this {type(model).__name__}: "
                    "pass modules of the model itself"
                )
            names.append(by_id[id(module)])
        return names

    def _layers_of(self, model: nn.Module | None) -> list[MonitoredLayer]:
        return self.layers if model is None or model is self.model else LayerHandler(model).layers


def detect_architecture(model: nn.Module) -> str:
    """The kind of network: `mlp`, `cnn`, `transformer`, `vit` or `rnn`.

    Recurrent layers make an rnn; attention makes a transformer, or a vit if the image is cut into patches (a
    convolution whose stride is its kernel, or a module called patch...), unless other convolutions outnumber it;
    convolutions make a cnn; linear layers alone an mlp. Which layers are monitored does not depend on it.

    Raises OntogenyError, naming what was seen, when it is none of them.
    """
    return LayerHandler(model).architecture


def get_handler(model: nn.Module, architecture: str | None = None) -> LayerHandler:
    """The layers to monitor in any model; with `architecture`, also the check that the model is of that kind.

    Raises OntogenyError for an unknown architecture, a model that is not of it, and one that has no layer to monitor.
    """
    handler = LayerHandler(model)
    if architecture is not None:
        if architecture.lower() not in ARCHITECTURES:
            raise unknown("architecture", architecture, ARCHITECTURES)
        if handler.architecture != architecture.lower():
            raise OntogenyError(
                f"{type(model).__name__} looks like '{handler.architecture}', not '{architecture.lower()}': "
                "leave the architecture out to have it found"
            )
    _ = handler.architecture
    return handler


def monitored_layers(model: nn.Module, names: Iterable[str] | None = None) -> list[MonitoredLayer]:
    """The layers to monitor: all that the handler finds, or those in `names`, in the order given.

    names: display names (`Linear_0`) or module paths (`network.0`); any module that is called in the forward pass
    may be named, also one that is not monitored by default, such as a whole block or a norm.

    Raises OntogenyError for a name that does not exist, with the nearest that does.
    """
    if names is None:
        return get_handler(model).layers
    _require_module(model)
    names = [names] if isinstance(names, str) else list(names)
    if not names:
        raise OntogenyError("no layer is named: give at least one, or leave the names out to monitor every layer")
    everything = _directory(model)
    by_name = {layer.name: layer for layer in everything}
    by_id = {id(layer.module): layer for layer in everything}
    by_name |= {path: by_id[id(module)] for path, module in model.named_modules(remove_duplicate=False)}
    chosen: list[MonitoredLayer] = []
    for name in names:
        if name not in by_name:
            monitored = [layer.name for layer in LayerHandler(model).layers]
            guess = nearest(name, [key for key in by_name if key])
            hint = f"did you mean '{guess}'? " if guess else ""
            listed = ", ".join(monitored[:20]) + (f", and {len(monitored) - 20} more" if len(monitored) > 20 else "")
            raise OntogenyError(f"unknown layer '{name}': {hint}Monitored by default: {listed}")
        layer = by_name[name]
        reason = _never_called(model, layer)
        if reason:
            raise OntogenyError(f"layer '{name}' cannot be monitored: {reason}")
        if layer in chosen:
            raise OntogenyError(f"layer '{name}' ({layer.path}) is named twice: name every layer once")
        chosen.append(layer)
    return chosen


# ---------------------------------------------------------------------------------------------------- the walk

_NORM = re.compile(r"Norm(alization)?(\dd)?$")
_EMBEDDING = re.compile(r"embed|position(al)?(encoding|bias)", re.IGNORECASE)
_ATTENTION = re.compile(r"attention|attn", re.IGNORECASE)
_VALUES = (nn.ParameterList, nn.ParameterDict, ParametrizationList)
_CONTAINERS = (nn.ModuleList, nn.ModuleDict, *_VALUES)


def readout_layer(model: nn.Module) -> MonitoredLayer | None:
    """The linear layer that turns features into the network's outputs: the last monitored layer; None if it is not."""
    layers = get_handler(model).layers
    return layers[-1] if layers and isinstance(layers[-1].module, nn.Linear) else None


def _require_module(model: Any) -> None:
    if not isinstance(model, nn.Module):
        raise OntogenyError(f"the model is {with_article(type(model).__name__)}: a torch.nn.Module is expected")


def _class_name(module: nn.Module) -> str:
    kind = type(module)
    return (kind.__bases__[0] if is_parametrized(module) else kind).__name__


def _held(module: nn.Module) -> list[str]:
    """The names of the parameters that `module` itself computes with."""
    own = [name for name, value in module._parameters.items() if value is not None]
    for name, child in module.named_children():
        if isinstance(child, _VALUES) or (name == "parametrizations" and is_parametrized(module)):
            own += [f"{name}.{inner}" for inner, _ in child.named_parameters()]
    return own


def _is_projection(module: nn.Module) -> bool:
    """Linear layers, also the transposed one that GPT-2 calls Conv1D."""
    if isinstance(module, nn.Linear | nn.Bilinear):
        return True
    weight = getattr(module, "weight", None)
    return _class_name(module) == "Conv1D" and isinstance(weight, Tensor) and weight.ndim == 2


def _walk(model: nn.Module) -> tuple[list[MonitoredLayer], list[SkippedModule]]:
    """Every module with parameters, once, as a monitored layer or as a skipped module."""
    layers: list[MonitoredLayer] = []
    skipped: list[SkippedModule] = []
    counts: Counter[str] = Counter()
    seen: dict[int, str] = {}
    inside: dict[str, str] = {}

    def monitor(path: str, module: nn.Module, kind: str, parts: str | None = None) -> None:
        label = _class_name(module)
        name = f"{label}_{counts[label]}"
        counts[label] += 1
        layers.append(MonitoredLayer(name, path, module, kind))
        if parts and next(module.children(), None) is not None:
            inside[f"{path}." if path else ""] = parts.format(name=name)

    def skip(path: str, reason: str) -> None:
        skipped.append(SkippedModule(path, reason))

    for path, module in model.named_modules(remove_duplicate=False):
        held = _held(module)
        if not held:
            continue
        if id(module) in seen:
            skip(path, f"the same module as '{seen[id(module)]}', so one layer stands for both")
            continue
        seen[id(module)] = path
        if any(torch.nn.parameter.is_lazy(value) for value in module._parameters.values()):
            raise OntogenyError(
                f"'{path}' ({type(module).__name__}) has no weights yet: run the model on one batch first"
            )
        label = _class_name(module)
        children = next(module.children(), None) is not None
        cover = next((reason for prefix, reason in inside.items() if path.startswith(prefix) and path), None)
        listed = ", ".join(held[:4]) + (", ..." if len(held) > 4 else "")
        if cover is not None:
            skip(path, cover)
        elif isinstance(module, nn.MultiheadAttention):
            monitor(path, module, "attention", "its weights are used inside {name} without a call; {name} is monitored")
        elif isinstance(module, nn.RNNBase | nn.RNNCellBase):
            monitor(path, module, "recurrent")
        elif _is_projection(module):
            monitor(path, module, "linear", "it makes the weights of {name}, which is monitored")
        elif isinstance(module, nn.modules.conv._ConvNd):
            monitor(path, module, "conv", "it makes the weights of {name}, which is monitored")
        elif isinstance(module, nn.Embedding | nn.EmbeddingBag) or _EMBEDDING.search(label):
            skip(path, f"an embedding ({label}): a table of learned vectors, not a computation")
        elif _NORM.search(label) and all(
            getattr(module, name).ndim <= 1 for name in module._parameters if name in held
        ):
            skip(path, f"a normalisation ({label}): it rescales what the layer before it made")
        elif isinstance(module, nn.PReLU):
            skip(path, "a nonlinearity with a learned slope (PReLU)")
        elif isinstance(module, _VALUES):
            skip(path, f"a list of values ({label}) that the module around it uses without a call")
        elif module is model:
            skip(path, f"the model itself holds {listed}; its own output is the model's output")
        elif isinstance(module, _CONTAINERS):
            skip(path, f"a container ({label}) that is never called")
        else:
            monitor(path, module, "block" if children else "other")
    return layers, skipped


def _directory(model: nn.Module) -> list[MonitoredLayer]:
    """Every module of `model` under a display name, those monitored by default first."""
    monitored, _ = _walk(model)
    counts = Counter(_class_name(layer.module) for layer in monitored)
    known = {id(layer.module) for layer in monitored}
    everything = list(monitored)
    for path, module in model.named_modules():
        if id(module) not in known:
            label = _class_name(module)
            kind = "block" if next(module.children(), None) is not None else "other"
            everything.append(MonitoredLayer(f"{label}_{counts[label]}", path, module, kind))
            counts[label] += 1
    return everything


def _never_called(model: nn.Module, layer: MonitoredLayer) -> str | None:
    if isinstance(layer.module, _CONTAINERS):
        return f"it is {with_article(type(layer.module).__name__)}, which is never called; name the modules in it"
    for path, module in model.named_modules():
        prefix = f"{path}." if path else ""
        if isinstance(module, nn.MultiheadAttention) and layer.path.startswith(prefix) and layer.path != path:
            return f"PyTorch uses its weights inside the attention '{path}' without calling it; monitor '{path}'"
    return None


# ------------------------------------------------------------------------------------------------- architecture


def _architecture(model: nn.Module, layers: list[MonitoredLayer]) -> str:
    kinds = Counter(layer.kind for layer in layers)
    if kinds["recurrent"]:
        return "rnn"
    holders = [(path, m) for path, m in model.named_modules() if next(m.parameters(), None) is not None]
    attention = [m for _, m in holders if isinstance(m, nn.MultiheadAttention) or _ATTENTION.search(_class_name(m))]
    convolutions: list[Any] = [layer.module for layer in layers if layer.kind == "conv"]
    cuts = [m for m in convolutions if len(m.kernel_size) > 1 and m.kernel_size == m.stride and max(m.stride) > 1]
    if attention and len(convolutions) - len(cuts) <= len(attention):
        patches = cuts or any("patch" in path.lower().rsplit(".", 1)[-1] for path, _ in holders)
        return "vit" if patches else "transformer"
    if convolutions:
        return "cnn"
    if kinds["linear"]:
        return "mlp"
    seen = Counter(_class_name(m) for m in model.modules() if next(m.children(), None) is None)
    listed = ", ".join(f"{count} {name}" for name, count in seen.most_common(8)) or "nothing"
    loose = _held(model)
    also = f", and holds the parameters {', '.join(loose[:4])} itself" if loose else ""
    raise OntogenyError(
        f"no known architecture: {type(model).__name__} is made of {listed}{also}, without a linear, convolutional, "
        "attention or recurrent layer; name the layers to monitor"
    )
