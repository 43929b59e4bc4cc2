"""A search as files and jobs: its declaration from settings, its evaluations from stored activity."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ontogeny.connectome.search import Evaluate, Search, evaluation_key
from ontogeny.connectome.space import FIRST_SETTINGS, SPACE, STUDY_FIRST, STUDY_SPACE
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


__all__ = ["WEIGHTS_FORMAT", "evaluator", "search_from"]
