"""Edges with their intervals, probabilities and false discovery rate."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ontogeny.arguments import Reals, checks_arguments
from ontogeny.connectome.outcome import Recovery, check_recovery
from ontogeny.errors import OntogenyError
from ontogeny.statistics import adjust

COLUMNS = ("source", "target", "weight", "low", "high", "standard_error", "probability", "p_value", "q_value", "edge")
EDGE_FDR = 0.05
_DEGREES = 20


@checks_arguments
def edge_table(
    result: Recovery, confidence: float = 0.95, fdr: float = EDGE_FDR, prior: Reals | None = None
) -> pd.DataFrame:
    """One row per pair of neurons, the surest first.

    Columns: `source` and `target`, counted from 0; `weight`, in the gauge of the fit; its interval `low` to `high` at
    `confidence` and its `standard_error`; the `probability` that the weight is not 0, one less the local false
    discovery rate of its z value (Efron 2004; the share of absent edges is estimated from the p-values, Storey 2002);
    `p_value` of a weight of 0, two-sided, from Student's t with 20 degrees of freedom, since errors rest on some two
    dozen blocks of frames, which matters far out in the tails; `q_value`, adjusted for the number of pairs under any
    dependence, since the weights of one receiver share its noise (Benjamini and Yekutieli 2001); `edge`, whether that
    is at most `fdr`.

    `prior` (N, N), row = receiver, sorts pairs into a few groups, such as near and far or where anatomy has contacts:
    equal values are one group. It is a soft prior. The share of absent edges is estimated in each group, probabilities
    follow from the group's own, and p-values are weighted by its odds before they are adjusted (Hu, Zhao and Zhou
    2010), so that a pair in a group with many edges needs less to count as one, and no pair is ruled out.

    Raises OntogenyError for what is no fit, and for a fit without standard errors: one that was not refined, or whose
    refinement was dropped.
    """
    from scipy.stats import norm, t

    check_recovery(result)
    if result.standard_errors is None:
        dropped = str(result.verdict.get("reason", "")).partition(";")[0]
        if dropped.startswith("the refinement was dropped"):
            raise OntogenyError(f"the edges of this fit cannot be tested, since {dropped}; see its verdict")
        raise OntogenyError("the fit has no standard errors, since it was not refined: set refine to true")
    target, source = np.nonzero(~np.eye(len(result.W), dtype=bool))
    weight, error = result.W[target, source], result.standard_errors[target, source]
    learned = error > 0
    target, source, weight, error = target[learned], source[learned], weight[learned], error[learned]
    z = weight / error
    p_values = 2 * t.sf(np.abs(z), _DEGREES)
    half = norm.ppf(0.5 + confidence / 2) * error
    if prior is None:
        probability = _probability(z, p_values, _absent(p_values) if len(z) else 1.0)
        q_values = adjust(p_values, "by").p_values
    else:
        probability, q_values = _by_group(z, p_values, _groups(prior, len(result.W))[target, source])
    table = pd.DataFrame(
        {
            "source": source,
            "target": target,
            "weight": weight,
            "low": weight - half,
            "high": weight + half,
            "standard_error": error,
            "probability": probability,
            "p_value": p_values,
            "q_value": q_values,
        }
    )
    table["edge"] = table["q_value"] <= fdr
    return table.sort_values(["p_value", "target", "source"], kind="stable").reset_index(drop=True)


_MOST_GROUPS = 10


def _groups(prior: np.ndarray, n: int) -> np.ndarray:
    prior = np.asarray(prior)
    if prior.shape != (n, n):
        raise OntogenyError(f"prior has shape {prior.shape}: expected ({n}, {n})")
    values, groups = np.unique(prior, return_inverse=True)
    if len(values) > _MOST_GROUPS:
        raise OntogenyError(f"prior has {len(values)} values: sort the pairs into at most {_MOST_GROUPS} groups")
    return groups.reshape(n, n)


def _absent(p_values: np.ndarray) -> float:
    """The share of absent edges (Storey 2002)."""
    return min(1.0, float((p_values > 0.5).mean()) / 0.5 + 1 / len(p_values))


def _by_group(z: np.ndarray, p_values: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    probability, weighted, absent = np.empty(len(z)), np.empty(len(z)), 0.0
    for group in np.unique(groups):
        mine = groups == group
        share = _absent(p_values[mine])
        probability[mine] = _probability(z[mine], p_values[mine], share)
        weighted[mine] = p_values[mine] * share / max(1 - share, 1e-6)
        absent += share * float(mine.mean())
    adjusted = adjust(np.minimum(weighted, 1.0), "by").p_values * max(1 - absent, 0.0)
    return probability, np.where(weighted < 1, adjusted, 1.0)


def _probability(z: np.ndarray, p_values: np.ndarray, absent: float) -> np.ndarray:
    """The probability that each weight is not 0, from the mixture of the z values; `absent`: the share of 0."""
    from scipy.stats import norm

    if len(z) < 20:
        return 1 - p_values
    size = np.minimum(np.abs(z), 12.0)
    bins = np.linspace(0, 12, 49)
    density = np.histogram(size, bins)[0] / (len(z) * np.diff(bins))
    null = 2 * norm.pdf(0.5 * (bins[1:] + bins[:-1]))
    local = np.minimum.accumulate(np.clip(absent * null / np.maximum(density, 1e-12), 0, 1))
    return 1 - np.interp(size, 0.5 * (bins[1:] + bins[:-1]), local)


__all__ = ["COLUMNS", "edge_table"]
