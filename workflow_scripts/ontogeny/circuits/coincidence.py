"""Whether circuits appear where the dimensionality jumps, against two nulls and beside other networks.

An appearance is known only to lie between two enumerated epochs, so it is an interval of steps. It is near a jump if
the interval reaches within the window of it; with a circuit enumerated at every epoch that is plain distance.

*Shifted jumps* ask whether the two have anything to do with time: all jumps of a run are moved around its span. Where
both come early that is no news. *The neighbourhood* asks whether they meet more closely than anything slow explains,
the speed of learning included: the share near jumps that are displaced by little more than the window, extrapolated to
no displacement (as cross-correlograms are judged, Amarasingham et al., J. Neurophysiol. 107, 2012, with an exponential
in place of a flat neighbourhood, which is the more cautious).

*Other networks* are for comparison, and no test: each run's jumps meet another run's appearances, moved to the run's
own clock. A clock is off by a little, and what a network's jumps and appearances share of that would pass for a
coincidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ontogeny.circuits.masks import is_collection
from ontogeny.circuits.settings import DEFAULTS
from ontogeny.errors import OntogenyError, check_number, expect, shown
from ontogeny.statistics import generator, percentile_interval, resampling_p_value
from ontogeny.words import counted

MOST_DISPLACED = 30
"""Jumps are displaced by 2 * window + 1 to this many steps, or to 6 * window where that is more."""


_MOST_STEPS = 1e9


@dataclass(frozen=True)
class Coincidence:
    """Do circuits appear where the dimensionality jumps?

    runs: those with both, over which all means are taken; appearances: circuits that appeared in them; near: those
    within the window of a jump. expected: the mean of `near` under shifted jumps, with its 95 % range (low, high);
    ratio: near / expected; p_value: one-sided, that shifted jumps meet as many; null: the shifted values.

    share: the mean over runs of the share of their appearances that is near their own jumps. displaced: that share
    when jumps are displaced; nearby: what the displaced shares extrapolate to at no displacement; p_nearby: one-sided,
    by resampling runs, that `share` is no more. between_networks: the share near the jumps of the appearances of other
    networks, NaN without clocks and with fewer than two runs.
    """

    runs: int
    appearances: int
    jumps: int
    near: int
    expected: float
    low: float
    high: float
    ratio: float
    p_value: float
    share: float
    displaced: float
    nearby: float
    p_nearby: float
    between_networks: float
    null: NDArray[np.int64] = field(repr=False)


@dataclass(frozen=True)
class _Run:
    """Appearances of one run, alike ones together: first and last possible step, and number; its jumps and span."""

    first: NDArray[np.float64]
    last: NDArray[np.float64]
    number: NDArray[np.int64]
    jumps: NDArray[np.float64]
    start: float
    stop: float

    def share(self, displaced: float, window: float) -> float:
        """The share of appearances near the jumps, all displaced alike."""
        moved = self.jumps + displaced
        near = (moved >= self.first[:, None] - window) & (moved <= self.last[:, None] + window)
        return float(self.number @ near.any(axis=1) / self.number.sum())

    def around(self, shifts: NDArray[np.float64], window: float) -> NDArray[np.int64]:
        """How many are near the jumps, all shifted around the span; (shifts,)."""
        length = self.stop - self.start + 1
        moved = (self.jumps[:, None] + shifts).ravel()
        gap = (moved - (self.first - window)[:, None]) % length
        near = gap <= (self.last - self.first + 2 * window)[:, None]
        return self.number @ near.reshape(len(self.first), len(self.jumps), len(shifts)).any(axis=1)

    def inside(self, displaced: float) -> bool:
        """Whether the displaced jumps stay within the span."""
        return bool(self.start <= self.jumps.min() + displaced and self.jumps.max() + displaced <= self.stop)


def appearances_at_jumps(
    appearances: Sequence[ArrayLike],
    jumps: Sequence[ArrayLike],
    spans: Sequence[tuple[float, float]],
    window: float = DEFAULTS.window,
    *,
    numbers: Sequence[ArrayLike] | None = None,
    clocks: Sequence[float] | None = None,
    n_resamples: int = 9999,
    seed: int = 0,
) -> Coincidence:
    """Whether appearances of circuits coincide with jumps of the same runs, against the nulls of this module.

    appearances[r]: steps of run r, (n,), or first and last possible step of each, (n, 2); numbers[r] (n,): circuits
    that each stands for, 1 if not given. jumps[r]: steps; spans[r]: the run's first and last step; window: steps
    between an appearance and a jump that count as together. clocks[r]: how long the run takes to learn, in steps, such
    as the epoch at which its loss has halved: appearances of another run are moved by the ratio of both clocks,
    keeping their spread. Every p-value counts the data themselves among `n_resamples` draws, so none is 0.

    Raises OntogenyError where lists differ in length, a step is no number or lies outside its span, or no run has both.
    """
    lists = {"appearances": appearances, "jumps": jumps, "spans": spans, "numbers": numbers, "clocks": clocks}
    for name, given in lists.items():
        if given is not None or name in ("appearances", "jumps", "spans"):
            expect(given, (Sequence, np.ndarray), f"a list with one entry per run as {name}")
            if not is_collection(given):
                raise OntogenyError(f"{name} is {shown(given)}: give a list with one entry per run")
    if not len(appearances) == len(jumps) == len(spans):
        raise OntogenyError(
            f"{counted(len(appearances), 'run')} of appearances, {len(jumps)} of jumps and "
            f"{counted(len(spans), 'span')}: give one of each "
            "per run"
        )
    if numbers is not None and len(numbers) != len(spans):
        raise OntogenyError(
            f"{counted(len(numbers), 'list')} of numbers for {counted(len(spans), 'run')}: give one for each run"
        )
    check_number(window, "window", "a number of steps, 0 or more", 0, _MOST_STEPS)
    check_number(n_resamples, "n_resamples", "a whole number of draws, 1 or more", 1, whole=True)
    times = None if clocks is None else _as_numbers(clocks, "clocks").ravel()
    if times is not None and (len(times) != len(spans) or not (np.isfinite(times) & (times > 0)).all()):
        raise OntogenyError(
            f"{counted(len(times), 'clock')} for {counted(len(spans), 'run')}: give each run a number of steps above 0"
        )
    runs = [
        _checked_run(r, appearances[r], None if numbers is None else numbers[r], jumps[r], spans[r])
        for r in range(len(spans))
    ]
    both = [r for r, run in enumerate(runs) if len(run.first) and len(run.jumps)]
    if not both:
        raise OntogenyError("no run has both appearances of circuits and jumps, so there is nothing to compare")
    rng = generator(seed)
    near, null = 0, np.zeros(n_resamples, np.int64)
    for run in (runs[r] for r in both):
        near += int(run.around(np.zeros(1), window)[0])
        null += run.around(rng.uniform(0, run.stop - run.start + 1, n_resamples), window)
    low, high = percentile_interval(null)
    own = np.array([runs[r].share(0.0, window) for r in both])
    displaced, nearby, p_nearby = _against_neighbourhood([runs[r] for r in both], own, window, n_resamples, rng)
    between = np.nan if times is None else _between_networks(runs, both, times, window)
    expected = float(null.mean())
    return Coincidence(
        runs=len(both),
        appearances=sum(int(runs[r].number.sum()) for r in both),
        jumps=sum(len(runs[r].jumps) for r in both),
        near=near,
        expected=expected,
        low=float(low),
        high=float(high),
        ratio=near / expected if expected else np.nan,
        p_value=resampling_p_value(near, null),
        share=float(own.mean()),
        displaced=displaced,
        nearby=nearby,
        p_nearby=p_nearby,
        between_networks=between,
        null=null,
    )


def _as_numbers(values: ArrayLike, what: str) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(values, np.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        numbers = np.array(np.nan)
    if not np.isfinite(numbers).all():
        raise OntogenyError(f"{what} are {shown(values)}: give numbers, none of them NaN or infinite")
    return numbers


def _checked_run(
    number: int, appeared: ArrayLike, weights: ArrayLike | None, jumped: ArrayLike, span: tuple[float, float]
) -> _Run:
    steps = _as_numbers(appeared, f"the appearances of run {number}")
    if steps.ndim == 0 or (steps.size and steps.shape[1:] not in ((), (2,))):
        raise OntogenyError(f"the appearances of run {number} have shape {steps.shape}; they must be (n,) or (n, 2)")
    steps = np.stack([steps, steps], axis=1) if steps.ndim == 1 else steps.reshape(-1, 2)
    counted = np.ones(len(steps)) if weights is None else _as_numbers(weights, f"the numbers of run {number}")
    counts = counted.astype(np.int64).ravel()
    jumps = _as_numbers(jumped, f"the jumps of run {number}").ravel()
    if len(counts) != len(steps) or (counts < 0).any() or (steps[:, 0] > steps[:, 1]).any():
        raise OntogenyError(
            f"run {number}: give each of the {len(steps)} appearances a number of at least 0, and its first possible "
            "step no later than its last"
        )
    ends = _as_numbers(span, f"the span of run {number}").ravel()
    if len(ends) != 2:
        raise OntogenyError(f"the span of run {number} is {shown(span)}: give its first and its last step")
    start, stop = ends.tolist()
    for name, values in (("an appearance", steps), ("a jump", jumps)):
        outside = values[(values < start) | (values > stop)]
        if len(outside):
            raise OntogenyError(f"{name} of run {number} at {outside[0]:g} lies outside its span {start:g} to {stop:g}")
    alike, place = np.unique(steps, axis=0, return_inverse=True)
    total = np.bincount(place.ravel(), counts, minlength=len(alike)).astype(np.int64)
    alike, total = alike[total > 0], total[total > 0]
    return _Run(alike[:, 0], alike[:, 1], total, jumps, start, stop)


def _against_neighbourhood(
    runs: list[_Run], own: NDArray[np.float64], window: float, n_resamples: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """The share near displaced jumps, what it extrapolates to at no displacement, and p of the share of `own`."""
    least = int(2 * window) + 1
    away = np.arange(least, max(MOST_DISPLACED, int(6 * window)) + 1)
    lags = np.concatenate([-away, away])
    shares = np.array([[run.share(t, window) if run.inside(t) else np.nan for t in lags.tolist()] for run in runs])
    if np.isnan(shares).all() or len(runs) < 2:
        return float(np.nanmean(shares)) if not np.isnan(shares).all() else np.nan, np.nan, np.nan
    chosen = rng.integers(0, len(runs), (n_resamples, len(runs)))
    weights = np.zeros((n_resamples + 1, len(runs)))
    np.add.at(weights, (np.arange(n_resamples)[:, None], chosen), 1.0)
    weights[-1] = 1.0  # the runs as they are
    known = ~np.isnan(shares)
    seen = weights @ known
    curve = np.divide(weights @ np.where(known, shares, 0.0), seen, out=np.zeros_like(seen), where=seen > 0)
    nearby = _extrapolated(np.abs(lags), curve, seen > 0)
    excess = weights @ own / weights.sum(axis=1) - nearby
    p_value = (1 + int((excess[:-1] <= 1e-12).sum())) / (1 + n_resamples)
    return float(np.nanmean(shares)), float(nearby[-1]), p_value


def _extrapolated(
    distance: NDArray[np.int64], curve: NDArray[np.float64], seen: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Each row's value at distance 0 by an exponential in distance, fitted to its logarithm weighted by its size.

    Never below the row's mean, nor above 1.
    """
    weight = np.where(seen, np.maximum(curve, 1e-9), 0.0)
    logs = np.log(np.maximum(curve, 1e-4))
    total = weight.sum(axis=1, keepdims=True)
    mean_x = weight @ distance / total[:, 0]
    mean_y = (weight * logs).sum(axis=1) / total[:, 0]
    centred = distance[None, :] - mean_x[:, None]
    spread = (weight * centred**2).sum(axis=1)
    slope = np.divide(
        (weight * centred * (logs - mean_y[:, None])).sum(axis=1), spread, out=np.zeros(len(curve)), where=spread > 0
    )
    flat = np.where(seen, curve, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    return np.clip(np.exp(mean_y - slope * mean_x), flat, 1.0)


def _between_networks(runs: list[_Run], both: list[int], clocks: NDArray[np.float64], window: float) -> float:
    """The mean share near each run's jumps of other networks' appearances, on its clock."""
    shares = []
    for r in both:
        for q, other in enumerate(runs):
            if q != r and len(other.first):
                middle = np.average((other.first + other.last) / 2, weights=other.number)
                moved = middle * (clocks[r] / clocks[q] - 1)
                shifted = _Run(
                    other.first + moved, other.last + moved, other.number, runs[r].jumps, runs[r].start, runs[r].stop
                )
                shares.append(shifted.share(0.0, window))
    return float(np.mean(shares)) if shares else np.nan
