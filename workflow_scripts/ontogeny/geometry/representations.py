"""The representations of a whole run compared: every layer at its most telling moments, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.activations.store import ActivationFile
from ontogeny.errors import OntogenyError
from ontogeny.geometry.collapse import dimensional_collapse, effective_rank, neural_collapse
from ontogeny.geometry.components import pca
from ontogeny.geometry.dimension import two_nn
from ontogeny.geometry.probes import compare_probes, linear_probe
from ontogeny.geometry.settings import GeometrySettings
from ontogeny.geometry.similarity import (
    AXES,
    cka_of_grams,
    gram,
    overlap_of_pca,
    procrustes_of_scores,
    unit_norm,
)
from ontogeny.jumps.plan import Moment
from ontogeny.progress import Progress
from ontogeny.statistics import adjust

_COLLAPSE = ["layer", "step", "moment", "nc1", "nc1_low", "nc1_high", "nc2_norm", "nc2_angle", "nc3", "nc4"]


def chosen_moments(moments: Iterable[Moment], most: int) -> dict[int, str]:
    """Steps to compare and the kind of moment at each: start and end, then the strongest jumps, the user's, controls.

    At most `most` steps, in order. Raises OntogenyError for fewer than 2.
    """
    if most < 2:
        raise OntogenyError(f"{most} moments: at least 2 are compared, the start and the end")
    rank = {"start": 0, "end": 1, "jump": 2, "transition": 2, "user": 3, "control": 4}
    steps: dict[int, str] = {}
    for moment in sorted(moments, key=lambda m: (rank[m.kind], m.rank)):
        if moment.step not in steps and len(steps) < most:
            steps[moment.step] = moment.kind
    return dict(sorted(steps.items()))


def representations_of_run(
    activations: ActivationFile,
    moments: Iterable[Moment],
    settings: GeometrySettings | None = None,
) -> dict[str, pd.DataFrame]:
    """Similarity, subspaces, dimension, probes and collapse of a run's layers at its chosen moments, as tables.

    - similarity: scope ("moments": one layer at two; "layers": two layers at one), layer_a, step_a, layer_b, step_b,
      debiased CKA and shape distance with intervals, cka_shuffled (samples of one of them shuffled).
    - subspaces: layer, step_a, step_b, the overlap of the first k principal subspaces, and of random ones.
    - dimension: layer, step, TwoNN with its interval, two_nn_shuffled (each feature shuffled over samples, which
      leaves no manifold), effective rank, and how many components there are and can be.
    - probes: layer, step, accuracy of a linear probe, of one with shuffled labels, of the untrained network's, with
      p-values against chance and against the untrained network, corrected over all layers and moments (Holm).
    - collapse: step, NC1 to NC4 of what the last layer reads, with shuffled labels too.

    Positions are flattened into features; at most `most_samples` of the probe's samples are used, drawn at random, and
    no more than fit into memory (`ActivationFile.fitting`).
    """
    settings = settings or GeometrySettings()
    chosen, seed = settings.representations, settings.seed
    steps = chosen_moments(moments, chosen.most_moments)
    labels = activations.labels
    generator = np.random.default_rng(seed)
    fitting = min((activations.fitting(layer) for layer in activations.layers), key=len)
    rows = np.sort(generator.permutation(fitting)[: chosen.most_samples])
    mixed = generator.permutation(len(rows))
    labels = labels[rows]
    layers = list(activations.layers)
    probed = _countable(labels, chosen.folds)
    progress = Progress(len(layers) * len(steps), f"representations of {activations.run}")
    similarity, subspaces, dimension, probes = [], [], [], []
    grams: dict[tuple[str, int], Any] = {}
    shapes: dict[tuple[str, int], np.ndarray] = {}
    for layer in layers:
        bases = {}
        start: np.ndarray | None = None
        for step, kind in steps.items():
            matrix = activations.matrix(step, layer, rows)
            place = {"layer": layer, "step": step, "moment": kind}
            grams[layer, step] = gram(matrix)
            bases[step] = pca(matrix, min(AXES, *matrix.shape))
            shapes[layer, step] = unit_norm(bases[step].projections[0])
            dimension.append(place | _dimension(matrix, bases[step], generator))
            if probed:
                found = asdict(linear_probe(matrix, labels, chosen.folds, seed=seed))
                correct = found.pop("correct")
                start = correct if kind == "start" else start
                against = np.nan if start is None or kind == "start" else compare_probes(start, correct)
                probes.append(place | found | {"untrained": np.nan if start is None else start.mean()})
                probes[-1] |= {"p_untrained": against}
            progress.update(len(dimension), f"{layer}, step {step}")
        for one, two in combinations(steps, 2):
            similarity.append(_pair("moments", (layer, one), (layer, two), grams, shapes, mixed))
            overlap = overlap_of_pca(bases[one], bases[two], chosen.k, seed=seed)
            subspaces.append({"layer": layer, "step_a": one, "step_b": two, "k": chosen.k} | asdict(overlap))
    for step in steps:
        for first, second in combinations(layers, 2):
            similarity.append(_pair("layers", (first, step), (second, step), grams, shapes, mixed))
    return {
        "similarity": pd.DataFrame(similarity),
        "subspaces": _adjusted(pd.DataFrame(subspaces), "p_value"),
        "dimension": pd.DataFrame(dimension),
        "probes": _adjusted(
            _adjusted(pd.DataFrame(probes, columns=None if probes else _PROBES), *_TESTS[:1]), *_TESTS[1:]
        ),
        "collapse": _collapse(activations, steps, rows, labels, mixed, seed),
    }


_TESTS = ("p_value", "p_untrained")
_PROBES = [
    "layer",
    "step",
    "moment",
    "accuracy",
    "low",
    "high",
    "shuffled",
    "shuffled_low",
    "shuffled_high",
    "majority",
]
_PROBES += ["p_value", "untrained", "p_untrained"]


def _countable(labels: np.ndarray, folds: int) -> bool:
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        return False
    counts = np.unique(labels, return_counts=True)[1]
    return len(counts) > 1 and int(counts.min()) >= folds


def _pair(
    scope: str, a: tuple[str, int], b: tuple[str, int], grams: dict, shapes: dict, mixed: np.ndarray
) -> dict[str, Any]:
    found, turned = cka_of_grams(grams[a], grams[b]), procrustes_of_scores(shapes[a], shapes[b])
    place = {"scope": scope, "layer_a": a[0], "step_a": a[1], "layer_b": b[0], "step_b": b[1]}
    return (
        place
        | {"cka": found.value, "cka_low": found.low, "cka_high": found.high}
        | {"cka_shuffled": cka_of_grams(grams[a], grams[b].shuffled(mixed)).value}
        | {"angle": turned.value, "angle_low": turned.low, "angle_high": turned.high}
    )


def _dimension(matrix: np.ndarray, basis: Any, generator: np.random.Generator) -> dict[str, Any]:
    found = two_nn(matrix)
    independent = generator.permuted(matrix, axis=0)
    return {
        "two_nn": found.value,
        "two_nn_low": found.low,
        "two_nn_high": found.high,
        "points": found.points,
        "duplicates": found.duplicates,
        "two_nn_shuffled": two_nn(independent).value,
        "effective_rank": effective_rank(matrix),
        "components": basis.n_components,
        "most_components": min(len(matrix) - 1, matrix.shape[1]),
        "variance_in_components": float(basis.cumulative[-1]) if basis.n_components else np.nan,
    }


def _adjusted(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """`table` with a column of p-values corrected after Holm beside `column`; missing ones stay missing."""
    adjusted = adjust(table[column]).p_values if len(table) else np.empty(0)
    name = "p_adjusted" if column == "p_value" else f"{column}_adjusted"
    table = table.copy()
    table.insert(table.columns.get_loc(column) + 1, name, adjusted)
    return table


def _collapse(
    activations: ActivationFile,
    steps: dict[int, str],
    rows: np.ndarray,
    labels: np.ndarray,
    mixed: np.ndarray,
    seed: int,
) -> pd.DataFrame:
    found: list[dict[str, Any]] = []
    last: Sequence[str] = list(activations.layers)[-1:]
    for step, kind in steps.items():
        readout = activations.readout(step)
        if readout is None or not _countable(labels, 2):
            continue
        features, weight, bias = readout
        features = features[rows]
        measured = asdict(neural_collapse(features, labels, weight, bias, seed=seed))
        control = neural_collapse(features, labels[mixed], n_resamples=1)
        found.append(
            {"layer": f"input of {last[0]}", "step": step, "moment": kind}
            | measured
            | {"nc1_shuffled": control.nc1, "nc2_angle_shuffled": control.nc2_angle}
            | {"effective_rank": effective_rank(features), "collapsed": dimensional_collapse(features, labels)}
        )
    return pd.DataFrame(found) if found else pd.DataFrame(columns=_COLLAPSE)
