"""A fit as a trajectory: how W and the embeddings take shape over its steps."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ontogeny.arguments import checks_arguments
from ontogeny.connectome.metrics import match_clusters
from ontogeny.connectome.outcome import Outcome
from ontogeny.connectome.simulate import Activity
from ontogeny.connectome.wiring import connectivity_r2
from ontogeny.geometry import agreement, pca
from ontogeny.statistics import adjust

_COMPONENTS = 10


@checks_arguments
def learning_table(result: Outcome, truth: Activity, seed: int = 0) -> pd.DataFrame:
    """What the snapshots of a fit show, one row per step.

    Columns: `step`; `share`, of the training; `loss`; `connectivity_R2`; `W_share`, of the variance of the rows of W
    that its ten leading principal components hold (one basis for all steps); `embedding_PC1`, `embedding_PC2`, the
    standard deviation of the embeddings along the components of all steps together; `type_ARI` with `type_ARI_low`,
    `type_ARI_high` and `type_p`, the adjusted Rand index of k-means on the embeddings with the true types, its
    bootstrap interval and permutation p-value (Holm over the steps: `type_p_adjusted`); `type_accuracy`, by the best
    matching. Empty where the truth or a spread is missing. A fit without snapshots has no rows.
    """
    from sklearn.cluster import KMeans

    snapshots = result.snapshots
    steps = np.asarray(snapshots.get("step", ()), dtype=int)
    columns = ["step", "share", "loss", "connectivity_R2", "W_share", "embedding_PC1", "embedding_PC2"]
    columns += ["type_ARI", "type_ARI_low", "type_ARI_high", "type_p", "type_p_adjusted", "type_accuracy"]
    if not len(steps):
        return pd.DataFrame(columns=columns)
    rows = pca(snapshots["W"], _COMPONENTS)
    points = pca(snapshots["embedding"])
    table = []
    for k, step in enumerate(steps):
        W, embedding = snapshots["W"][k], np.asarray(snapshots["embedding"][k], np.float64)
        energy = float(rows.row_energy[k].sum())
        spread = points.projections[k].std(0)
        row = {"step": int(step), "share": step / max(1, steps[-1]), "loss": float(snapshots["loss"][k])}
        if truth.W is not None and W.any():
            row["connectivity_R2"] = connectivity_r2(W, truth.weights)["connectivity_R2"]
        if energy > 0 and W.any():
            row["W_share"] = float((rows.projections[k] ** 2).sum()) / energy
        row |= {f"embedding_PC{c + 1}": float(value) for c, value in enumerate(spread[:2])}
        if truth.types is not None and len(np.unique(embedding, axis=0)) > truth.types.max():
            scaled = (embedding - embedding.mean(0)) / np.maximum(embedding.std(0), 1e-12)
            found = KMeans(int(truth.types.max()) + 1, n_init=5, random_state=seed).fit_predict(scaled)
            same = agreement(found, truth.types, seed=seed)
            row |= {"type_ARI": same.ari, "type_ARI_low": same.low, "type_ARI_high": same.high, "type_p": same.p_value}
            row["type_accuracy"] = match_clusters(found, truth.types)[0]
        table.append(row)
    frame = pd.DataFrame(table).reindex(columns=columns)
    frame["type_p_adjusted"] = adjust(frame["type_p"].to_numpy(float)).p_values
    return frame


__all__ = ["learning_table"]
