"""A search that runs: one iteration or block from the files of those before, and the loop over all of them.

`ontogeny.connectome.explore` runs a whole search; `run_block` runs one block from the files of those before, so that
blocks can be jobs of their own and run side by side. Both leave

    records/block_01/iter_001.json    one iteration each (`Record`)
    evaluations/{key}.json            what was computed, by what was asked: settings, level, seed and identity
    cost/{key}.json                   what computing it took; the one kind of file that differs between two makings
    rules.json, *.csv, *.md, ucb_scores.txt    see `ontogeny.connectome.search.logbook`

A search that was interrupted goes on where it stopped. After a change of `ucb_c`, of the policy or of its rules, the
iterations that would still be proposed stay, the others are proposed anew, and whatever was computed before is taken
from `evaluations`, which nothing overwrites.

With `sequential=True`, as in the study, the rules of a block follow from the records of all earlier blocks: it starts
from the best settings of the block before, with what was added to the rules at its end. With `sequential=False` the
rules of a block depend on its own filling factor and the guidelines given at the start alone, so that blocks may run
side by side; how the rules would change at each block's end is recorded all the same, and the logbook reads the same.
"""

from __future__ import annotations

import math
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ontogeny.arguments import checks_arguments
from ontogeny.connectome.search.declaration import Search
from ontogeny.connectome.search.logbook import write_logbook
from ontogeny.connectome.search.memory import read_principles
from ontogeny.connectome.search.policy import Proposal, follows, propose
from ontogeny.connectome.search.records import (
    COST,
    Record,
    cost_path,
    evaluation_key,
    read_records,
    record_from_json,
    record_path,
)
from ontogeny.connectome.settings import FitSettings
from ontogeny.connectome.store import load_activity, write_arrays
from ontogeny.errors import OntogenyError, unknown
from ontogeny.files import atomic, plain, read_json, write_json
from ontogeny.settings import complete

Evaluate = Callable[[Mapping[str, Any], float, int], Mapping[str, Any]]
"""`evaluate(settings, filling_factor, seed) -> metrics`: metrics hold `connectivity_R2` and `cluster_accuracy`."""


def _evaluate(evaluate: Evaluate, folder: Path, proposal: Proposal, level: float, identity: Any) -> dict[str, Any]:
    key = evaluation_key(proposal.settings, level, proposal.seed, identity)
    path = folder / "evaluations" / f"{key}.json"
    if path.exists():
        stored = read_json(path)
        if not isinstance(stored, dict) or not isinstance(stored.get("metrics"), dict):
            raise OntogenyError(f"{path} is not an evaluation: delete it, and it is computed again")
        return {**stored, "key": key}
    wall, cpu = time.perf_counter(), time.process_time()
    metrics = plain(dict(evaluate(dict(proposal.settings), level, proposal.seed)))
    cost = {"cpu_s": round(time.process_time() - cpu, 3), "wall_s": round(time.perf_counter() - wall, 3)}
    cost |= {name: metrics.pop(name) for name in COST if name in metrics}
    for name in ("connectivity_R2", "cluster_accuracy"):
        value = metrics.get(name, "missing")
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise OntogenyError(f"evaluate must return a number as '{name}'; it is {value!r}")
    asked = {"settings": plain(dict(proposal.settings)), "filling_factor": level, "seed": proposal.seed}
    stored = {**asked, "identity": plain(identity), "metrics": metrics}
    write_json(cost_path(folder, key), cost)
    write_json(path, stored)
    return {**stored, "key": key}


@checks_arguments
def run_iteration(
    evaluate: Evaluate, folder: str | os.PathLike, search: Search, block: int, iteration: int, identity: Any = None
) -> Record:
    """Run one iteration from the records of those before it, and write its record.

    A record that is there and still is what the policy proposes is left as it is. A proposal that was evaluated
    before is not evaluated again.

    Args:
        evaluate: `evaluate(settings, filling_factor, seed) -> metrics`, a pure function of its arguments and of
            what `identity` names.
        folder: the search's folder.
        search: its declaration.
        block, iteration: which, both from 1.
        identity: JSON value that names the data and the code behind `evaluate`; evaluations under another identity
            are not taken over.

    Raises:
        OntogenyError: iterations before this one are missing, or `evaluate` returns no usable metrics.
    """
    return ensure_iteration(evaluate, folder, search, block, iteration, identity)[0]


def ensure_iteration(
    evaluate: Evaluate, folder: str | os.PathLike, search: Search, block: int, iteration: int, identity: Any = None
) -> tuple[Record, bool]:
    """The record of one iteration, and whether its file was written just now; see `run_iteration`.

    Raises OntogenyError for an iteration that the block does not have, or whose predecessors are not there.
    """
    folder = Path(folder)
    if not 1 <= iteration <= search.n_iter_block:
        raise OntogenyError(f"there is no iteration {iteration}: a block has {search.n_iter_block}")
    records = read_records(folder, search)
    rules = search.rules(block, [record for record in records if record.block < block])
    history = [record for record in records if record.block == block][: iteration - 1]
    if len(history) < iteration - 1:
        raise OntogenyError(
            f"iteration {iteration} of block {block} needs the records of iterations 1 to {iteration - 1}; "
            f"{len(history)} are in {record_path(folder, block, 1).parent}"
        )
    path = record_path(folder, block, iteration)
    old = record_from_json(read_json(path), str(path)) if path.exists() else None

    def proposed(principles: tuple[str, ...]) -> tuple[Proposal, str]:
        made = propose(history, replace(rules, principles=principles), search.seed, search.policy)
        return made, evaluation_key(made.settings, rules.filling_factor, made.seed, identity)

    if old is not None:
        proposal, key = proposed(old.principles)
        same = follows(old, proposal) and old.evaluation == key and old.node == rules.node(iteration)
        if same and math.isclose(old.filling_factor, rules.filling_factor) and old.rule == proposal.rule:
            return old, False
    principles = read_principles(folder / f"{search.config}_memory.md")
    proposal, key = proposed(principles)
    done = _evaluate(evaluate, folder, proposal, rules.filling_factor, identity)
    record = Record(
        block=block,
        iteration=iteration,
        node=rules.node(iteration),
        parent=proposal.parent,
        filling_factor=rules.filling_factor,
        settings=plain(dict(proposal.settings)),
        mutation=plain(dict(proposal.mutation)),
        strategy=proposal.strategy,
        rule=proposal.rule,
        metrics=done["metrics"],
        seed=proposal.seed,
        evaluation=key,
        principles=principles,
    )
    write_json(path, record.to_json())
    return record, True


WEIGHTS_FORMAT = "ontogeny-weights/1"


def evaluator(
    activities: Mapping[float, str | os.PathLike], fit: Mapping[str, Any], folder: str | os.PathLike, identity: Any
) -> Evaluate:
    """What a search calls: fit the activity of a level with the proposed settings over `fit`, and measure recovery.

    `activities` maps filling factors to files. W is kept in `folder`/weights, named as the evaluation.
    """

    def evaluate(settings: Mapping[str, Any], level: float, seed: int) -> Mapping[str, Any]:
        from ontogeny.connectome.fit import fit_connectome
        from ontogeny.connectome.fit_run import choose_device
        from ontogeny.connectome.metrics import recovery_metrics

        activity = load_activity(activities[level])
        whole = complete(FitSettings, {**fit, "n_snapshots": 0, **settings}, "fit")
        found = fit_connectome(activity, settings=whole, seed=seed, device=choose_device())
        metrics = recovery_metrics(found, activity)
        arrays = {"true": activity.weights, "learned": found.W / (metrics["slope"] or 1.0)}
        about = {"format": WEIGHTS_FORMAT, "steps": int(found.history["step"][-1]), "scatter": metrics["scatter"]}
        key = evaluation_key(settings, level, seed, identity)
        path = Path(folder) / "weights" / f"{key}.safetensors"
        write_arrays(path, {name: array.astype(np.float32) for name, array in arrays.items()}, about)
        return metrics

    return evaluate


def run_block(
    evaluate: Evaluate, folder: str | os.PathLike, search: Search, block: int, identity: Any = None
) -> list[Record]:
    """Run the iterations of one block (from 1), as `run_iteration`, with the W that `evaluator` kept beside each."""
    records = []
    for iteration in range(1, search.n_iter_block + 1):
        record = run_iteration(evaluate, folder, search, block, iteration, identity)
        _keep_weights(record, evaluate, Path(folder), record_path(folder, block, iteration).with_suffix(".safetensors"))
        records.append(record)
    return records


def _keep_weights(record: Record, evaluate: Evaluate, folder: Path, path: Path) -> None:
    """Put the W that `evaluator` kept for a record in `folder` at `path`; it is fitted again if it is not there."""
    source = folder / "weights" / f"{record.evaluation}.safetensors"
    if not source.exists():
        evaluate(record.settings, record.filling_factor, record.seed)
    with atomic(path) as part:
        shutil.copyfile(source, part)


@checks_arguments
def explore(
    evaluate: Evaluate,
    folder: str | os.PathLike,
    search: Search | None = None,
    *,
    identity: Any = None,
    on_record: Callable[[Record], None] | None = None,
    **changes: Any,
) -> list[Record]:
    """Search training settings block by block, and keep the logbook. Resumes what is in `folder`.

    Args:
        evaluate: `evaluate(settings, filling_factor, seed) -> metrics` with `connectivity_R2` and
            `cluster_accuracy` (NaN counts as 0), and, for the log, `test_R2`, `test_pearson`, `final_loss`,
            `scatter` (the reading of the scatter of W); `training_time_min` is kept as cost.
        folder: where records, evaluations and the logbook go.
        search: its declaration; the defaults of `Search`, if not given.
        identity: see `run_iteration`.
        on_record: called with every record as it comes.
        changes: fields of `Search` that replace those of `search`: `blocks`, `n_iter_block`, `policy`, `seed`, ...

    Returns:
        All records, block by block.

    Raises OntogenyError for an unknown setting of the search.
    """
    for name in changes:
        if name not in Search.__dataclass_fields__:
            raise unknown("search setting", name, Search.__dataclass_fields__)
    search = replace(search or Search(), **changes)
    records: list[Record] = []
    for block in range(1, len(search.blocks) + 1):
        for iteration in range(1, search.n_iter_block + 1):
            record, new = ensure_iteration(evaluate, folder, search, block, iteration, identity)
            records.append(record)
            if new:
                write_logbook(folder, search, records)
            if on_record is not None:
                on_record(record)
    write_logbook(folder, search, records)
    return records
