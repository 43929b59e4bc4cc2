"""When each layer settles, and whether layers settle from the input up, from the output down, or together.

A layer has a settling step only if it moved: its time is the control engineer's settling time, the first step from
which its smoothed series stays within a band around its final level, and the band is a share of the layer's own
movement. A layer that never moved beyond its own noise has a band narrower than that noise, and so no settling step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
from scipy.ndimage import median_filter, uniform_filter1d

from ontogeny.arguments import Reals, checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.phase1 import DIMENSIONALITY_METRICS, RUN_LEVEL, Phase1
from ontogeny.statistics import adjust, percentile_interval, resampling_p_value

BAND = 0.1
"""Half-width of the band around the final level, as a share of the layer's largest distance from it."""

TAIL = 0.2
"""Final share of training that sets the final level; a layer has to settle before it."""

FEWEST_POINTS = 40
TOGETHER = 0.1
"""Layers settle together if all their settling steps lie within this share of training."""

_NOISE_FLOOR = 1e-6
_MOST_EXACT = 7


@dataclass(frozen=True)
class Settling:
    """Whether and when one series settled.

    status: 'settled'; 'unsettled' (it moved and was still moving at the end); 'flat' (it never moved further than it
    fluctuates at the end); or 'short' (too few points to say). step, low, high: settling step and its 95% bootstrap
    interval, NaN unless settled. movement: largest distance of the smoothed series from its final level, in the
    metric's units, signed (positive: it came from above). level: the final level. noise: standard deviation of single
    points around the smoothed series. share: part of bootstrap series that settled. draws: their settling steps.
    """

    status: str
    step: float = np.nan
    low: float = np.nan
    high: float = np.nan
    movement: float = np.nan
    level: float = np.nan
    noise: float = np.nan
    share: float = np.nan
    draws: np.ndarray | None = None


@dataclass(frozen=True)
class Convergence:
    """Tables of `layer_convergence`: `layers`, one row per (run, layer, metric), and `order`, one per (run, metric)."""

    layers: pd.DataFrame
    order: pd.DataFrame


@checks_arguments
def settling(
    steps: Reals,
    values: Reals,
    band: float = BAND,
    n_resamples: int = 200,
    seed: int | np.random.Generator = 0,
) -> Settling:
    """Whether and when a series settles, with a moving-block bootstrap interval for the step.

    The series is smoothed (median of 5, then mean over a twentieth of the points). It has settled at the first step
    from which all smoothed points stay within `band` times its movement of the final level (the median of the last
    fifth), if that is before the last fifth. The bootstrap (Kuensch 1989, Annals of Statistics 17(3)) puts blocks of
    the residuals back on the smoothed series; blocks are as long as the smoothing window, and the interval joins the
    percentile and the basic one and a quarter of the smoothing window on either side, as smoothing blurs the time.
    The answer is the same for a * values + b.

    Series that only seem to settle: none in 1,000 of white, AR(1), pink or heavy-tailed noise beyond 1%, but about 7%
    of random walks and 18% of integrated ones of 400 points do, as their last fifth happens to stay in the band.

    Raises OntogenyError unless there is one finite value for every step.
    """
    return _settling(
        np.asarray(steps, float), np.asarray(values, float), band, n_resamples, np.random.default_rng(seed)
    )


def _settling(
    steps: np.ndarray, values: np.ndarray, band: float, n_resamples: int, rng: np.random.Generator
) -> Settling:
    if values.shape != steps.shape or values.ndim != 1 or not np.isfinite([steps, values]).all():
        raise OntogenyError("settling needs one finite value for every step, and steps that are finite")
    n = len(values)
    if n < FEWEST_POINTS:
        return Settling("short")
    window = max(5, n // 20) | 1
    smooth = _smooth(values[None], window)[0]
    residuals = values - smooth
    noise = float(residuals.std())
    place, movement, level = (part[0] for part in _settled_at(smooth[None], band))
    about = Settling("flat", movement=float(movement), level=float(level), noise=noise)
    if abs(movement) <= _NOISE_FLOOR * np.abs(values).max():
        return about
    if place < 0:
        return replace(about, status=_why_not(smooth))
    draws = smooth + _blocks(residuals, window, n_resamples, rng)
    places, _, _ = _settled_at(_smooth(draws, window), band)
    share = float((places >= 0).mean())
    if share < 0.5:
        return replace(about, status="unsettled", share=share)
    found = steps[places[places >= 0]]
    step = float(steps[place])
    low, high = percentile_interval(found)
    blur = (window // 4) * (steps[-1] - steps[0]) / (n - 1)
    low, high = min(low, 2 * step - high, step) - blur, max(high, 2 * step - low, step) + blur
    low, high = max(low, steps[0]), min(high, steps[-1])
    return replace(about, status="settled", step=step, low=float(low), high=float(high), share=share, draws=found)


def _smooth(values: np.ndarray, window: int) -> np.ndarray:
    return uniform_filter1d(median_filter(values, size=(1, 5), mode="nearest"), window, axis=1, mode="nearest")


def _tail(n: int) -> int:
    return n - max(8, round(TAIL * n))


def _settled_at(smooth: np.ndarray, band: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every row: index of settling (-1: none), signed movement, final level."""
    tail = _tail(smooth.shape[1])
    level = np.median(smooth[:, tail:], axis=1)
    off = smooth - level[:, None]
    rows = np.arange(len(smooth))
    movement = off[rows, np.abs(off).argmax(axis=1)]
    outside = np.abs(off) > band * np.abs(movement)[:, None]
    last = smooth.shape[1] - 1 - outside[:, ::-1].argmax(axis=1)
    place = np.where(outside.any(axis=1), last + 1, 0)
    return np.where((place <= tail) & (movement != 0), place, -1), movement, level


def _why_not(smooth: np.ndarray) -> str:
    """'flat' if the first half goes no further from the level of the second than 2.5 times what the second does."""
    half = len(smooth) // 2
    level = np.median(smooth[half:])
    return "flat" if np.abs(smooth[:half] - level).max() <= 2.5 * np.abs(smooth[half:] - level).max() else "unsettled"


def _blocks(residuals: np.ndarray, length: int, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Moving-block bootstrap of residuals whose spread may change: blocks come from near their own place."""
    n = len(residuals)
    starts = np.arange(0, n, length)
    shift = rng.integers(-2 * length, 2 * length + 1, (rows, len(starts)))
    begin = np.clip(starts + shift, 0, n - length)
    index = (begin[:, :, None] + np.arange(length)).reshape(rows, -1)[:, :n]
    return residuals[index]


@checks_arguments
def layer_convergence(
    record: Phase1 | pd.DataFrame,
    metrics: list[str] | None = None,
    band: float = BAND,
    n_resamples: int = 200,
    shuffles: int = 4999,
    seed: int = 0,
) -> Convergence:
    """Settling of every layer and metric, and the order of the layers in every run.

    `layers`: run, layer, depth (0 at the input), n_layers, metric, status, step, low, high, fraction (of training),
    movement, level, noise, share (see `Settling`).

    `order`: for each run and metric, and for all runs together (run '(all)'): n_layers, settled, tau (Kendall's
    tau-b between depth and settling step; positive: from the input up), low, high (95%: layers' bootstrap within a
    run, runs resampled for all), p_value (against layers in random order, both sides; exact up to 7 layers),
    spread (95% upper bound of the range of settling steps, as a share of training), p_holm (over the runs of one
    metric, and over the metrics for all runs), verdict: 'bottom-up', 'top-down', 'together' (spread below a tenth),
    'no order' or 'undetermined' (fewer than 3 layers settled, or too few for any p-value below 0.05).
    """
    record = record if isinstance(record, Phase1) else Phase1(record)
    rng = np.random.default_rng(seed)
    chosen = list(metrics) if metrics is not None else [m for m in DIMENSIONALITY_METRICS if m in record.metrics]
    rows = []
    found: dict[tuple[str, str], list[tuple[int, float, np.ndarray]]] = {}
    depths = {run: {layer: i for i, layer in enumerate(record.layers_of(run))} for run in record.runs}
    for run, layer, metric, steps, values in record.each_series():
        if layer == RUN_LEVEL or metric not in chosen:
            continue
        result = _settling(steps.astype(float), values, band, n_resamples, rng)
        first, length = steps[0], max(float(steps[-1] - steps[0]), 1.0)
        place = {
            "run": run,
            "layer": layer,
            "depth": depths[run][layer],
            "n_layers": len(depths[run]),
            "metric": metric,
        }
        numbers = {name: getattr(result, name) for name in ("status", "step", "low", "high")}
        about = {name: getattr(result, name) for name in ("movement", "level", "noise", "share")}
        rows.append({**place, **numbers, "fraction": (result.step - first) / length, **about})
        if result.draws is not None:
            found.setdefault((run, metric), []).append(
                (depths[run][layer], (result.step - first) / length, (result.draws - first) / length)
            )
    columns = ["run", "layer", "depth", "n_layers", "metric", "status", "step", "low", "high", "fraction"]
    layers = pd.DataFrame(rows, columns=[*columns, "movement", "level", "noise", "share"])
    return Convergence(layers, _order(found, record, chosen, n_resamples, shuffles, rng))


def _order(found: dict, record: Phase1, metrics: list[str], n_resamples: int, shuffles: int, rng: Any) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for metric in metrics:
        part: list[dict[str, Any]] = []
        nulls, taus = [], []
        for run in record.runs:
            layers = sorted(found.get((run, metric), []), key=lambda item: item[0])
            base: dict[str, Any] = {
                "run": run,
                "metric": metric,
                "n_layers": len(record.layers_of(run)),
                "settled": len(layers),
            }
            numbers, null = _order_of_run(layers, n_resamples, shuffles, rng)
            part.append(base | numbers)
            if null is not None:
                nulls.append(rng.choice(null, shuffles))
                taus.append(numbers["tau"])
        total: dict[str, Any] = {"run": "(all)", "metric": metric, "n_layers": sum(row["n_layers"] for row in part)}
        total["settled"] = sum(row["settled"] for row in part)
        if len(taus) > 1:
            mean = float(np.mean(taus))
            null = np.mean(nulls, axis=0)
            boot = rng.choice(np.array(taus), (2000, len(taus))).mean(axis=1)
            low, high = percentile_interval(boot)
            p = resampling_p_value(mean, null, "two-sided")
            total |= {"tau": mean, "low": low, "high": high, "p_value": p, "spread": np.nan}
            total["reachable"] = 0.0
            part.append(total)
        rows += part
    families: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        families.setdefault("(all)" if row["run"] == "(all)" else row["metric"], []).append(row)
    for family in families.values():
        for row, p in zip(family, adjust([row["p_value"] for row in family]).p_values):
            row["p_holm"] = p
            row["verdict"] = _verdict(row)
    columns = ["run", "metric", "n_layers", "settled", "tau", "low", "high", "p_value", "p_holm", "spread", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def _order_of_run(
    layers: list[tuple[int, float, np.ndarray]], n_resamples: int, shuffles: int, rng: Any
) -> tuple[dict[str, float], np.ndarray | None]:
    nothing = {"tau": np.nan, "low": np.nan, "high": np.nan, "p_value": np.nan, "spread": np.nan, "reachable": 1.0}
    if len(layers) < 3:
        return nothing, None
    depth = np.array([item[0] for item in layers], float)
    times = np.array([item[1] for item in layers])
    draws = np.array([rng.choice(item[2], n_resamples) for item in layers])
    spread = float(np.quantile(np.ptp(draws, axis=0), 0.95))
    tau = _tau(depth, times[None])[0]
    low, high = percentile_interval(_tau(depth, draws.T))
    k = len(layers)
    if k <= _MOST_EXACT:
        null = _tau(depth, times[np.array(list(permutations(range(k))))])
        p = float((np.abs(null) >= abs(tau) - 1e-12).mean())
        reachable = 2.0 / len(null)
    else:
        null = _tau(depth, rng.permuted(np.tile(times, (shuffles, 1)), axis=1))
        p = resampling_p_value(tau, null, "two-sided")
        reachable = 1 / (1 + shuffles)
    numbers = {"tau": float(tau), "low": float(low), "high": float(high), "p_value": p}
    return numbers | {"spread": spread, "reachable": reachable}, null


def _tau(depth: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Kendall's tau-b of `depth` (k,) with every row of `times` (rows, k); 0 where all times are equal."""
    i, j = np.triu_indices(len(depth), 1)
    sign = np.sign(times[:, j] - times[:, i]) * np.sign(depth[j] - depth[i])
    untied = np.abs(sign).sum(axis=1)
    return sign.sum(axis=1) / np.sqrt(np.maximum(untied, 1) * len(i))


def _verdict(row: dict[str, Any]) -> str:
    if not np.isfinite(row["tau"]):
        return "undetermined"
    if row["spread"] <= TOGETHER:
        return "together"
    if row["p_holm"] <= 0.05 and row["low"] * row["high"] > 0:
        return "bottom-up" if row["tau"] > 0 else "top-down"
    return "undetermined" if row["reachable"] > 0.05 else "no order"
