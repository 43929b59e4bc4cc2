"""Recovered functions as short sums of named ones, found by exhaustive sparse regression.

The dictionary is small, so every subset of up to four terms is tried. Greedy selection only approximates that, and
misses here: for -u + tanh(u) on -3..3, orthogonal matching pursuit takes u^3 and sin(u) (R2 0.991), as no single
term is like the function. Errors are cross-validated over neurons (of one function alone, over points).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

from ontogeny.arguments import Reals, checks_arguments
from ontogeny.connectome.metrics import cluster_functions, find_types, function_range, match_clusters
from ontogeny.connectome.outcome import Recovery, check_recovery
from ontogeny.connectome.simulate import Activity
from ontogeny.connectome.wiring import connectivity_r2
from ontogeny.errors import OntogenyError
from ontogeny.statistics import percentile_interval

DICTIONARY: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "u": lambda u: u,
    "tanh(u)": np.tanh,
    "u^2": np.square,
    "u^3": lambda u: u**3,
    "sin(u)": np.sin,
    "cos(u)": np.cos,
    "relu(u)": lambda u: np.maximum(u, 0),
    "exp(-u^2)": lambda u: np.exp(-(u**2)),
}
"""Terms that a function may be a sum of, besides a constant."""

_FOLDS = 5
_TOLERANCE = 1e-3


@checks_arguments
def symbolic_form(
    u: Reals, values: Reals, most: int = 4, n_resamples: int = 200, confidence: float = 0.95, seed: int = 0
) -> tuple[pd.DataFrame, float]:
    """The shortest sum of `DICTIONARY` terms and a constant that gives `values` (points, functions) at `u` (points,).

    Chosen is the subset with the fewest terms whose cross-validated squared error is at most 0.1% of the variance, or
    at most twice that of the best subset of up to `most` terms; among equally many terms, the one of the least error.
    Error is measured on functions left out, five folds; of fewer than five functions, on points left out.

    Returns a table (term, coefficient, low, high; the constant is the term "1") and the cross-validated R2. Intervals
    at `confidence` are percentiles over `n_resamples` bootstrap samples of the functions (of the residuals, for fewer
    than five). Raises OntogenyError for fewer than five points, and for values of other points.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    u, values = np.asarray(u, np.float64), np.asarray(values, np.float64)
    if u.ndim != 1 or len(u) < _FOLDS or values.shape[:1] != u.shape or not values.size:
        raise OntogenyError(
            f"u (points,), of at least {_FOLDS} points, and values (points, functions) are expected, not {u.shape} and "
            f"{values.shape}"
        )
    values = values.reshape(len(u), -1)
    terms = {name: term(u) for name, term in DICTIONARY.items()}
    spread = float(((values - values.mean(0)) ** 2).mean())
    if spread == 0:
        return pd.DataFrame([{"term": "1", "coefficient": float(values.mean()), "low": np.nan, "high": np.nan}]), 1.0
    several = values.shape[1] >= _FOLDS
    folds = list(KFold(_FOLDS, shuffle=True, random_state=seed).split(values.T if several else values))

    def matrix(names: tuple[str, ...]) -> np.ndarray:
        return np.stack([*(terms[name] for name in names), np.ones(len(u))], axis=1)

    def solve(X: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.linalg.lstsq(X, y, rcond=None)[0]

    def error(names: tuple[str, ...]) -> float:
        X = matrix(names)
        total = 0.0
        for train, test in folds:
            if several:
                total += ((values[:, test] - X @ solve(X, values[:, train].mean(1, keepdims=True))) ** 2).sum()
            else:
                total += ((values[test] - X[test] @ solve(X[train], values[train])) ** 2).sum()
        return float(total) / values.size / spread

    best = {
        size: min(((error(names), names) for names in combinations(terms, size)), key=lambda found: found[0])
        for size in range(1, most + 1)
    }
    bar = max(_TOLERANCE, 2 * min(found[0] for found in best.values()))
    left, names = next(found for found in best.values() if found[0] <= bar)
    X, middle = matrix(names), values.mean(1)
    found = solve(X, middle)
    if several:
        members = rng.integers(values.shape[1], size=(n_resamples, values.shape[1]))
        targets = values[:, members].mean(2)
    else:
        targets = (X @ found)[:, None] + rng.choice(middle - X @ found, (len(u), n_resamples))
    low, high = percentile_interval(solve(X, targets), confidence, axis=1)
    return pd.DataFrame({"term": [*names, "1"], "coefficient": found, "low": low, "high": high}), 1 - left


@checks_arguments
def symbolic_functions(result: Recovery, truth: Activity, seed: int = 0) -> tuple[pd.DataFrame, str]:
    """psi, and phi of every recovered type, as sums of named functions (see `symbolic_form`).

    Types are those of clustered functions: as many as there truly are, under the true names that match best; where the
    truth is not known, those of `find_types`. psi is in the true scale where W is known, and has root mean square 1
    over the data otherwise.

    Raises OntogenyError for what is no fit and no activity.

    Returns a table (function, type, neurons, term, coefficient, low, high, R2) and one line that says it all, also
    where a formula describes its function poorly (R2 below 0.9), or worse than a constant does (below 0).
    """
    check_recovery(result)
    u = function_range(truth)
    phi = result.phi(u)
    if truth.types is None:
        types = find_types(phi, seed=seed)
    else:
        found = cluster_functions(phi, int(truth.types.max()) + 1, seed)
        types = match_clusters(found, truth.types)[1][found]
    scale = connectivity_r2(result.W, truth.weights)["slope"] if truth.W is not None else 1.0
    parts = [("psi", "", 0, (scale or 1.0) * result.psi(u)[:, None])]
    parts += [("phi", kind, int((types == kind).sum()), phi[:, types == kind]) for kind in np.unique(types)]
    tables, words = [], []
    for function, kind, neurons, values in parts:
        table, r2 = symbolic_form(u, values, seed=seed)
        table.insert(0, "neurons", neurons)
        table.insert(0, "type", kind)
        table.insert(0, "function", function)
        tables.append(table.assign(R2=r2))
        words.append(f"{function}{kind} {equation(table, r2)}")
    return pd.concat(tables, ignore_index=True), "; ".join(words)


_FITS = 0.9


def equation(table: pd.DataFrame, r2: float) -> str:
    """What is said of a function whose best sum is `table`, by the cross-validated `r2`."""
    if r2 < 0:
        return f"has no formula: the best sum found, {as_text(table)}, is worse than a constant (R2 {r2:.4f})"
    if r2 < _FITS:
        return f"is poorly described by {as_text(table)} (R2 {r2:.4f})"
    return f"= {as_text(table)} (R2 {r2:.4f})"


def as_text(table: pd.DataFrame) -> str:
    """The sum that `symbolic_form` found, as text; a constant below 1% of the largest coefficient is left out."""
    largest = float(table["coefficient"].abs().max())
    text = ""
    for term, value in zip(table["term"], table["coefficient"]):
        if term == "1" and abs(value) < 0.01 * largest:
            continue
        sign = (" - " if value < 0 else " + ") if text else ("-" if value < 0 else "")
        text += f"{sign}{abs(value):.3f}" + ("" if term == "1" else f" {term}")
    return text or "0"


__all__ = ["DICTIONARY", "as_text", "symbolic_form", "symbolic_functions"]
