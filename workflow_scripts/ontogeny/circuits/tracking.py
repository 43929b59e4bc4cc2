"""Circuits through training: appearances, disappearances and lineages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ontogeny.circuits.masks import CircuitSet
from ontogeny.errors import OntogenyError


def _check_epochs(epochs: Sequence[int], sets: Sequence[CircuitSet]) -> NDArray[np.int64]:
    numbers = np.asarray(list(epochs), np.int64)
    if len(numbers) != len(sets) or (np.diff(numbers) <= 0).any():
        raise OntogenyError(f"{len(numbers)} increasing epochs are wanted for {len(sets)} sets of circuits")
    if len({found.sizes for found in sets}) > 1:
        raise OntogenyError("circuits of networks of different sizes cannot be followed through one training")
    return numbers


def life_table(epochs: Sequence[int], sets: Sequence[CircuitSet]) -> pd.DataFrame:
    """One row for every circuit that was ever perfect, ordered by birth.

    Columns: code; birth (first epoch); last_seen; death (first tracked epoch without it after last_seen; missing if
    it lived to the end); present (tracked epochs with it); persistence (present over tracked epochs from birth on);
    spells (unbroken stretches). `epochs` increase, `sets[k]` are the circuits at epoch k, all listed.
    """
    numbers = _check_epochs(epochs, sets)
    codes = np.unique(np.concatenate([found.codes for found in sets])) if len(sets) else np.zeros(0, np.uint64)
    alive = np.stack([np.isin(codes, found.codes) for found in sets], axis=1) if len(sets) else np.zeros((0, 0), bool)
    if not len(codes):
        columns = ["code", "birth", "last_seen", "death", "present", "persistence", "spells"]
        return pd.DataFrame(columns=columns)
    first = alive.argmax(axis=1)
    last = len(numbers) - 1 - alive[:, ::-1].argmax(axis=1)
    ended = last < len(numbers) - 1
    present = alive.sum(axis=1)
    starts = alive[:, :1].sum(axis=1) + (alive[:, 1:] & ~alive[:, :-1]).sum(axis=1)
    death = pd.array(np.where(ended, numbers[np.minimum(last + 1, len(numbers) - 1)], 0), dtype="Int64")
    death[~ended] = pd.NA
    frame = pd.DataFrame(
        {
            "code": codes,
            "birth": numbers[first],
            "last_seen": numbers[last],
            "death": death,
            "present": present,
            "persistence": present / (len(numbers) - first),
            "spells": starts,
        }
    )
    return frame.sort_values(["birth", "code"], kind="stable").reset_index(drop=True)


def turnover(epochs: Sequence[int], sets: Sequence[CircuitSet]) -> pd.DataFrame:
    """One row an epoch: circuits, births and deaths since the tracked epoch before, and the share that survived.

    survived is the share of the circuits before that are still perfect, missing where there were none.
    """
    numbers = _check_epochs(epochs, sets)
    rows, before = [], np.zeros(0, np.uint64)
    for epoch, found in zip(numbers, sets):
        kept = int(np.isin(before, found.codes).sum())
        rows.append(
            (epoch, len(found), len(found) - kept, len(before) - kept, kept / len(before) if len(before) else np.nan)
        )
        before = found.codes
    return pd.DataFrame(rows, columns=["epoch", "circuits", "births", "deaths", "survived"])


def lineages(epochs: Sequence[int], sets: Sequence[CircuitSet]) -> pd.DataFrame:
    """Where each circuit comes from: one row for every birth (and rebirth), in order.

    Columns: epoch, code, parent (the circuit perfect at the tracked epoch before that differs in fewest edges into
    hidden neurons, the lowest code among equals; missing for founders), distance (edges changed), line (the founder
    it descends from, numbered), generation (steps from the founder).
    """
    numbers = _check_epochs(epochs, sets)
    line: dict[int, tuple[int, int]] = {}
    rows, before, founders = [], np.zeros(0, np.uint64), 0
    for epoch, found in zip(numbers, sets):
        here = np.unique(found.codes)
        now = {code: line[code] for code in here[np.isin(here, before)].tolist()}
        for code in here[~np.isin(here, before)].tolist():
            if len(before):
                distance = np.bitwise_count(before ^ np.uint64(code))
                at = int(distance.argmin())
                parent = int(before[at])
                now[code] = (line[parent][0], line[parent][1] + 1)
                rows.append((epoch, code, parent, int(distance[at]), *now[code]))
            else:
                now[code] = (founders, 0)
                founders += 1
                rows.append((epoch, code, None, None, *now[code]))
        line, before = now, here
    frame = pd.DataFrame(rows, columns=["epoch", "code", "parent", "distance", "line", "generation"])
    return frame.astype({"code": "uint64", "parent": "UInt64", "distance": "Int64"}) if len(frame) else frame


def birth_epochs(epochs: Iterable[int], sets: Sequence[CircuitSet]) -> NDArray[np.int64]:
    """The epoch of birth of every circuit that was ever perfect, sorted: what `births_at_jumps` asks for."""
    return life_table(list(epochs), sets)["birth"].to_numpy(np.int64)
