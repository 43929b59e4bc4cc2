"""Circuits beside each other: overlap, inclusion, minimal circuits and core; and through training: births, deaths,
lineages, and whether births fall where the dimensionality jumps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ontogeny.circuits.masks import CircuitSet
from ontogeny.errors import OntogenyError


def _features(circuits: CircuitSet) -> NDArray[np.float32]:
    """Hidden nodes and all edges of each circuit, 0 or 1, side by side."""
    edges, nodes = circuits.edge_masks, circuits.node_masks
    parts = [*nodes[1:-1], *(mask.reshape(len(circuits), -1) for mask in edges)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def overlaps(circuits: CircuitSet, others: CircuitSet | None = None) -> NDArray[np.float64]:
    """Jaccard index of every pair, (circuits, others): shared hidden nodes and edges over those of either.

    As published (arXiv 2502.20914), hidden nodes and all edges count alike. `others` is `circuits` by default.
    """
    mine = _features(circuits)
    theirs = mine if others is None else _features(others)
    shared = (mine @ theirs.T).astype(np.float64)
    either = mine.sum(axis=1)[:, None] + theirs.sum(axis=1)[None, :] - shared
    return np.divide(shared, either, out=np.zeros_like(shared), where=either > 0)


def inclusions(circuits: CircuitSet) -> NDArray[np.bool_]:
    """(circuits, circuits): whether circuit i is contained in circuit j. The diagonal is true."""
    codes = circuits.codes
    return (codes[:, None] & ~codes[None, :]) == 0


@dataclass(frozen=True)
class SetComparison:
    """How alike the circuits of a set are: over pairs of different circuits.

    jaccard_mean, jaccard_sd; included: share of pairs of which one contains the other; pairs: how many were compared;
    sampled: whether they are a uniform sample of circuits rather than all.
    """

    n_circuits: int
    pairs: int
    jaccard_mean: float
    jaccard_sd: float
    included: float
    sampled: bool


def compare_within(circuits: CircuitSet, most: int = 4000, seed: int = 0) -> SetComparison:
    """Overlap and inclusion among circuits; above `most` circuits, of as many drawn uniformly from `seed`.

    Means are NaN for fewer than two circuits.
    """
    sampled = len(circuits) > most
    used = circuits
    if sampled:
        rows = np.sort(np.random.default_rng(seed).choice(len(circuits), most, replace=False))
        used = CircuitSet(circuits.codes[rows], circuits.layout)
    upper = np.triu_indices(len(used), 1)
    if not len(upper[0]):
        return SetComparison(len(circuits), 0, np.nan, np.nan, np.nan, sampled)
    jaccard = overlaps(used)[upper]
    inside = inclusions(used)
    included = (inside | inside.T)[upper]
    return SetComparison(
        len(circuits), len(jaccard), float(jaccard.mean()), float(jaccard.std()), float(included.mean()), sampled
    )


def minimal_circuits(circuits: CircuitSet) -> CircuitSet:
    """The circuits that contain no other circuit of the set, in the set's order."""
    codes = np.unique(circuits.codes)
    sizes = np.bitwise_count(codes)
    minimal = np.zeros(0, np.uint64)
    for size in np.unique(sizes):
        level = codes[sizes == size]
        for code in minimal:
            level = level[level & code != code]
        minimal = np.concatenate([minimal, level])
    return CircuitSet(circuits.codes[np.isin(circuits.codes, minimal)], circuits.layout)


@dataclass(frozen=True)
class Core:
    """What all circuits of a set share: node masks (inputs first) and edge masks (output layer included)."""

    node_masks: list[NDArray[np.uint8]]
    edge_masks: list[NDArray[np.uint8]]


def core(circuits: CircuitSet) -> Core:
    """Nodes and edges that are in every circuit. Raises OntogenyError for an empty set, which shares nothing."""
    if not len(circuits):
        raise OntogenyError("there is no circuit, so no core that all circuits share")
    return Core([m.min(axis=0) for m in circuits.node_masks], [m.min(axis=0) for m in circuits.edge_masks])


# Through training


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


@dataclass(frozen=True)
class Coincidence:
    """Do circuits appear where the dimensionality jumps? Against jumps shifted around each run, and against strangers.

    births: circuits born in the runs that have both; near: those within `window` of a jump; expected: the mean of
    `near` under the shifts, with its 95% range (low, high); ratio: near / expected; p_value: one-sided, that shifted
    jumps meet as many births; null: the shifted values.

    share: the mean over runs of the share of their births that is near their own jumps; strangers: the same share of
    the births of other runs near those same jumps; p_strangers: one-sided, that births of runs drawn at random meet
    the jumps as often. Shifts ask whether the two have to do with time; strangers, whether they have to do with each
    other: births and jumps that are both early in every run pass the first test and fail the second.
    """

    runs: int
    births: int
    jumps: int
    near: int
    expected: float
    low: float
    high: float
    ratio: float
    p_value: float
    share: float
    strangers: float
    p_strangers: float
    null: NDArray[np.int64] = field(repr=False)


def births_at_jumps(
    births: Sequence[ArrayLike],
    jumps: Sequence[ArrayLike],
    spans: Sequence[tuple[float, float]],
    window: float,
    n_shifts: int = 9999,
    seed: int = 0,
) -> Coincidence:
    """Whether births of circuits coincide with jumps of the same runs, against two nulls.

    births[r], jumps[r]: steps of run r (a birth for each circuit); spans[r]: its first and last step; window: steps
    between a birth and a jump that count as together. All jumps of a run are moved by one random amount around its
    span, which keeps their number and spacing and all births, so births that come in bursts do not fake a result.
    Distance is measured around the span for true and shifted jumps alike. p = (1 + shifts as extreme) / (1 + shifts).

    The second null leaves jumps where they are and gives each run the births of a run drawn at random from those that
    have any (itself among them, as under exchangeable runs), `n_shifts` times; NaN where only one run has births.

    Raises OntogenyError where the lists differ in length, a step lies outside its span, or no run has both.
    """
    if not len(births) == len(jumps) == len(spans):
        raise OntogenyError(
            f"{len(births)} runs of births, {len(jumps)} of jumps and {len(spans)} spans: give one each"
        )
    if window < 0 or n_shifts < 1:
        raise OntogenyError(f"window {window} and n_shifts {n_shifts} must be at least 0 and 1")
    rng = np.random.default_rng(seed)
    near, total, n_jumps, runs = 0, 0, 0, 0
    null = np.zeros(n_shifts, np.int64)
    sources = [np.unique(np.asarray(born, np.float64), return_counts=True) for born in births if len(np.ravel(born))]
    own, others = [], []
    for run, (born, jumped, (start, stop)) in enumerate(zip(births, jumps, spans)):
        born, jumped = np.asarray(born, np.float64).ravel(), np.asarray(jumped, np.float64).ravel()
        for name, steps in (("birth", born), ("jump", jumped)):
            outside = steps[(steps < start) | (steps > stop)]
            if len(outside):
                raise OntogenyError(
                    f"a {name} of run {run} at {outside[0]:g} lies outside its span {start:g} to {stop:g}"
                )
        if not len(born) or not len(jumped):
            continue
        runs, total, n_jumps = runs + 1, total + len(born), n_jumps + len(jumped)
        length = stop - start + 1
        steps, weight = np.unique(born, return_counts=True)
        near += int(weight @ _meets(steps, jumped, length, window))
        own.append(_share_near(steps, weight, jumped, window))
        others.append([_share_near(*source, jumped, window) for source in sources])
        for at, shift in enumerate(rng.uniform(0, length, n_shifts)):
            null[at] += weight @ _meets(steps, jumped + shift, length, window)
    if not runs:
        raise OntogenyError("no run has both births of circuits and jumps, so there is nothing to compare")
    low, high = np.quantile(null, [0.025, 0.975])
    expected = float(null.mean())
    share, strangers, p_strangers = _against_strangers(np.array(own), np.array(others), n_shifts, rng)
    return Coincidence(
        runs,
        total,
        n_jumps,
        near,
        expected,
        float(low),
        float(high),
        near / expected if expected else np.nan,
        (1 + int((null >= near).sum())) / (1 + n_shifts),
        share,
        strangers,
        p_strangers,
        null,
    )


def _share_near(steps: NDArray, weight: NDArray, jumps: NDArray, window: float) -> float:
    """The share of births at `steps`, `weight` at each, that lies within `window` of a jump."""
    near = (np.abs(steps[:, None] - jumps[None, :]) <= window).any(axis=1)
    return float(weight @ near / weight.sum())


def _against_strangers(
    own: NDArray, others: NDArray, draws: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """The mean of `own` (runs with jumps), that of all other sources, and p under sources drawn at random.

    others: (runs with jumps, sources), the runs themselves among the sources.
    """
    runs, sources = others.shape
    share = float(own.mean())
    if sources < 2:
        return share, np.nan, np.nan
    strangers = float((others.sum() - own.sum()) / (runs * (sources - 1)))
    drawn = others[np.arange(runs), rng.integers(0, sources, (draws, runs))].mean(axis=1)
    return share, strangers, (1 + int((drawn >= share - 1e-12).sum())) / (1 + draws)


def _meets(steps: NDArray, jumps: NDArray, length: float, window: float) -> NDArray[np.bool_]:
    """Whether each of `steps` has a jump within `window`, around a circle of `length`."""
    gap = np.abs((steps[:, None] - jumps[None, :]) % length)
    return (np.minimum(gap, length - gap) <= window).any(axis=1)


def birth_epochs(epochs: Iterable[int], sets: Sequence[CircuitSet]) -> NDArray[np.int64]:
    """The epoch of birth of every circuit that was ever perfect, sorted: what `births_at_jumps` asks for."""
    return life_table(list(epochs), sets)["birth"].to_numpy(np.int64)
