"""Stages of development: stretches of training in which the learning coefficient rises, falls, or stays.

Hoogland et al. (2024) read stages off plateaus of the estimated coefficient, against the loss. Here a stretch counts as
rising or falling only where neighbouring estimates differ by more than their errors allow, corrected for their number.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.statistics import adjust

COLUMNS = ("stage", "direction", "start", "end", "llc_start", "llc_end", "standard_error", "loss_start", "loss_end")

WHOLE = "all"
"""The group of all parameters."""


def main_estimates(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `complexity_of_run` for all parameters at the localisation of the settings, one per step."""
    whole = table[table["group"] == WHOLE]
    return whole[whole["localisation"] == whole["localisation"].iloc[0]]


@checks_arguments
def find_stages(table: pd.DataFrame, alpha: float = 0.05, time: str = "step") -> pd.DataFrame:
    """The stages of one run: table with `time`, llc, standard_error and loss, one row per estimate, any order.

    Neighbouring estimates are compared by a two-sided z test, at a false discovery rate of `alpha`; neighbours with the
    same verdict join. A stretch in which neighbours do not differ may yet drift: it rises or falls where the slope of a
    line through its estimates differs from 0, at `alpha` in all of them together (Holm 1979). Chains that draw the same
    noise at every step make both tests conservative. Estimates that are NaN are left out. One row per stage: stage
    (from 1), direction (`rises`, `falls`, `stays`), start and end on the time axis, llc and loss at both, and the
    standard error of the change. Type II stages of the literature, in which the loss falls while the coefficient falls
    too, are those with direction `falls`.
    """
    from scipy.stats import norm

    lacking = [name for name in ("llc", "standard_error", time) if name not in table]
    if lacking:
        raise OntogenyError(f"the table lacks the columns {', '.join(lacking)}: give one of `complexity_of_run`")
    clean = table.dropna(subset=["llc", "standard_error"]).sort_values(time)
    if len(clean) < 2:
        return pd.DataFrame(columns=list(COLUMNS))
    llc, error = clean["llc"].to_numpy(float), clean["standard_error"].to_numpy(float)
    change, spread = np.diff(llc), np.hypot(error[1:], error[:-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(change == 0, 0.0, change / spread)
    rejected = adjust(2 * norm.sf(np.abs(z)), "bh").p_values <= alpha
    verdict = np.where(rejected, np.sign(change), 0).astype(int)
    flat = [(first, last) for first, last in _stretches(verdict) if verdict[first] == 0 and last - first > 1]
    if flat:
        slopes = [_slope(llc[first : last + 1], error[first : last + 1]) for first, last in flat]
        drifts = adjust(2 * norm.sf(np.abs(slopes)), "holm").p_values <= alpha
        for (first, last), slope, drift in zip(flat, slopes, drifts):
            verdict[first:last] = np.sign(slope) if drift else 0
    at, loss = clean[time].to_numpy(), clean["loss"].to_numpy(float)
    words = {1: "rises", 0: "stays", -1: "falls"}
    rows = [
        (
            number,
            words[int(verdict[first])],
            at[first],
            at[last],
            llc[first],
            llc[last],
            math.hypot(error[first], error[last]),
            loss[first],
            loss[last],
        )
        for number, (first, last) in enumerate(_stretches(verdict), start=1)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _stretches(verdict: NDArray[np.int64]) -> list[tuple[int, int]]:
    """First and last estimate of every stretch of equal verdicts on neighbours."""
    return list(pairwise([0, *(np.flatnonzero(np.diff(verdict)) + 1).tolist(), len(verdict)]))


def _slope(values: NDArray[np.float64], error: NDArray[np.float64]) -> float:
    """The slope of a line through equidistant values, in its standard errors."""
    place = np.arange(len(values)) - (len(values) - 1) / 2
    return float(place @ values / np.sqrt((place**2) @ (error**2))) if np.ptp(values) > 0 else 0.0
