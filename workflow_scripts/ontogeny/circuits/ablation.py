"""What circuits do when what is off is not zero, and on inputs other than those that they are judged on.

A circuit is perfect under zero ablation: whatever is off contributes 0. Three questions are asked of it besides:

- mean: every edge that is off carries the mean activation of its neuron over the data, instead of 0.
- resample: it carries the activation that its neuron has in the whole network on another row. Every pair of a row and
  a donor row is run, so that the accuracy is the expectation itself and no estimate (as long as donors are all rows).
- noise: the circuit, under zero ablation, on inputs with Gaussian noise, the same draws for all circuits.
- elsewhere: whether the circuit and the whole network decide alike on inputs outside the data's range.

Sources: resample ablation as in causal scrubbing (Chan et al. 2022); mean ablation as in Wang et al., arXiv 2211.00593.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ontogeny.circuits._plain import activate_by_name
from ontogeny.circuits.discovery import trimmed
from ontogeny.circuits.enumeration import ACTIVATIONS, Problem, Samples, check_weights
from ontogeny.circuits.masks import Circuits, CircuitSet
from ontogeny.circuits.outputs import ROUNDED, OutputRule
from ontogeny.circuits.settings import DEFAULTS, GivenSettings, complete_settings
from ontogeny.circuits.trace import check_ensemble
from ontogeny.errors import OntogenyError, check_number, check_word, expect, shown
from ontogeny.jumps.comparison import need_columns
from ontogeny.statistics import bootstrap_interval, generator
from ontogeny.words import counted

Arrays = list[NDArray[np.float64]]
Functions = Sequence[Callable[[NDArray[Any]], NDArray[Any]]]

MOST_DONORS = 64
"""Distinct rows that are donors in resample ablation; of more, as many are drawn."""
MOST_ABLATED = 2000
"""Circuits of a network that are ablated one by one; of more, as many are drawn uniformly."""
STEPS = 13
"""Points of the grid outside the data's range, along each input."""
MOST_POINTS = 50_000
"""Points of that grid: of one that has more, as many are drawn."""
_BLOCK = 4_000_000


def _functions(activation: str | Functions, n_layers: int, slope: float) -> Functions:
    if not isinstance(activation, str):
        return activation
    name = activation
    return [lambda values: activate_by_name(values, name, slope)] * (n_layers - 1) + [lambda values: values]


def whole_activations(
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    x: ArrayLike,
    activation: str | Functions = "leaky_relu",
    negative_slope: float = 0.01,
) -> Arrays:
    """Activations (rows, neurons) of the whole network, inputs first, outputs last, in float64.

    `activation` is a name, or the functions of all layers, the output's last.
    """
    functions = _functions(activation, len(weights), negative_slope)
    values = [np.asarray(x, np.float64)]
    for w, b, function in zip(weights, biases, functions):
        values.append(function(values[-1] @ np.asarray(w, np.float64).T + np.asarray(b, np.float64)))
    return values


def ablated_outputs(
    edge_masks: Sequence[NDArray[Any]],
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    x: ArrayLike,
    carried: Sequence[ArrayLike] | None = None,
    activation: str | Functions = "leaky_relu",
    negative_slope: float = 0.01,
) -> NDArray[np.float64]:
    """Outputs (circuits, rows) where edges that are off carry `carried` instead of their neuron's own activation.

    edge_masks[l] (circuits, out, in), as of `Circuits`; x (rows, inputs); carried[l] (rows, neurons) or (1, neurons),
    activations of each layer but the last, inputs first; None for zeros. A neuron without edges in has all its edges
    off.
    """
    functions = _functions(activation, len(weights), negative_slope)
    rows = np.asarray(x, np.float64)
    h = np.broadcast_to(rows, (len(edge_masks[0]), *rows.shape))
    for layer, (mask, w, b, function) in enumerate(zip(edge_masks, weights, biases, functions)):
        matrix = np.asarray(w, np.float64)
        own = (matrix * mask).transpose(0, 2, 1)
        if carried is None:
            sums = h @ own + np.asarray(b, np.float64)
        else:
            base = np.asarray(carried[layer], np.float64)
            sums = (h - base) @ own + base @ matrix.T + np.asarray(b, np.float64)
        h = function(sums)
        if layer < len(weights) - 1 and carried is None:
            h = np.where(mask.max(axis=2)[:, None, :] > 0, h, 0.0)
    return h[..., 0]


def inputs_elsewhere(x: ArrayLike, steps: int = STEPS) -> NDArray[np.float64]:
    """A grid (points, inputs) over the data's range and its width to either side, without what lies in the range.

    x (rows, inputs); steps: points along each input. An input that does not vary stays as it is. A grid of more than
    `MOST_POINTS` is left for as many draws from it, always the same.
    """
    values = np.asarray(x, np.float64)
    low, high = values.min(axis=0), values.max(axis=0)
    axes = [np.linspace(a - (b - a), b + (b - a), steps) if b > a else np.array([a]) for a, b in zip(low, high)]
    if math.prod(map(len, axes)) > MOST_POINTS:
        rng = generator(0)
        grid = np.stack([rng.choice(axis, MOST_POINTS) for axis in axes], axis=-1)
    else:
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, values.shape[1])
    near = 1e-9 * (high - low)  # points on an end of the range may be rounded to beyond it
    return grid[((grid < low - near) | (grid > high + near)).any(axis=1)]


def _blocks(edge_masks: Sequence[NDArray[Any]], n_rows: int) -> Iterator[list[NDArray[Any]]]:
    size = max(1, _BLOCK // (n_rows * max(mask.shape[1] for mask in edge_masks)))
    for start in range(0, len(edge_masks[0]), size):
        yield [mask[start : start + size] for mask in edge_masks]


def ablate(
    edge_masks: Sequence[NDArray[Any]],
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    settings: GivenSettings = DEFAULTS,
    *,
    activation: str | Functions = "leaky_relu",
    negative_slope: float = 0.01,
    rule: OutputRule = ROUNDED,
    seed: int = 0,
) -> pd.DataFrame:
    """What every circuit does under each ablation: one row per circuit.

    edge_masks as of `Circuits` (or any masks); other arguments as in `enumerate_circuits`. Columns: zero, mean,
    resample (shares of rows, or of pairs of rows and donors, that are right), resample_least (the same with the donor
    that is worst), noise_{sd} for each of `settings.noise` (with `settings.noise_draws` draws per distinct row, from
    `seed`), elsewhere (share of points of `inputs_elsewhere` on which the circuit decides as the whole network; NaN
    where no input varies).

    Raises OntogenyError for edge_masks that are no list of masks, or of another network, for a rule of more targets
    than two, and as `enumerate_circuits` does.
    """
    settings = complete_settings(settings)
    _, _, sizes = check_weights(weights, biases)
    _check_masks(edge_masks, sizes)
    if isinstance(activation, str):
        check_word(activation, "activation", ACTIVATIONS)
        check_number(negative_slope, "negative_slope", "a slope from 0 to 1", 0, 1)
    elif not isinstance(activation, Sequence) or len(activation) != len(weights) or not all(map(callable, activation)):
        raise OntogenyError(
            f"activation is {shown(activation)}; name one of {', '.join(ACTIVATIONS)}, or give the functions of all "
            f"{counted(len(weights), 'layer')}"
        )
    if not isinstance(rule, OutputRule) or len(rule.upto) != 2:
        raise OntogenyError("ablations judge targets of 0 and 1: give the rule ROUNDED or above(threshold)")
    samples = Samples.of(x, y, sizes[0], settings.accuracy_threshold, rule)
    rows, share = samples.inputs.T, samples.rows / samples.n_rows
    rng = generator(seed)
    whole = whole_activations(weights, biases, rows, activation, negative_slope)[:-1]
    donors = np.arange(len(rows))
    if len(donors) > MOST_DONORS:
        donors = rng.choice(len(rows), MOST_DONORS, p=share)
    donor_share = share if len(donors) == len(rows) else np.full(len(donors), 1 / len(donors))
    draws = rng.normal(size=(settings.noise_draws, *rows.shape))
    grid = inputs_elsewhere(rows)
    limit = rule.upto[0]  # the largest output that reads as 0
    there = whole_activations(weights, biases, grid, activation, negative_slope)[-1][:, 0].astype(np.float32) > limit

    def run(masks: Sequence[NDArray[Any]], at: NDArray[Any], carried: Arrays | None = None) -> NDArray[np.float32]:
        return ablated_outputs(masks, weights, biases, at, carried, activation, negative_slope).astype(np.float32)

    def right(out: NDArray[np.float32], times: int = 1) -> NDArray[np.bool_]:
        return rule.right(out.reshape(len(out), times, len(rows)), samples.targets)

    mean = [(share @ layer)[None] for layer in whole]
    carried = [np.repeat(layer[donors], len(rows), axis=0) for layer in whole]
    found: list[dict[str, NDArray[np.float64]]] = []
    for masks in _blocks(edge_masks, max(len(rows) * max(len(donors), settings.noise_draws), len(grid))):
        pairs = right(run(masks, np.tile(rows, (len(donors), 1)), carried), len(donors)) @ share
        measures = {
            "zero": right(run(masks, rows))[:, 0] @ share,
            "mean": right(run(masks, rows, mean))[:, 0] @ share,
            "resample": pairs @ donor_share,
            "resample_least": pairs.min(axis=1),
        }
        for sd in settings.noise:
            noisy = (rows + sd * draws).reshape(-1, rows.shape[1])
            measures[f"noise_{sd:g}"] = (right(run(masks, noisy), settings.noise_draws) @ share).mean(axis=1)
        alike = (run(masks, grid) > limit) == there
        measures["elsewhere"] = alike.mean(axis=1) if len(grid) else np.full(len(alike), np.nan)
        found.append(measures)
    return pd.DataFrame({key: np.concatenate([part[key] for part in found]) for key in found[0]})


def _check_masks(edge_masks: Any, sizes: Sequence[int]) -> None:
    """Raise OntogenyError for what is no list of masks of networks of these sizes."""
    shapes = [] if isinstance(edge_masks, Circuits) or not isinstance(edge_masks, Sequence) else edge_masks
    try:
        found = [np.shape(mask) for mask in shapes]
    except ValueError:
        found = []
    if not found or any(len(shape) != 3 for shape in found):
        raise OntogenyError(
            "edge_masks is no list of masks (circuits, out, in), one per layer: give circuits.edge_masks"
        )
    right = [(found[0][0], b, a) for a, b in pairwise(sizes)]
    if found != right or not right[0][0]:
        raise OntogenyError(
            f"edge_masks have the shapes {found}; for one or more circuits of a network of {list(sizes)} they are "
            f"(circuits, out, in) with {[shape[1:] for shape in right]}"
        )


def random_subnetworks(circuits: Circuits, seed: int = 0, tries: int = 100) -> CircuitSet:
    """For each circuit a random subnetwork with as many edges into hidden neurons, or about as many: a control.

    Edges are drawn evenly, and those that lead from or to nowhere taken away; of `tries` draws the one that keeps a
    number nearest to the circuit's is taken. Subnetworks use all inputs, as circuits do, and may be circuits by chance.

    Raises OntogenyError for something that is no circuits, no number of draws or no seed.
    """
    expect(circuits, Circuits, "a CircuitSet or a CircuitSample")
    check_number(tries, "tries", "a whole number of draws, 0 or more", 0, whole=True)
    rng, layout = generator(seed), circuits.layout
    shapes = [(b, a) for a, b in zip(layout.sizes[:-2], layout.sizes[1:-1])]
    cuts = np.cumsum([a * b for a, b in shapes])[:-1]
    size = np.bitwise_count(circuits.codes).astype(np.int64)
    drawn, gap = size.copy(), np.full(len(size), layout.n_hidden_edges + 1)
    codes = np.full(len(size), (1 << layout.n_hidden_edges) - 1, np.uint64)
    for _ in range(tries):
        open_ = np.flatnonzero(gap)
        if not len(open_):
            break
        flat = rng.random((len(open_), layout.n_hidden_edges)).argsort(axis=1).argsort(axis=1) < drawn[open_, None]
        parts = [part.reshape(-1, *shape) for part, shape in zip(np.split(flat, cuts, axis=1), shapes)]
        kept, whole = trimmed([*parts, np.ones((len(open_), 1, layout.sizes[-2]))])
        left = np.where(whole, sum(mask.sum(axis=(1, 2), dtype=np.int64) for mask in kept[:-1]), 0)
        better = whole & (np.abs(left - size[open_]) < gap[open_])
        codes[open_[better]] = layout.encode([mask[better] for mask in kept[:-1]])
        gap[open_[better]] = np.abs(left - size[open_])[better]
        drawn[open_] = np.clip(drawn[open_] + np.sign(size[open_] - left), 1, layout.n_hidden_edges)
    return CircuitSet(codes, layout)


def ablate_ensemble(
    ensemble: Any, settings: GivenSettings = DEFAULTS, progress: Callable[[int, int], None] | None = None
) -> pd.DataFrame:
    """The circuits of every seed and output at the last epoch under each ablation, beside a control.

    Columns: seed, output, ablation (a column of `ablate`), circuits (how many the network has), ablated (how many of
    them were run; a uniform sample where fewer), accuracy (mean over those), perfect (share of them that stay above the
    accuracy threshold), control and control_perfect (the same of `random_subnetworks`; under noise, of the whole
    network; elsewhere, how often the networks of other seeds decide as this one does). Networks without circuits are
    left out. `progress` is called with the seeds done and all seeds; what it raises ends the run.

    Raises OntogenyError for something that is no ensemble.
    """
    settings = complete_settings(settings)
    check_ensemble(ensemble, progress)
    rows: list[dict[str, Any]] = []
    made = ensemble.settings
    for done, seed in enumerate(map(int, ensemble.seeds), start=1):
        data = ensemble.data(seed).validation
        for output in range(made.sizes[-1]):
            weights, biases = ensemble.network(seed, output=output)
            y = data.y[:, output : output + 1]
            problem = (weights, biases, data.x, y)
            samples = Samples.of(data.x, y, len(weights[0][0]), settings.accuracy_threshold)
            posed = Problem([(weights, biases)], [samples], made.activation, settings.candidates, settings.min_sparsity)
            posed.check_cost(3600.0)
            circuits, counted = posed.all_or_sample(MOST_ABLATED, seed)
            count = len(circuits) if counted is None else counted.count
            if not count:
                continue
            given: dict[str, Any] = {"activation": made.activation, "seed": seed}
            own = ablate(circuits.edge_masks, *problem, settings, **given)
            others = ablate(random_subnetworks(circuits, seed).edge_masks, *problem, settings, **given)
            whole = ablate([np.ones((1, *w.shape), np.uint8) for w in weights], *problem, settings, **given)
            between = _between(ensemble, seed, output, data.x)
            for name in own.columns:
                beside = whole if name.startswith("noise") else others
                control = between if name == "elsewhere" else beside[name]
                rows.append(
                    {
                        "seed": seed,
                        "output": output,
                        "ablation": name,
                        "circuits": count,
                        "ablated": len(circuits),
                        "accuracy": own[name].mean(),
                        "perfect": (own[name] > settings.accuracy_threshold).mean(),
                        "control": control.mean(),
                        "control_perfect": (control > settings.accuracy_threshold).mean(),
                    }
                )
        if progress is not None:
            progress(done, len(ensemble.seeds))
    columns = [
        "seed", "output", "ablation", "circuits", "ablated", "accuracy", "perfect", "control", "control_perfect",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _between(ensemble: Any, seed: int, output: int, x: NDArray[Any]) -> NDArray[np.float64]:
    """How often each other network that learned decides as that of `seed` outside the data's range."""
    grid = inputs_elsewhere(np.unique(x, axis=0))

    def decisions(of: int) -> NDArray[np.bool_]:
        weights, biases = ensemble.network(of, output=output)
        return whole_activations(weights, biases, grid, ensemble.settings.activation)[-1][:, 0] > ROUNDED.upto[0]

    own = decisions(seed)
    learned = [int(other) for other, good in zip(ensemble.seeds, ensemble.converged) if good and other != seed]
    return np.array([(decisions(other) == own).mean() for other in learned] or [np.nan])


def ablation_summary(table: pd.DataFrame, confidence: float = 0.95, n_resamples: int = 9999) -> pd.DataFrame:
    """What `ablate_ensemble` found, over networks: one row per ablation.

    Columns: ablation, networks, and for accuracy, perfect, control and difference (accuracy less control, paired in
    each network) the mean over networks with its bootstrap interval (accuracy_low, ...). Raises OntogenyError for a
    table without networks, or without the columns of `ablate_ensemble`.
    """
    need_columns(table, ("ablation", "accuracy", "perfect", "control"), "the table of ablate_ensemble")
    check_number(n_resamples, "n_resamples", "a whole number of draws, 1 or more", 1, whole=True)
    if table.empty:
        raise OntogenyError("no network has a circuit at its last epoch, so there is none to ablate")
    rows = []
    for name, group in table.groupby("ablation", sort=False):
        row: dict[str, Any] = {"ablation": name, "networks": len(group)}
        values = {
            "accuracy": group.accuracy,
            "perfect": group.perfect,
            "control": group.control,
            "difference": group.accuracy - group.control,
        }
        for key, numbers in values.items():
            known = numbers.dropna().to_numpy(float)
            low, high = bootstrap_interval(known, confidence=confidence, n_resamples=n_resamples)
            row |= {key: known.mean() if len(known) else np.nan, f"{key}_low": low, f"{key}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)
