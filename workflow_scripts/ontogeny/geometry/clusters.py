"""Clusters of activations: the number of them that is stable, or none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.cluster import KMeans

from ontogeny.arguments import Reals, checks_arguments, plain
from ontogeny.errors import OntogenyError, shown
from ontogeny.geometry.settings import GeometrySettings
from ontogeny.statistics import adjust, percentile_interval, proportion_interval, resampling_p_value

_PERMUTATIONS = 199
_BY_STEP = ["step", "ari", "low", "high", "p_value", "p_adjusted"]


@dataclass(frozen=True)
class Agreement:
    """Adjusted Rand index of two partitions with its percentile interval and its permutation p-value."""

    ari: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class Clustering:
    """K-means clusters of the rows of a matrix, and why there are so many.

    n_clusters: the number chosen, or None: no stable clustering was found.
    p_value: that data without clusters are as compact about their k centres: a Gaussian, over all k tried, and a box
        that is filled evenly, for the k chosen; the larger of the two.
    reason: the choice in a sentence.
    assignments: the cluster of each row, (N,), numbered in the order of their mean step; None without clusters.
    table: one row per step and cluster: step, cluster, count, share, low, high (95 % Wilson interval of the share).
    stability: one row per number of clusters: k, stability (mean adjusted Rand index between fits to subsamples),
        low, high (its 95 % jackknife interval), within (share of the variance that is within clusters),
        null_within (its mean under the null), p_value (of this k alone).
    label_agreement, step_agreement: with the labels (if given) and with the steps; None without clusters.
    by_step: the agreement with the labels step by step: step, ari, low, high, p_value, p_adjusted (Holm, over
        steps); empty without labels or clusters.
    dimensions, variance_kept: principal axes the rows were described by, and their share of the variance.
    """

    n_clusters: int | None
    p_value: float
    reason: str
    assignments: np.ndarray | None
    table: pd.DataFrame
    stability: pd.DataFrame
    label_agreement: Agreement | None
    step_agreement: Agreement | None
    by_step: pd.DataFrame
    dimensions: int
    variance_kept: float


@checks_arguments
def cluster(
    matrix: Reals,
    steps: Any = None,
    k_range: Iterable[int] = GeometrySettings().clusters,
    seed: int = 0,
    *,
    labels: Any = None,
    samples: Any = None,
    n_dimensions: int = 30,
    n_subsamples: int = 8,
    n_null: int = 39,
    max_rows: int = 500,
    min_stability: float = 0.6,
    alpha: float = 0.05,
) -> Clustering:
    """K-means on standardised activations, (N, f), with the number of clusters chosen by stability.

    Each column is standardised (a constant one counts for nothing), and the rows are described by their first
    `n_dimensions` principal axes. Two questions are asked, on at most about `max_rows` rows drawn at random:

    1. Are there clusters at all? The share of variance within k clusters is compared with that of `n_null` draws
       from a Gaussian of the same covariance, which has none; the largest standardised excess over all k, taken
       alike for the data and for each draw, gives the p-value (at least 1 / (n_null + 1)). It must be <= `alpha`, and
       so must that of the chosen k against as many draws from a box of the same variances, filled evenly: its edges
       hold centres in place. Data that is neither for another reason (strong skew) may pass both.
    2. How many? For each k in `k_range`, `n_subsamples` fits to random 80 % of the samples label all rows; stability
       is their mean pairwise adjusted Rand index. The largest k whose stability is within 0.05 of the best is
       chosen, if it is at least `min_stability`.

    Otherwise no clustering is reported. The chosen fit uses all rows.

    steps: (N,), the step of each row. samples: (N,), which sample a row shows, so that the same sample at several
    steps is drawn or left out as one; if None, rows are independent. labels: (N,), compared with the clusters.

    Raises OntogenyError for numbers that are not finite, lengths that do not fit, or too few rows for `k_range`.
    Sources: Liu, Hayes, Nobel and Marron (2008), "Statistical significance of clustering for high-dimension,
    low-sample size data" (the Gaussian null and the index); Tibshirani, Walther and Hastie (2001), "Estimating the
    number of clusters in a data set via the gap statistic", sec. 3b (the box along the principal axes); Ben-Hur,
    Elisseeff and Guyon (2002), "A stability based method for discovering structure in clustered data".
    """
    values = np.asarray(matrix, dtype=np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise OntogenyError(f"a matrix of finite numbers, rows by features, is expected; this one is {_what(values)}")
    rows = len(values)
    steps = _column("steps", np.zeros(rows, dtype=np.int64) if steps is None else steps, rows)
    labels = None if labels is None else _column("labels", labels, rows)
    groups = _column("samples", np.arange(rows) if samples is None else samples, rows)
    groups = np.unique(groups, return_inverse=True)[1]
    tried = sorted({int(k) for k in k_range})
    if not tried or tried[0] < 2 or n_subsamples < 2 or n_null < 1:
        raise OntogenyError("k_range needs numbers of at least 2, n_subsamples at least 2, and n_null at least 1")
    if rows < 4 * tried[-1]:
        raise OntogenyError(
            f"{rows} rows are too few for up to {tried[-1]} clusters: give at least {4 * tried[-1]}, or fewer clusters"
        )
    generator = np.random.default_rng(seed)
    points, kept = _principal_axes(_standardised(values), n_dimensions)
    if points.shape[1] == 0:
        return _none(tried, "no stable clustering: all rows are alike", 1.0, 0, kept)
    drawn = _some_rows(groups, max_rows, generator)
    choice = _choose(points[drawn], groups[drawn], tried, n_subsamples, n_null, (alpha, min_stability), generator)
    k, p_value, stability = choice.k, choice.p_value, choice.stability
    found = f"k = {k} has stability {stability:.2f}, and clusters at all have p = {p_value:.3g}"
    if p_value > alpha or stability < min_stability:
        return _none(tried, f"no stable clustering: {found}", p_value, points.shape[1], kept, choice.table)
    assignments = _in_order(_k_means(points, k, 10, generator).labels_, steps)
    return Clustering(
        n_clusters=k,
        p_value=p_value,
        reason=f"{k} clusters: {found}" + ("; more than were tried may be as stable" if k == tried[-1] else ""),
        assignments=assignments,
        table=_by_step(assignments, steps, k),
        stability=choice.table,
        label_agreement=None if labels is None else agreement(assignments, labels, groups, generator),
        step_agreement=agreement(assignments, steps, groups, generator) if len(np.unique(steps)) > 1 else None,
        by_step=_agreement_by_step(assignments, labels, steps, groups, generator),
        dimensions=points.shape[1],
        variance_kept=kept,
    )


class _Choice(NamedTuple):
    """The most stable number of clusters, its p-value and stability, and the table of all that were tried."""

    k: int
    p_value: float
    stability: float
    table: pd.DataFrame


def _choose(
    points: np.ndarray,
    groups: np.ndarray,
    tried: list[int],
    n_subsamples: int,
    n_null: int,
    limits: tuple[float, float],
    generator: np.random.Generator,
) -> _Choice:
    """Both questions of `cluster`, asked of points (n, axes) in groups (n,). limits: alpha and min_stability."""
    alpha, min_stability = limits
    scale = points.std(axis=0)
    draws = (generator.normal(size=points.shape) * scale for _ in range(n_null))
    within = np.array([[_within(rows, k, generator) for k in tried] for rows in (points, *draws)])
    excess = (within.mean(axis=0) - within) / np.maximum(within.std(axis=0), 1e-12)
    best = excess.max(axis=1)
    p_value = float((best >= best[0] - 1e-12).mean())
    measured = np.array([_stability(points, groups, k, n_subsamples, generator) for k in tried])
    stability = measured[:, 0]
    at = int(np.flatnonzero(stability >= stability.max() - 0.05)[-1])
    if p_value <= alpha and stability[at] >= min_stability:
        edges = np.sqrt(3) * scale
        flat = [_within(generator.uniform(-edges, edges, points.shape), tried[at], generator) for _ in range(n_null)]
        p_value = max(p_value, (1 + sum(value <= within[0, at] + 1e-12 for value in flat)) / (1 + n_null))
    table = pd.DataFrame(
        {
            "k": tried,
            "stability": stability,
            "low": measured[:, 1],
            "high": measured[:, 2],
            "within": within[0],
            "null_within": within[1:].mean(axis=0),
            "p_value": (within <= within[0] + 1e-12).mean(axis=0),
        }
    )
    return _Choice(tried[at], p_value, stability[at], table)


@dataclass(frozen=True)
class Silhouettes:
    """Mean silhouette of clusters and of labels on the same rows: 1 apart, 0 touching, below 0 mixed up."""

    clusters: float
    labels: float


def silhouettes(matrix: Any, assignments: Any, labels: Any, max_rows: int = 500, seed: int = 0) -> Silhouettes:
    """How far apart clusters and labelled groups are, on at most `max_rows` rows of a matrix, (N, f), standardised.

    NaN for a partition with one group. Source: Rousseeuw (1987), "Silhouettes".
    """
    from sklearn.metrics import silhouette_score

    values = _standardised(np.asarray(matrix, dtype=np.float64))
    rows = np.sort(np.random.default_rng(seed).permutation(len(values))[:max_rows])
    points = _principal_axes(values, 30)[0][rows]

    def score(groups: np.ndarray) -> float:
        count = len(np.unique(groups))
        return float(silhouette_score(points, groups)) if points.shape[1] and 1 < count < len(groups) else float("nan")

    return Silhouettes(score(np.asarray(assignments)[rows]), score(np.asarray(labels)[rows]))


def forced_agreement(matrix: Any, labels: Any, k: int, seed: int = 0) -> Agreement:
    """Agreement with the labels of `k` k-means clusters of a matrix, (n, f), stable or not: a control."""
    points = _principal_axes(_standardised(np.asarray(matrix, dtype=np.float64)), 30)[0]
    if not points.shape[1]:
        return agreement(np.zeros(len(points), dtype=int), labels, seed=seed)
    fit = _k_means(points, k, 10, np.random.default_rng(seed))
    return agreement(fit.labels_, labels, seed=seed)


@checks_arguments
def agreement(
    first: Any, second: Any, samples: Any = None, seed: int | np.random.Generator = 0, n_resamples: int = 199
) -> Agreement:
    """Adjusted Rand index of two partitions of the same rows, its 95 % bootstrap interval, and its p-value.

    Samples (rows, if `samples` is None) are resampled as wholes for the interval; `second` is permuted over all
    rows for the p-value (one-sided). Source: Hubert and Arabie (1985), "Comparing partitions", eq. 5.
    """
    one = np.unique(_column("the first partition", first), return_inverse=True)[1]
    two = np.unique(_column("the second partition", second, len(one)), return_inverse=True)[1]
    groups = np.arange(len(one))
    if samples is not None:
        groups = np.unique(_column("the samples", samples, len(one)), return_inverse=True)[1]
    generator = np.random.default_rng(seed)
    shape = (int(one.max()) + 1, int(two.max()) + 1)

    def table(second: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(one * shape[1] + second, weights, minlength=shape[0] * shape[1]).reshape(shape)

    ari = float(_adjusted_rand(table(two)[None])[0])
    count = int(groups.max()) + 1
    drawn = (generator.integers(count, size=count) for _ in range(n_resamples))
    resampled = _adjusted_rand(
        np.array([table(two, np.bincount(rows, minlength=count)[groups].astype(np.float64)) for rows in drawn])
    )
    permuted = _adjusted_rand(np.array([table(generator.permutation(two)) for _ in range(_PERMUTATIONS)]))
    low, high = map(float, percentile_interval(resampled))
    p_value = resampling_p_value(ari, permuted)
    return Agreement(ari, min(low, ari), max(high, ari), p_value)


def _adjusted_rand(counts: np.ndarray) -> np.ndarray:
    """Adjusted Rand indices of contingency tables, (tables, i, j); 1 where both partitions are trivial alike."""

    def pairs(numbers: np.ndarray) -> np.ndarray:
        return numbers * (numbers - 1) / 2

    together = pairs(counts).sum(axis=(1, 2))
    first = pairs(counts.sum(axis=2)).sum(axis=1)
    second = pairs(counts.sum(axis=1)).sum(axis=1)
    total = pairs(counts.sum(axis=(1, 2)))
    expected = first * second / np.maximum(total, 1)
    most = (first + second) / 2
    flat = most - expected <= 1e-12 * np.maximum(most, 1)
    return np.where(flat, 1.0, (together - expected) / np.where(flat, 1.0, most - expected))


def _within(points: np.ndarray, k: int, generator: np.random.Generator) -> float:
    """The share of the variance of `points` within k-means clusters, from one start for data and nulls alike."""
    return float(_k_means(points, k, 1, generator).inertia_ / ((points - points.mean(axis=0)) ** 2).sum())


def _k_means(points: np.ndarray, k: int, starts: int, generator: np.random.Generator) -> KMeans:
    """Fitted to finite rows with known settings: checking them again takes as long as many a fit."""
    with config_context(assume_finite=True, skip_parameter_validation=True):
        return KMeans(k, n_init=starts, random_state=int(generator.integers(2**31))).fit(points)


def _stability(
    points: np.ndarray, groups: np.ndarray, k: int, n_subsamples: int, generator: np.random.Generator
) -> tuple[float, float, float]:
    """Mean pairwise adjusted Rand index over fits to subsamples, and its 95 % jackknife interval."""
    names = np.unique(groups)
    size = max(int(0.8 * len(names)), 1)
    labels = []
    for _ in range(n_subsamples):
        inside = np.isin(groups, generator.permutation(names)[:size])
        if inside.sum() < k:
            inside[:] = True
        labels.append(_nearest(points, _k_means(points[inside], k, 3, generator).cluster_centers_))
    one_hot = (np.array(labels)[:, :, None] == np.arange(k)).astype(np.float64)
    first, second = np.triu_indices(n_subsamples, 1)
    ari = _adjusted_rand(np.einsum("pni,pnj->pij", one_hot[first], one_hot[second]))
    mean = float(ari.mean())
    without = np.array(
        [ari[(first != fit) & (second != fit)].mean() if n_subsamples > 2 else mean for fit in range(n_subsamples)]
    )
    error = float(np.sqrt((n_subsamples - 1) / n_subsamples * ((without - without.mean()) ** 2).sum()))
    return mean, max(mean - 1.96 * error, -1.0), min(mean + 1.96 * error, 1.0)


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return np.argmin((centres**2).sum(axis=1) - 2 * points @ centres.T, axis=1)


def _standardised(values: np.ndarray) -> np.ndarray:
    constant = (values == values[0]).all(axis=0)
    centred = values - values.mean(axis=0)
    spread = centred.std(axis=0)
    flat = constant | (spread <= 1e-12 * np.abs(values).max(axis=0))
    return np.where(flat, 0.0, centred / np.where(flat, 1.0, spread))


def _principal_axes(values: np.ndarray, most: int) -> tuple[np.ndarray, float]:
    from ontogeny.geometry.components import pca

    result = pca(values, min(most, *values.shape))
    kept = float(result.cumulative[-1]) if result.n_components else 1.0
    return result.projections[0], kept


def _some_rows(groups: np.ndarray, most: int, generator: np.random.Generator) -> np.ndarray:
    """Rows of whole random groups, about `most` of them, in their order."""
    if len(groups) <= most:
        return np.arange(len(groups))
    order = generator.permutation(int(groups.max()) + 1)
    sizes = np.bincount(groups)[order]
    count = max(int(np.searchsorted(np.cumsum(sizes), most, side="right")), 2)
    return np.flatnonzero(np.isin(groups, order[:count]))


def _in_order(labels: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Clusters numbered by mean step (its rank), then by the first row that they hold."""
    ranks = np.unique(steps, return_inverse=True)[1]
    keys = [(ranks[labels == k].mean(), int(np.argmax(labels == k)), k) for k in np.unique(labels)]
    number = {k: index for index, (_, _, k) in enumerate(sorted(keys))}
    return np.array([number[k] for k in labels])


def _by_step(assignments: np.ndarray, steps: np.ndarray, k: int) -> pd.DataFrame:
    rows = []
    for step in np.unique(steps):
        counts = np.bincount(assignments[steps == step], minlength=k)
        low, high = proportion_interval(counts, counts.sum())
        rows += [(step, j, counts[j], counts[j] / counts.sum(), low[j], high[j]) for j in range(k)]
    return pd.DataFrame(rows, columns=["step", "cluster", "count", "share", "low", "high"])


def _agreement_by_step(
    assignments: np.ndarray, labels: np.ndarray | None, steps: np.ndarray, groups: np.ndarray, generator: Any
) -> pd.DataFrame:
    if labels is None:
        return pd.DataFrame(columns=_BY_STEP)
    found = {
        step: agreement(assignments[rows], labels[rows], groups[rows], generator)
        for step in np.unique(steps)
        for rows in [steps == step]
    }
    adjusted = adjust([each.p_value for each in found.values()]).p_values
    rows = [(step, e.ari, e.low, e.high, e.p_value, p) for (step, e), p in zip(found.items(), adjusted, strict=True)]
    return pd.DataFrame(rows, columns=_BY_STEP)


def _none(
    tried: list[int], reason: str, p_value: float, dimensions: int, kept: float, stability: pd.DataFrame | None = None
) -> Clustering:
    if stability is None:
        columns = ("stability", "low", "high", "within", "null_within", "p_value")
        stability = pd.DataFrame({"k": tried} | dict.fromkeys(columns, np.nan))
    empty = pd.DataFrame(columns=["step", "cluster", "count", "share", "low", "high"])
    return Clustering(
        None, p_value, reason, None, empty, stability, None, None, pd.DataFrame(columns=_BY_STEP), dimensions, kept
    )


def _column(name: str, values: Any, rows: int | None = None) -> np.ndarray:
    try:
        column = np.asarray(plain(values))
    except ValueError as error:
        raise OntogenyError(f"{name} is {shown(values)}: give one entry per row") from error
    if column.ndim != 1 or not column.size:
        raise OntogenyError(f"{name} has the shape {column.shape}: give one entry per row, in one dimension")
    if rows not in (None, column.size):
        raise OntogenyError(f"{name} has the shape {column.shape} for {rows} rows: give one entry per row")
    return column


def _what(values: np.ndarray) -> str:
    return f"of shape {values.shape}" if values.ndim != 2 else "not finite everywhere"
