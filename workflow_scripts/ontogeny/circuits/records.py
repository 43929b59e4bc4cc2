"""Circuits of a training run, epoch by epoch, as the published layout of records has them.

The layout (public repository gwherb/MI-identifiability, a fork of the code of arXiv 2502.20914) is a list with one
entry per epoch: epoch, train_loss, val_loss, total_circuits, and for each output its circuits with node and edge masks,
sparsity (node, edge, combined), and for every active neuron past the inputs its mean, standard deviation (n - 1),
minimum and maximum activation over all validation rows *when only the circuit runs*: weights off the circuit are 0,
inactive neurons are 0 after their activation function, and the output neuron is among them, before rounding.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ontogeny.circuits._plain import Functions, activate_by_name
from ontogeny.circuits.enumeration import (
    ACTIVATIONS,
    CircuitCount,
    Problem,
    Samples,
    as_array,
    check_weights,
)
from ontogeny.circuits.masks import Circuits, items
from ontogeny.circuits.settings import DEFAULTS, GivenSettings, complete_settings
from ontogeny.errors import OntogenyError, check_number, check_word, expect, is_number, shown
from ontogeny.statistics import generator
from ontogeny.words import counted

STATISTICS = ("mean_activation", "std_activation", "min_activation", "max_activation")
"""What is recorded of every active neuron of a circuit."""


@dataclass(frozen=True)
class OutputCircuits:
    """The perfect circuits of one output at one epoch.

    `count`: how many there are; `circuits`: all of them, or a `CircuitSample` where the record was limited;
    mean_sparsity: mean node sparsity of all of them, 0 without circuits; activations (listed, neurons, 4): `STATISTICS`
    of every neuron past the inputs, layer by layer, the output last, NaN for inactive ones.
    """

    count: int
    circuits: Circuits
    mean_sparsity: float
    activations: NDArray[np.float32]


@dataclass(frozen=True)
class EpochCircuits:
    """The perfect circuits of a network at one epoch (1 is after the first), for each of its outputs."""

    epoch: int
    train_loss: float | None
    val_loss: float | None
    outputs: tuple[OutputCircuits, ...]

    @property
    def total_circuits(self) -> int:
        """Perfect circuits of all outputs together."""
        return sum(output.count for output in self.outputs)

    def as_dict(self) -> dict[str, Any]:
        """The epoch's entry of a record in the published layout."""
        from ontogeny.circuits.record_write import epoch_text

        return json.loads(epoch_text(self))


def neuron_activations(
    circuits: Circuits,
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    samples: Samples,
    activation: str = "leaky_relu",
    negative_slope: float = 0.01,
    functions: Functions | None = None,
) -> NDArray[np.float32]:
    """`STATISTICS` (circuits, neurons past the inputs, 4) of each neuron while only the circuit runs, over all rows.

    `functions`, one per layer and the output's last, stand in for `activation` and its slope; the last may make the
    output of several sums. Inactive neurons get NaN; so does the standard deviation of a single row. Computed in
    float64.

    Raises OntogenyError for circuits, a network and samples that are none, or do not fit each other.
    """
    expect(circuits, Circuits, "a CircuitSet or a CircuitSample")
    expect(samples, Samples, "Samples, as Samples.of makes them,")
    _, _, sizes = check_weights(weights, biases)
    fits = sizes == circuits.sizes if functions is None else sizes[:-1] == circuits.sizes[:-1]
    if not fits or len(samples.inputs) != sizes[0]:
        raise OntogenyError(
            f"circuits of a network {list(circuits.sizes)}, a network of sizes {list(sizes)} and samples of "
            f"{len(samples.inputs)} inputs do not fit each other"
        )
    if functions is None:
        check_word(activation, "activation", ACTIVATIONS)
    edges, nodes = circuits.edge_masks, circuits.node_masks
    n_rows = samples.n_rows
    share = samples.rows / n_rows
    h = np.broadcast_to(samples.inputs, (len(circuits), *samples.inputs.shape))
    found = []
    for layer, (w, b) in enumerate(zip(weights, biases)):
        values = (np.asarray(w, np.float64) * edges[layer]) @ h + np.asarray(b, np.float64)[:, None]
        if functions is not None:
            values = functions[layer](values, -2)
        elif layer < len(weights) - 1:
            values = activate_by_name(values, activation, negative_slope)
        on = nodes[layer + 1][:, :, None] != 0
        h = np.where(on, values, 0.0)
        mean = h @ share
        spread = (h - mean[..., None]) ** 2 @ samples.rows.astype(np.float64)
        std = np.sqrt(spread / (n_rows - 1)) if n_rows > 1 else np.full_like(mean, np.nan)
        stats = np.stack([mean, std, h.min(axis=2), h.max(axis=2)], axis=2)
        found.append(np.where(on, stats, np.nan))
    return np.concatenate(found, axis=1).astype(np.float32)


def records_from_weights(
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    epochs: Sequence[int] | None = None,
    train_loss: Sequence[float | None] | None = None,
    val_loss: Sequence[float | None] | None = None,
    settings: GivenSettings = DEFAULTS,
    *,
    activation: str = "leaky_relu",
    negative_slope: float = 0.01,
    most_listed: int = 1_000_000,
    max_seconds: float | None = 3600.0,
    seed: int = 0,
) -> Iterator[EpochCircuits]:
    """The record of a whole run from its trajectory's weights, epoch by epoch as they are asked for.

    weights[l] (epochs, out, in), biases[l] (epochs, out); x (rows, inputs), y (rows, outputs): every output is
    enumerated by itself. epochs: their numbers (1, 2, ... if None); train_loss, val_loss: one per
    epoch. `settings` holds candidates, accuracy_threshold and min_sparsity. Where an epoch has more than `most_listed`
    circuits, as many are drawn uniformly (from `seed`); counts and sparsities stay those of all. Other arguments and
    errors as in `enumerate_circuits`; max_seconds holds for one epoch.

    Raises OntogenyError also for weights, biases, losses and targets that do not fit each other.
    """
    settings = complete_settings(settings)
    for name, given in (("weights", weights), ("biases", biases)):
        expect(given, Sequence, f"a list of arrays (epochs, ...), one per layer, as {name}")
    check_number(most_listed, "most_listed", "a whole number of circuits, 1 or more", 1, whole=True)
    matrices = [as_array(w, f"weights[{layer}]") for layer, w in enumerate(weights)]
    vectors = [as_array(b, f"biases[{layer}]") for layer, b in enumerate(biases)]
    if not matrices or len(matrices) != len(vectors):
        raise OntogenyError(
            f"{counted(len(matrices), 'weight array')} and {counted(len(vectors), 'bias array')} do not make a network"
        )
    n_epochs = len(matrices[0]) if matrices[0].ndim else 0
    if any(w.ndim != 3 or len(w) != n_epochs for w in matrices) or any(
        b.ndim != 2 or len(b) != n_epochs for b in vectors
    ):
        raise OntogenyError(
            "weights must be (epochs, out, in) and biases (epochs, out) with the same epochs, not "
            f"{[w.shape for w in matrices]} and {[b.shape for b in vectors]}"
        )
    for name, values in (("epochs", epochs), ("train_loss", train_loss), ("val_loss", val_loss)):
        if values is None:
            continue
        expect(values, (Sequence, np.ndarray), f"a list with one number per epoch as {name}")
        if len(items(values)) != n_epochs:
            raise OntogenyError(
                f"{name} has {counted(len(items(values)), 'entry')} for {counted(n_epochs, 'epoch')} of weights"
            )
        for value in values:
            known = is_number(value, whole=name == "epochs")
            if not (known or (value is None and name != "epochs")):
                raise OntogenyError(f"{name} holds {shown(value)}: give one number per epoch")
    numbers = list(range(1, n_epochs + 1)) if epochs is None else [int(epoch) for epoch in epochs]
    targets = as_array(y, "y")
    targets = targets[:, None] if targets.ndim == 1 else targets
    n_outputs = matrices[-1].shape[1]
    if targets.ndim != 2:
        raise OntogenyError(f"y has shape {targets.shape}; it must be (rows,) or (rows, outputs)")
    if targets.shape[1] != n_outputs:
        raise OntogenyError(f"y has {counted(targets.shape[1], 'output')} but the network has {n_outputs}")
    samples = [
        Samples.of(x, targets[:, k : k + 1], matrices[0].shape[2], settings.accuracy_threshold)
        for k in range(n_outputs)
    ]
    rng = generator(seed)

    def one_epoch(at: int) -> EpochCircuits:
        found = []
        for output in range(n_outputs):
            ws = [*(w[at] for w in matrices[:-1]), matrices[-1][at, output : output + 1]]
            bs = [*(b[at] for b in vectors[:-1]), vectors[-1][at, output : output + 1]]
            problem = Problem(
                [(ws, bs)],
                [samples[output]],
                activation,
                settings.candidates,
                settings.min_sparsity,
                negative_slope,
            )
            if at == 0:
                problem.check_cost(max_seconds)
            found.append(
                output_circuits(
                    *problem.all_or_sample(most_listed, rng), ws, bs, samples[output], activation, negative_slope
                )
            )
        losses = [None if values is None else known_loss(values[at]) for values in (train_loss, val_loss)]
        return EpochCircuits(numbers[at], losses[0], losses[1], tuple(found))

    return (one_epoch(at) for at in range(n_epochs))


def known_loss(value: float | None) -> float | None:
    """A loss as a record, which is JSON, holds it: NaN and infinite ones are missing."""
    return None if value is None or not is_number(value) or not math.isfinite(value) else float(value)


def output_circuits(
    circuits: Circuits,
    counted: CircuitCount | None,
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    samples: Samples,
    activation: str = "leaky_relu",
    negative_slope: float = 0.01,
    functions: Functions | None = None,
) -> OutputCircuits:
    """What a record says of one output; `circuits` and `counted` as of `Problem.all_or_sample`."""
    count = len(circuits) if counted is None else counted.count
    mean_sparsity = counted.mean_sparsity.node if counted else float(np.mean(circuits.sparsity[:, 0])) if count else 0.0
    if len(circuits):
        stats = neuron_activations(circuits, weights, biases, samples, activation, negative_slope, functions)
    else:
        stats = np.zeros((0, sum(circuits.sizes[1:]), 4), np.float32)
    return OutputCircuits(count, circuits, mean_sparsity, stats)
