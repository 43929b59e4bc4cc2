"""Architectures, data sets or any other groups of runs compared, with the run as the unit.

Layers of one run share their weights' history, so they are not independent observations. Every comparison here either
takes one number per run, or gives the runs random intercepts in a linear mixed model.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError, unknown
from ontogeny.statistics import (
    MOST_WAYS,
    adjust,
    bootstrap_interval,
    percentile_interval,
    permutation_test,
    sign_flip_test,
)


@checks_arguments
def jump_rates(jumps: pd.DataFrame, series: pd.DataFrame) -> pd.DataFrame:
    """Jumps per 1,000 measured points of every series, zeros included.

    `jumps` has the columns run, layer, metric (one row per jump). `series` lists all series that were searched: run,
    layer, metric, measurements, as `searched_series` gives them. Returned: those columns, jumps, rate.
    """
    keys = ["run", "layer", "metric"]
    need_columns(jumps, keys, "jumps")
    need_columns(series, [*keys, "measurements"], "series")
    counts = jumps.groupby(keys, observed=True).size().rename("jumps").reset_index()
    table = series.merge(counts, on=keys, how="left")
    table["jumps"] = table["jumps"].fillna(0).astype(int)
    return table.assign(rate=1000 * table["jumps"] / table["measurements"])


@checks_arguments
def searched_series(frame: pd.DataFrame, metrics: Sequence[str] | None = None, run_level: bool = False) -> pd.DataFrame:
    """All series of a tidy table: run, layer, metric, measurements, first_step, last_step, in the table's order."""
    from ontogeny.phase1 import RUN_LEVEL

    need_columns(frame, ["run", "layer", "metric", "step"], "the record's frame")
    if not run_level:
        frame = frame[frame["layer"] != RUN_LEVEL]
    if metrics is not None:
        frame = frame[frame["metric"].isin(metrics)]
    found = frame.groupby(["run", "layer", "metric"], sort=False, observed=True)["step"].agg(["size", "min", "max"])
    return found.reset_index().rename(columns={"size": "measurements", "min": "first_step", "max": "last_step"})


@checks_arguments
def compare_groups(
    table: pd.DataFrame,
    value: str,
    group: str,
    run: str = "run",
    block: str | None = None,
    n_resamples: int = 4999,
    seed: int = 0,
) -> pd.DataFrame:
    """All pairs of groups compared on run means: one row per pair.

    `table` has one row per observation (a layer, a series), with its `run` and the run's `group`; observations of a run
    are averaged first. With `block` (say the architecture, when `group` is the data set), runs are compared within
    blocks that hold both groups: means a block, differences, signs flipped. Otherwise run labels are permuted, with
    Welch's t as the statistic; exact when there are few enough ways, random (`n_resamples`) otherwise.

    Columns: a, b, runs_a, runs_b (blocks: n in both), mean_a, mean_b, difference (a - b), low, high (95% bootstrap
    over runs or blocks), hedges_g (Hedges 1981; blocked: of the differences), g_low, g_high (normal approximation),
    p_value (two-sided), p_least (the smallest that this number of runs can give), p_holm. Pairs without two runs a
    side have NaN there.
    """
    need_columns(table, [value, group, run, *([block] if block else [])], "the table")
    means = _run_means(table, value, group, run, block)
    rng = np.random.default_rng(seed)
    rows = []
    for a, b in combinations(dict.fromkeys(means[group]), 2):
        if block:
            rows.append(_blocked_pair(means, value, group, block, a, b, n_resamples, rng))
        else:
            x, y = (means.loc[means[group] == name, value].to_numpy() for name in (a, b))
            rows.append({"a": a, "b": b} | _free_pair(x, y, n_resamples, rng))
    columns = ["a", "b", "runs_a", "runs_b", "mean_a", "mean_b", "difference", "low", "high"]
    found = pd.DataFrame(rows, columns=[*columns, "hedges_g", "g_low", "g_high", "p_value", "p_least"])
    return found.assign(p_holm=adjust(found["p_value"]).p_values)


def _run_means(table: pd.DataFrame, value: str, group: str, run: str, block: str | None) -> pd.DataFrame:
    table = table[np.isfinite(table[value].astype(float))]
    keys = [group, *([block] if block else [])]
    per_run = table.groupby(run, sort=False, observed=True)[keys].nunique()
    for key in keys:
        mixed = per_run.index[per_run[key] > 1]
        if len(mixed):
            raise OntogenyError(f"run {mixed[0]!r} belongs to several values of {key!r}: each run needs one")
    return table.groupby([run, *keys], sort=False, observed=True)[value].mean().reset_index()


def _free_pair(x: np.ndarray, y: np.ndarray, n_resamples: int, rng: np.random.Generator) -> dict[str, Any]:
    row: dict[str, Any] = {"runs_a": len(x), "runs_b": len(y)}
    if len(x):
        row["mean_a"] = x.mean()
    if len(y):
        row["mean_b"] = y.mean()
    if min(len(x), len(y)) < 2:
        return row
    row["difference"] = x.mean() - y.mean()
    row["p_value"], row["p_least"] = permutation_test(x, y, n_resamples=n_resamples, seed=rng)
    boot = rng.choice(x, (n_resamples, len(x))).mean(axis=1) - rng.choice(y, (n_resamples, len(y))).mean(axis=1)
    row["low"], row["high"] = percentile_interval(boot)
    total = len(x) + len(y)
    pooled = np.sqrt(((len(x) - 1) * x.var(ddof=1) + (len(y) - 1) * y.var(ddof=1)) / (total - 2))
    if pooled > 0:
        g = (1 - 3 / (4 * total - 9)) * row["difference"] / pooled
        half = 1.96 * np.sqrt(total / (len(x) * len(y)) + g * g / (2 * total))
        row |= {"hedges_g": g, "g_low": g - half, "g_high": g + half}
    return row


def _blocked_pair(
    means: pd.DataFrame, value: str, group: str, block: str, a: Any, b: Any, n_resamples: int, rng: np.random.Generator
) -> dict[str, Any]:
    cells = means.groupby([block, group], sort=False, observed=True)[value].mean().unstack()
    paired = cells[[a, b]].dropna()
    x, y = paired[a].to_numpy(), paired[b].to_numpy()
    row: dict[str, Any] = {"a": a, "b": b, "runs_a": len(x), "runs_b": len(y)}
    if not len(x):
        return row
    row |= {"mean_a": x.mean(), "mean_b": y.mean()}
    if len(x) < 2:
        return row
    d = x - y
    row["difference"] = d.mean()
    row["p_value"] = sign_flip_test(d, n_resamples=n_resamples, seed=rng)
    row["p_least"] = 2.0 / 2 ** len(d) if 2 ** len(d) <= MOST_WAYS else 1 / (1 + n_resamples)
    row["low"], row["high"] = bootstrap_interval(d, n_resamples=n_resamples, seed=rng)
    if d.std(ddof=1) > 0:
        g = (1 - 3 / (4 * len(d) - 5)) * d.mean() / d.std(ddof=1)
        half = 1.96 * np.sqrt(1 / len(d) + g * g / (2 * len(d)))
        row |= {"hedges_g": g, "g_low": g - half, "g_high": g + half}
    return row


@checks_arguments
def mixed_model(
    table: pd.DataFrame, value: str, factors: Sequence[str], covariates: Sequence[str] = (), run: str = "run"
) -> pd.DataFrame:
    """A linear mixed model of `value` with a random intercept for each run: one row per term.

    `factors` are categories (each level against the first that appears), `covariates` numbers. Fitted by restricted
    maximum likelihood (statsmodels MixedLM); intervals and p-values of single levels are Wald's with the normal
    distribution. For each factor a row with `level` empty gives the joint Wald test with F; its denominator has
    runs - terms degrees of freedom, or observations - runs - terms for a factor that varies within runs.

    Columns: term, level, estimate, low, high, statistic, p_value, p_holm (over the joint tests and covariates),
    run_variance, residual_variance, runs, observations, method ('mixed', or 'run means' where the mixed model did not
    converge or no run has two rows: what then only varies within runs is NaN). No rows where there are too few runs
    for the terms, or nothing varies.
    """
    need_columns(table, [value, run, *factors, *covariates], "the table")
    columns = [value, run, *factors, *covariates]
    data = table[columns].copy()
    data[value] = data[value].astype(float)
    data = data[np.isfinite(data[[value, *covariates]].astype(float)).all(axis=1)]
    design, terms = _design(data, factors, covariates)
    runs = data[run].nunique()
    empty = pd.DataFrame(columns=_MODEL_COLUMNS)
    if runs <= design.shape[1] or np.linalg.matrix_rank(design) < design.shape[1] or data[value].nunique() < 2:
        return empty
    fit, method = _fit(data[value].to_numpy(), design, data[run].to_numpy())
    estimate, covariance, run_variance, residual_variance = fit
    from scipy import stats

    shared = {"run_variance": run_variance, "residual_variance": residual_variance, "runs": runs}
    shared |= {"observations": len(data), "method": method}
    rows = []
    for i, (term, level) in enumerate(terms):
        error = float(np.sqrt(covariance[i, i])) if covariance[i, i] >= 0 else np.nan
        z = estimate[i] / error if error > 0 else np.nan
        numbers = {"estimate": estimate[i], "low": estimate[i] - 1.96 * error, "high": estimate[i] + 1.96 * error}
        rows.append(
            {"term": term, "level": level, **numbers, "statistic": z, "p_value": 2 * stats.norm.sf(abs(z)), **shared}
        )
    for factor in factors:
        at = [i for i, (term, _) in enumerate(terms) if term == factor and np.isfinite(estimate[i])]
        if at:
            b, v = estimate[at], covariance[np.ix_(at, at)]
            f = float(b @ np.linalg.pinv(v) @ b) / len(at)
            within = data.groupby(run, observed=True)[factor].nunique().max() > 1
            freedom = (len(data) - runs if within else runs) - design.shape[1]
            p = float(stats.f.sf(f, len(at), max(freedom, 1)))
            rows.append({"term": factor, "level": "", "statistic": f, "p_value": p, **shared})
    found = pd.DataFrame(rows, columns=_MODEL_COLUMNS)
    tested = (found["level"] == "") & (found["term"] != "intercept")
    found.loc[tested, "p_holm"] = adjust(found.loc[tested, "p_value"]).p_values
    return found


_MODEL_COLUMNS = ["term", "level", "estimate", "low", "high", "statistic", "p_value", "p_holm"] + [
    "run_variance",
    "residual_variance",
    "runs",
    "observations",
    "method",
]


def _design(
    data: pd.DataFrame, factors: Sequence[str], covariates: Sequence[str]
) -> tuple[np.ndarray, list[tuple[str, str]]]:
    columns, terms = [np.ones(len(data))], [("intercept", "")]
    for factor in factors:
        for level in list(dict.fromkeys(data[factor]))[1:]:
            columns.append((data[factor] == level).to_numpy(float))
            terms.append((factor, str(level)))
    for name in covariates:
        columns.append(data[name].to_numpy(float))
        terms.append((name, ""))
    return np.column_stack(columns), terms


def _fit(y: np.ndarray, design: np.ndarray, runs: np.ndarray) -> tuple[tuple, str]:
    """Estimates, their covariance, run and residual variance; and how they were found."""
    codes = pd.factorize(runs)[0]
    if np.bincount(codes).max() > 1:
        from statsmodels.regression.mixed_linear_model import MixedLM

        scale = y.std()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for method in ("bfgs", "powell", "nm"):
                try:
                    fit = MixedLM(y / scale, design, groups=codes).fit(reml=True, method=[method])
                    k = design.shape[1]
                    covariance = np.asarray(fit.cov_params())[:k, :k] * scale**2
                    between = float(np.asarray(fit.cov_re)[0, 0]) * scale**2
                except (np.linalg.LinAlgError, ValueError):
                    continue
                if fit.converged and np.isfinite(covariance).all() and (np.diag(covariance) > 0).all():
                    estimate = np.asarray(fit.fe_params) * scale
                    return (estimate, covariance, between, float(fit.scale) * scale**2), "mixed"
    counts = np.bincount(codes)
    means = np.array([np.bincount(codes, weights=column) / counts for column in (y, *design.T)])
    target, matrix = means[0], means[1:].T
    kept = [0] + [i for i in range(1, matrix.shape[1]) if np.ptp(matrix[:, i]) > 1e-9]
    estimate, covariance = np.full(matrix.shape[1], np.nan), np.full((matrix.shape[1],) * 2, np.nan)
    matrix = matrix[:, kept]
    estimate[kept], *_ = np.linalg.lstsq(matrix, target, rcond=None)
    rest = target - matrix @ estimate[kept]
    variance = float(rest @ rest) / max(len(target) - matrix.shape[1], 1)
    covariance[np.ix_(kept, kept)] = variance * np.linalg.pinv(matrix.T @ matrix)
    return (estimate, covariance, variance, np.nan), "run means"


def need_columns(table: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Raise OntogenyError, with the nearest name, for the first of `columns` that a table does not have."""
    known = getattr(table, "columns", None)
    if known is None:
        raise OntogenyError(f"{what}: a table is expected, not {type(table).__name__}")
    for name in columns:
        if name not in known:
            raise unknown("column", name, map(str, known), what)
