"""From a run's settings to its learner: the same settings give the same learner, in training and in replay."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from ontogeny.code import code_digest
from ontogeny.errors import OntogenyError, unknown
from ontogeny.models import build_model
from ontogeny.tasks import epoch_order, load_images, split_images
from ontogeny.trajectory.learner import Batch, Learner, make_optimizer, rate_schedule


@dataclass(frozen=True)
class Setup:
    """A learner at step 0, with the data on which it is measured.

    `probe` is the fixed batch of every measurement, `validation` all held-out samples; both are (inputs, labels).
    `record` says in JSON types which data these are; it has `steps_per_epoch`. Training takes `steps` steps at most,
    and with `patience` it ends after so many epochs without a new lowest validation loss. `layers` are those to
    monitor where the settings name none.
    """

    learner: Learner
    probe: Batch
    validation: Batch
    record: dict[str, Any]
    steps: int
    patience: int | None = None
    layers: list[str] | None = None


def set_up(
    identity: dict[str, Any], cache_dir: str | os.PathLike = "cache", folder: str | os.PathLike | None = None
) -> Setup:
    """Build the learner of a run from its identity (settings and seed); `folder` is that of the run, if it has one.

    Raises OntogenyError if the settings do not fit each other or the data. Add a kind of task by a function and an
    entry in `SETUPS`; runs whose task has no `kind` are images.
    """
    kind = identity["task"].get("kind", "images")
    if kind not in SETUPS:
        raise unknown("kind of task", kind, SETUPS)
    chosen = SETUPS[kind]
    if isinstance(chosen, str):
        module, name = chosen.split(":")
        chosen = getattr(import_module(module), name)
    return chosen(identity, cache_dir, folder)


def set_up_images(
    identity: dict[str, Any], cache_dir: str | os.PathLike, folder: str | os.PathLike | None = None
) -> Setup:
    """The learner of an image classifier trained with cross-entropy."""
    task, model_settings, training = identity["task"], dict(identity["model"]), identity["training"]
    seed = identity["seed"]
    data = load_images(task["name"], path=task["path"], cache_dir=cache_dir)
    split = split_images(
        data, task["n_train"], task["n_validation"], task["n_probe"], task["split_seed"], task["standardise"]
    )
    device = get_device(training["device"])

    def tensors(name: str) -> Batch:
        inputs, labels = split.arrays(name)
        return torch.from_numpy(inputs).to(device), torch.from_numpy(labels).to(device)

    train_inputs, train_labels = tensors("train")
    count, size = len(split.train), training["batch_size"]
    if size > count:
        raise OntogenyError(f"training.batch_size is {size}, but there are only {count} training images; ask for fewer")
    overrides = {key: value for key, value in model_settings.items() if key != "name" and value is not None}
    model = build_model(model_settings["name"], data.shape, data.classes, seed, **overrides).to(device)
    order = DataOrder(count, seed)

    def batch(step: int) -> Batch:
        epoch, position = divmod(step, count // size)
        chosen = order(epoch)[position * size : (position + 1) * size]
        return train_inputs[chosen], train_labels[chosen]

    optimizer = make_optimizer(
        model, training["optimizer"], training["learning_rate"], training["weight_decay"], training["momentum"]
    )
    learner = Learner(
        model,
        optimizer,
        batch,
        nn.CrossEntropyLoss(label_smoothing=training["label_smoothing"]),
        rate_schedule(training["learning_rate"], training["schedule"], training["steps"], training["warmup_steps"]),
        seed,
        training["gradient_clip"],
    )
    record = {**split.record(), "steps_per_epoch": count // size}
    return Setup(learner, tensors("probe"), tensors("validation"), record, training["steps"])


def code_of_setup(identity: dict[str, Any]) -> str:
    """Digest of the code that sets up a run and goes on from there, for its kind of task."""
    chosen = SETUPS.get(identity["task"].get("kind", "images"), set_up_images)
    name = chosen.partition(":")[0] if isinstance(chosen, str) else chosen.__module__
    file = find_spec(name)
    return code_digest(file.origin) if file is not None and file.origin else "unknown"


class DataOrder:
    """The order of the training data in an epoch, the last one asked for remembered."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.seed, self.epoch = count, seed, -1
        self.indices: Tensor = torch.empty(0, dtype=torch.int64)

    def __call__(self, epoch: int) -> Tensor:
        if epoch != self.epoch:
            self.indices = torch.from_numpy(epoch_order(self.count, self.seed, epoch))
            self.epoch = epoch
        return self.indices


def get_device(name: str) -> torch.device:
    """The device `cpu` or `cuda`. Raises OntogenyError if there is none."""
    if name == "cuda" and not torch.cuda.is_available():
        raise OntogenyError("training.device is 'cuda', but this machine has no GPU that PyTorch can use; say 'cpu'")
    return torch.device(name)


SETUPS: dict[str, Callable[..., Setup] | str] = {
    "images": set_up_images,
    "prompts": "ontogeny.trajectory.prompts:set_up_prompts",
}
"""Kinds of tasks: a function, or where it is as `module:function`, which then is not part of the other kinds' code."""
