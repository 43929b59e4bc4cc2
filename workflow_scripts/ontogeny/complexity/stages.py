"""Stages of development: stretches of training in which the learning coefficient rises, falls, or stays.

Hoogland et al. (2024) read stages off plateaus of the estimated coefficient, against the loss. Here a stretch counts as
rising or falling only where neighbouring estimates differ by more than their errors allow, corrected for their number.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pandas as pd

from ontogeny.statistics import adjust

COLUMNS = ("stage", "direction", "start", "end", "llc_start", "llc_end", "standard_error", "loss_start", "loss_end")


def find_stages(table: pd.DataFrame, alpha: float = 0.05, time: str = "step") -> pd.DataFrame:
    """The stages of one run: table with `time`, llc, standard_error and loss, one row per estimate, any order.

    Neighbouring estimates are compared by a two-sided z test (their chains are independent), at a false discovery rate
    of `alpha`; neighbours with the same verdict join. Estimates that are NaN are left out. One row per stage: stage
    (from 1), direction (`rises`, `falls`, `stays`), start and end on the time axis, llc and loss at both, and the
    standard error of the change. Type II stages of the literature, in which the loss falls while the coefficient falls
    too, are those with direction `falls`.
    """
    from scipy.stats import norm

    clean = table.dropna(subset=["llc", "standard_error"]).sort_values(time)
    if len(clean) < 2:
        return pd.DataFrame(columns=list(COLUMNS))
    llc, error = clean["llc"].to_numpy(float), clean["standard_error"].to_numpy(float)
    change, spread = np.diff(llc), np.hypot(error[1:], error[:-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(change == 0, 0.0, change / spread)
    rejected = adjust(2 * norm.sf(np.abs(z)), "bh").p_values <= alpha
    verdict = np.where(rejected, np.sign(change), 0).astype(int)
    bounds = [0, *(np.flatnonzero(np.diff(verdict)) + 1).tolist(), len(verdict)]
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
        for number, (first, last) in enumerate(pairwise(bounds), start=1)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))
