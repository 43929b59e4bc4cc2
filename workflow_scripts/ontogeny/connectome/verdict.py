"""Whether a recovered wiring can be trusted, judged from the activity alone.

Seven questions, each with a number: does the model predict frames that it did not see, held out in blocks, better than
each neuron's own past does and better than senders moved in time against their receivers do (circular shifts)? Do the
two halves of the data give the same wiring? Does each half give it again when the whole fit starts from elsewhere? Are
the standard errors small against the weights? Does the model, left alone, follow trajectories that it did not see? Is
what it leaves unexplained free of structure: not predictable from the past state, not shared between neurons? And were
the states recorded finely enough for their changes from frame to frame to be more than rounding?
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ontogeny.connectome.noise import standardised
from ontogeny.connectome.observe import Rows, rounding_share
from ontogeny.connectome.outcome import Kind
from ontogeny.connectome.problem import Problem, spread_over
from ontogeny.connectome.recover import MANY, Recovered, common_inputs, derivative_of, step
from ontogeny.connectome.refine import solve_rows
from ontogeny.connectome.splines import summed

TRUSTED_PRECISION = 0.9
"""Least share of the sum of squares of W that is not made by its standard errors."""

TRUSTED_AGREEMENT = 0.7
"""Least squared correlation of the weights that two halves of the data give, also from other starts."""

TRUSTED_AGREEMENT_EXACT = 0.95
"""The same from other starts, where nothing but rounding is left: noise cannot be why the halves differ."""

TRUSTED_GAIN = 0.5
"""Largest held-out error as a share of that of the better null."""

TRUSTED_NOISY_GAIN, _OVERFIT = 0.8, 1.25
"""The same where noise is large, if held-out frames are off by no more than the second times what is left of those
trained on."""

TRUSTED_ROLLOUT = 0.5
"""Least share of the error of standing still that a rollout does away with; foretelling the mean does away with half of
it where a signal is at random around that."""

_HALF_AGREED = 0.4
"""Least squared correlation of halves that makes a wiring under much noise more than chance."""

STRUCTURE = 0.1
"""Share of the residual that past states may predict, or neurons may share, before it counts as structure."""

NEGLIGIBLE = 1e-6
"""Share of the variance below which structure of the residual does not matter. A share of 0.0001 that neurons share
moves weights by some hundredths of what they are, which is much to those that are 0."""

_EXACT = 1e-4
"""Share of the variance below which noise cannot be why halves differ."""

MOVED = 0.5
"""Share of senders whose weights can be moved along with a receiver's own function, in the median, that leaves
the wiring open: one more number for every row, as where states have a sum that never changes."""

APART = 0.03
"""How far functions of senders' own may be from psi, in the root mean square, as a share of it."""

ROUNDED = 1 / 3
"""Share of the variance of what changes between frames that rounding of the states may make. Rounding is no noise: it
lasts for as long as a state stays between two levels."""

_FLAT, _GAP = 2e-7, 10
"""Extent of the states along a dimension, as a share of that along the longest, which rounding of single numbers makes
where there is none, and how many times as long all others are then."""

ENOUGH = 5.0
"""Frames per unknown of a receiver below which nothing is called wrong."""

Slopes = Callable[[np.ndarray], np.ndarray]

_SHIFTS = 3
_MOST = 4000
_MOST_SHIFTED = 100


@dataclass(frozen=True)
class Verdict:
    """`verdict`, the sentence why, and the numbers behind it."""

    verdict: Kind
    reason: str
    measures: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON types."""
        return {"verdict": self.verdict, "reason": self.reason, **self.measures}


def unrefined(reason: str) -> Verdict:
    """The verdict on a fit that was not refined: without standard errors nothing can be trusted."""
    return Verdict("undetermined", reason, {})


def assess(found: Recovered, held: Rows, allowed: np.ndarray | None, delta_t: float, seed: int = 0) -> Verdict:
    """The verdict on `found`, with the frames `held` that it did not see, whose slopes are as its rows' were at first.

    See the module's text for what is measured; keys of `measures`: held_out_error, own_error, shifted_error (mean
    square errors over the variance of the held-out slopes before any correction, in the form that was fitted),
    held_out_variance (their variance over that of the frames trained on), agreement and refit_agreement (of the
    halves, psi given and psi found anew), precision, rollout_skill, memory (share of the residual that past states
    predict, held out), common_inputs (how many) and common_share (of the residual), residual_share, moved (the share of
    senders whose weights can be moved along with a receiver's own function), senders_apart (how far
    functions of senders' own are from psi), rounding_share (of the variance of what
    changes between frames), dimensions_lacking (see `_lacking`).
    """
    measures = measure(found, held, allowed, delta_t, seed)
    return judge(measures)


def measure(
    found: Recovered, held: Rows, allowed: np.ndarray | None, delta_t: float, seed: int = 0
) -> dict[str, float]:
    """The numbers of `assess`."""
    derivative = derivative_of(found.refined)
    observed = held.slope
    if found.substeps != 1:
        defect = (step(derivative, held.u, delta_t, found.substeps) - held.u) / delta_t - derivative(held.u)
        held = replace(held, slope=held.slope - defect)
    form = None if found.windows is None else held.block
    target = summed(held.slope, form)
    trained = summed(found.rows.slope, found.windows)
    variances, spread = (
        _variances(summed(observed, form)),
        float(np.mean(_variances(summed(found.observed, found.windows)))) or 1.0,
    )

    everyone = np.arange(target.shape[1])

    def error(predicted: np.ndarray, receivers: np.ndarray) -> float:
        variance = float(np.mean(variances[receivers]))
        value = float(np.mean((summed(predicted, form) - target[:, receivers]) ** 2))
        return value / variance if variance > 0 else math.nan

    rest = target - summed(derivative(held.u), form)
    own, shifted = _nulls(found, held, allowed, error, seed)
    residual = trained - summed(derivative(found.rows.u), found.windows)
    power = float(np.mean(residual**2)) or 1.0
    sudden = found.whitened(residual)
    common = common_inputs(sudden, seed) if len(residual) > 4 else np.zeros((held.u.shape[1], 0))
    return {
        "held_out_error": error(derivative(held.u), everyone),
        "own_error": own,
        "shifted_error": shifted,
        "held_out_variance": float(np.mean(variances)) / spread,
        "agreement": _agreement(found.halves, found.told),
        "refit_agreement": _agreement(found.refits, found.told),
        "precision": 1 - found.imprecision,
        "moved": found.refined.moved,
        "senders_apart": found.apart,
        "rounding_share": rounding_share(found.rows),
        "dimensions_lacking": float(_lacking(found.rows.u)),
        "rollout_skill": _rollout_skill(derivative, held, delta_t, found.substeps),
        "memory": _memory(found, held, residual, rest, derivative),
        "common_inputs": float(common.shape[1]),
        "common_share": float(np.sum(common**2) / len(common) / (float(np.mean(sudden**2)) or 1.0)),
        "residual_share": power / spread,
        "frames_per_unknown": len(found.rows) / (held.u.shape[1] + found.refined.spline.size),
    }


def _lacking(u: np.ndarray) -> int:
    """How many dimensions fewer than moving neurons the states `u` (rows, N) have, but for rounding of single numbers.

    0 where there are fewer rows than twice the neurons, which may lack dimensions by chance, and where the smallest
    dimensions shrink little by little, as those of many neurons that settle do.
    """
    scaled, size = standardised(u)
    moving = scaled[:, size > 0]
    if len(moving) < 2 * moving.shape[1] or not moving.shape[1]:
        return 0
    values = np.linalg.eigvalsh(moving.T @ moving)
    flat, small = (int((values < (wide * _FLAT) ** 2 * values[-1]).sum()) for wide in (1, _GAP))
    return flat if flat == small else 0


def _variances(values: np.ndarray) -> np.ndarray:
    """The variance of each column."""
    return np.mean((values - values.mean(0)) ** 2, axis=0)


def judge(measures: dict[str, float]) -> Verdict:
    """The verdict that follows from the numbers of `measure`."""
    m = measures
    null = np.nanmin([m["own_error"], m["shifted_error"], 1.0])
    structured = m["residual_share"] > NEGLIGIBLE
    noisy = m["held_out_error"] * m["held_out_variance"] <= _OVERFIT * m["residual_share"]
    gain = TRUSTED_NOISY_GAIN if noisy else TRUSTED_GAIN
    wrong, doubts = [], []
    if not math.isfinite(m["held_out_error"]) or m["held_out_variance"] < 1e-6:
        doubts.append("the held-out frames hardly move, so that nothing can be tested on them")
    elif noisy and m["held_out_error"] > gain * null and m["residual_share"] < TRUSTED_GAIN:
        doubts.append(
            f"the held-out frames move too little against the noise for anything to be tested on them (error "
            f"{m['held_out_error']:.2g} of their variance)"
        )
    elif m["held_out_error"] > 0.9 * null and _speaks_for_itself(m, noisy):
        doubts.append(
            f"held-out frames tell nothing (error {m['held_out_error']:.2g} of their variance): "
            + (f"noise makes {m['residual_share']:.0%} of the slopes" if noisy else "they go where no others went")
        )
    elif m["held_out_error"] > 0.9 * null:
        wrong.append(
            f"on held-out frames its error ({m['held_out_error']:.2g} of the variance) is no smaller than without "
            f"wiring or with senders shifted in time ({null:.2g})"
        )
    elif m["held_out_error"] > gain * null:
        doubts.append(
            f"on held-out frames its error ({m['held_out_error']:.2g} of the variance) is little smaller than without "
            f"wiring ({null:.2g})"
        )
    if not m["agreement"] >= TRUSTED_AGREEMENT:
        doubts.append(f"two halves of the data give wirings whose squared correlation is {m['agreement']:.2f}")
    if not m["refit_agreement"] >= (TRUSTED_AGREEMENT if m["residual_share"] > _EXACT else TRUSTED_AGREEMENT_EXACT):
        doubts.append(
            f"fitted anew on each half from another start, it gives wirings whose squared correlation is "
            f"{m['refit_agreement']:.2f}"
        )
    if not m["precision"] >= TRUSTED_PRECISION:
        doubts.append(f"standard errors make up {1 - m['precision']:.0%} of the weights' sum of squares")
    if m["moved"] > MOVED:
        doubts.append(
            f"{m['moved']:.0%} of a neuron's senders together make up a function of its own state, as where the states "
            f"have a sum that never changes: their weights can be moved along with it"
        )
    if m["senders_apart"] > APART:
        doubts.append(
            f"what senders send differs by {m['senders_apart']:.0%} from one function for all, so that weights of "
            "different senders cannot be compared"
        )
    if m["dimensions_lacking"]:
        doubts.append(
            f"states lack {m['dimensions_lacking']:.0f} of the dimensions that so many neurons have, as where a mean "
            "or small components were taken out of them: they are not what neurons sent"
        )
    if m["rounding_share"] > ROUNDED:
        doubts.append(
            f"states are rounded so coarsely that this makes {m['rounding_share']:.0%} of what changes between frames"
        )
    if not m["rollout_skill"] >= TRUSTED_ROLLOUT:
        doubts.append(f"left alone it does not follow unseen trajectories (skill {m['rollout_skill']:.2f})")
    if structured and m["memory"] > STRUCTURE:
        text = f"past states predict {m['memory']:.0%} of what it leaves unexplained: the model lacks something"
        (wrong if m["residual_share"] > 0.05 else doubts).append(text)
    if structured and m["common_inputs"] and m["common_share"] > STRUCTURE:
        doubts.append(
            f"neurons share {m['common_share']:.0%} of what it leaves unexplained: "
            f"{int(m['common_inputs'])} inputs that no recorded neuron carries"
        )
    if wrong and m["frames_per_unknown"] < ENOUGH:
        doubts, wrong = [*wrong, *doubts], []
        doubts.append(f"there are {m['frames_per_unknown']:.1f} frames per unknown")
    if wrong:
        return Verdict("wrong", "; ".join(wrong + doubts), measures)
    if doubts:
        return Verdict("undetermined", "; ".join(doubts), measures)
    return Verdict(
        "trusted",
        f"held-out error {m['held_out_error']:.2g} of the variance against {null:.2g} without wiring, two halves agree "
        f"(squared correlation {m['agreement']:.4f}, and {m['refit_agreement']:.4f} from other starts), rollouts "
        f"follow unseen trajectories (skill {m['rollout_skill']:.2f}), and nothing in the residual "
        "speaks against the model",
        measures,
    )


def _speaks_for_itself(m: dict[str, float], noisy: bool) -> bool:
    """Whether all but the mean of held-out frames, which foretells them no worse, speaks for the wiring.

    Its error there is less than without wiring and with shifted senders, rollouts follow, and halves agree: by half
    where noise is most of the slopes; as for a trusted wiring where it is not, and the error is less than half. Where
    noise moves the neurons nothing follows them, and halves that agree as for a trusted wiring are enough.
    """
    others = float(np.nanmin([m["own_error"], m["shifted_error"], np.inf]))
    agreement = min(m["agreement"], m["refit_agreement"])
    follows = m["rollout_skill"] >= TRUSTED_ROLLOUT
    sure = m["precision"] >= TRUSTED_PRECISION and agreement >= TRUSTED_AGREEMENT
    if noisy:
        return m["held_out_error"] < others and (sure or (follows and agreement >= _HALF_AGREED))
    return follows and sure and m["held_out_error"] <= TRUSTED_GAIN * others


def _problem(found: Recovered, rows: Rows, allowed: np.ndarray | None) -> Problem:
    windows = None if found.windows is None else rows.block
    problem = Problem(rows.u, rows.slope, found.refined.spline, allowed, rows.block, windows)
    problem.smooth = max(found.refined.smooth, 1e-6 * len(rows))
    return problem


def _nulls(
    found: Recovered,
    held: Rows,
    allowed: np.ndarray | None,
    error: Callable[[np.ndarray, np.ndarray], float],
    seed: int,
) -> tuple[float, float]:
    """Held-out errors without wiring, and the smallest with senders that are shifted in time."""
    rng = np.random.Generator(np.random.PCG64([seed, 11]))
    rows, spline = found.rows, found.refined.spline
    problem = _problem(found, rows, allowed)
    state = spline.within(held.u)
    asked = spread_over(problem.n, _MOST_SHIFTED)
    alone = np.empty((spline.size, len(asked)))
    for i, own in enumerate(problem.own(asked)):
        gram = own.gram + problem.smooth * spline.roughness + 1e-12 * np.trace(own.gram) * np.eye(spline.size)
        alone[:, i] = np.linalg.solve(gram, own.slope)
    errors = []
    for _ in range(_SHIFTS if problem.n <= MANY else 1):
        span = len(rows) // 10, max(len(rows) * 9 // 10, len(rows) // 10 + 1)
        shifts = [int(rng.integers(*span)) for _ in range(problem.n)]
        moved = np.stack([np.roll(rows.u[:, k], s) for k, s in enumerate(shifts)], 1)
        sent = problem.summed(spline.values(found.refined.psi, moved))
        solved = solve_rows(problem, sent, max(found.refined.ratio, 1e-6 * len(rows)), asked)
        there = np.stack([np.roll(state[:, k], s % max(len(state), 1)) for k, s in enumerate(shifts)], 1)
        solved.W[np.arange(len(asked)), asked] = 0
        each = spline.each(spline.polynomials(solved.phi), state[:, asked])
        errors.append(error(each + spline.values(found.refined.psi, there) @ solved.W.T, asked))
    return error(spline.each(spline.polynomials(alone), state[:, asked]), asked), float(np.min(errors))


def _agreement(halves: tuple[np.ndarray, np.ndarray] | None, told: np.ndarray | None) -> float:
    """Squared correlation of the weights from the two halves of the data, of the senders `told` (N,) bool, if given,
    of which both can tell; 0 for a negative one."""
    if halves is None:
        return math.nan
    compared = ~np.eye(len(halves[0]), dtype=bool) & np.isfinite(halves[0] + halves[1])
    if told is not None:
        compared &= told
    first, second = halves[0][compared], halves[1][compared]
    if min(np.ptp(first), np.ptp(second)) == 0:
        return 0.0
    return max(0.0, float(np.corrcoef(first, second)[0, 1])) ** 2


def _rollout_skill(derivative: Slopes, held: Rows, delta_t: float, substeps: int, horizon: int = 40) -> float:
    """The share of the error of standing still that the model, left alone, does away with, over held-out blocks."""
    starts = np.flatnonzero(np.r_[True, np.diff(held.block) != 0])
    ends = np.r_[starts[1:], len(held)]
    made = still = 0.0
    for first, end in list(zip(starts, ends))[:8]:
        true = held.u[first : min(end, first + horizon + 1)]
        state, errors = true[:1], []
        for later in true[1:]:
            state = np.clip(step(derivative, state, delta_t, substeps), -1e6, 1e6)
            errors.append(float(np.mean((state[0] - later) ** 2)))
        made += float(np.sum(errors))
        still += float(np.mean((true[1:] - true[:1]) ** 2) * len(errors)) if len(errors) else 0.0
    return 1 - made / still if still > 0 else math.nan


def _memory(found: Recovered, held: Rows, residual: np.ndarray, rest: np.ndarray, derivative: Slopes) -> float:
    """The share of the held-out residual that the model's slopes one frame before predict, at least 0."""

    def lagged(rows: Rows, values: np.ndarray, windows: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        slopes = derivative(rows.u)
        before = np.r_[slopes[:1], slopes[:-1]] - slopes
        before[np.r_[True, np.diff(rows.block) != 0]] = 0
        before = summed(before, windows)
        apart = max(1, len(before) // _MOST)
        return before[::apart], values[::apart]

    X, y = lagged(found.rows, residual, found.windows)
    Z, v = lagged(held, rest, None if found.windows is None else held.block)
    gram = X.T @ X
    gram[np.diag_indices_from(gram)] += 1e-6 * np.trace(gram) / len(gram) + 1e-300
    predicted = Z @ np.linalg.solve(gram, X.T @ y)
    whole = float(np.sum(v**2))
    return max(0.0, 1 - float(np.sum((v - predicted) ** 2)) / whole) if whole > 0 else 0.0


__all__ = ["Verdict", "assess", "judge", "measure", "unrefined"]
