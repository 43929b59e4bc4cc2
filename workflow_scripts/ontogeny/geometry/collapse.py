"""Collapse of a representation: neural collapse about class means, effective rank, and dimensions that are lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ontogeny.arguments import Classes, Reals, checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.tracking.collapse import CollapseAlarm, representation_state
from ontogeny.tracking.estimators import singular_values
from ontogeny.words import counted


@dataclass(frozen=True)
class NeuralCollapse:
    """The four measures of neural collapse; all go to 0 as it completes. NaN where a measure does not exist.

    nc1: variability within classes against that between, tr(S_W S_B^+) / C. nc1_low, nc1_high: 95 % interval.
    nc2_norm: spread of the norms of centred class means over their mean. nc2_angle: mean distance of the cosines
    between them from -1 / (C - 1). nc3: squared distance of the classifier's weights from the class means, both of
    unit norm. nc4: share of samples where the classifier disagrees with the nearest class mean.
    """

    nc1: float
    nc1_low: float
    nc1_high: float
    nc2_norm: float
    nc2_angle: float
    nc3: float
    nc4: float


@checks_arguments
def neural_collapse(
    features: Reals, labels: Classes, weight: Reals = None, bias: Reals = None, n_resamples: int = 200, seed: int = 0
) -> NeuralCollapse:
    """NC1 to NC4 of features, (n, f), with whole-number labels, (n,), and the linear layer that reads them.

    weight: (classes, f), rows numbered as the labels; bias: (classes,). Without them NC3 and NC4 are NaN. The interval
    of NC1 is the basic bootstrap's, samples resampled within classes. The theory is about training samples at the end
    of training; on held-out samples the measures stay larger.

    Raises OntogenyError for shapes that do not fit, or fewer than two classes. Source: Papyan, Han and Donoho (2020),
    "Prevalence of neural collapse during the terminal phase of deep learning training", figures 2 to 7.
    """
    values, labels = np.asarray(features, dtype=np.float64), np.asarray(labels)
    classes, codes = np.unique(labels, return_inverse=True)
    if values.ndim != 2 or labels.shape != values.shape[:1] or len(classes) < 2 or not np.isfinite(values).all():
        raise OntogenyError(
            f"finite features (samples, features) with two labels or more are expected, not {values.shape} with "
            f"{len(classes)} labels"
        )
    if classes.dtype.kind not in "iu" or classes[0] < 0:
        raise OntogenyError(f"labels are whole numbers from 0, not {classes[0]!s} and the like")
    count = len(classes)
    means = _means(values, codes, count)
    centred = means - means.mean(axis=0)
    norms = np.linalg.norm(centred, axis=1)
    nc1 = _nc1(values, codes, count)
    generator = np.random.default_rng(seed)
    members = [np.flatnonzero(codes == code) for code in range(count)]
    resampled = []
    for _ in range(n_resamples):
        rows = np.concatenate([generator.choice(rows, len(rows)) for rows in members])
        resampled.append(_nc1(values[rows], codes[rows], count))
    low, high = 2 * nc1 - np.nanquantile(resampled, [0.975, 0.025]) if np.isfinite(nc1) else (np.nan, np.nan)
    flat = norms.min() <= 1e-12 * max(float(np.abs(values).max()), 1e-300)
    cosines = (centred @ centred.T / np.outer(norms, norms))[np.triu_indices(count, 1)] if not flat else np.nan
    nc3 = nc4 = np.nan
    if weight is not None:
        weight = np.asarray(weight, dtype=np.float64)
        if weight.ndim != 2 or weight.shape[1] != values.shape[1] or len(weight) <= classes[-1]:
            raise OntogenyError(
                f"weights of shape {weight.shape} do not read {counted(values.shape[1], 'feature')} into classes"
            )
        bias = np.zeros(len(weight)) if bias is None else np.asarray(bias, dtype=np.float64)
        chosen = weight[classes]
        scale = np.linalg.norm(chosen) * np.linalg.norm(centred)
        nc3 = float(2 - 2 * (chosen * centred).sum() / scale) if scale > 0 else np.nan
        distance = (means**2).sum(axis=1) - 2 * values @ means.T
        read = (values @ weight.T + bias).argmax(axis=1)
        nc4 = float((read != classes[distance.argmin(axis=1)]).mean())
    return NeuralCollapse(
        nc1=nc1,
        nc1_low=float(max(min(low, nc1), 0.0)),
        nc1_high=float(max(high, nc1)),
        nc2_norm=float(norms.std() / norms.mean()) if norms.mean() > 0 else np.nan,
        nc2_angle=float(np.mean(np.abs(cosines + 1 / (count - 1)))),
        nc3=nc3,
        nc4=nc4,
    )


@checks_arguments
def effective_rank(matrix: Reals) -> float:
    """exp of the entropy of the singular values, as shares of their sum, of a centred matrix (n, f); 0 if constant.

    Source: Roy and Vetterli (2007), "The effective rank: a measure of effective dimensionality", eq. 4.
    """
    sigma = singular_values(np.asarray(matrix), centre=True)
    if not sigma[0] > 0:
        return float(sigma[0])
    share = sigma[sigma > 0] / sigma.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


@checks_arguments
def dimensional_collapse(features: Reals, labels: Classes) -> bool:
    """Whether features are low by the criterion of `ontogeny.tracking.CollapseAlarm`, taken at one moment."""
    state = representation_state(features, labels)
    alarm = CollapseAlarm(len(np.unique(labels)), np.shape(features)[1])
    return alarm.is_low(state["dimension"], state["spread"])


def _means(values: np.ndarray, codes: np.ndarray, count: int) -> np.ndarray:
    groups = np.eye(count)[:, codes]
    return groups @ values / groups.sum(axis=1, keepdims=True)


def _nc1(values: np.ndarray, codes: np.ndarray, count: int) -> float:
    means = _means(values, codes, count)
    within = values - means[codes]
    _, sigma, axes = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
    kept = sigma > max(float(np.abs(values).max()) * 1e-12, sigma[0] * 1e-9)
    if not kept.any():
        return float("nan")
    along = (within @ axes[kept].T) ** 2
    return float((along.mean(axis=0) / sigma[kept] ** 2).sum())
