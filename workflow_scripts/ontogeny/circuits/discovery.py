"""Ground truth for circuit discovery: what methods return, held against all circuits, which only here are known.

A method scores the edges of the whole network; keeping the best of them, adding one at a time, gives a nested family of
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
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, ndtr

from ontogeny.circuits._plain import activate_by_name
from ontogeny.circuits.enumeration import check_weights, enumerate_circuits
from ontogeny.circuits.masks import CircuitSet, Layout, max_active_neurons
from ontogeny.circuits.overlap import minimal_circuits
from ontogeny.circuits.settings import DEFAULTS, GivenSettings, complete_settings
from ontogeny.errors import OntogenyError, check_word, unknown
from ontogeny.statistics import bootstrap_interval, proportion_interval

Arrays = list[NDArray[np.float64]]

STEPS = 20
"""Points of the path that integrated gradients are averaged over."""


_SLOPES: dict[str, Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]] = {
    "leaky_relu": lambda z, a: np.where(z > 0, 1.0, 0.01),
    "relu": lambda z, a: np.where(z > 0, 1.0, 0.0),
    "tanh": lambda z, a: 1 - a * a,
    "sigmoid": lambda z, a: a * (1 - a),
    "identity": lambda z, a: np.ones_like(z),
    "elu": lambda z, a: np.where(z > 0, 1.0, a + 1),
    "gelu": lambda z, a: ndtr(z) + z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi),
    "silu": lambda z, a: expit(z) * (1 + z - a),
    "softplus": lambda z, a: expit(z),
}
"""Derivatives of activations at sums z, of which they are a."""


def _passes(
    weights: Arrays, biases: Arrays, x: NDArray[np.float64], y: NDArray[np.float64], activation: str
) -> tuple[Arrays, Arrays]:
    """Activations (rows, neurons) before each layer, and dL/dz (rows, neurons) of each layer's sums."""
    before, sums = [x], []
    for layer, (w, b) in enumerate(zip(weights, biases)):
        sums.append(before[-1] @ w.T + b)
        if layer < len(weights) - 1:
            before.append(activate_by_name(sums[-1], activation))
    slopes = [2 * (sums[-1] - y)]
    for layer in range(len(weights) - 2, -1, -1):
        slopes.append((slopes[-1] @ weights[layer + 1]) * _SLOPES[activation](sums[layer], before[layer + 1]))
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

    Arguments as in `enumerate_circuits`. Raises OntogenyError for an unknown method or activation.
    """
    check_word(activation, "activation", _SLOPES)
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


def trimmed(masks: Sequence[NDArray[Any]]) -> tuple[list[NDArray[np.uint8]], NDArray[np.bool_]]:
    """Masks without edges that lead from or to nowhere, and whether the rest, (n,), uses all inputs and the output.

    masks[l] (n, out, in): n subnetworks. Edges of the last layer follow from the neurons that are on, as in every
    circuit.
    """
    edges = [np.array(mask, np.uint8) for mask in masks]
    for _ in range(len(edges)):
        for below, above in pairwise(edges):
            above &= below.max(axis=2)[:, None, :]
        for below, above in reversed([*pairwise(edges)]):
            below &= above.max(axis=1)[:, :, None]
    used = edges[0].max(axis=1).min(axis=1) & edges[-1].max(axis=(1, 2))
    return edges, used > 0


def discover(
    method: str,
    circuits: CircuitSet,
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    activation: str = "leaky_relu",
    seed: int = 0,
    perfect: CircuitSet | None = None,
) -> int | None:
    """The circuit, as its code, that a method returns for a network whose circuits are `circuits`; None for none.

    perfect: all perfect circuits, through which pruning may pass, where `circuits` leaves some of them out.
    """
    layout = circuits.layout
    known, passed = (np.sort(some.codes) for some in (circuits, circuits if perfect is None else perfect))

    def among(
        sought: NDArray[np.uint64], masks: Sequence[NDArray[Any]]
    ) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        kept, whole = trimmed(masks)
        codes = layout.encode(kept[:-1])
        at = np.minimum(np.searchsorted(sought, codes), len(sought) - 1)
        return codes, whole & (sought[at] == codes) if len(sought) else np.zeros(len(codes), bool)

    matrices, _, _ = check_weights(weights, biases)
    if method == "acdc":
        masks = [np.ones((1, *w.shape), np.uint8) for w in matrices]
        codes, good = among(passed, masks)
        if not good[0]:
            return None
        for layer in range(len(masks) - 1, -1, -1):
            for place in np.ndindex(masks[layer].shape):
                masks[layer][place] = 0
                without, good = among(passed, masks)
                if good[0]:
                    codes = without
                else:
                    masks[layer][place] = 1
        return int(codes[0]) if codes[0] in known else None
    scores = edge_scores(method, weights, biases, x, y, activation, seed)
    rank = np.argsort(np.argsort(-np.concatenate([score.ravel() for score in scores]), kind="stable"))
    kept = rank[None, :] <= np.arange(len(rank))[:, None]  # the best edge, the best two, ...
    cuts = np.cumsum([score.size for score in scores])[:-1]
    parts = [part.reshape(-1, *score.shape) for part, score in zip(np.split(kept, cuts, axis=1), scores)]
    codes, good = among(known, parts)
    return int(codes[good.argmax()]) if good.any() else None


def score_discovery(
    ensemble: Any,
    settings: GivenSettings = DEFAULTS,
    methods: Sequence[str] = METHODS,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """What each method returns for every seed and enumerated epoch of an ensemble with one output.

    Columns: seed, epoch, method, circuits (how many there are), minimal (how many contain no other), found (whether the
    method returns a circuit), is_minimal (whether that contains no other), edges (of it), fewest (edges of the smallest
    circuit), last (whether it is the seed's last epoch). Epochs without a circuit are left out.

    Raises OntogenyError for a network of several outputs.
    """
    settings = complete_settings(settings)
    from ontogeny.circuits.tracking import schedule

    if ensemble.settings.sizes[-1] != 1:
        raise OntogenyError("circuit discovery is scored on networks with one output")
    rows = []
    for done, seed in enumerate(map(int, ensemble.seeds), start=1):
        data, span = ensemble.data(seed).validation, ensemble.rows(seed)
        activation = ensemble.settings.activation
        epochs = schedule(span.stop - span.start - 1, settings.convergence_frequency)
        for epoch in epochs:
            weights, biases = ensemble.network(seed, epoch)
            perfect = enumerate_circuits(
                weights,
                biases,
                data.x,
                data.y,
                accuracy_threshold=settings.accuracy_threshold,
                activation=activation,
            )
            layout = perfect.layout
            most = max_active_neurons(layout.n_hidden, settings.candidates, settings.min_sparsity)
            circuits = CircuitSet(perfect.codes[layout.counts(perfect.codes)[0] <= most], layout)
            if not len(circuits):
                continue
            minimal = set(minimal_circuits(circuits).codes.tolist())
            sizes = layout.counts(circuits.codes)[1]
            for method in methods:
                code = discover(
                    method, circuits, weights, biases, data.x, data.y, ensemble.settings.activation, seed, perfect
                )
                edges = _edges(code, layout)
                rows.append(
                    (seed, epoch, method, len(circuits), len(minimal), code is not None, code in minimal, edges,
                     int(sizes.min()), epoch == epochs[-1])
                )  # fmt: skip
        if progress is not None:
            progress(done, len(ensemble.seeds))
    columns = ["seed", "epoch", "method", "circuits", "minimal", "found", "is_minimal", "edges", "fewest", "last"]
    return pd.DataFrame(rows, columns=columns)


def _edges(code: int | None, layout: Layout) -> float:
    return float("nan") if code is None else float(layout.counts(np.array([code], np.uint64))[1][0])


def discovery_table(scores: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """One row per method, over seeds with a circuit at their last epoch: how often it returns one there, a minimal one.

    Columns: method, networks, found and is_minimal with their Wilson intervals (found_low, ...), edges and fewest
    (means), circuits and minimal (means: it is one of so many).
    """
    rows = []
    for method, group in scores[scores["last"]].groupby("method", sort=False):
        row: dict[str, Any] = {"method": method, "networks": len(group)}
        for what in ("found", "is_minimal"):
            low, high = proportion_interval(int(group[what].sum()), len(group), confidence)
            row |= {what: group[what].mean(), f"{what}_low": float(low), f"{what}_high": float(high)}
        row |= {key: group[key].mean() for key in ("edges", "fewest", "circuits", "minimal")}
        rows.append(row)
    return pd.DataFrame(rows)


def discovery_by_progress(
    scores: pd.DataFrame, bins: int = 8, confidence: float = 0.95, n_resamples: int = 2000
) -> pd.DataFrame:
    """How often each method returns a minimal circuit, from the first epoch with a circuit (0) to the last (1).

    Columns: method, progress (middle of a bin), networks, is_minimal (mean over networks of the share of their epochs
    in the bin) with its bootstrap interval over networks, circuits and minimal (means). Networks with one epoch only
    are left out.
    """
    first, last = (scores.groupby("seed").epoch.transform(end) for end in ("min", "max"))
    moving = scores[last > first]
    share = (moving.epoch - first[moving.index]) / (last - first)[moving.index]
    place = np.minimum((share * bins).astype(int), bins - 1)
    means = moving.groupby(["method", place.rename("bin"), "seed"], sort=False)[
        ["is_minimal", "circuits", "minimal"]
    ].mean()
    rows = []
    for (method, at), group in means.groupby(level=["method", "bin"], sort=False):
        low, high = bootstrap_interval(group.is_minimal, confidence=confidence, n_resamples=n_resamples)
        rows.append(
            {"method": method, "progress": (at + 0.5) / bins, "networks": len(group)}
            | {"is_minimal": group.is_minimal.mean(), "is_minimal_low": low, "is_minimal_high": high}
            | {key: group[key].mean() for key in ("circuits", "minimal")}
        )
    return pd.DataFrame(rows).sort_values(["method", "progress"], ignore_index=True) if rows else pd.DataFrame()
