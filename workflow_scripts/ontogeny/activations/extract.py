"""Taking activations out of a finished training, by replay."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor, nn

from ontogeny.activations.store import FORMAT
from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError, known_layer
from ontogeny.files import write_hdf5
from ontogeny.models import Following, monitored_layers, readout_layer, trace_layers, without_fast_path
from ontogeny.models.trace import UNKNOWN, undisturbed, value_after
from ontogeny.progress import Progress
from ontogeny.tracking.capture import ActivationCapture
from ontogeny.trajectory.checkpoints import weights_digest
from ontogeny.trajectory.replay import Trajectory


@checks_arguments
def extract_activations(
    trajectory: Trajectory,
    steps: Iterable[int],
    path: str | os.PathLike,
    dtype: str = "float32",
    layers: Iterable[str] | None = None,
    chunk: int = 256,
) -> None:
    """Write the activations of `layers` (all that were monitored) at `steps` to `path`, on the run's probe batch.

    The network of each step is replayed exactly, and run in eval mode without gradients, `chunk` samples at a time;
    every layer's output goes to the file inside the forward pass, so that memory holds one layer of one chunk. What
    follows each layer is found by running the network once; where it is not an elementwise function of the output that
    can be computed again (a normalisation lies between, say), the value after it goes to the file as well. What the
    network's last linear layer reads goes there too, with its weights, if it reads one vector per sample.
    `dtype` is `float16` or `float32`; values beyond float16 are refused.

    Raises OntogenyError for a step or layer that the run does not have, and as `Trajectory.walk` does.
    """
    chosen = trajectory.layers
    if layers is not None:
        names = [known_layer(name, chosen, chosen, f"run {trajectory.run}") for name in layers]
        chosen = {name: chosen[name] for name in names}
    inputs, labels = trajectory.probe
    steps = sorted(set(steps))
    followed: dict[str, Following] | None = None
    progress = Progress(len(steps), f"activations of {trajectory.run}")
    with write_hdf5(path) as file:
        file.attrs["format"] = FORMAT
        file.attrs["run"] = trajectory.run
        file.attrs["identity"] = trajectory.config["identity"]
        file.attrs["layers"] = json.dumps(chosen)
        for name, values in (("probe/inputs", inputs.cpu().numpy()), ("probe/labels", labels.cpu().numpy())):
            file.create_dataset(name, data=values, **_STORAGE)
        for done, (step, learner) in enumerate(trajectory.walk(steps), start=1):
            group = file.create_group(f"step_{step}")
            group.attrs["step"] = step
            group.attrs["digest"] = weights_digest(learner.model)
            if followed is None:
                followed = _followed(learner.model, inputs, chosen)
                file.attrs["nonlinearities"] = json.dumps({name: _name(each) for name, each in followed.items()})
            _write_step(group, learner.model, inputs, chosen, np.dtype(dtype), chunk)
            _write_units(file.create_group(f"units_{step}"), learner.model, inputs, followed, np.dtype(dtype), chunk)
            _write_readout(file.create_group(f"readout_{step}"), learner.model, inputs, chunk)
            progress.update(done, f"step {step}")


_STORAGE = {"compression": "gzip", "compression_opts": 4, "shuffle": True, "fletcher32": True}


def _write_step(
    group: h5py.Group, model: nn.Module, inputs: Tensor, layers: dict[str, str], dtype: np.dtype, chunk: int
) -> None:
    offset = 0

    def write(name: str, activation: Tensor) -> None:
        values = activation.cpu().numpy()
        if dtype == np.float16 and np.abs(values).max(initial=0) > np.finfo(np.float16).max:
            raise OntogenyError(f"activations of {name} are too large for float16; set captures.dtype to float32")
        if name not in group:
            shape = (len(inputs), *values.shape[1:])
            group.create_dataset(name, shape, dtype, chunks=(min(chunk, len(inputs)), *values.shape[1:]), **_STORAGE)
            group[name].attrs["path"] = layers[name]
        group[name][offset : offset + len(values)] = values.astype(dtype)

    was_training = model.training
    model.eval()
    with torch.no_grad(), without_fast_path(), ActivationCapture(model, layers, transform=write):
        for offset in range(0, len(inputs), chunk):
            model(inputs[offset : offset + chunk])
    model.train(was_training)


def _followed(model: nn.Module, inputs: Tensor, layers: dict[str, str]) -> dict[str, Following]:
    return trace_layers(model, inputs[:2], monitored_layers(model, layers))


def _write_units(
    group: h5py.Group, model: nn.Module, inputs: Tensor, followed: dict[str, Following], dtype: np.dtype, chunk: int
) -> None:
    """The values after the nonlinearity, of layers whose own output does not give them."""
    stored = {name: each for name, each in followed.items() if is_stored(each)}
    offset = 0

    def writer(name: str) -> Callable[[Tensor], None]:
        def write(value: Tensor) -> None:
            values = value.float().cpu().numpy()
            if name not in group:
                group.create_dataset(name, (len(inputs), *values.shape[1:]), dtype, **_STORAGE)
            group[name][offset : offset + len(values)] = np.clip(values, *_finite(dtype)).astype(dtype)

        return write

    with ExitStack() as stack:
        for name, each in stored.items():
            stack.enter_context(value_after(model, each, writer(name)))
        stack.enter_context(undisturbed(model))
        stack.enter_context(without_fast_path())
        for offset in range(0, len(inputs) if stored else 0, chunk):
            model(inputs[offset : offset + chunk])


def is_stored(following: Following) -> bool:
    """Whether the value after the nonlinearity is kept, as it cannot be computed from the layer's output."""
    return following.call is not None and not following.computable and not following.moved


def _name(following: Following) -> str:
    """What follows a layer, `unknown` where the value after it can neither be computed nor kept."""
    lost = following.call is not None and not following.computable and not is_stored(following)
    return UNKNOWN if lost else following.nonlinearity


def _finite(dtype: np.dtype) -> tuple[float, float]:
    return float(np.finfo(dtype).min), float(np.finfo(dtype).max)


def _write_readout(group: h5py.Group, model: nn.Module, inputs: Tensor, chunk: int) -> None:
    """Features, weight and bias of the last linear layer; an empty group where there is none, or no features."""
    readout = readout_layer(model)
    if readout is None:
        return
    taken: list[np.ndarray] = []
    hook = readout.module.register_forward_pre_hook(lambda _, args: taken.append(args[0].detach().cpu().numpy()))
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad(), without_fast_path():
            for offset in range(0, len(inputs), chunk):
                model(inputs[offset : offset + chunk])
    finally:
        hook.remove()
        model.train(was_training)
    if any(part.ndim != 2 for part in taken) or sum(map(len, taken)) != len(inputs):
        return
    group.attrs["layer"] = readout.name
    module: Any = readout.module
    weight, bias = module.weight, module.bias
    values = {"features": np.concatenate(taken), "weight": weight.detach().cpu().numpy()}
    values["bias"] = np.zeros(len(weight), np.float32) if bias is None else bias.detach().cpu().numpy()
    for name, value in values.items():
        group.create_dataset(name, data=value.astype(np.float32), **_STORAGE)
