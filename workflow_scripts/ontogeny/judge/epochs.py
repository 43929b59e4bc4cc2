"""How well a judge judges after every epoch, beside a model that only sees which words occur."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ontogeny.judge.layers import performance
from ontogeny.judge.settings import DEFAULTS
from ontogeny.models.judge import trim
from ontogeny.progress import Progress
from ontogeny.tasks.prompts import fit_keywords
from ontogeny.trajectory.prompts import JudgeData, judge_data
from ontogeny.trajectory.replay import Trajectory

HELD_OUT = ("validation", "test")


def evaluate_epochs(trajectory: Trajectory, n_resamples: int = 500, seed: int = DEFAULTS.seed) -> pd.DataFrame:
    """Measure the judge of a run after every epoch, and after its last step, on held-out prompts.

    One row a model, epoch, split and kind of prompts: model ("judge", or "words", a logistic regression on the words
    of the training prompts, whose epoch is empty), epoch, step, split (validation, test), prompts ("all" or "decoys"),
    n, and loss, accuracy, f1 and auc as in `performance`, their intervals over groups.
    """
    config = trajectory.config
    data = judge_data(config["settings"], trajectory.folder)
    splits = {name: data.split(name) for name in HELD_OUT}
    per_epoch = config["data"]["steps_per_epoch"]
    steps = [*range(0, trajectory.last_step, per_epoch), trajectory.last_step]
    rows: list[dict[str, Any]] = []
    progress = Progress(len(steps), f"epochs of {trajectory.run}")
    for done, (step, learner) in enumerate(trajectory.walk(steps), start=1):
        for split, (prompts, tokens, _) in splits.items():
            logits = judge_logits(learner.model, tokens.to(learner.device))
            place = {"model": "judge", "epoch": step / per_epoch, "step": step, "split": split}
            rows += _measured(place, logits, prompts, n_resamples, seed)
        progress.update(done, f"step {step}")
    rows += _baseline(data, splits, n_resamples, seed)
    return pd.DataFrame(rows)


def judge_logits(model: nn.Module, tokens: Tensor, chunk: int = 128) -> np.ndarray:
    """Logits (n, 2), float64, of `tokens` in eval mode; prompts of like length go together, which is faster."""
    order = (tokens >= 0).sum(1).argsort(stable=True)
    found = np.empty((len(tokens), 2))
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for places in order.split(chunk):
            found[places.cpu().numpy()] = model(trim(tokens[places])).double().cpu().numpy()
    model.train(was_training)
    return found


def _measured(
    place: dict[str, Any], logits: np.ndarray, prompts: pd.DataFrame, n_resamples: int, seed: int
) -> list[dict[str, Any]]:
    rows = []
    labels, groups, decoy = (prompts[name].to_numpy() for name in ("label", "group", "decoy"))
    for kind, chosen in (("all", np.ones(len(prompts), bool)), ("decoys", decoy)):
        if chosen.any():
            found = performance(logits[chosen], labels[chosen], groups[chosen], n_resamples, seed)
            rows.append({**place, "prompts": kind, "n": int(chosen.sum()), **found})
    return rows


def _baseline(data: JudgeData, splits: dict[str, Any], n_resamples: int, seed: int) -> list[dict[str, Any]]:
    model = fit_keywords(data.prompts)
    rows = []
    for split, (prompts, _, _) in splits.items():
        logits = model.predict_log_proba(prompts["prompt"])
        place = {"model": "words", "epoch": np.nan, "step": np.nan, "split": split}
        rows += _measured(place, logits, prompts, n_resamples, seed)
    return rows
