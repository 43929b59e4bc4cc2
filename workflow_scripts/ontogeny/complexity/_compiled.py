"""One step of the chains of large networks in one pass over memory, which takes most of the time between gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ontogeny.compilation import compiled


@compiled(nogil=True)
def move(
    theta: NDArray[Any],
    start: NDArray[Any],
    gradient: NDArray[Any],
    noise: NDArray[np.int8],
    before: NDArray[np.int8],
    pull: NDArray[Any],
    slope: NDArray[Any],
    width: NDArray[Any],
) -> None:
    """theta (K, P) += pull (start - theta) - slope gradient + width (noise + before), in place.

    start (K, P) or (1, P); pull, slope and width (K,), of the kind of number that theta holds.
    """
    for k in range(theta.shape[0]):
        w, w0, g, n, b = theta[k], start[k % start.shape[0]], gradient[k], noise[k], before[k]
        for i in range(theta.shape[1]):
            random = n[i] + b[i]
            w[i] += pull[k] * (w0[i] - w[i]) - slope[k] * g[i] + width[k] * random
