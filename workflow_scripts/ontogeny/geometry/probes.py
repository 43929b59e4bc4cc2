"""Linear probes: what can be read out of a representation by a linear classifier, and what that is worth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest, norm

from ontogeny.arguments import Labels, Reals, checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.geometry.settings import RepresentationSettings
from ontogeny.statistics import proportion_interval


@dataclass(frozen=True)
class Probe:
    """The outcome of a linear probe, on samples that it was not fitted to.

    accuracy, low, high: share of samples classified right, with its 95 % Wilson interval. correct: which, (n,) bool.
    shuffled, shuffled_low, shuffled_high: the same for a probe fitted to, and judged by, shuffled labels.
    majority: the share of the commonest label. p_value: that predictions have nothing to do with labels.
    """

    accuracy: float
    low: float
    high: float
    correct: np.ndarray
    shuffled: float
    shuffled_low: float
    shuffled_high: float
    majority: float
    p_value: float


@checks_arguments
def linear_probe(
    matrix: Reals,
    labels: Labels,
    folds: int = RepresentationSettings().folds,
    most_axes: int = 64,
    penalty: float = 0.1,
    seed: int = 0,
) -> Probe:
    """Multinomial logistic regression on a representation, (n, f), cross-validated over `folds` stratified folds.

    In each fold, columns are standardised and described by their first `most_axes` principal axes, all fitted to the
    other folds. `penalty` is the inverse strength of the L2 penalty (scikit-learn's C). The same is done with
    shuffled labels. The p-value is one-sided, of the number of hits under permutations of the labels within folds,
    by its exact mean and variance (Hoeffding 1951) and a normal tail.

    Raises OntogenyError for shapes that do not fit, numbers that are not finite, or a label with fewer than `folds`
    samples. Source: Alain and Bengio (2017), "Understanding intermediate layers using linear classifier probes".
    """
    from sklearn.model_selection import StratifiedKFold

    values, labels = np.asarray(matrix, dtype=np.float64), np.asarray(labels)
    if values.ndim != 2 or labels.shape != values.shape[:1] or not np.isfinite(values).all():
        raise OntogenyError(
            f"finite features (samples, features) and one label per sample are expected, not {values.shape} and "
            f"{labels.shape}"
        )
    classes, codes = np.unique(labels, return_inverse=True)
    counts = np.bincount(codes)
    if len(classes) < 2 or folds < 2 or counts.min() < folds:
        raise OntogenyError(
            f"a probe over {folds} folds needs two labels or more with {folds} samples or more each; the rarest of "
            f"{len(classes)} has {counts.min()}"
        )
    generator = np.random.default_rng(seed)
    mixed = generator.permutation(codes)
    outcome = []
    for target in (codes, mixed):
        split = StratifiedKFold(folds, shuffle=True, random_state=int(generator.integers(2**31)))
        predicted = np.empty_like(target)
        parts = list(split.split(values, target))
        for train, test in parts:
            predicted[test] = _fit(values[train], target[train], most_axes, penalty).predict(values[test])
        outcome.append((predicted == target, _match_test(predicted, target, [test for _, test in parts])))
    (correct, p_value), (chance, _) = outcome
    low, high = proportion_interval(correct.sum(), len(codes))
    chance_low, chance_high = proportion_interval(chance.sum(), len(codes))
    return Probe(
        accuracy=float(correct.mean()),
        low=float(low),
        high=float(high),
        correct=correct,
        shuffled=float(chance.mean()),
        shuffled_low=float(chance_low),
        shuffled_high=float(chance_high),
        majority=float(counts.max() / len(codes)),
        p_value=p_value,
    )


@checks_arguments
def compare_probes(first: np.ndarray, second: np.ndarray) -> float:
    """p-value, two-sided, that two probes are right equally often on the same samples, from which each got right.

    Source: McNemar (1947), exact form.

    Raises OntogenyError for probes of different samples.
    """
    first, second = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if first.shape != second.shape:
        raise OntogenyError(f"{first.shape} and {second.shape}: the same samples are expected for both probes")
    one, other = int((first & ~second).sum()), int((second & ~first).sum())
    return float(binomtest(one, one + other).pvalue) if one + other else 1.0


def _fit(values: np.ndarray, target: np.ndarray, most_axes: int, penalty: float) -> Any:
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    count = min(most_axes, len(values) - 1, values.shape[1])
    axes = [PCA(count, svd_solver="full")] if count < values.shape[1] else []
    return make_pipeline(StandardScaler(), *axes, LogisticRegression(C=penalty, tol=1e-3, max_iter=300)).fit(
        values, target
    )


def _match_test(predicted: np.ndarray, target: np.ndarray, parts: list[np.ndarray]) -> float:
    mean = variance = 0.0
    for part in parts:
        hits = (predicted[part][:, None] == target[part][None, :]).astype(np.float64)
        centred = hits - hits.mean(axis=0) - hits.mean(axis=1, keepdims=True) + hits.mean()
        mean += hits.sum() / len(part)
        variance += (centred**2).sum() / max(len(part) - 1, 1)
    found = float((predicted == target).sum())
    if variance <= 1e-12:
        return 1.0
    return float(norm.sf((found - 0.5 - mean) / np.sqrt(variance)))
