"""Units that do no work of their own: dead, saturated, duplicated."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ontogeny.arguments import Reals, checks_arguments
from ontogeny.errors import OntogenyError, unknown
from ontogeny.neurons.settings import ImportanceSettings, NeuronSettings
from ontogeny.neurons.statistics import UNKNOWN
from ontogeny.statistics import proportion_interval

BOUNDS: dict[str, tuple[float, float]] = {
    "relu": (-np.inf, np.inf),
    "tanh": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "hardtanh": (-1.0, 1.0),
    "relu6": (-np.inf, 6.0),
    "hardsigmoid": (0.0, 1.0),
}
"""Where a nonlinearity saturates; those not named here saturate nowhere (zero is not saturation, but silence)."""


@checks_arguments
def unit_health(
    activations: Reals,
    nonlinearity: str = "relu",
    *,
    threshold: float = NeuronSettings().threshold,
    margin: float = 0.01,
    saturated_share: float = 0.95,
    correlation: float = ImportanceSettings().duplicates,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Dead, saturated and duplicated units of one layer, from activations (samples, units) after the nonlinearity.

    One row per unit:

    - active: share of samples with magnitude above `threshold`, with active_low and active_high (Clopper and Pearson
      1934: for a unit silent in n samples the upper end says how sure that is).
    - dead: never active. constant: the same output for every sample.
    - saturated_at_bound: share of samples within `margin` times the range of a bound of the nonlinearity, with _low and
      _high likewise; saturated: that share is at least `saturated_share`. Unbounded functions do not saturate. Where
      the nonlinearity is `unknown`, all of these are NaN.
    - duplicate_of: the first earlier unit whose correlation over samples is at least `correlation` in magnitude, -1
      where there is none; duplicate_correlation, that correlation (NaN); duplicated: there is one. Dead and constant
      units have no correlation and duplicate nothing.

    Raises OntogenyError for fewer than three samples, values that are not finite, or an unknown nonlinearity.
    """
    values = np.asarray(activations, dtype=np.float64)
    if values.ndim != 2 or len(values) < 3:
        raise OntogenyError(
            f"activations of shape {values.shape}: (samples, units) with three or more samples expected"
        )
    if not np.isfinite(values).all():
        raise OntogenyError("the activations hold NaN or infinite values")
    known = {*BOUNDS, "gelu", "leaky_relu", "silu", "elu", "selu", "none", "custom", UNKNOWN}
    if nonlinearity not in known:
        raise unknown("nonlinearity", nonlinearity, known)
    samples = len(values)
    active = (np.abs(values) > threshold).sum(0)
    low, high = BOUNDS.get(nonlinearity, (-np.inf, np.inf))
    reach = margin * (high - low if np.isfinite(high - low) else high if np.isfinite(high) else 1.0)
    at_bound = ((values >= high - reach) | (values <= low + reach)).sum(0)
    constant = np.ptp(values, axis=0) == 0
    source, strength = _duplicates(values, constant, correlation)
    active_low, active_high = proportion_interval(active, samples, confidence, "exact")
    bound_low, bound_high = proportion_interval(at_bound, samples, confidence, "exact")
    table = pd.DataFrame(
        {
            "unit": np.arange(values.shape[1]),
            "active": active / samples,
            "active_low": active_low,
            "active_high": active_high,
            "dead": active == 0,
            "constant": constant,
            "saturated_at_bound": at_bound / samples,
            "saturated_low": bound_low,
            "saturated_high": bound_high,
            "saturated": at_bound / samples >= saturated_share,
            "duplicate_of": source,
            "duplicate_correlation": strength,
            "duplicated": source >= 0,
        }
    )
    if nonlinearity == UNKNOWN:
        unsaid = ["active", "active_low", "active_high", "dead", "saturated_at_bound", "saturated_low",
                  "saturated_high", "saturated"]  # fmt: skip
        return table.assign(**dict.fromkeys(unsaid, np.nan))
    return table


def _duplicates(values: np.ndarray, constant: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    source, strength = np.full(values.shape[1], -1), np.full(values.shape[1], np.nan)
    varying = np.flatnonzero(~constant)
    if len(varying) < 2:
        return source, strength
    centred = values[:, varying] - values[:, varying].mean(0)
    centred /= np.abs(centred).max(0)
    centred /= np.linalg.norm(centred, axis=0)
    for low in range(0, len(varying), 1024):
        block = centred[:, low : low + 1024].T @ centred
        earlier = np.arange(len(varying)) < np.arange(low, low + len(block))[:, None]
        like = (np.abs(block) >= threshold) & earlier
        for row in np.flatnonzero(like.any(1)):
            first = like[row].argmax()
            source[varying[low + row]] = varying[first]
            strength[varying[low + row]] = np.clip(block[row, first], -1, 1)
    return source, strength
