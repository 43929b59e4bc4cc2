"""Inputs that neurons share and none of the recorded ones carries, as from neurons that were not seen.

A hidden input h with loadings L adds L h to the slopes. The part of h that the senders predict hides in W, where it
adds a multiple of the loadings to every column; the part that they do not predict is what residuals share. Both are
found in turns: the series and their loadings as the leading components of what own functions leave, then the own
functions beside the series, then psi on slopes that the series were taken from. Of the columns of sparse W most entries
are 0, so what a regression on the loadings that minimises absolute errors finds is the hidden part.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ontogeny.connectome.problem import Problem
from ontogeny.connectome.recover import Recovered, common_inputs, derivative_of
from ontogeny.connectome.refine import Refined

SHARED_LEAST = 1e-3
"""Share of the variance that residuals must have for inputs to be sought behind them."""

_SPARSER = 0.9
_HALF = 0.4
_SERIES_ROUNDS = 6
_ROUNDS, _FEW_ROUNDS, _MANY = 20, 6, 100
_BETTER, _PATIENCE = 0.01, 4
_NEEDED = 0.5
"""Largest share of what is left that a further input may leave."""
_SMALLEST = 1e-3
_SWEEPS = 60


def without_hidden(
    found: Recovered, most: int, seed: int, run: Callable[[np.ndarray, Recovered], Refined]
) -> tuple[Refined, np.ndarray] | None:
    """The refined model beside at most `most` inputs that neurons share, W cleared of them, and their loadings (N, r).

    `run` refines slopes (rows, N) from where a recovered model stands, and is repeated until the series leave no less.
    Their number is what residuals show, and then grows while one more at least halves what is left. None where
    residuals share no inputs, where those make less than two fifths of the residual, or where W does not get sparser
    by a tenth without them.
    """
    residual = found.rows.slope - derivative_of(found.refined)(found.rows.u)
    common = common_inputs(residual, seed)[:, :most]
    n = len(common)
    if not common.shape[1] or float(np.sum(common**2)) <= _HALF * n * float(np.mean(residual**2)):
        return None
    count = common.shape[1]
    best = _in_turns(found, count, run)
    while count < min(most, n // 4) and found.windows is None:
        count += 1
        more = _in_turns(found, count, run)
        if more[0] > _NEEDED * best[0]:
            break
        best = more
    _, model, loading = best
    W = without_common(model.W, loading)
    if np.abs(W).sum() >= _SPARSER * np.abs(found.refined.W).sum():
        return None
    return replace(model, W=W), loading


def _in_turns(
    found: Recovered, count: int, run: Callable[[np.ndarray, Recovered], Refined]
) -> tuple[float, Refined, np.ndarray]:
    """What is left beside `count` series, the model, and their loadings, where that is least."""
    rows, model, series = found.rows, found.refined, None
    best, since = (math.inf, model, np.empty((0, 0))), 0
    for _ in range(_ROUNDS if rows.u.shape[1] <= _MANY else _FEW_ROUNDS):
        problem = Problem(rows.u, rows.slope, model.spline, None, rows.block, found.windows)
        problem.smooth = model.smooth
        series, loading = shared_series(problem, problem.normalised(model.psi)[1], model.ratio, count, series)
        if found.windows is not None:
            return 0.0, model, loading
        model = run(rows.slope - series @ loading.T, replace(found, refined=model))
        left = float(np.mean(model.noise**2))
        since = 0 if left < (1 - _BETTER) * best[0] else since + 1
        if left < best[0]:
            best = left, model, loading
        if since == _PATIENCE:
            break
    return best


def shared_series(
    problem: Problem, sent: np.ndarray, ratio: float, count: int, series: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """`count` series (frames, count) that receivers share beside their senders, and their loadings (N, count).

    In turns: own functions and loadings by least squares given the series, and the series as the leading components of
    what the own functions leave, each receiver's in units of its standard deviation.
    """
    everyone = np.arange(problem.n)
    senders = problem.senders_of(sent, everyone[:1], ratio)[0]

    def left(values: np.ndarray) -> np.ndarray:
        return senders.rest(values, senders.U.T @ values)

    size = problem.spline.size
    grams, slopes = np.empty((problem.n, size, size)), np.empty((problem.n, size))
    target = left(problem.du)
    for i, own in enumerate(problem.own(everyone)):
        BU = problem.toward(everyone[i : i + 1], senders.U)[0]
        grams[i] = own.gram - (BU * senders.kept) @ BU.T + problem.smooth * problem.spline.roughness
        grams[i][np.diag_indices(size)] += 1e-12 * np.trace(own.gram)
        slopes[i] = own.slope - BU @ (senders.kept * (senders.U.T @ problem.du[:, i]))
    series, loading = np.empty((problem.frames, 0)) if series is None else series, np.empty((problem.n, 0))
    for _ in range(_SERIES_ROUNDS):
        seen = left(series)
        across, within = problem.toward(everyone, seen), seen.T @ seen
        functions = np.empty((size, problem.n))
        for i in range(problem.n):
            whole = np.block([[grams[i], across[i]], [across[i].T, within]])
            functions[:, i] = np.linalg.solve(whole, np.r_[slopes[i], seen.T @ target[:, i]])[:size]
        shared = target - left(problem.own_values(everyone, functions))
        spread = np.maximum(shared.std(0), 1e-300)
        scaled = shared / spread
        vectors = np.linalg.eigh(scaled.T @ scaled)[1][:, ::-1][:, :count]
        series = scaled @ vectors
        spans = np.sqrt(np.mean(series**2, axis=0))
        series = series / spans
        loading = vectors * spread[:, None] * spans
    return series, loading


def without_common(W: np.ndarray, loading: np.ndarray) -> np.ndarray:
    """W (N, N) less what common inputs with the loadings (N, r) put into it.

    A hidden input that a sender's activity predicts adds a multiple of its loadings to that sender's column. Where the
    wiring is sparse, most of a column is that alone, so it is what a regression on the loadings that minimises the sum
    of absolute errors, and then that of their roots, finds (iteratively reweighted least squares). Rows are first
    divided by the size of their loadings: otherwise the few receivers on which an input acts most would decide, whether
    they have a sender there or not. The diagonal stays out.
    """
    out = W.copy()
    n = len(W)
    sizes = np.linalg.norm(loading, axis=1)
    unit = 1 / np.maximum(sizes, _SMALLEST * sizes.max())
    for j in range(n):
        others = np.arange(n) != j
        y, X = W[others, j] * unit[others], loading[others] * unit[others, None]
        size = float(np.median(np.abs(y))) or 1.0
        weight, gamma = np.ones(len(y)), np.zeros(loading.shape[1])
        for power in (1.0, 1.5):
            for sweep in range(_SWEEPS):
                root = np.sqrt(weight)
                gamma = np.linalg.lstsq(X * root[:, None], y * root, rcond=1e-10)[0]
                floor = size * 10 ** (-6 * sweep / _SWEEPS)
                weight = np.maximum(np.abs(y - X @ gamma), floor) ** -power
        out[others, j] -= loading[others] @ gamma
    return out


__all__ = ["SHARED_LEAST", "shared_series", "without_common", "without_hidden"]
