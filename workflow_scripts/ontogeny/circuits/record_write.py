"""Writing records of circuits in the published layout, byte for byte, and the convergence table beside them."""

from __future__ import annotations

import gzip
import io
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ontogeny.circuits.masks import Circuit, Layout, is_collection
from ontogeny.circuits.records import STATISTICS, EpochCircuits, OutputCircuits
from ontogeny.errors import OntogenyError, check_number, expect
from ontogeny.files import as_path, atomic, plain, write_csv


def _indented(value: Any, depth: int) -> str:
    return json.dumps(value, indent=2, allow_nan=False).replace("\n", "\n" + " " * depth)


class _CircuitText:
    """JSON text of circuits of one network, from pieces that are made once."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.templates: dict[int, tuple[str, NDArray[np.int64]]] = {}
        self.blocks: list[dict[int, str]] = [{} for _ in layout.sizes[1:]]

    def _template(self, circuit: Circuit, sparsity: list[float]) -> tuple[str, NDArray[np.int64]]:
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
                self.templates[node_code] = self._template(circuits[n], sparsity[n])
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


def epoch_text(epoch: EpochCircuits) -> str:
    """The entry of one epoch in the published layout, as JSON text."""
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
    path: str | os.PathLike, epochs: Iterable[EpochCircuits | dict[str, Any]], compress: bool | None = None
) -> Path:
    """Write a record in the published layout, byte for byte as its authors' `json.dump(..., indent=2)` lays it out.

    `epochs` (from `records_from_weights`, or entries of a history) are written as they come, so memory holds one at a
    time. compress: gzip, and add .gz to the name; None: if the name ends in .gz. Returns the path.

    Raises OntogenyError for what is no path, or no list of epochs.
    """
    path = as_path(path)
    expect(compress, (bool, np.bool_, type(None)), "True, False or None as compress")
    epochs = _epochs(epochs)
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


def _epochs(epochs: Any) -> Iterator[EpochCircuits | dict[str, Any]]:
    """The epochs of a record, one by one. Raises OntogenyError for what is no list of them."""
    if isinstance(epochs, Mapping) or not is_collection(epochs):
        raise OntogenyError(
            f"a record is written from a list of epochs, as records_from_weights gives, not {type(epochs).__name__}"
        )

    def checked() -> Iterator[EpochCircuits | dict[str, Any]]:
        for number, epoch in enumerate(epochs, start=1):
            if not isinstance(epoch, (EpochCircuits, dict)):
                raise OntogenyError(f"entry {number} of the record is not an epoch but {type(epoch).__name__}")
            if isinstance(epoch, dict) and not (epoch.keys() >= _OF_EPOCHS and isinstance(epoch["outputs"], list)):
                raise OntogenyError(f"entry {number} of the record lacks one of {', '.join(sorted(_OF_EPOCHS))}")
            yield epoch

    return checked()


_OF_EPOCHS = {"epoch", "total_circuits", "outputs"}


def record_stem(size: int | str, seed: int, depth: int, learning_rate: float, loss_target: float) -> str:
    """The part of a record's file name that identifies its run, as published: k3_seed0_depth2_lr0.001_loss0.01."""
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
            columns = (entry["epoch"], entry["total_circuits"], entry.get("train_loss"), entry.get("val_loss"))
        else:
            counts = [output.count for output in entry.outputs]
            sparsities = [output.mean_sparsity for output in entry.outputs]
            columns = (entry.epoch, entry.total_circuits, entry.train_loss, entry.val_loss)
        epoch, total, train_loss, val_loss = columns
        for key, value in zip(keys, (epoch, counts, sparsities, total, train_loss, val_loss)):
            table[key].append(value)
    return table


def write_convergence(
    path: str | os.PathLike,
    history: Iterable[EpochCircuits | dict[str, Any]],
    l1_lambda: float = 0.0,
    l2_lambda: float = 0.0,
    dropout_rate: float = 0.0,
) -> None:
    """Write the published table of a run, one row per epoch: counts and mean node sparsities per output, and losses.

    Raises OntogenyError for what is no path, no list of epochs, or no number.
    """
    import pandas as pd

    path = as_path(path)
    for name, value in (("l1_lambda", l1_lambda), ("l2_lambda", l2_lambda), ("dropout_rate", dropout_rate)):
        check_number(value, name, "a number of 0 or more", 0)
    table = summary(_epochs(history))
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
