"""Maps of a layer in two dimensions, one fit for all moments of training, and how far they can be trusted.

Each moment has neighbourhoods of its own, and all maps are fitted together: the objective is the sum of the moments'
own and a penalty on how far a sample moves from one moment to the next. So a sample stays where it is unless its
neighbourhood changes, and frames can be compared. One map of all (sample, moment) points would not do: late in
training a sample's nearest neighbours are its own copies at other moments, and the map shows those.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.arguments import Labels, Reals, checks_arguments
from ontogeny.errors import OntogenyError, unknown
from ontogeny.geometry.components import pca
from ontogeny.geometry.settings import MapSettings
from ontogeny.statistics import percentile_interval
from ontogeny.words import counted

METHODS = ("tsne", "umap")
_EARLY, _EXAGGERATION = 125, 12.0


DEFAULTS = MapSettings()


def usual_neighbours(samples: int) -> float:
    """Neighbours where none are given: 30, or a quarter of the samples where that is less."""
    return min(30.0, samples / 4)


@dataclass(frozen=True)
class Maps:
    """One map of the same samples for each moment, in common axes.

    positions: (moments, samples, 2), float64. method: tsne or umap. neighbours: the perplexity, or UMAP's n_neighbors.
    variance_kept: (moments,), share of each moment's variance in the components that neighbours are sought in.
    """

    positions: np.ndarray
    method: str
    neighbours: float
    variance_kept: np.ndarray


@checks_arguments
def fit_maps(
    matrices: Sequence[Any],
    method: str = DEFAULTS.method,
    *,
    neighbours: float | None = DEFAULTS.neighbours,
    coupling: float = DEFAULTS.coupling,
    components: int = 50,
    iterations: int = 300,
    seed: int = 0,
) -> Maps:
    """Map the rows of every matrix (samples, features) to the plane, all moments in one fit.

    matrices: the same samples in the same order at each moment. neighbours: t-SNE's perplexity, or UMAP's number of
    neighbours (30, or a quarter of the samples where that is less, if None), sought in each moment's own first
    `components` principal components. coupling: how strongly a sample is held where it is from one moment to the next.

    tsne minimises over all moments t at once the sum of KL(P_t || Q_t), each a t-SNE of its own (van der Maaten and
    Hinton 2008), and coupling / (2 samples) sum_i |y_i[t] - y_i[t+1]|^2 (Rauber, Falcao and Telea 2016, "Visualizing
    time-dependent data using dynamic t-SNE"), by openTSNE's gradient and optimiser. It starts from the principal
    components of all moments together, each moment brought to one scale, and draws no random number: `seed` changes
    nothing. `iterations` come after 125 with early exaggeration. umap is umap-learn's AlignedUMAP, in which `coupling`
    is the alignment's regularisation and `iterations` are the epochs.

    Raises OntogenyError for an unknown method, a library that is not installed, samples that differ in number, too few
    samples for `neighbours`, numbers that are not finite, and a moment at which all samples are alike.
    """
    if method not in METHODS:
        raise unknown("map", method, METHODS)
    neighbours = usual_neighbours(len(matrices[0]) if len(matrices) else 0) if neighbours is None else neighbours
    values = _checked(matrices, method, neighbours)
    if coupling < 0 or components < 2 or iterations < 1:
        raise OntogenyError("coupling must be at least 0, components at least 2, and iterations at least 1")
    reduced, kept = _reduced(values, components)
    start = _common_start(values)
    fit = _fit_tsne if method == "tsne" else _fit_umap
    positions = fit(reduced, start, neighbours, coupling, iterations, seed)
    return Maps(positions, method, neighbours, kept)


@checks_arguments
def map_quality(
    matrix: Reals, positions: Reals, n_neighbours: int = 10, n_null: int = 39, seed: int = 0
) -> dict[str, Any]:
    """How well one map (samples, 2) keeps the neighbourhoods of its rows (samples, features), beside a null.

    Returns trustworthiness (samples near in the map are near in the space) and continuity (the converse), 1 at best,
    and for each what maps with their samples shuffled give: `_null`, the expectation in closed form, and `_null_low`
    and `_null_high`, which hold 95 % of `n_null` shuffles. Memory grows with the square of the samples.

    Source: Venna and Kaski (2001), "Neighborhood preservation in nonlinear projection methods". The expectation
    follows from k of n - 1 neighbours drawn at random: 1 - (n - 1 - k)(n - k) / ((n - 1)(2n - 3k - 1)).
    Raises OntogenyError unless n_neighbours is below half the samples.
    """
    values, places = np.asarray(matrix, dtype=np.float64), np.asarray(positions, dtype=np.float64)
    n, k = len(values), n_neighbours
    if len(places) != n:
        raise OntogenyError(
            f"the map has {counted(len(places), 'point')}, the matrix {counted(n, 'row')}: give one for each"
        )
    if not 1 <= k < n / 2:
        raise OntogenyError(
            f"n_neighbours is {k}: a number from 1 to {(n - 1) // 2}, below half the {n} samples, is expected"
        )
    rank_space, rank_map = _ranks(values), _ranks(places)
    expected = 1 - (n - 1 - k) * (n - k) / ((n - 1) * (2 * n - 3 * k - 1))
    shuffles = [np.random.default_rng((seed, index)).permutation(n) for index in range(n_null)]
    found: dict[str, Any] = {}
    for name, outer, inner in (("trustworthiness", rank_space, rank_map), ("continuity", rank_map, rank_space)):
        found[name] = _kept(outer, inner, k)
        null = [_kept(outer, inner[np.ix_(order, order)], k) for order in shuffles]
        low, high = percentile_interval(null) if null else (np.nan, np.nan)
        found |= {f"{name}_null": expected, f"{name}_null_low": float(low), f"{name}_null_high": float(high)}
    return found


@checks_arguments
def label_agreement(positions: Reals, labels: Labels, n_neighbours: int = 10) -> tuple[float, float]:
    """Mean share of each point's nearest neighbours that have its label, and what shuffled labels give on average.

    positions: (samples, d). Compare the share in a map with that in the layer: a map that is higher invents order.

    Raises OntogenyError unless there is a label for each sample, and more samples than neighbours.
    """
    labels = np.asarray(labels)
    if labels.shape != np.shape(positions)[:1] or np.ndim(positions) != 2 or n_neighbours >= len(labels):
        raise OntogenyError(
            f"positions of shape {np.shape(positions)}, labels of shape {labels.shape}, n_neighbours {n_neighbours}: "
            "one label per sample, and fewer neighbours than samples, are expected"
        )
    near = np.argsort(_ranks(np.asarray(positions, dtype=np.float64)), axis=1, kind="stable")[:, 1 : n_neighbours + 1]
    counts = np.unique(labels, return_counts=True)[1].astype(float)
    n = len(labels)
    return float((labels[near] == labels[:, None]).mean()), float((counts * (counts - 1)).sum() / (n * (n - 1)))


@checks_arguments
def map_moments(
    matrices: Sequence[Any],
    steps: Sequence[int],
    labels: Any,
    *,
    quality_neighbours: int = 10,
    seed: int = 0,
    **settings: Any,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The maps of one layer over training as tables: positions, and quality moment by moment.

    `settings` go to `fit_maps`. A moment at which all samples are alike, or whose numbers are not finite, has no map;
    the quality table says so in `note`. Returns (step, sample, label, x, y) and (step, samples, trustworthiness,
    continuity, each with its null; label_agreement in the map, label_agreement_layer in the layer,
    label_agreement_null; variance_kept; note). Raises OntogenyError if fewer than two moments have a map.
    """
    labels = np.asarray(labels)
    notes = [_unfit(np.asarray(matrix, dtype=np.float64)) for matrix in matrices]
    good = [index for index, note in enumerate(notes) if not note]
    if len(good) < 2:
        raise OntogenyError(
            f"{len(good)} of {len(notes)} moments can be mapped: {next(filter(None, notes), 'give two')}"
        )
    maps = fit_maps([matrices[index] for index in good], seed=seed, **settings)
    places = [
        pd.DataFrame({"step": steps[index], "sample": np.arange(len(labels)), "label": labels, "x": x, "y": y})
        for index, (x, y) in zip(good, maps.positions.transpose(0, 2, 1))
    ]
    rows = []
    for index, note in enumerate(notes):
        row: dict[str, Any] = {"step": steps[index], "samples": len(labels), "method": maps.method, "note": note}
        if not note:
            at = good.index(index)
            row |= map_quality(matrices[index], maps.positions[at], quality_neighbours, seed=seed)
            row["label_agreement"], null = label_agreement(maps.positions[at], labels, quality_neighbours)
            row["label_agreement_layer"], _ = label_agreement(matrices[index], labels, quality_neighbours)
            row |= {"label_agreement_null": null, "variance_kept": maps.variance_kept[at]}
        rows.append(row)
    quality = pd.DataFrame(rows)
    return pd.concat(places, ignore_index=True), quality[[*(c for c in quality if c != "note"), "note"]]


def frame_steps(steps: Sequence[int], frames: int, moments: Sequence[int] = ()) -> list[int]:
    """About `frames` of `steps`, closer together early, when most changes, and all of `moments`.

    Where every step of a training can be had, they are evenly spaced in the square root of the step, and one within a
    hundredth of the training of one of `moments` gives way to it. Of fewer steps, such as checkpoints that others
    saved, which may lie at a logarithm's distances, they are evenly spaced in their order.
    """
    last_step = steps[-1]
    if len(steps) != last_step + 1:
        places = np.unique(np.round(np.linspace(0, len(steps) - 1, max(frames, 2))).astype(int))
        return sorted({*(steps[place] for place in places), *moments})
    share = np.linspace(0, 1, max(frames, 2))
    spread = np.unique(np.round(last_step * share**2).astype(int))
    must = sorted({0, last_step, *moments})
    apart = max(last_step / 100, 1)
    free = [int(step) for step in spread if min(abs(step - other) for other in must) >= apart]
    return sorted({*must, *free})


def _checked(matrices: Sequence[Any], method: str, neighbours: float) -> list[np.ndarray]:
    values = [np.asarray(matrix, dtype=np.float64) for matrix in matrices]
    if not values:
        raise OntogenyError("no moment was given to map: give at least one matrix")
    n = len(values[0])
    for index, matrix in enumerate(values):
        if matrix.ndim != 2 or len(matrix) != n:
            raise OntogenyError(
                f"moment {index} has shape {matrix.shape}: the same {n} samples, by features, are expected each time"
            )
        note = _unfit(matrix)
        if note:
            raise OntogenyError(f"moment {index} cannot be mapped: {note}")
    if not neighbours > 1:
        raise OntogenyError(f"neighbours is {neighbours}: a number above 1 is expected")
    least = int(3 * neighbours) + 2 if method == "tsne" else int(neighbours) + 2
    if n < least:
        what = "perplexity" if method == "tsne" else "neighbours"
        raise OntogenyError(
            f"{n} samples are too few for {what} {neighbours:g}: give {least} samples, or fewer neighbours"
        )
    if method == "umap" and len(values) < 2:
        raise OntogenyError("one moment was given: aligned maps by umap want two or more")
    return values


def _unfit(matrix: np.ndarray) -> str:
    if not np.isfinite(matrix).all():
        return "its activations are not all finite"
    spread = np.ptp(matrix, axis=0).max(initial=0.0)
    return "" if spread > 1e-12 * max(np.abs(matrix).max(initial=0.0), 1e-300) else "all samples are alike"


def _reduced(values: list[np.ndarray], components: int) -> tuple[list[np.ndarray], np.ndarray]:
    found = [pca([matrix], components) for matrix in values]
    return [one.projections[0] for one in found], np.array([one.cumulative[-1] for one in found])


def _common_start(values: list[np.ndarray]) -> np.ndarray:
    """(moments, samples, 2): first two principal components of all moments, each moment centred and of one scale."""
    scaled = [centred / np.sqrt((centred**2).mean()) for centred in (matrix - matrix.mean(axis=0) for matrix in values)]
    shared = pca(scaled, 2) if len({matrix.shape[1] for matrix in scaled}) == 1 else None
    if shared is None:
        raise OntogenyError("the moments differ in their number of features: map one layer at a time")
    places = np.zeros((len(values), len(values[0]), 2))
    for index, rows in enumerate(shared.projections):
        places[index, :, : rows.shape[1]] = rows
    return places / max(places[..., 0].std(), 1e-300)


def _fit_tsne(
    reduced: list[np.ndarray], start: np.ndarray, perplexity: float, coupling: float, iterations: int, seed: int
) -> np.ndarray:
    try:
        from openTSNE.affinity import PerplexityBasedNN
        from openTSNE.tsne import gradient_descent, kl_divergence_bh
    except ImportError:
        raise OntogenyError("maps by t-SNE need openTSNE: install it with pip install 'ontogeny[manifold]'") from None
    from scipy.sparse import block_diag

    moments, n, _ = start.shape
    near = [
        PerplexityBasedNN(rows, perplexity, method="exact", n_jobs=1, random_state=seed).P.tocsr() for rows in reduced
    ]
    joint = block_diag(near, format="csr")
    ends = np.concatenate([[0], np.cumsum([block.nnz for block in near])])

    def objective(
        embedding: np.ndarray, affinities: Any, dof: Any, bh_params: Any, n_jobs: int, should_eval_error: bool, **_: Any
    ) -> tuple[float, np.ndarray]:
        places = embedding.reshape(moments, n, 2)
        gradient = np.empty_like(places)
        error = 0.0
        for t in range(moments):
            block = near[t]
            block.data = affinities.data[ends[t] : ends[t + 1]]
            here = np.ascontiguousarray(places[t])
            value, gradient[t] = kl_divergence_bh(here, block, dof, bh_params, None, should_eval_error, n_jobs)
            error += value
        pull = coupling / (4 * n) * np.diff(places, axis=0)  # openTSNE's gradient is a quarter of the derivative
        gradient[:-1] -= pull
        gradient[1:] += pull
        return error, gradient.reshape(-1, 2)

    embedding = np.ascontiguousarray(1e-2 * start.reshape(-1, 2))
    descent = gradient_descent()
    shared = {"objective_function": objective, "n_jobs": 1, "theta": 0.5}
    for steps, exaggeration, momentum in ((_EARLY, _EXAGGERATION, 0.5), (iterations, 1.0, 0.8)):
        _, embedding = descent(
            embedding,
            joint,
            steps,
            learning_rate=n / exaggeration,
            exaggeration=exaggeration,
            momentum=momentum,
            **shared,
        )
    return np.asarray(embedding, dtype=np.float64).reshape(moments, n, 2)


def _fit_umap(
    reduced: list[np.ndarray], start: np.ndarray, neighbours: float, coupling: float, iterations: int, seed: int
) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import umap
    except ImportError:
        raise OntogenyError("maps by UMAP need umap-learn: install it with pip install 'ontogeny[manifold]'") from None
    n = len(reduced[0])
    same = [{index: index for index in range(n)}] * (len(reduced) - 1)
    width = max(rows.shape[1] for rows in reduced)
    padded = [np.pad(rows, ((0, 0), (0, width - rows.shape[1]))) for rows in reduced]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = umap.AlignedUMAP(
            n_neighbors=int(neighbours), alignment_regularisation=coupling, n_epochs=iterations, random_state=seed
        )
        found = model.fit(padded, relations=same).embeddings_
    return np.stack([np.asarray(one, dtype=np.float64) for one in found])


def _ranks(values: np.ndarray) -> np.ndarray:
    """(n, n): the place of each sample among the neighbours of each, itself 0."""
    squares = (values**2).sum(axis=1)
    distance = squares[:, None] + squares[None] - 2 * values @ values.T
    np.fill_diagonal(distance, -np.inf)
    order = np.argsort(distance, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(len(values))[None], axis=1)
    return ranks


def _kept(outer: np.ndarray, inner: np.ndarray, k: int) -> float:
    """1 minus the normalised sum of `outer` ranks beyond k, over the k nearest by `inner`."""
    n = len(outer)
    beyond = np.where((inner > 0) & (inner <= k), np.maximum(outer - k, 0), 0).sum()
    return float(1 - 2 * beyond / (n * k * (2 * n - 3 * k - 1)))
