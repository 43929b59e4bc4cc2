"""The geometry of a whole run: the same analysis for every layer of its captured activations, as tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ontogeny.activations.store import ActivationFile
from ontogeny.geometry.clusters import Clustering, agreement, cluster, forced_agreement, silhouettes
from ontogeny.geometry.components import pca, projection_table, variance_table
from ontogeny.geometry.settings import GeometrySettings
from ontogeny.progress import Progress

SHOWN = 3
"""Components whose projections are kept in the table."""


def pca_of_run(
    activations: ActivationFile, settings: GeometrySettings | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """PCA of every layer over all captured steps.

    Returns the explained variance (layer, component, ratio with its interval, cumulative, requested, samples, ...) and
    the projections of every probe sample at every step on the first three components (layer, step, sample, label, PC1,
    ...). A layer with fewer components than asked for shows as many as it has, and one whose activations do not fit
    into memory as many samples as do (`ActivationFile.fitting`).
    """
    settings = settings or GeometrySettings()
    variance, projections = [], []
    labels = activations.labels
    progress = Progress(len(activations.layers), f"PCA of {activations.run}")
    for done, layer in enumerate(activations.layers, start=1):
        rows = activations.fitting(layer, len(activations.steps))
        result = pca([activations.matrix(step, layer, rows) for step in activations.steps], settings.components)
        shares = variance_table(result, seed=settings.seed).assign(requested=settings.components, samples=len(rows))
        places = projection_table(result, activations.steps, labels[rows])
        places["sample"] = np.tile(rows, len(activations.steps))
        shown = [name for name in places if not name.startswith("PC") or int(name[2:]) <= SHOWN]
        variance.append(_with_layer(shares, layer))
        projections.append(_with_layer(places[shown], layer))
        progress.update(done, layer)
    return pd.concat(variance, ignore_index=True), pd.concat(projections, ignore_index=True)


def clusters_of_run(
    activations: ActivationFile, settings: GeometrySettings | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """K-means clusters of every layer over all captured steps, as many as are stable.

    Returns the choice (one row per layer: n_clusters, or none; the reason; agreement with labels and with steps, each
    with interval and p-value; agreement with shuffled labels, and that of as many clusters of the first step alone,
    the untrained network, and of the last step alone; silhouettes of clusters and labels; samples, as in `pca_of_run`),
    the clusters by step (layer, step, cluster, count, share, low, high), and the assignments (layer, step, sample,
    label, cluster).
    """
    settings = settings or GeometrySettings()
    seed = settings.seed
    labels, steps = activations.labels, activations.steps
    choice, by_step, assigned = [], [], []
    progress = Progress(len(activations.layers), f"clusters of {activations.run}")
    for done, layer in enumerate(activations.layers, start=1):
        rows = activations.fitting(layer, len(steps))
        places = pd.DataFrame(
            {
                "step": np.repeat(steps, len(rows)),
                "sample": np.tile(rows, len(steps)),
                "label": np.tile(labels[rows], len(steps)),
            }
        )
        matrix = np.concatenate([activations.matrix(step, layer, rows) for step in steps])
        found = cluster(
            matrix, places["step"], settings.clusters, seed, labels=places["label"], samples=places["sample"]
        )
        controls = _controls(found, matrix, places, len(rows), seed)
        choice.append({"layer": layer, **_choice(found), **controls, "samples": len(rows)})
        if found.assignments is not None:
            by_step.append(_with_layer(found.table, layer))
            assigned.append(_with_layer(places.assign(cluster=found.assignments), layer))
        progress.update(done, layer)
    no_clusters = pd.DataFrame(columns=["layer", "step", "cluster", "count", "share", "low", "high"])
    no_rows = pd.DataFrame(columns=["layer", "step", "sample", "label", "cluster"])
    return (
        pd.DataFrame(choice),
        pd.concat(by_step, ignore_index=True) if by_step else no_clusters,
        pd.concat(assigned, ignore_index=True) if assigned else no_rows,
    )


def _choice(found: Clustering) -> dict[str, object]:
    row: dict[str, object] = {"n_clusters": found.n_clusters or 0, "p_value": found.p_value, "reason": found.reason}
    for name, index in (("labels", found.label_agreement), ("steps", found.step_agreement)):
        for key in ("ari", "low", "high", "p_value"):
            row[f"{name}_{key}"] = getattr(index, key) if index is not None else np.nan
    return row


def _controls(found: Clustering, matrix: np.ndarray, places: pd.DataFrame, count: int, seed: int) -> dict[str, float]:
    names = (
        *("shuffled_ari", "untrained_ari", "untrained_low", "untrained_high", "end_ari", "end_low", "end_high"),
        *("silhouette", "labels_silhouette"),
    )
    if found.assignments is None or found.n_clusters is None:
        return dict.fromkeys(names, np.nan)
    labels = places["label"].to_numpy()
    mixed = np.tile(np.random.default_rng(seed).permutation(labels[:count]), len(labels) // count)
    first = forced_agreement(matrix[:count], labels[:count], found.n_clusters, seed)
    last = forced_agreement(matrix[-count:], labels[-count:], found.n_clusters, seed)
    apart = silhouettes(matrix, found.assignments, labels, seed=seed)
    shuffled = agreement(found.assignments, mixed, n_resamples=1).ari
    ends = (first.ari, first.low, first.high, last.ari, last.low, last.high)
    return dict(zip(names, (shuffled, *ends, apart.clusters, apart.labels), strict=True))


def _with_layer(table: pd.DataFrame, layer: str) -> pd.DataFrame:
    table = table.copy()
    table.insert(0, "layer", layer)
    return table
