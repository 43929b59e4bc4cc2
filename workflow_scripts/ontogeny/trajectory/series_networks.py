"""The network of a series of checkpoints: one of ours, of `transformers`, or of the user's own file."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ontogeny.errors import OntogenyError, first_line
from ontogeny.models import build_model
from ontogeny.trajectory.settings import NetworkSettings
from ontogeny.trajectory.states import State
from ontogeny.words import with_article


def build_network(
    settings: NetworkSettings, probe: Callable[[], tuple[Tensor, Tensor]], folder: Callable[[], Path], seed: int = 0
) -> nn.Module:
    """The network that `settings` describe, with fresh weights.

    probe: gives the inputs and labels, from which a network of ours takes its shape; folder: gives that of a
    checkpoint.

    Raises OntogenyError if no network is named, or it cannot be built.
    """
    if settings.auto is not None:
        kind, config = _of_transformers(settings, folder())
        return _built(kind, config)
    if settings.build is not None:
        return _of_user(settings.build)
    if settings.model is None:
        raise OntogenyError("no network is named")
    inputs, labels = probe()
    shape = tuple(inputs.shape[1:])
    return build_model(settings.model.name, shape, int(labels.max()) + 1, seed, **settings.model.overrides())


def _built(kind: Any, config: Any) -> nn.Module:
    try:
        model: nn.Module = kind.from_config(config, **_LOADING)
    except ValueError:
        raise OntogenyError(
            f"{kind.__name__} builds no network of the kind {config.model_type}: give its class as network.auto"
        ) from None
    return model


_LOADING: dict[str, Any] = {"attn_implementation": "eager", "dtype": torch.float32}


def loaded_network(settings: NetworkSettings, folder: Path, state: State, step: int) -> nn.Module:
    """A network of `transformers` with the weights of a step, which the library translates.

    Raises OntogenyError if the checkpoint lacks a weight.
    """
    start = _wrapper(state)
    model, told = _from_library(settings, folder, {name.removeprefix(start): state[name] for name in state})
    lacking = sorted(told["missing_keys"])
    if lacking:
        raise OntogenyError(f"step {step} does not fit the network: it lacks {lacking[0]}")
    loaded: nn.Module = model.eval()
    return loaded


def _wrapper(state: State) -> str:
    return "module." if all(name.startswith("module.") for name in state) else ""


def _from_library(settings: NetworkSettings, folder: Path, weights: dict[str, Tensor]) -> tuple[Any, dict[str, Any]]:
    """A network with these weights, and what the library says of them."""
    kind, config = _of_transformers(settings, folder)
    with torch.device("meta"):
        own: Any = type(_built(kind, config))
    model, told = own.from_pretrained(None, config=config, state_dict=weights, output_loading_info=True, **_LOADING)
    return model, told


def renamed_tensors(settings: NetworkSettings, folder: Path, state: State) -> dict[str, str]:
    """Names of the network to those of the file, where the library does no more than give tensors other names.

    They are found by a network whose tensors hold nothing but the position of their name in the file. Empty where the
    library puts tensors together, or takes them apart.
    """
    start, names = _wrapper(state), list(state)
    marks = {name.removeprefix(start): torch.tensor(float(place)).expand(state[name].shape)
             for place, name in enumerate(names)}  # fmt: skip
    model, told = _from_library(settings, folder, marks)
    if told["missing_keys"] or _converted(model):
        return {}
    found = {}
    for name, tensor in model.state_dict().items():
        mark = float(tensor.flatten()[0]) if tensor.numel() else -1.0
        if mark not in range(len(names)) or not bool((tensor == mark).all()):
            return {}
        found[name] = names[int(mark)]
    return found


def _converted(model: Any) -> bool:
    """Whether the library changes tensors of this network when it reads them, beyond their names."""
    try:
        from transformers.conversion_mapping import get_model_conversion_mapping
        from transformers.core_model_loading import WeightRenaming
    except ImportError:
        return False
    return not all(isinstance(each, WeightRenaming) for each in get_model_conversion_mapping(model) or [])


def _of_transformers(settings: NetworkSettings, folder: Path) -> tuple[Any, Any]:
    """The auto class and the configuration of a network."""
    try:
        import transformers
    except ImportError:
        raise OntogenyError("transformers is not installed: pip install 'ontogeny[text]'") from None
    place = Path(settings.config) if settings.config else folder
    kind = getattr(transformers, str(settings.auto), None)
    if kind is None or not hasattr(kind, "from_config"):
        raise OntogenyError(f"transformers has no auto class {settings.auto}: give one such as AutoModelForCausalLM")
    if not (place / "config.json").is_file():
        raise OntogenyError(f"{place} holds no config.json: give the folder that does as network.config")
    return kind, transformers.AutoConfig.from_pretrained(place, use_cache=False)


def _of_user(named: str) -> nn.Module:
    file, _, function = named.rpartition(":")
    path = Path(file)
    if not path.is_file() or not function:
        raise OntogenyError(f"network.build is {named!r}; it should be a file and a function, as module.py:build")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise OntogenyError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        model = getattr(module, function)()
    except (Exception, SystemExit) as error:
        raise OntogenyError(f"{named} failed: {type(error).__name__}: {first_line(error)}") from error
    if not isinstance(model, nn.Module):
        raise OntogenyError(
            f"{named} returned {with_article(type(model).__name__)}; it should return a torch.nn.Module"
        )
    return model
