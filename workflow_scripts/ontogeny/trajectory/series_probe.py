"""The fixed inputs on which every checkpoint of a series is measured."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ontogeny.errors import OntogenyError, first_line
from ontogeny.tasks import load_images, split_images
from ontogeny.trajectory.settings import NetworkSettings, ProbeSettings
from ontogeny.words import counted

Batch = tuple[Tensor, Tensor]


def load_probe(
    settings: ProbeSettings, network: NetworkSettings, folder: Callable[[], Path], cache_dir: str | os.PathLike
) -> Batch:
    """Inputs and labels of the probe."""
    if settings.task is not None:
        task = settings.task
        data = load_images(task.name, path=task.path, cache_dir=cache_dir, size=task.size)
        split = split_images(data, task.n_train, task.n_validation, task.n_probe, task.split_seed, task.standardise)
        inputs, labels = (torch.from_numpy(part) for part in split.arrays("probe"))
        return inputs[: settings.samples], labels[: settings.samples]
    if settings.file is not None:
        return _of_file(Path(settings.file), settings.samples)
    return _of_text(settings, network, folder())


def _of_file(path: Path, samples: int) -> Batch:
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
    except (OSError, ValueError) as error:
        raise OntogenyError(f"{path} cannot be read as an .npz of arrays: {first_line(error)}") from None
    if "inputs" not in arrays:
        raise OntogenyError(
            f"{path} holds {', '.join(arrays) or 'nothing'}; it should hold inputs, and labels of classes"
        )
    given, labels = arrays["inputs"], arrays.get("labels")
    if given.dtype.kind not in "fiu" or not given.size or not np.isfinite(given).all():
        raise OntogenyError(
            f"{path} holds inputs of {given.dtype} and shape {given.shape}: give finite real numbers, or tokens as "
            "whole numbers, samples first"
        )
    tokens = given.dtype.kind != "f"
    inputs = torch.from_numpy(given[:samples].astype(np.int64 if tokens else np.float32))
    if labels is None:
        if not tokens:
            raise OntogenyError(f"{path} holds no labels: give the class of every sample as labels")
        return inputs, inputs.clone()
    if labels.dtype.kind not in "iu" or labels.shape not in (given.shape[:1], given.shape) or labels.min() < 0:
        raise OntogenyError(
            f"{path} holds labels of {labels.dtype} and shape {labels.shape} for "
            f"{counted(len(given), 'input')}: give one whole "
            "number from 0 up, its class, for each"
        )
    return inputs, torch.from_numpy(labels[:samples].astype(np.int64))


def _of_text(settings: ProbeSettings, network: NetworkSettings, folder: Path) -> Batch:
    from transformers import AutoTokenizer

    place = settings.tokenizer or network.config or str(folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place)
        lines = Path(str(settings.text)).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise OntogenyError(f"the text of the probe cannot be read: {first_line(error)}") from None
    ids = [tokenizer(line)["input_ids"][: settings.length] for line in lines if line.strip()]
    whole = [each for each in ids if len(each) == settings.length][: settings.samples]
    if not whole:
        raise OntogenyError(f"{settings.text} has no line of {settings.length} tokens or more: lower probe.length")
    tokens = torch.tensor(whole)
    return tokens, tokens.clone()
