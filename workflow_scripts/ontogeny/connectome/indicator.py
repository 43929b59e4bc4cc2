"""States behind an indicator, such as calcium, that follows them exponentially."""

from __future__ import annotations

import math

import numpy as np

from ontogeny.errors import OntogenyError

_MOST_FRAMES = 2500
_GRID = 10
_PRECISION = 1e-3


def without_indicator(seen: np.ndarray, delta_t: float, time_constant: float) -> np.ndarray:
    """The state (..., frames - 1, N) behind an indicator (..., frames, N) that follows it exponentially.

    The indicator moves by a share 1 - exp(-delta_t / time_constant) of its distance to the state in each frame, which
    is undone exactly; noise of the recording grows by up to the inverse of that share.
    """
    keep = math.exp(-delta_t / time_constant)
    seen = np.asarray(seen, np.float64)
    return (seen[..., 1:, :] - keep * seen[..., :-1, :]) / (1 - keep)


def fitted_time_constant(seen: np.ndarray, delta_t: float) -> float:
    """The time constant of an indicator `seen` (trajectories, frames, N) behind which the model leaves least.

    For each candidate the indicator is undone and the model fitted to the first 2,500 frames; the residual's share of
    the variance is compared, first on a grid from one frame to half of a trajectory, then by golden sections to 0.1%.
    Noise of the recording grows as the indicator is undone, and hides the minimum if there is more than a little.

    Raises OntogenyError where the minimum is at an end of the grid.
    """

    from ontogeny.connectome.refine import Effort, refine

    quick = Effort(receivers=8, rounds=1, max_steps=10, uncertainty=False)

    def left(log_constant: float) -> float:
        u = without_indicator(seen, delta_t, math.exp(log_constant))
        slope = (np.diff(u, axis=1) / delta_t).reshape(-1, u.shape[2])[:_MOST_FRAMES]
        state = u[:, :-1].reshape(-1, u.shape[2])[:_MOST_FRAMES]
        points = np.linspace(state.min(), state.max(), 2001)
        start = np.tanh(2 * points / (float(state.std()) or 1.0))
        found = refine(state, slope, (points, start), effort=quick)
        return float(np.mean(found.noise**2) / (slope.var() or 1.0))

    grid = np.linspace(math.log(delta_t), math.log(delta_t * seen.shape[1] / 2), _GRID)
    best = int(np.argmin([left(value) for value in grid]))
    if best in (0, _GRID - 1):
        raise OntogenyError(
            f"no time constant of the indicator between {math.exp(grid[0]):g} and {math.exp(grid[-1]):g} stands out, "
            "as where the recording is noisy: give indicator_time_constant as a number"
        )
    low, high = grid[best - 1], grid[best + 1]
    golden = (math.sqrt(5) - 1) / 2
    first, second = high - golden * (high - low), low + golden * (high - low)
    at_first, at_second = left(first), left(second)
    while high - low > _PRECISION:
        if at_first < at_second:
            high, second, at_second = second, first, at_first
            first = high - golden * (high - low)
            at_first = left(first)
        else:
            low, first, at_first = first, second, at_second
            second = low + golden * (high - low)
            at_second = left(second)
    return math.exp((low + high) / 2)


__all__ = ["fitted_time_constant", "without_indicator"]
