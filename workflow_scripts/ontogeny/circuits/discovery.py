"""Ground truth for circuit discovery: what methods return, held against all circuits, which only here are known.

A method scores the edges of the whole network; keeping the best of them, one more at a time, gives a nested family of
subnetworks, of which the first that is a perfect circuit is what the method returns. ACDC-style pruning decides edge by
edge instead. Scores are those of the published methods, in the smooth loss (output - target)^2 over the rows:

- magnitude: |w|.
- gradient: |w dL/dw|, the first-order effect of zeroing an edge.
- attribution: edge attribution patching, |E[(a - a') w dL/dz]| with a' the activation on the mean input (Syed et al.,
  arXiv 2310.10348); integrated: the same with dL/dz averaged over inputs from the mean input to each row (EAP-IG,
  Hanna et al., arXiv 2403.17806).
- acdc: edges are removed one by one, from the output backwards, as long as the outputs stay right (Conmy et al., arXiv
  2304.14997, with "stay perfect" as the threshold).
- chance: edges in random order, the control.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ontogeny.circuits.enumeration import check_weights, enumerate_circuits
from ontogeny.circuits.masks import CircuitSet, Layout
from ontogeny.circuits.overlap import minimal_circuits
from ontogeny.circuits.settings import DEFAULTS, CircuitSettings
from ontogeny.errors import OntogenyError, unknown
from ontogeny.statistics import proportion_interval

Arrays = list[NDArray[np.float64]]

STEPS = 20
"""Points of the path that integrated gradients are averaged over."""


def _derivative(activation: str, z: NDArray[np.float64], a: NDArray[np.float64]) -> NDArray[np.float64]:
    if activation == "leaky_relu":
        return np.where(z > 0, 1.0, 0.01)
    if activation == "relu":
        return (z > 0).astype(np.float64)
    if activation == "tanh":
        return 1 - a * a
    if activation == "sigmoid":
        return a * (1 - a)
    raise unknown("activation", activation, ["leaky_relu", "relu", "tanh", "sigmoid"])


def _passes(
    weights: Arrays, biases: Arrays, x: NDArray[np.float64], y: NDArray[np.float64], activation: str
) -> tuple[Arrays, Arrays]:
    """Activations (rows, neurons) before each layer, and dL/dz (rows, neurons) of each layer's sums."""
    from ontogeny.circuits._plain import activate
    from ontogeny.circuits.enumeration import ACTIVATIONS

    before, sums = [x], []
    for layer, (w, b) in enumerate(zip(weights, biases)):
        sums.append(before[-1] @ w.T + b)
        if layer < len(weights) - 1:
            before.append(activate(sums[-1], ACTIVATIONS.index(activation), 0.01))
    slopes = [2 * (sums[-1] - y)]
    for layer in range(len(weights) - 2, -1, -1):
        slopes.append((slopes[-1] @ weights[layer + 1]) * _derivative(activation, sums[layer], before[layer + 1]))
    return before, slopes[::-1]


def edge_scores(
    method: str,
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    activation: str = "leaky_relu",
    seed: int = 0,
) -> Arrays:
    """Scores (out, in) of the edges of each layer, larger for edges to keep; methods are those of this module but acdc.

    Arguments as in `enumerate_circuits`. Raises OntogenyError for an unknown method.
    """
    ws = [np.asarray(w, np.float64) for w in weights]
    bs = [np.asarray(b, np.float64) for b in biases]
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64).reshape(-1, 1)
    if method == "magnitude":
        return [np.abs(w) for w in ws]
    if method == "chance":
        rng = np.random.default_rng(seed)
        return [rng.random(w.shape) for w in ws]
    if method not in ("gradient", "attribution", "integrated"):
        raise unknown("method", method, [*SCORED, "acdc"])
    if method == "gradient":
        before, slopes = _passes(ws, bs, xs, ys, activation)
        return [np.abs(w * (s.T @ a) / len(xs)) for w, s, a in zip(ws, slopes, before)]
    before, _ = _passes(ws, bs, xs, ys, activation)
    mean = np.broadcast_to(xs.mean(axis=0), xs.shape)
    base, _ = _passes(ws, bs, mean, ys, activation)
    scales = [1.0] if method == "attribution" else (np.arange(STEPS) + 0.5) / STEPS
    totals = [np.zeros((len(xs), w.shape[0])) for w in ws]
    for scale in scales:
        for total, slope in zip(totals, _passes(ws, bs, mean + scale * (xs - mean), ys, activation)[1]):
            total += slope / len(scales)
    return [np.abs(w * (s.T @ (a - b)) / len(xs)) for w, s, a, b in zip(ws, totals, before, base)]


SCORED = ("magnitude", "gradient", "attribution", "integrated", "chance")
METHODS = (*SCORED[:-1], "acdc", "chance")
"""Methods of circuit discovery that are held against the truth."""


def trimmed(masks: Sequence[NDArray[Any]]) -> list[NDArray[np.uint8]] | None:
    """Edge masks without edges that lead from or to nowhere, or None if nothing is left or an input is unused.

    Edges of the last layer follow from the neurons that are on, as in every circuit.
    """
    edges: list[NDArray[np.bool_]] = [np.array(mask, bool) for mask in masks]
    for _ in range(len(edges) + 1):
        for layer in range(1, len(edges)):
            edges[layer] &= edges[layer - 1].max(axis=1)[None, :]
        for layer in range(len(edges) - 2, -1, -1):
            edges[layer] &= edges[layer + 1].max(axis=0)[:, None]
    if not edges[-1].any() or not edges[0].any(axis=0).all():
        return None
    return [edge.astype(np.uint8) for edge in edges]


def discover(
    method: str,
    circuits: CircuitSet,
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    activation: str = "leaky_relu",
    seed: int = 0,
) -> int | None:
    """The circuit, as its code, that a method returns for a network whose circuits are `circuits`; None for none."""
    layout = circuits.layout
    known = np.sort(circuits.codes)

    def code_of(masks: Sequence[NDArray[Any]]) -> int | None:
        kept = trimmed(masks)
        if kept is None:
            return None
        code = layout.encode([mask[None] for mask in kept[:-1]])[0]
        at = np.searchsorted(known, code)
        return int(code) if at < len(known) and known[at] == code else None

    matrices, _, _ = check_weights(weights, biases)
    if method == "acdc":
        masks = [np.ones_like(w, np.uint8) for w in matrices]
        found = code_of(masks)
        if found is None:
            return None
        for layer in range(len(masks) - 1, -1, -1):
            for place in np.ndindex(masks[layer].shape):
                masks[layer][place] = 0
                without = code_of(masks)
                if without is None:
                    masks[layer][place] = 1
                else:
                    found = without
        return found
    scores = edge_scores(method, weights, biases, x, y, activation, seed)
    flat = np.concatenate([score.ravel() for score in scores])
    order = np.argsort(-flat, kind="stable")
    kept = np.zeros(len(flat), np.uint8)
    cuts = np.cumsum([score.size for score in scores])[:-1]
    for edge in order:
        kept[edge] = 1
        parts = [part.reshape(score.shape) for part, score in zip(np.split(kept, cuts), scores)]
        found = code_of(parts)
        if found is not None:
            return found
    return None


def score_discovery(
    ensemble: Any,
    settings: CircuitSettings = DEFAULTS,
    methods: Sequence[str] = METHODS,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """What each method returns for every seed and enumerated epoch of an ensemble with one output.

    Columns: seed, epoch, method, circuits (how many there are), minimal (how many contain no other), found (whether the
    method returns a circuit), is_minimal (whether that contains no other), edges (of it), fewest (edges of the smallest
    circuit). Epochs without a circuit are left out. Raises OntogenyError for a network of several outputs.
    """
    from ontogeny.circuits.tracking import schedule

    if ensemble.settings.sizes[-1] != 1:
        raise OntogenyError("circuit discovery is scored on networks with one output")
    rows = []
    for done, seed in enumerate(map(int, ensemble.seeds), start=1):
        data, span = ensemble.data(seed).validation, ensemble.rows(seed)
        for epoch in schedule(span.stop - span.start - 1, settings.convergence_frequency):
            weights, biases = ensemble.network(seed, epoch)
            circuits = enumerate_circuits(
                weights,
                biases,
                data.x,
                data.y,
                settings.candidates,
                settings.accuracy_threshold,
                ensemble.settings.activation,
                settings.min_sparsity,
            )
            if not len(circuits):
                continue
            minimal = set(minimal_circuits(circuits).codes.tolist())
            sizes = circuits.layout.counts(circuits.codes)[1]
            for method in methods:
                code = discover(method, circuits, weights, biases, data.x, data.y, ensemble.settings.activation, seed)
                edges = _edges(code, circuits.layout)
                rows.append(
                    (seed, epoch, method, len(circuits), len(minimal), code is not None, code in minimal, edges,
                     int(sizes.min()))
                )  # fmt: skip
        if progress is not None:
            progress(done, len(ensemble.seeds))
    columns = ["seed", "epoch", "method", "circuits", "minimal", "found", "is_minimal", "edges", "fewest"]
    return pd.DataFrame(rows, columns=columns)


def _edges(code: int | None, layout: Layout) -> float:
    return float("nan") if code is None else float(layout.counts(np.array([code], np.uint64))[1][0])


def discovery_table(scores: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """One row per method, at the last enumerated epoch of each seed: how often it returns a circuit, a minimal one.

    Columns: method, networks, found and is_minimal with their Wilson intervals (found_low, ...), edges and fewest
    (means), circuits (mean: it is one of so many).
    """
    last = scores[scores.epoch == scores.groupby("seed").epoch.transform("max")]
    rows = []
    for method, group in last.groupby("method", sort=False):
        row: dict[str, Any] = {"method": method, "networks": len(group)}
        for what in ("found", "is_minimal"):
            low, high = proportion_interval(int(group[what].sum()), len(group), confidence)
            row |= {what: group[what].mean(), f"{what}_low": float(low), f"{what}_high": float(high)}
        row |= {key: group[key].mean() for key in ("edges", "fewest", "circuits")}
        rows.append(row)
    return pd.DataFrame(rows)
