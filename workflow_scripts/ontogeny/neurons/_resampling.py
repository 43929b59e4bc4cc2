"""Intervals and tests that the analyses of units share."""

from __future__ import annotations

import numpy as np
import scipy.stats

from ontogeny.errors import OntogenyError


def bootstrap_weights(samples: int, resamples: int, seed: int) -> np.ndarray:
    """Weights of `resamples` bootstrap samples, (resamples, samples); every row sums to 1."""
    if resamples < 100:
        raise OntogenyError(f"{resamples} bootstrap samples are too few for an interval: ask for at least 100")
    drawn = np.random.default_rng(seed).integers(samples, size=(resamples, samples))
    drawn += samples * np.arange(resamples)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=resamples * samples).reshape(resamples, samples)
    return counts / samples


def mean_interval(values: np.ndarray, weights: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over the last axis with its percentile bootstrap interval (Efron and Tibshirani 1993, ch. 13).

    values (..., samples), weights (resamples, samples). A row of equal values has an interval of no width.
    """
    if not 0 < level < 1:
        raise OntogenyError(f"the level of the interval is {level}: a number between 0 and 1 is wanted")
    values = np.asarray(values, dtype=np.float64)
    mean = values.mean(-1)
    constant = values.max(-1) == values.min(-1)
    centred = values - mean[..., None]
    drawn = np.sort(centred @ weights.T, axis=-1)
    low, high = (_quantile_of_sorted(drawn, share) for share in ((1 - level) / 2, (1 + level) / 2))
    mean = np.where(constant, values[..., 0], mean)
    return mean, np.where(constant, mean, mean + low), np.where(constant, mean, mean + high)


def _quantile_of_sorted(values: np.ndarray, share: float) -> np.ndarray:
    place = share * (values.shape[-1] - 1)
    below = int(place)
    above = min(below + 1, values.shape[-1] - 1)
    return values[..., below] + (place - below) * (values[..., above] - values[..., below])


def adjusted(p_values: np.ndarray) -> np.ndarray:
    """p-values after Benjamini and Hochberg (1995); NaN stays NaN and does not count as a test."""
    p_values = np.asarray(p_values, dtype=np.float64)
    result = np.full_like(p_values, np.nan)
    tested = np.isfinite(p_values)
    if tested.any():
        result[tested] = scipy.stats.false_discovery_control(p_values[tested])
    return result
