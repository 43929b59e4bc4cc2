"""From frames to wiring: the refinement in the form that suits how the derivative was observed, and common inputs.

Where the derivative is a difference of a recorded state, two things are tried and kept where they leave less: the
integral form of the model, which is robust to noise of the state; and the correction of the difference for what the
recovered model itself does between two frames (deferred correction, Stetter 1978), either as a continuous flow or in
Euler steps that are a whole fraction of the frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import scipy.linalg

from ontogeny.connectome.noise import Noise, levinson, shrunk, standardised
from ontogeny.connectome.observe import Rows
from ontogeny.connectome.problem import Problem, spread_over
from ontogeny.connectome.refine import AGAIN, EXACT, WHOLE, Effort, Refined, refine, solve_rows
from ontogeny.connectome.splines import centre_of, starts_of, summed
from ontogeny.connectome.uncertainty import FITTED, LASTS, variances

_ROUNDS, _PATIENCE, _MIXED, _CLOSE = 30, 5, 6, 1e-7
_RUNGS, _EACH, _FEWER = range(12, 48, 4), 4, 0.9
"""How many splines make up a function at first when differences are corrected, with how many rounds each, and what
share may be left at most for more to be taken."""

_STUCK, _UNSTUCK = 1.5, 0.25
"""Refits that leave more than the first times what the fit does are stuck; where one leaves less than the second, the
fit is."""

_ALIKE, _STEP, _BEYOND_CHANCE = 1e-6, 1e-4, 2.0
"""Share of the variance left below which senders are taken to be alike, the step of a slope as a share of the range,
and how many times what chance makes differences of senders must be."""

_ORDER, _LEAST_ORDER, _PER_LAG, _LONGEST = 12, 3, 4, 0.995
"""How many frames before a frame foretell its noise (noise with a 1/f spectrum takes a dozen), and at least, of how
many frames in a stretch for each; and the largest partial autocorrelation of such noise."""

_FORETOLD = 1e-6
"""Share of the noise that frames before must leave to be foretold: noise that a kernel smoothed has next to none."""

_WHITE, _WHITE_LAGS = 0.15, 6
"""Largest autocorrelation of whitened residuals at that many lags."""

_DRAWN, _MATCHED = 16, 6
"""Series of noise drawn for each receiver whose regressors are taken, and how often the noise is adjusted."""

_PARTS = 6
"""Steps of Runge and Kutta in a frame; the error of these is what is left where nothing else is."""

_MOSTLY, _MUCH = 0.25, 0.25
"""Where inputs that neurons share make more than the first share of what is left, as where neurons are hidden, steps in
time must leave at most the second share of it to be believed."""

_HOPELESS = 2.0
"""How many times that share may be promised, where what steps leave changes linearly with their size, before none is
tried."""

_LIKELIER = 5.0
"""Elsewhere their logarithmic likelihood must be larger by this many times what chance makes, unless the slopes were
estimated as those of flows."""

_MORE = 0.1
"""How much likelier, in the same units, one more step in a frame must be for another to be tried."""

_EXPLAINED = 0.5
"""Where steps in time leave so small a share, it is them that set the integral form apart, and no noise."""

_TURNING = -0.25
"""Autocorrelation of what a model leaves of differences, from frame to frame, below which noise of the state made most
of it, which makes -1/2; noise in the dynamics makes 0."""

_NO_NOISE, _KNOWN = 0.5, 0.85
_SURELY = 4.0
_OF_MEDIANS = 5.0
"""Variance of the logarithm of the median of so many squared standard normal numbers, times their number."""

MANY = 300
"""Neurons from which on halves are compared on more rows, and one of them is not fitted anew."""

_POOR = 1e-3
"""Share of the variance left from which on psi is also sought from a bell."""

_HERE = Effort(coarse=False)
_HALVED = Effort(rounds=2, max_steps=15, uncertainty=False)
_TOLD, _NEAR = 0.01, 1e-4
"""Where less than the second share is left, senders of whose weights a half tells less than this are not compared."""

_MOST_STARTS = 5
_MOST_COMPARED = 100
_MOST_SUBSTEPS = 20


@dataclass(frozen=True)
class Recovered:
    """What the refinement found on `rows`, whose slopes are as they were finally taken.

    `windows` (rows,) or None: the windows of the integral form. `substeps`: Euler steps in a frame, 0 for a continuous
    flow, 1 where no correction was made. `common` (N, r): how receivers load on inputs that no recorded neuron
    explains. `halves`: W (N, N) from every other block and from the blocks between, with psi given, NaN in the rows
    of receivers that were not compared, where there are many. `refits`: the same from whole refinements of each half,
    each from another start. `raw` (rows, N): the slopes as they were observed, where those of `rows` are corrected.
    `unsettled`: how many times more of the observed slopes is left by the model with the corrections that it makes
    itself than with those it was fitted to. `doubt` (N, N): the variance of W from not knowing how the state went on
    between two frames. `told` (N,) bool: the senders whose weights both halves can tell, where little is left and there
    are not many neurons. `lasting`: the autocorrelations of the noise from lag 1 on, where frames were whitened for it.
    `apart`: how far the functions that senders have of their own are from psi (root mean square), as a share of it.
    """

    refined: Refined
    rows: Rows
    windows: np.ndarray | None = None
    substeps: int = 1
    common: np.ndarray | None = None
    halves: tuple[np.ndarray, np.ndarray] | None = None
    refits: tuple[np.ndarray, np.ndarray] | None = None
    raw: np.ndarray | None = None
    unsettled: float = 1.0
    doubt: np.ndarray | None = None
    told: np.ndarray | None = None
    lasting: np.ndarray | None = None
    apart: float = 0.0

    @property
    def observed(self) -> np.ndarray:
        """The slopes (rows, N) before any correction: a model that corrects them cannot make them larger."""
        return self.rows.slope if self.raw is None else self.raw

    @property
    def share(self) -> float:
        """The residual's share of the variance of the slopes that were observed, in the form that was fitted."""
        form = summed(self.observed, self.windows)
        left = float(np.nanmean(self.refined.noise**2)) * self.unsettled
        return left / max(float(np.mean((form - form.mean(0)) ** 2)), 1e-300)

    def only(self, chosen: np.ndarray) -> tuple[Rows, np.ndarray | None]:
        """The rows `chosen`, and the slopes that were observed there, where they were corrected."""
        return self.rows.only(chosen), None if self.raw is None else self.raw[chosen]

    def whitened(self, residual: np.ndarray) -> np.ndarray:
        """A `residual` (rows, N) as the noise for which frames were whitened would have it, if they were."""
        return residual if self.lasting is None else Noise(self.lasting, self.rows.stretches).whitened(residual)

    def problem(self, rows: Rows, allowed: np.ndarray | None) -> Problem:
        """The regression of `rows` in the form that was fitted, on the splines of the fit."""
        windows = None if self.windows is None else rows.block
        noise = None if self.lasting is None else Noise(self.lasting, rows.stretches)
        return Problem(rows.u, rows.slope, self.refined.spline, allowed, rows.block, windows, noise)

    @property
    def imprecision(self) -> float:
        """The share of the sum of squares of W that its standard errors make."""
        return float(np.sum(self.refined.standard_errors**2) / max(float(np.sum(self.refined.W**2)), 1e-300))


def derivative_of(found: Refined) -> Callable[[np.ndarray], np.ndarray]:
    """du/dt of the refined model, a function of states (rows, N)."""
    spline, pieces = found.spline, found.spline.polynomials(found.phi)

    sent = spline.pieces(found.psi)

    def derivative(state: np.ndarray) -> np.ndarray:
        own, psi = spline.both(pieces, sent, spline.within(state))
        return own + psi @ found.W.T

    return derivative


def step(derivative: Callable[[np.ndarray], np.ndarray], u: np.ndarray, delta_t: float, substeps: int) -> np.ndarray:
    """The state one frame later: by Euler's method in so many steps, or for 0 by a few steps of Runge and Kutta."""
    if substeps:
        for _ in range(substeps):
            u = u + delta_t / substeps * derivative(u)
        return u
    h = delta_t / _PARTS
    for _ in range(_PARTS):
        k1 = derivative(u)
        k2 = derivative(u + h / 2 * k1)
        k3 = derivative(u + h / 2 * k2)
        u = u + h / 6 * (k1 + 2 * k2 + 2 * k3 + derivative(u + h * k3))
    return u


def recover(
    rows: Rows,
    psi: tuple[np.ndarray, np.ndarray],
    allowed: np.ndarray | None,
    delta_t: float,
    differences: str | None,
    seed: int = 0,
    more: Rows | None = None,
) -> Recovered:
    """Refine on `rows`, from psi given as (points, values), or from a sigmoid or a bell where that leaves less.

    See `refine` and the module's text.

    `differences` (the rule, see `derived_by`, or None): how the slopes were estimated; where
    they were, those of `rows` are steps to the next frame over `delta_t`. What follows a map from frame to frame
    exactly may be a flow as well, as every linear one is; it is taken for what it was estimated as: all but forward
    differences are of a flow.
    `more`: rows to compare halves on, in place of `rows`, where half of those is little for so many neurons.
    """

    def run(
        rows: Rows,
        start: tuple[np.ndarray, np.ndarray],
        windows: np.ndarray | None,
        effort: Effort = WHOLE,
        noise: np.ndarray | None = None,
    ) -> Refined:
        return refine(
            rows.u,
            rows.slope,
            start,
            allowed=allowed,
            clusters=rows.block,
            stretches=rows.stretches,
            windows=windows,
            seed=seed,
            effort=effort,
            autocorrelations=noise,
        )

    flows = differences not in ("forward", None)
    best = Recovered(run(rows, psi, None), rows)
    if best.share > EXACT:
        # What the network learned may lead into a local minimum that a sigmoid does not.
        other = Recovered(run(rows, _sigmoid(rows, 2.0), None), rows)
        best = min(best, other, key=lambda found: found.share)
        psi = psi if best is not other else _sigmoid(rows, 2.0)
    if best.share > _POOR:
        other = Recovered(run(rows, _bell(rows, 1.0), None), rows)
        best = min(best, other, key=lambda found: found.share)
        psi = psi if best is not other else _bell(rows, 1.0)

    def settled(best: Recovered, psi: tuple[np.ndarray, np.ndarray]) -> tuple[Recovered, Recovered | None]:
        if differences and best.share > EXACT:
            most = _MUCH if _shared(best, seed) > _MOSTLY else None
            best = _by_differences(best, run, psi, delta_t, most, flows)
        elif flows:
            flow = _corrected(best, run, delta_t, 0)
            if flow.share <= EXACT:
                best = replace(flow, refined=run(flow.rows, _psi(flow), None))
        best = _whitened(best, run, seed)
        compared = best if more is None else _elsewhere(best, more, delta_t)
        best = _calibrated(best, compared, allowed, delta_t, seed)
        refits, least = _refits(replace(compared, halves=best.halves), run, seed)
        return replace(best, refits=refits), least

    found, least = settled(best, psi)
    if least is not None and least.share < _UNSTUCK * found.share / found.unsettled:
        enough = len(least.rows) > 4 * (rows.u.shape[1] + least.refined.spline.size)
        other = Recovered(run(rows, _psi(least), None), rows) if enough else best
        if other.share < best.share:
            found = min(found, settled(other, _psi(least))[0], key=lambda each: each.share)
    return found


def _elsewhere(found: Recovered, rows: Rows, delta_t: float) -> Recovered:
    """`found` on other `rows`, whose slopes are as they were observed and are corrected as its own are."""
    windows = None if found.windows is None else rows.block
    if found.substeps == 1:
        return replace(found, rows=rows, windows=windows)
    derivative = derivative_of(found.refined)
    defect = (step(derivative, rows.u, delta_t, found.substeps) - rows.u) / delta_t - derivative(rows.u)
    return replace(found, rows=replace(rows, slope=rows.slope - defect), windows=windows, raw=rows.slope)


def _shared(found: Recovered, seed: int) -> float:
    """The share of the residual that neurons share."""
    residual = found.rows.slope - derivative_of(found.refined)(found.rows.u)
    common = common_inputs(residual, seed)
    return float(np.sum(common**2)) / max(float(np.sum(np.mean(residual**2, axis=0))), 1e-300)


def _by_differences(
    best: Recovered,
    run: Callable[..., Refined],
    psi: tuple[np.ndarray, np.ndarray],
    delta_t: float,
    most: float | None,
    flows: bool,
) -> Recovered:
    """`best` or what takes time between frames into account, where that leaves at most a share `most` of it, or, if
    that is None, is likelier (see `_LIKELIER`)."""
    rows = best.rows
    integral = Recovered(run(rows, psi, rows.block), rows, rows.block)
    turning, flow = _turning(best), None
    refuted = flows and _refutes(integral.refined, best.refined)
    if refuted and not turning:
        flow = _corrected(best, run, delta_t, 0)
        refuted = flow.share > _EXPLAINED * best.share
    if refuted or (turning and integral.imprecision < best.imprecision):
        best, flow = integral, None
    if flow is None:
        flow = _corrected(best, run, delta_t, 0)
    best = _unstuck(best, flow, run)
    tried = [best, flow]
    last, known = best, {1, 0}
    for _ in range(3):
        substeps, promised = _substeps_between(last, flow)
        if most is not None and min(promised, flow.share) > _HOPELESS * most * best.share:
            return best
        if substeps in known or not 2 <= substeps <= _MOST_SUBSTEPS:
            break
        known.add(substeps)
        before, last = last, _corrected(flow if last is best else last, run, delta_t, substeps)
        tried.append(last)
        if before is not best and _likelier(last, before) < _MORE:
            break
    last = min(tried, key=lambda found: found.share)
    if most is not None and last.share > most * best.share:
        return best
    for turn in (-1, 1) if last.substeps > 1 else ():
        middle, gain = last, math.inf
        while gain > _MORE and (substeps := last.substeps + turn) not in known and 2 <= substeps <= _MOST_SUBSTEPS:
            known.add(substeps)
            near = _corrected(last, run, delta_t, substeps)
            gain = _likelier(near, last)
            last = near if gain > 0 else last
        if last is not middle:
            break
    if most is None and _likelier(last, best) < (0 if flows else _LIKELIER):
        return replace(best, doubt=_doubt(best, tried) if flows else None)
    doubt = _doubt(last, tried)
    forms = [rows.block] if refuted else [None, rows.block] if _turning(last) else [None]
    ends = [_ended(last, run, windows) for windows in forms]
    return replace(min(ends, key=lambda found: found.imprecision), doubt=doubt)


def _whitened(found: Recovered, run: Callable[..., Refined], seed: int) -> Recovered:
    """`found` fitted by generalised least squares, where what it leaves is noise that lasts.

    Such noise is as good as white once frames are whitened, and slopes that states answer to, as those of noise in the
    dynamics that lasts, lean less on what came before. Where it is not white then, it was no autoregression, and frames
    stay as they are.
    """
    if found.windows is not None or found.share < _NEAR:
        return found
    lasting = _lasting(found, seed)
    if lasting is None:
        return found
    refined = run(found.rows, _psi(found), None, _HERE, lasting)
    left = replace(found, refined=refined, lasting=lasting)
    residual = _residual(left)
    white = _correlated(left.whitened(residual), found.rows.stretches, _WHITE_LAGS)
    if np.abs(white).max() > _WHITE:
        return found
    noise = np.sqrt(np.mean(residual**2, axis=0))
    return replace(left, refined=replace(refined, noise=noise))


def _lasting(found: Recovered, seed: int) -> np.ndarray | None:
    """The autocorrelations at the first few lags of the noise behind what `found` leaves, or None where the first is
    small, stretches of frames are short, or no autoregression leaves the like.

    A fit takes more of what is slow, so residuals last less long than noise does: sought is the autoregression whose
    noise, drawn at random and fitted by the same regressors, leaves what was observed (Gourieroux, Monfort and Renault
    1993).
    """
    rows, spline = found.rows, found.refined.spline
    stretches = rows.stretches
    order = min(_ORDER, len(rows) // (_PER_LAG * len(starts_of(stretches))))
    if order < _LEAST_ORDER:
        return None
    observed = _correlated(_residual(found), stretches, order)
    if observed[0] < LASTS:
        return None
    rng = np.random.Generator(np.random.PCG64([seed, 17]))
    problem = Problem(rows.u, rows.slope, spline, None, rows.block, None)
    sent = problem.normalised(found.refined.psi)[1]
    asked = spread_over(problem.n, FITTED)
    spans = [scipy.linalg.orth(np.c_[sent, problem.design(int(i))], 1e-6) for i in asked]
    drawn = rng.standard_normal((len(rows), _DRAWN * len(asked)))
    partial = sought = levinson(observed, longest=_LONGEST).partial
    for _ in range(_MATCHED):
        if not np.prod(1 - partial**2) > _FORETOLD:
            return None
        noise = Noise(levinson(partial=partial).autocorrelations, stretches).coloured(drawn)
        parts = np.split(noise, len(asked), axis=1)
        left = np.concatenate([part - Q @ (Q.T @ part) for Q, part in zip(spans, parts)], axis=1)
        shown = levinson(_correlated(left, stretches, order), longest=_LONGEST).partial
        partial = np.tanh(np.arctanh(partial) + np.arctanh(sought) - np.arctanh(shown))
        if not np.abs(partial).max() < _LONGEST:
            return None
    return levinson(partial=partial).autocorrelations


def _correlated(residual: np.ndarray, stretches: np.ndarray, lags: int) -> np.ndarray:
    """The autocorrelations of residuals (rows, m) at the first few lags, pooled."""
    scaled = standardised(residual)[0]
    found = []
    for lag in range(1, lags + 1):
        pairs = stretches[lag:] == stretches[:-lag]
        before, after = scaled[:-lag][pairs], scaled[lag:][pairs]
        found.append(float(2 * np.sum(before * after) / max(np.sum(before**2) + np.sum(after**2), 1e-300)))
    return np.array(found)


def _unstuck(found: Recovered, flow: Recovered, run: Callable[..., Refined]) -> Recovered:
    """`found`, or the same from where `flow` ended, if that leaves less: where the search for psi got stuck without a
    correction and got free with one, what they leave does not tell which of them is right."""
    if flow.share >= found.share:
        return found
    other = replace(found, refined=run(found.rows, _psi(flow), found.windows, _HERE))
    return min(found, other, key=lambda each: each.share)


def _ended(last: Recovered, run: Callable[..., Refined], windows: np.ndarray | None) -> Recovered:
    """`last` with uncertainty, in the form of `windows`; a search for psi that ends far from it begins where it is."""
    found = replace(last, refined=run(last.rows, _psi(last), windows), windows=windows)
    if (windows is None) != (last.windows is None) or found.share <= _STUCK * last.share:
        return found
    return replace(found, refined=run(last.rows, _psi(last), windows, _HERE))


def _turning(found: Recovered) -> bool:
    """Whether what `found` leaves of the slopes mostly turns back from frame to frame, as noise of the state does."""
    left = _residual(found)
    left = (left - left.mean(0)) / np.maximum(left.std(0), 1e-300)
    pairs = np.diff(found.rows.block) == 0
    return bool(pairs.any()) and float(np.mean((left[1:] * left[:-1])[pairs])) < _TURNING


def _likelier(found: Recovered, other: Recovered) -> float:
    """The logarithm of the likelihood of `found` over that of `other`, fewer frames counting where they correlate.

    It is in units of how far chance alone sets two models apart that fit as well, the root of their free numbers.
    """
    inflation = np.nanmean(other.refined.inflation) if np.isfinite(other.refined.inflation).any() else 1.0
    count = found.rows.slope.size / max(float(inflation), 1.0)
    free = found.refined.W.size + found.refined.phi.size
    return 0.5 * count * math.log(max(other.share, 1e-300) / max(found.share, 1e-300)) / math.sqrt(free)


def _doubt(found: Recovered, tried: list[Recovered]) -> np.ndarray:
    """The variance of W over `tried`, what was taken for the way from frame to frame, by how likely each is."""
    first = tried[0]
    gains = np.array([_likelier(each, first) for each in tried])
    weights = np.exp(gains - gains.max())
    weights /= weights.sum()
    return sum(weight * (each.refined.W - found.refined.W) ** 2 for weight, each in zip(weights, tried))


def _refutes(integral: Refined, other: Refined) -> bool:
    """Whether the integral form gives a wiring so different that noise of the state must have made most of `other`.

    In differences that noise is on both sides of the equation: it decays within a frame, as if neurons that are much
    alike held each other. Both forms are consistent without it, so their gap tests for it (Hausman 1978).
    """
    gap = float(np.sum((integral.W - other.W) ** 2))
    expected = float(np.sum(integral.standard_errors**2 + other.standard_errors**2))
    return gap > _SURELY * expected and gap > 0.5 * float(np.sum(other.W**2))


def _substeps_between(found: Recovered, flow: Recovered) -> tuple[int, float]:
    """How many Euler steps in a frame would leave least, if what they leave changes linearly with their size, and the
    share of the variance that the best size would leave."""
    first, second = _residual(found), _residual(flow)
    gap = first - second
    along = float(np.sum(first * gap) / max(float(np.sum(gap**2)), 1e-300))
    size = (1 - along) / found.substeps
    left = float(np.sum((first - along * gap) ** 2) / max(float(np.sum(first**2)), 1e-300))
    return round(1 / min(max(size, 1e-3), 1.0)), left * found.share


def _calibrated(
    found: Recovered, compared: Recovered, allowed: np.ndarray | None, delta_t: float, seed: int
) -> Recovered:
    """`found` with the wiring of both halves of the blocks of `compared`, the same on other rows or itself, and errors
    no smaller than the halves' difference shows.

    What a model leaves is not always noise: where the halves differ more than standard errors allow, the errors of a
    receiver grow by the factor that they show (Birge 1932). What an exact fit leaves of slopes is rounding; but sums
    along windows have a large variance, of which what is left is a small share whatever it is, and what corrections
    leave between frames is no rounding.
    """
    rows, errors, whole = found.rows, found.refined.standard_errors, compared.rows
    first, second = whole.halves
    parts = whole.only(first), whole.only(second)
    if min(map(len, parts)) < 2:
        return found
    exact = found.share <= EXACT and found.windows is None and found.substeps == 1
    asked = spread_over(len(errors), _MOST_COMPARED)
    halves, spreads = [], []
    for part in (*parts, *(() if exact else (rows,))):
        problem = found.problem(part, allowed)
        problem.smooth = found.refined.smooth * len(part) / len(rows)
        solved = solve_rows(problem, problem.normalised(found.refined.psi)[1], found.refined.ratio, asked)
        solved.W[np.arange(len(asked)), asked] = 0
        halves.append(np.full((len(errors), len(errors)), np.nan))
        halves[-1][asked] = solved.W
        spreads.append(np.empty(0) if exact else variances(problem, solved))
    if not exact:
        expected = errors[asked] ** 2 * (spreads[0] + spreads[1]) / np.where(spreads[2] > 0, spreads[2], 1.0)
        usable = expected > 0
        gap = (halves[0] - halves[1])[asked] ** 2
        ratio = np.where(usable, gap / np.where(usable, expected, 1.0), np.nan)
        factor = np.ones(len(errors))
        if usable.any(1).all():
            # The median of a squared standard normal number is 0.455.
            shown = shrunk(np.nanmedian(ratio, axis=1) / 0.455, _OF_MEDIANS / usable.sum(1).mean())
            factor[:] = np.sqrt(np.median(shown))
            factor[asked] = np.sqrt(shown)
        errors = errors * np.maximum(factor, 1.0)[:, None]
    if found.raw is not None:
        grown = np.full(len(errors), 1.0)
        grown[asked] = _unsettled(found, allowed, delta_t, asked, errors[asked])
        errors = errors * np.where(np.isin(np.arange(len(errors)), asked), grown, np.median(grown[asked]))[:, None]
    errors = errors * math.sqrt(_repetition(found))
    if found.substeps != 1 and found.share > EXACT and (shared := _shared(found, seed)) > _NO_NOISE:
        # What most neurons share is no noise: weights are known no better than the slopes are.
        size = _KNOWN * np.sqrt(np.mean(found.refined.W**2) * found.share * shared)
        errors = np.where(errors > 0, np.hypot(errors, size), 0.0)
    if found.doubt is not None:
        errors = np.where(errors > 0, np.sqrt(errors**2 + found.doubt), 0.0)
    apart = 0.0
    if found.share > _ALIKE:
        differences = _differences_of_senders(found)
        apart = math.sqrt(float(np.mean(differences)))
        errors = np.where(errors > 0, np.sqrt(errors**2 + found.refined.W**2 * differences), 0.0)
    refined = replace(found.refined, standard_errors=errors)
    told = _told(found, parts) if len(errors) <= MANY and found.share < _NEAR else None
    return replace(found, refined=refined, halves=(halves[0], halves[1]), told=told, apart=apart)


def _unsettled(
    found: Recovered, allowed: np.ndarray | None, delta_t: float, asked: np.ndarray, errors: np.ndarray
) -> np.ndarray:
    """How many times as large the `errors` (asked, N) of receivers are since corrections have not settled, (asked,).

    Fitted to slopes with the corrections that the model makes itself, psi given, the weights are others.
    """
    rows, raw = found.rows, found.observed
    wirings = []
    for slope in (rows.slope, raw - _defect(found, delta_t, found.substeps)):
        problem = found.problem(replace(rows, slope=slope), allowed)
        problem.smooth = found.refined.smooth
        wirings.append(solve_rows(problem, problem.normalised(found.refined.psi)[1], found.refined.ratio, asked).W)
    usable = errors > 0
    moved = np.where(usable, (wirings[1] - wirings[0]) ** 2, 0.0).sum(1)
    return np.sqrt(1 + moved / np.maximum((np.where(usable, errors, 0.0) ** 2).sum(1), 1e-300))


def _differences_of_senders(found: Recovered) -> np.ndarray:
    """How far the functions that senders have of their own are from psi, as a share of its mean square, (N,); 0 for all
    where chance may have made the differences.

    To first order a function of a sender's own that is steeper or lies elsewhere adds u psi'(u) and psi'(u) to what it
    sends, to all receivers alike. The part of it that is like psi is in the sender's weights.
    """
    rows, refined = found.rows, found.refined
    spline, n = refined.spline, rows.u.shape[1]
    problem = found.problem(rows, None)
    psi = refined.psi - spline.values(refined.psi, spline.origin)[0]
    step = _STEP * (spline.breaks[-1] - spline.breaks[0])
    state = spline.within(rows.u)
    ahead, behind = spline.within(state + step), spline.within(state - step)
    rising = (spline.values(psi, ahead) - spline.values(psi, behind)) / (ahead - behind)
    ways = [rising * (state - centre_of(rows.u)), rising]
    senders = problem.senders_of(problem.summed(spline.values(psi, state)), np.arange(1), refined.ratio)[0]
    residual = problem.summed(_residual(found))
    size = np.sqrt(np.mean(residual**2, axis=0))
    weights = refined.W / size[:, None]
    left = [senders.rest(way, senders.U.T @ way) for way in map(problem.summed, ways)]
    alike = weights.T @ weights
    gram = np.block([[alike * (a.T @ b) for b in left] for a in left])
    slope = np.concatenate([np.einsum("ij,ij->j", weights, (residual / size).T @ way) for way in left])
    gram[np.diag_indices_from(gram)] += 1e-9 * np.trace(gram) / len(gram) + 1e-300
    spread = np.linalg.inv(gram)
    inflation = np.nanmean(refined.inflation) if np.isfinite(refined.inflation).any() else 1.0
    found_ways = (spread @ slope).reshape(2, n)
    moments = np.array([[np.mean(a * b, axis=0) for b in ways] for a in ways])
    power = np.maximum(np.mean(spline.values(psi, state) ** 2, axis=0), 1e-300)
    seen = np.einsum("aj,abj,bj->j", found_ways, moments, found_ways) / power
    chances = spread.reshape(2, n, 2, n)[:, np.arange(n), :, np.arange(n)]
    chance = float(inflation) * np.einsum("jab,abj->j", chances, moments) / power
    return np.maximum(seen - chance, 0.0) if seen.sum() > _BEYOND_CHANCE * chance.sum() else np.zeros(n)


def _repetition(found: Recovered) -> float:
    """How many times larger variances of W are since trajectories leave the same at the same frame (Moulton 1986).

    Trajectories that begin close to each other show the same states, and what a model leaves of these, as a scheme
    does, is no chance of each.
    """
    rows = found.rows
    sent = found.refined.spline.values(found.refined.psi, found.refined.spline.within(rows.u))
    alike = [_alike(summed(values, found.windows), rows.frame) for values in (_residual(found), sent)]
    others = len(rows) / len(np.unique(rows.frame)) - 1
    return 1 + others * max(alike[0], 0.0) * max(alike[1], 0.0)


def _alike(values: np.ndarray, group: np.ndarray) -> float:
    """The intraclass correlation of `values` (rows, m) in groups of rows, in the mean over columns."""
    size = values.std(0)
    scaled = (values - values.mean(0))[:, size > 0] / size[size > 0]
    if not scaled.size:
        return 0.0
    numbers = np.unique(group, return_inverse=True)[1]
    order = np.argsort(numbers, kind="stable")
    sums = np.add.reduceat(scaled[order], starts_of(numbers[order]), axis=0)
    counts = np.bincount(numbers)
    pairs = float((counts * (counts - 1)).sum())
    return float(np.mean((sums**2).sum(0) - (scaled**2).sum(0))) / pairs if pairs else 0.0


def _told(found: Recovered, parts: tuple[Rows, Rows]) -> np.ndarray | None:
    """The senders (N,) whose weights are known from each of both `parts` of the rows, or None where those are less than
    half of all.

    A sender that is saturated throughout a part says the same as a constant there. Known are weights whose variance,
    given psi and beside constants, is less than `_TOLD` of what weights are in the mean square.
    """
    refined = found.refined
    inflation = float(np.nanmean(refined.inflation)) if np.isfinite(refined.inflation).any() else 1.0
    noise = float(np.mean(refined.noise**2)) * max(inflation, 1.0)
    told = np.ones(len(refined.W), bool)
    for rows in parts:
        windows = None if found.windows is None else rows.block
        sent = Problem(rows.u, rows.slope, refined.spline, None, rows.block, windows).normalised(refined.psi)[1]
        values, vectors = np.linalg.eigh(np.cov(sent.T))
        spread = (vectors**2 / np.maximum(values, 1e-14 * values[-1])).sum(1)
        told &= noise * spread / len(rows) < _TOLD * float(np.mean(refined.W**2))
    return told if told.mean() >= 0.5 else None


def _refits(
    found: Recovered, run: Callable[..., Refined], seed: int
) -> tuple[tuple[np.ndarray, np.ndarray] | None, Recovered | None]:
    """The wiring that each half of the blocks of `found` gives when psi starts as a sigmoid drawn at random, or a bell,
    or at last as a straight line.

    Nothing of the fit itself enters but the form of the slopes, so a wiring that depends on where the search started,
    or on which frames it saw, comes out differently. A start that leaves much more than the fit does is stuck, which
    tells nothing, and another is drawn. Of many neurons, where a refinement takes long, the first half is fitted anew
    and set beside what the fit's own psi gives on the second. Since a bell neither rises nor falls, the sign of each is
    the one with which its psi is like that of the fit. Also returns the refit that leaves least.
    """
    rows = found.rows
    sample = rows.u[:: max(1, len(rows) // 500)]
    own = found.refined.spline.values(found.refined.psi, sample)
    wirings: list[np.ndarray] = []
    chosen: list[Recovered] = []
    most = _STUCK * max(found.share, EXACT)
    effort = _HALVED if rows.u.shape[1] <= MANY else replace(_HALVED, rows=_MOST_COMPARED)
    for half, mine in enumerate(rows.halves):
        part, raw = found.only(mine)
        if len(part) < 2:
            return None, None
        rng = np.random.Generator(np.random.PCG64([seed, 13, half]))
        windows = None if found.windows is None else part.block
        tried: list[Recovered] = []
        while not tried or (len(tried) < _MOST_STARTS and min(each.share for each in tried) > most):
            steep, shift = rng.uniform(1.0, 4.0), 0.3 * rng.standard_normal()
            start = _bell(rows, steep / 2, shift) if len(tried) % 2 else _sigmoid(rows, steep, shift)
            if len(tried) == _MOST_STARTS - 1:
                start = _scaled(rows)
            again = run(part, start, windows, effort)
            tried.append(Recovered(again, part, windows, raw=raw))
        chosen.append(min(tried, key=lambda each: each.share))
        refined = chosen[-1].refined
        seen = refined.spline.values(refined.psi, refined.spline.within(sample))
        alike = float(np.sum((seen - seen.mean()) * (own - own.mean()))) >= 0
        wirings.append(refined.W if alike else -refined.W)
        if rows.u.shape[1] > MANY and found.halves is not None:
            wirings.append(found.halves[1])
            break
    return (wirings[0], wirings[1]), min(chosen, key=lambda each: each.share)


def again(slope: np.ndarray, found: Recovered) -> Refined:
    """A few more steps of refinement from where `found` stands, with other slopes (rows, N), without uncertainty."""
    rows = found.rows
    return refine(
        rows.u,
        slope,
        _psi(found),
        clusters=rows.block,
        effort=AGAIN,
    )


def common_inputs(residual: np.ndarray, seed: int = 0, shifts: int = 9) -> np.ndarray:
    """How neurons load (N, r) on factors that their residuals (rows, N) share, in units of the residuals.

    Factors are principal components of the standardised residuals beyond the largest eigenvalue of `shifts` data sets
    in which every neuron's residual is moved in time on its own (parallel analysis, Horn 1965); at most a quarter of
    the neurons.
    """
    from scipy.sparse.linalg import eigsh

    rng = np.random.Generator(np.random.PCG64([seed, 9]))
    frames, n = residual.shape
    scaled, size = standardised(residual)
    values, vectors = np.linalg.eigh(scaled.T @ scaled / frames)
    null = 0.0
    for _ in range(shifts if n <= MANY else 1):
        moved = np.stack([np.roll(scaled[:, k], int(rng.integers(frames // 10, frames))) for k in range(n)], 1)
        alike = moved.T @ moved / frames
        if n <= MANY:
            null = max(null, float(np.linalg.eigvalsh(alike)[-1]))
        else:
            null = float(eigsh(alike, 1, v0=np.ones(n), tol=1e-4, return_eigenvectors=False)[0])
    count = min(int((values > 1.2 * null).sum()), n // 4)
    return (vectors[:, ::-1][:, :count] * np.sqrt(values[::-1][:count])) * size[:, None]


def _sigmoid(rows: Rows, steep: float, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    points, scaled = _scaled(rows)
    return points, np.tanh(steep * (scaled - shift))


def _bell(rows: Rows, steep: float, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    points, scaled = _scaled(rows)
    return points, np.exp(-((steep * (scaled - shift)) ** 2))


def _scaled(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Points over the range of the states, and the same in standard deviations from the centre of them."""
    points = np.linspace(rows.u.min(), rows.u.max(), 4001)
    return points, (points - centre_of(rows.u)) / (float(rows.u.std()) or 1.0)


def _psi(found: Recovered) -> tuple[np.ndarray, np.ndarray]:
    points = np.linspace(found.rows.u.min(), found.rows.u.max(), 4001)
    return points, found.refined.spline.values(found.refined.psi, points)


def _residual(found: Recovered) -> np.ndarray:
    return found.rows.slope - derivative_of(found.refined)(found.rows.u)


def _corrected(found: Recovered, run: Callable[..., Refined], delta_t: float, substeps: int) -> Recovered:
    """`found` again, with slopes corrected for what its own model does within a frame, until that settles.

    Frames that are far apart do not see a wiggle of a function over which a neuron passes in less than a frame, so one
    that a model brings along from rough corrections stays. Functions are made of few splines at first, which cannot
    wiggle, and of more while these leave less.
    """
    direct = _settled(found, run, delta_t, substeps, AGAIN, _EACH)
    best, least = found, math.inf
    for splines in _RUNGS:
        best, power = _settled(best, run, delta_t, substeps, replace(AGAIN, splines=splines), _EACH)
        if power > _FEWER * least or not math.isfinite(power):
            break
        least = power
    climbed = _settled(best, run, delta_t, substeps, AGAIN, _EACH)
    best, power = min(direct, climbed, key=lambda each: each[1])
    return _settled(best, run, delta_t, substeps, AGAIN, _ROUNDS)[0] if math.isfinite(power) else found


def _settled(
    found: Recovered, run: Callable[..., Refined], delta_t: float, substeps: int, effort: Effort, most: int
) -> tuple[Recovered, float]:
    """The best of at most so many rounds of correction, and the mean square that it leaves.

    What the model of one round does in a frame is the correction of the next, mixed with those before it so that it
    settles where frames are far apart, too (Anderson 1965).
    """
    rows, raw = found.rows, found.observed
    size = float(np.sqrt(np.mean(raw**2))) or 1.0
    best, least, without = None, math.inf, 0
    used: list[np.ndarray] = []
    made: list[np.ndarray] = []
    defect = _defect(found, delta_t, substeps)
    for _ in range(most):
        if not np.isfinite(defect).all():
            break
        changed = replace(rows, slope=raw - defect)
        found = Recovered(
            run(changed, _psi(found), found.windows, effort),
            changed,
            found.windows,
            substeps,
            raw=raw,
        )
        shown = _defect(found, delta_t, substeps)
        if not np.isfinite(shown).all():
            break
        residual = _residual(found)
        power = float(np.mean(summed(residual + defect - shown, found.windows) ** 2))
        fitted = float(np.mean(summed(residual, found.windows) ** 2))
        without = without + 1 if power > 0.99 * least else 0
        if power < least:
            best, least = replace(found, unsettled=max(1.0, power / max(fitted, 1e-300))), power
        if without == _PATIENCE or float(np.sqrt(np.mean((shown - defect) ** 2))) < _CLOSE * size:
            break
        used, made = [*used[-_MIXED:], defect], [*made[-_MIXED:], shown]
        defect = _mixed(used, made)
    return best or found, least


def _mixed(used: list[np.ndarray], made: list[np.ndarray]) -> np.ndarray:
    """The next point of a fixed-point iteration that went through `used` and gave `made` (Anderson 1965)."""
    gaps = [there - here for here, there in zip(used, made)]
    if len(gaps) == 1:
        return made[0]
    steps = [later - earlier for earlier, later in pairwise(gaps)]
    gram = np.array([[np.vdot(a, b) for b in steps] for a in steps])
    gram[np.diag_indices_from(gram)] *= 1 + 1e-10
    weights = np.linalg.lstsq(gram, np.array([np.vdot(a, gaps[-1]) for a in steps]))[0]
    return made[-1] - sum(weight * (later - earlier) for weight, (earlier, later) in zip(weights, pairwise(made)))


def _defect(found: Recovered, delta_t: float, substeps: int) -> np.ndarray:
    derivative = derivative_of(found.refined)
    u = found.rows.u
    return (step(derivative, u, delta_t, substeps) - u) / delta_t - derivative(u)


__all__ = ["MANY", "Recovered", "again", "common_inputs", "derivative_of", "recover", "step"]
