"""How well a fit recovered the truth: wiring, cell types, functions and dynamics."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.arguments import checks_arguments
from ontogeny.connectome.diagnose import diagnose_scatter
from ontogeny.connectome.edges import edge_table
from ontogeny.connectome.observe import split_frames
from ontogeny.connectome.outcome import Recovery, check_recovery
from ontogeny.connectome.search.records import classify
from ontogeny.connectome.simulate import Activity, filling_factor, spectral_radius
from ontogeny.connectome.wiring import connectivity_r2, off_diagonal, scale_between
from ontogeny.errors import check_number

FUNCTION_RANGE = np.linspace(-3.0, 3.0, 61)


def match_clusters(found: np.ndarray, true: np.ndarray) -> tuple[float, np.ndarray]:
    """Share of members whose found cluster, under the best one-to-one matching, is their true type; and the matching.

    The matching (clusters,) gives each found cluster its type, or -1 where clusters outnumber types.
    """
    from scipy.optimize import linear_sum_assignment

    table = np.zeros((int(found.max()) + 1, int(true.max()) + 1), dtype=np.int64)
    np.add.at(table, (found, true), 1)
    rows, columns = linear_sum_assignment(-table)
    matching = np.full(len(table), -1)
    matching[rows] = columns
    return float(table[rows, columns].sum() / len(true)), matching


def cluster_functions(values: np.ndarray, k: int, seed: int = 0) -> np.ndarray:
    """k-means labels (N,) of functions given as `values` (points, N), each up to a constant."""
    features = (values - values[len(values) // 2]).T
    return _k_means(features, k, seed)


def function_range(activity: Activity, points: int = 61) -> np.ndarray:
    """Where functions are compared, (points,): -3..3, the study's range; of recorded activity, whose unit is its own,
    the range of its middle 80%."""
    if activity.params is not None:
        return np.linspace(-3.0, 3.0, points)
    low, high = np.quantile(activity.u.reshape(-1)[:: max(1, activity.u.size // 100_000)], (0.1, 0.9))
    return np.linspace(low, high, points)


def find_types(values: np.ndarray, most: int = 8, seed: int = 0) -> np.ndarray:
    """Types (N,) of neurons whose number is not known, from functions given as `values` (points, N).

    k-means with the k up to `most` of the largest mean silhouette (Rousseeuw 1987); one type, if none exceeds 0.5.
    """
    from sklearn.metrics import silhouette_score

    features = (values - values[len(values) // 2]).T
    best, chosen = 0.5, np.zeros(len(features), dtype=int)
    for k in range(2, min(most, len(features) - 1) + 1):
        labels = _k_means(features, k, seed)
        if len(np.unique(labels)) > 1 and (score := float(silhouette_score(features, labels))) > best:
            best, chosen = score, labels
    return chosen


def _k_means(features: np.ndarray, k: int, seed: int) -> np.ndarray:
    from sklearn.cluster import KMeans

    return KMeans(k, n_init=20, random_state=seed).fit_predict(features)


def cluster_accuracies(
    result: Recovery, types: np.ndarray, seed: int = 0, u: np.ndarray = FUNCTION_RANGE
) -> dict[str, float]:
    """Agreement of recovered with true cell types (N,), three ways, each by the best matching.

    `cluster_accuracy`: k-means on the learned functions phi(u, a_i) at the points `u`, k = number of types.
    `cluster_accuracy_embedding`: k-means on the embeddings themselves, which are often thin filaments.
    `cluster_accuracy_linkage`: single linkage on the embeddings, cut into k clusters.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    k = int(types.max()) + 1
    embedding = result.embedding
    scaled = (embedding - embedding.mean(0)) / np.maximum(embedding.std(0), 1e-12)
    merged = fcluster(linkage(scaled, "single"), k, "maxclust") - 1
    return {
        "cluster_accuracy": match_clusters(cluster_functions(result.phi(u), k, seed), types)[0],
        "cluster_accuracy_embedding": match_clusters(_k_means(scaled, k, seed), types)[0],
        "cluster_accuracy_linkage": match_clusters(merged, types)[0],
    }


def edge_threshold(result: Recovery) -> np.ndarray:
    """The |W| (N, N) above which an entry counts as an edge.

    After a refinement: 6 standard errors, and at least a hundredth of the root mean square of W. Without one: half
    of that root mean square.
    """
    size = float(np.sqrt(np.mean(result.W**2)))
    if result.standard_errors is None:
        return np.full_like(result.W, 0.5 * size)
    return np.maximum(6 * result.standard_errors, 0.01 * size)


def edge_detection(learned: np.ndarray, true: np.ndarray, threshold: float | np.ndarray) -> dict[str, float]:
    """Precision and recall of |W| > threshold for entries that are not zero, AUROC of |W|, and share of right signs.

    Precision and AUROC are NaN where the true matrix has no zero or no edge off its diagonal; `sign_accuracy` is
    over the true edges.
    """
    from sklearn.metrics import roc_auc_score

    l, w = off_diagonal(learned, true)  # noqa: E741
    cut = np.broadcast_to(threshold, np.shape(learned))[~np.eye(len(learned), dtype=bool)]
    found, edge = np.abs(l) > cut, w != 0
    both = int((found & edge).sum())
    return {
        "edge_precision": both / int(found.sum()) if found.any() and not edge.all() else math.nan,
        "edge_recall": both / int(edge.sum()) if edge.any() else math.nan,
        "edge_AUROC": float(roc_auc_score(edge, np.abs(l))) if edge.any() and not edge.all() else math.nan,
        "sign_accuracy": float((np.sign(l[edge]) == np.sign(w[edge])).mean()) if edge.any() else math.nan,
    }


def function_r2(result: Recovery, truth: Activity) -> dict[str, float]:
    """R2 of the recovered psi (after one scale and one constant) and phi (after a constant each), u in [-3, 3]."""
    u = FUNCTION_RANGE
    learned, true = result.psi(u), truth.psi(u)
    learned, true = learned - learned.mean(), true - true.mean()
    psi = float((learned @ true) ** 2 / ((learned @ learned) * (true @ true))) if learned.any() else 0.0
    learned, true = result.phi(u), truth.phi(u)
    learned, true = learned - learned.mean(0), true - true.mean(0)
    phi = 1 - ((learned - true) ** 2).sum(0) / (true**2).sum(0)
    return {"psi_R2": psi, "phi_R2": float(np.median(phi)), "phi_R2_worst": float(phi.min())}


def unseen(result: Recovery, truth: Activity) -> np.ndarray:
    """The activity that a fit did not train on, (pieces, frames, N): whole trajectories, or blocks held out.

    Trajectories beyond the `n_trajectories` of the fit were not seen either, and come first.
    """
    used = result.settings.get("n_trajectories") or len(truth.u)
    split = split_frames(used, truth.u.shape[1], result.seed)
    if used < len(truth.u):
        return truth.u[used:]
    if split.whole:
        return truth.u[split.held.all(1)]
    held = split.held[0].astype(int)
    starts = np.flatnonzero(np.diff(np.r_[0, held, 0]) == 1)
    ends = np.flatnonzero(np.diff(np.r_[0, held, 0]) == -1)
    length = int((ends - starts).min())
    return np.concatenate([truth.u[:, first : first + length] for first in starts[::-1]])


def rollout(
    result: Recovery, truth: Activity, frames: int = 400, trajectories: int = 2, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The true and the recovered network, left alone from the same new states: two arrays (trajectories, frames, N).

    Each neuron starts from a value that it had in the first frame of some trajectory (or in any frame, of a single
    one), so the joint state is new. Both are integrated with the Euler step of the data, without noise or input.
    Where the true functions are not known, the true network is what was recorded and the fit did not see (see
    `unseen`), and the recovered network starts from the first frames of that.
    """
    if truth.params is None or truth.W is None:
        recorded = unseen(result, truth)[:trajectories, :frames].astype(np.float64)
        return recorded, _integrate(result.derivative, recorded[:, 0], recorded.shape[1], truth.delta_t)
    rng = np.random.Generator(np.random.PCG64([seed, 7]))
    pool = truth.u[:, 0] if truth.u.shape[0] > 1 else truth.u[0]
    state = rng.permuted(pool[rng.choice(len(pool), min(len(pool), 1000), replace=False)], axis=0)[:trajectories]
    _, s, c = truth.constants.T
    gain = truth.weights.T

    def slope(u: np.ndarray) -> np.ndarray:
        fired = np.tanh(u)
        return fired @ gain + s * fired - c * u

    true, learned = (_integrate(step, state, frames, truth.delta_t) for step in (slope, result.derivative))
    return true, learned


def _integrate(slope: Callable[[np.ndarray], np.ndarray], state: np.ndarray, frames: int, delta_t: float) -> np.ndarray:
    u = state.astype(np.float64)
    path = np.empty((len(u), frames, u.shape[1]))
    for frame in range(frames):
        path[:, frame] = u
        u = u + delta_t * slope(u)
        np.clip(u, -1e6, 1e6, out=u)
    return path


def rollout_metrics(true: np.ndarray, learned: np.ndarray) -> dict[str, float]:
    """`test_R2` (over all values) and `test_pearson` (mean over neurons of the correlation in time) of a rollout."""
    spread = ((true - true.mean((0, 1))) ** 2).sum()
    a, b = (path.reshape(-1, path.shape[2]) for path in (true, learned))
    a, b = a - a.mean(0), b - b.mean(0)
    size = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    moving = size > 0
    return {
        "test_R2": float(1 - ((true - learned) ** 2).sum() / spread) if spread > 0 else math.nan,
        "test_pearson": float(((a * b).sum(0)[moving] / size[moving]).mean()) if moving.any() else math.nan,
    }


def _edges_against_truth(table: pd.DataFrame, true: np.ndarray, scale: float) -> dict[str, float]:
    """Share of intervals that hold the true weight, and share of false edges at the false discovery rate asked for."""
    weights = scale * true[table["target"], table["source"]]
    held = (table["low"] <= weights) & (weights <= table["high"])
    edges = table["edge"].to_numpy(bool)
    false = float((weights[edges] == 0).mean()) if edges.any() and (weights == 0).any() else math.nan
    return {"interval_coverage": float(held.mean()), "false_edges": false}


_OF_WIRING = ("connectivity_R2", "slope", "connectivity_pearson", "network_R2", "spectral_radius", "filling_factor")
_OF_ERRORS = ("edges_found", "interval_coverage", "false_edges")
_OF_EDGES = ("edge_precision", "edge_recall", "edge_AUROC", "sign_accuracy")
_OF_TYPES = ("cluster_accuracy", "cluster_accuracy_embedding", "cluster_accuracy_linkage")
_OF_FUNCTIONS = ("psi_R2", "phi_R2", "phi_R2_worst")


@checks_arguments
def recovery_metrics(result: Recovery, truth: Activity, rollout_frames: int = 400) -> dict[str, Any]:
    """Everything that is measured of a fit against the truth behind its data, under the study's names.

    Keys: those of `connectivity_r2`, `cluster_accuracies`, `rollout_metrics`, `edge_detection` and `function_r2`, and
    `spectral_radius` (true W), `spectral_radius_learned` (learned W in the true scale; NaN where a gain is 0 and hides
    a row of W), `filling_factor`, `final_loss`, `validation_loss` (error over variance on frames not trained on),
    `training_time_min` (CPU; of a fit in memory, files of fits hold no times), `refined`, `network_R2` (before the
    refinement), `classification` (see `ontogeny.connectome.policy.classify`: CONVERGED when both R2 and cluster
    accuracy exceed 0.9; partial-W when only R2 does, partial-E when only the clusters do) and `scatter`, the one-line
    reading of the scatter of W.

    `verdict` and `verdict_reason` say whether W can be trusted, from the activity alone, and `validity` has the numbers
    behind that (see `ontogeny.connectome.verdict`); `edges_found` counts edges at an FDR of 5% (see `edge_table`), and
    `interval_coverage` and `false_edges` compare them with the truth, in a scale to which pairs count as their
    standard errors say.

    What `truth` does not know (W, types, functions of recorded activity) is not measured: those keys are None.

    Raises OntogenyError for activity in place of the result, and for what is neither.
    """
    check_recovery(result)
    check_number(rollout_frames, "rollout_frames", "a whole number of frames, 1 or more", 1, whole=True)
    metrics: dict[str, Any] = dict.fromkeys((*_OF_WIRING, *_OF_ERRORS, *_OF_EDGES, *_OF_TYPES, *_OF_FUNCTIONS))
    if truth.W is not None:
        weights = truth.weights
        metrics.update(connectivity_r2(result.W, weights))
        metrics.update(
            network_R2=connectivity_r2(result.network_W, weights)["connectivity_R2"],
            spectral_radius=spectral_radius(truth.W),
            filling_factor=filling_factor(truth.W),
            **edge_detection(result.W, weights, edge_threshold(result)),
        )
    if truth.types is not None:
        metrics.update(cluster_accuracies(result, truth.types, u=function_range(truth)))
    if truth.params is not None:
        metrics.update(function_r2(result, truth))
    metrics.update(rollout_metrics(*rollout(result, truth, rollout_frames)))
    gain = 1.0 if truth.params is None else truth.constants[:, 0][:, None]
    metrics.update(
        spectral_radius_learned=spectral_radius(result.W / ((metrics["slope"] or 1.0) * gain))
        if np.all(gain)
        else math.nan,
        final_loss=result.final_loss,
        validation_loss=result.validation.get("after", math.inf) if result.refined else result.validation["before"],
        refined=result.refined,
    )
    metrics["verdict"] = result.verdict.get("verdict")
    metrics["verdict_reason"] = result.verdict.get("reason")
    metrics["validity"] = {key: value for key, value in result.verdict.items() if key not in ("verdict", "reason")}
    if result.standard_errors is not None:
        table = edge_table(result)
        metrics["edges_found"] = int(table["edge"].sum())
        if truth.W is not None:
            scale = scale_between(result.W, weights, result.standard_errors)
            metrics.update(_edges_against_truth(table, weights, scale))
    seconds: dict[str, float] = getattr(result, "seconds", {})
    if seconds:
        metrics["training_time_min"] = sum(seconds.values()) / 60
    known = truth.W is not None and truth.types is not None
    metrics["classification"] = classify(metrics) if known else None
    metrics["scatter"] = None if truth.W is None else diagnose_scatter(result.W, weights)["text"]
    return metrics
