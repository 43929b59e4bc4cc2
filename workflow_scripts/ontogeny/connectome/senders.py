"""What is sent to a receiver, decomposed once, so that any of its problems is solved by a few products.

The rows of the weights have a Gaussian prior, which shrinks directions of the senders that the activity hardly visits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.linalg

_ROUGH, _ORTHOGONAL, _ORTHONORMAL = 1e-6, 1e-3, 1e-9
_NO_PRIOR, SAME = 0.05, 0.3
"""Singular values are done without where the prior takes fewer degrees of freedom than the first, or changes by a
smaller factor than what has the second as its logarithm."""


@dataclass
class Senders:
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
class _Triangular(Senders):
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
        return most < _NO_PRIOR or abs(math.log(shrink / self.built)) <= SAME

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


def triangular(sent: np.ndarray, shrink: float, rough: bool) -> _Triangular | None:
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


def decompose(sent: np.ndarray, rough: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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
