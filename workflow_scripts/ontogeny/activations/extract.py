"""Taking activations out of a finished training, by replay."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable

import h5py
import numpy as np
import torch
from torch import Tensor, nn

from ontogeny.activations.store import FORMAT
from ontogeny.errors import OntogenyError, unknown
from ontogeny.files import write_hdf5
from ontogeny.models import readout_layer, without_fast_path
from ontogeny.progress import Progress
from ontogeny.tracking.capture import ActivationCapture
from ontogeny.trajectory.checkpoints import weights_digest
from ontogeny.trajectory.replay import Trajectory


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
    the network's last linear layer reads goes there too, with its weights, if it reads one vector a sample.
    `dtype` is `float16` or `float32`; values beyond float16 are refused.

    Raises OntogenyError for a step or layer that the run does not have, and as `Trajectory.walk` does.
    """
    chosen = trajectory.layers
    if layers is not None:
        for name in layers:
            if name not in chosen:
                raise unknown("layer", name, chosen, f"run {trajectory.run}")
        chosen = {name: chosen[name] for name in layers}
    inputs, labels = trajectory.probe
    steps = sorted(set(steps))
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
            _write_step(group, learner.model, inputs, chosen, np.dtype(dtype), chunk)
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
    weight, bias = readout.module.weight, readout.module.bias
    values = {"features": np.concatenate(taken), "weight": weight.detach().cpu().numpy()}
    values["bias"] = np.zeros(len(weight), np.float32) if bias is None else bias.detach().cpu().numpy()
    for name, value in values.items():
        group.create_dataset(name, data=value.astype(np.float32), **_STORAGE)
