"""Whether circuits appear where the dimensionality jumps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ontogeny.errors import OntogenyError


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
