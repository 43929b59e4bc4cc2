"""Across all jumps of a study: which kinds of change go with which architecture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ontogeny.arguments import checks_arguments
from ontogeny.jumps.plan import EVENTS
from ontogeny.statistics import adjust, percentile_interval, resampling_p_value, sign_flip_test

ALL = "all"
_DRAWS = 9999


def pairs_of_study(tables: Mapping[str, pd.DataFrame], architectures: Mapping[str, str]) -> pd.DataFrame:
    """One row per jump and quantity: its mean size over layers at the jump, and at the matched controls of it.

    tables: run to its table of `against_controls`. architectures: run to the name of its architecture. Columns:
    architecture, run, jump, family, quantity, layers, at_jump, at_control (means over layers of |change|),
    difference, and log2_ratio of the two (NaN if one of them is 0).
    """
    parts = []
    for run, table in tables.items():
        jumps = table[table["kind"].isin(EVENTS) & (table["controls"].fillna(0) > 0)]
        sizes = jumps.assign(at_jump=jumps["change"].abs(), at_control=jumps["control"].abs())
        sizes = sizes[np.isfinite(sizes["at_jump"]) & np.isfinite(sizes["at_control"])]
        keys = ["step", "family", "quantity"]
        mean = sizes.groupby(keys, sort=False)[["at_jump", "at_control"]].mean()
        mean.insert(0, "layers", sizes.groupby(keys, sort=False).size())
        parts.append(
            mean.reset_index().rename(columns={"step": "jump"}).assign(run=run, architecture=architectures[run])
        )
    columns = ["architecture", "run", "jump", "family", "quantity", "layers", "at_jump", "at_control"]
    pairs = pd.concat(parts, ignore_index=True).reindex(columns=columns) if parts else pd.DataFrame(columns=columns)
    one, two = (pairs[name].to_numpy(dtype=np.float64) for name in ("at_jump", "at_control"))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((one > 0) & (two > 0), np.log2(one / two), np.nan)
    return pairs.assign(difference=one - two, log2_ratio=ratio)


@checks_arguments
def changes_of_study(
    tables: Mapping[str, pd.DataFrame], architectures: Mapping[str, str], n_resamples: int = 1000, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Which quantities change more at jumps than at matched controls, by architecture and over all of them.

    tables, architectures: as in `pairs_of_study`, whose table is the second returned. The first has one row per
    quantity and architecture (`all`: all together): family, quantity, architecture, runs, jumps; at_jump, at_control
    (means); difference with low and high (95 % percentile bootstrap over runs, and over the jumps within a run; NaN
    with one jump); ratio (geometric mean of jump / control); p_value of the test that exchanges jump and control in
    every pair (two-sided; all ways up to 14 pairs, 9,999 draws beyond), so that a pair is only ever compared within its
    run; p_adjusted (Holm over the architectures' rows, and over the rows `all` apart); and, in the rows `all`,
    between_p_value: whether the log ratio differs between architectures, by permuting whole runs (their means; between
    groups sum of squares), with between_p_adjusted (Holm). It needs two architectures of two runs or more.

    A mixed-effects model is not fitted: with a few jumps per run its variances are not identified, and the exchange
    test is exact whatever their distribution. Pairs of one run share its history; the test holds given the runs, and
    says nothing about other runs where there is one. Source: Edgington and Onghena (2007), Randomization Tests, ch. 6.
    """
    pairs = pairs_of_study(tables, architectures)
    names = list(dict.fromkeys(architectures.values()))
    rows = []
    for (family, quantity), group in pairs.groupby(["family", "quantity"], sort=False):
        for name in (*names, ALL):
            part = group if name == ALL else group[group["architecture"] == name]
            if part.empty:
                continue
            difference = part["difference"].to_numpy()
            low, high = _interval(part, n_resamples, seed)
            logs = part["log2_ratio"].dropna()
            rows.append(
                {"family": family, "quantity": quantity, "architecture": name, "runs": part["run"].nunique(),
                 "jumps": len(part), "at_jump": part["at_jump"].mean(), "at_control": part["at_control"].mean(),
                 "difference": difference.mean(), "low": low, "high": high,
                 "ratio": 2 ** logs.mean() if len(logs) else np.nan, "p_value": sign_flip_test(difference, seed=seed),
                 "between_p_value": _between(group, seed) if name == ALL else np.nan}
            )  # fmt: skip
    columns = ["family", "quantity", "architecture", "runs", "jumps", "at_jump", "at_control", "difference", "low",
               "high", "ratio", "p_value", "between_p_value"]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns)
    together = table["architecture"] == ALL
    table.insert(12, "p_adjusted", np.nan)
    for rows_of in (together, ~together):
        table.loc[rows_of, "p_adjusted"] = adjust(table.loc[rows_of, "p_value"]).p_values
    return table.assign(between_p_adjusted=adjust(table["between_p_value"]).p_values), pairs


def _interval(part: pd.DataFrame, n_resamples: int, seed: int) -> tuple[float, float]:
    """Bootstrap of runs, and of jumps within each drawn run."""
    if len(part) < 2:
        return np.nan, np.nan
    generator = np.random.default_rng(seed)
    runs = [each.to_numpy() for _, each in part.groupby("run", sort=False)["difference"]]
    means = np.empty(n_resamples)
    for k in range(n_resamples):
        drawn = [runs[i] for i in generator.integers(len(runs), size=len(runs))]
        means[k] = np.concatenate([each[generator.integers(len(each), size=len(each))] for each in drawn]).mean()
    low, high = percentile_interval(means)
    return float(low), float(high)


def _between(group: pd.DataFrame, seed: int) -> float:
    known = group.dropna(subset=["log2_ratio"])
    by_run = known.groupby("run", sort=False).agg(value=("log2_ratio", "mean"), name=("architecture", "first"))
    sizes = by_run["name"].value_counts()
    by_run = by_run[by_run["name"].isin(sizes[sizes >= 2].index)]
    if by_run["name"].nunique() < 2:
        return np.nan
    codes, values = pd.factorize(by_run["name"])[0], by_run["value"].to_numpy()
    values = values - values.mean()
    one_hot = np.eye(codes.max() + 1)[codes]
    size = one_hot.sum(axis=0)
    generator = np.random.default_rng(seed)
    shuffled = generator.permuted(np.tile(values, (_DRAWS, 1)), axis=1)
    spread = ((shuffled @ one_hot) ** 2 / size).sum(axis=1)
    return resampling_p_value(float(((values @ one_hot) ** 2 / size).sum()), spread)
