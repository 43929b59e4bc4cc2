"""What `ontogeny circuits` does: count circuits of a network in a file, animate a record, score discovery methods."""

from __future__ import annotations

import logging
import os
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ontogeny.circuits._plain import slope_of
from ontogeny.circuits.door import RULES, ReadNetwork, from_torch
from ontogeny.circuits.enumeration import ACTIVATIONS, Problem, check_weights
from ontogeny.circuits.functions import IDENTITY, Nonlinearity
from ontogeny.circuits.overlap import core_of_count, minimal_of
from ontogeny.circuits.settings import DEFAULTS, CircuitSettings
from ontogeny.errors import OntogenyError, unknown
from ontogeny.files import read_errors
from ontogeny.nonlinearities import LEAK
from ontogeny.words import counted


def _natural(name: str) -> list[tuple[int, str]]:
    """What sorts names with their numbers by size."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]


def read_network(
    path: str | os.PathLike[str], seed: int | None = None, epoch: int | None = None
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]], str | None]:
    """Weights, biases and, if the file states it, the activation of a network in a file of arrays or a checkpoint.

    The file is an ensemble (`seed`, and `epoch`, the last if None, choose the network), or holds the matrices (out, in)
    and vectors (out,) of a network's layers, as .npz, .safetensors, or what `open_state` reads. With names as of a
    PyTorch state (`0.weight`, `0.bias`) a layer without a vector of its own has no bias; with others there are as many
    vectors as matrices, or none. Layers are in the order of the arrays in the file, and of their names, numbers by
    size, in a .safetensors file, which keeps no order. Raises OntogenyError for other files.
    """
    file = Path(path)
    if file.suffix == ".safetensors":
        from safetensors import safe_open

        with read_errors(file, "a whole safetensors file"), safe_open(os.fspath(file), "pt") as handle:
            arrays = {name: _array(handle.get_tensor(name)) for name in sorted(handle.keys(), key=_natural)}
        if "offsets" in arrays:
            from ontogeny.training.ensemble import load_ensemble

            ensemble = load_ensemble(file)
            weights, biases = ensemble.network(int(ensemble.seeds[0]) if seed is None else seed, epoch)
            return weights, biases, ensemble.settings.activation
    elif file.suffix == ".npz":
        with read_errors(file, "a whole .npz file"), np.load(file, allow_pickle=False) as handle:
            arrays = {name: handle[name] for name in handle.files}
    else:
        from ontogeny.trajectory.states import PICKLED, open_state

        if not file.exists():
            raise OntogenyError(f"{file} does not exist")
        if file.suffix not in PICKLED and not file.is_dir():
            raise OntogenyError(
                f"{file} is none of the files that hold networks: .npz, .safetensors, {', '.join(PICKLED)}, .pt2"
            )
        arrays = {name: _array(tensor) for name, tensor in open_state(file).items()}
    _one_network(file, seed, epoch)
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
            f"{file} holds {counted(len(matrices), 'matrix')} and {counted(len(vectors), 'vector')}: give each "
            "layer its own"
        )
    weights, checked, _ = check_weights(list(matrices.values()), biases)
    return weights, checked, None


def _one_network(path: str | os.PathLike[str], seed: int | None, epoch: int | None) -> None:
    for name, value in (("seed", seed), ("epoch", epoch)):
        if value is not None:
            raise OntogenyError(f"{path} holds one network, not an ensemble: leave out {name} {value}")


def _array(tensor: Any) -> NDArray[Any]:
    """A tensor as an array, in float32 where NumPy has no such numbers."""
    return np.asarray((tensor.float() if tensor.is_floating_point() else tensor).detach().cpu().numpy())


def _model(path: Path) -> Callable[[Any], Any] | None:
    """The program in a file of TorchScript or torch.export, or None for other files."""
    if path.suffix == ".pt2":
        return _exported(path)
    if path.is_file() and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            scripted = any("/code/" in name for name in file.namelist())
        if scripted:
            import torch

            with read_errors(path, "a program of TorchScript"):
                loaded: Callable[[Any], Any] = torch.jit.load(path, map_location="cpu")
                return loaded
    return None


def _exported(path: Path) -> Callable[[Any], Any]:
    """The program of torch.export in a file. Raises OntogenyError if it takes anything but one table of inputs."""
    import torch

    logger = logging.getLogger("torch.export")
    was_disabled, logger.disabled = logger.disabled, True  # it prints the traceback of what is said in a sentence here
    try:
        with read_errors(path, "a program of torch.export"):
            path.open("rb").close()
            try:
                exported = torch.export.load(path)
            except (RuntimeError, zipfile.BadZipFile):
                raise OntogenyError(f"{path} is no program of torch.export, or only a part of one") from None
    finally:
        logger.disabled = was_disabled
    examples: tuple[tuple[Any, ...], dict[str, Any]] = exported.example_inputs or ((), {})
    given, named = examples
    if named or len(given) != 1 or not isinstance(given[0], torch.Tensor) or given[0].ndim != 2:
        raise OntogenyError(
            f"{path} takes other inputs than one tensor (rows, inputs): export a model that takes that alone"
        )
    return _for_any_rows(exported.module(), len(given[0]))


def _for_any_rows(model: Callable[[Any], Any], n: int) -> Callable[[Any], Any]:
    """A model that may take `n` rows only, as a function of any number of them."""
    import torch

    def run(x: Any) -> Any:
        try:
            return model(x)
        except (AssertionError, RuntimeError):
            parts = [model(torch.nn.functional.pad(part, (0, 0, 0, n - len(part))))[: len(part)] for part in x.split(n)]
            return torch.cat(parts)

    return run


def _read(
    path: str | os.PathLike[str],
    x: NDArray[np.float32],
    activation: str | None,
    seed: int | None,
    epoch: int | None,
) -> tuple[ReadNetwork, bool]:
    """The network in a file, with the inputs that it is judged on, and whether its activation is neither stated nor
    named; errors as of `describe_network`."""
    if (model := _model(Path(path))) is not None:
        if activation is not None:
            raise OntogenyError(f"{path} holds a model with its own activations: leave out activation {activation}")
        _one_network(path, seed, epoch)
        return from_torch(model, x), False
    weights, biases, own = read_network(path, seed, epoch)
    name = activation or own or "leaky_relu"
    if name not in ACTIVATIONS:
        raise unknown("activation", name, ACTIVATIONS)
    if weights[0].shape[1] != x.shape[1]:
        raise OntogenyError(f"inputs of the network: {weights[0].shape[1]}; the gates have {x.shape[1]}")
    hidden = Nonlinearity(name, slope_of(name, LEAK))
    return ReadNetwork(weights, biases, [hidden] * (len(weights) - 1), IDENTITY, x), not (activation or own)


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

    The file is one of `read_network`, or a program of TorchScript or torch.export (.pt2), read by `from_torch`. By the
    rule "argmax" outputs are judged together: of two by one gate, whose 1 asks for the second, or of several by as many
    gates, of which one is 1 on every row.

    Sizes, the activation and the rule that were used, and for each output the rows that the whole network gets right,
    circuits, candidates, and of circuits their mean node sparsity, the hidden neurons and edges that all share and how
    many contain no other (not with more than 64 edges into hidden layers). A note where an activation was assumed with
    which the whole network gets rows wrong.

    Raises OntogenyError for an unknown output rule, a file that holds no network, and gates that do not fit its
    outputs.
    """
    from ontogeny.tasks.gates import get_gates, truth_table

    if rule not in RULES:
        raise unknown("output rule", rule, RULES)
    x, y = truth_table(gates)
    network, assumed = _read(path, x, activation, seed, epoch)
    names = [gate.name for gate in get_gates(gates)]
    n_outputs = network.n_outputs
    if rule == "argmax" and n_outputs < 2:
        raise OntogenyError("argmax compares outputs, and the network has one: choose another rule")
    if rule == "argmax" and n_outputs == 2 and len(names) == 1:
        asked: list[tuple[int | str, str, NDArray[Any], int]] = [("both", names[0], y[:, 0], 0)]
    elif len(names) != n_outputs:
        raise OntogenyError(f"outputs of the network: {n_outputs}; name as many gates, not {len(names)}")
    elif rule == "argmax":
        if (y.sum(axis=1) != 1).any():
            raise OntogenyError("argmax needs gates of which one, and only one, is 1 on every row")
        asked = [("all", " ".join(names), y.argmax(axis=1).astype(np.float32), 0)]
    else:
        asked = [(output, name, y, output) for output, name in enumerate(names)]
    outputs = []
    for output, gate, targets, at in asked:
        right = network.right(targets, rule, output=at)
        whole = {"rows": len(right), "rows_right": int(right.sum())}
        outputs.append(
            {"output": output, "gate": gate} | whole | _described(network.problem(targets, rule, settings, at))
        )
    functions = list(dict.fromkeys(function.name or "its own" for function in network.hidden))
    told = {"sizes": list(network.sizes), "activation": ", ".join(functions), "rule": rule, "outputs": outputs}
    wrong = [one for one in outputs if one["rows_right"] < one["rows"]]
    if assumed and wrong:
        told["note"] = (
            f"{path} states no activation, and {functions[0]} was assumed, with which the whole network gets "
            f"{wrong[0]['rows_right']} of {wrong[0]['rows']} rows of {wrong[0]['gate']} right: name the activation "
            "that it was trained with"
        )
    return told


def _described(problem: Problem) -> dict[str, Any]:
    problem.check_cost(3600.0)
    found = problem.counted()
    told: dict[str, Any] = {"circuits": found.count, "candidates": found.candidates}
    if found.count:
        told["mean_node_sparsity"] = round(found.mean_sparsity.node, 4)
        shared = core_of_count(found)
        told["core_neurons"] = int(sum(mask.sum() for mask in shared.node_masks[1:-1]))
        told["core_edges"] = int(sum(mask.sum() for mask in shared.edge_masks))
        if problem.layout.n_hidden_edges <= 64:
            told["minimal"] = len(minimal_of(problem))
    return told


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
