"""The one inner loop of the default detector that is worth compiling. Importing this module needs numba."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _select(a, n, k):
    """The k-th smallest of the first n entries of `a`, which it reorders (Hoare's quickselect)."""
    low, high = 0, n - 1
    while low < high:
        pivot = a[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while a[i] < pivot:
                i += 1
            while a[j] > pivot:
                j -= 1
            if i <= j:
                a[i], a[j] = a[j], a[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return a[k]


@njit(cache=True, nogil=True)
def block_medians(magnitude, bounds, side):
    """See `ontogeny.jumps.multiscale.block_medians_numpy`."""
    rows = magnitude.shape[0]
    out = np.full((rows, bounds.shape[0]), np.nan)
    buffer = np.empty(magnitude.shape[1] + 1)
    for row in range(rows):
        source = magnitude[row]
        for b in range(bounds.shape[0]):
            l0, l1, r0, r1 = bounds[b, 0], bounds[b, 1], bounds[b, 2], bounds[b, 3]
            left, right = l1 - l0, r1 - r0
            if left + right == 0:
                continue
            buffer[:left] = source[l0:l1]
            buffer[left : left + right] = source[r0:r1]
            scale = _select(buffer, left + right, (left + right) // 2)
            if left >= 20:
                buffer[:left] = source[l0:l1]
                scale = max(scale, side * _select(buffer, left, left // 2))
            if right >= 20:
                buffer[:right] = source[r0:r1]
                scale = max(scale, side * _select(buffer, right, right // 2))
            out[row, b] = scale
    return out
