"""The circuits of a whole ensemble, followed through training: records, lives, structure, births against jumps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.circuits.comparison import birth_epochs, births_at_jumps, compare_within, core, minimal_circuits, turnover
from ontogeny.circuits.interpretation import ground
from ontogeny.circuits.masks import CircuitSet
from ontogeny.circuits.records import EpochCircuits, record_stem, records_from_weights, write_convergence, write_record
from ontogeny.errors import OntogenyError
from ontogeny.files import disk_errors

MOST_GROUNDED = 200
"""Circuits of a network whose groundings are counted; more are sampled."""


def epochs_of_seed(ensemble: Any, seed: int, settings: dict[str, Any], first: int = 1) -> Iterator[EpochCircuits]:
    """The circuits of one seed of an `ontogeny.training.ensemble.EnsembleResult`, epoch by epoch from `first` on.

    `settings` holds candidates, accuracy_threshold, min_sparsity and convergence_frequency; the last epoch is always
    among those looked at. Circuits are judged on the seed's own validation rows.
    """
    rows = ensemble.rows(seed)
    last = rows.stop - rows.start - 1
    epochs = sorted({*range(first, last + 1, settings["convergence_frequency"]), last})
    chosen = rows.start + np.array(epochs)
    data = ensemble.data(seed).validation
    return records_from_weights(
        [layer[chosen] for layer in ensemble.weights],
        [layer[chosen] for layer in ensemble.biases],
        data.x,
        data.y,
        epochs,
        ensemble.train_loss[chosen],
        ensemble.val_loss[chosen],
        candidates=settings["candidates"],
        accuracy_threshold=settings["accuracy_threshold"],
        activation=ensemble.settings.activation,
        min_sparsity=settings["min_sparsity"],
        seed=seed,
    )


def write_records(ensemble: Any, seeds: list[int], folder: str | os.PathLike, settings: dict[str, Any]) -> None:
    """Write the published record and convergence table of each of `seeds` into `folder`."""
    made = ensemble.settings
    with disk_errors(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        size = made.hidden[0] if len(set(made.hidden)) == 1 else "-".join(map(str, made.hidden))
        stem = record_stem(size, seed, len(made.hidden), made.learning_rate, made.loss_target)
        history = list(epochs_of_seed(ensemble, seed, settings))
        write_record(Path(folder) / f"detailed_circuits_{stem}.json", history, compress=settings["compress"])
        table = Path(folder) / f"convergence_{stem}.csv"
        write_convergence(table, history, made.l1_lambda, made.l2_lambda, made.dropout_rate)


def trace_ensemble(
    ensemble: Any, settings: dict[str, Any], progress: Callable[[int, int], None] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, dict[int, np.ndarray]]:
    """Follow the circuits of every seed and output through training.

    Returns the turnover (seed, output, epoch, circuits, births, deaths, survived), the structure at the last epoch
    (seed, output, circuits; minimal: circuits that contain no other; core_nodes, core_edges: hidden neurons and edges
    that all share; jaccard: mean overlap of pairs; included: share of pairs of which one contains the other;
    groundings: mean over at most 200 circuits), and the epochs of birth of all circuits of each seed.
    """
    lives, structure, births = [], [], {}
    for done, seed in enumerate(map(int, ensemble.seeds), start=1):
        history = list(epochs_of_seed(ensemble, seed, settings))
        epochs = [entry.epoch for entry in history]
        born = []
        for output in range(ensemble.settings.sizes[-1]):
            sets = [entry.outputs[output].circuits for entry in history]
            lives.append(turnover(epochs, sets).assign(seed=seed, output=output))
            structure.append({"seed": seed, "output": output, **_structure(ensemble, seed, output, sets[-1])})
            born.append(birth_epochs(epochs, sets))
        births[seed] = np.sort(np.concatenate(born))
        if progress is not None:
            progress(done, len(ensemble.seeds))
    table = pd.concat(lives, ignore_index=True)
    return table[["seed", "output", *table.columns.drop(["seed", "output"])]], pd.DataFrame(structure), births


def _structure(ensemble: Any, seed: int, output: int, found: CircuitSet) -> dict[str, Any]:
    row: dict[str, Any] = {"circuits": len(found)}
    if not len(found):
        return row
    shared, alike = core(found), compare_within(found)
    weights, biases = ensemble.network(seed, output=output)
    chosen = np.random.default_rng(seed).permutation(len(found))[:MOST_GROUNDED]
    counts = [ground(found[int(at)], weights, biases, ensemble.settings.activation).count for at in chosen]
    return row | {
        "minimal": len(minimal_circuits(found)),
        "core_nodes": int(sum(mask.sum() for mask in shared.node_masks[1:-1])),
        "core_edges": int(sum(mask.sum() for mask in shared.edge_masks)),
        "jaccard": alike.jaccard_mean,
        "included": alike.included,
        "groundings": float(np.mean(counts)),
    }


def births_against_jumps(
    ensemble: Any, births: dict[int, np.ndarray], jumps: pd.DataFrame, window: int = 3
) -> pd.DataFrame:
    """Whether circuits are born where the dimensionality of the same network jumps, over all seeds: one row.

    `jumps` has the columns run (`.../s{seed}`), step (epoch) and significant. Two tests: all jumps found, and the
    significant ones. Columns: jumps, runs, births, near (born within `window` epochs of a jump), expected with its 95 %
    range under circular shifts, ratio, p_value; share, strangers, p_strangers: the share of births near the jumps of
    their own network, that of other networks' births near the same jumps, and its p-value (see `Coincidence`); and
    note, which says why there is nothing to compare.
    """
    spans = {int(seed): (0, int(length)) for seed, length in zip(ensemble.seeds, ensemble.n_epochs)}
    seeds = jumps["run"].astype(str).str.rsplit("/s", n=1).str[-1].astype(int)
    rows = []
    for name, chosen in (("all found", jumps["step"].notna()), ("significant", jumps["significant"].astype(bool))):
        at = {seed: jumps.loc[chosen & (seeds == seed), "step"].unique() for seed in spans}
        row: dict[str, Any] = {"jumps": name, "window": window}
        try:
            found = births_at_jumps([births[s] for s in spans], [at[s] for s in spans], list(spans.values()), window)
        except OntogenyError as error:
            rows.append(row | {"note": str(error)})
            continue
        keys = ("runs", "births", "near", "expected", "low", "high", "ratio", "p_value")
        keys += ("share", "strangers", "p_strangers")
        rows.append(row | {key: getattr(found, key) for key in keys} | {"n_jumps": found.jumps, "note": ""})
    return pd.DataFrame(rows)
