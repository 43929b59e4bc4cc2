"""The circuits of a whole ensemble, followed through training: records, turnover, structure, appearances at jumps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.circuits.coincidence import Coincidence, appearances_at_jumps
from ontogeny.circuits.dynamics import dynamics
from ontogeny.circuits.enumeration import Problem, Samples
from ontogeny.circuits.interpretation import ground
from ontogeny.circuits.masks import whole
from ontogeny.circuits.overlap import compare_within, core, core_of_count, minimal_of
from ontogeny.circuits.record_write import record_stem, write_convergence, write_record
from ontogeny.circuits.records import EpochCircuits, records_from_weights
from ontogeny.circuits.settings import DEFAULTS, CircuitSettings, GivenSettings, complete_settings
from ontogeny.circuits.tracking import schedule
from ontogeny.errors import OntogenyError, expect, shown
from ontogeny.files import disk_errors
from ontogeny.jumps.comparison import need_columns

MOST_GROUNDED = 200
"""Circuits of a network whose groundings are counted; more are sampled."""
MOST_COMPARED = 4000
"""Circuits of a network that are compared in pairs; more are sampled."""
MOST_LISTED = 200_000
"""Circuits of a network that are listed to be compared; of more, `MOST_COMPARED` are drawn."""


def check_ensemble(ensemble: Any, progress: Any = None) -> None:
    """Raise OntogenyError for what is no ensemble, or progress that is no function."""
    from ontogeny.training.ensemble import EnsembleResult

    expect(ensemble, EnsembleResult, "an ensemble, which train_ensemble or load_ensemble gives,")
    if not (progress is None or callable(progress)):
        raise OntogenyError(f"progress is {shown(progress)}: give a function of two numbers, done and of how many")


def epochs_of_seed(ensemble: Any, seed: int, settings: GivenSettings = DEFAULTS) -> Iterator[EpochCircuits]:
    """The circuits of one seed of an `ontogeny.training.ensemble.EnsembleResult`, epoch by epoch.

    Epochs are those of `schedule` with `settings.convergence_frequency`. Circuits are judged on the seed's own
    validation rows. Raises OntogenyError for something that is no ensemble, or a seed that is not in it.
    """
    settings = complete_settings(settings)
    check_ensemble(ensemble)
    rows = ensemble.rows(seed)
    epochs = schedule(rows.stop - rows.start - 1, settings.convergence_frequency)
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
        settings,
        activation=ensemble.settings.activation,
        seed=seed,
    )


def write_records(
    ensemble: Any, representative: int, folder: str | os.PathLike[str], settings: GivenSettings = DEFAULTS
) -> None:
    """Write published records and convergence tables into `folder`: of the seeds that `settings.records` names.

    `representative` is the seed that stands for all.
    """
    settings = complete_settings(settings)
    made = ensemble.settings
    seeds = {"all": [int(seed) for seed in ensemble.seeds], "representative": [representative], "none": []}
    with disk_errors(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
    for seed in seeds[settings.records]:
        size = made.hidden[0] if len(set(made.hidden)) == 1 else "-".join(map(str, made.hidden))
        stem = record_stem(size, seed, len(made.hidden), made.learning_rate, made.loss_target)
        history = list(epochs_of_seed(ensemble, seed, settings))
        write_record(Path(folder) / f"detailed_circuits_{stem}.json", history, compress=settings.compress)
        table = Path(folder) / f"convergence_{stem}.csv"
        write_convergence(table, history, made.l1_lambda, made.l2_lambda, made.dropout_rate)


def trace_ensemble(
    ensemble: Any, settings: GivenSettings = DEFAULTS, progress: Callable[[int, int], None] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Follow the circuits of every seed and output through training.

    Returns the turnover (seed, output, and the columns of `turnover`) and the structure at the last epoch (seed,
    output, circuits; minimal: circuits that contain no other;
    core_nodes, core_edges: hidden neurons and edges that all share; jaccard: mean overlap of pairs, and included: share
    of pairs of which one contains the other, among jaccard_compared circuits, a uniform sample where those are fewer
    than there are; groundings: mean over groundings_sampled circuits). `progress` is called with the seeds done and
    all seeds; what it raises ends the run.

    Raises OntogenyError for something that is no ensemble.
    """
    settings = complete_settings(settings)
    check_ensemble(ensemble, progress)
    lives, structure = [], []
    for done, seed in enumerate(map(int, ensemble.seeds), start=1):
        rows = ensemble.rows(seed)
        epochs = schedule(rows.stop - rows.start - 1, settings.convergence_frequency)
        chosen = rows.start + np.array(epochs)
        data = ensemble.data(seed).validation
        for output in range(ensemble.settings.sizes[-1]):
            own = slice(output, output + 1)
            weights = [*(layer[chosen] for layer in ensemble.weights[:-1]), ensemble.weights[-1][chosen, own]]
            biases = [*(layer[chosen] for layer in ensemble.biases[:-1]), ensemble.biases[-1][chosen, own]]
            table = dynamics(
                epochs, weights, biases, data.x, data.y[:, own], settings, activation=ensemble.settings.activation
            )
            lives.append(table.assign(seed=seed, output=output))
            structure.append({"seed": seed, "output": output, **_structure(ensemble, seed, output, settings)})
        if progress is not None:
            progress(done, len(ensemble.seeds))
    table = pd.concat(lives, ignore_index=True)
    return table[["seed", "output", *table.columns.drop(["seed", "output"])]], pd.DataFrame(structure)


def _structure(ensemble: Any, seed: int, output: int, settings: CircuitSettings) -> dict[str, Any]:
    weights, biases = ensemble.network(seed, output=output)
    data = ensemble.data(seed).validation
    targets = data.y[:, output : output + 1]
    problem = Problem(
        [(weights, biases)],
        [Samples.of(data.x, targets, len(weights[0][0]), settings.accuracy_threshold)],
        ensemble.settings.activation,
        settings.candidates,
        settings.min_sparsity,
    )
    problem.check_cost(3600.0)
    found, counted = problem.all_or_sample(MOST_LISTED, seed, MOST_COMPARED)
    row: dict[str, Any] = {"circuits": len(found) if counted is None else counted.count}
    if not len(found):
        return row
    row["minimal"] = len(minimal_of(problem))
    shared = core_of_count(counted) if counted else core(whole(found, "what all circuits share"))
    alike = compare_within(found, MOST_COMPARED)
    chosen = np.random.default_rng(seed).permutation(len(found))[:MOST_GROUNDED]
    counts = [ground(found[int(at)], weights, biases, ensemble.settings.activation).count for at in chosen]
    return row | {
        "core_nodes": int(sum(mask.sum() for mask in shared.node_masks[1:-1])),
        "core_edges": int(sum(mask.sum() for mask in shared.edge_masks)),
        "jaccard_compared": min(len(found), MOST_COMPARED),
        "jaccard": alike.jaccard_mean,
        "included": alike.included,
        "groundings_sampled": len(counts),
        "groundings": float(np.mean(counts)),
    }


def learning_clock(losses: np.ndarray) -> float:
    """The first epoch at which a loss (epochs,), from epoch 1 on, is at most half of its first value; else the last."""
    below = np.flatnonzero(losses <= losses[0] / 2)
    return float(below[0] + 1 if len(below) else len(losses))


_KEYS = (
    "runs", "appearances", "near", "expected", "low", "high", "ratio", "p_value", "share", "displaced", "nearby",
    "p_nearby", "between_networks",
)  # fmt: skip


def coincidence_table(
    ensemble: Any, lives: pd.DataFrame, jumps: pd.DataFrame, settings: GivenSettings = DEFAULTS
) -> pd.DataFrame:
    """Whether circuits appear where the dimensionality of the same network jumps, over all seeds: one row per test.

    `lives` is the turnover of `trace_ensemble`; `jumps` has the columns run (`.../s{seed}`), step (epoch) and
    significant. Two tests: all jumps found, and the significant ones. Columns: jumps, window, the fields of
    `Coincidence`, n_jumps, and note, which says why there is nothing to compare. A network's clock is the epoch at
    which its training loss has halved (`learning_clock`).

    Raises OntogenyError for tables without these columns, jumps of runs that name no seed, and what is no ensemble.
    """
    settings = complete_settings(settings)
    check_ensemble(ensemble)
    need_columns(lives, ("seed", "since", "epoch", "appearances"), "the turnover of trace_ensemble")
    need_columns(jumps, ("run", "step", "significant"), "the jumps")
    spans = {int(seed): (0, int(length)) for seed, length in zip(ensemble.seeds, ensemble.n_epochs)}
    clocks = [learning_clock(ensemble.train_loss[ensemble.rows(seed)][1:]) for seed in spans]
    endings = jumps["run"].astype(str).str.rsplit("/s", n=1).str[-1]
    if not (named := endings.str.fullmatch(r"\d+")).all():
        raise OntogenyError(f"the jumps are of a run '{jumps['run'][~named].iloc[0]}'; runs end in /s and the seed")
    seeds = endings.astype(int)
    own = {seed: group[group["appearances"] > 0] for seed, group in lives.groupby("seed")}
    if missing := [seed for seed in spans if seed not in own]:
        raise OntogenyError(
            f"the turnover holds nothing of seed {missing[0]} of the ensemble: give what trace_ensemble made of it"
        )
    intervals = [np.stack([own[s]["since"] + 1, own[s]["epoch"]], axis=1) for s in spans]
    numbers = [own[s]["appearances"].to_numpy() for s in spans]
    rows = []
    for name, chosen in (("all found", jumps["step"].notna()), ("significant", jumps["significant"].astype(bool))):
        at = [jumps.loc[chosen & (seeds == seed), "step"].unique() for seed in spans]
        row: dict[str, Any] = {"jumps": name, "window": settings.window}
        try:
            found: Coincidence = appearances_at_jumps(
                intervals, at, list(spans.values()), settings.window, numbers=numbers, clocks=clocks
            )
        except OntogenyError as error:
            rows.append(row | {"note": str(error)})
            continue
        rows.append(row | {key: getattr(found, key) for key in _KEYS} | {"n_jumps": found.jumps, "note": ""})
    return pd.DataFrame(rows)
