"""Functions as splines, at the states of all frames at once, and sums along windows, in compiled code."""

from __future__ import annotations

import math

import numpy as np
import scipy.linalg
from scipy.interpolate import BSpline

from ontogeny.compilation import compiled


def starts_of(numbers: np.ndarray) -> np.ndarray:
    """Where runs of equal numbers begin."""
    return np.r_[0, np.flatnonzero(np.diff(numbers)) + 1]


class Spline:
    """B-splines of degree 5 on `low`..`high`, knots dense around `centre` (equal steps in asinh((u - centre) / scale)).

    Functions are vectors of `size` coefficients; outside the range they go on as polynomials of the last piece.
    """

    degree = 5

    def __init__(self, low: float, high: float, scale: float, size: int = 48, centre: float = 0.0) -> None:
        pieces = size - self.degree
        ends = math.asinh((low - centre) / scale), math.asinh((high - centre) / scale)
        inner = centre + scale * np.sinh(np.linspace(*ends, pieces + 1))
        inner[0], inner[-1] = low, high
        self.size, self.breaks = size, inner
        self.knots = np.r_[[low] * self.degree, inner, [high] * self.degree]
        basis = BSpline(self.knots, np.eye(size), self.degree)
        self.local = np.empty((pieces, self.degree + 1, self.degree + 1))
        for power in range(self.degree + 1):
            taylor = (basis.derivative(power) if power else basis)(inner[:-1]) / math.factorial(power)
            for k in range(pieces):
                self.local[k, :, self.degree - power] = taylor[k, k : k + self.degree + 1]
        """(pieces, degree + 1 splines, degree + 1 powers from the highest)."""
        places = np.array([self.knots[k + 1 : k + self.degree + 1].mean() for k in range(size)])
        gap = np.diff(places)
        bend = np.zeros((size - 2, size))
        for k in range(size - 2):
            bend[k, k : k + 3] = gap[k + 1], -(gap[k] + gap[k + 1]), gap[k]
            bend[k] /= gap[k] + gap[k + 1]
        self.roughness = bend.T @ bend
        """(size, size): a quadratic form that is 0 for straight lines."""

    def place(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The piece in which each `u` lies (int16), and its distance from the left end of the piece."""
        piece = (np.searchsorted(self.breaks, u, side="right") - 1).clip(0, len(self.breaks) - 2).astype(np.int16)
        return piece, u - self.breaks[piece]

    @property
    def origin(self) -> np.ndarray:
        """Where psi is 0, (1,): at 0, or at the end of the range that is nearest to it."""
        return self.within(np.zeros(1))

    def within(self, u: np.ndarray) -> np.ndarray:
        """`u` in float64, moved to the ends of the range where it lies beyond: polynomials run away there."""
        return np.clip(np.asarray(u, np.float64), self.breaks[0], self.breaks[-1])

    def lines(self, coefficients: np.ndarray, u: np.ndarray) -> np.ndarray:
        """As `values`, with straight lines beyond the range, which go on as the last twentieth of it."""
        inside = self.within(u)
        low, high = self.breaks[0], self.breaks[-1]
        part = 0.05 * (high - low)
        first, second, third, last = self.values(coefficients, np.array([low, low + part, high - part, high]))
        beyond = (np.asarray(u, np.float64) - inside).reshape(np.shape(u) + (1,) * (np.ndim(coefficients) - 1))
        slope = np.where(beyond < 0, (second - first) / part, (last - third) / part)
        return self.values(coefficients, inside) + beyond * slope

    def values(self, coefficients: np.ndarray, u: np.ndarray) -> np.ndarray:
        """The spline with `coefficients` (size,) or (size, functions) at `u` (any shape): u.shape (+ functions)."""
        u = np.asarray(u, dtype=np.float64)
        if np.ndim(coefficients) == 1:
            piece, x = self.place(u.reshape(1, -1))
            return self.sent_at(piece, x, self.pieces(coefficients)).reshape(u.shape)
        flat = self.design(*self.place(u.ravel())) @ coefficients
        return flat.reshape(u.shape + np.shape(coefficients)[1:])

    def pieces(self, coefficients: np.ndarray) -> np.ndarray:
        """The pieces of one function (size,) as polynomials: (pieces, degree + 1)."""
        acting = np.lib.stride_tricks.sliding_window_view(coefficients, self.degree + 1)
        return np.einsum("kmp,km->kp", self.local, acting)

    def polynomials(self, coefficients: np.ndarray) -> np.ndarray:
        """The pieces of functions (size, functions) as polynomials: (pieces, functions, degree + 1)."""
        return np.stack(
            [local.T @ coefficients[k : k + self.degree + 1] for k, local in enumerate(self.local)]
        ).swapaxes(1, 2)

    def each(self, polynomials: np.ndarray, u: np.ndarray) -> np.ndarray:
        """Function n at u[..., n], for u (frames, functions) and the result of `polynomials`."""
        return self.each_at(*self.place(u), polynomials)

    def both(self, own: np.ndarray, common: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Function n at u[..., n] as in `each`, and one function of all at the same `u` (frames, functions), from the
        results `own` of `polynomials` and `common` of `pieces`."""
        piece, x = self.place(u)
        return self.each_at(piece, x, own), self.sent_at(piece, x, common)

    def fit(self, u: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Least-squares coefficients of the function with `values` (points,) at `u` (points,)."""
        return scipy.linalg.lstsq(self.design(*self.place(u)), values)[0]

    def design(self, piece: np.ndarray, x: np.ndarray) -> np.ndarray:
        """All splines where `place` says that one neuron is, (frames, size)."""
        return _design(piece, x, self.local, self.size)

    def each_at(self, piece: np.ndarray, x: np.ndarray, polynomials: np.ndarray) -> np.ndarray:
        """As `each`, where `place` says that neurons are."""
        return _each(piece, x, np.ascontiguousarray(polynomials))

    def sent_at(self, piece: np.ndarray, x: np.ndarray, pieces: np.ndarray) -> np.ndarray:
        """One function, the result of `pieces`, where `place` says that neurons are."""
        return _each(piece, x, pieces[:, None])

    def messages(self, piece: np.ndarray, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """sum_j weights[j, n] b_k(u_j(t)) for every frame t, receiver n and spline k: (frames, receivers, size)."""
        return _messages(piece, x, self.local, self.size, np.ascontiguousarray(weights))

    def toward(self, piece: np.ndarray, x: np.ndarray, values: np.ndarray) -> np.ndarray:
        """sum_t b_k(u_i(t)) values[t] for every receiver i and spline k: (receivers, size, columns of values)."""
        return _toward(piece, x, self.local, self.size, values)


def centre_of(u: np.ndarray) -> float:
    """0, or, where that is not between the quartiles of the states `u` (frames, N), their median."""
    low, middle, high = np.quantile(u[:: max(1, len(u) // 500)], [0.25, 0.5, 0.75])
    return 0.0 if low <= 0 <= high else float(middle)


@compiled(nogil=True)
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


@compiled(nogil=True)
def _each(piece: np.ndarray, x: np.ndarray, polynomials: np.ndarray) -> np.ndarray:
    """Function n, or the only one there is, at the places of column n: `polynomials` (pieces, functions, powers)."""
    out = np.empty(x.shape)
    functions, powers = polynomials.shape[1], polynomials.shape[2]
    for t in range(x.shape[0]):
        for j in range(x.shape[1]):
            k, n = piece[t, j], j if functions > 1 else 0
            value = polynomials[k, n, 0]
            for p in range(1, powers):
                value = value * x[t, j] + polynomials[k, n, p]
            out[t, j] = value
    return out


@compiled(nogil=True, fastmath=True)
def _messages(piece: np.ndarray, x: np.ndarray, local: np.ndarray, size: int, weights: np.ndarray) -> np.ndarray:
    """See `Spline.messages`."""
    frames, neurons = x.shape
    orders, powers = local.shape[1], local.shape[2]
    receivers = weights.shape[1]
    out = np.empty((frames, receivers, size))
    sums = np.empty((size, receivers))
    for t in range(frames):
        sums[:] = 0
        for j in range(neurons):
            k = piece[t, j]
            for m in range(orders):
                value = local[k, m, 0]
                for p in range(1, powers):
                    value = value * x[t, j] + local[k, m, p]
                for n in range(receivers):
                    sums[k + m, n] += value * weights[j, n]
        out[t] = sums.T
    return out


def summed(values: np.ndarray, windows: np.ndarray | None) -> np.ndarray:
    """`values` (rows, ...) summed up along every window, a run of equal numbers in `windows` (rows,), less the window's
    mean; as they are where there are none."""
    if windows is None:
        return values
    return _summed(np.ascontiguousarray(values).reshape(len(values), -1), starts_of(windows)).reshape(values.shape)


def spread(values: np.ndarray, windows: np.ndarray | None) -> np.ndarray:
    """The transpose of `summed`, which is a linear map, of `values` (rows, m)."""
    return values if windows is None else _spread(values, starts_of(windows))


@compiled(nogil=True)
def _summed(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """`values` (rows, m) summed up along the windows that begin at `starts`, less the windows' means."""
    out = np.empty(values.shape)
    for window in range(len(starts)):
        first, end = starts[window], starts[window + 1] if window + 1 < len(starts) else len(values)
        sums, mean = np.zeros(values.shape[1]), np.zeros(values.shape[1])
        for t in range(first, end):
            sums += values[t]
            out[t] = sums
            mean += sums
        mean /= end - first
        out[first:end] -= mean
    return out


@compiled(nogil=True)
def _spread(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The transpose of `_summed`, which is a linear map."""
    out = np.empty(values.shape)
    for window in range(len(starts)):
        first, end = starts[window], starts[window + 1] if window + 1 < len(starts) else len(values)
        sums, mean = np.zeros(values.shape[1]), np.zeros(values.shape[1])
        for t in range(first, end):
            mean += values[t]
        mean /= end - first
        for t in range(end - 1, first - 1, -1):
            sums += values[t]
            sums -= mean
            out[t] = sums
    return out


_COLUMNS, _CHUNK = 256, 512


@compiled(nogil=True, fastmath=True)
def _toward(piece: np.ndarray, x: np.ndarray, local: np.ndarray, size: int, values: np.ndarray) -> np.ndarray:
    """See `Spline.toward`.

    Six splines act on a frame, so this takes a small part of a product with the whole design. Frames come in chunks
    that stay in the cache for all receivers, and those of a chunk on which the same six act are taken four at a time.
    """
    frames, columns = values.shape
    receivers = piece.shape[1]
    pieces, orders, powers = local.shape
    out = np.zeros((receivers, size, columns))
    basis = np.empty((_CHUNK, orders))
    order = np.empty(_CHUNK, np.int32)
    ends = np.empty(pieces + 1, np.int32)
    for start in range(0, frames, _CHUNK):
        stop = min(frames, start + _CHUNK)
        for i in range(receivers):
            ends[:] = 0
            for t in range(start, stop):
                ends[piece[t, i] + 1] += 1
            for k in range(pieces):
                ends[k + 1] += ends[k]
            free = ends.copy()
            for t in range(start, stop):
                k = piece[t, i]
                place = free[k]
                free[k] += 1
                order[place] = t
                for m in range(orders):
                    value = local[k, m, 0]
                    for p in range(1, powers):
                        value = value * x[t, i] + local[k, m, p]
                    basis[place, m] = value
            for first in range(0, columns, _COLUMNS):
                last = min(columns, first + _COLUMNS)
                for k in range(pieces):
                    rows = out[i, k : k + 6, first:last]
                    r0, r1, r2, r3, r4, r5 = rows[0], rows[1], rows[2], rows[3], rows[4], rows[5]
                    at, end = ends[k], ends[k + 1]
                    while at + 4 <= end:
                        a, b, c, d = basis[at], basis[at + 1], basis[at + 2], basis[at + 3]
                        p0, p1 = values[order[at], first:last], values[order[at + 1], first:last]
                        p2, p3 = values[order[at + 2], first:last], values[order[at + 3], first:last]
                        a0, a1, a2, a3, a4, a5 = a[0], a[1], a[2], a[3], a[4], a[5]
                        b0, b1, b2, b3, b4, b5 = b[0], b[1], b[2], b[3], b[4], b[5]
                        c0, c1, c2, c3, c4, c5 = c[0], c[1], c[2], c[3], c[4], c[5]
                        d0, d1, d2, d3, d4, d5 = d[0], d[1], d[2], d[3], d[4], d[5]
                        for q in range(last - first):
                            v0, v1, v2, v3 = p0[q], p1[q], p2[q], p3[q]
                            r0[q] += a0 * v0 + b0 * v1 + c0 * v2 + d0 * v3
                            r1[q] += a1 * v0 + b1 * v1 + c1 * v2 + d1 * v3
                            r2[q] += a2 * v0 + b2 * v1 + c2 * v2 + d2 * v3
                            r3[q] += a3 * v0 + b3 * v1 + c3 * v2 + d3 * v3
                            r4[q] += a4 * v0 + b4 * v1 + c4 * v2 + d4 * v3
                            r5[q] += a5 * v0 + b5 * v1 + c5 * v2 + d5 * v3
                        at += 4
                    while at < end:
                        a, p0 = basis[at], values[order[at], first:last]
                        a0, a1, a2, a3, a4, a5 = a[0], a[1], a[2], a[3], a[4], a[5]
                        for q in range(last - first):
                            v0 = p0[q]
                            r0[q] += a0 * v0
                            r1[q] += a1 * v0
                            r2[q] += a2 * v0
                            r3[q] += a3 * v0
                            r4[q] += a4 * v0
                            r5[q] += a5 * v0
                        at += 1
    return out


__all__ = ["Spline", "centre_of", "spread", "starts_of", "summed"]
