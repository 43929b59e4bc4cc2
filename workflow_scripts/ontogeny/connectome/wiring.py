"""Two connectivity matrices compared."""

from __future__ import annotations

import math

import numpy as np

from ontogeny.errors import OntogenyError


def off_diagonal(learned: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The entries of two square matrices off their diagonals, in float64, each flat.

    Raises OntogenyError for matrices that are not square and of one shape.
    """
    learned, true = np.asarray(learned, np.float64), np.asarray(true, np.float64)
    if learned.shape != true.shape or true.ndim != 2 or true.shape[0] != true.shape[1]:
        raise OntogenyError(
            f"learned W has shape {learned.shape} and the true W {true.shape}: expected two equal squares"
        )
    off = ~np.eye(len(true), dtype=bool)
    return learned[off], true[off]


def connectivity_r2(learned: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Agreement of a learned W (N, N) with the true one, diagonal left out.

    psi's scale trades against W's, so a single scale k is fitted first: `connectivity_R2` is 1 - sum (w - k l)^2 /
    sum (w - mean w)^2 with the least-squares k, over all pairs (true w, learned l). `slope` is that of the line
    through 0 that predicts l from w; `connectivity_pearson` the correlation.

    Raises OntogenyError if the true W is the same everywhere.
    """
    l, w = off_diagonal(learned, true)  # noqa: E741
    spread = float(((w - w.mean()) ** 2).sum())
    if spread == 0:
        raise OntogenyError("the true W has the same value everywhere: its recovery cannot be measured")
    scale = float(w @ l / (l @ l)) if l.any() else 0.0
    error = float(((w - scale * l) ** 2).sum())
    varies = np.ptp(l) > 0
    return {
        "connectivity_R2": 1 - error / spread,
        "slope": float(w @ l / (w @ w)),
        "connectivity_pearson": float(np.corrcoef(l, w)[0, 1]) if varies else math.nan,
    }


_TAILS, _STEPS = 4.0, 50


def scale_between(learned: np.ndarray, true: np.ndarray, errors: np.ndarray) -> float:
    """The factor k with which k w is likeliest to be what the learned weights l are of, given their standard errors e.

    psi's scale trades against W's, and intervals are of W up to that scale. (l - k w) / e of all pairs are taken to
    follow Student's t with 4 degrees of freedom, so that weights known badly, in `errors` (N, N), do not move the scale
    of those known well, and neither do the few that are wrong without saying so. Pairs without an error, and the
    diagonal, are left out. 1 where nothing is left that tells.

    Raises OntogenyError for matrices that are not square and of one shape.
    """
    l, w = off_diagonal(learned, true)  # noqa: E741
    e, _ = off_diagonal(errors, true)
    kept = (e > 0) & np.isfinite(e) & (w != 0)
    if not kept.any():
        return 1.0
    l, w, e = l[kept], w[kept], e[kept]  # noqa: E741
    ends = []
    for scale in (float(l @ w / (w @ w)), float(np.median(l / w)), float((l / e) @ (w / e) / ((w / e) @ (w / e)))):
        for _ in range(_STEPS):
            pull = w / (e**2 * _TAILS + (l - scale * w) ** 2)
            scale = float(pull @ l / (pull @ w))
        ends.append((float(np.log1p(((l - scale * w) / e) ** 2 / _TAILS).sum()), scale))
    return min(ends)[1] or 1.0


__all__ = ["connectivity_r2", "off_diagonal", "scale_between"]
