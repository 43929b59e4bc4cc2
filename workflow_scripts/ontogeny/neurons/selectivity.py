"""Units that answer to one class: how much, whether by chance, and whether it holds on other data."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats

from ontogeny.arguments import Classes, Reals, checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.neurons.settings import ImportanceSettings
from ontogeny.statistics import adjust, bootstrap_weights
from ontogeny.words import counted

DEFAULTS = ImportanceSettings()


@checks_arguments
def class_selectivity(
    activations: Reals,
    labels: Classes,
    held_out: tuple[Any, Any] | None = None,
    *,
    permutations: int = DEFAULTS.permutations,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    false_discovery_rate: float = DEFAULTS.false_discovery_rate,
    seed: int = 0,
    shuffle_labels: bool = False,
) -> pd.DataFrame:
    """Class selectivity of every unit, tested, and replicated on data that did not choose the class.

    activations: (samples, units), after the nonlinearity. labels: (samples,), integers. held_out: the same for other
    samples; without it, half of the samples of each class, drawn by `seed`, are held out. `shuffle_labels` puts the
    labels in random order first, as a control: nothing should then be found.

    One row per unit: unit; preferred_class, of the largest mean activation; effect, with effect_low and effect_high:
    the mean in that class minus the largest mean in another, over the standard deviation within classes; selectivity,
    the index (largest - rest) / (largest + rest) of the class means (Morcos et al. 2018, arXiv:1803.06959, eq. 1; NaN
    where an activation is negative); eta_squared, the share of variance that the class explains; p_value: how often
    random labels give as large an effect of their own preferred class (`permutations` draws, the observed included);
    p_adjusted, after Benjamini and Hochberg; selective: p_adjusted <= false_discovery_rate; held_out_effect,
    held_out_p_value: the same class against the rest on held-out data (Welch's one-sided t-test), held_out_p_adjusted
    over selective units, and replicated. A lone selective unit among many needs more permutations than units /
    false_discovery_rate to pass the correction. A constant unit has NaN throughout and is not selective. The effect's
    interval is a percentile bootstrap over held-out samples, where it has no selection in it.

    Raises OntogenyError for data that do not fit, fewer than two classes, or a class of fewer than four samples.
    """
    if permutations < 19:
        raise OntogenyError(f"{permutations} permutations cannot reach p = 0.05: ask for at least 19")
    rng = np.random.default_rng(seed)
    (values, classes), (others, other_classes) = _parts(activations, labels, held_out, shuffle_labels, rng)
    names = np.unique(classes)
    found = _tested(values, classes, permutations, rng)
    corrected = adjust(found["p_value"], "bh").p_values
    selective = corrected <= false_discovery_rate
    weights = bootstrap_weights(len(others), n_resamples, seed)
    held_out_found = _held_out(others, other_classes, found["preferred_class"], names, weights, confidence)
    held_corrected = adjust(np.where(selective, held_out_found["held_out_p_value"], np.nan), "bh").p_values
    return pd.DataFrame(
        {
            "unit": np.arange(values.shape[1]),
            **found,
            "p_adjusted": corrected,
            "selective": selective,
            **held_out_found,
            "held_out_p_adjusted": held_corrected,
            "replicated": selective & (held_corrected <= false_discovery_rate),
        }
    )


@checks_arguments
def selectivity_with_controls(
    activations: Reals,
    untrained: Sequence[Any],
    labels: Classes,
    *,
    false_discovery_rate: float = DEFAULTS.false_discovery_rate,
    seed: int = 0,
    **settings: Any,
) -> pd.DataFrame:
    """`class_selectivity` of a layer, of the same layer under shuffled labels, and in untrained networks.

    activations: (samples, units); untrained: one such matrix a network, on the same samples. Random features of the
    input answer to classes too, so that an untrained network has selective units by the permutation test; whether
    training made more of them is asked by testing every unit's held_out_effect against the pooled untrained units
    (columns as `against_control`). The column `control` is `none`, `shuffled labels` or `untrained`; each untrained
    network is tested against the others where there are two or more. `settings` go to `class_selectivity`.

    Raises OntogenyError without an untrained network, and as `class_selectivity` does.
    """
    from ontogeny.neurons.importance import against_control

    if not len(untrained):
        raise OntogenyError("no untrained network: give the activations of at least one as the control")
    settings = {**settings, "false_discovery_rate": false_discovery_rate, "seed": seed}
    nulls = [class_selectivity(other, labels, **settings) for other in untrained]
    pooled = pd.concat(nulls, ignore_index=True)
    parts = []
    for name, shuffle in (("none", False), ("shuffled labels", True)):
        own = class_selectivity(activations, labels, **settings, shuffle_labels=shuffle)
        parts.append(
            against_control(own, pooled, "held_out_effect", false_discovery_rate=false_discovery_rate).assign(
                control=name
            )
        )
    for position, null in enumerate(nulls):
        others = [other for place, other in enumerate(nulls) if place != position] or [null]
        part = against_control(
            null, pd.concat(others, ignore_index=True), "held_out_effect", false_discovery_rate=false_discovery_rate
        )
        parts.append(part.assign(control="untrained", network=position))
    return pd.concat(parts, ignore_index=True)


def _checked(activations: Any, labels: Any, what: str) -> tuple[np.ndarray, np.ndarray]:
    values, classes = np.asarray(activations, dtype=np.float64), np.asarray(labels)
    if values.ndim != 2:
        raise OntogenyError(f"{what} of shape {values.shape}: (samples, units) is expected; pool positions first")
    if classes.shape != (len(values),) or not np.issubdtype(classes.dtype, np.integer):
        raise OntogenyError(
            f"{what} of {counted(len(values), 'sample')} with labels of shape {classes.shape} ({classes.dtype}): "
            "one class number per sample expected"
        )
    if not np.isfinite(values).all():
        raise OntogenyError(f"the {what} hold NaN or infinite values")
    return values, classes


def _parts(
    activations: Any, labels: Any, held_out: tuple[Any, Any] | None, shuffle_labels: bool, rng: np.random.Generator
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The samples that are tested and those that are held out, each as activations (samples, units) and labels."""
    values, classes = _checked(activations, labels, "activations")
    if shuffle_labels:
        classes = rng.permutation(classes)
    names, counts = np.unique(classes, return_counts=True)
    scarce, least = names[counts.argmin()], counts.min()
    if len(names) < 2:
        raise OntogenyError(f"all labels are {names[0]}: selectivity needs two or more classes")
    if held_out is None:
        if least < 4:
            raise OntogenyError(f"class {scarce} has {least} samples: at least 4 are expected to hold half out")
        first, second = _halves(classes, rng)
        return (values[first], classes[first]), (values[second], classes[second])
    others, other_classes = _checked(*held_out, "held-out activations")
    if shuffle_labels:
        other_classes = rng.permutation(other_classes)
    if others.shape[1] != values.shape[1]:
        raise OntogenyError(
            f"{counted(values.shape[1], 'unit')}, but {others.shape[1]} in the held-out data: give the same"
        )
    short = [int(name) for name in names if (other_classes == name).sum() < 2]
    if short:
        raise OntogenyError(f"the held-out data have fewer than 2 samples of class {short[0]}: give more")
    if least < 2:
        raise OntogenyError(f"class {scarce} has one sample: at least 2 are expected")
    return (values, classes), (others, other_classes)


def _halves(classes: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    first, second = [], []
    for name in np.unique(classes):
        members = rng.permutation(np.flatnonzero(classes == name))
        first.append(members[: (len(members) + 1) // 2])
        second.append(members[(len(members) + 1) // 2 :])
    return np.sort(np.concatenate(first)), np.sort(np.concatenate(second))


def _scaled(values: np.ndarray) -> np.ndarray:
    """Every unit about its mean, and divided by its largest value."""
    return (values - values.mean(0)) / np.maximum(np.abs(values).max(0), np.finfo(np.float64).tiny)


def _tested(
    values: np.ndarray, classes: np.ndarray, permutations: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """The columns from preferred_class to p_value, each (units,)."""
    names = np.unique(classes)
    constant = np.ptp(values, axis=0) == 0
    centred = _scaled(values)
    centred[:, constant] = 0.0
    one_hot = (classes[None, :] == names[:, None]).astype(np.float64)
    size = one_hot.sum(1, keepdims=True)
    total = (centred**2).sum(0)
    preferred, effect, between = _effects(one_hot, size, centred, total)
    null = np.stack(
        [_effects(one_hot[:, rng.permutation(len(classes))], size, centred, total)[1] for _ in range(permutations)]
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        eta_squared = between / total
    tolerance = 1e-9 * np.abs(np.where(np.isfinite(effect), effect, 0))
    p_value = (1 + (null >= effect - tolerance).sum(0)) / (1 + permutations)
    index = _index(one_hot, size, values)
    return {
        "preferred_class": names[preferred],
        "effect": np.where(constant, np.nan, effect),
        "selectivity": np.where(constant, np.nan, index),
        "eta_squared": np.where(constant, np.nan, eta_squared),
        "p_value": np.where(constant, np.nan, p_value),
    }


def _effects(
    one_hot: np.ndarray, size: np.ndarray, centred: np.ndarray, total: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place of the preferred class, the effect, and the sum of squares between classes; each (units,)."""
    means = one_hot @ centred / size
    top = np.partition(means, -2, axis=0)[-2:]
    between = (size * means**2).sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        within = np.sqrt(np.maximum(total - between, 0) / (centred.shape[0] - len(size)))
        return means.argmax(0), (top[1] - top[0]) / within, between


def _index(one_hot: np.ndarray, size: np.ndarray, values: np.ndarray) -> np.ndarray:
    means = one_hot @ values / size
    top = means.max(0)
    rest = (means.sum(0) - top) / (len(means) - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((values >= 0).all(0), (top - rest) / (top + rest), np.nan)


def _held_out(
    values: np.ndarray,
    classes: np.ndarray,
    preferred: np.ndarray,
    names: np.ndarray,
    weights: np.ndarray,
    confidence: float,
) -> dict[str, np.ndarray]:
    """The columns from held_out_effect to held_out_p_value, each (units,)."""
    one_hot = (classes[None, :] == names[:, None]).astype(np.float64)
    place = np.searchsorted(names, preferred)
    units = np.arange(values.shape[1])
    centred = _scaled(values)

    def effect(share: np.ndarray) -> np.ndarray:
        size = (one_hot * share).sum(1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            means = (one_hot * share) @ centred / size
            residual = share @ centred**2 - (size * np.nan_to_num(means) ** 2).sum(0)
            own = means[place, units]
            rest = means.copy()
            rest[place, units] = -np.inf
            return (own - np.nanmax(rest, axis=0)) / np.sqrt(np.maximum(residual, 0))

    count = len(classes)
    correction = np.sqrt((count - len(names)) / count)
    observed = effect(np.full(count, 1 / count)) * correction
    drawn = np.stack([effect(share) for share in weights]) * correction
    drawn[~np.isfinite(drawn)] = np.nan
    low, high = np.full(len(units), np.nan), np.full(len(units), np.nan)
    seen = np.isfinite(drawn).any(0)
    if seen.any():
        low[seen], high[seen] = np.nanquantile(drawn[:, seen], [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    p_value = np.full(len(units), np.nan)
    for name in np.unique(preferred):
        mine = units[preferred == name]
        inside = classes == name
        with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Precision loss")
            p_value[mine] = scipy.stats.ttest_ind(
                centred[inside][:, mine], centred[~inside][:, mine], equal_var=False, alternative="greater"
            ).pvalue
    effects = np.where(np.isfinite(observed), observed, np.nan)
    return {"held_out_effect": effects, "held_out_low": low, "held_out_high": high, "held_out_p_value": p_value}
