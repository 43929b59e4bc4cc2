"""Circuits across seeds and regularisers: tables for each seed and condition, paired effects, representative runs.

Everything starts from a *history*, a table with one row for each condition, seed and epoch:

    condition, candidates, seed, epoch, circuits, sparsity, train_loss, val_loss, converged

`candidates` says among which candidates circuits were counted ("all", or "published", which leaves out those that use
every hidden neuron); counts of the two are never mixed. `circuits` is the number of perfect circuits (summed over
outputs), `sparsity` their mean node sparsity (NaN where there are none), `converged` the outcome of the whole run.
`ensemble_history` makes it from trained ensembles and `read_histories` from published convergence files; several are
joined with `pandas.concat`.
"""

from __future__ import annotations

import ast
import io
import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ontogeny.circuits.settings import DEFAULTS, GivenSettings, complete_settings
from ontogeny.circuits.tracking import schedule
from ontogeny.errors import OntogenyError, unknown
from ontogeny.files import read_text
from ontogeny.statistics import adjust, bootstrap_interval, proportion_interval, sign_flip_test

COLUMNS = ("condition", "candidates", "seed", "epoch", "circuits", "sparsity", "train_loss", "val_loss", "converged")
MEASURES = ("circuits", "sparsity", "first_circuit", "epochs")
"""What is compared: the last count, the last mean sparsity, the epoch of the first circuit, the epochs trained."""


def ensemble_history(
    result: Any,
    condition: str,
    settings: GivenSettings = DEFAULTS,
    *,
    epochs: Iterable[int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Count the perfect circuits of an ensemble through training, on each seed's own validation rows.

    `result` is an `ontogeny.training.ensemble.EnsembleResult`; `settings` holds candidates, accuracy_threshold,
    min_sparsity and convergence_frequency, which decides the epochs unless `epochs` lists them; a seed's last epoch is
    always among them. `progress(done, seeds)` is called after each seed.
    """
    settings = complete_settings(settings)
    from ontogeny.circuits import count_circuits

    lengths = np.diff(result.offsets)
    frame = result.frame().assign(condition=condition, candidates=settings.candidates, circuits=0, sparsity=np.nan)
    frame["converged"] = np.repeat(result.converged, lengths)
    last = frame.epoch == np.repeat(result.n_epochs, lengths)
    chosen = schedule(int(result.n_epochs.max()), settings.convergence_frequency) if epochs is None else list(epochs)
    keep = last | frame.epoch.isin([int(epoch) for epoch in chosen])
    circuits, sparsity = np.zeros(len(frame), dtype=np.int64), np.full(len(frame), np.nan)
    n_outputs = len(result.settings.gates)
    for done, seed in enumerate(result.seeds, start=1):
        rows = result.rows(int(seed))
        data = result.data(int(seed)).validation
        for row in range(rows.start, rows.stop):
            if not keep[row]:
                continue
            total, weighted = 0, 0.0
            for output in range(n_outputs):
                weights, biases = result.network(int(seed), row - rows.start, output)
                found = count_circuits(
                    weights,
                    biases,
                    data.x,
                    data.y[:, output : output + 1],
                    candidates=settings.candidates,
                    accuracy_threshold=settings.accuracy_threshold,
                    activation=result.settings.activation,
                    min_sparsity=settings.min_sparsity,
                )
                total += int(found.count)
                if found.count:
                    weighted += int(found.count) * found.mean_sparsity.node
            circuits[row] = total
            sparsity[row] = weighted / total if total else np.nan
        if progress is not None:
            progress(done, len(result.seeds))
    frame["circuits"], frame["sparsity"] = circuits, sparsity
    return frame.loc[keep, list(COLUMNS)].reset_index(drop=True)


_NAME = re.compile(r"seed(\d+)")
_NUMPY = re.compile(r"np\.float64\(([^()]*)\)")


def read_histories(paths: Iterable[str | os.PathLike], condition: str | None = None) -> pd.DataFrame:
    """A history from published `convergence_*.csv` files; the seed is the one in each file's name.

    Without `condition` it is named after the regulariser in the file ("baseline", "L1 0.001", "L2 0.0005",
    "dropout 0.01"). Published files exist for runs that converged, so `converged` is true. Raises OntogenyError
    for a name without a seed and a file without the columns.
    """
    frames = []
    for path in map(Path, paths):
        found = _NAME.search(path.name)
        if found is None:
            raise OntogenyError(f"{path} has no seed in its name: a name is like convergence_k3_seed0_...")
        try:
            table = pd.read_csv(io.StringIO(read_text(path)))
            sparsity = [_mean_sparsity(c, s) for c, s in zip(table["circuit_counts"], table["avg_sparsities"])]
            frame = pd.DataFrame(
                {
                    "condition": condition or _regulariser(table.iloc[0]),
                    "candidates": "published",
                    "seed": int(found[1]),
                    "epoch": table["epoch"].astype(np.int64),
                    "circuits": table["total_circuits"].astype(np.int64),
                    "sparsity": sparsity,
                    "train_loss": table.get("train_loss", np.nan),
                    "val_loss": table.get("val_loss", np.nan),
                    "converged": True,
                }
            )
        except (KeyError, ValueError, SyntaxError, TypeError, IndexError, pd.errors.ParserError) as error:
            raise OntogenyError(f"{path} is not a convergence table: {error}") from None
        frames.append(frame)
    if not frames:
        raise OntogenyError("no convergence files were given")
    return pd.concat(frames, ignore_index=True)


def _mean_sparsity(counts: str, sparsities: str) -> float:
    numbers = np.array(ast.literal_eval(counts), dtype=float)
    values = np.array(ast.literal_eval(_NUMPY.sub(r"\1", sparsities)), dtype=float)
    return float(numbers @ values / numbers.sum()) if numbers.sum() > 0 else math.nan


def _regulariser(row: pd.Series) -> str:
    parts = [
        f"{label} {row[key]:g}"
        for key, label in (("l1_lambda", "L1"), ("l2_lambda", "L2"), ("dropout_rate", "dropout"))
        if row.get(key, 0) > 0
    ]
    return ", ".join(parts) or "baseline"


def check_history(history: pd.DataFrame) -> pd.DataFrame:
    """`history`, sorted by seed and epoch within each condition (conditions keep their order of appearance).

    Raises OntogenyError for missing columns, an empty table, mixed candidates, and a row that appears twice.
    """
    missing = [column for column in COLUMNS if column not in history]
    if missing:
        raise OntogenyError(f"the history lacks the column {missing[0]}: it needs {', '.join(COLUMNS)}")
    if history.empty:
        raise OntogenyError("the history is empty: no seed was tracked")
    kinds = list(dict.fromkeys(history["candidates"]))
    if len(kinds) > 1:
        raise OntogenyError(
            f"the history mixes counts among {kinds[0]} and {kinds[1]} candidates: count all of it alike"
        )
    twice = history.duplicated(["condition", "seed", "epoch"])
    if twice.any():
        row = history[twice].iloc[0]
        raise OntogenyError(f"the history has epoch {row.epoch} of seed {row.seed} twice in condition {row.condition}")
    order = {condition: k for k, condition in enumerate(dict.fromkeys(history["condition"]))}
    return (
        history.assign(_order=history["condition"].map(order))
        .sort_values(["_order", "seed", "epoch"], kind="stable")
        .drop(columns="_order")
        .reset_index(drop=True)
    )


def seed_table(history: pd.DataFrame) -> pd.DataFrame:
    """One row for each condition and seed.

    Columns: candidates; converged; epochs (the last tracked); circuits and sparsity at that epoch; most_circuits;
    first_circuit (the first tracked epoch with a perfect circuit, NaN if there is none); train_loss and val_loss at
    the end.
    """
    history = check_history(history)
    groups = history.groupby(["condition", "seed"], sort=False)
    last = groups.tail(1).set_index(["condition", "seed"])
    first = history[history.circuits > 0].groupby(["condition", "seed"], sort=False).epoch.min()
    table = pd.DataFrame(
        {
            "candidates": last.candidates,
            "converged": last.converged.astype(bool),
            "epochs": last.epoch,
            "circuits": last.circuits,
            "sparsity": last.sparsity,
            "most_circuits": groups.circuits.max(),
            "first_circuit": first.reindex(last.index).astype(float),
            "train_loss": last.train_loss,
            "val_loss": last.val_loss,
        },
        index=last.index,
    )
    return table.reset_index()


def condition_table(
    seeds: pd.DataFrame, measures: Sequence[str] = MEASURES, confidence: float = 0.95, n_resamples: int = 5000
) -> pd.DataFrame:
    """One row for each condition and measure, over the seeds that converged.

    Columns: candidates, seeds, converged, converged_share with its Wilson interval (share_low, share_high); n (seeds
    with a value), mean, sd (of the sample), median, quartile_low, quartile_high, and the percentile bootstrap interval
    of the mean (mean_low, mean_high; fixed random seed). NaN where there are too few values.
    """
    _check_measures(measures)
    rows = []
    for condition, group in seeds.groupby("condition", sort=False):
        good = int(group.converged.sum())
        share_low, share_high = proportion_interval(good, len(group), confidence)
        for measure in measures:
            values = group.loc[group.converged, measure].dropna().to_numpy(float)
            low, high = bootstrap_interval(values, np.mean, confidence, n_resamples)
            quartiles = np.percentile(values, [25, 75]) if len(values) else (math.nan, math.nan)
            rows.append(
                {
                    "condition": condition,
                    "candidates": group.candidates.iloc[0],
                    "measure": measure,
                    "seeds": len(group),
                    "converged": good,
                    "converged_share": good / len(group),
                    "share_low": share_low,
                    "share_high": share_high,
                    "n": len(values),
                    "mean": values.mean() if len(values) else math.nan,
                    "mean_low": low,
                    "mean_high": high,
                    "sd": values.std(ddof=1) if len(values) > 1 else math.nan,
                    "median": np.median(values) if len(values) else math.nan,
                    "quartile_low": quartiles[0],
                    "quartile_high": quartiles[1],
                }
            )
    return pd.DataFrame(rows)


def compare_conditions(
    seeds: pd.DataFrame,
    baseline: str | None = None,
    measures: Sequence[str] = MEASURES,
    confidence: float = 0.95,
    n_resamples: int = 5000,
) -> pd.DataFrame:
    """Every other condition against `baseline` (the first, if None), paired on the seeds that both have.

    A measure is compared on the seeds that converged in both and have a value in both: `difference` is the mean of
    (condition - baseline), with its percentile bootstrap interval; `effect` is Cohen's d of the pairs (mean over
    standard deviation of the differences), with a bootstrap interval; `p_value` is the sign-flip test of the same mean
    difference, so that it agrees with the interval. The measure "converged" compares the shares that converged on all
    common seeds: its test is McNemar's exact one, its effect the odds ratio of the discordant pairs on a log scale (0.5
    added to each). `p_holm` corrects over the conditions, measure by measure (Holm 1979): conditions are what one
    chooses among. Rows with fewer than two pairs are NaN.

    Pairing shares initial weights and data order, so it removes most of the spread between seeds; conditioning on
    convergence in both can select seeds, which is why "converged" is reported beside it.

    Raises OntogenyError for a baseline that is none of the conditions.
    """
    _check_measures(measures)
    conditions = list(dict.fromkeys(seeds["condition"]))
    baseline = conditions[0] if baseline is None else baseline
    if baseline not in conditions:
        raise unknown("condition", baseline, conditions)
    base = seeds[seeds.condition == baseline].set_index("seed")
    rows = []
    for condition in conditions:
        if condition == baseline:
            continue
        other = seeds[seeds.condition == condition].set_index("seed")
        common = base.index.intersection(other.index)
        one, two = base.loc[common], other.loc[common]
        rows.append(
            {"condition": condition, "baseline": baseline, "measure": "converged"}
            | _paired_shares(one.converged.to_numpy(bool), two.converged.to_numpy(bool), confidence, n_resamples)
        )
        both = one.converged & two.converged
        for measure in measures:
            a, b = one.loc[both, measure].to_numpy(float), two.loc[both, measure].to_numpy(float)
            usable = ~(np.isnan(a) | np.isnan(b))
            rows.append(
                {"condition": condition, "baseline": baseline, "measure": measure}
                | _paired_values(a[usable], b[usable], confidence, n_resamples)
            )
    columns = [
        "condition",
        "baseline",
        "candidates",
        "measure",
        "pairs",
        "baseline_mean",
        "condition_mean",
        "difference",
    ]
    columns += ["difference_low", "difference_high", "effect", "effect_low", "effect_high", "p_value", "p_holm"]
    table = pd.DataFrame(rows, columns=[column for column in columns if column != "p_holm"])
    table["candidates"] = base.candidates.iloc[0]
    table["p_holm"] = math.nan
    for rows_of in table.groupby("measure").groups.values():
        table.loc[rows_of, "p_holm"] = adjust(table.loc[rows_of, "p_value"].astype(float)).p_values
    return table


def _check_measures(measures: Sequence[str]) -> None:
    known = (*MEASURES, "most_circuits", "train_loss", "val_loss")
    for measure in measures:
        if measure not in known:
            raise unknown("measure", measure, known)


def _paired_values(a: np.ndarray, b: np.ndarray, confidence: float, n_resamples: int) -> dict[str, float]:
    n = len(a)
    row = {"pairs": n, "baseline_mean": math.nan, "condition_mean": math.nan}
    if n < 2:
        return row
    differences = b - a
    low, high = bootstrap_interval(differences, np.mean, confidence, n_resamples)
    effect_low, effect_high = bootstrap_interval(differences, _cohen, confidence, n_resamples)
    p = float(sign_flip_test(differences, n_resamples=n_resamples))
    return row | {
        "baseline_mean": a.mean(),
        "condition_mean": b.mean(),
        "difference": differences.mean(),
        "difference_low": low,
        "difference_high": high,
        "effect": float(_cohen(differences)),
        "effect_low": effect_low,
        "effect_high": effect_high,
        "p_value": p,
    }


def _paired_shares(a: np.ndarray, b: np.ndarray, confidence: float, n_resamples: int) -> dict[str, float]:
    n = len(a)
    if n < 2:
        return {"pairs": n}
    gained, lost = int((b & ~a).sum()), int((a & ~b).sum())
    low, high = bootstrap_interval(b.astype(float) - a, np.mean, confidence, n_resamples)
    p = float(stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    log_odds = math.log((gained + 0.5) / (lost + 0.5))
    half = stats.norm.ppf(0.5 + confidence / 2) * math.sqrt(1 / (gained + 0.5) + 1 / (lost + 0.5))
    return {
        "pairs": n,
        "baseline_mean": a.mean(),
        "condition_mean": b.mean(),
        "difference": b.mean() - a.mean(),
        "difference_low": low,
        "difference_high": high,
        "effect": log_odds,
        "effect_low": log_odds - half,
        "effect_high": log_odds + half,
        "p_value": p,
    }


def _cohen(differences: np.ndarray, axis: int = -1) -> np.ndarray:
    spread = differences.std(axis=axis, ddof=1)
    mean = differences.mean(axis=axis)
    return np.divide(mean, spread, out=np.zeros_like(np.asarray(mean, float)), where=spread > 0)


def mean_curves(history: pd.DataFrame, measure: str = "circuits", confidence: float = 0.95) -> pd.DataFrame:
    """The mean over seeds at every epoch, for each condition; a seed that has stopped keeps its last value.

    Without that, late epochs would show the slow seeds alone. Columns: condition, epoch, mean, low, high (normal
    interval of the mean), n (seeds with a value), training (seeds not yet stopped). `measure` is circuits, sparsity,
    train_loss or val_loss.

    Raises OntogenyError for an unknown measure.
    """
    known = ("circuits", "sparsity", "train_loss", "val_loss")
    if measure not in known:
        raise unknown("measure", measure, known)
    history = check_history(history)
    half = stats.norm.ppf(0.5 + confidence / 2)
    frames = []
    for condition, group in history.groupby("condition", sort=False):
        held, training = _held(group, measure)
        values = held.to_numpy(float)
        n = (~np.isnan(values)).sum(axis=1)
        filled = np.where(np.isnan(values), 0.0, values)
        mean = np.divide(filled.sum(axis=1), n, out=np.full(len(n), np.nan), where=n > 0)
        squares = np.where(np.isnan(values), 0.0, (values - mean[:, None]) ** 2).sum(axis=1)
        error = np.sqrt(np.divide(squares, n * (n - 1), out=np.full(len(n), np.nan), where=n > 1))
        frames.append(
            pd.DataFrame(
                {
                    "condition": condition,
                    "epoch": held.index,
                    "mean": mean,
                    "low": mean - half * error,
                    "high": mean + half * error,
                    "n": n,
                    "training": training,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _held(group: pd.DataFrame, measure: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Values (epochs x seeds), each seed keeping its latest tracked one, and how many seeds were still training."""
    wide = group.pivot(index="epoch", columns="seed", values=measure).sort_index()
    tracked = group.assign(row=1).pivot(index="epoch", columns="seed", values="row").sort_index().notna().to_numpy()
    latest = np.maximum.accumulate(np.where(tracked, np.arange(len(wide))[:, None], -1), axis=0)
    values = np.where(latest >= 0, np.take_along_axis(wide.to_numpy(float), np.maximum(latest, 0), axis=0), np.nan)
    last = len(wide) - 1 - np.argmax(tracked[::-1], axis=0)
    training = (np.arange(len(wide))[:, None] <= last[None, :]).sum(axis=1)
    return pd.DataFrame(values, index=wide.index, columns=wide.columns), training


def representative_seeds(history: pd.DataFrame, measure: str = "circuits") -> pd.DataFrame:
    """The run to show of each condition, by rule: the converged seed nearest to the mean curve of those that converged.

    Distance is the root mean square over all epochs, a stopped seed keeping its last value; ties go to the lowest
    seed. Columns: condition, seed, distance, converged (how many did). A condition in which nothing converged
    chooses among all its seeds.
    """
    history = check_history(history)
    rows = []
    for condition, group in history.groupby("condition", sort=False):
        good = group[group.converged.astype(bool)]
        held, _ = _held(good if len(good) else group, measure)
        values = held.fillna(0.0).to_numpy(float)
        distance = np.sqrt(((values - values.mean(axis=1, keepdims=True)) ** 2).mean(axis=0))
        best = int(np.argmin(distance))
        rows.append(
            {
                "condition": condition,
                "seed": int(held.columns[best]),
                "distance": float(distance[best]),
                "converged": int(good.seed.nunique()),
            }
        )
    return pd.DataFrame(rows)
