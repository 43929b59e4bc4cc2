"""Intrinsic dimension: how many coordinates the points of a representation need, from nearest neighbours alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from ontogeny.arguments import Reals, checks_arguments
from ontogeny.errors import OntogenyError

_CANDIDATES = 8
_CHUNK = 512


@dataclass(frozen=True)
class IntrinsicDimension:
    """A dimension with its interval; points: distinct points used; duplicates: points left out, as copies of others."""

    value: float
    low: float
    high: float
    points: int
    duplicates: int


@checks_arguments
def two_nn(matrix: Reals, discard: float = 0.1, confidence: float = 0.95) -> IntrinsicDimension:
    """TwoNN: the dimension of the manifold on which the rows of `matrix`, (n, f), lie.

    The ratio mu of a point's distances to its second and first neighbours follows a Pareto law with exponent d,
    whatever the density, if that is even about as far as the second neighbour. So log mu is exponential with rate d.
    The largest `discard` of the ratios, where the law fails first, are known only to be at least the largest kept
    (censored); the estimate is the unbiased one, (m - 1) / T for m kept of total T, and 2 d T is chi-squared with 2 m
    degrees of freedom. The interval takes ratios as independent, which neighbouring points are not quite.

    Copies of a point have no ratio: each distinct point counts once, and `duplicates` says how many were left out.
    NaN where fewer than 10 distinct points remain. Raises OntogenyError for anything but a finite matrix, and
    `discard` outside [0, 0.5]. Source: Facco et al. (2017), "Estimating the intrinsic dimension of datasets by a
    minimal neighborhood information", eq. 5; Epstein and Sobel (1953), "Life testing" (censoring).
    """
    values = np.asarray(matrix, dtype=np.float64)
    if values.ndim != 2 or 0 in values.shape or not np.isfinite(values).all():
        raise OntogenyError(
            f"a matrix of finite numbers, samples by features, is expected, not of shape {values.shape}"
        )
    if not 0 <= discard <= 0.5:
        raise OntogenyError(f"discard = {discard!r} is the share of the ratios that is cut off: from 0 to 0.5")
    points = np.unique(np.ldexp(values, -np.frexp(np.abs(values).max())[1]), axis=0)
    duplicates = len(values) - len(points)
    if len(points) < 10:
        return IntrinsicDimension(np.nan, np.nan, np.nan, len(points), duplicates)
    near = _two_nearest(points - points.mean(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.sort(np.log(near[:, 1] / near[:, 0]))
    logs = logs[np.isfinite(logs)]
    if len(logs) < 2:
        return IntrinsicDimension(np.nan, np.nan, np.nan, len(points), duplicates)
    kept = max(int((1 - discard) * len(logs)), 2)
    total = float(logs[:kept].sum() + (len(logs) - kept) * logs[kept - 1])
    if total <= 0:
        return IntrinsicDimension(np.nan, np.nan, np.nan, len(points), duplicates)
    low, high = chi2.ppf([(1 - confidence) / 2, (1 + confidence) / 2], 2 * kept) / (2 * total)
    return IntrinsicDimension((kept - 1) / total, float(low), float(high), len(points), duplicates)


def _two_nearest(points: np.ndarray) -> np.ndarray:
    """Distances of each point to its two nearest others, (n, 2): candidates by products, distances by differences."""
    energy = np.einsum("ij,ij->i", points, points)
    few = min(_CANDIDATES, len(points) - 1)
    found = np.empty((len(points), 2))
    for start in range(0, len(points), _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, len(points)))
        squares = energy[None, :] - 2 * points[rows] @ points.T
        squares[np.arange(len(rows)), rows] = np.inf
        nearest = np.argpartition(squares, few - 1, axis=1)[:, :few]
        exact = np.array([((points[c] - points[r]) ** 2).sum(axis=1) for r, c in zip(rows, nearest, strict=True)])
        found[rows] = np.sqrt(np.sort(exact, axis=1)[:, :2])
    return found
