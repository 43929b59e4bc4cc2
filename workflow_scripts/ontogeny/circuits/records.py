"""Circuits of a training run, epoch by epoch, in the published layout of records; and the tracker that makes them.

The layout (public repository gwherb/MI-identifiability, a fork of the code of arXiv 2502.20914) is a list with one
entry an epoch: epoch, train_loss, val_loss, total_circuits, and for each output its circuits with node and edge masks,
sparsity (node, edge, combined), and for every active neuron past the inputs its mean, standard deviation (n - 1),
minimum and maximum activation over all validation rows *when only the circuit runs*: weights off the circuit are 0,
inactive neurons are 0 after their activation function, and the output neuron is among them, before rounding.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ontogeny.circuits._plain import activate
from ontogeny.circuits.enumeration import (
    _COUNT,
    _LIST,
    _SAMPLE,
    ACTIVATIONS,
    Samples,
    _distinct,
    _Problem,
    as_array,
    summarise,
)
from ontogeny.circuits.masks import CANDIDATES, Circuit, CircuitSet, Layout
from ontogeny.errors import OntogenyError, unknown
from ontogeny.files import atomic, most_unpacked, plain, read_errors, read_text, write_csv

STATISTICS = ("mean_activation", "std_activation", "min_activation", "max_activation")
"""What is recorded of every active neuron of a circuit."""


@dataclass(frozen=True)
class OutputCircuits:
    """The perfect circuits of one output at one epoch.

    `count`: how many there are; `circuits`: those listed, all unless the record was limited; mean_sparsity: mean node
    sparsity of all of them, 0 without circuits; activations (listed, neurons, 4): `STATISTICS` of every neuron past
    the inputs, layer by layer, the output last, NaN for inactive ones.
    """

    count: int
    circuits: CircuitSet
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
        return json.loads(_epoch_text(self))


def neuron_activations(
    circuits: CircuitSet,
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    samples: Samples,
    activation: str = "leaky_relu",
    negative_slope: float = 0.01,
) -> NDArray[np.float32]:
    """`STATISTICS` (circuits, neurons past the inputs, 4) of each neuron while only the circuit runs, over all rows.

    Inactive neurons get NaN; so does the standard deviation of a single row. Computed in float64.
    """
    edges, nodes = circuits.edge_masks, circuits.node_masks
    n_rows = samples.n_rows
    share = samples.rows / n_rows
    h = np.broadcast_to(samples.inputs, (len(circuits), *samples.inputs.shape))
    found = []
    for layer, (w, b) in enumerate(zip(weights, biases)):
        values = (np.asarray(w, np.float64) * edges[layer]) @ h + np.asarray(b, np.float64)[:, None]
        if layer < len(weights) - 1:
            values = activate(values, ACTIVATIONS[activation], negative_slope)
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
    train_loss: Sequence[float] | None = None,
    val_loss: Sequence[float] | None = None,
    *,
    candidates: str = "all",
    accuracy_threshold: float = 0.99,
    activation: str = "leaky_relu",
    min_sparsity: float = 0.0,
    negative_slope: float = 0.01,
    most_listed: int = 1_000_000,
    max_seconds: float | None = 3600.0,
    seed: int = 0,
) -> Iterator[EpochCircuits]:
    """The record of a whole run from its trajectory's weights, epoch by epoch as they are asked for.

    weights[l] (epochs, out, in), biases[l] (epochs, out); x (rows, inputs), y (rows, outputs): every output is
    enumerated by itself. epochs: their numbers (1, 2, ... if None); train_loss, val_loss: one an epoch. Where an epoch
    has more than `most_listed` circuits, as many are drawn uniformly (from `seed`); counts and sparsities stay those
    of all. Other arguments and errors as in `enumerate_circuits`; max_seconds holds for one epoch.
    """
    matrices = [as_array(w, f"weights[{layer}]") for layer, w in enumerate(weights)]
    vectors = [as_array(b, f"biases[{layer}]") for layer, b in enumerate(biases)]
    if not matrices or len(matrices) != len(vectors):
        raise OntogenyError(f"{len(matrices)} weight and {len(vectors)} bias arrays do not make a network")
    n_epochs = len(matrices[0])
    if any(w.ndim != 3 or len(w) != n_epochs for w in matrices) or any(
        b.ndim != 2 or len(b) != n_epochs for b in vectors
    ):
        raise OntogenyError(
            "weights (epochs, out, in) and biases (epochs, out) with the same epochs are wanted, got "
            f"{[w.shape for w in matrices]} and {[b.shape for b in vectors]}"
        )
    numbers = list(range(1, n_epochs + 1)) if epochs is None else [int(epoch) for epoch in epochs]
    losses = []
    for name, values in (("epochs", numbers), ("train_loss", train_loss), ("val_loss", val_loss)):
        values = [None] * n_epochs if values is None else list(values)
        if len(values) != n_epochs:
            raise OntogenyError(f"{name} has {len(values)} entries for {n_epochs} epochs of weights")
        losses.append(values)
    targets = as_array(y, "y")
    targets = targets[:, None] if targets.ndim == 1 else targets
    n_outputs = matrices[-1].shape[1]
    if targets.shape[1] != n_outputs:
        raise OntogenyError(f"y has {targets.shape[1]} outputs but the network has {n_outputs}")
    samples = [Samples.of(x, targets[:, k : k + 1], matrices[0].shape[2], accuracy_threshold) for k in range(n_outputs)]
    rng = np.random.default_rng(seed)

    def one_epoch(at: int) -> EpochCircuits:
        found = []
        for output in range(n_outputs):
            ws = [*(w[at] for w in matrices[:-1]), matrices[-1][at, output : output + 1]]
            bs = [*(b[at] for b in vectors[:-1]), vectors[-1][at, output : output + 1]]
            problem = _Problem(
                ws,
                bs,
                x,
                y,
                candidates,
                accuracy_threshold,
                activation,
                min_sparsity,
                negative_slope,
                samples[output],
            )
            if at == 0:
                problem.check_cost(max_seconds)
            found.append(_output_circuits(problem, ws, bs, activation, negative_slope, most_listed, rng))
        return EpochCircuits(losses[0][at], _loss(losses[1][at]), _loss(losses[2][at]), tuple(found))

    return (one_epoch(at) for at in range(n_epochs))


def _loss(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _output_circuits(problem, weights, biases, activation, slope, most_listed, rng) -> OutputCircuits:
    found, codes, *_ = problem.search(None, _LIST, most_listed)
    if found > most_listed:
        found, _, marginals, *_ = problem.search(None, _COUNT)
        mean = summarise(problem.sizes, int(found), marginals, 0).mean_sparsity.node
        codes = problem.search(None, _SAMPLE, ranks=_distinct(rng, int(found), most_listed))[1]
        circuits = CircuitSet(problem.layout.in_order(codes), problem.layout)
    else:
        circuits = CircuitSet(problem.layout.in_order(codes), problem.layout)
        mean = float(np.mean(circuits.sparsity[:, 0])) if found else 0.0
    if len(circuits):
        stats = neuron_activations(circuits, weights, biases, problem.samples, activation, slope)
    else:
        stats = np.zeros((0, sum(problem.sizes[1:]), 4), np.float32)
    return OutputCircuits(int(found), circuits, mean, stats)


# Writing


def _indented(value: Any, depth: int) -> str:
    return json.dumps(value, indent=2, allow_nan=False).replace("\n", "\n" + " " * depth)


class _CircuitText:
    """JSON text of circuits of one network, from pieces that are made once."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.templates: dict[int, tuple[str, NDArray[np.int64]]] = {}
        self.blocks: list[dict[int, str]] = [{} for _ in layout.sizes[1:]]

    def _template(self, node_code: int, circuit: Circuit, sparsity: list[float]) -> tuple[str, NDArray[np.int64]]:
        """Everything that active neurons decide, with places for edges, activations and numbers left open."""
        nodes = circuit.node_masks
        shown = [[float(v) for v in nodes[0]], *(mask.tolist() for mask in nodes[1:])]
        neurons, where, at = [], [], 0
        for layer, mask in enumerate(nodes[1:], start=1):
            for neuron, on in enumerate(mask.tolist()):
                if on:
                    where.append(at + neuron)
                    lines = [f'"layer": {layer}', f'"neuron_idx": {neuron}', *(f'"{name}": %r' for name in STATISTICS)]
                    neurons.append(
                        " " * 14 + "{\n" + ",\n".join(" " * 16 + line for line in lines) + "\n" + " " * 14 + "}"
                    )
            at += len(mask)
        pad = " " * 12
        text = (
            f'{" " * 10}{{\n{pad}"node_masks": {_indented(shown, 12)},\n{pad}"edge_masks": [\n%s\n{pad}],\n'
            f'{pad}"sparsity": [\n{pad}  {sparsity[0]!r},\n{pad}  %r,\n{pad}  %r\n{pad}],\n'
            f'{pad}"neurons": [\n' + ",\n".join(neurons) + f'\n{pad}],\n{pad}"circuit_idx": %d,\n'
            f'{pad}"sparsity_value": {sparsity[0]!r}\n{" " * 10}}}'
        )
        return text, np.array(where)

    def lines(self, found: OutputCircuits) -> Iterator[str]:
        layout, circuits = self.layout, found.circuits
        if not len(circuits):
            return
        node_codes = layout.node_codes(circuits.codes).tolist()
        sparsity = circuits.sparsity.tolist()
        edges = circuits.edge_masks
        keys = [(mask.reshape(len(mask), -1) @ (1 << np.arange(mask[0].size))).tolist() for mask in edges]
        for n, node_code in enumerate(node_codes):
            if node_code not in self.templates:
                self.templates[node_code] = self._template(node_code, circuits[n], sparsity[n])
            template, where = self.templates[node_code]
            parts = []
            for layer, block in enumerate(self.blocks):
                key = keys[layer][n]
                if key not in block:
                    block[key] = " " * 14 + _indented(edges[layer][n].tolist(), 14)
                parts.append(block[key])
            values = found.activations[n, where].ravel().tolist()
            values = [None if math.isnan(v) else v for v in values] if values[1] != values[1] else values
            text = template % (",\n".join(parts), sparsity[n][1], sparsity[n][2], *values, n)
            yield text.replace("None", "null") if values[1] is None else text


def _epoch_lines(epoch: EpochCircuits | dict[str, Any], writers: dict[tuple[int, ...], _CircuitText]) -> Iterator[str]:
    if isinstance(epoch, dict):
        yield "  " + _indented(plain(epoch), 2)
        return
    head = {
        "epoch": epoch.epoch,
        "train_loss": epoch.train_loss,
        "val_loss": epoch.val_loss,
        "total_circuits": epoch.total_circuits,
    }
    yield "  " + _indented(head, 2)[:-4] + ',\n    "outputs": [\n'
    for k, found in enumerate(epoch.outputs):
        head = {"output_idx": k, "n_circuits": found.count, "avg_sparsity": float(found.mean_sparsity)}
        yield "      " + _indented(head, 6)[:-8] + ',\n        "circuits": ['
        writer = writers.setdefault(found.circuits.sizes, _CircuitText(found.circuits.layout))
        first = True
        for text in writer.lines(found):
            yield ("\n" if first else ",\n") + text
            first = False
        yield ("]" if first else "\n        ]") + "\n      }" + (",\n" if k + 1 < len(epoch.outputs) else "\n")
    yield "    ]\n  }"


def _epoch_text(epoch: EpochCircuits) -> str:
    return "".join(_epoch_lines(epoch, {}))


@contextmanager
def _text_sink(path: str | os.PathLike, compress: bool) -> Iterator[io.TextIOBase]:
    with atomic(path) as part:
        if compress:
            with (
                open(part, "wb") as raw,
                gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
                io.TextIOWrapper(packed, "utf-8", newline="\n") as sink,
            ):
                yield sink
        else:
            with open(part, "w", encoding="utf-8", newline="\n") as sink:
                yield sink


def write_record(
    path: str | os.PathLike, epochs: Iterable[EpochCircuits | dict[str, Any]], compress: bool = False
) -> Path:
    """Write a record in the published layout, byte for byte as its authors' `json.dump(..., indent=2)` lays it out.

    `epochs` (from `records_from_weights`, or entries of a history) are written as they come, so memory holds one at a
    time. compress: gzip; also when the name ends in .gz, which is added if it is missing. Returns the path.
    """
    path = Path(path)
    if compress and path.suffix != ".gz":
        path = path.with_name(path.name + ".gz")
    writers: dict[tuple[int, ...], _CircuitText] = {}
    with _text_sink(path, path.suffix == ".gz") as sink:
        sink.write("[")
        first = True
        for epoch in epochs:
            sink.write("\n" if first else ",\n")
            for piece in _epoch_lines(epoch, writers):
                sink.write(piece)
            first = False
        sink.write("]" if first else "\n]")
    return path


def record_stem(size: int | str, seed: int, depth: int, learning_rate: float, loss_target: float) -> str:
    """The part of a record's file name that tells its run, as published: k3_seed0_depth2_lr0.001_loss0.01."""
    return f"k{size}_seed{seed}_depth{depth}_lr{learning_rate}_loss{loss_target}"


def summary(history: Iterable[EpochCircuits | dict[str, Any]]) -> dict[str, list]:
    """Epochs, counts, sparsities and losses of a record as lists, under the published names."""
    keys = ("epochs", "circuit_counts", "avg_sparsities", "total_circuits", "train_losses", "val_losses")
    table: dict[str, list] = {key: [] for key in keys}
    for entry in history:
        if isinstance(entry, dict):
            outputs = entry["outputs"]
            counts = [output["n_circuits"] for output in outputs]
            sparsities = [output["avg_sparsity"] for output in outputs]
            row = (entry["epoch"], counts, sparsities, entry["total_circuits"])
            row += (entry.get("train_loss"), entry.get("val_loss"))
        else:
            counts = [output.count for output in entry.outputs]
            sparsities = [output.mean_sparsity for output in entry.outputs]
            row = (entry.epoch, counts, sparsities, entry.total_circuits, entry.train_loss, entry.val_loss)
        for key, value in zip(keys, row):
            table[key].append(value)
    return table


def write_convergence(
    path: str | os.PathLike,
    history: Iterable[EpochCircuits | dict[str, Any]],
    l1_lambda: float = 0.0,
    l2_lambda: float = 0.0,
    dropout_rate: float = 0.0,
) -> None:
    """Write the published table of a run, one row an epoch: counts and mean node sparsities per output, and losses."""
    import pandas as pd

    table = summary(history)
    frame = pd.DataFrame(
        {
            "epoch": table["epochs"],
            "circuit_counts": [str(row) for row in table["circuit_counts"]],
            "avg_sparsities": [str([float(v) for v in row]) for row in table["avg_sparsities"]],
            "total_circuits": table["total_circuits"],
            "train_loss": table["train_losses"],
            "val_loss": table["val_losses"],
            "l1_lambda": float(l1_lambda),
            "l2_lambda": float(l2_lambda),
            "dropout_rate": float(dropout_rate),
        }
    )
    write_csv(path, frame)


# Reading


def read_history(path: str | os.PathLike, sizes: Sequence[int] | None = None) -> list[dict[str, Any]]:
    """The entries of a record (JSON, gzip or not), checked to be one; nothing of them is changed or lost.

    Raises OntogenyError for a file that is cut off, is not a record, or whose masks do not fit its network: `sizes`,
    or the one that its first circuit shows.
    """
    path = Path(path)
    text = _unpacked(path) if path.suffix == ".gz" and path.is_file() else read_text(path)
    try:
        history = json.loads(text)
    except (RecursionError, MemoryError):
        raise OntogenyError(f"{path} is nested too deeply to be a record of circuits") from None
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) - 1 or "Unterminated" in error.msg
        what = "ends in the middle, as if it were cut off" if cut else f"is not JSON: {error.msg}"
        raise OntogenyError(f"{path} {what} (line {error.lineno}, column {error.colno})") from None
    except ValueError as error:
        raise OntogenyError(f"{path} is not JSON that can be read: {error}") from None
    if not isinstance(history, list):
        raise OntogenyError(
            f"{path} is not a record of circuits: a list of epochs is wanted, not {type(history).__name__}"
        )
    wanted = None if sizes is None else tuple(int(size) for size in sizes)
    for number, entry in enumerate(history, start=1):
        where = f"entry {number} of {path}"
        if not isinstance(entry, dict):
            raise OntogenyError(f"{where} is not an epoch but {type(entry).__name__}")
        for key in ("epoch", "total_circuits", "outputs"):
            if key not in entry:
                raise OntogenyError(f"{where} has no '{key}', which a record of circuits has at every epoch")
        if not isinstance(entry["outputs"], list):
            raise OntogenyError(f"'outputs' in {where} is not a list of outputs")
        for output in entry["outputs"]:
            for key in ("n_circuits", "avg_sparsity", "circuits"):
                if not isinstance(output, dict) or key not in output:
                    raise OntogenyError(f"an output in {where} has no '{key}'")
            if not isinstance(output["circuits"], list):
                raise OntogenyError(f"'circuits' of an output in {where} is not a list of circuits")
            for index, circuit in enumerate(output["circuits"]):
                found = _circuit_sizes(circuit, f"circuit {index} in {where}")
                wanted = wanted or found
                if found != wanted:
                    raise OntogenyError(
                        f"circuit {index} in {where} has masks of a network {list(found)}, but the network is "
                        f"{list(wanted)}"
                    )
    return history


def _unpacked(path: Path) -> str:
    """The text of a gzip file. Raises OntogenyError if it is damaged, or unpacks to very much."""
    with read_errors(path, "a gzip file, not cut off,"), gzip.open(path) as file:
        most = most_unpacked(path)
        data = file.read(most + 1)
        if len(data) > most:
            raise OntogenyError(f"{path} unpacks to more than {most >> 20} MiB, far more than its size allows")
        return data.decode("utf-8")


def _circuit_sizes(circuit: dict[str, Any], where: str) -> tuple[int, ...]:
    """Layer sizes that a circuit's masks show. Raises OntogenyError when they clash with each other."""
    try:
        nodes, edges = circuit["node_masks"], circuit["edge_masks"]
        sizes = tuple(len(mask) for mask in nodes)
        fit = len(edges) == len(nodes) - 1 and all(
            len(mask) == b and all(len(row) == a for row in mask) for mask, a, b in zip(edges, sizes[:-1], sizes[1:])
        )
        binary = {v for mask in nodes for v in mask} | {v for mask in edges for row in mask for v in row} <= {0, 1}
    except (KeyError, TypeError):
        raise OntogenyError(f"{where} has no node_masks and edge_masks of nested lists") from None
    if not fit:
        raise OntogenyError(f"edge masks of {where} do not fit its node masks of sizes {list(sizes)}")
    if not binary:
        raise OntogenyError(f"masks of {where} hold something other than 0 and 1")
    return sizes


def circuits_of(output: dict[str, Any], sizes: Sequence[int] | None = None) -> CircuitSet:
    """The listed circuits of one output of a record's epoch, as bits, in the record's order.

    `sizes` is only needed where no circuit is listed. Raises OntogenyError where masks are no candidate circuit: an
    active neuron without an edge in or out, an unused input, an edge of an inactive neuron.
    """
    listed = output["circuits"]
    if not listed:
        if sizes is None:
            raise OntogenyError("an epoch without circuits does not show its network: give sizes")
        return CircuitSet(np.zeros(0, np.uint64), Layout(tuple(sizes)))
    layout = Layout(_circuit_sizes(listed[0], "circuit 0"))
    edges = [np.array([c["edge_masks"][layer] for c in listed], np.uint8) for layer in range(len(layout.sizes) - 1)]
    circuits = CircuitSet(layout.encode(edges), layout)
    shown = [np.array([c["node_masks"][layer] for c in listed], np.uint8) for layer in range(len(layout.sizes))]
    for layer, (mine, theirs) in enumerate(zip(circuits.edge_masks, edges)):
        bad = np.flatnonzero((mine != theirs).any(axis=(1, 2)) | (theirs.any(axis=1) != shown[layer]).any(axis=1))
        bad = bad if len(bad) else np.flatnonzero((theirs.any(axis=2) != shown[layer + 1]).any(axis=1))
        if len(bad):
            raise OntogenyError(
                f"circuit {bad[0]} is no valid circuit: edges of layer {layer} and active neurons do not agree"
            )
    return circuits


def check_record(history: Iterable[dict[str, Any]], candidates: str = "all") -> list[str]:
    """Re-derive from the masks of a record all that follows from them, and list what disagrees (nothing, if sound).

    Compared are counts, the sparsity triple, its mean, validity and membership in `candidates`, the order, doubles,
    the lists of neurons, and that every mean lies between minimum and maximum.
    """
    if candidates not in CANDIDATES:
        raise unknown("set of candidates", candidates, CANDIDATES)
    wrong = []
    for entry in history:
        if entry["total_circuits"] != sum(output["n_circuits"] for output in entry["outputs"]):
            wrong.append(f"epoch {entry['epoch']}: total_circuits is not the sum over outputs")
        for output in entry["outputs"]:
            where = f"epoch {entry['epoch']}, output {output.get('output_idx', 0)}"
            listed = output["circuits"]
            if output["n_circuits"] != len(listed):
                wrong.append(f"{where}: n_circuits is {output['n_circuits']} but {len(listed)} are listed")
            if not listed:
                continue
            try:
                found = circuits_of(output)
            except OntogenyError as error:
                wrong.append(f"{where}: {error}")
                continue
            layout, triple = found.layout, found.sparsity
            if not np.array_equal(layout.in_order(found.codes), found.codes):
                wrong.append(f"{where}: circuits are not in the order of the enumeration")
            if len(set(found.codes.tolist())) != len(found):
                wrong.append(f"{where}: a circuit is listed twice")
            if candidates == "published" and (triple[:, 0] == 0).any():
                wrong.append(f"{where}: a circuit uses every hidden neuron, which published candidates never do")
            if not np.array_equal(triple, np.array([c["sparsity"] for c in listed])):
                wrong.append(f"{where}: sparsity does not follow from the masks")
            if [c.get("sparsity_value", t[0]) for c, t in zip(listed, triple)] != triple[:, 0].tolist():
                wrong.append(f"{where}: sparsity_value is not the node sparsity")
            if len(listed) == output["n_circuits"] and abs(output["avg_sparsity"] - triple[:, 0].mean()) > 1e-12:
                wrong.append(f"{where}: avg_sparsity is not the mean node sparsity")
            if [c.get("circuit_idx", n) for n, c in enumerate(listed)] != list(range(len(listed))):
                wrong.append(f"{where}: circuit_idx does not count the circuits")
            for n, (circuit, entry_) in enumerate(zip(found, listed)):
                active = [
                    (layer, neuron)
                    for layer, mask in enumerate(circuit.node_masks[1:], start=1)
                    for neuron in np.flatnonzero(mask).tolist()
                ]
                neurons = entry_.get("neurons", [])
                if neurons and [(v["layer"], v["neuron_idx"]) for v in neurons] != active:
                    wrong.append(f"{where}, circuit {n}: neurons are not the active ones")
                for v in neurons:
                    low, mean, high = v["min_activation"], v["mean_activation"], v["max_activation"]
                    if not low - 1e-5 <= mean <= high + 1e-5:
                        wrong.append(f"{where}, circuit {n}: a mean activation lies outside its range")
    return wrong


# Tracking inside somebody's own loop


def network_arrays(model: Any) -> tuple[list[NDArray], list[NDArray]]:
    """Weights and biases of a PyTorch model's linear layers, in order, as copies; absent biases are 0.

    The model is only read. Raises OntogenyError where its linear layers are no chain from inputs to outputs.
    """
    layers = [
        module
        for module in model.modules()
        if getattr(getattr(module, "weight", None), "ndim", 0) == 2 and hasattr(module, "in_features")
    ]
    weights = [as_array(layer.weight, "a weight").copy() for layer in layers]
    biases = [
        np.zeros(len(w), np.float32) if layer.bias is None else as_array(layer.bias, "a bias").copy()
        for layer, w in zip(layers, weights)
    ]
    if len(weights) < 2 or any(a.shape[0] != b.shape[1] for a, b in pairwise(weights)):
        raise OntogenyError(
            f"linear layers of shapes {[w.shape for w in weights]} are no chain with a hidden layer; circuits are "
            "tracked in plain MLPs"
        )
    return weights, biases


def detect_activation(model: Any) -> tuple[str, float] | None:
    """Name and negative slope of the hidden activation function of a PyTorch model, or None if it does not show."""
    known = {"LeakyReLU": "leaky_relu", "ReLU": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid"}
    seen = {}
    for module in model.modules():
        name = known.get(type(module).__name__)
        if name:
            seen[name] = float(getattr(module, "negative_slope", 0.01))
    if len(seen) == 1:
        return next(iter(seen.items()))
    named = getattr(model, "activation", None)
    return (named, 0.01) if isinstance(named, str) and named in ACTIVATIONS else None


class DetailedCircuitTracker:
    """Follows the perfect circuits of an MLP during training, with the published class's methods.

        tracker = DetailedCircuitTracker(5, x_val, y_val)
        for epoch in range(epochs):
            ...
            if tracker.should_track(epoch):
                tracker.track_epoch(epoch, model, train_loss, val_loss)
        tracker.save_to_json("detailed_circuits_....json")

    tracking_frequency: epochs between two looks; x_val (rows, inputs), y_val (rows, outputs): what circuits are judged
    on. accuracy_threshold, min_sparsity, candidates: as in `enumerate_circuits`, with the published candidates by
    default, so that counts are those of the published class. use_gpu_batching and gpu_batch_size are accepted and not
    needed. activation: of hidden neurons; None reads it off the model's modules. most_listed: circuits written out
    for an epoch at most.

    The model is read and nothing else: no random state, no training mode, no gradient is touched.
    """

    def __init__(
        self,
        tracking_frequency: int,
        x_val: ArrayLike,
        y_val: ArrayLike,
        accuracy_threshold: float = 0.99,
        min_sparsity: float = 0.0,
        use_gpu_batching: bool = False,
        gpu_batch_size: int = 128,
        *,
        candidates: str = "published",
        activation: str | None = None,
        most_listed: int = 1_000_000,
    ) -> None:
        if int(tracking_frequency) < 1:
            raise OntogenyError(f"tracking_frequency is {tracking_frequency}; give a number of epochs, 1 or more")
        if activation is not None and activation not in ACTIVATIONS:
            raise unknown("activation", activation, ACTIVATIONS)
        if candidates not in CANDIDATES:
            raise unknown("set of candidates", candidates, CANDIDATES)
        self.tracking_frequency = int(tracking_frequency)
        self.x_val, self.y_val = x_val, y_val
        self.accuracy_threshold, self.min_sparsity = accuracy_threshold, min_sparsity
        self.use_gpu_batching, self.gpu_batch_size = use_gpu_batching, gpu_batch_size
        self.candidates, self.activation, self.most_listed = candidates, activation, most_listed
        self.epochs: list[EpochCircuits | dict[str, Any]] = []

    @property
    def history(self) -> list[dict[str, Any]]:
        """As `get_history`."""
        return self.get_history()

    def should_track(self, epoch: int) -> bool:
        """Whether circuits are looked for after `epoch` (counted from 0)."""
        return (epoch + 1) % self.tracking_frequency == 0

    def track_epoch(
        self,
        epoch: int,
        model: Any,
        train_loss: float | None = None,
        val_loss: float | None = None,
        logger: Any = None,
    ) -> dict[str, Any]:
        """Find the circuits of `model` now, after `epoch` (counted from 0); keep and return the entry of the record."""
        weights, biases = network_arrays(model)
        activation, slope = self.activation, 0.01
        if activation is None:
            detected = detect_activation(model)
            if detected is None:
                raise OntogenyError(
                    "the model does not show one known activation function between its layers: name it with "
                    f"activation=, one of {', '.join(ACTIVATIONS)}"
                )
            activation, slope = detected
        targets = as_array(self.y_val, "y_val")
        entry = next(
            records_from_weights(
                [w[None] for w in weights],
                [b[None] for b in biases],
                self.x_val,
                targets[:, None] if targets.ndim == 1 else targets,
                [epoch + 1],
                [train_loss],
                [val_loss],
                candidates=self.candidates,
                accuracy_threshold=self.accuracy_threshold,
                activation=activation,
                min_sparsity=self.min_sparsity or 0.0,
                negative_slope=slope,
                most_listed=self.most_listed,
            )
        )
        self.epochs.append(entry)
        if logger:
            for index, output in enumerate(entry.outputs):
                logger.info(
                    f"Epoch {entry.epoch}, output {index}: {output.count} circuits ({self.candidates} candidates), "
                    f"mean node sparsity {output.mean_sparsity:.4f}"
                )
        return entry.as_dict()

    def get_history(self) -> list[dict[str, Any]]:
        """One entry a tracked epoch, in the published layout."""
        return [entry if isinstance(entry, dict) else entry.as_dict() for entry in self.epochs]

    def save_to_json(self, filepath: str | os.PathLike) -> None:
        """Write the record; a name that ends in .gz is compressed."""
        write_record(filepath, self.epochs)

    @classmethod
    def load_from_json(cls, filepath: str | os.PathLike) -> DetailedCircuitTracker:
        """A tracker that holds the record in `filepath`, for reading. Raises OntogenyError as `read_history` does."""
        tracker = cls(1, np.zeros((1, 2), np.float32), np.zeros((1, 1), np.float32))
        tracker.epochs = list(read_history(filepath))
        return tracker

    def to_summary_dict(self) -> dict[str, list]:
        """Epochs, circuit_counts, avg_sparsities, total_circuits, train_losses and val_losses as lists."""
        return summary(self.epochs)
