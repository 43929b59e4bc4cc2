"""The network that stands for a condition, as it is drawn."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ontogeny.circuits.figures import CircuitFrames, frames_from_ensemble
from ontogeny.errors import unknown


def frames_of_condition(
    ensemble: Any, condition: str, representatives: pd.DataFrame, jumps: pd.DataFrame, settings: dict[str, Any]
) -> CircuitFrames:
    """The frames of the seed of `ensemble` that `representatives` (columns condition, seed) names for `condition`.

    `jumps` (columns run, step, significant) are those of all seeds, whose runs are called `.../s{seed}`; the
    significant ones of the seed are marked. `settings` holds `candidates` and `accuracy_threshold`.
    Raises OntogenyError if the condition is not among the representatives.
    """
    chosen = representatives.set_index("condition")["seed"]
    if condition not in chosen:
        raise unknown("condition", condition, chosen.index, "the table of representatives")
    seed = int(chosen[condition])
    mine = jumps["run"].astype(str).str.endswith(f"/s{seed}") & jumps["significant"].astype(bool)
    return frames_from_ensemble(
        ensemble,
        seed,
        f"{condition}, seed {seed}",
        jumps=jumps.loc[mine, "step"].astype(int),
        candidates=settings["candidates"],
        accuracy_threshold=settings["accuracy_threshold"],
    )
