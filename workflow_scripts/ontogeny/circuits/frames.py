"""What is drawn of one run: shares of circuits, activations and losses, epoch by epoch.

`CircuitFrames` is made from a published record (`frames_from_record`) or from a trained ensemble
(`frames_from_ensemble`, `frames_of_condition`).
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ontogeny.circuits.record_read import read_history
from ontogeny.circuits.records import EpochCircuits
from ontogeny.circuits.settings import DEFAULTS, CircuitSettings, GivenSettings, complete_settings
from ontogeny.circuits.tracking import schedule
from ontogeny.errors import OntogenyError, unknown

if TYPE_CHECKING:
    from ontogeny.tasks import GateSample


@dataclass(frozen=True)
class CircuitFrames:
    """One run as it is drawn: a value for every tracked epoch (E of them).

    `node_share[l]` (E, neurons) and `edge_share[l]` (E, out, in) are the shares of circuits that use each neuron and
    connection, 0 where there is no circuit; `activation[l]` (E, neurons) is the mean activation over inputs and over
    the circuits that use the neuron, NaN where it is unknown. `node_share` and `activation` start with the inputs.
    `listed[e][l]` (circuits, out, in) are masks of the circuits of an epoch of fewest edges, fewest first, as many
    as were asked for.
    """

    title: str
    epochs: NDArray[np.int64]
    circuits: NDArray[np.int64]
    train_loss: NDArray[np.float64]
    val_loss: NDArray[np.float64]
    node_share: tuple[NDArray[np.float64], ...]
    edge_share: tuple[NDArray[np.float64], ...]
    activation: tuple[NDArray[np.float64], ...]
    jumps: tuple[int, ...] = ()
    listed: tuple[tuple[NDArray[np.uint8], ...], ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """Neurons of each layer."""
        return tuple(layer.shape[1] for layer in self.node_share)

    def index(self, epoch: int) -> int:
        """The place of the last tracked epoch that is not after `epoch` (the first, if all are after)."""
        return max(int(np.searchsorted(self.epochs, epoch, side="right")) - 1, 0)


def frames_from_record(
    record: str | os.PathLike | Iterable[dict[str, Any] | EpochCircuits],
    title: str = "",
    jumps: Iterable[int] = (),
    sizes: Sequence[int] | None = None,
    most_listed: int = 500,
) -> CircuitFrames:
    """The frames of a record in the published layout: a path to its JSON (gzip or not), or its entries.

    Circuits of several outputs are taken together, each output with its own last neuron. `sizes` (neurons of each
    layer) is needed only for a record without any circuit; of an epoch, the `most_listed` circuits of fewest edges
    are kept one by one. Raises OntogenyError for a record that is empty, that is not such a record, or in which a mask
    does not fit the others.
    """
    where = str(record) if isinstance(record, str | os.PathLike) else "the record"
    if isinstance(record, str | os.PathLike):
        epochs = read_history(record, sizes)
    else:
        epochs = [entry.as_dict() if isinstance(entry, EpochCircuits) else entry for entry in record]
    if not epochs:
        raise OntogenyError(f"{where} holds no epochs: a record is a list of tracked epochs")
    try:
        outputs = max(len(entry["outputs"]) for entry in epochs)
        found = _record_sizes(epochs, outputs)
        if found is None and sizes is None:
            raise OntogenyError(f"{where} has no circuit in any epoch, so the network is unknown: give its sizes")
        sizes = tuple(int(size) for size in found or sizes or ())
        frames = _frames(
            (_sum_entry(entry, sizes, where) for entry in epochs),
            most_listed,
            title=title,
            epochs=np.array([entry["epoch"] for entry in epochs], dtype=np.int64),
            train_loss=_losses(epochs, "train_loss"),
            val_loss=_losses(epochs, "val_loss"),
            jumps=_jump_epochs(jumps),
        )
        return replace(frames, circuits=np.array([entry["total_circuits"] for entry in epochs], dtype=np.int64))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise OntogenyError(f"{where} is not a record of circuits: {type(error).__name__} {error}") from None


class _Sums:
    """Sums over the circuits of one epoch of a network with layers of `sizes`.

    nodes[l] (neurons,) and edges[l] (out, in): how many circuits use each. activation[l] and active[l] (neurons,): the
    sum of mean activations, and over how many. masks[l]: arrays (circuits, out, in). circuits: how many there are.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self.nodes = [np.zeros(size) for size in sizes]
        self.edges = [np.zeros((after, before)) for before, after in itertools.pairwise(sizes)]
        self.activation = [np.zeros(size) for size in sizes]
        self.active = [np.zeros(size) for size in sizes]
        self.masks = [[np.zeros((0, *layer.shape), np.uint8)] for layer in self.edges]
        self.circuits = 0


def _frames(sums: Iterable[_Sums], most_listed: int, **about: Any) -> CircuitFrames:
    """The frames whose epochs have these sums; `about` are the other fields."""
    circuits, node_share, edge_share, activation, listed = [], [], [], [], []
    for each in sums:
        count = max(each.circuits, 1)
        circuits.append(each.circuits)
        node_share.append([layer / count for layer in each.nodes])
        edge_share.append([layer / count for layer in each.edges])
        activation.append(
            [
                np.divide(total, seen, out=np.full(len(total), np.nan), where=seen > 0)
                for total, seen in zip(each.activation, each.active)
            ]
        )
        listed.append(_fewest_edges([np.concatenate(parts) for parts in each.masks], most_listed))
    return CircuitFrames(
        circuits=np.array(circuits, dtype=np.int64),
        node_share=tuple(map(np.array, zip(*node_share))),
        edge_share=tuple(map(np.array, zip(*edge_share))),
        activation=tuple(map(np.array, zip(*activation))),
        listed=tuple(listed),
        **about,
    )


def _fewest_edges(masks: Sequence[NDArray[np.uint8]], most: int) -> tuple[NDArray[np.uint8], ...]:
    """The `most` circuits with the fewest edges, fewest first; masks[l] (circuits, out, in)."""
    edges = np.sum([mask.sum(axis=(1, 2), dtype=np.int64) for mask in masks], axis=0)
    order = np.argsort(edges, kind="stable")[:most]
    return tuple(mask[order] for mask in masks)


def _losses(epochs: list[dict[str, Any]], key: str) -> NDArray[np.float64]:
    values = [entry.get(key) for entry in epochs]
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def _record_sizes(epochs: list[dict[str, Any]], outputs: int) -> tuple[int, ...] | None:
    for entry in epochs:
        for output in entry["outputs"]:
            for circuit in output["circuits"]:
                sizes = (*(len(mask) for mask in circuit["node_masks"][:-1]), outputs)
                if len(sizes) != len(circuit["edge_masks"]) + 1 or len(sizes) < 3:
                    raise ValueError(f"{len(sizes)} layers of neurons with {len(circuit['edge_masks'])} of edges")
                return sizes
    return None


def _sum_entry(entry: dict[str, Any], sizes: tuple[int, ...], where: str) -> _Sums:
    """Over the circuits that an entry of a record lists."""
    sums = _Sums(sizes)
    for position, output in enumerate(entry["outputs"]):
        circuits = output["circuits"]
        if not circuits:
            continue
        sums.circuits += len(circuits)
        own = int(output.get("output_idx", position))
        for layer in range(len(sizes) - 1):
            masks = [np.asarray(circuit["edge_masks"][layer], dtype=float) for circuit in circuits]
            last = layer == len(sizes) - 2
            shape = (1, sizes[layer]) if last else sums.edges[layer].shape
            for circuit, mask in zip(circuits, masks):
                if mask.shape != shape:
                    raise OntogenyError(
                        f"{where}, epoch {entry['epoch']}: circuit {circuit.get('circuit_idx', '?')} has a mask of "
                        f"shape {mask.shape} in layer {layer}, where the network of the others has {shape}"
                    )
            whole = np.zeros((len(circuits), *sums.edges[layer].shape), np.uint8)
            whole[:, slice(own, own + 1) if last else slice(None)] = masks
            sums.edges[layer] += whole.sum(axis=0)
            sums.masks[layer].append(whole)
            sums.nodes[layer] += np.sum([circuit["node_masks"][layer] for circuit in circuits], axis=0)
        sums.nodes[-1][own] += len(circuits)
        for circuit in circuits:
            for neuron in circuit.get("neurons", ()):
                layer = int(neuron["layer"])
                place = own if layer == len(sizes) - 1 else int(neuron["neuron_idx"])
                if neuron["mean_activation"] is not None:
                    sums.activation[layer][place] += neuron["mean_activation"]
                    sums.active[layer][place] += 1
    return sums


def _jump_epochs(jumps: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted({int(jump) for jump in jumps}))


def frames_from_ensemble(
    result: Any,
    seed: int,
    title: str = "",
    jumps: Iterable[int] = (),
    settings: GivenSettings = DEFAULTS,
    *,
    most_listed: int = 500,
    most_averaged: int = 20_000,
) -> CircuitFrames:
    """The frames of one seed of an `ontogeny.training.ensemble.EnsembleResult`: its initial weights, and every epoch
    after which `settings` enumerate circuits.

    Circuits are enumerated on the seed's validation rows; several outputs are taken together. Where an epoch has more
    than `most_averaged` circuits, a neuron's mean activation is that of the whole network, not of its circuits.
    """
    settings = complete_settings(settings)
    rows, data = result.rows(seed), result.data(seed).validation
    epochs = [0, *schedule(rows.stop - rows.start - 1, settings.convergence_frequency)]
    return _frames(
        (_sum_network(result, seed, epoch, data, settings, most_averaged) for epoch in epochs),
        most_listed,
        title=title,
        epochs=np.array(epochs, np.int64),
        train_loss=result.train_loss[rows][epochs],
        val_loss=result.val_loss[rows][epochs],
        jumps=_jump_epochs(jumps),
    )


def _sum_network(
    result: Any, seed: int, epoch: int, data: GateSample, settings: CircuitSettings, most_averaged: int
) -> _Sums:
    """Over the circuits of the network of one seed after an epoch, enumerated on the rows of `data`."""
    from ontogeny.circuits import count_circuits, enumerate_circuits
    from ontogeny.training.ensemble import layer_activations

    made = result.settings
    x, weight = np.unique(data.x, axis=0, return_counts=True)
    weight = weight / weight.sum()
    sums = _Sums(made.sizes)
    for output in range(made.sizes[-1]):
        weights, biases = result.network(seed, epoch, output)
        problem = (
            weights,
            biases,
            data.x,
            data.y[:, output : output + 1],
            settings.candidates,
            settings.accuracy_threshold,
            made.activation,
            settings.min_sparsity,
        )
        found = count_circuits(*problem)
        if not found.count:
            continue
        sums.circuits += found.count
        each = found.count <= most_averaged
        stack = [np.ones((1, *layer.shape), np.uint8) for layer in weights]
        used = [np.ones((1, len(bias)), np.uint8) for bias in biases]
        if each:
            chosen = enumerate_circuits(*problem)
            stack, used = chosen.edge_masks, chosen.node_masks[1:]
        values = layer_activations(
            [layer * mask for layer, mask in zip(weights, stack)],
            [np.broadcast_to(bias, (len(stack[0]), len(bias))) for bias in biases],
            x,
            made.activation,
        )
        for layer in range(len(weights)):
            own = slice(output, output + 1) if layer == len(weights) - 1 else slice(None)
            sums.edges[layer][own] += found.count * found.edge_participation[layer]
            sums.nodes[layer] += found.count * found.node_participation[layer]
            mean = np.einsum("r,crn->cn", weight, values[layer])
            sums.activation[layer + 1][own] += (mean * used[layer]).sum(axis=0)
            sums.active[layer + 1][own] += used[layer].sum(axis=0)
            if each:
                whole = np.zeros((found.count, *sums.edges[layer].shape), np.uint8)
                whole[:, own] = stack[layer]
                sums.masks[layer].append(whole)
        sums.nodes[-1][output] += found.count
    return sums


def frames_of_condition(
    ensemble: Any, condition: str, representatives: pd.DataFrame, jumps: pd.DataFrame, settings: GivenSettings
) -> CircuitFrames:
    """The frames of the seed of `ensemble` that `representatives` (columns condition, seed) names for `condition`.

    `jumps` (columns run, step, significant) are those of all seeds, whose runs are called `.../s{seed}`; the
    significant ones of the seed are marked. Raises OntogenyError if the condition is not among the representatives.
    """
    settings = complete_settings(settings)
    chosen = representatives.set_index("condition")["seed"]
    if condition not in chosen:
        raise unknown("condition", condition, chosen.index, "the table of representatives")
    seed = int(chosen[condition])
    mine = jumps["run"].astype(str).str.endswith(f"/s{seed}") & jumps["significant"].astype(bool)
    return frames_from_ensemble(
        ensemble,
        seed,
        f"{condition}, seed {seed}",
        jumps=jumps.loc[mine, "step"].astype(int),
        settings=settings,
    )
