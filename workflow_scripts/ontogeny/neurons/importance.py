"""How much single units matter for what the network does: ablation, gradient x activation, conductance.

All three are signed so that a positive number means that the unit helps: ablating it raises the loss, lowers the
score of the right class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
import torch
from torch import Tensor, nn

from ontogeny.arguments import Classes, Reals, checks_arguments
from ontogeny.errors import OntogenyError, unknown
from ontogeny.models import without_fast_path
from ontogeny.neurons.rest import Rest
from ontogeny.neurons.scores import check_classes, checked_data, logits_of, sample_losses, scores_of, working_copy
from ontogeny.neurons.settings import ImportanceSettings
from ontogeny.neurons.sites import Site, by_unit, chosen_units, find_site, replaced_at, site_values
from ontogeny.statistics import adjust, bootstrap_mean, bootstrap_weights

DEFAULTS = ImportanceSettings()
ABLATIONS = ("zero", "mean", "resample")


@checks_arguments
def ablation_importance(
    model: nn.Module,
    inputs: Reals,
    labels: Classes,
    layer: str,
    mode: str = "zero",
    units: Sequence[int] | None = None,
    *,
    repeats: int = DEFAULTS.repeats,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    chunk: int = 512,
) -> pd.DataFrame:
    """The change in loss and accuracy when each unit of `layer` alone is ablated, after its nonlinearity.

    mode: `zero`; `mean`, the unit's mean over the inputs, at each position; `resample`, the unit's value for another
    input drawn at random, averaged over `repeats` draws. A unit of a convolution is a channel; of tokens, an entry of
    every token. All units run in one batched pass from the layer on.

    One row per unit: layer, unit, mode, where (the nonlinearity passed), samples, loss (of the intact network, nats),
    loss_change with loss_low and loss_high, accuracy_change with accuracy_low and accuracy_high (paired percentile
    bootstrap over samples), and p_value, p_adjusted: exact sign test over samples that the loss goes up as often as
    down, after Benjamini and Hochberg over the units. A unit whose ablation changes no activation has a change of
    exactly 0.

    The model is not changed. Raises OntogenyError for an unknown layer, unit or mode, and data that do not fit.
    """
    if mode not in ABLATIONS:
        raise unknown("ablation", mode, ABLATIONS)
    if repeats < 1:
        raise OntogenyError(f"repeats is {repeats}: at least 1 is expected")
    inputs, labels = checked_data(inputs, labels)
    twin = working_copy(model)
    site = find_site(twin, layer, inputs)
    wanted = chosen_units(site, units)
    rng = np.random.default_rng(seed)
    sources = [_derangement(len(inputs), rng) for _ in range(repeats)] if mode == "resample" else [None]
    loss, loss_change, right_change = _without_each(twin, site, inputs, labels, wanted, mode, sources, chunk)
    weights = bootstrap_weights(len(inputs), n_resamples, seed)
    table: dict[str, Any] = {
        "layer": site.layer,
        "unit": wanted,
        "mode": mode,
        "where": site.nonlinearity,
        "samples": len(inputs),
        "loss": float(loss.mean()),
    }
    for name, changes in (("loss", loss_change), ("accuracy", right_change)):
        table[f"{name}_change"], table[f"{name}_low"], table[f"{name}_high"] = bootstrap_mean(
            changes, weights, confidence
        )
    table["p_value"] = _sign_test(loss_change)
    table["p_adjusted"] = adjust(table["p_value"], "bh").p_values
    return pd.DataFrame(table)


def _without_each(
    twin: nn.Module,
    site: Site,
    inputs: Tensor,
    labels: Tensor,
    units: list[int],
    mode: str,
    sources: Sequence[Tensor | None],
    chunk: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The loss of every sample (samples,); its change without each unit, and that of being right (units, samples).

    sources: of `resample`, the other inputs (samples,) that values are taken from, over which changes are averaged.
    """
    values = site_values(twin, site, inputs, chunk) if mode != "zero" else None
    loss = np.zeros(len(inputs))
    loss_change = np.zeros((len(units), len(inputs)))
    right_change = np.zeros((len(units), len(inputs)))
    for rows, rest in Rest.parts(twin, site, inputs, len(units), chunk):
        check_classes(rest.scores, labels)
        here = labels[rows]
        intact_loss = sample_losses(rest.scores, here)
        intact_right = (rest.scores.argmax(-1) == here).double()
        loss[rows] = intact_loss.numpy()
        own = rest.values.movedim(site.axis, -1)
        for source in sources:
            new = _replacement(mode, own, values, site, source, rows)
            for part, scores in rest.with_units(units, new[units]):
                chosen = units[part]
                moved = _moved(own, new, chosen)
                change = torch.where(moved, sample_losses(scores, here) - intact_loss, 0.0)
                loss_change[part, rows] += change.numpy()
                right = torch.where(moved, (scores.argmax(-1) == here).double() - intact_right, 0.0)
                right_change[part, rows] += right.numpy()
    loss_change /= len(sources)
    right_change /= len(sources)
    return loss, loss_change, right_change


def _derangement(count: int, rng: np.random.Generator) -> Tensor:
    """Another sample for every sample, each used once: a random cycle (Sattolo 1986)."""
    if count < 2:
        raise OntogenyError("resampling needs at least two inputs: give more, or ablate to zero")
    order = rng.permutation(count)
    source = np.empty(count, dtype=np.int64)
    source[order] = np.roll(order, 1)
    return torch.from_numpy(source)


def _replacement(
    mode: str, own: Tensor, values: Tensor | None, site: Site, source: Tensor | None, rows: slice
) -> Tensor:
    """What each unit is set to: (units, samples or 1, positions...)."""
    if mode == "zero":
        return torch.zeros(own.shape[-1], 1, *[1] * (own.ndim - 2), dtype=own.dtype)
    assert values is not None, "all modes but zero replace by values"
    everything = values.movedim(site.axis, -1)
    if mode == "mean":
        return everything.double().mean(0, keepdim=True).to(own.dtype).movedim(-1, 0)
    assert source is not None, "resampling draws from a source"
    return everything[source[rows]].movedim(-1, 0)


def _moved(own: Tensor, new: Tensor, units: Sequence[int]) -> Tensor:
    """Whether the replacement differs from the value, (units, samples)."""
    old = own[..., units].movedim(-1, 0)
    return (old != new[units]).flatten(2).any(2) if old.ndim > 2 else old != new[units]


def _sign_test(changes: np.ndarray) -> np.ndarray:
    up, down = (changes > 0).sum(-1), (changes < 0).sum(-1)
    tested = up + down
    tail = scipy.stats.binom.cdf(np.minimum(up, down), np.maximum(tested, 1), 0.5)
    return np.where(tested == 0, np.nan, np.minimum(1.0, 2 * tail))


@checks_arguments
def gradient_importance(
    model: nn.Module,
    inputs: Reals,
    labels: Classes,
    layer: str,
    *,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    chunk: int = 256,
) -> pd.DataFrame:
    """Minus gradient x activation of each unit: the first-order estimate of the loss change of zeroing it.

    -sum over positions of a * dL/da, averaged over samples (Molchanov et al. 2017, arXiv:1611.06440, eq. 8, with its
    sign). One row per unit: layer, unit, where, samples, importance with importance_low and importance_high (percentile
    bootstrap over samples), and magnitude, the mean over samples of its absolute value.
    """
    inputs, labels = checked_data(inputs, labels)
    twin = working_copy(model)
    site = find_site(twin, layer, inputs)
    rows = []
    for part, here in zip(inputs.split(chunk), labels.split(chunk)):
        kept: list[Tensor] = []

        def tap(value: Tensor, kept: list[Tensor] = kept) -> Tensor:
            kept.append(value.detach().requires_grad_())
            return kept[0]

        with torch.enable_grad(), without_fast_path(), replaced_at(twin, site, tap):
            scores = logits_of(twin(part))
            check_classes(scores, labels)
            (gradient,) = torch.autograd.grad(sample_losses(scores, here).sum(), kept[0])
        rows.append(-by_unit(gradient.double() * kept[0].detach().double(), site).sum(1))
    return _importance_table(torch.cat(rows).numpy(), site, n_resamples, confidence, seed)


@checks_arguments
def conductance_importance(
    model: nn.Module,
    inputs: Reals,
    labels: Classes,
    layer: str,
    *,
    baseline: float = 0.0,
    steps: int = DEFAULTS.conductance_steps,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    chunk: int = 64,
) -> pd.DataFrame:
    """Conductance of each unit for the score of the right class: the part of an Integrated Gradient through it.

    By captum's LayerConductance, on the straight line from an input of constant `baseline` in `steps` steps (Dhamdhere
    et al. 2018, arXiv:1805.12233, eq. 3), summed over positions. Over all units of a layer through which everything
    passes the conductances of a sample add up to score(input) - score(baseline).

    Columns as `gradient_importance`. Raises OntogenyError for inputs that are not real numbers (token ids).
    """
    from captum.attr import LayerConductance

    inputs, labels = checked_data(inputs, labels)
    if not inputs.is_floating_point():
        raise OntogenyError(f"inputs are {inputs.dtype}: conductance follows a line through real-valued inputs")
    twin = working_copy(model)
    site = find_site(twin, layer, inputs)
    check_classes(scores_of(twin, inputs[:1]), labels)
    tap = nn.Identity()
    method = LayerConductance(lambda x: logits_of(twin(x)), tap)
    rows = []
    with without_fast_path(), torch.enable_grad(), replaced_at(twin, site, tap):
        for part, here in zip(inputs.split(chunk), labels.split(chunk)):
            values = method.attribute(
                part,
                baselines=torch.full_like(part, baseline),
                target=here,
                n_steps=steps,
                internal_batch_size=max(len(part), 512),
            )
            rows.append(by_unit(values.detach().double(), site).sum(1))
    return _importance_table(torch.cat(rows).numpy(), site, n_resamples, confidence, seed)


def _importance_table(
    per_sample: np.ndarray, site: Site, n_resamples: int, confidence: float, seed: int
) -> pd.DataFrame:
    weights = bootstrap_weights(len(per_sample), n_resamples, seed)
    mean, low, high = bootstrap_mean(per_sample.T, weights, confidence)
    return pd.DataFrame(
        {
            "layer": site.layer,
            "unit": np.arange(site.units),
            "where": site.nonlinearity,
            "samples": len(per_sample),
            "importance": mean,
            "importance_low": low,
            "importance_high": high,
            "magnitude": np.abs(per_sample).mean(0),
        }
    )


@checks_arguments
def importance_agreement(
    measures: Mapping[str, Any], *, n_resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """Spearman's rank correlation over units between every two of `measures` (name to one number per unit).

    Columns: first, second, units, spearman with spearman_low and spearman_high (percentile bootstrap over units),
    p_value (t approximation), p_adjusted (Benjamini and Hochberg). NaN where a measure is constant.

    Raises OntogenyError for fewer than two measures or four units, or unequal lengths.
    """
    values = {name: np.asarray(measure, dtype=np.float64) for name, measure in measures.items()}
    lengths = {name: len(measure) for name, measure in values.items()}
    if len(values) < 2 or len(set(lengths.values())) != 1 or min(lengths.values()) < 4:
        raise OntogenyError(
            f"measures of {lengths} units: two or more measures of the same four or more units expected"
        )
    units = next(iter(lengths.values()))
    draws = np.random.default_rng(seed).integers(units, size=(n_resamples, units))
    rows = []
    for first, second in combinations(values, 2):
        one, two = values[first], values[second]
        if np.ptp(one) == 0 or np.ptp(two) == 0:
            rows.append((first, second, units, np.nan, np.nan, np.nan, np.nan))
            continue
        found = scipy.stats.spearmanr(one, two)
        ranks = [scipy.stats.rankdata(measure[draws], axis=1) for measure in (one, two)]
        ranks = [rank - rank.mean(1, keepdims=True) for rank in ranks]
        scale = np.sqrt((ranks[0] ** 2).sum(1) * (ranks[1] ** 2).sum(1))
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = (ranks[0] * ranks[1]).sum(1) / scale
        low, high = np.nanquantile(spread, [(1 - confidence) / 2, (1 + confidence) / 2])
        rows.append((first, second, units, found.statistic, low, high, found.pvalue))
    columns = ["first", "second", "units", "spearman", "spearman_low", "spearman_high", "p_value"]
    table = pd.DataFrame(rows, columns=columns)
    table["p_adjusted"] = adjust(table["p_value"].to_numpy(), "bh").p_values
    return table


@checks_arguments
def against_control(
    table: pd.DataFrame,
    control: pd.DataFrame,
    column: str,
    *,
    false_discovery_rate: float = DEFAULTS.false_discovery_rate,
    larger: bool = True,
) -> pd.DataFrame:
    """`table` with a test of every unit's `column` against the units of a control (an untrained network, say).

    Adds control_high (the control's 95th percentile), control_p_value, the share of control units at least as large
    (smaller with `larger=False`), itself included (Phipson and Smyth 2010), control_p_adjusted (Benjamini and
    Hochberg), and stands_out, whether that is at most `false_discovery_rate`. With few control units no unit can stand
    out alone: the smallest p-value is 1 / (units + 1), so pool several untrained networks.

    Raises OntogenyError if the control is empty or has no such column.
    """
    for what, frame in (("the table", table), ("the control", control)):
        if column not in frame:
            raise unknown("column", column, frame.columns, what)
    sign = 1.0 if larger else -1.0
    null = np.sort(sign * control[column].to_numpy(dtype=np.float64))
    null = null[np.isfinite(null)]
    if not len(null):
        raise OntogenyError(f"the control has no finite '{column}': give a control of at least one unit")
    values = sign * table[column].to_numpy(dtype=np.float64)
    p_value = (1 + len(null) - np.searchsorted(null, values, side="left")) / (1 + len(null))
    p_value = np.where(np.isfinite(values), p_value, np.nan)
    corrected = adjust(p_value, "bh").p_values
    return table.assign(
        control_high=sign * np.quantile(null, 0.95),
        control_p_value=p_value,
        control_p_adjusted=corrected,
        stands_out=corrected <= false_discovery_rate,
    )


def shuffled_labels(labels: Any, seed: int) -> Tensor:
    """The labels in random order: a control in which no unit can know the class."""
    labels = torch.as_tensor(labels)
    return labels[torch.from_numpy(np.random.default_rng(seed).permutation(len(labels)))]


@checks_arguments
def importance_change(
    before: pd.DataFrame,
    after: pd.DataFrame,
    quiet: Sequence[tuple[pd.DataFrame, pd.DataFrame]],
    column: str = "loss_change",
) -> pd.DataFrame:
    """How far a layer's importances moved across a jump, against matched pairs of matched controls.

    before, after, and each pair in `quiet` are importance tables of the same units. Two quantities, one row each:
    `mean_change`, the mean over units of |after - before|, and `rank_change`, 1 - Spearman's correlation. Columns:
    layer, quantity, jump, controls_mean, controls_low, controls_high (minimum and maximum), effect_size (jump minus
    controls_mean, in standard deviations of the control pairs; NaN for fewer than two, infinite if they do not vary),
    p_value (share of pairs, the jump included, at least as large), pairs.

    Raises OntogenyError if units differ or there is no control pair.
    """
    if not len(quiet):
        raise OntogenyError("no control pair of moments: a change across a jump means nothing without one")
    pairs = [(before, after), *quiet]
    for one, two in pairs:
        for frame in (one, two):
            for needed in ("layer", "unit", column):
                if needed not in frame:
                    raise unknown("column", needed, frame.columns, "the importance table")
            if not pd.api.types.is_numeric_dtype(frame[column]):
                raise OntogenyError(
                    f"column '{column}' of the importance table holds {frame[column].dtype}: numbers are expected"
                )
            if list(frame["unit"]) != list(before["unit"]) or set(frame["layer"]) != set(before["layer"]):
                raise OntogenyError("the importance tables are of different layers or units: compare like with like")
    moved: dict[str, list[float]] = {"mean_change": [], "rank_change": []}
    for one, two in pairs:
        first, second = one[column].to_numpy(dtype=np.float64), two[column].to_numpy(dtype=np.float64)
        moved["mean_change"].append(np.abs(second - first).mean())
        constant = np.ptp(first) == 0 or np.ptp(second) == 0
        moved["rank_change"].append(np.nan if constant else 1 - scipy.stats.spearmanr(first, second).statistic)
    rows = []
    for quantity, numbers in moved.items():
        jump, null = numbers[0], np.asarray(numbers[1:])
        null = null[np.isfinite(null)]
        if not len(null) or not np.isfinite(jump):
            rows.append((quantity, jump, *[np.nan] * 5, len(null)))
            continue
        spread = null.std(ddof=1) if len(null) > 1 else np.nan
        with np.errstate(divide="ignore", invalid="ignore"):
            effect = np.float64(jump - null.mean()) / spread
        p_value = (1 + (null >= jump).sum()) / (1 + len(null))
        rows.append((quantity, jump, null.mean(), null.min(), null.max(), effect, p_value, len(null)))
    columns = ["quantity", "jump", "controls_mean", "controls_low", "controls_high", "effect_size", "p_value", "pairs"]
    table = pd.DataFrame(rows, columns=columns)
    table.insert(0, "layer", before["layer"].iloc[0])
    return table


@checks_arguments
def importance_with_controls(
    model: nn.Module,
    untrained: nn.Module | Sequence[nn.Module],
    inputs: Reals,
    labels: Classes,
    layer: str,
    *,
    mode: str = "zero",
    false_discovery_rate: float = DEFAULTS.false_discovery_rate,
    seed: int = 0,
    **settings: Any,
) -> pd.DataFrame:
    """`ablation_importance` of the network, of untrained networks, and of the network under shuffled labels.

    The column `control` is `none`, `untrained` or `shuffled labels`. Every unit is tested against the pooled units of
    the untrained networks (see `against_control`); of these, each is tested against the others where there are two or
    more, so that the figure can say how many stand out where nothing was learned. `settings` go to
    `ablation_importance`.

    Raises OntogenyError without an untrained network, and as `ablation_importance` does.
    """
    fresh = [untrained] if isinstance(untrained, nn.Module) else list(untrained)
    if not fresh:
        raise OntogenyError("no untrained network: give at least one as the control")
    settings = {**settings, "mode": mode, "seed": seed}
    nulls = [ablation_importance(other, inputs, labels, layer, **settings) for other in fresh]
    pooled = pd.concat(nulls, ignore_index=True)
    parts = {
        "none": ablation_importance(model, inputs, labels, layer, **settings),
        "shuffled labels": ablation_importance(model, inputs, shuffled_labels(labels, seed), layer, **settings),
    }
    tested = [
        against_control(part, pooled, "loss_change", false_discovery_rate=false_discovery_rate).assign(control=name)
        for name, part in parts.items()
    ]
    for position, null in enumerate(nulls):
        others = [other for place, other in enumerate(nulls) if place != position]
        reference = pd.concat(others, ignore_index=True) if others else null
        part = against_control(null, reference, "loss_change", false_discovery_rate=false_discovery_rate)
        tested.append(part.assign(control="untrained", network=position))
    return pd.concat(tested, ignore_index=True)
