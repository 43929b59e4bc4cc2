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
from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np
import scipy.linalg
from scipy.interpolate import BSpline

_CUT = 1e-14
_RESOLUTION = 1e-7
_SMOOTH = 1e-12
_SMOOTH_FIRST = 1e-3


class Spline:
    """B-splines of degree 5 on `low`..`high`, knots dense around 0 (equal steps in asinh(u / scale)).

    Functions are vectors of `size` coefficients; outside the range they go on as polynomials of the last piece.
    """

    degree = 5

    def __init__(self, low: float, high: float, scale: float, size: int = 48) -> None:
        pieces = size - self.degree
        inner = scale * np.sinh(np.linspace(math.asinh(low / scale), math.asinh(high / scale), pieces + 1))
        inner[0], inner[-1] = low, high
        self.size, self.breaks = size, inner
        self.knots = np.r_[[low] * self.degree, inner, [high] * self.degree]
        basis = BSpline(self.knots, np.eye(size), self.degree)
        self.local = np.empty((pieces, self.degree + 1, self.degree + 1))
        for power in range(self.degree + 1):
            taylor = (basis.derivative(power) if power else basis)(inner[:-1]) / math.factorial(power)
            for k in range(pieces):
                self.local[k, :, self.degree - power] = taylor[k, k : k + self.degree + 1]
        places = np.array([self.knots[k + 1 : k + self.degree + 1].mean() for k in range(size)])
        gap = np.diff(places)
        bend = np.zeros((size - 2, size))
        for k in range(size - 2):
            bend[k, k : k + 3] = gap[k + 1], -(gap[k] + gap[k + 1]), gap[k]
            bend[k] /= gap[k] + gap[k + 1]
        self.roughness = bend.T @ bend
        """(size, size): a quadratic form that is 0 for straight lines."""
        """(pieces, degree + 1 splines, degree + 1 powers from the highest)."""

    def place(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The piece in which each `u` lies (int16), and its distance from the left end of the piece."""
        piece = (np.searchsorted(self.breaks, u, side="right") - 1).clip(0, len(self.breaks) - 2).astype(np.int16)
        return piece, u - self.breaks[piece]

    def values(self, coefficients: np.ndarray, u: np.ndarray) -> np.ndarray:
        """The spline with `coefficients` (size,) or (size, functions) at `u` (any shape): u.shape (+ functions)."""
        u = np.asarray(u, dtype=np.float64)
        flat = _design(*self.place(u.ravel()), self.local, self.size) @ coefficients
        return flat.reshape(u.shape + np.shape(coefficients)[1:])

    def polynomials(self, coefficients: np.ndarray) -> np.ndarray:
        """The pieces of functions (size, functions) as polynomials: (pieces, functions, degree + 1)."""
        return np.stack(
            [local.T @ coefficients[k : k + self.degree + 1] for k, local in enumerate(self.local)]
        ).swapaxes(1, 2)

    def each(self, polynomials: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Function n at u[..., n], for u (frames, functions) and the result of `polynomials`."""
        piece, x = self.place(u)
        chosen = polynomials[piece, np.arange(u.shape[1])]
        out = chosen[..., 0]
        for power in range(1, chosen.shape[-1]):
            out = out * x + chosen[..., power]
        return out

    def fit(self, u: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Least-squares coefficients of the function with `values` (points,) at `u` (points,)."""
        return scipy.linalg.lstsq(_design(*self.place(u), self.local, self.size), values)[0]


@numba.njit(cache=True, nogil=True)
def _design(piece: np.ndarray, x: np.ndarray, local: np.ndarray, size: int) -> np.ndarray:
    out = np.zeros((len(x), size))
    orders, powers = local.shape[1], local.shape[2]
    for t in range(len(x)):
        k = piece[t]
        for m in range(orders):
            value = local[k, m, 0]
            for p in range(1, powers):
                value = value * x[t] + local[k, m, p]
            out[t, k + m] = value
    return out


@numba.njit(cache=True, nogil=True)
def _sent(piece: np.ndarray, x: np.ndarray, polynomials: np.ndarray) -> np.ndarray:
    out = np.empty(x.shape)
    powers = polynomials.shape[1]
    for t in range(x.shape[0]):
        for j in range(x.shape[1]):
            k = piece[t, j]
            value = polynomials[k, 0]
            for p in range(1, powers):
                value = value * x[t, j] + polynomials[k, p]
            out[t, j] = value
    return out


@numba.njit(cache=True, nogil=True, fastmath=True)
def _messages(piece: np.ndarray, x: np.ndarray, local: np.ndarray, size: int, weights: np.ndarray) -> np.ndarray:
    """sum_j weights[j, n] b_k(u_j(t)) for every frame t, spline k and receiver n: (frames, size, receivers)."""
    frames, neurons = x.shape
    orders, powers = local.shape[1], local.shape[2]
    receivers = weights.shape[1]
    out = np.zeros((frames, size, receivers))
    for t in range(frames):
        for j in range(neurons):
            k = piece[t, j]
            for m in range(orders):
                value = local[k, m, 0]
                for p in range(1, powers):
                    value = value * x[t, j] + local[k, m, p]
                for n in range(receivers):
                    out[t, k + m, n] += value * weights[j, n]
    return out


@dataclass(frozen=True)
class Refined:
    """W (N, N) with zero diagonal and its standard errors; psi (size,) and phi (size, N) as coefficients of `spline`.

    `residuals` holds the relative root mean square residual at every step, `noise` the final one of each neuron,
    `inflation` (N,) how many times larger the variance of W is than with residuals that are white in time, `ratio` and
    `smooth` the variance of the noise over that of the prior of W and over that of the prior of the functions' bends.
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


@dataclass
class _Senders:
    """The singular value decomposition of the senders' matrix psi(u), (frames, senders), and the prior's shrinkage."""

    U: np.ndarray
    s: np.ndarray
    V: np.ndarray
    shrink: float

    @property
    def kept(self) -> np.ndarray:
        return self.s**2 / (self.s**2 + self.shrink)

    @property
    def solver(self) -> np.ndarray:
        """Maps projections on U to weights, (senders, rank)."""
        return self.V * (self.s / (self.s**2 + self.shrink))

    @property
    def spread(self) -> np.ndarray:
        """The variance of each weight, in units of that of the noise, (senders,)."""
        return (self.V**2 / (self.s**2 + self.shrink)).sum(1)

    def weights(self, projected: np.ndarray) -> np.ndarray:
        """Rows of W (receivers, senders) for targets whose projections U^T y are `projected` (rank, receivers)."""
        return (self.solver @ projected).T

    def rest(self, values: np.ndarray, projected: np.ndarray) -> np.ndarray:
        """What the senders leave of `values` (frames, m), whose projections are `projected`."""
        return values - self.U @ (self.kept[:, None] * projected)


def _decompose(sent: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    Q, R = scipy.linalg.qr(sent, mode="economic", overwrite_a=False, check_finite=False)
    left, s, right = scipy.linalg.svd(R, check_finite=False, full_matrices=False)
    return Q @ left, s, right.T


def _own_part(
    B: np.ndarray,
    UB: np.ndarray,
    y: np.ndarray,
    Uy: np.ndarray,
    kept: np.ndarray,
    roughness: np.ndarray,
    smooth: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (size,) of one neuron's own spline once the senders are eliminated, and a pseudo-inverse root."""
    own = B.T @ B
    gram = own - (UB.T * kept) @ UB + max(_SMOOTH * np.trace(own), smooth) * roughness
    values, vectors = np.linalg.eigh(gram)
    good = values > _CUT * np.trace(own)
    root = vectors[:, good] / np.sqrt(values[good])
    return root @ (root.T @ (B.T @ y - UB.T @ (kept * Uy))), root


def _rows_for(phi: np.ndarray, senders: _Senders, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """W (N, N) given the update functions `phi` (size, N), and the root mean square residual of each neuron."""
    spline = problem.spline
    rest = problem.du - problem.summed(spline.each(spline.polynomials(phi), problem.u))
    projected = senders.U.T @ rest
    return senders.weights(projected), np.sqrt(np.mean(senders.rest(rest, projected) ** 2, axis=0))


def starts_of(numbers: np.ndarray) -> np.ndarray:
    """Where runs of equal numbers begin."""
    return np.r_[0, np.flatnonzero(np.diff(numbers)) + 1]


class Problem:
    """Frames `u`, `du` (frames, N) on a spline, the edges that are allowed, and blocks of frames that are one cluster.

    `allowed` (N, N) bool, or None where every weight may be learned.
    """

    def __init__(
        self,
        u: np.ndarray,
        du: np.ndarray,
        spline: Spline,
        allowed: np.ndarray | None,
        clusters: np.ndarray,
        windows: np.ndarray | None,
    ) -> None:
        self.u, self.spline, self.allowed = u, spline, allowed
        self.frames, self.n = u.shape
        self.piece, self.x = spline.place(u)
        self.starts = starts_of(clusters)
        self.windows = None if windows is None else starts_of(windows)
        self.du = self.summed(du)
        self.smooth = _SMOOTH_FIRST * self.frames
        self.free = self.frames - (0 if self.windows is None else len(self.windows))

    def summed(self, values: np.ndarray) -> np.ndarray:
        """`values` (frames, ...) summed up along every window, less the window's mean; as they are without windows."""
        if self.windows is None:
            return values
        out = np.cumsum(values, axis=0)
        ends = np.r_[self.windows[1:], self.frames]
        counts = (ends - self.windows).reshape(-1, *[1] * (values.ndim - 1))
        means = np.add.reduceat(out, self.windows, axis=0) / counts
        return out - np.repeat(means, ends - self.windows, axis=0)

    def design(self, neuron: int) -> np.ndarray:
        """The splines at the states of one neuron, (frames, size)."""
        return self.summed(_design(self.piece[:, neuron], self.x[:, neuron], self.spline.local, self.spline.size))

    def messages(self, rows: np.ndarray) -> np.ndarray:
        """What psi's splines send through `rows` (receivers, N): (frames, size, receivers)."""
        weights = np.ascontiguousarray(rows.T)
        return self.summed(_messages(self.piece, self.x, self.spline.local, self.spline.size, weights))

    def normalised(self, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """psi with psi(0) = 0 and root mean square 1, as coefficients and as values (frames, N)."""
        c = c - self.spline.values(c, np.zeros(1))[0]
        sent = _sent(self.piece, self.x, np.einsum("kmp,km->kp", self.spline.local, _windows(c, self.spline)))
        scale = math.sqrt(np.mean(sent**2)) or 1.0
        return c / scale, self.summed(sent / scale)

    def senders_of(self, sent: np.ndarray, receivers: np.ndarray, ratio: float) -> list[_Senders]:
        """The senders of each of `receivers`: one and the same where all edges are allowed."""
        if self.allowed is None:
            return [_Senders(*_decompose(sent), ratio)] * len(receivers)
        return [_Senders(*_decompose(sent[:, self.allowed[i]]), ratio) for i in receivers]

    def place(self, receiver: int, row: np.ndarray) -> np.ndarray:
        """Weights of the allowed senders of `receiver` as a row over all neurons."""
        if self.allowed is None:
            return row
        whole = np.zeros(self.n)
        whole[self.allowed[receiver]] = row
        return whole


@dataclass
class _Projection:
    """What is left of the chosen receivers once their own functions and their senders are eliminated."""

    senders: list[_Senders]
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]
    rows: np.ndarray
    error: float
    residual: np.ndarray
    ratio: float


def _project(
    problem: Problem, chosen: np.ndarray, own: list[np.ndarray], sent: np.ndarray, ratio: float, total: float
) -> _Projection:
    y = problem.du[:, chosen]
    senders = problem.senders_of(sent, chosen, ratio)
    Uy = [of.U.T @ y[:, k] for k, of in enumerate(senders)]
    UB = [of.U.T @ B for of, B in zip(senders, own)]
    for _ in range(3):
        parts, rows, residual = [], np.empty((len(chosen), problem.n)), np.empty_like(y)
        for k, (of, B) in enumerate(zip(senders, own)):
            beta, root = _own_part(B, UB[k], y[:, k], Uy[k], of.kept, problem.spline.roughness, problem.smooth)
            parts.append((beta, root))
            rest = Uy[k] - UB[k] @ beta
            rows[k] = problem.place(int(chosen[k]), of.weights(rest[:, None])[0])
            residual[:, k] = y[:, k] - B @ beta - of.U @ (of.kept * rest)
        free = float(np.mean([of.kept.sum() for of in senders]))
        noise = float((residual**2).sum() / max(len(chosen) * (problem.free - free - problem.spline.size), 1))
        prior = float((rows**2).sum() / max(len(chosen) * free, 1e-12))
        bends = [float(beta @ problem.spline.roughness @ beta) for beta, _ in parts]
        bend = float(np.mean(bends)) / (problem.spline.size - 2)
        problem.smooth = min(noise / max(bend, 1e-300), _SMOOTH_FIRST * problem.frames)
        update = min(noise / max(prior, 1e-300), float(senders[0].s[0]) ** 2)
        done = abs(math.log(max(update, 1e-300) / max(ratio, 1e-300))) < 0.3
        ratio = update
        for of in senders:
            of.shrink = ratio
        if done:
            break
    kept = [(B, UB[k], *parts[k]) for k, B in enumerate(own)]
    return _Projection(senders, kept, rows, math.sqrt(float(np.mean(residual**2)) / total), residual, ratio)


def _curvature(problem: Problem, chosen: np.ndarray, found: _Projection, c: np.ndarray) -> tuple[np.ndarray, ...]:
    """Gauss-Newton's Hessian and slope in psi's coefficients, the directions that matter, and scores by cluster.

    Neither psi's scale nor a constant in it changes the residual: the directions leave both alone.
    """
    spline = problem.spline
    found.rows[np.arange(len(chosen)), chosen] = 0
    messages = problem.messages(found.rows)
    gram, slope = np.zeros((spline.size, spline.size)), np.zeros(spline.size)
    scores = np.zeros((len(problem.starts), spline.size))
    for k, (B, UB, _, root) in enumerate(found.parts):
        senders = found.senders[k]
        J = np.ascontiguousarray(messages[:, :, k])
        UJ = senders.U.T @ J
        own = senders.rest(B, UB) @ root
        cross = own.T @ J
        gram += J.T @ J - (UJ.T * senders.kept) @ UJ - cross.T @ cross
        slope += J.T @ found.residual[:, k]
        left = senders.rest(J, UJ) - own @ cross
        scores += np.add.reduceat(left * found.residual[:, k, None], problem.starts, axis=0)
    free = scipy.linalg.null_space(np.stack([c, np.ones(spline.size)]))
    return free.T @ gram @ free, free.T @ slope, free, scores @ free


def refine(
    u: np.ndarray,
    du: np.ndarray,
    psi: tuple[np.ndarray, np.ndarray],
    *,
    allowed: np.ndarray | None = None,
    clusters: np.ndarray | None = None,
    windows: np.ndarray | None = None,
    seed: int = 0,
    receivers: int = 24,
    rounds: int = 4,
    splines: int = 48,
    max_steps: int = 25,
    uncertainty: bool = True,
    progress: Callable[[int, float], None] | None = None,
) -> Refined:
    """Refine psi, W and phi on frames `u`, `du` (frames, N), starting from psi given as (points, values).

    Gauss-Newton runs on `receivers` neurons drawn with `seed`, and then, up to `rounds` times, on those that the rest
    is fitted worst by; frames should number several times N. Steps that would raise the residual are damped
    (Levenberg-Marquardt). It ends when a step changes the residual by less than 0.1%.

    `allowed` (N, N) bool restricts W, all edges by default. Standard errors are of W with phi and psi marginalised,
    with degrees of freedom taken off, and inflated for residuals that are correlated within `clusters` (frames,), runs
    of equal numbers (Liang and Zeger 1986); each frame is one by default. With `windows` (frames,), runs of equal
    numbers, the model is fitted in its integral form: both sides are summed up along each window, less its mean, which
    turns the noise of differences of a noisy state into white noise (Schaeffer and McCalla 2017). Without
    `uncertainty` standard errors are NaN, and it is faster.
    """
    u, du = np.asarray(u, np.float64), np.asarray(du, np.float64)
    frames, n = u.shape
    rng = np.random.Generator(np.random.PCG64(seed))
    size = max(abs(u.min()), abs(u.max()), 1e-12)
    low, high = u.min() - 1e-6 * size, u.max() + 1e-6 * size
    spline = Spline(low, high, math.sqrt(np.mean(u**2)) / 8 + 1e-12, splines)
    if allowed is not None:
        allowed = np.asarray(allowed, bool) & ~np.eye(n, dtype=bool)
        if allowed.sum() == n * (n - 1):
            allowed = None
    problem = Problem(u, du, spline, allowed, np.arange(frames) if clusters is None else clusters, windows)
    total = float(np.mean((problem.du - problem.du.mean(0)) ** 2)) or 1.0
    c = spline.fit(*psi)
    able = np.arange(n) if allowed is None else np.flatnonzero(allowed.any(1))
    chosen = np.sort(rng.choice(able, min(receivers, len(able)), replace=False))

    errors: list[float] = []
    for _ in range(rounds):
        own = [problem.design(i) for i in chosen]
        c, sent = problem.normalised(c)
        found = _project(problem, chosen, own, sent, 1e-8 * frames, total)
        errors.append(found.error)
        damping = 1e-10
        for _ in range(max_steps):
            gram, slope, free, _ = _curvature(problem, chosen, found, c)
            better = False
            for _ in range(6):
                values, vectors = np.linalg.eigh(gram + damping * np.diag(np.diag(gram)))
                good = values > 1e-12 * values[-1]
                step = free @ (vectors[:, good] @ ((vectors[:, good].T @ slope) / values[good]))
                trial, sent = problem.normalised(c + step)
                tried = _project(problem, chosen, own, sent, found.ratio, total)
                if tried.error < found.error:
                    better = True
                    break
                damping = max(damping * 100, 1e-8)
            if not better:
                break
            c, previous, found = trial, found.error, tried
            errors.append(found.error)
            damping = max(damping / 100, 1e-12)
            if progress is not None:
                progress(len(errors), found.error)
            if previous - found.error < 1e-3 * previous:
                break
        c, sent = problem.normalised(c)
        if not _rises(spline, c, u):
            c, sent = -c, -sent
        solved = solve_rows(problem, sent, found.ratio)
        # psi far out is seen only through the few senders that go there: take in receivers that it does not fit yet.
        if solved.noise.max() < 5 * np.median(solved.noise) or len(chosen) == n:
            break
        worst = np.argsort(-solved.noise, kind="stable")[: receivers // 2]
        chosen = np.union1d(worst, rng.choice(able, min(receivers - len(worst), len(able)), replace=False))

    errors_of_W, inflation = np.full((n, n), np.nan), np.full(n, np.nan)
    if uncertainty:
        found = _project(problem, chosen, [problem.design(i) for i in chosen], sent, found.ratio, total)
        gram, _, free, scores = _curvature(problem, chosen, found, c)
        psi_root = _psi_root(gram, scores, found.residual, problem)
        errors_of_W, inflation = _errors(problem, sent, solved, free @ psi_root)
    W, phi, noise = solved.W, solved.phi, solved.noise
    if allowed is None:
        shared = share_functions(phi, solved.curvature, noise**2 * frames, c)
        if shared is not None:
            functions, confined = shared
            candidate, left = _rows_for(functions, solved.senders[0], problem)
            confined &= left < 3 * noise
            phi, W = np.where(confined, functions, phi), np.where(confined[:, None], candidate, W)
            noise = np.where(confined, left, noise)
    phi = phi + np.diag(W) * c[:, None]
    np.fill_diagonal(W, 0)
    # Data are often stored in float32: no weight is surer than this.
    errors_of_W = np.hypot(errors_of_W, _RESOLUTION * math.sqrt(float(np.mean(W**2))))
    if allowed is not None:
        errors_of_W[~allowed] = 0
    np.fill_diagonal(errors_of_W, 0)
    return Refined(W, errors_of_W, c, phi, spline, errors, noise, inflation, found.ratio, problem.smooth)


def _rises(spline: Spline, c: np.ndarray, u: np.ndarray) -> bool:
    sample = u[:: max(1, len(u) // 2000)].ravel()
    return float(np.corrcoef(sample, spline.values(c, sample))[0, 1]) >= 0


@dataclass
class Solved:
    """W (N, N), phi (size, N), how the squared residual grows around phi, the noise (N,), the senders of each."""

    W: np.ndarray
    phi: np.ndarray
    curvature: np.ndarray
    noise: np.ndarray
    degrees: np.ndarray
    senders: list[_Senders]


def solve_rows(problem: Problem, sent: np.ndarray, ratio: float) -> Solved:
    """Every row of W and every phi, given psi at the frames."""
    n, spline = problem.n, problem.spline
    phi, curvature = np.empty((spline.size, n)), np.empty((n, spline.size, spline.size))
    W, noise, degrees = np.zeros((n, n)), np.empty(n), np.empty(n)
    shared = problem.senders_of(sent, np.arange(1), ratio)[0] if problem.allowed is None else None
    listed: list[_Senders] = []
    for i in range(n):
        senders = shared or problem.senders_of(sent, np.array([i]), ratio)[0]
        B, y = problem.design(i), problem.du[:, i]
        UB, Uy = senders.U.T @ B, senders.U.T @ y
        curvature[i] = B.T @ B - (UB.T * senders.kept) @ UB
        phi[:, i], root = _own_part(B, UB, y, Uy, senders.kept, spline.roughness, problem.smooth)
        projected = Uy - UB @ phi[:, i]
        W[i] = problem.place(i, senders.weights(projected[:, None])[0])
        rest = y - B @ phi[:, i] - senders.U @ (senders.kept * projected)
        noise[i] = math.sqrt(float(np.mean(rest**2)))
        degrees[i] = max(problem.free - senders.kept.sum() - root.shape[1], 1.0)
        listed.append(senders)
    return Solved(W, phi, curvature, noise, degrees, listed)


def _psi_root(gram: np.ndarray, scores: np.ndarray, residual: np.ndarray, problem: Problem) -> np.ndarray:
    """A root (free, rank) of the covariance of psi's free coefficients, clusters taken into account by one factor."""
    values, vectors = np.linalg.eigh(gram)
    good = values > 1e-12 * values[-1]
    root = vectors[:, good] / np.sqrt(values[good])
    noise = float(np.mean(residual**2)) * problem.frames / max(problem.free - problem.n - problem.spline.size, 1)
    whitened = scores @ root
    inflation = float((whitened**2).sum() / max(good.sum() * float(np.mean(residual**2)), 1e-300))
    return root * math.sqrt(noise * max(inflation, 1.0))


def variances(problem: Problem, solved: Solved, receivers: np.ndarray) -> np.ndarray:
    """The variance of the weights of `receivers`, given psi and with phi marginalised: (receivers, N)."""
    out = np.zeros((len(receivers), problem.n))
    for k, i in enumerate(receivers):
        senders, B, y = solved.senders[i], problem.design(i), problem.du[:, i]
        UB = senders.U.T @ B
        roughness = problem.spline.roughness
        _, root = _own_part(B, UB, y, senders.U.T @ y, senders.kept, roughness, problem.smooth)
        cross = senders.solver @ (UB @ root)
        noise = solved.noise[i] ** 2 * problem.frames / solved.degrees[i]
        out[k] = problem.place(i, noise * (senders.spread + (cross**2).sum(1)))
    return out


_MOST_RECEIVERS = 400
"""Receivers whose errors are computed one by one; of more, these stand for all by the factors that they show."""


class _LeftOut:
    """Residuals of each cluster under the fit that leaves it out: (I - H_gg)^-1 e_g, with the senders' part shared."""

    def __init__(self, senders: _Senders, starts: np.ndarray) -> None:
        ends = np.r_[starts[1:], len(senders.U)]
        self.blocks = [slice(int(a), int(b)) for a, b in zip(starts, ends)]
        self.inverses = []
        for block in self.blocks:
            U = senders.U[block]
            leverage = (U * senders.kept) @ U.T
            leverage[np.diag_indices_from(leverage)] -= 1 + 1e-9
            self.inverses.append(np.linalg.inv(-leverage))

    def apply(self, own: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The leave-out operator on `values` (frames, m), with the receiver's own directions `own` (frames, r)."""
        out = np.empty_like(values)
        for block, inverse in zip(self.blocks, self.inverses):
            Z = own[block]
            KZ = inverse @ Z
            core = np.eye(Z.shape[1]) * (1 + 1e-9) - Z.T @ KZ
            solved = inverse @ values[block]
            out[block] = solved + KZ @ np.linalg.lstsq(core, Z.T @ solved, rcond=1e-10)[0]
        return out


def _errors(problem: Problem, sent: np.ndarray, solved: Solved, psi_root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standard errors of W (N, N) with phi and psi marginalised, and the inflation by clusters (N,).

    The inflation is that of the cluster jackknife (CR3, Bell and McCaffrey 2002), relative to what that gives for
    white residuals, and pooled over the senders of a receiver.
    """
    n, spline = problem.n, problem.spline
    variances, inflation, grown = np.zeros((n, n)), np.full(n, np.nan), np.full(n, np.nan)
    chosen = np.unique(np.linspace(0, n - 1, min(n, _MOST_RECEIVERS)).astype(int))
    clustered = len(problem.starts) < problem.frames
    shared, left_out = np.empty(0), None
    for k, i in enumerate(chosen):
        senders, B = solved.senders[i], problem.design(i)
        if problem.allowed is not None or not k:
            shared = senders.solver @ senders.U.T
            spread = senders.spread
            left_out = _LeftOut(senders, problem.starts) if clustered else None
        UB = senders.U.T @ B
        y = problem.du[:, i]
        _, root = _own_part(B, UB, y, senders.U.T @ y, senders.kept, spline.roughness, problem.smooth)
        own = senders.rest(B, UB) @ root
        cross = senders.solver @ (UB @ root)
        influence = shared - cross @ own.T
        mine = slice(None) if problem.allowed is None else problem.allowed[i]
        rest = problem.du[:, i] - B @ solved.phi[:, i] - sent[:, mine] @ solved.W[i][mine]
        noise = solved.noise[i] ** 2 * problem.frames / solved.degrees[i]
        inflation[i] = 1.0
        if left_out is not None:
            moved = left_out.apply(own, np.column_stack([rest, influence.T]))
            sums = np.add.reduceat(influence * moved[:, 0], problem.starts, axis=1)
            white = noise * float(np.einsum("jt,tj->", influence, moved[:, 1:]))
            inflation[i] = max(1.0, float((sums**2).sum()) / max(white, 1e-300))
        noise *= inflation[i]
        within = noise * (spread + (cross**2).sum(1))
        weights = solved.W[i].copy()
        weights[i] = 0
        messages = problem.messages(weights[None])[:, :, 0]
        turned = influence @ (messages @ psi_root)
        whole = within + (turned**2).sum(1)
        grown[i] = float(np.median(whole / np.maximum(noise * spread, 1e-300)))
        variances[i] = problem.place(i, whole)
    rest_of = np.setdiff1d(np.arange(n), chosen)
    if len(rest_of):
        inflation[rest_of] = np.median(inflation[chosen])
        for i in rest_of:
            senders = solved.senders[i]
            spread = senders.spread
            noise = solved.noise[i] ** 2 * problem.frames / solved.degrees[i] * inflation[i]
            variances[i] = problem.place(i, noise * spread * np.median(grown[chosen]))
    return np.sqrt(variances), inflation


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


def _windows(c: np.ndarray, spline: Spline) -> np.ndarray:
    """The coefficients (pieces, degree + 1) that act in each piece."""
    return np.lib.stride_tricks.sliding_window_view(c, spline.degree + 1)
