"""Changes at one moment against the changes at matched controls, quantity by quantity, with intervals and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.jumps.plan import EVENTS, Moment
from ontogeny.statistics import NORMAL_95, adjust, bootstrap_mean, bootstrap_weights, sign_flip_test

COLUMNS = [
    "moment", "kind", "step", "before_step", "after_step", "jump", "family", "layer", "quantity",
    "before", "during", "after", "change", "low", "high", "over", "samples",
    "controls", "control", "difference", "difference_low", "difference_high", "effect_size", "p_value", "p_adjusted",
    "other_controls", "controls_mean", "controls_effect", "p_controls", "p_controls_adjusted",
]  # fmt: skip
FAMILIES = ("weights", "activations", "neurons", "attention", "features", "predictions")
_FLIPS = 4999
ALPHA = 0.05
"""Adjusted p-value up to which a change is marked."""
FARTHEST = 64.0
"""The ratio of a change to that of its controls at which axes end; its inverse at the other side."""


@dataclass(frozen=True)
class Change:
    """One quantity of one layer ("" for the whole network), before and after.

    family: one of `FAMILIES`. value: the change. values: the change of every sample, whose mean it is, or None. over:
    what the samples are. low, high: a 95 % interval known otherwise. before, during, after: the states, where there
    are any.
    """

    family: str
    layer: str
    quantity: str
    value: float
    values: np.ndarray | None = None
    over: str = ""
    low: float = np.nan
    high: float = np.nan
    before: float = np.nan
    after: float = np.nan
    during: float = np.nan

    @classmethod
    def of_samples(cls, family: str, layer: str, quantity: str, values: np.ndarray, over: str = "inputs") -> Change:
        """A change that is the mean of `values` (samples,); those that are NaN are left out."""
        known = values[np.isfinite(values)]
        return cls(family, layer, quantity, float(known.mean()) if known.size else np.nan, values, over)

    @classmethod
    def between(cls, family: str, layer: str, quantity: str, states: Sequence[float]) -> Change:
        """A change from the first to the last of the states before, (during,) after."""
        return cls(family, layer, quantity, float(states[-1] - states[0])).at(states)

    def at(self, states: Sequence[float]) -> Change:
        """The same change, with its states before, (during,) after."""
        during = states[1] if len(states) > 2 else np.nan
        return replace(self, before=float(states[0]), during=float(during), after=float(states[-1]))

    @property
    def key(self) -> tuple[str, str, str]:
        """What the change is of."""
        return self.family, self.layer, self.quantity


@checks_arguments
def against_controls(
    changes: Mapping[Moment, Sequence[Change]], n_resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """One row per moment and quantity: the change there, and how it differs from that at matched controls.

    A jump is compared with the matched controls of it, a matched control with all others that are as long (the negative
    control); other moments, and those without a matched control, are described alone. Columns:

    - moment, kind, step, before_step, after_step, jump (to which a control is matched); family, layer, quantity;
      before, during, after (states, where defined), change, low, high; over (`inputs` or `units`), samples.
    - controls (how many), control (their mean change), difference (change - control), difference_low and _high;
      effect_size: the mean of the samples' differences in their standard deviations (Cohen's d_z; 0 where all are 0,
      infinite where they are all the same); p_value: of a randomisation test that exchanges moment and control
      sample by sample (two-sided, 4,999 draws). It says that the change is another on such samples, not that jumps in
      general differ from matched controls. For CKA and shape: of the difference over its error, samples taken as apart.
      Weights have no samples, so no p-value.
    - other_controls (number of all other matched controls that are as long, see `Moment.matches`), controls_mean,
      controls_effect: (change - controls_mean) in their standard deviations (NaN for fewer than three), p_controls: the
      share of moments, this one included, whose change is at least as large by size; it cannot be below
      1 / (1 + other_controls).
    - p_adjusted, p_controls_adjusted: after Benjamini and Hochberg (1995), over all rows of the run's jumps, and
      over those of its matched controls apart.

    Intervals are 95 %: percentile bootstrap over samples. Sources: Cumming (2012), Understanding the New
    Statistics, ch. 11 (d_z); Edgington and Onghena (2007), Randomization Tests, ch. 5.
    """
    quiet = [moment for moment in changes if moment.kind == "control"]
    by_key = {moment: {change.key: change for change in found} for moment, found in changes.items()}
    rows = []
    for moment, found in changes.items():
        others = [other for other in quiet if moment.matches(other)]
        matched = [other for other in others if moment.kind == "control" or other.control_for == moment.step]
        jump = moment.step if moment.is_event else moment.control_for
        place = {
            "moment": f"{moment.kind} at {moment.step}", "kind": moment.kind, "step": moment.step,
            "before_step": moment.before, "after_step": moment.after, "jump": jump,
        }  # fmt: skip
        for change in found:
            row = place | _described(change, n_resamples, seed)
            if moment.is_event or moment.kind == "control":
                there = [by_key[other].get(change.key) for other in matched]
                row |= _compared(change, [each for each in there if each is not None], n_resamples, seed)
                there = [by_key[other].get(change.key) for other in others]
                row |= _among(change.value, [each.value for each in there if each is not None])
            rows.append(row)
    table = pd.DataFrame(rows).reindex(columns=COLUMNS)
    table["jump"] = table["jump"].astype("Int64")
    for name in ("p_value", "p_controls"):
        for kinds in (EVENTS, ("control",)):
            here = table["kind"].isin(kinds)
            p_values = table.loc[here, name].to_numpy(dtype=np.float64)
            table.loc[here, "p_adjusted" if name == "p_value" else "p_controls_adjusted"] = adjust(
                p_values, "bh"
            ).p_values
    whole = ["controls", "other_controls", "samples"]
    return table.astype(dict.fromkeys(whole, "Int64"))


def ratios_of_run(table: pd.DataFrame) -> pd.DataFrame:
    """Size of each change over that at the matched controls of the jump: a row per jump, quantity and layer.

    table: of `against_controls`. Columns: moment, family, quantity, layer, ratio (infinite over 0; rows with two zeros
    are left out), p_adjusted.
    """
    found = table[table["kind"].isin(EVENTS) & (table["controls"].fillna(0) > 0)]
    size, quiet = (found[name].to_numpy(dtype=float) for name in ("change", "control"))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = found.assign(ratio=np.abs(size) / np.abs(quiet))
    found = found[found["ratio"].notna()]
    return found[["moment", "family", "quantity", "layer", "ratio", "p_adjusted"]].reset_index(drop=True)


def _described(change: Change, n_resamples: int, seed: int) -> dict[str, Any]:
    low, high, samples = change.low, change.high, None
    if change.values is not None:
        known = change.values[np.isfinite(change.values)]
        samples = len(known)
        low, high = _interval(known, n_resamples, seed)
    return {
        "family": change.family, "layer": change.layer, "quantity": change.quantity, "before": change.before,
        "during": change.during, "after": change.after, "change": change.value, "low": low, "high": high,
        "over": change.over, "samples": samples,
    }  # fmt: skip


def _interval(values: np.ndarray, n_resamples: int, seed: int) -> tuple[float, float]:
    if len(values) < 2:
        return np.nan, np.nan
    _, low, high = bootstrap_mean(values, _weights(len(values), n_resamples, seed), 0.95)
    return float(low), float(high)


@lru_cache(maxsize=16)
def _weights(samples: int, n_resamples: int, seed: int) -> np.ndarray:
    return bootstrap_weights(samples, n_resamples, seed)


@lru_cache(maxsize=16)
def _signs(samples: int, seed: int) -> np.ndarray:
    return np.random.default_rng([seed, samples]).choice(np.array([-1, 1], np.float32), size=(_FLIPS, samples))


def _compared(change: Change, controls: list[Change], n_resamples: int, seed: int) -> dict[str, Any]:
    row: dict[str, Any] = {"controls": len(controls)}
    if not controls:
        return row
    control = float(np.mean([each.value for each in controls]))
    row |= {"control": control, "difference": change.value - control}
    if change.values is not None:
        measured = [each.values for each in (change, *controls) if each.values is not None]
        if len({values.shape for values in measured}) > 1 or len(measured) <= len(controls):
            raise OntogenyError(f"{change.quantity} of {change.layer or 'the network'}: moments have other samples")
        paired = change.values - np.mean(measured[1:], axis=0)
        paired = paired[np.isfinite(paired)]
        if len(paired) < 2:
            return row
        row["difference"] = float(paired.mean())
        row["difference_low"], row["difference_high"] = _interval(paired, n_resamples, seed)
        return row | {"effect_size": _standardised(paired), "p_value": _exchanged(paired, seed)}
    errors = [(each.high - each.low) / (2 * NORMAL_95) for each in (change, *controls)]
    error = np.sqrt(errors[0] ** 2 + np.square(errors[1:]).sum() / len(controls) ** 2)
    if np.isfinite(error):
        margin = NORMAL_95 * error
        row |= {"difference_low": row["difference"] - margin, "difference_high": row["difference"] + margin}
        if error > 0:
            row["p_value"] = float(2 * norm.sf(abs(row["difference"]) / error))
        elif row["difference"] == 0:
            row["p_value"] = 1.0
    return row


def _standardised(paired: np.ndarray) -> float:
    mean, spread = float(paired.mean()), float(paired.std(ddof=1))
    if np.ptp(paired) == 0:
        return 0.0 if paired[0] == 0 else float(np.copysign(np.inf, paired[0]))
    return mean / spread


def _exchanged(paired: np.ndarray, seed: int) -> float:
    """p-value of the mean of `paired` when the sign of every sample is a coin."""
    size = np.abs(paired).max()
    if size == 0:
        return 1.0
    scaled = (paired / size).astype(np.float32)
    return float(sign_flip_test(scaled, signs=_signs(len(paired), seed)))


def _among(value: float, others: list[float]) -> dict[str, Any]:
    null = np.array([each for each in others if np.isfinite(each)])
    row: dict[str, Any] = {"other_controls": len(null)}
    if not len(null) or not np.isfinite(value):
        return row
    spread = null.std(ddof=1) if len(null) > 2 else np.nan
    reached = (np.abs(null) >= abs(value)).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = np.float64(value - null.mean()) / spread
    return row | {
        "controls_mean": float(null.mean()), "controls_effect": float(effect),
        "p_controls": (1 + reached) / (1 + len(null)),
    }  # fmt: skip
