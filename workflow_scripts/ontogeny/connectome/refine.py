"""Gauss-Newton refinement of a recovered connectome, in float64.

The model du_i/dt = phi_i(u_i) + sum_j W_ij psi(u_j) is linear in W and phi_i once psi is known. psi is a spline with a
few dozen coefficients, so W and all phi_i are eliminated exactly (variable projection, Golub & Pereyra 1973, with
Kaufman's Jacobian) and Gauss-Newton runs on psi alone, on a few receiving neurons: psi is the same for all. A last
linear solve gives every row of W. On noise-free activity it converges quadratically to the noise floor of the data.

The rows have a Gaussian prior whose variance is estimated together with that of the noise (MacKay 1992), which keeps
directions that the activity does not visit from blowing up; its effect vanishes where the data decide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
import scipy.linalg
from scipy.interpolate import BSpline

_CUT = 1e-14
_SMOOTH = 1e-12


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

    `residuals` holds the relative root mean square residual at every step, `noise` the final one of each neuron.
    """

    W: np.ndarray
    standard_errors: np.ndarray
    psi: np.ndarray
    phi: np.ndarray
    spline: Spline
    residuals: list[float]
    noise: np.ndarray


@dataclass
class _Senders:
    """The singular value decomposition of the senders' matrix psi(u), and the shrinkage of the prior."""

    U: np.ndarray
    s: np.ndarray
    V: np.ndarray
    shrink: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        return self.s**2 / (self.s**2 + self.shrink)

    def weights(self, projected: np.ndarray) -> np.ndarray:
        """Rows of W (receivers, N) for targets whose projections U^T y are `projected` (N, receivers)."""
        return ((self.V * (self.s / (self.s**2 + self.shrink))) @ projected).T


def _decompose(sent: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    Q, R = scipy.linalg.qr(sent, mode="economic", overwrite_a=False, check_finite=False)
    left, s, right = scipy.linalg.svd(R, check_finite=False)
    return Q @ left, s, right.T


def _own_part(
    B: np.ndarray, UB: np.ndarray, y: np.ndarray, Uy: np.ndarray, kept: np.ndarray, roughness: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (size,) of one neuron's own spline once the senders are eliminated, and a pseudo-inverse root."""
    own = B.T @ B
    gram = own - (UB.T * kept) @ UB + _SMOOTH * np.trace(own) * roughness
    values, vectors = np.linalg.eigh(gram)
    good = values > _CUT * np.trace(own)
    root = vectors[:, good] / np.sqrt(values[good])
    return root @ (root.T @ (B.T @ y - UB.T @ (kept * Uy))), root


def _rows_for(
    phi: np.ndarray, senders: _Senders, spline: Spline, u: np.ndarray, du: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """W (N, N) given the update functions `phi` (size, N), and the root mean square residual of each neuron."""
    rest = du - spline.each(spline.polynomials(phi), u)
    projected = senders.U.T @ rest
    rest -= senders.U @ (senders.kept[:, None] * projected)
    return senders.weights(projected), np.sqrt(np.mean(rest**2, axis=0))


def refine(
    u: np.ndarray,
    du: np.ndarray,
    psi: tuple[np.ndarray, np.ndarray],
    *,
    seed: int = 0,
    receivers: int = 24,
    rounds: int = 4,
    splines: int = 48,
    max_steps: int = 25,
    progress: object = None,
) -> Refined:
    """Refine psi, W and phi on frames `u`, `du` (frames, N), starting from psi given as (points, values).

    Gauss-Newton runs on `receivers` neurons drawn with `seed`, and then, up to `rounds` times, on those that the rest
    is fitted worst by; frames should number several times N. Steps that would
    raise the residual are damped (Levenberg-Marquardt). It ends when a step changes the residual by less than 0.1%.
    """
    u, du = np.asarray(u, np.float64), np.asarray(du, np.float64)
    frames, n = u.shape
    rng = np.random.Generator(np.random.PCG64(seed))
    size = max(abs(u.min()), abs(u.max()), 1e-12)
    low, high = u.min() - 1e-6 * size, u.max() + 1e-6 * size
    spline = Spline(low, high, math.sqrt(np.mean(u**2)) / 8 + 1e-12, splines)
    piece, x = spline.place(u)
    total = float(np.mean((du - du.mean(0)) ** 2)) or 1.0
    c = spline.fit(*psi)
    chosen = np.sort(rng.choice(n, min(receivers, n), replace=False))
    own: list[np.ndarray] = []
    y = du[:, chosen]

    def normalise(c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        c = c - spline.values(c, np.zeros(1))[0]
        sent = _sent(piece, x, np.einsum("kmp,km->kp", spline.local, _windows(c, spline)))
        scale = math.sqrt(np.mean(sent**2)) or 1.0
        return c / scale, sent / scale

    def project(sent: np.ndarray, ratio: float) -> tuple[_Senders, list, np.ndarray, float]:
        U, s, V = _decompose(sent)
        senders = _Senders(U, s, V, np.full(len(s), ratio))
        Uy = U.T @ y
        UB = [U.T @ B for B in own]
        for _ in range(3):
            parts, rows, residual = [], np.empty((len(chosen), n)), np.empty_like(y)
            for k, B in enumerate(own):
                beta, root = _own_part(B, UB[k], y[:, k], Uy[:, k], senders.kept, spline.roughness)
                parts.append((beta, root))
                rest = Uy[:, k] - UB[k] @ beta
                rows[k] = senders.weights(rest[:, None])[0]
                residual[:, k] = y[:, k] - B @ beta - U @ (senders.kept * rest)
            free = senders.kept.sum()
            noise = float((residual**2).sum() / max(len(chosen) * (frames - free - spline.size), 1))
            prior = float((rows**2).sum() / max(len(chosen) * free, 1e-12))
            update = min(noise / max(prior, 1e-300), s[0] ** 2)
            done = abs(math.log(max(update, 1e-300) / max(ratio, 1e-300))) < 0.3
            ratio = update
            senders = _Senders(U, s, V, np.full(len(s), ratio))
            if done:
                break
        kept = [(B, UB[k], *parts[k]) for k, B in enumerate(own)]
        return senders, kept, rows, math.sqrt(float(np.mean(residual**2)) / total), residual, ratio

    errors: list[float] = []
    for _ in range(rounds):
        own[:] = [_design(piece[:, i], x[:, i], spline.local, spline.size) for i in chosen]
        y = du[:, chosen]
        c, sent = normalise(c)
        senders, parts, rows, error, residual, ratio = project(sent, 1e-8 * frames)
        errors.append(error)
        damping = 1e-10
        for _ in range(max_steps):
            rows[np.arange(len(chosen)), chosen] = 0
            messages = _messages(piece, x, spline.local, spline.size, np.ascontiguousarray(rows.T))
            gram, slope = np.zeros((spline.size, spline.size)), np.zeros(spline.size)
            for k, (B, UB, _, root) in enumerate(parts):
                J = np.ascontiguousarray(messages[:, :, k])
                UJ = senders.U.T @ J
                cross = (B.T @ J - (UB.T * senders.kept) @ UJ).T @ root
                gram += J.T @ J - (UJ.T * senders.kept) @ UJ - cross @ cross.T
                slope += J.T @ residual[:, k]
            better = False
            # Neither psi's scale nor a constant in it changes the residual: steps leave both alone.
            free = scipy.linalg.null_space(np.stack([c, np.ones(spline.size)]))
            gram, slope = free.T @ gram @ free, free.T @ slope
            for _ in range(6):
                values, vectors = np.linalg.eigh(gram + damping * np.diag(np.diag(gram)))
                good = values > 1e-12 * values[-1]
                step = free @ (vectors[:, good] @ ((vectors[:, good].T @ slope) / values[good]))
                trial, sent = normalise(c + step)
                found = project(sent, ratio)
                if found[3] < error:
                    better = True
                    break
                damping = max(damping * 100, 1e-8)
            if not better:
                break
            c, previous = trial, error
            senders, parts, rows, error, residual, ratio = found
            errors.append(error)
            damping = max(damping / 100, 1e-12)
            if progress is not None:
                progress(len(errors), error)
            if previous - error < 1e-3 * previous:
                break
        c, sent = normalise(c)
        if np.corrcoef(u[:: max(1, frames // 2000)].ravel(), sent[:: max(1, frames // 2000)].ravel())[0, 1] < 0:
            c, sent = -c, -sent
            senders.V = -senders.V
        phi, curvature = np.empty((spline.size, n)), np.empty((n, spline.size, spline.size))
        Uy = senders.U.T @ du
        block = max(1, 2**24 // (frames * spline.size))
        for first in range(0, n, block):
            members = range(first, min(first + block, n))
            B = np.concatenate([_design(piece[:, i], x[:, i], spline.local, spline.size) for i in members], axis=1)
            UB = senders.U.T @ B
            for k, i in enumerate(members):
                part = slice(k * spline.size, (k + 1) * spline.size)
                mine, projected = B[:, part], UB[:, part]
                curvature[i] = mine.T @ mine - (projected.T * senders.kept) @ projected
                phi[:, i], _ = _own_part(mine, projected, du[:, i], Uy[:, i], senders.kept, spline.roughness)

        W, noise = _rows_for(phi, senders, spline, u, du)
        # psi far out is seen only through the few senders that go there: take in receivers that it does not fit yet.
        if noise.max() < 5 * np.median(noise) or len(chosen) == n:
            break
        worst = np.argsort(-noise, kind="stable")[: receivers // 2]
        chosen = np.union1d(worst, rng.choice(n, min(receivers - len(worst), n), replace=False))
    shared = share_functions(phi, curvature, noise**2 * frames, c)
    if shared is not None:
        functions, confined = shared
        candidate, left = _rows_for(functions, senders, spline, u, du)
        confined &= left < 3 * noise
        phi, W = np.where(confined, functions, phi), np.where(confined[:, None], candidate, W)
        noise = np.where(confined, left, noise)
    phi = phi + np.diag(W) * c[:, None]
    np.fill_diagonal(W, 0)
    spread = np.sqrt((senders.V**2 / (senders.s**2 + senders.shrink)).sum(1))
    return Refined(W, np.outer(noise, spread), c, phi, spline, errors, noise)


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
        misfit, found = np.inf, None
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
