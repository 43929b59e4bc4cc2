"""What simpler methods make of the same activity: the wiring they find, and what they predict of frames held out.

Each regresses du/dt on functions of the activity that are stated beforehand, receiver by receiver:

    VAR      1 and u_j of every neuron: a vector autoregression of order one, in continuous time
    library  1, u_i, u_i^2, u_i^3, tanh(u_i) of the receiver; u_j and tanh(u_j) of every other neuron

by least squares (`VAR`, `OLS`), with an L1 penalty (`lasso`; Tibshirani 1996) whose weight is chosen on a tenth of the
training frames, or with coefficients below a threshold set to 0 in turns (`SINDy`; Brunton et al. 2016, by pysindy
where that is installed). Recorded activity is first divided by its root mean square, since its unit is not known.
"""

from __future__ import annotations

import importlib.util
import math
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from ontogeny.arguments import checks_arguments
from ontogeny.connectome.observe import split_frames
from ontogeny.connectome.simulate import Activity
from ontogeny.connectome.wiring import connectivity_r2

COLUMNS = ("method", "held_out_error", "connectivity_R2")

_MOST_FRAMES = 10_000
_MOST_NEURONS = 100
"""More neurons than this, and the lasso and SINDy, which take a minute or more then, are left out."""

_PENALTIES = (1e-4, 1e-3, 1e-2)
_AS_GOOD = 1.1
_NEGLIGIBLE = 1e-4

Solver = Callable[[np.ndarray, np.ndarray], np.ndarray]


@checks_arguments
def baseline_table(activity: Activity, seed: int = 0) -> pd.DataFrame:
    """One row per method: `held_out_error` (mean square error over the variance of du/dt, on the frames that
    `split_frames` holds out with `seed`, as for a fit) and `connectivity_R2` of the wiring that it finds.

    The wiring of a library is, for each pair, the least-squares slope of the sender's message on tanh(u_j). R2 is
    empty where the true W is not known, and both are for the lasso and SINDy beyond 100 neurons, which are left out.

    Raises OntogenyError for what is no activity, and a seed that is none.
    """
    u = activity.u.astype(np.float64)
    n = u.shape[2]
    if activity.params is None:
        u = u / (math.sqrt(float(np.mean(u**2))) or 1.0)
    slope = activity.du.astype(np.float64)
    if activity.input is not None:
        slope = slope - activity.input
    split = split_frames(u.shape[0], u.shape[1], seed)
    (x, y), (z, target) = ((_thin(u[rows]), _thin(slope[rows])) for rows in (split.train, split.held))
    variance = float(np.mean((target - target.mean(0)) ** 2)) or 1.0

    def row(method: str, predicted: np.ndarray | None, W: np.ndarray | None) -> dict[str, float | str]:
        error = math.nan if predicted is None else float(np.mean((predicted - target) ** 2)) / variance
        known = W is not None and activity.W is not None
        r2 = connectivity_r2(W, activity.weights)["connectivity_R2"] if known and W is not None else math.nan
        return {"method": method, "held_out_error": error, "connectivity_R2": r2}

    linear = _least_squares(np.c_[np.ones(len(x)), x], y)
    rows = [row("VAR", np.c_[np.ones(len(z)), z] @ linear, linear[1:].T)]
    rows.append(row("OLS", *_ordinary(x, y, z)))
    solvers: dict[str, Solver] = {"lasso": _lasso}
    if importlib.util.find_spec("pysindy") is not None:
        solvers["SINDy"] = _sindy
    for name, solver in solvers.items():
        if n > _MOST_NEURONS:
            rows.append(row(name, None, None))
            continue
        predicted, W = np.empty_like(target), np.zeros((n, n))
        for i in range(n):
            others = np.delete(np.arange(n), i)
            found = solver(_library(x, i, others), y[:, i])
            predicted[:, i] = _library(z, i, others) @ found
            straight, bent = found[5 : 4 + n], found[4 + n :]
            W[i, others] = straight * _slopes_on_tanh(x[:, others]) + bent
        rows.append(row(name, predicted, W))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def as_good(table: pd.DataFrame, error: float) -> str:
    """A sentence on whether a baseline predicts held-out frames as well as a fit of that held-out `error` does.

    As well means within a tenth, or both below a ten-thousandth of the variance.
    """
    usable = table.dropna(subset=["held_out_error"])
    if usable.empty or not math.isfinite(error):
        return ""
    best = usable.loc[usable["held_out_error"].idxmin()]
    least = float(best["held_out_error"])
    good = least <= max(_AS_GOOD * error, _NEGLIGIBLE)
    r2 = float(best["connectivity_R2"])
    wiring = f", wiring R2 {r2:.4f}" if math.isfinite(r2) else ""
    numbers = f"held-out error {least:.2g} of the variance against {error:.2g}{wiring}"
    if good:
        return f"{best['method']} predicts frames held out as well as the fit does ({numbers})"
    return f"no baseline predicts frames held out as well as the fit does (the best is {best['method']}: {numbers})"


def _thin(rows: np.ndarray) -> np.ndarray:
    return rows[:: max(1, -(-len(rows) // _MOST_FRAMES))]


def _library(u: np.ndarray, i: int, others: np.ndarray) -> np.ndarray:
    own = u[:, i]
    return np.column_stack([np.ones(len(u)), own, own**2, own**3, np.tanh(own), u[:, others], np.tanh(u[:, others])])


def _slopes_on_tanh(u: np.ndarray) -> np.ndarray:
    """The slope of u on tanh(u), column by column."""
    fired = np.tanh(u) - np.tanh(u).mean(0)
    return (fired * u).sum(0) / np.maximum((fired**2).sum(0), 1e-300)


def _ordinary(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The library by least squares: predictions at the states `z`, and the wiring."""
    n = x.shape[1]

    def shared(u: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones(len(u)), u, np.tanh(u)])

    X, Z = shared(x), shared(z)
    size = np.sqrt(np.mean(X**2, axis=0)) + 1e-300
    X, Z = X / size, Z / size
    gram = X.T @ X
    gram[np.diag_indices_from(gram)] += 1e-10 * len(X)
    inverse = np.linalg.inv(gram)
    direct = inverse @ (X.T @ y)
    own = np.stack([x**2, x**3])
    scale = np.sqrt(np.mean(own**2, axis=1)) + 1e-300
    own /= scale[:, None]
    cross = X.T @ own
    through = inverse @ cross
    left = np.einsum("ati,bti->iab", own, own) - np.einsum("api,bpi->iab", cross, through)
    left += 1e-10 * len(X) * np.eye(2)
    right = np.einsum("ati,ti->ia", own, y) - np.einsum("api,pi->ia", cross, direct)
    extra = np.linalg.solve(left, right[:, :, None])[:, :, 0]
    found = direct - np.einsum("api,ia->pi", through, extra)
    predicted = Z @ found + np.einsum("ati,ia->ti", np.stack([z**2, z**3]) / scale[:, None], extra)
    found = found / size[:, None]
    W = (found[1 : n + 1] * _slopes_on_tanh(x)[:, None] + found[n + 1 :]).T
    np.fill_diagonal(W, 0)
    return predicted, W


def _least_squares(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    size = np.sqrt(np.mean(X**2, axis=0)) + 1e-300
    scaled = X / size
    gram = scaled.T @ scaled
    gram[np.diag_indices_from(gram)] += 1e-10 * len(X)
    found = np.linalg.solve(gram, scaled.T @ y)
    return found / (size if found.ndim == 1 else size[:, None])


def _lasso(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import Lasso

    size = X.std(0)
    size[size == 0] = 1.0
    scaled, cut = X / size, len(X) - len(X) // 10
    spread = float(y.std()) or 1.0

    def solved(rows: slice, penalty: float) -> np.ndarray:
        model = Lasso(penalty * spread, fit_intercept=False, precompute=True, max_iter=2000, tol=1e-3)
        return np.asarray(model.fit(scaled[rows], y[rows]).coef_)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        errors = [float(np.mean((scaled[cut:] @ solved(slice(cut), p) - y[cut:]) ** 2)) for p in _PENALTIES]
        return solved(slice(None), _PENALTIES[int(np.argmin(errors))]) / size


def _sindy(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    import pysindy

    size = X.std(0)
    size[size == 0] = 1.0
    spread = float(y.std()) or 1.0
    model = pysindy.STLSQ(threshold=0.01 * spread, alpha=1e-8)
    return np.asarray(model.fit(X / size, y[:, None]).coef_)[0] / size


__all__ = ["COLUMNS", "as_good", "baseline_table"]
