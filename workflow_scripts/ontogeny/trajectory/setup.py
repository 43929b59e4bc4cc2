"""From a run's settings to its learner: the same settings give the same learner, in training and in replay."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ontogeny.arguments import checks_arguments, usable_device
from ontogeny.code import code_digest
from ontogeny.errors import OntogenyError, unknown
from ontogeny.models import build_model
from ontogeny.models.known import modular_measures, parity_measures
from ontogeny.tasks import ImageData, ImageSplits, epoch_order, load_images, split_images
from ontogeny.tasks.images import RELEVANT_BITS
from ontogeny.tasks.known import SIZES, crossing
from ontogeny.trajectory.learner import Batch, Learner, make_optimizer, rate_schedule
from ontogeny.trajectory.shocks import Shock
from ontogeny.words import counted

Columns = Mapping[str, Sequence[float]]
"""Columns of a record that belong to the whole run: `step`, `loss`, `probe_loss`, measures of progress."""


def class_scores(outputs: Tensor, labels: Tensor) -> dict[str, float]:
    """`probe_loss` (cross-entropy) and `probe_accuracy` of a classifier's outputs (samples, classes)."""
    return {
        "probe_loss": float(functional.cross_entropy(outputs, labels)),
        "probe_accuracy": float((outputs.argmax(1) == labels).double().mean()),
    }


@dataclass(frozen=True)
class Setup:
    """A learner at step 0, with the data on which it is measured.

    `probe` is the fixed batch of every measurement, `validation` all held-out samples; both are (inputs, labels).
    `record` says in JSON types which data these are; it has `steps_per_epoch`. Training takes `steps` steps at most,
    and with `patience` it ends after so many epochs without a new lowest validation loss. `layers` are those to
    monitor where the settings name none.

    `score` gives numbers of the probe's outputs and targets, and `measure` the progress of the network, by name; both
    are logged with every row. `truth` gives, from the logged columns, what is known of the run's transitions: name,
    quantity, start, middle and end (steps; 10, 50 and 90%), and from what. `nonlinearities` says what follows each
    layer where the learner cannot be asked, since its weights are shared out.
    """

    learner: Learner
    probe: Batch
    validation: Batch
    record: dict[str, Any]
    steps: int
    patience: int | None = None
    layers: list[str] | None = None
    score: Callable[[Any, Tensor], dict[str, float]] = class_scores
    measure: Callable[[Any], dict[str, float]] | None = None
    truth: Callable[[Columns], list[dict[str, Any]]] | None = None
    nonlinearities: dict[str, str] | None = None


@checks_arguments
def set_up(
    identity: dict[str, Any], cache_dir: str | os.PathLike = "cache", folder: str | os.PathLike | None = None
) -> Setup:
    """Build the learner of a run from its identity (settings and seed); `folder` is that of the run, if it has one.

    Raises OntogenyError if the settings do not fit each other or the data. Add a kind of task by a function and an
    entry in `SETUPS`; runs whose task has no `kind` are images.
    """
    kind = _kind(identity["task"])
    if kind not in SETUPS:
        raise unknown("kind of task", kind, SETUPS)
    chosen = SETUPS[kind]
    if isinstance(chosen, str):
        module, name = chosen.split(":")
        chosen = getattr(import_module(module), name)
    return chosen(identity, cache_dir, folder)


def _kind(task: dict[str, Any]) -> str:
    return str(task.get("kind", "computed" if task.get("name") in SIZES else "images"))


def set_up_images(
    identity: dict[str, Any], cache_dir: str | os.PathLike, folder: str | os.PathLike | None = None
) -> Setup:
    """The learner of an image classifier trained with cross-entropy.

    Raises OntogenyError if a batch is larger than the training set.
    """
    task, model_settings, training = identity["task"], dict(identity["model"]), identity["training"]
    seed = identity["seed"]
    data = load_images(task["name"], path=task["path"], cache_dir=cache_dir, size=task.get("size"))
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
        raise OntogenyError(
            f"training.batch_size is {size}, but the data has only {counted(count, 'training image')}; ask for fewer"
        )
    overrides = {key: value for key, value in model_settings.items() if key != "name" and value is not None}
    model = build_model(model_settings["name"], data.shape, data.classes, seed, **overrides).to(device)
    order = DataOrder(count, seed)
    shock = Shock(**training["shock"]) if training.get("shock") else None
    later = shock.batch_size(size) if shock else size
    if later > count:
        raise OntogenyError(
            f"training.shock makes batches of {later}, but the data has only {counted(count, 'training image')}"
        )

    def batch(step: int) -> Batch:
        if shock is None or step < shock.step:
            epoch, position = divmod(step, count // size)
            chosen = order(epoch)[position * size : (position + 1) * size]
            return train_inputs[chosen], train_labels[chosen]
        epoch, position = divmod(step - shock.step, count // later)
        chosen = order(1 + shock.step // (count // size) + epoch)[position * later : (position + 1) * later]
        return shock.samples(train_inputs[chosen], train_labels[chosen], data.classes)

    rate = rate_schedule(training["learning_rate"], training["schedule"], training["steps"], training["warmup_steps"])
    if shock is not None:
        rate = shock.rate(rate)
    optimizer = make_optimizer(
        model, training["optimizer"], training["learning_rate"], training["weight_decay"], training["momentum"]
    )
    learner = Learner(
        model,
        optimizer,
        batch,
        nn.CrossEntropyLoss(label_smoothing=training["label_smoothing"]),
        rate,
        seed,
        training["gradient_clip"],
        after=None if shock is None else shock.after,
    )
    record = {**split.record(), "steps_per_epoch": count // size}
    measure = None
    if task["path"] is None and task["name"] in MEASURES:
        measure = MEASURES[task["name"]](data, split, device)

    def truth(columns: Columns) -> list[dict[str, Any]]:
        found = [] if shock is None else [shock.truth()]
        times = None
        if task["path"] is None and task["name"] in MEASURES:
            times = crossing(columns["step"], columns["probe_accuracy"], 1 / data.classes, 1.0)
        about = {"name": TRANSITION_OF.get(task["name"], ""), "quantity": "probe_accuracy"}
        return [*found, *([] if times is None else [about | times | {"from": "measured"}])]

    known = shock is not None or measure is not None
    return Setup(
        learner, tensors("probe"), tensors("validation"), record, training["steps"],
        measure=measure, truth=truth if known else None,
    )  # fmt: skip


TRANSITION_OF = {"modular_addition": "grokking", "sparse_parity": "parity"}
"""What the transition of a task is called."""


def _modular(data: ImageData, split: ImageSplits, device: torch.device) -> Callable[[Any], dict[str, float]]:
    inputs, labels = torch.from_numpy(data.x).to(device), torch.from_numpy(data.y).to(device)
    if split.standardise:
        raise OntogenyError("modular_addition is measured on its own inputs: set task.standardise to false")
    trained = torch.zeros(len(labels), dtype=torch.bool, device=device)
    trained[torch.from_numpy(split.train)] = True
    return lambda network: modular_measures(network, inputs, labels, trained)


MEASURES: dict[str, Callable[[ImageData, ImageSplits, torch.device], Callable[[Any], dict[str, float]]]] = {
    "modular_addition": _modular,
    "sparse_parity": lambda data, split, device: lambda network: parity_measures(network, RELEVANT_BITS),
}
"""Progress measures of computed image tasks."""


def code_of_setup(identity: dict[str, Any]) -> str:
    """Digest of the code that sets up a run and goes on from there, for its kind of task."""
    chosen = SETUPS.get(_kind(identity["task"]), set_up_images)
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
    """The device of the setting `training.device`. Raises OntogenyError if it is not here."""
    return usable_device(name, "training.device")


SETUPS: dict[str, Callable[..., Setup] | str] = {
    "images": set_up_images,
    "prompts": "ontogeny.trajectory.prompts:set_up_prompts",
    "computed": "ontogeny.trajectory.known:set_up_known",
}
"""Kinds of tasks: a function, or where it is as `module:function`, which then is not part of the other kinds' code."""
