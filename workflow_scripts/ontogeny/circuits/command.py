"""What `ontogeny circuits` does: count circuits of a network in a file, animate a record, score discovery methods."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ontogeny.circuits.enumeration import Problem, Samples, check_weights
from ontogeny.circuits.outputs import ROUNDED, above
from ontogeny.circuits.overlap import core_of_count, find_minimal_circuits
from ontogeny.circuits.settings import DEFAULTS, CircuitSettings
from ontogeny.errors import OntogenyError, unknown
from ontogeny.files import read_errors

RULES = {"rounded": ROUNDED, "sign": above(0.0)}


def _natural(name: str) -> list[tuple[int, str]]:
    """What sorts names with their numbers by size."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]


def read_network(
    path: str | os.PathLike[str], seed: int | None = None, epoch: int | None = None
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]], str | None]:
    """Weights, biases and, if the file states it, the activation of a network in a .npz or .safetensors file.

    The file is an ensemble (`seed`, and `epoch`, the last if None, choose the network), or holds the matrices (out, in)
    and vectors (out,) of a network's layers. With names as of a PyTorch state (`0.weight`, `0.bias`) a layer without a
    vector of its own has no bias; with others there are as many vectors as matrices, or none. Layers are in the order
    of the arrays in a .npz file, and of their names, numbers by size, in a .safetensors file, which keeps no order.
    Raises OntogenyError for other files.
    """
    file = Path(path)
    if file.suffix == ".safetensors":
        from safetensors import safe_open

        with read_errors(file, "a whole safetensors file"), safe_open(os.fspath(file), "np") as handle:
            arrays = {name: handle.get_tensor(name) for name in sorted(handle.keys(), key=_natural)}
        if "offsets" in arrays:
            from ontogeny.training.ensemble import load_ensemble

            ensemble = load_ensemble(file)
            weights, biases = ensemble.network(int(ensemble.seeds[0]) if seed is None else seed, epoch)
            return weights, biases, ensemble.settings.activation
        _refuse_choice(file, seed, epoch)
    elif file.suffix == ".npz":
        _refuse_choice(file, seed, epoch)
        with read_errors(file, "a whole .npz file"), np.load(file, allow_pickle=False) as handle:
            arrays = {name: handle[name] for name in handle.files}
    else:
        raise OntogenyError(f"{file} is not a .npz or .safetensors file, which hold networks")
    matrices = {name: array for name, array in arrays.items() if array.ndim == 2}
    vectors = {name: array for name, array in arrays.items() if array.ndim == 1}
    if matrices and all("." in name for name in matrices):
        own = {name: name.rpartition(".")[0] + ".bias" for name in matrices}
        others = [name for name in arrays if name not in matrices and name not in own.values()]
        if others:
            raise OntogenyError(
                f"{file} holds {others[0]}, which is no weight or bias of a linear layer: read the model itself with "
                "from_torch"
            )
        biases = [vectors.get(own[name], np.zeros(len(w), np.float32)) for name, w in matrices.items()]
    elif len(vectors) in (0, len(matrices)):
        biases = list(vectors.values()) or [np.zeros(len(w), np.float32) for w in matrices.values()]
    else:
        raise OntogenyError(
            f"{file} holds {len(matrices)} matrices and {len(vectors)} vectors: give each layer its own"
        )
    weights, checked, _ = check_weights(list(matrices.values()), biases)
    return weights, checked, None


def _refuse_choice(file: Path, seed: int | None, epoch: int | None) -> None:
    for name, value in (("seed", seed), ("epoch", epoch)):
        if value is not None:
            raise OntogenyError(f"{file} holds one network, not an ensemble: leave out {name} {value}")


def describe_network(
    path: str | os.PathLike[str],
    gates: Sequence[str],
    *,
    activation: str | None = None,
    rule: str = "rounded",
    seed: int | None = None,
    epoch: int | None = None,
    settings: CircuitSettings = DEFAULTS,
) -> dict[str, Any]:
    """The circuits of a network in a file, judged on the truth table of `gates`, one output each.

    Sizes, the activation and the rule that were used, and for each output circuits, candidates, and of circuits their
    mean node sparsity, the hidden neurons and edges that all share and how many contain no other (not with more than 64
    edges into hidden layers).

    Raises OntogenyError for an unknown output rule, a file that holds no network, and gates that do not fit its
    outputs.
    """
    from ontogeny.tasks.gates import get_gates, separate_output, truth_table

    if rule not in RULES:
        raise unknown("output rule", rule, RULES)
    weights, biases, own = read_network(path, seed, epoch)
    x, y = truth_table(gates)
    if y.shape[1] != len(biases[-1]):
        raise OntogenyError(f"outputs of the network: {len(biases[-1])}; name as many gates, not {y.shape[1]}")
    of_hidden = activation or own or "leaky_relu"
    outputs = []
    for output, gate in enumerate(get_gates(gates)):
        w, b = separate_output(weights, biases, output)
        problem = Problem(
            [(w, b)],
            [Samples.of(x, y[:, output : output + 1], w[0].shape[1], settings.accuracy_threshold, RULES[rule])],
            of_hidden,
            settings.candidates,
            settings.min_sparsity,
        )
        problem.check_cost(3600.0)
        found = problem.counted()
        told: dict[str, Any] = {
            "output": output,
            "gate": gate.name,
            "circuits": found.count,
            "candidates": found.candidates,
        }
        if found.count:
            told["mean_node_sparsity"] = round(found.mean_sparsity.node, 4)
            shared = core_of_count(found)
            told["core_neurons"] = int(sum(mask.sum() for mask in shared.node_masks[1:-1]))
            told["core_edges"] = int(sum(mask.sum() for mask in shared.edge_masks))
            if problem.layout.n_hidden_edges <= 64:
                told["minimal"] = len(find_minimal_circuits(problem))
        outputs.append(told)
    sizes = [weights[0].shape[1], *(len(v) for v in biases)]
    return {"sizes": sizes, "activation": of_hidden, "rule": rule, "outputs": outputs}


def animate_record(record: str | os.PathLike[str], out: str | os.PathLike[str], frames: int = DEFAULTS.frames) -> Path:
    """Write an animation (.mp4 or .gif) or a page (.html) of a record in the published layout."""
    from ontogeny.circuits.animation import animate_circuits
    from ontogeny.circuits.frames import frames_from_record
    from ontogeny.circuits.page import write_circuit_page

    drawn = frames_from_record(record, Path(record).name.removesuffix(".gz").removesuffix(".json"))
    if Path(out).suffix == ".html":
        return write_circuit_page(drawn, out)
    return animate_circuits(drawn, out, most_frames=frames)


def score_methods(
    ensemble: str | os.PathLike[str], folder: str | os.PathLike[str], settings: CircuitSettings = DEFAULTS
) -> str:
    """Score methods of circuit discovery on every network of an ensemble file, and return the table as text.

    Writes `scores.csv`, `methods.csv` and the figure `methods.png` (also as PDF and SVG) into `folder`.

    Raises OntogenyError if no network of the ensemble has a circuit at an enumerated epoch.
    """
    from ontogeny.circuits.discovery import discovery_by_progress, discovery_table, score_discovery
    from ontogeny.circuits.figures import plot_discovery
    from ontogeny.files import write_csv
    from ontogeny.plotting.style import save_figure
    from ontogeny.training.ensemble import load_ensemble

    loaded = load_ensemble(ensemble)
    scores = score_discovery(loaded, settings)
    if scores.empty:
        raise OntogenyError(f"no network in {ensemble} has a circuit at an enumerated epoch, so there is no truth")
    table = discovery_table(scores)
    Path(folder).mkdir(parents=True, exist_ok=True)
    write_csv(Path(folder) / "scores.csv", scores)
    write_csv(Path(folder) / "methods.csv", table)
    save_figure(plot_discovery(table, discovery_by_progress(scores)), Path(folder) / "methods.png", table)
    return str(table.round(3).to_string(index=False))
