"""The one inner loop of the default detector that is worth compiling. Importing this module needs numba."""

from __future__ import annotations

import numpy as np

from ontogeny.compilation import compiled


@compiled(nogil=True)
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


@compiled(nogil=True)
def _above(a, start, end, level):
    count = 0
    for i in range(start, end):
        count += a[i] > level
    return count


@compiled(nogil=True)
def block_medians(magnitude, bounds, side, ceiling):
    """See `ontogeny.jumps.multiscale.block_medians`."""
    rows = magnitude.shape[0]
    out = np.full((rows, bounds.shape[0]), np.nan)
    buffer = np.empty(magnitude.shape[1] + 1)
    for row in range(rows):
        source = magnitude[row]
        for b in range(bounds.shape[0]):
            l0, l1, r0, r1 = bounds[b, 0], bounds[b, 1], bounds[b, 2], bounds[b, 3]
            left, right = l1 - l0, r1 - r0
            both = left + right
            if both == 0:
                continue
            top = ceiling[row, b]
            if top < np.inf and _above(source, l0, l1, top) + _above(source, r0, r1, top) > both // 2:
                out[row, b] = np.inf
                continue
            buffer[:left] = source[l0:l1]
            buffer[left:both] = source[r0:r1]
            scale = _select(buffer, both, both // 2)
            for start, end in ((l0, l1), (r0, r1)):
                count = end - start
                if count >= 20 and _above(source, start, end, scale / side) >= count - count // 2:
                    buffer[:count] = source[start:end]
                    scale = max(scale, side * _select(buffer, count, count // 2))
            out[row, b] = scale
    return out
