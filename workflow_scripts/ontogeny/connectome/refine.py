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
import scipy.optimize
import scipy.special

from ontogeny.connectome.splines import Spline, centre_of, spread, starts_of, summed

EXACT = 1e-8
"""Share of the variance below which what is left counts as rounding."""

_CUT = 1e-14
_MOVING, _REPEATED = 1e-6, 1e-9
_ROUGH, _ORTHOGONAL, _ORTHONORMAL = 1e-6, 1e-3, 1e-9
_LARGE, _NO_PRIOR, _SAME = 300, 0.05, 0.3
"""Senders beyond which singular values are done without where the prior takes fewer degrees of freedom than the second,
or changes by a smaller factor than what has the third as its logarithm."""

_RESOLUTION = 1e-7
_AT_ONCE, _TOGETHER = 8, 32
_SMOOTH = 1e-12
_SMOOTH_FIRST = 1e-3
_SETTLED = 1e-3
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
class _Senders:
    """The singular value decomposition of the senders' matrix psi(u), (frames, senders), and the prior's shrinkage."""

    U: np.ndarray
    s: np.ndarray
    V: np.ndarray
    shrink: float

    @property
    def taken(self) -> float:
        """How many degrees of freedom the senders take."""
        return float(self.kept.sum())

    @property
    def largest(self) -> float:
        """At least the largest eigenvalue of the senders' Gram matrix."""
        return float(self.s[0]) ** 2

    @property
    def holds(self) -> bool:
        """Whether this serves with the present shrinkage."""
        return True

    def turn(self) -> None:
        """Change the sign of all senders."""
        self.V = -self.V

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


@dataclass
class _Triangular(_Senders):
    """U and `V`, the inverse of a triangle R, with R^T R the senders' Gram matrix and the shrinkage on its diagonal, so
    that U U^T = S (R^T R)^-1 S^T for senders S = U R: half the time of singular values. `s` is all ones.

    `size` is the trace of the Gram matrix, `built` the shrinkage with which R was made, `least` what that is at least.
    """

    size: float = 0.0
    built: float = 0.0
    least: float = 0.0

    @property
    def largest(self) -> float:
        return self.size

    @property
    def holds(self) -> bool:
        shrink = max(self.shrink, self.least)
        most = max(shrink, self.built) * float(self.spread.sum())
        return most < _NO_PRIOR or abs(math.log(shrink / self.built)) <= _SAME

    @property
    def taken(self) -> float:
        return float(np.einsum("tj,tj->", self.U, self.U))

    @property
    def kept(self) -> np.ndarray:
        return self.s

    @property
    def solver(self) -> np.ndarray:
        return self.V

    @property
    def spread(self) -> np.ndarray:
        return np.einsum("jk,jk->j", self.V, self.V)


def _triangular(sent: np.ndarray, shrink: float, rough: bool) -> _Triangular | None:
    """The senders without singular values, or None where they are too much alike, or where `shrink` matters (it takes
    at most itself times the sum of squares of R^-1 of degrees of freedom) and this is not `rough`."""
    from scipy.linalg.blas import dtrmm
    from scipy.linalg.lapack import dtrtri

    gram = sent.T @ sent
    size = float(np.trace(gram))
    least = _ROUGH**2 * size / len(gram) if rough else 0.0
    built = max(shrink, least)
    if rough:
        gram[np.diag_indices_from(gram)] += built
    try:
        inverse, failed = dtrtri(scipy.linalg.cholesky(gram, check_finite=False))
        if failed or not (rough or shrink * float(np.sum(inverse**2)) < _NO_PRIOR):
            return None
        Q = dtrmm(1.0, inverse, sent.T, trans_a=1).T
        if not rough:
            again = Q.T @ Q
            off = float(np.abs(again - np.eye(len(again))).max())
            second, failed = dtrtri(scipy.linalg.cholesky(again, check_finite=False))
            if failed or off > _ORTHOGONAL:
                return None
            if off > _ORTHONORMAL:
                Q, inverse = dtrmm(1.0, second, Q.T, trans_a=1).T, inverse @ second
    except np.linalg.LinAlgError:
        return None
    return _Triangular(Q, np.ones(len(gram)), inverse, built, size, built, least)


def _decompose(sent: np.ndarray, rough: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """U (frames, rank), s (rank,), V (senders, rank) of `sent`; `rough` loses what is less than `_ROUGH` of the
    largest singular value, and takes a third of the time.

    Where the normal equations are not too ill-conditioned, Q comes from two Cholesky factors (Yamamoto et al. 2015).
    """
    gram = sent.T @ sent
    if rough:
        values, vectors = np.linalg.eigh(gram)
        good = values > _ROUGH**2 * values[-1]
        s, V = np.sqrt(values[good])[::-1], vectors[:, good][:, ::-1]
        return sent @ (V / s), s, V
    try:
        first = scipy.linalg.cholesky(gram, check_finite=False)
        Q = scipy.linalg.solve_triangular(first, sent.T, trans="T", check_finite=False).T
        second = scipy.linalg.cholesky(again := Q.T @ Q, check_finite=False)
        again[np.diag_indices_from(again)] -= 1
        orthogonal = float(np.abs(again).max()) < _ORTHOGONAL
    except np.linalg.LinAlgError:
        orthogonal = False
    if orthogonal:
        left, s, right = scipy.linalg.svd(second @ first, check_finite=False, full_matrices=False)
        return Q @ scipy.linalg.solve_triangular(second, left, check_finite=False), s, right.T
    Q, R = scipy.linalg.qr(sent, mode="economic", overwrite_a=False, check_finite=False)
    left, s, right = scipy.linalg.svd(R, check_finite=False, full_matrices=False)
    return Q @ left, s, right.T


@dataclass
class _Own:
    """A receiver's own splines B: `gram` B^T B (size, size), and `slope` B^T y (size,)."""

    gram: np.ndarray
    slope: np.ndarray

    def solved(
        self, UB: np.ndarray, Uy: np.ndarray, kept: np.ndarray, roughness: np.ndarray, smooth: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (size,) of the own spline once the senders are eliminated, and a pseudo-inverse root."""
        trace = np.trace(self.gram)
        gram = self.gram - (UB.T * kept) @ UB + max(_SMOOTH * trace, smooth) * roughness
        values, vectors = np.linalg.eigh(gram)
        good = values > _CUT * trace
        root = vectors[:, good] / np.sqrt(values[good])
        return root @ (root.T @ (self.slope - UB.T @ (kept * Uy))), root

    def repeated(self, UB: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Functions of the receiver itself that senders make up as well, (size, m), as where the states have a sum that
        never changes: nothing tells such a function from the weights that make it up."""
        values, vectors = np.linalg.eigh(self.gram)
        moving = values > _MOVING * values[-1]
        own = vectors[:, moving] / np.sqrt(values[moving])
        cross = UB @ own
        left, turned = np.linalg.eigh(np.eye(own.shape[1]) - (cross.T * kept) @ cross)
        return own @ turned[:, left < _REPEATED]


def _rows_for(phi: np.ndarray, senders: _Senders, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """W (N, N) given the update functions `phi` (size, N), and the root mean square residual of each neuron."""
    rest = problem.du - problem.own_values(np.arange(problem.n), phi)
    projected = senders.U.T @ rest
    return senders.weights(projected), np.sqrt(np.mean(senders.rest(rest, projected) ** 2, axis=0))


@dataclass(frozen=True)
class Autoregressions:
    """The autoregressions of orders 0, 1, ... up to one, which has the `autocorrelations` and the `partial` ones, both
    (order,) from lag 1 on. `filters` (order + 1, order + 1): what each takes of a frame and of those before it; `left`
    (order + 1,): the share of the variance that it leaves.
    """

    autocorrelations: np.ndarray
    partial: np.ndarray
    filters: np.ndarray
    left: np.ndarray


def levinson(
    autocorrelations: np.ndarray | None = None, partial: np.ndarray | None = None, longest: float = math.inf
) -> Autoregressions:
    """The autoregressions with autocorrelations or partial ones given from lag 1 on (Levinson 1946, Durbin 1960).

    Partial autocorrelations that follow are at most `longest` in size.
    """
    given = autocorrelations if partial is None else partial
    order = 0 if given is None else len(given)
    known = np.r_[1.0, np.zeros(order) if autocorrelations is None else autocorrelations]
    shares = np.zeros(order) if partial is None else partial
    filters, left = np.zeros((order + 1, order + 1)), np.ones(order + 1)
    filters[0, 0] = 1.0
    for k in range(1, order + 1):
        before = filters[k - 1, :k]
        if partial is None:
            shares[k - 1] = np.clip(before @ known[k:0:-1] / left[k - 1], -longest, longest)
        else:
            known[k] = shares[k - 1] * left[k - 1] - before[1:] @ known[k - 1 : 0 : -1]
        filters[k, : k + 1] = np.r_[before, 0.0] - shares[k - 1] * np.r_[0.0, before[::-1]]
        left[k] = left[k - 1] * (1 - shares[k - 1] ** 2)
    return Autoregressions(known[1:], shares, filters, left)


class Noise:
    """Noise that is an autoregression within `stretches` (frames,), with autocorrelations at lags 1, 2, ...

    Least squares on the whitened frames are generalised least squares (Aitken 1936). A stretch begins with shorter
    autoregressions, so that no frame is lost.
    """

    def __init__(self, autocorrelations: np.ndarray, stretches: np.ndarray) -> None:
        found = levinson(autocorrelations)
        order, filters, left = len(autocorrelations), found.filters, found.left
        starts = starts_of(stretches)
        within = np.arange(len(stretches)) - np.repeat(starts, np.diff(np.r_[starts, len(stretches)]))
        self.filters = (filters * np.sqrt(left[-1] / left)[:, None])[np.minimum(within, order)]
        """(frames, order + 1): what each frame takes of itself and of those before it."""

    def whitened(self, values: np.ndarray) -> np.ndarray:
        """`values` (frames, ...) less what those before foretell."""
        shape = (-1, *[1] * (values.ndim - 1))
        out = self.filters[:, 0].reshape(shape) * values
        for lag in range(1, self.filters.shape[1]):
            out[lag:] += self.filters[lag:, lag].reshape(shape) * values[:-lag]
        return out

    def coloured(self, values: np.ndarray) -> np.ndarray:
        """The inverse of `whitened`, of `values` (frames, m)."""
        out = values / self.filters[:, :1]
        for t in range(1, len(out)):
            for lag in range(1, min(t, self.filters.shape[1] - 1) + 1):
                out[t] -= self.filters[t, lag] / self.filters[t, 0] * out[t - lag]
        return out

    def transposed(self, values: np.ndarray) -> np.ndarray:
        """The transpose of `whitened`, which is a linear map, of `values` (frames, m)."""
        out = self.filters[:, :1] * values
        for lag in range(1, self.filters.shape[1]):
            out[:-lag] += self.filters[lag:, lag, None] * values[lag:]
        return out


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
        noise: Noise | None = None,
    ) -> None:
        self.u, self.spline, self.allowed = u, spline, allowed
        self.frames, self.n = u.shape
        self.piece, self.x = spline.place(u)
        self.starts = starts_of(clusters)
        self.stretches = clusters
        self.windows = windows
        self.noise = noise
        self.du = self.summed(du)
        self.total = float(np.mean((self.du - self.du.mean(0)) ** 2)) or 1.0
        self.smooth = _SMOOTH_FIRST * self.frames
        self.free = self.frames - (0 if windows is None else len(starts_of(windows)))
        self.rough = False

    def summed(self, values: np.ndarray) -> np.ndarray:
        """`values` (frames, ...) in the form in which the model is fitted: summed up along every window, less the
        window's mean; or as noise that is correlated in time would have it (see `Noise`); or as they are."""
        if self.noise is not None:
            return self.noise.whitened(values)
        return summed(values, self.windows)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """The transpose of `summed`, which is a linear map, of `values` (frames, m)."""
        if self.noise is not None:
            return self.noise.transposed(values)
        return spread(values, self.windows)

    def design(self, neuron: int) -> np.ndarray:
        """The splines at the states of one neuron, (frames, size)."""
        return self.summed(self.spline.design(self.piece[:, neuron], self.x[:, neuron]))

    def toward(self, receivers: np.ndarray, values: np.ndarray) -> np.ndarray:
        """B^T `values` (frames, m) for the own splines B of each of `receivers`: (receivers, size, m)."""
        values = np.ascontiguousarray(self.spread(values))
        return np.concatenate(
            [
                self.spline.toward(self.piece[:, part], self.x[:, part], values)
                for part in (receivers[k : k + _TOGETHER] for k in range(0, len(receivers), _TOGETHER))
            ]
        )

    def own(self, receivers: np.ndarray) -> list[_Own]:
        """The own splines of each of `receivers`."""
        found = []
        for i in receivers:
            B = self.design(i)
            found.append(_Own(B.T @ B, B.T @ self.du[:, i]))
        return found

    def own_values(self, receivers: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
        """The own functions with `coefficients` (size, receivers) at the frames, (frames, receivers)."""
        pieces = self.spline.polynomials(coefficients)
        return self.summed(self.spline.each_at(self.piece[:, receivers], self.x[:, receivers], pieces))

    def messages(self, rows: np.ndarray) -> np.ndarray:
        """What psi's splines send through `rows` (receivers, N): (frames, receivers, size)."""
        return self.summed(self.spline.messages(self.piece, self.x, rows.T))

    def normalised(self, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """psi with psi(0) = 0 (see `Spline.origin`) and root mean square 1, as coefficients and values (frames, N)."""
        c = c - self.spline.values(c, self.spline.origin)[0]
        sent = self.spline.sent_at(self.piece, self.x, self.spline.pieces(c))
        scale = math.sqrt(np.mean(sent**2)) or 1.0
        return c / scale, self.summed(sent / scale)

    def gauged(self, c: np.ndarray, changes: np.ndarray) -> np.ndarray:
        """Small `changes` (size, m) of the normalised psi `c`, less what `normalised` undoes of them."""
        changes = changes - self.spline.values(changes, self.spline.origin)[0]
        sample = self.u[:: max(1, self.frames // 1000)].ravel()
        sent = self.spline.values(c, sample)
        along = sent @ self.spline.values(changes, sample) / max(float(sent @ sent), 1e-300)
        return changes - c[:, None] * along

    def senders_of(self, sent: np.ndarray, receivers: np.ndarray, ratio: float) -> list[_Senders]:
        """The senders of each of `receivers`: one and the same where all edges are allowed."""
        if self.allowed is None:
            plain = _triangular(sent, ratio, self.rough) if self.n > _LARGE else None
            return [plain or _Senders(*_decompose(sent, self.rough), ratio)] * len(receivers)
        return [_Senders(*_decompose(sent[:, self.allowed[i]], self.rough), ratio) for i in receivers]

    def place(self, receiver: int, row: np.ndarray) -> np.ndarray:
        """Weights of the allowed senders of `receiver` as a row over all neurons."""
        if self.allowed is None:
            return row
        whole = np.zeros(self.n)
        whole[self.allowed[receiver]] = row
        return whole


@dataclass
class _Projection:
    """What is left of the chosen receivers once their own functions and their senders are eliminated.

    `parts`: of each, its own splines, their projection on its senders, and the root that `_Own.solved` gives.
    """

    senders: list[_Senders]
    parts: list[tuple[_Own, np.ndarray, np.ndarray]]
    rows: np.ndarray
    error: float
    residual: np.ndarray
    ratio: float


def _project(
    problem: Problem, chosen: np.ndarray, own: list[_Own], sent: np.ndarray, ratio: float, total: float
) -> _Projection:
    y = problem.du[:, chosen]
    senders: list[_Senders] = []
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
        problem.smooth = min(noise / max(bend, 1e-300), _SMOOTH_FIRST * problem.frames)
        update = min(noise / max(prior, 1e-300), senders[0].largest)
        done = abs(math.log(max(update, 1e-300) / max(ratio, 1e-300))) < _SAME
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


def _scores(problem: Problem, chosen: np.ndarray, found: _Projection, free: np.ndarray) -> np.ndarray:
    """The slope of `_curvature` by cluster, (clusters, free)."""
    scores = np.zeros((len(problem.starts), len(free)))
    for k, (J, root, cross, UJ) in enumerate(_jacobians(problem, chosen, found)):
        own = found.senders[k].rest(problem.design(int(chosen[k])), found.parts[k][1]) @ root
        left = found.senders[k].rest(J, UJ) - own @ cross
        scores += np.add.reduceat(left * found.residual[:, k, None], problem.starts, axis=0)
    return scores @ free


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
        psi_root = _psi_root(gram, _scores(problem, descent.chosen, found, free), found.residual, problem)
        few_asked = float(np.mean(solved.noise**2)) <= EXACT * problem.total
        ways = problem.gauged(c, free @ psi_root)
        errors_of_W, inflation, moved = _errors(problem, descent.sent, solved, ways, few_asked)
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
            descent = replace(descent, c=c, sent=-descent.sent)
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


def spread_over(n: int, most: int) -> np.ndarray:
    """At most so many of `n` neurons, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(int))


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
            candidate, left = _rows_for(functions, solved.senders[0], problem)
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


@dataclass
class Solved:
    """Of `receivers`: rows W (receivers, N), phi (size, receivers), the noise and degrees of freedom (receivers,).

    `curvature` says how the squared residual grows around phi; `senders` are the decomposed senders of each.
    """

    receivers: np.ndarray
    W: np.ndarray
    phi: np.ndarray
    curvature: np.ndarray
    noise: np.ndarray
    degrees: np.ndarray
    senders: list[_Senders]


def solve_rows(
    problem: Problem,
    sent: np.ndarray,
    ratio: float,
    receivers: np.ndarray | None = None,
    shared: _Senders | None = None,
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
    listed: list[_Senders] = []
    unexplained = np.empty((0 if shared is None else len(shared.s), count))
    for first in range(0, count, _TOGETHER):
        part = asked[first : first + _TOGETHER]
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


def _psi_root(gram: np.ndarray, scores: np.ndarray, residual: np.ndarray, problem: Problem) -> np.ndarray:
    """A root (free, rank) of the covariance of psi's free coefficients, clusters taken into account by one factor."""
    values, vectors = np.linalg.eigh(gram)
    good = values > 1e-12 * values[-1]
    root = vectors[:, good] / np.sqrt(values[good])
    noise = float(np.mean(residual**2)) * problem.frames / max(problem.free - problem.n - problem.spline.size, 1)
    whitened = scores @ root
    inflation = float((whitened**2).sum() / max(good.sum() * float(np.mean(residual**2)), 1e-300))
    return root * math.sqrt(noise * max(inflation, 1.0))


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


_MOST_RECEIVERS = 400
_STAND_FOR, _STAND_FOR_EXACT = 128, 16
"""Of more receivers than the first, or where what is left is rounding, so many have their errors computed one by one,
and stand for all by the factors that they show."""


class _Jackknife:
    """Residuals of each cluster under the fit that leaves it out, (I - H_gg)^-1 e_g, with the senders' part shared.

    `influence` (senders, frames): what a change of a residual does to the weights, the own part apart.
    """

    def __init__(self, senders: _Senders, influence: np.ndarray, starts: np.ndarray) -> None:
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
        self, own: np.ndarray, cross: np.ndarray, rest: np.ndarray, noise: float, others: np.ndarray
    ) -> float:
        """How many times larger the variance of the weights is than for white residuals of variance `noise`, in the
        mean over the `others` (senders,) bool.

        `own` (frames, r): the receiver's own directions beside its senders, which act on the weights by `cross`
        (senders, r); `rest` (frames,): its residuals.
        """
        seen, white = np.zeros(len(cross)), self.white.copy()
        for block, inverse, turned in zip(self.blocks, self.inverses, self.turned):
            Z, e = own[block], rest[block]
            KZ, Ke = inverse @ Z, inverse @ e
            within = Z.T @ KZ
            core = np.linalg.pinv((1 + 1e-9) * np.eye(len(within)) - within, rcond=1e-10, hermitian=True)
            moved = Ke + KZ @ (core @ (Z.T @ Ke))
            seen += (self.influence[:, block] @ moved - cross @ (Z.T @ moved)) ** 2
            across = Z.T @ turned
            left = across.T - cross @ within
            white += (left @ core * left).sum(1) + (cross @ within * cross).sum(1) - 2 * (cross.T * across).sum(0)
        return float(np.mean(seen[others] / np.maximum(noise * white[others], 1e-300)))


def standardised(residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Residuals (frames, m) less their means, in units of their standard deviations, and these (m,)."""
    size = residual.std(0)
    return (residual - residual.mean(0)) / np.where(size > 0, size, 1.0), size


def autocorrelation(residual: np.ndarray, stretches: np.ndarray) -> np.ndarray:
    """The autocorrelation of residuals (frames, m), which is pooled over them, at lags from 1 on, tapered to 0.

    Pairs lie within `stretches` (frames,), runs of equal numbers. The last lag is twice the first one after which five
    in a row are what white noise may show (Politis 2003); there are none where the first five are.
    """
    scaled = standardised(residual)[0]
    longest = int(np.diff(np.r_[starts_of(stretches), len(stretches)]).max())
    found: list[float] = []
    quiet, end = 0, 0
    for lag in range(1, longest // 2):
        pairs = stretches[lag:] == stretches[:-lag]
        count = int(pairs.sum())
        if count < 100:
            break
        found.append(float(np.mean((scaled[lag:] * scaled[:-lag]).mean(1)[pairs])))
        quiet = quiet + 1 if abs(found[-1]) < 2 * math.sqrt(math.log10(count) / count) else 0
        if quiet == _QUIET:
            break
        end = lag if quiet == 0 else end
        if len(found) >= 2 * end + _QUIET:
            break
    return np.array(found)[: 2 * end] * _taper(2 * end)[: len(found)]


def _taper(count: int) -> np.ndarray:
    """The weights of so many autocorrelations: 1 up to half of them, and then along a line to 0."""
    return np.clip(2 * (1 - np.arange(1, count + 1) / (count + 1)), 0.0, 1.0)


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
        splines = _Own(B.T @ B, np.zeros(B.shape[1]))
        _, root = splines.solved(UB, np.zeros(len(UB)), senders.kept, problem.spline.roughness, problem.smooth)
        fits.append((senders, senders.rest(B, UB) @ root))
    rng = np.random.Generator(np.random.PCG64(19))
    drawn = np.fft.rfft(rng.standard_normal((total, _DRAWN * len(fits))), axis=0)
    taper, count = _taper(len(lags)), np.arange(1, len(lags) + 1)

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


LASTS, _ALIKE = 0.3, 0.1
"""The autocorrelation of residuals from frame to frame from which that of the noise is sought behind them, and how far
what it shows may be off, in the root mean square."""

FITTED, _DRAWN, _TRIED = 4, 8, 40
"""Receivers whose regressors are taken, series of noise drawn for each, and how many shapes of noise are tried."""


def shrunk(values: np.ndarray, sampling: float) -> np.ndarray:
    """Positive `values` moved to their geometric mean as far as chance alone explains how they scatter.

    `sampling` is the variance of the logarithm that chance gives each (empirical Bayes, Efron and Morris 1975).
    """
    logs = np.log(np.maximum(values, 1e-300))
    between = max(float(logs.var(ddof=1)) - sampling, 0.0) if len(logs) > 1 else 0.0
    centre = math.log(max(float(np.mean(values)), 1e-300))
    return np.exp(centre + between / (between + sampling) * (logs - centre))


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


_QUIET, _LEAST_SHAPE = 5, 0.2
_LEAST_INFLATION = 0.1
"""Where what is left is rounding: in differences it turns back in the next frame, and hardly moves slow senders. How
much it does is told by its autocorrelation, which all receivers show; the few blocks of one may show less by chance."""

_APART = 0.1


@dataclass(frozen=True)
class _Marginal:
    """Of one receiver's weights (senders,): the variance `inner` with phi marginalised, before clusters inflate it, and
    the variance `outer` that psi and repeated functions add; the `inflation`, and the `least` that it may be where what
    is left is rounding; how many times as large as without marginalising the two are in the `grown` median; and the
    share of senders that are `moved` (see `_moved`)."""

    inner: np.ndarray
    outer: np.ndarray
    inflation: float
    least: float
    grown: float
    moved: float


def _errors(
    problem: Problem, sent: np.ndarray, solved: Solved, psi_root: np.ndarray, exact: bool
) -> tuple[np.ndarray, np.ndarray, float]:
    """Standard errors of W (N, N) with phi and psi marginalised, the inflation by clusters (N,), and the median share
    of senders whose weights can be moved along with a receiver's own function.

    The inflation is that of the cluster jackknife (CR3, Bell and McCaffrey 2002), relative to what that gives for
    white residuals, and pooled over the senders of a receiver. Noise that is slow matters more for slow senders, so it
    is shared out among them as the autocorrelation of all residuals demands (Newey and West 1987), and it costs more
    degrees of freedom. Along weights that make up a function of the receiver itself W is known no better than weights
    are alike.
    """
    n = problem.n
    asked = min(n, _STAND_FOR_EXACT) if exact else n if n <= _MOST_RECEIVERS else _STAND_FOR
    chosen = spread_over(n, asked)
    clustered = len(problem.starts) < problem.frames
    residual = problem.du[:, chosen] - problem.own_values(chosen, solved.phi[:, chosen]) - sent @ solved.W[chosen].T
    lags = autocorrelation(residual, problem.stretches) if clustered else np.empty(0)
    if not exact and len(lags) and lags[0] > LASTS:
        lags = _behind(lags, problem, solved)
    within, beside = np.zeros((n, n)), np.zeros((n, n))
    inflation, least, grown, moved = np.full((4, n), np.nan)
    for i, found in _marginals(problem, solved, psi_root, chosen, residual, lags, clustered):
        within[i], beside[i] = problem.place(int(i), found.inner), problem.place(int(i), found.outer)
        inflation[i], least[i], grown[i], moved[i] = found.inflation, found.least, found.grown, found.moved
    if clustered:
        floor = least[chosen] if exact else 1.0
        inflation[chosen] = shrunk(np.maximum(inflation[chosen], floor), 2 / len(problem.starts))
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


def _taken(directions: np.ndarray, lags: np.ndarray, problem: Problem) -> float:
    """How many degrees of freedom more a fit along orthogonal `directions` (frames, r) takes of noise with the
    autocorrelation `lags` than of white noise: the trace of its projection times the noise's correlations (Theil 1971).
    """
    taken = 0.0
    for lag, share in enumerate(lags, start=1):
        together = problem.stretches[lag:] == problem.stretches[:-lag]
        taken += 2 * share * float(np.einsum("tj,tj,t->", directions[lag:], directions[:-lag], together))
    return taken


def _marginals(
    problem: Problem,
    solved: Solved,
    psi_root: np.ndarray,
    chosen: np.ndarray,
    residual: np.ndarray,
    lags: np.ndarray,
    clustered: bool,
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
                jackknife = _Jackknife(senders, influence, problem.starts) if clustered else None
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
    """See `_Marginal`; `UB`: the receiver's own splines on its senders; `sway` (frames, m): how much psi's uncertainty
    moves its messages; `rest` (frames,): its residuals; `shaped`: see `_of_senders`; `usual`: the mean square of a
    weight; `taken`: what its senders take of the noise beyond their number (see `_taken`), by which at most half of the
    degrees of freedom are lost."""
    senders, B, y = solved.senders[receiver], problem.design(receiver), problem.du[:, receiver]
    shape, least = shaped
    splines = _Own(B.T @ B, B.T @ y)
    _, root = splines.solved(UB, senders.U.T @ y, senders.kept, problem.spline.roughness, problem.smooth)
    own = senders.rest(B, UB) @ root
    cross = senders.solver @ (UB @ root)
    degrees = solved.degrees[receiver]
    degrees -= min(max(taken + _taken(own, lags, problem), 0.0), degrees / 2)
    noise = solved.noise[receiver] ** 2 * problem.frames / solved.degrees[receiver]
    others = np.arange(problem.n) != receiver if problem.allowed is None else np.ones(len(cross), bool)
    inflation = 1.0 if jackknife is None else jackknife.inflation(own, cross, rest, noise, others)
    inner = noise * shape * (senders.spread + (cross**2).sum(1)) * solved.degrees[receiver] / degrees
    outer = ((senders.solver @ (senders.U.T @ sway) - cross @ (own.T @ sway)) ** 2).sum(1)
    alike = senders.solver @ (UB @ splines.repeated(UB, senders.kept))
    alike /= np.maximum(np.linalg.norm(alike, axis=0), 1e-300)
    outer += usual * (alike**2).sum(1)
    grown = float(np.median((inner + outer) / np.maximum(noise * shape * senders.spread, 1e-300)))
    return _Marginal(inner, outer, inflation, least, grown, _moved(alike[others]))


def _moved(alike: np.ndarray) -> float:
    """How many senders the weights `alike` (senders, m) that make up a receiver's own function involve, as a share.

    One that is always saturated makes up a constant alone; where states have a sum that never changes, all do together.
    """
    left, size, _ = np.linalg.svd(alike, full_matrices=False)
    part = (left[:, size > _APART] ** 2).sum(1)
    return float(part.sum() ** 2 / max(float(part @ part), 1e-300)) / max(len(part), 1)


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
