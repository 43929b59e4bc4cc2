"""From a judge's settings to its learner: prompts, tokens, a pretrained backbone, and how it is fine-tuned.

What is made once before the training, the split prompts and an embedded judge's pretrained backbone, lies in the
folder `pretrained` of the run. Checkpoints hold the trained part only; the digest of the frozen part is recorded.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from ontogeny.errors import OntogenyError, first_line
from ontogeny.files import read_json, write_csv, write_json
from ontogeny.models import monitored_layers, trace_layers
from ontogeny.models.judge import (
    Judge,
    PromptTokenizer,
    build_judge,
    save_judge,
    trim,
)
from ontogeny.models.pretrained import load_judge, load_tokenizer, verdict_frame
from ontogeny.models.settings import JudgeModelSettings
from ontogeny.tasks.prompts import Report, automatic_pairs, describe_prompts, load_prompts
from ontogeny.tasks.settings import SYNTHETIC, JudgeTaskSettings
from ontogeny.tasks.synthetic_prompts import synthetic_text
from ontogeny.training.settings import JudgeTrainingSettings
from ontogeny.trajectory.checkpoints import tensors_digest
from ontogeny.trajectory.learner import Batch, Learner, make_optimizer, rate_schedule
from ontogeny.trajectory.setup import DataOrder, Setup, get_device
from ontogeny.trajectory.sharded import ShardedLearner, processes, shard
from ontogeny.words import counted

logger = logging.getLogger("ontogeny")

EMBEDDED = "embedded"
PRETRAINED = "pretrained"


@dataclass(frozen=True)
class JudgeData:
    """The prompts of a run with their splits, the tokenizer in front of its judge, and what the prompts are like.

    report: as `describe_prompts` gives it.
    """

    prompts: pd.DataFrame
    tokenizer: PromptTokenizer
    max_length: int
    report: Report

    def split(self, name: str) -> tuple[pd.DataFrame, Tensor, Tensor]:
        """The prompts of `train`, `validation` or `test`, their tokens (n, length) and labels (n,), int64."""
        part = self.prompts[self.prompts["split"] == name].reset_index(drop=True)
        tokens = self.tokenizer.encode(list(part["prompt"]), self.max_length)
        return part, tokens, torch.tensor(part["label"].to_numpy())


def pretrain(identity: dict[str, Any], folder: str | os.PathLike) -> None:
    """Split the prompts of a run and, if its judge is the embedded one, pretrain the backbone; keep both in `folder`.

    Writes prompts.csv, and for the embedded judge config.json, model.safetensors and tokenizer.json. Raises
    OntogenyError if the prompts are wrong.
    """
    task, model, folder = JudgeTaskSettings(**identity["task"]), JudgeModelSettings(**identity["model"]), Path(folder)
    prompts = automatic_pairs(load_prompts(task))
    if model.name == EMBEDDED:
        judge, tokenizer = build_judge(
            list(prompts.loc[prompts["split"] == "train", "prompt"]),
            model,
            text=synthetic_text() if task.prompts == SYNTHETIC else (),
            max_length=task.max_length,
        )
        save_judge(judge, tokenizer, folder)
    else:
        tokenizer = _tokenizer(model, folder)
        folder.mkdir(parents=True, exist_ok=True)
    report = describe_prompts(prompts, tokenizer.lengths(list(prompts["prompt"])), task.max_length)
    for sentence in _remarks(report, task.max_length):
        logger.warning(sentence)
    write_json(folder / "prompts.json", report)
    write_csv(folder / "prompts.csv", prompts)


def _tokenizer(model: JudgeModelSettings, place: Path) -> PromptTokenizer:
    """The tokenizer of the embedded judge in `place`, or of a checkpoint, with the frame of a generative judge."""
    if model.name == EMBEDDED:
        return load_tokenizer(place)
    frame = verdict_frame(model.name, model)[0] if model.head == "verdict" else None
    return load_tokenizer(model.name, frame=frame)


def _remarks(report: Report, max_length: int) -> list[str]:
    """Sentences about prompts that make a judge's numbers mean less than they seem to."""
    found = []
    for split, one in report.items():
        cut, copied = one["truncated"] or 0.0, one["near_training"] or 0.0
        few = min(one["unsafe"] or 0, (one["prompts"] or 0) - (one["unsafe"] or 0))
        if cut > 0.05:
            found.append(f"{cut:.0%} of the {split} prompts are longer than task.max_length, {max_length}, and are cut")
        if copied > 0.05:
            found.append(f"{copied:.0%} of the {split} prompts nearly repeat a training prompt (give them one group)")
        if few < 20:
            found.append(f"the {split} prompts hold only {few} of one label: its numbers are rough")
    return found


def link_pretrained(source: str | os.PathLike, folder: str | os.PathLike) -> None:
    """Let the run in `folder` have the files of `source`, which `pretrain` wrote, as its own (linked if possible)."""
    target = Path(folder) / PRETRAINED
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for file in sorted(Path(source).glob("[!.]*")):
        try:
            os.link(file, target / file.name)
        except OSError:
            shutil.copyfile(file, target / file.name)


def judge_data(identity: dict[str, Any], folder: str | os.PathLike) -> JudgeData:
    """Prompts and tokenizer of the run in `folder`. Raises OntogenyError if nothing was pretrained there."""
    place = Path(folder) / PRETRAINED
    task, model = JudgeTaskSettings(**identity["task"]), JudgeModelSettings(**identity["model"])
    prompts = _read(place / "prompts.csv")
    tokenizer = _tokenizer(model, place)
    return JudgeData(prompts, tokenizer, task.max_length, read_json(place / "prompts.json"))


def _read(path: Path) -> pd.DataFrame:
    text = dict.fromkeys(("prompt", "source", "group", "pair", "split"), str)
    try:
        return pd.read_csv(path, dtype={**text, "label": np.int64, "decoy": bool}, keep_default_na=False)
    except FileNotFoundError:
        raise OntogenyError(f"{path} does not exist; train the run again") from None
    except ValueError as error:
        raise OntogenyError(f"{path} is not a table of prompts: {first_line(error)}") from None


def set_up_prompts(
    identity: dict[str, Any], cache_dir: str | os.PathLike, folder: str | os.PathLike | None = None
) -> Setup:
    """The learner of a judge, fine-tuned with cross-entropy, its classes weighted if `training.balance` says so.

    If the run's folder holds nothing pretrained yet, it is made there. The layers to monitor are the residual stream
    and the MLP output of every layer at the token that the judge classifies at.

    Raises OntogenyError without the folder of the run, and if there are fewer training prompts than a step takes.
    """
    if folder is None:
        raise OntogenyError("a judge needs the folder of its run: its prompts and its pretrained weights are there")
    task, model = JudgeTaskSettings(**identity["task"]), JudgeModelSettings(**identity["model"])
    training, seed = JudgeTrainingSettings(**identity["training"]), identity["seed"]
    place = Path(folder) / PRETRAINED
    if not (place / "prompts.csv").is_file():
        pretrain(identity, place)
    data = judge_data(identity, folder)
    judge, _ = load_judge(place if model.name == EMBEDDED else model.name, model, seed=seed)
    device = get_device(training.device)
    if model.device_map is None:
        judge.to(device)
    record = _record(data.prompts, judge)
    splits = {name: data.split(name) for name in ("train", "validation")}
    validation = splits["validation"][1].to(device), splits["validation"][2].to(device)
    layers = [f"{kind}.{index}" for kind in ("residual", "mlp") for index in range(len(getattr(judge, kind)))]
    many, nonlinearities = processes() > 1, None
    if many:
        watched = monitored_layers(judge, identity["tracking"]["layers"] or layers)
        followed = trace_layers(judge, trim(validation[0][:2]), watched)
        nonlinearities = {name: each.nonlinearity for name, each in followed.items()}
        shard(judge)
    _, tokens, labels = splits["train"]
    size, count = training.batch_size * training.accumulation, len(labels)
    if size > count:
        raise OntogenyError(
            f"training.batch_size times training.accumulation is {size}, but the data has only "
            f"{counted(count, 'training prompt')}; "
            "ask for fewer"
        )
    per_epoch = count // size
    order = DataOrder(count, seed)

    def batch(step: int) -> Batch:
        epoch, position = divmod(step, per_epoch)
        chosen = order(epoch)[position * size : (position + 1) * size]
        return trim(tokens[chosen]).to(device), labels[chosen].to(device)

    steps = training.epochs * per_epoch
    learner = (ShardedLearner if many else Learner)(
        judge,
        make_optimizer(judge, "adamw", training.learning_rate, training.weight_decay, 0.0),
        batch,
        _loss(labels, training.balance, training.label_smoothing),
        rate_schedule(training.learning_rate, training.schedule, steps, training.warmup_steps),
        seed,
        training.gradient_clip,
        training.accumulation,
    )
    shown = _probe(splits["validation"][0], task.n_probe, task.split_seed)
    return Setup(
        learner,
        (trim(validation[0][shown]), validation[1][shown]),
        validation,
        {**record, "steps_per_epoch": per_epoch, "probe": shown.tolist()},
        steps,
        training.early_stopping,
        layers,
        nonlinearities=nonlinearities,
    )


def _loss(labels: Tensor, balance: str, label_smoothing: float) -> Callable[[Tensor, Tensor], Tensor]:
    """Mean cross-entropy; with balance "loss" both classes weigh the same over the training prompts."""
    weights = torch.ones(2)
    if balance == "loss":
        weights = len(labels) / (2 * torch.bincount(labels, minlength=2).to(torch.float32))

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        each = functional.cross_entropy(outputs, targets, reduction="none", label_smoothing=label_smoothing)
        return (each * weights.to(each.device)[targets]).mean()

    return loss


def _probe(prompts: pd.DataFrame, count: int, seed: int) -> Tensor:
    """Positions of about `count` of `prompts` (at least one, pairs kept whole), in order."""
    units = prompts["pair"].where(prompts["pair"] != "", "row " + prompts.index.astype(str))
    names = units.drop_duplicates().to_numpy()
    order = np.random.default_rng(seed).permutation(len(names))
    sizes = units.value_counts()[names[order]].to_numpy().cumsum()
    kept = set(names[order[: max(1, int((sizes <= count).sum()))]])
    return torch.from_numpy(np.flatnonzero(units.isin(kept).to_numpy()))


def _record(prompts: pd.DataFrame, judge: Judge) -> dict[str, Any]:
    """What is needed to know the data and the frozen weights again."""
    import transformers

    frozen = {name: parameter for name, parameter in judge.named_parameters() if not parameter.requires_grad}
    return {
        "prompts": len(prompts),
        "splits": prompts["split"].value_counts(sort=False).to_dict(),
        "unsafe": prompts.groupby("split", sort=False)["label"].mean().to_dict(),
        "fingerprint": hashlib.sha256(prompts.to_csv(index=False).encode()).hexdigest()[:16],
        "frozen": tensors_digest(frozen),
        "transformers": transformers.__version__,
    }
