"""Reading records of circuits in the published layout, and checking what follows from their masks."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ontogeny.circuits.masks import CircuitSet, Layout, is_collection, whole_numbers
from ontogeny.circuits.records import EpochCircuits
from ontogeny.circuits.settings import CANDIDATES, DEFAULTS
from ontogeny.errors import OntogenyError, check_word, shown
from ontogeny.files import as_path, most_unpacked, read_errors, read_text
from ontogeny.words import with_article


def read_history(path: str | os.PathLike, sizes: Sequence[int] | None = None) -> list[dict[str, Any]]:
    """The entries of a record (JSON, gzip or not), checked to be one; nothing of them is changed or lost.

    Raises OntogenyError for a file that is cut off, is not a record, or whose masks do not fit its network: `sizes`,
    or the one that its first circuit shows.
    """
    path = as_path(path)
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
            f"{path} is not a record of circuits: a record is a list of epochs, not "
            + with_article(type(history).__name__)
        )
    return list(checked_entries(history, str(path), sizes))


def checked_entries(history: Iterable[Any], of: str, sizes: Sequence[int] | None = None) -> Iterator[dict[str, Any]]:
    """The entries of a record, which is called `of`, as dicts. Errors as of `read_history`."""
    expected = None if sizes is None else _network_sizes(sizes)
    for number, given in enumerate(history, start=1):
        where = f"entry {number} of {of}"
        entry = given.as_dict() if isinstance(given, EpochCircuits) else given
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
                expected = expected or found
                if found != expected:
                    raise OntogenyError(
                        f"circuit {index} in {where} has masks of a network {list(found)}, but the network is "
                        f"{list(expected)}"
                    )
        yield entry


def _network_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """Layer sizes. Raises OntogenyError where they are none."""
    given = whole_numbers(sizes)
    if len(given) < 3 or min(given) < 1:
        raise OntogenyError(f"sizes is {shown(sizes)}: give those of all layers, inputs first, as (2, 3, 1)")
    return given


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
    if not isinstance(output, Mapping) or not isinstance(listed := output.get("circuits"), list):
        raise OntogenyError("an output of a record's epoch is expected, with a list 'circuits', as entry['outputs'][0]")
    if not listed:
        if sizes is None:
            raise OntogenyError("an epoch without circuits does not show its network: give sizes")
        return CircuitSet(np.zeros(0, np.uint64), Layout(_network_sizes(sizes)))
    shapes = {_circuit_sizes(circuit, f"circuit {n}") for n, circuit in enumerate(listed)}
    if len(shapes) > 1:
        raise OntogenyError(
            f"circuits of networks of different sizes, {sorted(map(list, shapes))}, are listed together"
        )
    layout = Layout(shapes.pop())
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


def check_record(history: Iterable[dict[str, Any]], candidates: str = DEFAULTS.candidates) -> list[str]:
    """Re-derive from the masks of a record all that follows from them, and list what disagrees (nothing, if sound).

    Compared are counts, the sparsity triple, its mean, validity and membership in `candidates`, the order, doubles,
    the lists of neurons, and that every mean lies between minimum and maximum.

    history: what `read_history` gives, or what `records_from_weights` does. Raises OntogenyError for an unknown set of
    candidates, and for what is no record.
    """
    check_word(candidates, "set of candidates", CANDIDATES)
    if isinstance(history, Mapping) or not is_collection(history):
        raise OntogenyError(
            f"a record is a list of epochs, not {type(history).__name__}: read the file of one with read_history"
        )
    wrong = []
    for entry in checked_entries(history, "the record"):
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
            try:
                wrong += _disagreements(output, found, where, candidates)
            except (KeyError, TypeError, ValueError) as error:
                lacking = f"a circuit has no {error}" if isinstance(error, KeyError) else "a number of it is none"
                wrong.append(f"{where}: {lacking}")
    return wrong


def _disagreements(output: dict[str, Any], found: CircuitSet, where: str, candidates: str) -> list[str]:
    """What one output of an epoch says of its circuits that does not follow from their masks."""
    listed, wrong = output["circuits"], list[str]()
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
