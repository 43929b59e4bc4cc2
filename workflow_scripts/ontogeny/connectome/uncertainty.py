"""Standard errors of recovered weights: functions are marginalised, and residuals may last from frame to frame."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.optimize
import scipy.special

from ontogeny.connectome.noise import autocorrelation, shrunk, standardised, tapered
from ontogeny.connectome.problem import Own, Problem, Solved, spread_over
from ontogeny.connectome.senders import Senders

_AT_ONCE = 8
"""Receivers whose errors are worked out at once."""

_APART = 0.1
"""The least singular value of the weights that make up a neuron's own function at which they are taken to do so."""

_LEAST_SHAPE, _LEAST_INFLATION = 0.2, 0.1
"""Where what is left is rounding: in differences it turns back in the next frame, and hardly moves slow senders. How
much it does is told by its autocorrelation, which all receivers show; the few blocks of one may show less by chance."""

LASTS, _ALIKE = 0.3, 0.1
"""The autocorrelation of residuals from frame to frame from which that of the noise is sought behind them, and how far
what it shows may be off, in the root mean square."""

FITTED, _DRAWN, _TRIED = 4, 8, 40
"""Receivers whose regressors are taken, series of noise drawn for each, and how many shapes of noise are tried."""

_MOST_RECEIVERS = 400
_STAND_FOR, _STAND_FOR_EXACT = 128, 16
"""Of more receivers than the first, or where what is left is rounding, so many have their errors computed one by one,
and stand for all by the factors that they show."""


def variances(problem: Problem, solved: Solved) -> np.ndarray:
    """The variance of the weights that were solved, given psi and with phi marginalised: (receivers, N)."""
    out = np.zeros((len(solved.receivers), problem.n))
    for k, i in enumerate(solved.receivers):
        senders = solved.senders[k]
        UB = problem.toward(solved.receivers[k : k + 1], senders.U)[0].T
        _, root = problem.own(solved.receivers[k : k + 1])[0].solved(
            UB, np.zeros(len(UB)), senders.kept, problem.spline.roughness, problem.smooth
        )
        cross = senders.solver @ (UB @ root)
        noise = solved.noise[k] ** 2 * problem.frames / solved.degrees[k]
        out[k] = problem.place(int(i), noise * (senders.spread + (cross**2).sum(1)))
    return out


def errors_of(
    problem: Problem, sent: np.ndarray, solved: Solved, psi_root: np.ndarray, exact: bool
) -> tuple[np.ndarray, np.ndarray, float]:
    """Standard errors of W (N, N) with phi and psi marginalised, the inflation by clusters (N,), and the median share
    of senders whose weights can be moved along with a receiver's own function.

    The inflation is that of the cluster jackknife (CR3, Bell and McCaffrey 2002), which moves psi as well, relative to
    what that gives for white residuals beside psi's own uncertainty, and pooled over the senders of a receiver. Noise
    that is slow matters more for slow senders, so it is shared out among them as the autocorrelation of all residuals
    demands (Newey and West 1987), and it costs more degrees of freedom. Along weights that make up a function of the
    receiver itself W is known no better than weights are alike. `psi_root` (size, clusters): how much each cluster
    moves psi's coefficients (see `Problem.clusters`).
    """
    n = problem.n
    asked = min(n, _STAND_FOR_EXACT) if exact else n if n <= _MOST_RECEIVERS else _STAND_FOR
    chosen = spread_over(n, asked)
    residual = problem.du[:, chosen] - problem.own_values(chosen, solved.phi[:, chosen]) - sent @ solved.W[chosen].T
    lags = autocorrelation(residual, problem.stretches) if problem.clustered else np.empty(0)
    if not exact and len(lags) and lags[0] > LASTS:
        lags = _behind(lags, problem, solved)
    within, beside = np.zeros((n, n)), np.zeros((n, n))
    inflation, least, grown, moved = np.full((4, n), np.nan)
    for i, found in _marginals(problem, solved, psi_root, chosen, residual, lags):
        within[i], beside[i] = problem.place(int(i), found.inner), problem.place(int(i), found.outer)
        inflation[i], least[i], grown[i], moved[i] = found.inflation, found.least, found.grown, found.moved
    if problem.clustered:
        floor = least[chosen] if exact else 1.0
        inflation[chosen] = np.maximum(shrunk(inflation[chosen], 2 / len(problem.starts)), floor)
    variances = np.where(np.isfinite(inflation), inflation, 1.0)[:, None] * within + beside
    rest_of = np.setdiff1d(np.arange(n), chosen)
    if len(rest_of):
        inflation[rest_of] = np.median(inflation[chosen])
        shape = None
        for i in rest_of:
            senders = solved.senders[i]
            noise = solved.noise[i] ** 2 * problem.frames / solved.degrees[i] * inflation[i]
            if problem.allowed is not None or shape is None:
                shape = _of_senders(senders.solver @ senders.U.T, lags, problem)[0]
            variances[i] = problem.place(int(i), noise * shape * senders.spread * np.median(grown[chosen]))
    return np.sqrt(variances), inflation, float(np.median(moved[chosen]))


def _behind(lags: np.ndarray, problem: Problem, solved: Solved) -> np.ndarray:
    """The autocorrelations, as many, of the noise whose residuals show `lags`, or these where none is found.

    A fit takes more of what is slow, so residuals last less long than their noise, and turn back where it does not.
    Sought is noise whose autocorrelation is a stretched exponential (an autoregression's, that of noise which a kernel
    smoothed, and ones between and beyond) and that, drawn at random and fitted by the same regressors, shows the same
    (Gourieroux, Monfort and Renault 1993).
    """
    pairs = [problem.stretches[lag:] == problem.stretches[:-lag] for lag in range(1, len(lags) + 1)]
    place = np.arange(problem.frames) + len(lags) * np.cumsum(np.r_[0, np.diff(problem.stretches) != 0])
    total = int(place[-1]) + 1 + len(lags)
    fits = []
    for i in spread_over(problem.n, FITTED):
        senders, B = solved.senders[i], problem.design(int(i))
        UB = problem.toward(np.array([i]), senders.U)[0].T
        splines = Own(B.T @ B, np.zeros(B.shape[1]))
        _, root = splines.solved(UB, np.zeros(len(UB)), senders.kept, problem.spline.roughness, problem.smooth)
        fits.append((senders, senders.rest(B, UB) @ root))
    rng = np.random.Generator(np.random.PCG64(19))
    drawn = np.fft.rfft(rng.standard_normal((total, _DRAWN * len(fits))), axis=0)
    taper, count = tapered(len(lags)), np.arange(1, len(lags) + 1)

    def noise_of(shape: np.ndarray) -> np.ndarray:
        return taper * np.exp(-((count / np.exp(shape[0])) ** (2 * scipy.special.expit(shape[1]))))

    def gap(shape: np.ndarray) -> float:
        """The mean square by which what noise of the `shape` shows is off."""
        sought = noise_of(shape)
        power = np.fft.rfft(np.r_[1.0, sought, np.zeros(total - 2 * len(lags) - 1), sought[::-1]]).real
        noise = np.fft.irfft(np.sqrt(np.maximum(power, 0.0))[:, None] * drawn, total, axis=0)[place]
        parts = zip(fits, np.split(noise, len(fits), axis=1))
        left = [of.rest(part, of.U.T @ part) - own @ (own.T @ part) for (of, own), part in parts]
        scaled = standardised(np.concatenate(left, axis=1))[0]
        shown = [float(np.mean((scaled[lag:] * scaled[:-lag])[both])) for lag, both in enumerate(pairs, start=1)]
        return float(np.mean((taper * np.array(shown) - lags) ** 2))

    first = np.array([math.log(max(float(np.maximum(lags, 0.0).sum()), 1.0)), 0.0])
    simplex = first + np.array([[0.0, 0.0], [0.5, 0.0], [0.0, 1.5]])
    best = scipy.optimize.minimize(
        gap, first, method="Nelder-Mead", options={"maxfev": _TRIED, "initial_simplex": simplex}
    )
    return noise_of(best.x) if best.fun < _ALIKE**2 else lags


class _Jackknife:
    """Residuals of each cluster under the fit that leaves it out, (I - H_gg)^-1 e_g, with the senders' part shared.

    `influence` (senders, frames): what a change of a residual does to the weights, the own part apart.
    """

    def __init__(self, senders: Senders, influence: np.ndarray, starts: np.ndarray) -> None:
        ends = np.r_[starts[1:], len(senders.U)]
        self.influence = influence
        self.blocks = [slice(int(a), int(b)) for a, b in zip(starts, ends)]
        self.inverses, self.turned, self.white = [], [], np.zeros(len(influence))
        for block in self.blocks:
            U = senders.U[block]
            leverage = (U * senders.kept) @ U.T
            leverage[np.diag_indices_from(leverage)] -= 1 + 1e-9
            inverse = np.linalg.inv(-leverage)
            self.inverses.append(inverse)
            self.turned.append(inverse @ influence[:, block].T)
            self.white += np.einsum("jt,tj->j", influence[:, block], self.turned[-1])

    def inflation(
        self,
        own: np.ndarray,
        cross: np.ndarray,
        rest: np.ndarray,
        noise: float,
        swayed: np.ndarray,
        others: np.ndarray,
    ) -> float:
        """How many times larger the variance of the weights is than for white residuals of variance `noise` beside
        what psi adds, in the mean over the `others` (senders,) bool.

        `own` (frames, r): the receiver's own directions beside its senders, which act on the weights by `cross`
        (senders, r); `rest` (frames,): its residuals; `swayed` (senders, clusters): how much each cluster moves the
        weights by moving psi.
        """
        seen, white = np.zeros(len(cross)), self.white.copy()
        for block, inverse, turned, by_psi in zip(self.blocks, self.inverses, self.turned, swayed.T):
            Z, e = own[block], rest[block]
            KZ, Ke = inverse @ Z, inverse @ e
            within = Z.T @ KZ
            core = np.linalg.pinv((1 + 1e-9) * np.eye(len(within)) - within, rcond=1e-10, hermitian=True)
            moved = Ke + KZ @ (core @ (Z.T @ Ke))
            seen += (self.influence[:, block] @ moved - cross @ (Z.T @ moved) - by_psi) ** 2
            across = Z.T @ turned
            left = across.T - cross @ within
            white += (left @ core * left).sum(1) + (cross @ within * cross).sum(1) - 2 * (cross.T * across).sum(0)
        expected = noise * white + (swayed**2).sum(1)
        return float(np.mean(seen[others] / np.maximum(expected[others], 1e-300)))


def _of_senders(influence: np.ndarray, lags: np.ndarray, problem: Problem) -> tuple[np.ndarray, float]:
    """How much more than in the mean correlated noise matters for each sender, from its `influence` (senders, frames),
    and how much it matters in the mean, as a share of what white noise does, at most 1.

    The mean is within clusters, where the jackknife sees it; noise goes on across them.
    """
    if not lags.any():
        return np.ones(len(influence)), 1.0
    alone = np.einsum("jt,jt->j", influence, influence)
    whole, within = alone.copy(), alone.copy()
    clusters = np.searchsorted(problem.starts, np.arange(problem.frames), side="right")
    for lag, share in enumerate(lags, start=1):
        both = influence[:, lag:] * influence[:, :-lag]
        whole += 2 * share * (both @ (problem.stretches[lag:] == problem.stretches[:-lag]))
        within += 2 * share * (both @ (clusters[lag:] == clusters[:-lag]))
    mean = float(within.sum() / alone.sum())
    shape = np.maximum(whole / np.maximum(alone, 1e-300) / max(mean, _LEAST_SHAPE), _LEAST_SHAPE)
    return shape, min(max(mean, _LEAST_INFLATION), 1.0)


def _taken(directions: np.ndarray, lags: np.ndarray, problem: Problem) -> float:
    """How many degrees of freedom more a fit along orthogonal `directions` (frames, r) takes of noise with the
    autocorrelation `lags` than of white noise: the trace of its projection times the noise's correlations (Theil 1971).
    """
    taken = 0.0
    for lag, share in enumerate(lags, start=1):
        together = problem.stretches[lag:] == problem.stretches[:-lag]
        taken += 2 * share * float(np.einsum("tj,tj,t->", directions[lag:], directions[:-lag], together))
    return taken


@dataclass(frozen=True)
class _Marginal:
    """Of one receiver's weights (senders,): the variance `inner` with phi and psi marginalised, before clusters inflate
    it, and the variance `outer` that repeated functions add; the `inflation`, and the `least` that it may be where what
    is left is rounding; how many times as large as without marginalising the two are in the `grown` median; and the
    share of senders that are `moved` (see `_moved`)."""

    inner: np.ndarray
    outer: np.ndarray
    inflation: float
    least: float
    grown: float
    moved: float


def _marginals(
    problem: Problem,
    solved: Solved,
    psi_root: np.ndarray,
    chosen: np.ndarray,
    residual: np.ndarray,
    lags: np.ndarray,
) -> Iterator[tuple[int, _Marginal]]:
    """Each of the `chosen` receivers, and what `_marginal` finds of it."""
    usual = float(np.mean(solved.W[~np.eye(problem.n, dtype=bool)] ** 2))
    influence, jackknife, shape, least, taken = None, None, np.ones(problem.n), 1.0, 0.0
    for first in range(0, len(chosen), _AT_ONCE):
        part = chosen[first : first + _AT_ONCE]
        weights = solved.W[part].copy()
        weights[np.arange(len(part)), part] = 0
        messages = problem.messages(weights)
        shared = problem.toward(part, solved.senders[0].U) if problem.allowed is None else None
        for k, i in enumerate(part):
            senders = solved.senders[i]
            if problem.allowed is not None or influence is None:
                influence = senders.solver @ senders.U.T
                jackknife = _Jackknife(senders, influence, problem.starts) if problem.clustered else None
                shape, least = _of_senders(influence, lags, problem)
                taken = _taken(senders.U * np.sqrt(senders.kept), lags, problem)
            UB = (problem.toward(part[k : k + 1], senders.U)[0] if shared is None else shared[k]).T
            sway = messages[:, k] @ psi_root
            rest = residual[:, first + k]
            yield i, _marginal(problem, solved, i, UB, sway, rest, jackknife, (shape, least), usual, lags, taken)


def _marginal(
    problem: Problem,
    solved: Solved,
    receiver: int,
    UB: np.ndarray,
    sway: np.ndarray,
    rest: np.ndarray,
    jackknife: _Jackknife | None,
    shaped: tuple[np.ndarray, float],
    usual: float,
    lags: np.ndarray,
    taken: float,
) -> _Marginal:
    """See `_Marginal`; `UB`: the receiver's own splines on its senders; `sway` (frames, clusters): how much each
    cluster moves its messages by moving psi; `rest` (frames,): its residuals; `shaped`: see `_of_senders`; `usual`: the
    mean square of a weight; `taken`: what its senders take of the noise beyond their number (see `_taken`), by which at
    most half of the degrees of freedom are lost."""
    senders, B, y = solved.senders[receiver], problem.design(receiver), problem.du[:, receiver]
    shape, least = shaped
    splines = Own(B.T @ B, B.T @ y)
    _, root = splines.solved(UB, senders.U.T @ y, senders.kept, problem.spline.roughness, problem.smooth)
    own = senders.rest(B, UB) @ root
    cross = senders.solver @ (UB @ root)
    degrees = solved.degrees[receiver]
    degrees -= min(max(taken + _taken(own, lags, problem), 0.0), degrees / 2)
    noise = solved.noise[receiver] ** 2 * problem.frames / solved.degrees[receiver]
    others = np.arange(problem.n) != receiver if problem.allowed is None else np.ones(len(cross), bool)
    swayed = senders.solver @ (senders.U.T @ sway) - cross @ (own.T @ sway)
    inflation = 1.0 if jackknife is None else jackknife.inflation(own, cross, rest, noise, swayed, others)
    inner = noise * shape * (senders.spread + (cross**2).sum(1)) * solved.degrees[receiver] / degrees
    inner += (swayed**2).sum(1)
    alike = senders.solver @ (UB @ splines.repeated(UB, senders.kept))
    alike /= np.maximum(np.linalg.norm(alike, axis=0), 1e-300)
    outer = usual * (alike**2).sum(1)
    grown = float(np.median((inner + outer) / np.maximum(noise * shape * senders.spread, 1e-300)))
    return _Marginal(inner, outer, inflation, least, grown, _moved(alike[others]))


def _moved(alike: np.ndarray) -> float:
    """How many senders the weights `alike` (senders, m) that make up a receiver's own function involve, as a share.

    One that is always saturated makes up a constant alone; where states have a sum that never changes, all do together.
    """
    left, size, _ = np.linalg.svd(alike, full_matrices=False)
    part = (left[:, size > _APART] ** 2).sum(1)
    return float(part.sum() ** 2 / max(float(part @ part), 1e-300)) / max(len(part), 1)
