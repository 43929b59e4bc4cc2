"""Principal components in one basis over several moments of training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.linalg
import scipy.sparse.linalg

from ontogeny.arguments import checks_arguments, plain
from ontogeny.errors import OntogenyError, shown
from ontogeny.statistics import percentile_interval
from ontogeny.words import counted

_DENSE_UP_TO = 1200


@dataclass(frozen=True)
class PCA:
    """Principal components of activations; k components, f features, N rows in all.

    components: (k, f), orthonormal rows; the loading of largest magnitude is positive.
    mean: (f,), the mean of all rows.
    explained_variance: (k,), in squared units of the activations, with denominator N - 1.
    explained_variance_ratio, cumulative: (k,), shares of `total_variance`.
    projections: for each matrix its rows in the common basis, (n, k).
    row_energy: for each matrix the squared distance of its rows from the mean, (n,).
    requested: components asked for (None: all). Fewer are given where the data has no more: see `capped`.
    """

    components: np.ndarray
    mean: np.ndarray
    explained_variance: np.ndarray
    explained_variance_ratio: np.ndarray
    cumulative: np.ndarray
    total_variance: float
    projections: tuple[np.ndarray, ...]
    row_energy: tuple[np.ndarray, ...]
    n_rows: int
    requested: int | None

    def __repr__(self) -> str:
        return f"PCA({self.n_components} components of {self.n_rows} rows and {len(self.mean)} features)"

    @property
    def n_components(self) -> int:
        """Components that there are."""
        return len(self.components)

    @property
    def capped(self) -> bool:
        """Whether fewer components were found than asked for, because the rest have no variance."""
        return self.requested is not None and self.n_components < self.requested

    def transform(self, matrix: Any) -> np.ndarray:
        """Other rows, (n, f), in this basis, (n, k). Raises OntogenyError if the number of features differs."""
        values = np.asarray(plain(matrix), dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(self.mean):
            raise OntogenyError(
                f"rows of {counted(len(self.mean), 'feature')} are expected, not the shape {values.shape}"
            )
        return (values - self.mean) @ self.components.T


@checks_arguments
def pca(matrices: Any, n_components: int | None = None) -> PCA:
    """Principal components of all rows of `matrices`, one basis for all, so that moments can be compared.

    `matrices` is one matrix (n, f), or several with the same f (a sequence, or an array (steps, n, f)). They
    are read one at a time, several times over (an h5py dataset serves as a matrix), in float64, in two passes about
    the mean. The eigenvalue problem is that of the smaller of the scatter matrix (f, f) and the Gram matrix (N, N),
    so memory is bounded by it and two matrices. Where it is large and few components are asked for, those are found
    by Lanczos iteration to machine precision.

    Components whose variance is within rounding of zero are left out (`PCA.capped`); rows that are all alike have
    none. Raises OntogenyError for no rows, unequal features, numbers that are not finite, or `n_components` < 1.
    Source: Jolliffe (2002), Principal Component Analysis, 2nd ed., sections 1.1 and 3.5.
    """
    chunks = _chunks(matrices)
    if n_components is not None and n_components < 1:
        raise OntogenyError(f"n_components is {n_components}: ask for at least one, or None for all")
    features = chunks[0].shape[1]
    sizes = [chunk.shape[0] for chunk in chunks]
    rows = sum(sizes)
    mean = sum(_read(chunk, index).sum(axis=0) for index, chunk in enumerate(chunks)) / rows

    def centred(index: int) -> np.ndarray:
        return np.asarray(chunks[index], dtype=np.float64) - mean

    row_energy = tuple(np.einsum("ij,ij->i", block, block) for block in map(centred, range(len(chunks))))
    total = float(sum(energy.sum() for energy in row_energy))
    noise = (16 * np.finfo(np.float64).eps) ** 2 * (total + rows * float(mean @ mean))
    if total <= noise:
        found, vectors = np.zeros(0), np.zeros((features, 0))
    elif features <= rows:
        scatter = np.zeros((features, features))
        for index in range(len(chunks)):
            block = centred(index)
            scatter += block.T @ block
        found, vectors = _largest(scatter, n_components, max(rows, features))
    else:
        found, left = _largest(_gram(centred, sizes), n_components, max(rows, features))
        vectors = np.zeros((features, len(found)))
        for index, part in enumerate(np.split(left, np.cumsum(sizes)[:-1])):
            vectors += centred(index).T @ part
        vectors = np.linalg.qr(vectors / np.sqrt(found))[0] if len(found) else vectors
    components = _with_signs(vectors.T)
    share = found / total if total > 0 else found
    return PCA(
        components=components,
        mean=mean,
        explained_variance=found / max(rows - 1, 1),
        explained_variance_ratio=share,
        cumulative=np.cumsum(share),
        total_variance=total / max(rows - 1, 1),
        projections=tuple(centred(index) @ components.T for index in range(len(chunks))),
        row_energy=row_energy,
        n_rows=rows,
        requested=n_components,
    )


@checks_arguments
def variance_table(
    result: PCA, confidence: float = 0.95, n_resamples: int = 200, seed: int | np.random.Generator = 0
) -> pd.DataFrame:
    """Explained variance by component: component (from 1), variance, ratio, ratio_low, ratio_high, cumulative, ....

    The intervals are percentiles over `n_resamples` resamples of the samples, drawn once for all matrices if they
    have equally many rows (the same samples at several steps), and of all rows otherwise. Within a resample the
    components are computed again in the space of those kept, so an interval is that of the k-th largest share.
    """
    generator = np.random.default_rng(seed)
    sizes = {len(block) for block in result.projections}
    paired = len(sizes) == 1
    scores = np.stack(result.projections, axis=1) if paired else np.concatenate(result.projections)[:, None, :]
    energy = np.stack(result.row_energy, axis=1) if paired else np.concatenate(result.row_energy)[:, None]
    count, steps, kept = scores.shape
    shares = np.zeros((n_resamples, kept))
    for resample in shares:
        weight = np.bincount(generator.integers(count, size=count), minlength=count).astype(np.float64)
        n = count * steps
        first = np.einsum("i,isk->k", weight, scores)
        weighted = (scores * np.sqrt(weight)[:, None, None]).reshape(-1, kept)
        scatter = weighted.T @ weighted - np.outer(first, first) / n
        spread = float(weight @ energy.sum(axis=1)) - float(first @ first) / n
        resample[:] = np.linalg.eigvalsh(scatter)[::-1] / spread if spread > 0 else np.nan
    low, high = percentile_interval(shares, confidence)
    cumulative = percentile_interval(np.cumsum(shares, axis=1), confidence)
    return pd.DataFrame(
        {
            "component": np.arange(1, kept + 1),
            "variance": result.explained_variance,
            "ratio": result.explained_variance_ratio,
            "ratio_low": low,
            "ratio_high": high,
            "cumulative": result.cumulative,
            "cumulative_low": cumulative[0],
            "cumulative_high": cumulative[1],
        }
    )


@checks_arguments
def projection_table(result: PCA, steps: Sequence[int], labels: Any = None) -> pd.DataFrame:
    """Projections as a table: step, sample (row in its matrix), label (if given), PC1, PC2, ....

    `steps` has one entry per matrix; `labels` one per row, the same for every matrix. Raises OntogenyError where they
    do not fit.
    """
    if len(steps) != len(result.projections):
        raise OntogenyError(
            f"{counted(len(steps), 'step')} for {counted(len(result.projections), 'matrix')}: give one step per matrix"
        )
    tables = []
    for step, block in zip(steps, result.projections, strict=True):
        columns: dict[str, Any] = {"step": np.full(len(block), step), "sample": np.arange(len(block))}
        if labels is not None:
            if len(labels) != len(block):
                raise OntogenyError(
                    f"{counted(len(labels), 'label')} for {counted(len(block), 'row')} of step {step}: give one per row"
                )
            columns["label"] = np.asarray(labels)
        columns |= {f"PC{index + 1}": block[:, index] for index in range(block.shape[1])}
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _chunks(matrices: Any) -> list[Any]:
    given = plain(matrices)
    flat = getattr(given, "ndim", 2) < 2 and np.size(given)
    if flat or isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise OntogenyError(f"the matrices are {shown(matrices)}: give one (rows, features), or a list of several")
    chunks: list[Any] = [given] if getattr(given, "ndim", None) == 2 else [plain(chunk) for chunk in given]
    if not chunks:
        raise OntogenyError("there are no matrices: give at least one of shape (rows, features)")
    for index, chunk in enumerate(chunks):
        if not hasattr(chunk, "shape"):
            raise OntogenyError(f"matrix {index} is {shown(chunk)}: an array (rows, features) is expected")
        if len(chunk.shape) != 2 or 0 in chunk.shape:
            raise OntogenyError(f"matrix {index} has the shape {tuple(chunk.shape)}: (rows, features) is expected")
        if chunk.shape[1] != chunks[0].shape[1]:
            raise OntogenyError(
                f"matrix {index} has {counted(chunk.shape[1], 'feature')} and matrix 0 has "
                f"{chunks[0].shape[1]}: one basis needs "
                "the same"
            )
    return chunks


def _read(chunk: Any, index: int) -> np.ndarray:
    values = np.asarray(chunk, dtype=np.float64)
    if not np.isfinite(values).all():
        raise OntogenyError(f"matrix {index} holds NaN or infinite numbers, which have no principal components")
    return values


def _gram(centred: Any, sizes: list[int]) -> np.ndarray:
    ends = np.cumsum(sizes)
    gram = np.zeros((ends[-1], ends[-1]))
    for i, end in enumerate(ends):
        block = centred(i)
        here = slice(end - sizes[i], end)
        gram[here, here] = block @ block.T
        for j in range(i):
            there = slice(ends[j] - sizes[j], ends[j])
            gram[here, there] = block @ centred(j).T
            gram[there, here] = gram[here, there].T
    return gram


def _largest(matrix: np.ndarray, count: int | None, scale: int) -> tuple[np.ndarray, np.ndarray]:
    """The largest eigenvalues (descending, only those above rounding) of a symmetric matrix, and their vectors."""
    size = len(matrix)
    if count is not None and size > _DENSE_UP_TO and count * 10 < size:
        start = np.random.default_rng(0).normal(size=size)
        values, vectors = scipy.sparse.linalg.eigsh(matrix, k=count, which="LA", v0=start)
        order = np.argsort(values)[::-1]
        values, vectors = values[order], vectors[:, order]
    else:
        subset = None if count is None or count >= size else (size - count, size - 1)
        values, vectors = scipy.linalg.eigh(matrix, subset_by_index=subset)
        values, vectors = values[::-1], vectors[:, ::-1]
    above = values > values[0] * scale * np.finfo(np.float64).eps
    return values[above], vectors[:, above]


def _with_signs(components: np.ndarray) -> np.ndarray:
    """Each row times the sign of its largest loading (the first of those within 1e-6 of it)."""
    if not components.size:
        return components
    size = np.abs(components)
    at = (size >= size.max(axis=1, keepdims=True) * (1 - 1e-6)).argmax(axis=1)
    signs = np.sign(components[np.arange(len(components)), at])
    return components * signs[:, None]
