"""How well a judge judges after every epoch, beside what it was before and what needs no judge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from ontogeny.errors import OntogenyError
from ontogeny.judge.layers import performance
from ontogeny.judge.readings import judge_logits, last_residuals
from ontogeny.judge.settings import DEFAULTS
from ontogeny.models.judge import Judge
from ontogeny.progress import Progress
from ontogeny.tasks.baselines import BASELINES, fit_baseline
from ontogeny.trajectory.prompts import JudgeData, judge_data
from ontogeny.trajectory.replay import Trajectory

HELD_OUT = ("validation", "test")
N_RESAMPLES = 1000


def evaluate_epochs(trajectory: Trajectory, n_resamples: int = N_RESAMPLES, seed: int = DEFAULTS.seed) -> pd.DataFrame:
    """Measure the judge of a run after every epoch, and after its last step, on held-out prompts, beside baselines.

    One row per model, epoch, split and kind of prompts. model: "judge"; "pretrained", a linear probe of the last token
    of the judge before it was fine-tuned; and those of `ontogeny.tasks.baselines.BASELINES`, which see words, pairs of
    words, length or source alone. All but the judge were fitted on the training prompts and have no epoch. Then epoch,
    step, split (validation, test), prompts ("all", "decoys", or "new sources", which training lacks), n, and loss,
    accuracy, f1 and auc as in `performance`, their intervals over groups.

    Raises OntogenyError if the run is not that of a judge.
    """
    config = trajectory.config
    data = judge_data(config["settings"], trajectory.folder)
    splits = {name: data.split(name) for name in HELD_OUT}
    per_epoch = config["data"]["steps_per_epoch"]
    steps = [*range(0, trajectory.last_step, per_epoch), trajectory.last_step]
    sources = set(data.prompts.loc[data.prompts["split"] == "train", "source"])
    rows: list[dict[str, Any]] = []
    progress = Progress(len(steps), f"epochs of {trajectory.run}")

    def add(model: str, epoch: float, step: float, split: str, logits: np.ndarray) -> None:
        prompts = splits[split][0]
        place = {"model": model, "epoch": epoch, "step": step, "split": split}
        rows.extend(_measured(place, logits, prompts, sources, n_resamples, seed))

    for done, (step, learner) in enumerate(trajectory.walk(steps), start=1):
        model = learner.model
        if not isinstance(model, Judge):
            raise OntogenyError(f"{trajectory.folder} is the run of another network, not of a judge")
        if done == 1:
            for split, logits in _probe(model, data, learner.device).items():
                add("pretrained", np.nan, np.nan, split, logits)
        for split, (_, tokens, _) in splits.items():
            add("judge", step / per_epoch, step, split, judge_logits(model, tokens.to(learner.device)))
        progress.update(done, f"step {step}")
    for name, baseline in BASELINES.items():
        fitted = fit_baseline(name, data.prompts)
        for split, (prompts, _, _) in splits.items():
            add(name, np.nan, np.nan, split, fitted.predict_log_proba(prompts[baseline.column]))
    table = pd.DataFrame(rows)
    order = {"judge": 0, "pretrained": 1}
    return table.sort_values("model", key=lambda names: names.map(order).fillna(2), kind="stable", ignore_index=True)


def held_out_performance(
    logits: np.ndarray, prompts: pd.DataFrame, n_resamples: int = N_RESAMPLES, seed: int = DEFAULTS.seed
) -> dict[str, float]:
    """The performance of logits (prompts, 2) on prompts (columns label, group); empty without any prompt."""
    if not len(prompts):
        return {}
    labels, groups = prompts["label"].to_numpy(), prompts["group"].to_numpy()
    return performance(logits, labels, groups, n_resamples, seed)


def _probe(model: Judge, data: JudgeData, device: torch.device) -> dict[str, np.ndarray]:
    """Log-probabilities of a logistic regression on the last residual of a judge, by held-out split."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def features(split: str) -> np.ndarray:
        return last_residuals(model, data.split(split)[1].to(device))[-1]

    labels = data.split("train")[2].numpy()
    probe = make_pipeline(
        StandardScaler(),
        LogisticRegressionCV(
            Cs=[1e-4, 1e-2, 1.0], l1_ratios=(0.0,), scoring="accuracy", max_iter=300, cv=3, use_legacy_attributes=False
        ),
    )
    probe.fit(features("train"), labels)
    return {split: probe.predict_log_proba(features(split)) for split in HELD_OUT}


def _measured(
    place: dict[str, Any], logits: np.ndarray, prompts: pd.DataFrame, sources: set[str], n_resamples: int, seed: int
) -> list[dict[str, Any]]:
    rows = []
    labels, groups, decoy = (prompts[name].to_numpy() for name in ("label", "group", "decoy"))
    kinds = {"all": np.ones(len(prompts), bool), "decoys": decoy, "new sources": ~prompts["source"].isin(sources)}
    for kind, chosen in kinds.items():
        if chosen.any():
            found = performance(logits[chosen], labels[chosen], groups[chosen], n_resamples, seed)
            rows.append({**place, "prompts": kind, "n": int(chosen.sum()), **found})
    return rows
