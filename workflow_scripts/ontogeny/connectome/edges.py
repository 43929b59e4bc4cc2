"""Edges with their intervals, probabilities and false discovery rate."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ontogeny.connectome.outcome import Recovery
from ontogeny.errors import OntogenyError
from ontogeny.statistics import adjust

COLUMNS = ("source", "target", "weight", "low", "high", "standard_error", "probability", "p_value", "q_value", "edge")
EDGE_FDR = 0.05


def edge_table(result: Recovery, confidence: float = 0.95, fdr: float = EDGE_FDR) -> pd.DataFrame:
    """One row per pair of neurons, the surest first.

    Columns: `source` and `target`, counted from 0; `weight`, in the gauge of the fit; its interval `low` to `high` at
    `confidence` and its `standard_error`; the `probability` that the weight is not 0, one less the local false
    discovery rate of its z value (Efron 2004; the share of absent edges is estimated from the p-values, Storey 2002);
    `p_value` of a weight of 0, two-sided; `q_value`, adjusted for the number of pairs (Benjamini and Hochberg 1995);
    `edge`, whether that is at most `fdr`.

    Raises OntogenyError for a fit without standard errors, which is one that was not refined.
    """
    from scipy.stats import norm

    if result.standard_errors is None:
        raise OntogenyError("the fit has no standard errors, since it was not refined: set refine to true")
    target, source = np.nonzero(~np.eye(len(result.W), dtype=bool))
    weight, error = result.W[target, source], result.standard_errors[target, source]
    learned = error > 0
    target, source, weight, error = target[learned], source[learned], weight[learned], error[learned]
    z = weight / error
    p_values = 2 * norm.sf(np.abs(z))
    half = norm.ppf(0.5 + confidence / 2) * error
    table = pd.DataFrame(
        {
            "source": source,
            "target": target,
            "weight": weight,
            "low": weight - half,
            "high": weight + half,
            "standard_error": error,
            "probability": _probability(z, p_values),
            "p_value": p_values,
            "q_value": adjust(p_values, "bh").p_values,
        }
    )
    table["edge"] = table["q_value"] <= fdr
    return table.sort_values(["p_value", "target", "source"], kind="stable").reset_index(drop=True)


def _probability(z: np.ndarray, p_values: np.ndarray) -> np.ndarray:
    """The probability that each weight is not 0, from the mixture that the z values show."""
    from scipy.stats import norm

    if len(z) < 20:
        return 1 - p_values
    absent = min(1.0, float((p_values > 0.5).mean()) / 0.5 + 1 / len(z))
    size = np.minimum(np.abs(z), 12.0)
    bins = np.linspace(0, 12, 49)
    density = np.histogram(size, bins)[0] / (len(z) * np.diff(bins))
    null = 2 * norm.pdf(0.5 * (bins[1:] + bins[:-1]))
    local = np.minimum.accumulate(np.clip(absent * null / np.maximum(density, 1e-12), 0, 1))
    return 1 - np.interp(size, 0.5 * (bins[1:] + bins[:-1]), local)


__all__ = ["COLUMNS", "edge_table"]
