"""How alike two representations of the same samples are: debiased CKA, Procrustes shape distance, subspaces.

A representation is a matrix, samples by features; an h5py dataset or a memory map serves as one and is read in blocks.
Everything is in float64. Intervals are 95 %, over samples, by the jackknife: a bootstrap repeats samples, and a pair
of a sample with itself is what the debiased estimator must leave out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.stats import wishart

from ontogeny.arguments import Reals, checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.geometry.components import PCA, pca
from ontogeny.statistics import NORMAL_95, percentile_interval, resampling_p_value

AXES = 64
"""Principal axes in which the shapes and subspaces of many representations are compared."""

_BLOCK_VALUES = 4_000_000
_MOST_GRAM = 8192
_MOST_COLUMNS = 2048
_NULL_DRAWS = 9999


@dataclass(frozen=True)
class Similarity:
    """A measure of two representations and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Overlap(Similarity):
    """The overlap of two subspaces, and what random subspaces of the same dimensions give.

    null: its expectation, k / d. null_low, null_high: the range of 95 % of random subspaces. p_value: one-sided.
    """

    null: float
    null_low: float
    null_high: float
    p_value: float


@dataclass(frozen=True)
class Gram:
    """The Gram matrix of a representation's centred rows, (n, n), and what HSIC needs of it."""

    matrix: np.ndarray
    energy: np.ndarray
    sums: np.ndarray
    hsic: float
    without: np.ndarray

    def shuffled(self, order: np.ndarray) -> Gram:
        """The same with its samples in another order: what is left to see by chance."""
        return Gram(
            self.matrix[np.ix_(order, order)], self.energy[order], self.sums[order], self.hsic, self.without[order]
        )


@checks_arguments
def cka(first: Reals, second: Reals, debiased: bool = True) -> Similarity:
    """Linear centred kernel alignment of two representations, (n, f) and (n, g): HSIC over the root of its own.

    `debiased` uses the unbiased estimator of HSIC, whose expectation is 0 for independent representations; it can be
    below 0. Without, it is the usual one, which is far above 0 where features outnumber samples. Works with the
    Gram matrices (n, n) or with the cross-products (f, g), whichever are smaller, in blocks. The interval comes from
    leaving out each sample in turn, in closed form. NaN if a representation is constant.

    Raises OntogenyError for shapes that do not fit, fewer than 5 samples, or numbers that are not finite.
    Sources: Song et al. (2012), "Feature selection via dependence maximization", eq. 5 (HSIC); Kornblith et al.
    (2019), "Similarity of neural network representations revisited", eq. 4; Nguyen, Raghu and Kornblith (2021), "Do
    wide and deep networks learn the same things?", eq. 3; Efron and Stein (1981) (jackknife).
    """
    count = _paired(first, second, 5)
    narrow = first.shape[1] * second.shape[1] < count * count or count > _MOST_GRAM
    if narrow:
        pairs = [_feature_terms(x, y) for x, y in ((first, second), (first, first), (second, second))]
    else:
        grams = gram(first), gram(second)
        if debiased:
            return cka_of_grams(*grams)
        pairs = [_gram_terms(x, y) for x, y in (grams, (grams[0], grams[0]), (grams[1], grams[1]))]
    if debiased:
        return _aligned(*(_hsic(*terms) for terms in pairs))
    return _aligned(*(_biased_hsic(*terms) for terms in pairs))


def gram(matrix: Any) -> Gram:
    """The Gram matrix of centred rows of a representation, made in blocks of columns; for `cka_of_grams`."""
    count = _shape(matrix)[0]
    product = np.zeros((count, count))
    for block in _columns(matrix):
        block = _finite(block)
        block = block - block.mean(axis=0)
        product += block @ block.T
    energy = np.diagonal(product).copy()
    np.fill_diagonal(product, 0.0)
    made = Gram(product, energy, product.sum(axis=1), 0.0, np.zeros(0))
    hsic, without = _hsic(*_gram_terms(made, made))
    return Gram(product, energy, made.sums, hsic, without)


def cka_of_grams(first: Gram, second: Gram) -> Similarity:
    """Debiased CKA (see `cka`) of two Gram matrices of the same samples, so that each is made once for many pairs."""
    cross = (first.hsic, first.without) if first is second else _hsic(*_gram_terms(first, second))
    return _aligned(cross, (first.hsic, first.without), (second.hsic, second.without))


@checks_arguments
def procrustes(first: Reals, second: Reals) -> Similarity:
    """Shape distance of two representations, (n, f) and (n, g), in radians: 0 if alike, pi/2 if orthogonal.

    The angle left after centring, scaling to unit norm, and the best rotation or reflection: arccos of the nuclear
    norm of X^T Y. A metric; unlike CKA it counts directions of little variance, and it is large for few samples
    in many features. The interval is the infinitesimal jackknife's: the angle's derivative by each sample's weight.

    Raises OntogenyError as `cka` does. Sources: Williams et al. (2021), "Generalized shape metrics on neural
    representations", eq. 4 and 5; Jaeckel (1972) (infinitesimal jackknife).
    """
    _paired(first, second, 3)
    return procrustes_of_scores(shape_scores(first), shape_scores(second))


def shape_scores(matrix: Any) -> np.ndarray:
    """Principal scores of a representation, (n, r), scaled to unit norm: its shape, up to rotation."""
    count, features = _shape(matrix)
    if features <= count:
        scores = pca(matrix).projections[0]
    else:
        found = gram(matrix)
        full = found.matrix + np.diag(found.energy)
        values, vectors = np.linalg.eigh(full)
        kept = values > max(values[-1], 0.0) * count * np.finfo(np.float64).eps
        scores = vectors[:, kept] * np.sqrt(values[kept])
    return unit_norm(scores)


def unit_norm(scores: np.ndarray) -> np.ndarray:
    """Principal scores (n, r), of all axes or the first, as `procrustes_of_scores` takes them; zeros stay zeros."""
    norm = np.linalg.norm(scores)
    return scores / norm if norm > 0 else scores


def procrustes_of_scores(first: np.ndarray, second: np.ndarray) -> Similarity:
    """The shape distance (see `procrustes`) of two results of `shape_scores` or `unit_norm`."""
    if not first.size or not second.size:
        return Similarity(np.nan, np.nan, np.nan)
    left, values, right = np.linalg.svd(first.T @ second, full_matrices=False)
    cosine = float(values.sum())
    aligned = np.einsum("ij,ij->i", first @ left, second @ right.T)
    energy = (np.einsum("ij,ij->i", first, first) + np.einsum("ij,ij->i", second, second)) / 2
    error = float(np.linalg.norm(aligned - cosine * energy))
    low, high = (float(np.arccos(np.clip(cosine + sign * NORMAL_95 * error, 0.0, 1.0))) for sign in (1, -1))
    return Similarity(float(np.arccos(min(cosine, 1.0))), low, high)


@checks_arguments
def subspace_overlap(first: Reals, second: Reals, k: int, space: str = "features", seed: int = 0) -> Overlap:
    """Mean squared cosine of the principal angles between the first `k` principal subspaces: 0 orthogonal, 1 the same.

    space "features": principal directions of the same features, (n, f) and (m, f), as of one layer at two moments;
    the random subspaces lie in the f features. space "samples": the first k principal score vectors over the same n
    samples, as of two layers; the random ones lie in the n - 1 dimensions of centred scores, and there is no interval,
    since the samples are the axes. The null is exact: random subspaces overlap by k / d, distributed as the trace of a
    matrix-variate beta, of which 9,999 draws give range and p-value. The interval is the infinitesimal jackknife's;
    it is wide where the k-th and the next variance are close, since the subspace is then uncertain itself.

    Where the data have fewer than k components both are taken with as many as both have. Raises OntogenyError for
    shapes that do not fit, an unknown space, or k < 1. Sources: Bjorck and Golub (1973) (principal angles); Muirhead
    (1982), "Aspects of multivariate statistical theory", theorem 3.3.1 (beta); Anderson (1963) (derivative of
    principal axes).
    """
    if k < 1 or space not in ("features", "samples"):
        raise OntogenyError(f"k = {k!r}, space = {space!r}: k is at least 1, and space is 'features' or 'samples'")
    axis = 1 if space == "features" else 0
    if _shape(first)[axis] != _shape(second)[axis]:
        raise OntogenyError(f"the shapes {first.shape} and {second.shape} have different numbers of {space}")
    return overlap_of_pca(pca(first), pca(second), k, space, seed)


def overlap_of_pca(one: PCA, two: PCA, k: int, space: str = "features", seed: int = 0) -> Overlap:
    """The overlap (see `subspace_overlap`) of the first `k` components of two results of `pca`, with all components."""
    k = min(k, one.n_components, two.n_components)
    if k == 0:
        return Overlap(*[np.nan] * 7)
    if space == "samples":
        first, second = ((r.projections[0] / np.linalg.norm(r.projections[0], axis=0))[:, :k] for r in (one, two))
        d = len(first) - 1
        value, low, high = float(((first.T @ second) ** 2).sum()) / k, np.nan, np.nan
    else:
        d = one.components.shape[1]
        cosines = one.components @ two.components.T
        value = float((cosines[:k, :k] ** 2).sum()) / k
        spread = sum(
            (_influence(result, turned, k) ** 2).sum() / result.n_rows**2
            for result, turned in ((one, cosines[:, :k]), (two, cosines[:k].T))
        )
        if one.n_rows == two.n_rows:
            both = _influence(one, cosines[:, :k], k) + _influence(two, cosines[:k].T, k)
            spread = (both**2).sum() / one.n_rows**2
        margin = NORMAL_95 * float(np.sqrt(spread)) / k
        low, high = max(value - margin, 0.0), min(value + margin, 1.0)
    value = min(value, 1.0)
    null = random_overlaps(min(k, d), d, seed)
    null_low, null_high = percentile_interval(null)
    p_value = resampling_p_value(value, null)
    return Overlap(value, low, high, min(k, d) / d, float(null_low), float(null_high), p_value)


@lru_cache(maxsize=64)
def random_overlaps(k: int, d: int, seed: int = 0, draws: int = _NULL_DRAWS) -> np.ndarray:
    """The overlap of `draws` pairs of random k-dimensional subspaces of d dimensions, (draws,).

    Raises OntogenyError if k is below 1 or above d.
    """
    if not 1 <= k <= d:
        raise OntogenyError(f"subspaces of {k} dimensions in {d}: k goes from 1 to d")
    small = min(k, d - k)
    if small == 0:
        return np.ones(draws)
    generator = np.random.default_rng(seed)
    one, two = (
        np.reshape(wishart.rvs(df, np.eye(small), size=draws, random_state=generator), (draws, small, small))
        for df in (small, d - small)
    )
    shared = np.trace(np.linalg.solve(one + two, one), axis1=1, axis2=2)
    return (shared + (2 * k - d if small < k else 0)) / k


def _influence(result: PCA, cosines: np.ndarray, k: int) -> np.ndarray:
    """n times the derivative of |P1 P2|^2 by each row's weight; `cosines` (r, k): the axes against the other's k."""
    scores = result.projections[0]
    scores = scores - scores.mean(axis=0)
    values = (scores**2).mean(axis=0)
    if len(values) == k:
        return np.zeros(len(scores))
    gap = values[:k, None] - values[None, k:]
    weight = (cosines[:k] @ cosines[k:].T) / np.maximum(gap, 1e-12 * values[0])
    return 2 * np.einsum("ia,ab,ib->i", scores[:, :k], weight, scores[:, k:], optimize=True)


def _gram_terms(one: Gram, two: Gram) -> tuple[np.ndarray, ...]:
    """Row sums of K * L, of K, of L, of K L and L K over a vector of ones, and the diagonals; K, L without them."""
    products = np.einsum("ij,ij->i", one.matrix, two.matrix)
    same = one is two
    turned = one.matrix @ two.sums
    back = turned if same else two.matrix @ one.sums
    return products, one.sums, two.sums, turned, back, one.energy, two.energy


def _feature_terms(first: Any, second: Any) -> tuple[np.ndarray, ...]:
    """The same as `_gram_terms`, without a matrix (n, n): from cross-products of blocks of columns."""
    count = first.shape[0]
    means = [_mean(matrix) for matrix in (first, second)]
    energy = [np.zeros(count), np.zeros(count)]
    products = np.zeros(count)
    for which, (matrix, mean) in enumerate(zip((first, second), means)):
        for rows in _rows(matrix):
            block = np.asarray(matrix[rows], dtype=np.float64) - mean
            energy[which][rows] = np.einsum("ij,ij->i", block, block)
    for a in _pieces(first.shape[1]):
        for b in _pieces(second.shape[1]):
            cross = np.zeros((a.stop - a.start, b.stop - b.start))
            for rows in _rows(first):
                cross += _part(first, rows, a, means[0]).T @ _part(second, rows, b, means[1])
            for rows in _rows(first):
                left, right = _part(first, rows, a, means[0]), _part(second, rows, b, means[1])
                products[rows] += np.einsum("ij,ij->i", left @ cross, right)
    turned = [np.zeros(count), np.zeros(count)]
    for which, (matrix, mean) in enumerate(zip((first, second), means)):
        other = -energy[1 - which]
        total = sum(other[rows] @ (np.asarray(matrix[rows], dtype=np.float64) - mean) for rows in _rows(matrix))
        for rows in _rows(matrix):
            turned[which][rows] = (np.asarray(matrix[rows], dtype=np.float64) - mean) @ total
        turned[which] -= energy[which] * other
    return products - energy[0] * energy[1], -energy[0], -energy[1], turned[0], turned[1], energy[0], energy[1]


def _hsic(products: np.ndarray, k: np.ndarray, l: np.ndarray, kl: np.ndarray, lk: np.ndarray, *_: Any) -> tuple:  # noqa: E741
    """Unbiased HSIC (Song et al. 2012, eq. 5), and its values without each sample in turn."""
    n, total, both = len(k), products.sum(), k @ l

    def estimate(n: int, total: Any, one: Any, two: Any, both: Any) -> Any:
        return (total + one * two / ((n - 1) * (n - 2)) - 2 * both / (n - 2)) / (n * (n - 3))

    without = estimate(n - 1, total - 2 * products, k.sum() - 2 * k, l.sum() - 2 * l, both - k * l - kl - lk + products)
    return float(estimate(n, total, k.sum(), l.sum(), both)), without


def _biased_hsic(
    products: np.ndarray,
    k: np.ndarray,
    l: np.ndarray,  # noqa: E741
    kl: np.ndarray,
    lk: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
) -> tuple:
    """|X^T Y|^2 of centred rows, and its values without each sample in turn (and centred again)."""
    n, whole = len(k), products + first * second
    total = whole.sum()
    fall = 2 * whole * n / (n - 1) - first * second * (n / (n - 1)) ** 2
    return float(total), total - fall


def _aligned(cross: tuple, one: tuple, two: tuple) -> Similarity:
    def ratio(xy: Any, xx: Any, yy: Any) -> Any:
        with np.errstate(invalid="ignore", divide="ignore"):
            own = np.where((np.asarray(xx) > 0) & (np.asarray(yy) > 0), np.asarray(xx) * np.asarray(yy), np.nan)
            return xy / np.sqrt(own)

    value = float(ratio(cross[0], one[0], two[0]))
    without = ratio(cross[1], one[1], two[1])
    n = len(without)
    margin = NORMAL_95 * float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))
    return Similarity(value, max(value - margin, -1.0), min(value + margin, max(value, 1.0)))


def _shape(matrix: Any) -> tuple[int, int]:
    shape = getattr(matrix, "shape", None)
    if shape is None or len(shape) != 2 or 0 in shape:
        raise OntogenyError(f"a representation is a matrix, samples by features, not of shape {shape}")
    return shape


def _paired(first: Any, second: Any, least: int) -> int:
    one, two = _shape(first), _shape(second)
    if one[0] != two[0] or one[0] < least:
        raise OntogenyError(f"{one[0]} and {two[0]} samples: give the same samples twice, at least {least} of them")
    return one[0]


def _finite(block: np.ndarray) -> np.ndarray:
    block = np.asarray(block, dtype=np.float64)
    if not np.isfinite(block).all():
        raise OntogenyError("a representation holds NaN or infinite numbers, which are like nothing")
    return block


def _columns(matrix: Any) -> Iterator[np.ndarray]:
    wide = max(1, _BLOCK_VALUES // matrix.shape[0])
    for start in range(0, matrix.shape[1], wide):
        yield matrix[:, start : start + wide]


def _rows(matrix: Any) -> list[slice]:
    tall = max(1, _BLOCK_VALUES // matrix.shape[1])
    return [slice(start, min(start + tall, matrix.shape[0])) for start in range(0, matrix.shape[0], tall)]


def _pieces(features: int) -> list[slice]:
    return [slice(start, min(start + _MOST_COLUMNS, features)) for start in range(0, features, _MOST_COLUMNS)]


def _part(matrix: Any, rows: slice, columns: slice, mean: np.ndarray) -> np.ndarray:
    return np.asarray(matrix[rows, columns], dtype=np.float64) - mean[columns]


def _mean(matrix: Any) -> np.ndarray:
    return sum(_finite(matrix[rows]).sum(axis=0) for rows in _rows(matrix)) / matrix.shape[0]
