"""The rows of every receiver and what is known of them: the linear problem that psi leaves, and its solution."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ontogeny.connectome.noise import Noise
from ontogeny.connectome.senders import Senders, decompose, triangular
from ontogeny.connectome.splines import Spline, spread, starts_of, summed

TOGETHER = 32
"""Receivers that are worked on at once."""

SMOOTH_FIRST = 1e-3
"""The first ratio of the variance of the noise to that of the bends of the neurons' own functions."""

_CUT, _SMOOTH = 1e-14, 1e-12
_MOST_CLUSTERS = 50
_MOVING, _REPEATED = 1e-6, 1e-9
_LARGE = 300
"""Senders beyond which singular values are done without, where that changes little (see `senders.triangular`)."""


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
        self.smooth = SMOOTH_FIRST * self.frames
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

    @property
    def clustered(self) -> bool:
        """Whether clusters have more than a frame each."""
        return len(self.starts) < self.frames

    @property
    def clusters(self) -> np.ndarray:
        """Where clusters begin, or, where each frame is one, as many runs of frames as there may be at once."""
        return self.starts if self.clustered else self.starts[:: -(-self.frames // _MOST_CLUSTERS)]

    def design(self, neuron: int) -> np.ndarray:
        """The splines at the states of one neuron, (frames, size)."""
        return self.summed(self.spline.design(self.piece[:, neuron], self.x[:, neuron]))

    def toward(self, receivers: np.ndarray, values: np.ndarray) -> np.ndarray:
        """B^T `values` (frames, m) for the own splines B of each of `receivers`: (receivers, size, m)."""
        values = np.ascontiguousarray(self.spread(values))
        return np.concatenate(
            [
                self.spline.toward(self.piece[:, part], self.x[:, part], values)
                for part in (receivers[k : k + TOGETHER] for k in range(0, len(receivers), TOGETHER))
            ]
        )

    def own(self, receivers: np.ndarray) -> list[Own]:
        """The own splines of each of `receivers`."""
        found = []
        for i in receivers:
            B = self.design(i)
            found.append(Own(B.T @ B, B.T @ self.du[:, i]))
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

    def senders_of(self, sent: np.ndarray, receivers: np.ndarray, ratio: float) -> list[Senders]:
        """The senders of each of `receivers`: one and the same where all edges are allowed."""
        if self.allowed is None:
            plain = triangular(sent, ratio, self.rough) if self.n > _LARGE else None
            return [plain or Senders(*decompose(sent, self.rough), ratio)] * len(receivers)
        return [Senders(*decompose(sent[:, self.allowed[i]], self.rough), ratio) for i in receivers]

    def place(self, receiver: int, row: np.ndarray) -> np.ndarray:
        """Weights of the allowed senders of `receiver` as a row over all neurons."""
        if self.allowed is None:
            return row
        whole = np.zeros(self.n)
        whole[self.allowed[receiver]] = row
        return whole


@dataclass
class Own:
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


def rows_for(phi: np.ndarray, senders: Senders, problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """W (N, N) given the update functions `phi` (size, N), and the root mean square residual of each neuron."""
    rest = problem.du - problem.own_values(np.arange(problem.n), phi)
    projected = senders.U.T @ rest
    return senders.weights(projected), np.sqrt(np.mean(senders.rest(rest, projected) ** 2, axis=0))


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
    senders: list[Senders]


def spread_over(n: int, most: int) -> np.ndarray:
    """At most so many of `n` neurons, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(int))
