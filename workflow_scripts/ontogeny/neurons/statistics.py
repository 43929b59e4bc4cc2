"""Statistics of units over a probe batch, and their paired comparison between moments of training.

A unit is a column of a matrix (n, f), a channel of a convolution (n, c, h, w), or an embedding dimension of tokens
(n, t, d). Samples are independent; the positions of a sample are not, so every standard error is over samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.special
import scipy.stats

from ontogeny.arguments import Reals, checks_arguments
from ontogeny.errors import OntogenyError, check_number
from ontogeny.neurons.settings import NeuronSettings
from ontogeny.nonlinearities import apply_nonlinearity
from ontogeny.statistics import adjust, proportion_interval, student_interval

UNKNOWN = "unknown"
"""What is said to follow a layer where that could not be seen."""


@checks_arguments
def neuron_statistics(
    activations: Reals,
    nonlinearity: str = "none",
    threshold: float = NeuronSettings().threshold,
    feature_axis: int | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """One row per unit: its values over the samples, after `nonlinearity` is applied to `activations`.

    Columns: unit; mean with mean_low, mean_high (Student interval over samples); std (over samples and positions,
    denominator N); sparsity, the share of outputs of magnitude <= `threshold` (with 0: exactly zero, or, of a ReLU,
    not above it), with sparsity_low, sparsity_high (Student interval over samples, within 0 and 1); dead, whether
    all of them are; active_high, an upper bound (one-sided exact binomial at `confidence`) on the share of samples that
    make the unit active: for a dead unit, how sure that is.

    `feature_axis` is the axis of units (default: 1 for four and more axes, the last otherwise). Raises OntogenyError
    for fewer than two samples, numbers that are not finite, a negative threshold, or an unknown nonlinearity.
    """
    values = values_by_unit(activations, nonlinearity, feature_axis, "activations")
    check_number(threshold, "threshold", "0 or more, as magnitudes are compared with it", 0)
    samples = len(values)
    idle = np.abs(values) <= threshold
    mean, mean_low, mean_high = student_interval(values.mean(axis=1), confidence)
    sparsity, low, high = student_interval(idle.mean(axis=1), confidence)
    active = samples - idle.all(axis=1).sum(axis=0)
    table = pd.DataFrame(
        {
            "unit": np.arange(values.shape[2]),
            "mean": mean,
            "mean_low": mean_low,
            "mean_high": mean_high,
            "std": values.std(axis=(0, 1)),
            "sparsity": sparsity,
            "sparsity_low": np.maximum(low, 0.0),
            "sparsity_high": np.minimum(high, 1.0),
            "dead": active == 0,
            "active_high": proportion_interval(active, samples, 2 * confidence - 1, "exact")[1],
        }
    )
    return _unsaid(table) if nonlinearity == UNKNOWN else table


@checks_arguments
def compare_neurons(
    before: Reals,
    at: Reals | None,
    after: Reals,
    nonlinearity: str = "none",
    threshold: float = NeuronSettings().threshold,
    feature_axis: int | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """One row per unit: before and after a moment of training, on the same samples in the same order.

    `before`, `at` and `after` are activations of one layer with one shape; `at` may be None. Columns:

    - unit; mean_before, mean_at, mean_after and so for std and sparsity (see `neuron_statistics`).
    - change: the mean of after - before, with change_low, change_high (paired Student interval over samples).
    - effect_size: change over the root mean square of the two standard deviations over samples, times the small
      sample correction (Hedges' g for paired data); effect_low, effect_high: the interval of the change, likewise.
      0 where nothing varies and nothing changes; infinite where nothing varies and the constant changes.
    - p_value: paired t-test of the change; p_adjusted: after Benjamini and Hochberg over the units tested.
    - sparsity_change with _low, _high, sparsity_p_value, sparsity_p_adjusted: the same of the sparsity.
    - dead_before, dead_after; died, revived: dead only after, only before.

    A unit that is the same before and after in every sample has change 0 and no p-value (NaN), and does not count
    as tested. Where the change is the same, not zero, in all n samples, the p-value is that of the sign-flip test,
    2^(1 - n).

    Raises OntogenyError for shapes that differ and as `neuron_statistics` does. Sources: Cumming (2012),
    Understanding the New Statistics, ch. 11; Benjamini and Hochberg (1995), J. R. Stat. Soc. B 57(1).
    """
    check_number(threshold, "threshold", "0 or more, as magnitudes are compared with it", 0)
    if before is None or after is None:
        raise OntogenyError("a comparison needs the activations before and after")
    moments = {"before": before, "at": at, "after": after}
    values = {
        name: values_by_unit(moment, nonlinearity, feature_axis, name)
        for name, moment in moments.items()
        if moment is not None
    }
    for name, moment in values.items():
        if moment.shape != values["before"].shape:
            raise OntogenyError(
                f"the activations {name} have the shape {np.shape(moments[name])} and those before "
                f"{np.shape(before)}: compare one layer on the same samples"
            )
    idle = {name: np.abs(moment) <= threshold for name, moment in values.items()}
    columns: dict[str, Any] = {"unit": np.arange(values["before"].shape[2])}
    columns |= {f"mean_{name}": moment.mean(axis=(0, 1)) for name, moment in values.items()}
    columns |= {f"std_{name}": moment.std(axis=(0, 1)) for name, moment in values.items()}
    columns |= {f"sparsity_{name}": still.mean(axis=(0, 1)) for name, still in idle.items()}

    one, two = values["before"].mean(axis=1), values["after"].mean(axis=1)
    change, low, high, p_value = _paired(two - one, confidence)
    spread = np.sqrt((one.var(axis=0, ddof=1) + two.var(axis=0, ddof=1)) / 2)
    columns |= {"change": change, "change_low": low, "change_high": high}
    correction = 1 - 3 / (4 * (len(one) - 1) - 1)
    for name, value in (("effect_size", change), ("effect_low", low), ("effect_high", high)):
        columns[name] = _over(value, spread) * correction
    columns |= {"p_value": p_value, "p_adjusted": adjust(p_value, "bh").p_values}

    still = _paired(idle["after"].mean(axis=1) - idle["before"].mean(axis=1), confidence)
    columns |= {"sparsity_change": still[0]}
    columns |= {"sparsity_change_low": np.maximum(still[1], -1.0), "sparsity_change_high": np.minimum(still[2], 1.0)}
    columns |= {"sparsity_p_value": still[3], "sparsity_p_adjusted": adjust(still[3], "bh").p_values}

    dead = {name: moment.all(axis=(0, 1)) for name, moment in idle.items()}
    columns |= {"dead_before": dead["before"], "dead_after": dead["after"]}
    columns |= {"died": dead["after"] & ~dead["before"], "revived": dead["before"] & ~dead["after"]}
    return _unsaid(pd.DataFrame(columns)) if nonlinearity == UNKNOWN else pd.DataFrame(columns)


def _unsaid(table: pd.DataFrame) -> pd.DataFrame:
    """The table with NaN in all that says when a unit is silent."""
    silent = [name for name in table if name.startswith(("sparsity", "dead", "active_high", "died", "revived"))]
    return table.assign(**dict.fromkeys(silent, np.nan))


def values_by_unit(activations: Any, nonlinearity: str, feature_axis: int | None, name: str) -> np.ndarray:
    """Outputs as (samples, positions, units), float64.

    Raises OntogenyError for fewer than two samples, values that are not finite, and shapes without units.
    """
    values = apply_nonlinearity(activations, "none" if nonlinearity == UNKNOWN else nonlinearity)
    if values.ndim < 2 or 0 in values.shape:
        raise OntogenyError(f"{name}: the shape {values.shape} is not (samples, ..., units)")
    if len(values) < 2:
        raise OntogenyError(f"{name}: one sample has no spread; give at least two")
    if not np.isfinite(values).all():
        raise OntogenyError(f"{name}: there are NaN or infinite numbers among the activations")
    axis = (1 if values.ndim > 3 else -1) if feature_axis is None else feature_axis
    if not -values.ndim < axis < values.ndim or axis == 0:
        raise OntogenyError(f"feature_axis {axis} is not an axis of units of the shape {values.shape}")
    values = np.moveaxis(values, axis, -1)
    return values.reshape(len(values), -1, values.shape[-1])


def _paired(differences: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean difference, its interval, and the p-value of a t-test; NaN where every difference is zero."""
    mean, low, high = student_interval(differences, confidence)
    count = len(differences)
    error = differences.std(axis=0, ddof=1) / np.sqrt(count)
    constant = (differences == differences[0]).all(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = 2 * scipy.stats.t.sf(np.abs(mean / error), count - 1)
    p_value = np.where(constant, np.where(differences[0] == 0, np.nan, 0.5 ** (count - 1)), p_value)
    return mean, low, high, p_value


def _over(change: np.ndarray, spread: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(change == 0, 0.0, change / spread)
