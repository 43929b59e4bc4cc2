"""A search run: its declaration from settings, its evaluations from stored activity, the loop over all iterations."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ontogeny.connectome.logbook import write_logbook
from ontogeny.connectome.policy import UCB_C, Guideline, Policy, Record, Setting
from ontogeny.connectome.search import LEVELS, Evaluate, Search, ensure_iteration, evaluation_key
from ontogeny.connectome.space import FIRST_SETTINGS, L1_GUIDELINES, SPACE, STUDY_FIRST, STUDY_SPACE
from ontogeny.connectome.store import load_activity, write_arrays

WEIGHTS_FORMAT = "ontogeny-weights/1"


def search_from(settings: Mapping[str, Any], name: str) -> Search:
    """The search that `settings` declare (levels, n_iter_block, policy, ucb_c, sequential, space, seed, fit).

    What `fit` sets is where the search starts. Raises OntogenyError if that lies outside the ranges searched.
    """
    space, first = (STUDY_SPACE, STUDY_FIRST) if settings["space"] == "published" else (SPACE, FIRST_SETTINGS)
    given = {key: settings["fit"][key] for key in first if settings["fit"].get(key, "recommended") != "recommended"}
    return Search(
        config=name,
        blocks=tuple(settings["levels"]),
        n_iter_block=settings["n_iter_block"],
        policy=settings["policy"],
        ucb_c=settings["ucb_c"],
        space=space,
        first={**first, **given},
        seed=settings["seed"],
        sequential=settings["sequential"],
    )


def evaluator(
    activities: Mapping[float, str | os.PathLike], fit: Mapping[str, Any], folder: str | os.PathLike, identity: Any
) -> Evaluate:
    """What a search calls: fit the activity of a level with the proposed settings over `fit`, and measure recovery.

    `activities` maps filling factors to files. W is kept in `folder`/weights, named as the evaluation.
    """

    def evaluate(settings: Mapping[str, Any], level: float, seed: int) -> Mapping[str, Any]:
        from ontogeny.connectome.fit import fit_connectome
        from ontogeny.connectome.fit_run import choose_device, completed_settings
        from ontogeny.connectome.metrics import recovery_metrics

        activity = load_activity(activities[level])
        whole = {"n_snapshots": 0, **completed_settings({**fit, **settings}, activity.n_neurons, level)}
        found = fit_connectome(activity, settings=whole, seed=seed, device=choose_device())
        metrics = recovery_metrics(found, activity)
        arrays = {"true": activity.weights, "learned": found.W / (metrics["slope"] or 1.0)}
        about = {"format": WEIGHTS_FORMAT, "steps": int(found.history["step"][-1]), "scatter": metrics["scatter"]}
        key = evaluation_key(settings, level, seed, identity)
        path = Path(folder) / "weights" / f"{key}.safetensors"
        write_arrays(path, {name: array.astype(np.float32) for name, array in arrays.items()}, about)
        return metrics

    return evaluate


def explore(
    evaluate: Evaluate,
    folder: str | os.PathLike,
    *,
    blocks: Sequence[float] = LEVELS,
    n_iter_block: int = 6,
    policy: str | Policy = "ucb",
    ucb_c: float = UCB_C,
    space: Sequence[Setting] = SPACE,
    first: Mapping[str, Any] | None = None,
    guidelines: Sequence[Guideline] = L1_GUIDELINES,
    seed: int = 0,
    sequential: bool = True,
    config: str = "connectome",
    identity: Any = None,
    on_record: Callable[[Record], None] | None = None,
) -> list[Record]:
    """Search training settings block by block, and keep the logbook. Resumes what is in `folder`.

    Args:
        evaluate: `evaluate(settings, filling_factor, seed) -> metrics` with `connectivity_R2` and
            `cluster_accuracy` (NaN counts as 0), and, for the log, `test_R2`, `test_pearson`, `final_loss`,
            `scatter` (the reading of the scatter of W); `training_time_min` is kept as cost.
        folder: where records, evaluations and the logbook go.
        blocks, n_iter_block, policy, ucb_c, space, first, guidelines, seed, sequential, config: see `Search`.
        identity: see `run_iteration`.
        on_record: called with every record as it comes.

    Returns:
        All records, block by block.
    """
    search = Search(
        config,
        tuple(blocks),
        n_iter_block,
        policy,
        ucb_c,
        tuple(space),
        dict(FIRST_SETTINGS if first is None else first),
        tuple(guidelines),
        seed,
        sequential,
    )
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


__all__ = ["WEIGHTS_FORMAT", "evaluator", "explore", "search_from"]
