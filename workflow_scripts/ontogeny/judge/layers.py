"""What a judge knows layer by layer: the logit lens, and linear probes with their controls."""

from __future__ import annotations

import math

import numpy as np
import torch
from sklearn.linear_model import RidgeCV
from torch import Tensor

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.judge.network import difference, frozen, read, run
from ontogeny.judge.settings import DEFAULTS
from ontogeny.models.judge import Judge
from ontogeny.statistics import auroc, percentile_interval
from ontogeny.words import counted


@checks_arguments
def layer_activations(model: Judge, tokens: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Norm of the residual stream and logit lens at every layer and token, float64 (prompts, layers + 1, length).

    The lens is the logit difference, unsafe minus safe, that the final norm and the head read there (nostalgebraist
    2020, "interpreting GPT: the logit lens"); at the last layer and token it is the judge's own. NaN at padding.
    """
    with frozen(model), torch.no_grad():
        residuals = torch.stack(run(model, tokens).residuals, 1)
        lens = difference(read(model, residuals))
        norms = residuals.double().norm(dim=-1)
    padding = (tokens < 0)[:, None].expand_as(lens)
    return norms.masked_fill(padding, np.nan).numpy(), lens.masked_fill(padding, np.nan).numpy()


@checks_arguments
def layer_probes(
    train: np.ndarray,
    train_labels: np.ndarray,
    held_out: np.ndarray,
    held_out_labels: np.ndarray,
    groups: np.ndarray,
    shuffles: int = DEFAULTS.shuffles,
    n_resamples: int = 1000,
    seed: int = DEFAULTS.seed,
) -> list[dict[str, float]]:
    """A linear probe of the label at each layer, judged on held-out prompts, and what shuffled labels give.

    train (layers, prompts, width), held_out the same for other prompts, from `last_residuals`; labels 0 or 1; groups:
    the template of every held-out prompt. Least squares with a ridge penalty chosen by leave-one-out among training
    prompts. Shuffled labels are drawn anew within each class, so that they are as often right as wrong: shuffled as a
    whole, some are a little like the true ones, and where one direction holds most of the spread, their probe points
    along it. One dictionary a layer: layer, auc, with auc_low and auc_high (95 % percentile bootstrap over held-out
    groups), accuracy, and shuffled_mean and shuffled_high: mean and 95th percentile of the AUC of `shuffles` probes
    trained on shuffled labels.

    Raises OntogenyError if safe or unsafe prompts are missing.
    """
    if len(np.unique(train_labels)) < 2 or len(np.unique(held_out_labels)) < 2:
        raise OntogenyError("a probe needs safe and unsafe prompts, for training and held out: one of them is missing")
    for values, labels in ((train, train_labels), (held_out, held_out_labels)):
        if np.ndim(values) != 3 or np.shape(values)[1] != len(labels):
            raise OntogenyError(
                f"values of shape {np.shape(values)} and {counted(len(labels), 'label')}: give (layers, "
                "prompts, width), and a "
                "label for each prompt"
            )
    rng = np.random.default_rng(seed)
    columns = [train_labels, *(_unrelated(train_labels, rng) for _ in range(shuffles))]
    targets = np.stack(columns, 1) * 2.0 - 1.0
    drawn = _group_draws(groups, n_resamples, rng)
    result = []
    for layer, (values, others) in enumerate(zip(train, held_out)):
        mean, scale = values.mean(0), values.std(0)
        scale[scale == 0] = 1.0
        probe = RidgeCV(np.logspace(-1, 4, 6), alpha_per_target=True).fit((values - mean) / scale, targets)
        scores = probe.predict((others - mean) / scale)
        aucs = auroc(scores, held_out_labels)
        low, high = _auc_interval(held_out_labels, scores[:, 0], drawn)
        result.append(
            {
                "layer": layer,
                "auc": float(aucs[0]),
                "auc_low": low,
                "auc_high": high,
                "accuracy": float(((scores[:, 0] > 0) == held_out_labels).mean()),
                "shuffled_mean": float(aucs[1:].mean()) if shuffles else float("nan"),
                "shuffled_high": float(np.quantile(aucs[1:], 0.95)) if shuffles else float("nan"),
            }
        )
    return result


def _unrelated(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random labels, half of them 1 in either class."""
    result = np.zeros(len(labels), dtype=int)
    for label in (0, 1):
        members = rng.permutation(np.flatnonzero(labels == label))
        result[members[: len(members) // 2 + int(len(members) % 2 and rng.random() < 0.5)]] = 1
    return result


def _group_draws(groups: np.ndarray, n_resamples: int, rng: np.random.Generator) -> list[np.ndarray]:
    names, place = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(place == index) for index in range(len(names))]
    if len(names) < 5:
        return [rng.integers(len(groups), size=len(groups)) for _ in range(n_resamples)]
    return [
        np.concatenate([members[index] for index in rng.integers(len(names), size=len(names))])
        for _ in range(n_resamples)
    ]


def _auc_interval(labels: np.ndarray, scores: np.ndarray, drawn: list[np.ndarray]) -> tuple[float, float]:
    """95 % percentile interval of the AUC; the ranks are those of the whole."""
    order = np.argsort(scores, kind="stable")
    positive = labels[order] == 1
    ties = np.unique(scores[order], return_inverse=True)[1]
    rank = np.empty(len(order), dtype=int)
    rank[order] = np.arange(len(order))
    found = []
    for rows in drawn:
        weight = np.bincount(rank[rows], minlength=len(order)).astype(float)
        up = np.bincount(ties, weight * positive)
        down = np.bincount(ties, weight * ~positive)
        if up.sum() and down.sum():
            below = np.cumsum(down) - down
            found.append((up * (below + down / 2)).sum() / (up.sum() * down.sum()))
    if not found:
        return float("nan"), float("nan")
    low, high = percentile_interval(found)
    return float(low), float(high)


@checks_arguments
def performance(
    logits: np.ndarray, labels: np.ndarray, groups: np.ndarray, n_resamples: int = 1000, seed: int = DEFAULTS.seed
) -> dict[str, float]:
    """Loss, accuracy, F1 of unsafe and AUC, each with a 95 % percentile bootstrap interval over groups.

    logits (prompts, 2); keys are the names, and these with _low and _high. Cross-entropy in nats.

    Raises OntogenyError unless there are a label and a group for each prompt.
    """
    rng = np.random.default_rng(seed)
    score = np.asarray(logits, dtype=np.float64)
    if score.ndim != 2 or score.shape[1] != 2 or not len(score) == len(labels) == len(groups):
        raise OntogenyError(
            f"logits of shape {score.shape}, {counted(len(labels), 'label')} and "
            f"{counted(len(groups), 'group')}: give (prompts, 2), and a "
            "label and a group for each prompt"
        )
    score = score[:, 1] - score[:, 0]
    sign = np.where(labels == 1, 1.0, -1.0)
    loss, right = np.logaddexp(0, -sign * score), (score > 0) == (labels == 1)
    true_unsafe, called = (score > 0) & (labels == 1), (score > 0).astype(float) + (labels == 1)
    drawn = _group_draws(np.asarray(groups), n_resamples, rng)
    everything = np.arange(len(labels))

    def f1(rows: np.ndarray) -> float:
        total = called[rows].sum()
        return 2 * true_unsafe[rows].sum() / total if total else float("nan")

    measures = {"loss": lambda r: loss[r].mean(), "accuracy": lambda r: right[r].mean(), "f1": f1}
    result: dict[str, float] = {}
    for name, measure in measures.items():
        values = [measure(rows) for rows in drawn]
        known = [value for value in values if np.isfinite(value)]
        low, high = percentile_interval(known) if known else (math.nan, math.nan)
        result |= {name: float(measure(everything)), f"{name}_low": float(low), f"{name}_high": float(high)}
    both = len(np.unique(labels)) == 2
    low, high = _auc_interval(labels, score, drawn) if both else (float("nan"), float("nan"))
    auc = float(auroc(score, labels)) if both else float("nan")
    return result | {"auc": auc, "auc_low": low, "auc_high": high}
