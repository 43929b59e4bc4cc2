"""Gauss-Newton refinement of a recovered connectome, in float64.

The model du_i/dt = phi_i(u_i) + sum_j W_ij psi(u_j) is linear in W and phi_i once psi is known. psi is a spline with a
few dozen coefficients, so W and all phi_i are eliminated exactly (variable projection, Golub & Pereyra 1973, with
Kaufman's Jacobian) and Gauss-Newton runs on psi alone, on a few receiving neurons: psi is the same for all. A last
linear solve gives every row of W. On noise-free activity it converges quadratically to the noise floor of the data.

The rows, and the bends of the neurons' own functions, have Gaussian priors whose variances are estimated together with
that of the noise (MacKay 1992), which keeps what the activity does not visit from blowing up; their effect vanishes
where the data decide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg

from ontogeny.connectome.noise import Noise
from ontogeny.connectome.problem import SMOOTH_FIRST, TOGETHER, Own, Problem, Solved, rows_for, spread_over
from ontogeny.connectome.senders import SAME, Senders
from ontogeny.connectome.splines import Spline, centre_of
from ontogeny.connectome.uncertainty import errors_of

EXACT = 1e-8
"""Share of the variance below which what is left counts as rounding."""

_RESOLUTION, _SETTLED = 1e-7, 1e-3

_LEAST_LEFT = 0.1
"""The least that all other clusters are taken to know of a direction of psi, as a share of what all know."""

_COARSE, _FEW, _FEWEST, _PER_UNKNOWN, _STEPS = 12, 8, 1000, 2, 25
"""The first steps: splines, receivers, frames (at least, and per weight), and how many steps there may be."""


@dataclass(frozen=True)
class Refined:
    """W (N, N) with zero diagonal and its standard errors; psi (size,) and phi (size, N) as coefficients of `spline`.

    `residuals` holds the relative root mean square residual at every step, `noise` the final one of each neuron,
    `inflation` (N,) how many times larger the variance of W is than with residuals that are white in time, `ratio` and
    `smooth` the variance of the noise over that of the prior of W and over that of the prior of the functions' bends,
    `moved` the share of senders whose weights can be moved along with a receiver's own function. Receivers that were
    not solved (see `Effort`) have NaN in W, phi and `noise`.
    """

    W: np.ndarray
    standard_errors: np.ndarray
    psi: np.ndarray
    phi: np.ndarray
    spline: Spline
    residuals: list[float]
    noise: np.ndarray
    inflation: np.ndarray
    ratio: float
    smooth: float
    moved: float = 0.0


@dataclass
class _Projection:
    """What is left of the chosen receivers once their own functions and their senders are eliminated.

    `parts`: of each, its own splines, their projection on its senders, and the root that `Own.solved` gives.
    """

    senders: list[Senders]
    parts: list[tuple[Own, np.ndarray, np.ndarray]]
    rows: np.ndarray
    error: float
    residual: np.ndarray
    ratio: float


def _project(
    problem: Problem, chosen: np.ndarray, own: list[Own], sent: np.ndarray, ratio: float, total: float
) -> _Projection:
    y = problem.du[:, chosen]
    senders: list[Senders] = []
    size = problem.spline.size
    for _ in range(3):
        if not senders or not senders[0].holds:
            senders = problem.senders_of(sent, chosen, ratio)
            if problem.allowed is None:
                Uy = list((senders[0].U.T @ y).T)
                UB = [part.T for part in problem.toward(chosen, senders[0].U)]
            else:
                Uy = [of.U.T @ y[:, k] for k, of in enumerate(senders)]
                UB = [problem.toward(chosen[k : k + 1], of.U)[0].T for k, of in enumerate(senders)]
        betas, roots, rows, residual = np.empty((size, len(chosen))), [], np.empty((len(chosen), problem.n)), y.copy()
        rests = []
        for k, of in enumerate(senders):
            betas[:, k], root = own[k].solved(UB[k], Uy[k], of.kept, problem.spline.roughness, problem.smooth)
            roots.append(root)
            rests.append(Uy[k] - UB[k] @ betas[:, k])
            rows[k] = problem.place(int(chosen[k]), of.weights(rests[k][:, None])[0])
        residual -= problem.own_values(chosen, betas)
        if problem.allowed is None:
            residual -= senders[0].U @ (senders[0].kept[:, None] * np.column_stack(rests))
        else:
            residual -= np.column_stack([of.U @ (of.kept * rest) for of, rest in zip(senders, rests)])
        free = float(np.mean([of.taken for of in senders]))
        noise = float((residual**2).sum() / max(len(chosen) * (problem.free - free - size), 1))
        prior = float((rows**2).sum() / max(len(chosen) * free, 1e-12))
        bend = float(np.mean(np.einsum("kn,kl,ln->n", betas, problem.spline.roughness, betas))) / (size - 2)
        problem.smooth = min(noise / max(bend, 1e-300), SMOOTH_FIRST * problem.frames)
        update = min(noise / max(prior, 1e-300), senders[0].largest)
        done = abs(math.log(max(update, 1e-300) / max(ratio, 1e-300))) < SAME
        ratio = update
        for of in senders:
            of.shrink = ratio
        if done:
            break
    return _Projection(
        senders, list(zip(own, UB, roots)), rows, math.sqrt(float(np.mean(residual**2)) / total), residual, ratio
    )


def _curvature(
    problem: Problem, chosen: np.ndarray, found: _Projection, c: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gauss-Newton's Hessian and slope in psi's coefficients, and the directions that matter.

    Neither psi's scale nor a constant in it changes the residual: the directions leave both alone.
    """
    gram, slope = np.zeros((len(c), len(c))), np.zeros(len(c))
    for k, (J, _, cross, UJ) in enumerate(_jacobians(problem, chosen, found)):
        gram += J.T @ J - (UJ.T * found.senders[k].kept) @ UJ - cross.T @ cross
        slope += J.T @ found.residual[:, k]
    free = scipy.linalg.null_space(np.stack([c, np.ones(len(c))]))
    return free.T @ gram @ free, free.T @ slope, free


def _of_clusters(
    problem: Problem, chosen: np.ndarray, found: _Projection, free: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The slope of `_curvature` by cluster, (clusters, free), and its Hessian by cluster, (clusters, free, free)."""
    starts = problem.clusters
    slopes = np.zeros((len(starts), free.shape[1]))
    grams = np.zeros((len(starts), free.shape[1], free.shape[1]))
    ends = np.r_[starts[1:], problem.frames]
    for k, (J, root, cross, UJ) in enumerate(_jacobians(problem, chosen, found)):
        own = found.senders[k].rest(problem.design(int(chosen[k])), found.parts[k][1]) @ root
        left = (found.senders[k].rest(J, UJ) - own @ cross) @ free
        slopes += np.add.reduceat(left * found.residual[:, k, None], starts, axis=0)
        for g, (first, end) in enumerate(zip(starts, ends)):
            grams[g] += left[first:end].T @ left[first:end]
    return slopes, grams


def _jacobians(
    problem: Problem, chosen: np.ndarray, found: _Projection
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Of each chosen receiver: messages J (frames, size), the own part's root, J on that part, and J on the senders."""
    found.rows[np.arange(len(chosen)), chosen] = 0
    messages = problem.messages(found.rows)
    frames, count, size = messages.shape
    shared = None
    if problem.allowed is None:
        shared = (found.senders[0].U.T @ messages.reshape(frames, -1)).reshape(-1, count, size)
    for k, (_, UB, root) in enumerate(found.parts):
        J = np.ascontiguousarray(messages[:, k])
        UJ = found.senders[k].U.T @ J if shared is None else shared[:, k]
        BJ = problem.toward(chosen[k : k + 1], J)[0]
        yield J, root, root.T @ (BJ - (UB.T * found.senders[k].kept) @ UJ), UJ


@dataclass
class _Descent:
    """Where Gauss-Newton ended: psi's coefficients `c`, what it sends, what is left, and the errors on the way."""

    c: np.ndarray
    sent: np.ndarray
    found: _Projection
    chosen: np.ndarray
    errors: list[float]


def _descend(
    problem: Problem,
    chosen: np.ndarray,
    c: np.ndarray,
    max_steps: int,
) -> _Descent:
    """Damped Gauss-Newton steps on psi, with the `chosen` receivers, from the coefficients `c`."""
    own = problem.own(chosen)
    c, sent = problem.normalised(c)
    found = _project(problem, chosen, own, sent, 1e-8 * problem.frames, problem.total)
    errors = [found.error]
    damping = 1e-10
    for _ in range(max_steps):
        gram, slope, free = _curvature(problem, chosen, found, c)
        better, whole = False, float((found.residual**2).sum())
        for _ in range(6):
            values, vectors = np.linalg.eigh(gram + damping * np.diag(np.diag(gram)))
            good = values > 1e-12 * values[-1]
            along = vectors[:, good].T @ slope
            if float(along @ (along / values[good])) < _SETTLED * whole:
                break
            step = free @ (vectors[:, good] @ (along / values[good]))
            trial, there = problem.normalised(c + step)
            tried = _project(problem, chosen, own, there, found.ratio, problem.total)
            if tried.error < found.error:
                better = True
                break
            damping = max(damping * 100, 1e-8)
        if not better:
            break
        c, sent, previous, found = trial, there, found.error, tried
        errors.append(found.error)
        damping = max(damping / 100, 1e-12)
        if previous - found.error < _SETTLED * previous:
            break
    return _Descent(c, sent, found, chosen, errors)


def _part(starts: np.ndarray, frames: int, most: int) -> np.ndarray:
    """Whole clusters, which begin at `starts`, spread over the frames, until they hold `most` frames: their indices."""
    lengths = np.diff(np.r_[starts, frames])
    order = np.argsort((np.arange(len(starts)) * 0.6180339887) % 1, kind="stable")
    kept = np.zeros(len(starts), bool)
    kept[order[: int(np.searchsorted(np.cumsum(lengths[order]), min(most, frames))) + 1]] = True
    return np.flatnonzero(np.repeat(kept, lengths))


@dataclass(frozen=True)
class Effort:
    """How hard a refinement tries.

    `receivers` on which Gauss-Newton runs; `rounds`, in each of which those that were fitted worst so far join; at most
    `max_steps` in each; `splines` that make up a function. With `coarse` psi is first sought among few splines, which
    has fewer local minima, and then among all, with a third of the receivers and as many frames as those need; where
    that leaves more than the given psi does, the given one is the start. Without `uncertainty` standard errors are NaN,
    and it is faster. Of more than `rows` receivers, if given, only so many have their rows of W solved; the others' are
    NaN.
    """

    receivers: int = 24
    rounds: int = 4
    max_steps: int = 25
    splines: int = 48
    coarse: bool = True
    uncertainty: bool = True
    rows: int | None = None


WHOLE = Effort()

AGAIN = Effort(rounds=1, max_steps=4, coarse=False, uncertainty=False)
"""From where a refinement ended before, with slopes that are little different."""


def refine(
    u: np.ndarray,
    du: np.ndarray,
    psi: tuple[np.ndarray, np.ndarray],
    *,
    allowed: np.ndarray | None = None,
    clusters: np.ndarray | None = None,
    windows: np.ndarray | None = None,
    stretches: np.ndarray | None = None,
    seed: int = 0,
    effort: Effort = WHOLE,
    autocorrelations: np.ndarray | None = None,
) -> Refined:
    """Refine psi, W and phi on frames `u`, `du` (frames, N), starting from psi given as (points, values).

    Gauss-Newton runs on neurons drawn with `seed` (see `Effort`); frames should number several times N. Steps that
    would raise the residual are damped (Levenberg-Marquardt). It ends when a step changes the residual, or promises to
    change its square, by less than 0.1%.

    `allowed` (N, N) bool restricts W, all edges by default. Standard errors are of W with phi and psi marginalised,
    with degrees of freedom taken off, and inflated for residuals that are correlated within `clusters` (frames,), runs
    of equal numbers (Liang and Zeger 1986); each frame is one by default. `stretches` (frames,), runs of equal numbers
    without a gap in time, are the clusters by default. With `windows` (frames,), runs of equal numbers, the model is
    fitted in its integral form: both sides are summed up along each window, less its mean, which turns the noise of
    differences of a noisy state into white noise (Schaeffer and McCalla 2017). With `autocorrelations` of the noise, at
    lags from 1 on, the model is fitted to frames that are whitened within stretches (see `Noise`).
    """
    u, du = np.asarray(u, np.float64), np.asarray(du, np.float64)
    frames, n = u.shape
    rng = np.random.Generator(np.random.PCG64(seed))
    if allowed is not None:
        allowed = np.asarray(allowed, bool) & ~np.eye(n, dtype=bool)
        if allowed.sum() == n * (n - 1):
            allowed = None
    numbers = np.arange(frames) if clusters is None else clusters
    noise = None
    if autocorrelations is not None:
        noise = Noise(autocorrelations, numbers if stretches is None else stretches)
    problem = Problem(u, du, _spline_over(u, effort.splines), allowed, numbers, windows, noise)
    if stretches is not None and windows is None:
        problem.stretches = stretches
    able = np.arange(n) if allowed is None else np.flatnonzero(allowed.any(1))
    chosen = np.sort(rng.choice(able, min(effort.receivers, len(able)), replace=False))
    c = _coarse_start(problem, du, psi, chosen, windows) if effort.coarse else problem.spline.fit(*psi)
    descent, solved, errors = _in_rounds(problem, c, chosen, able, effort, rng)
    c, found = descent.c, descent.found

    errors_of_W, inflation, moved = np.full((n, n), np.nan), np.full(n, np.nan), 0.0
    if effort.uncertainty:
        gram, _, free = _curvature(problem, descent.chosen, found, c)
        psi_root = _psi_root(gram, *_of_clusters(problem, descent.chosen, found, free), problem)
        few_asked = float(np.mean(solved.noise**2)) <= EXACT * problem.total
        ways = problem.gauged(c, free @ psi_root)
        errors_of_W, inflation, moved = errors_of(problem, descent.sent, solved, ways, few_asked)
    ended = _with_shared_functions if len(solved.receivers) == n else _with_gaps
    W, phi, left = ended(problem, solved, c)
    # Data are often stored in float32: no weight is surer than this.
    errors_of_W = np.hypot(errors_of_W, _RESOLUTION * math.sqrt(float(np.nanmean(W**2))))
    if allowed is not None:
        errors_of_W[~allowed] = 0
    np.fill_diagonal(errors_of_W, 0)
    return Refined(W, errors_of_W, c, phi, problem.spline, errors, left, inflation, found.ratio, problem.smooth, moved)


def _spline_over(u: np.ndarray, size: int) -> Spline:
    """Splines over the range of the states `u` (frames, N), densest where those are."""
    reach = max(abs(u.min()), abs(u.max()), 1e-12)
    centre = centre_of(u)
    scale = math.sqrt(np.mean((u - centre) ** 2)) / 8 + 1e-12
    return Spline(u.min() - 1e-6 * reach, u.max() + 1e-6 * reach, scale, size, centre)


def _coarse_start(
    problem: Problem,
    du: np.ndarray,
    psi: tuple[np.ndarray, np.ndarray],
    chosen: np.ndarray,
    windows: np.ndarray | None,
) -> np.ndarray:
    """The coefficients of psi found among few splines and then all (see `Effort`), or those of the given one."""
    u, frames, spline = problem.u, problem.frames, problem.spline
    most = max(_FEWEST, _PER_UNKNOWN * (problem.n + spline.size))
    part = np.arange(0, frames, max(1, frames // most))
    if windows is not None:
        part = _part(problem.starts, frames, most)
    few = chosen[:: max(1, len(chosen) // _FEW)]
    start = spline.fit(*psi)
    numbers = np.searchsorted(problem.starts, part, side="right")
    of_windows = None if windows is None else windows[part]
    for smaller in (_spline_over(u, _COARSE), spline):
        less = Problem(u[part], du[part], smaller, problem.allowed, numbers, of_windows)
        less.rough = True
        points, values = psi
        descent = _descend(less, few, smaller.fit(points, values), _STEPS)
        psi = points, smaller.values(descent.c, points)
    given = _project(less, few, less.own(few), less.normalised(start)[1], 1e-8 * less.frames, less.total)
    return descent.c if descent.found.error < given.error else start


def _in_rounds(
    problem: Problem,
    c: np.ndarray,
    chosen: np.ndarray,
    able: np.ndarray,
    effort: Effort,
    rng: np.random.Generator,
) -> tuple[_Descent, Solved, list[float]]:
    """Descents from psi's coefficients `c`, with other receivers in each round; psi rises at the end.

    Returns the last descent, the rows solved with its psi (all, or `effort.rows`), and the errors on the way.
    """
    errors: list[float] = []
    asked = spread_over(problem.n, effort.rows or problem.n)
    for _ in range(effort.rounds):
        descent = _descend(problem, chosen, c, effort.max_steps)
        c, found = descent.c, descent.found
        errors += descent.errors
        if not _rises(problem.spline, c, problem.u):
            c = -c
            descent = replace(descent, c=c, sent=-descent.sent, found=replace(found, rows=-found.rows))
            for of in {id(each): each for each in found.senders}.values():
                of.turn()
        shared = found.senders[0] if problem.allowed is None else None
        solved = solve_rows(problem, descent.sent, found.ratio, asked, shared)
        # psi far out is seen only through the few senders that go there: take in receivers that it does not fit yet.
        if solved.noise.max() < 5 * np.median(solved.noise) or len(chosen) == problem.n:
            break
        worst = asked[np.argsort(-solved.noise, kind="stable")[: effort.receivers // 2]]
        chosen = np.union1d(worst, rng.choice(able, min(effort.receivers - len(worst), len(able)), replace=False))
    return descent, solved, errors


def _with_gaps(problem: Problem, solved: Solved, c: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W with zero diagonal, phi and the noise, NaN where receivers were not solved."""
    n, asked = problem.n, solved.receivers
    W, phi, noise = np.full((n, n), np.nan), np.full((len(c), n), np.nan), np.full(n, np.nan)
    W[asked], noise[asked] = solved.W, solved.noise
    phi[:, asked] = solved.phi + solved.W[np.arange(len(asked)), asked] * c[:, None]
    np.fill_diagonal(W, 0)
    return W, phi, noise


def _with_shared_functions(
    problem: Problem, solved: Solved, c: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W with zero diagonal, phi and the noise, where neurons that are confined take the functions that others share.

    phi goes on as lines where its neuron never went, and a weight of a neuron on itself is part of it.
    """
    W, phi, noise = solved.W, solved.phi, solved.noise
    known = np.zeros(problem.n, bool)
    if problem.allowed is None:
        try:
            shared = share_functions(phi, solved.curvature, noise**2 * problem.frames, c)
        except np.linalg.LinAlgError:
            shared = None
        if shared is not None:
            functions, confined = shared
            candidate, left = rows_for(functions, solved.senders[0], problem)
            confined &= left < 3 * noise
            # What is mixed from noisy functions runs away where it is not tested.
            if float(np.mean(noise**2)) <= EXACT * problem.total:
                known |= confined
            phi, W = np.where(confined, functions, phi), np.where(confined[:, None], candidate, W)
            noise = np.where(confined, left, noise)
    phi = np.where(known, phi, _continued(phi, problem.spline, problem.u)) + np.diag(W) * c[:, None]
    np.fill_diagonal(W, 0)
    return W, phi, noise


def _continued(phi: np.ndarray, spline: Spline, u: np.ndarray) -> np.ndarray:
    """`phi` (size, N), each as a straight line where its own neuron never went in the frames `u` (frames, N).

    The line has the slope that the function has in the mean over the frames.
    """
    places = np.array([spline.knots[k + 1 : k + spline.degree + 1].mean() for k in range(spline.size)])
    starts, ends = spline.knots[: spline.size], spline.knots[spline.degree + 1 :]
    values, out = spline.each(spline.polynomials(phi), u), phi.copy()
    for i, own in enumerate(np.sort(u, axis=0).T):
        visits = np.searchsorted(own, ends) - np.searchsorted(own, starts)
        seen = np.flatnonzero(visits > 0)
        if not len(seen) or np.ptp(own) == 0:
            continue
        slope = np.polynomial.polynomial.polyfit(u[:, i], values[:, i], 1)[1]
        for edge, beyond in ((seen[0], np.arange(seen[0])), (seen[-1], np.arange(seen[-1] + 1, spline.size))):
            out[beyond, i] = out[edge, i] + slope * (places[beyond] - places[edge])
    return out


def _rises(spline: Spline, c: np.ndarray, u: np.ndarray) -> bool:
    sample = u[:: max(1, len(u) // 2000)].ravel()
    return float(np.corrcoef(sample, spline.values(c, sample))[0, 1]) >= 0


def solve_rows(
    problem: Problem,
    sent: np.ndarray,
    ratio: float,
    receivers: np.ndarray | None = None,
    shared: Senders | None = None,
) -> Solved:
    """The rows of W and the phi of `receivers` (all, if None), given psi at the frames.

    `shared`: the senders of all, decomposed, where that was done before.
    """
    n, spline = problem.n, problem.spline
    asked = np.arange(n) if receivers is None else receivers
    count = len(asked)
    phi, curvature = np.empty((spline.size, count)), np.empty((count, spline.size, spline.size))
    W, noise, degrees = np.zeros((count, n)), np.empty(count), np.empty(count)
    if problem.allowed is None and shared is None:
        shared = problem.senders_of(sent, asked[:1], ratio)[0]
    listed: list[Senders] = []
    unexplained = np.empty((0 if shared is None else len(shared.s), count))
    for first in range(0, count, TOGETHER):
        part = asked[first : first + TOGETHER]
        place = slice(first, first + len(part))
        senders = [shared] * len(part) if shared is not None else problem.senders_of(sent, part, ratio)
        y = problem.du[:, part]
        if shared is not None:
            BU, Uy = list(problem.toward(part, shared.U)), list((shared.U.T @ y).T)
        else:
            BU = [problem.toward(part[k : k + 1], of.U)[0] for k, of in enumerate(senders)]
            Uy = [of.U.T @ y[:, k] for k, of in enumerate(senders)]
        rests = []
        for k, (of, own) in enumerate(zip(senders, problem.own(part))):
            curvature[first + k] = own.gram - (BU[k] * of.kept) @ BU[k].T
            phi[:, first + k], root = own.solved(BU[k].T, Uy[k], of.kept, spline.roughness, problem.smooth)
            rests.append(Uy[k] - BU[k].T @ phi[:, first + k])
            if shared is None:
                W[first + k] = problem.place(int(part[k]), of.weights(rests[k][:, None])[0])
            degrees[first + k] = max(problem.free - of.taken - root.shape[1], 1.0)
        rest = y - problem.own_values(part, phi[:, place])
        if shared is not None:
            unexplained[:, place] = np.column_stack(rests)
            rest -= shared.U @ (shared.kept[:, None] * unexplained[:, place])
        else:
            rest -= np.column_stack([of.U @ (of.kept * left) for of, left in zip(senders, rests)])
        noise[place] = np.sqrt(np.mean(rest**2, axis=0))
        listed += senders
    if shared is not None:
        W = shared.weights(unexplained)
    return Solved(asked, W, phi, curvature, noise, degrees, listed)


def _psi_root(gram: np.ndarray, slopes: np.ndarray, grams: np.ndarray, problem: Problem) -> np.ndarray:
    """A root (free, clusters) of the covariance of psi's free coefficients: how much each cluster moves them.

    It is that of the cluster jackknife (CR2, Bell and McCaffrey 2002), since all receivers have a part in psi and one
    may leave a hundred times as much as another, of which little concerns psi. `gram` (free, free): see `_curvature`;
    `slopes` and `grams`: see `_of_clusters`.
    """
    values, vectors = np.linalg.eigh(gram)
    good = values > 1e-12 * values[-1]
    root = vectors[:, good] / np.sqrt(values[good])
    moved = np.empty((root.shape[1], len(slopes)))
    for g, (slope, own) in enumerate(zip(slopes, grams)):
        left, turned = np.linalg.eigh(root.T @ own @ root)
        moved[:, g] = turned @ ((turned.T @ (root.T @ slope)) / np.sqrt(np.maximum(1 - left, _LEAST_LEFT)))
    return root @ moved * math.sqrt(problem.frames / max(problem.free - problem.n - problem.spline.size, 1))


def share_functions(
    phi: np.ndarray,
    curvature: np.ndarray,
    noise: np.ndarray,
    psi: np.ndarray,
    largest: int = 6,
    sweeps: int = 60,
) -> tuple[np.ndarray, np.ndarray] | None:
    """The functions `phi` (size, N) as mixtures of a few shared ones and a constant each, or None if none fit.

    Neurons of one type have one function, and functions of a family mix few; so what a neuron shows where it lives
    tells its function where it never goes. `curvature` (N, size, size) says how the squared residual of neuron n
    grows around phi_n, `noise` (N,) its size there. The number of shared functions is the smallest (up to `largest`)
    with which half of the neurons are fitted to within a tenth of their noise. Alternating weighted least squares,
    started from the neurons that visit most of the range.

    Returns the functions (size, N), and which neurons (N,) are confined to less than 0.9 of the range of those.
    """
    size, n = phi.shape
    scale = np.trace(curvature.sum(0)) / (n * size)
    visited = (np.diagonal(curvature, axis1=1, axis2=2) > 1e-6 * scale).sum(1)
    order = np.argsort(-visited, kind="stable")[: max(min(n, 12), n // 5)]
    # A multiple of psi in phi_n is W_nn, and free here.
    free = scipy.linalg.orth(np.stack([np.ones(size), psi], axis=1))
    left, spread, _ = np.linalg.svd(phi[:, order] - free @ (free.T @ phi[:, order]), full_matrices=False)
    pull = np.einsum("nkl,ln->nk", curvature, phi, optimize=True)
    for count in range(1, min(largest, len(spread)) + 1):
        basis = np.concatenate([np.ones((size, 1)), left[:, :count]], axis=1)
        misfit, found = np.inf, phi
        for _ in range(sweeps):
            small = np.einsum("ka,nkl,lb->nab", basis, curvature, basis, optimize=True)
            mix = np.linalg.solve(small + 1e-13 * scale * np.eye(count + 1), (pull @ basis)[..., None])[..., 0]
            gap = basis @ mix.T - phi
            excess = np.einsum("kn,nkl,ln->n", gap, curvature, gap, optimize=True)
            now = float(np.median(excess / np.maximum(noise, 1e-300)))
            if now > 0.9 * misfit:
                break
            misfit, found = now, basis @ mix.T
            outer = np.einsum("na,nb,nkl->akbl", mix, mix, curvature, optimize=True).reshape(size * (count + 1), -1)
            outer[np.diag_indices_from(outer)] += 1e-14 * np.trace(outer) / len(outer)
            basis = np.linalg.solve(outer, (mix.T @ pull).ravel()).reshape(count + 1, size).T
            basis[:, 0] = 1.0
        if misfit < 0.1:
            return found, visited < 0.9 * np.median(visited[order])
    return None
