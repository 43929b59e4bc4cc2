"""Circuits through training: which appear and disappear, how long they live, and what they descend from.

Everything here compares whole sets of circuits (`CircuitSet`); `dynamics` tells the same of circuits that are too many
to list. A circuit is known to appear, or to disappear, only between two enumerated epochs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ontogeny.circuits.masks import CircuitSet, items, whole
from ontogeny.errors import OntogenyError, check_number, expect, is_number, shown
from ontogeny.words import counted

MOST_EPOCHS = 10_000_000
"""Epochs of one schedule, at most."""


def schedule(last: int, frequency: int) -> list[int]:
    """The epochs after which circuits are enumerated: n, 2n, 3n, ..., as published, and the last.

    Raises OntogenyError for a frequency below 1, and where one is no whole number.
    """
    check_number(frequency, "convergence_frequency", "a number of epochs, 1 or more", 1, whole=True)
    check_number(last, "last", "the number of the last epoch, 0 or more", 0, whole=True)
    if last // frequency > MOST_EPOCHS:
        raise OntogenyError(
            f"a convergence_frequency of {frequency} gives more than {MOST_EPOCHS:,} epochs up to {last:g}: raise it"
        )
    return sorted({*range(frequency, last + 1, frequency), last} - {0}) or [last]


def _checked_epochs(epochs: Sequence[int], sets: Sequence[CircuitSet]) -> NDArray[np.int64]:
    given = items(epochs)
    known = all(is_number(epoch, whole=True) and abs(epoch) < 2**53 for epoch in given)
    if not known or (not given and not isinstance(epochs, Iterable)):
        raise OntogenyError(f"epochs is {shown(epochs)}: give the numbers of the epochs, one for each set of circuits")
    expect(sets, Sequence, "a list with a CircuitSet for each epoch as sets")
    numbers = np.asarray(given, np.int64)
    if len(numbers) != len(sets) or (np.diff(numbers) <= 0).any():
        raise OntogenyError(
            f"{counted(len(sets), 'set')} of circuits and {counted(len(numbers), 'epoch')}: give increasing "
            "epochs, one for each set"
        )
    for found in sets:
        whole(found, "which circuits appear and disappear")
    if len({found.sizes for found in sets}) > 1:
        raise OntogenyError("circuits of networks of different sizes cannot be followed through one training")
    return numbers


_LIFE = ["code", "appeared", "last_seen", "disappeared", "present", "persistence", "spells"]


def life_table(epochs: Sequence[int], sets: Sequence[CircuitSet]) -> pd.DataFrame:
    """One row per circuit that was ever perfect, ordered by appearance.

    Columns: code; appeared (first enumerated epoch with it); last_seen; disappeared (first enumerated epoch without it
    after last_seen; missing if it lived to the end); present (enumerated epochs with it); persistence (present over
    enumerated epochs since it appeared); spells (unbroken stretches). `epochs` increase, `sets[k]` are the circuits at
    epoch k. Raises OntogenyError for samples of circuits.
    """
    numbers = _checked_epochs(epochs, sets)
    codes = np.unique(np.concatenate([found.codes for found in sets])) if len(sets) else np.zeros(0, np.uint64)
    if not len(codes):
        return pd.DataFrame(columns=_LIFE)
    alive = np.stack([np.isin(codes, found.codes) for found in sets], axis=1)
    first = alive.argmax(axis=1)
    last = len(numbers) - 1 - alive[:, ::-1].argmax(axis=1)
    ended = last < len(numbers) - 1
    present = alive.sum(axis=1)
    gone = pd.array(np.where(ended, numbers[np.minimum(last + 1, len(numbers) - 1)], 0), dtype="Int64")
    gone[~ended] = pd.NA
    frame = pd.DataFrame(
        {
            "code": codes,
            "appeared": numbers[first],
            "last_seen": numbers[last],
            "disappeared": gone,
            "present": present,
            "persistence": present / (len(numbers) - first),
            "spells": alive[:, 0] + (alive[:, 1:] & ~alive[:, :-1]).sum(axis=1),
        }
    )
    return frame.sort_values(["appeared", "code"], kind="stable").reset_index(drop=True)


TURNOVER = ["epoch", "since", "circuits", "appearances", "disappearances", "survived"]
"""Columns of `turnover` and `dynamics`."""


def turnover(epochs: Sequence[int], sets: Sequence[CircuitSet]) -> pd.DataFrame:
    """One row per enumerated epoch: which circuits are new, gone and still there since the one before.

    Columns: epoch; since (the enumerated epoch before, 0 for the first: appearances and disappearances lie after it
    and no later than `epoch`); circuits; appearances (perfect now and not before; all, at the first); disappearances;
    survived (the share of the circuits before that are still perfect; missing where there were none). Raises
    OntogenyError for samples of circuits.
    """
    numbers = _checked_epochs(epochs, sets)
    rows, before, since = [], np.zeros(0, np.uint64), 0
    for epoch, found in zip(numbers.tolist(), sets):
        here = np.sort(found.codes)
        kept = len(np.intersect1d(before, here, assume_unique=True))
        rows.append(turnover_row(epoch, since, len(before), len(here), kept))
        before, since = here, epoch
    return pd.DataFrame(rows, columns=TURNOVER)


def turnover_row(epoch: int, since: int, before: int, now: int, kept: int) -> tuple[int, int, int, int, int, float]:
    """A row of `turnover` from how many circuits were perfect before, are now, and are both."""
    return epoch, since, now, now - kept, before - kept, kept / before if before else np.nan


_LINEAGE = ["epoch", "code", "returned", "parent", "distance", "line", "generation"]


def lineages(epochs: Sequence[int], sets: Sequence[CircuitSet]) -> pd.DataFrame:
    """Where each circuit comes from: one row per appearance, in order.

    Columns: epoch; code; returned (whether it was perfect before, and not at the enumerated epoch before this: it
    keeps its line and generation, and has no new parent); parent (the circuit perfect at the enumerated epoch before
    that differs in fewest edges into hidden neurons among those that share an edge with it, the lowest code among
    equals; missing for founders); distance (edges changed); line (the founder it descends from, numbered); generation
    (steps from the founder). Raises OntogenyError for samples of circuits.
    """
    numbers = _checked_epochs(epochs, sets)
    line: dict[int, tuple[int, int]] = {}
    rows: list[tuple[int, int, bool, int | None, int | None, int, int]] = []
    before, founders = np.zeros(0, np.uint64), 0
    for epoch, found in zip(numbers.tolist(), sets):
        here = np.unique(found.codes)
        grown: dict[int, tuple[int, int]] = {}
        for code in here[~np.isin(here, before)].tolist():
            parent = None if code in line else _parent(code, before)
            if code in line:
                grown[code] = line[code]
                rows.append((epoch, code, True, None, None, *line[code]))
            elif parent is not None:
                grown[code] = (line[parent][0], line[parent][1] + 1)
                rows.append((epoch, code, False, parent, (parent ^ code).bit_count(), *grown[code]))
            else:
                grown[code] = (founders, 0)
                founders += 1
                rows.append((epoch, code, False, None, None, *grown[code]))
        line |= grown
        before = here
    frame = pd.DataFrame(rows, columns=_LINEAGE)
    return frame.astype({"code": "uint64", "parent": "UInt64", "distance": "Int64"}) if len(frame) else frame


def _parent(code: int, before: NDArray[np.uint64]) -> int | None:
    """The nearest of `before` (sorted) that shares an edge with `code`, if any does."""
    kin = before[before & np.uint64(code) != 0]
    return int(kin[np.bitwise_count(kin ^ np.uint64(code)).argmin()]) if len(kin) else None


def appearance_epochs(epochs: Sequence[int], sets: Sequence[CircuitSet]) -> NDArray[np.int64]:
    """The epoch of the first appearance of every circuit that was ever perfect, sorted."""
    return life_table(epochs, sets)["appeared"].to_numpy(np.int64)
