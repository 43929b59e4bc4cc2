"""The inner loops of the default detector. Importing this module needs numba."""

from __future__ import annotations

import numpy as np
from numba import njit

from ontogeny.compilation import compiled


@njit(nogil=True, error_model="numpy")
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


@njit(nogil=True, error_model="numpy")
def _above(a, start, end, level):
    count = 0
    for i in range(start, end):
        count += a[i] > level
    return count


@njit(nogil=True, error_model="numpy")
def _contrasts(x, width, contrast, linear, shrunk):
    """Fill in, for one series, what `ontogeny.jumps.multiscale.contrasts` gives; all three are 0 where not defined."""
    n = x.size
    total, power = np.zeros(n + 1), x.copy()
    done, span, held = 0, 1, n
    while True:
        if width & span:
            for i in range(n - done - span + 1):
                total[i] += power[done + i]
            done += span
        if done == width:
            break
        held -= span
        for i in range(held):
            power[i] += power[i + span]
        span *= 2
    difference = power
    count = n - 2 * width + 1
    for i in range(count):
        difference[i] = (total[i + width] - total[i]) / width
    contrast[:] = 0.0
    linear[:] = 0.0
    shrunk[:] = 0.0
    for i in range(count - 4 * width):
        left, middle, right = difference[i], difference[i + 2 * width], difference[i + 4 * width]
        straight = middle - 0.5 * (left + right)
        smaller = left if abs(left) < abs(right) else right
        least = middle - (smaller if left * right > 0 else 0.0)
        at = 3 * width + i
        linear[at] = abs(straight)
        shrunk[at] = abs(least)
        if straight * least > 0:
            contrast[at] = straight if abs(straight) < abs(least) else least


@njit(nogil=True, error_model="numpy")
def _median(magnitude, bounds, side, buffer):
    """Median of `magnitude` (n + 1,) over a neighbourhood (4,), as `ontogeny.jumps.multiscale.block_medians` has it."""
    l0, l1, r0, r1 = bounds
    left = l1 - l0
    both = left + r1 - r0
    buffer[:left] = magnitude[l0:l1]
    buffer[left:both] = magnitude[r0:r1]
    scale = _select(buffer, both, both // 2)
    for start, end in ((l0, l1), (r0, r1)):
        count = end - start
        if count >= 20 and _above(magnitude, start, end, scale / side) >= count - count // 2:
            buffer[:count] = magnitude[start:end]
            scale = max(scale, side * _select(buffer, count, count // 2))
    return scale


@compiled(nogil=True, error_model="numpy")
def scores(x, widths, bounds, penalty, block, unit, least, side, floor, most, expected, factor):
    """See `ontogeny.jumps.multiscale.scores`.

    bounds: (widths, blocks, 4) and penalty: (widths, blocks), for every `block` splits; unit: (series, n), or (1, 0) for
    none; least: (series,); floor: share of a unit that no scale is below; most: largest contrast over its scale;
    expected: the half and the high rank among one-point contrasts, and the ratio of the two in Gaussian noise, 0 where
    it is not asked; factor: what scores are divided by.
    """
    rows, n = x.shape
    best, size = np.zeros((rows, n + 1)), np.zeros((rows, n + 1))
    many, blocks = penalty.shape
    contrast, linear = np.empty((many, n + 1)), np.empty((many, n + 1))
    shrunk, buffer, ordered = np.empty(n + 1), np.empty(n + 2), np.empty(n + 1)
    possible = np.empty((many, blocks), np.bool_)
    scale = np.empty(blocks)
    for row in range(rows):
        some = False
        for k in range(many - 1, -1, -1):
            _contrasts(x[row], widths[k], contrast[k], linear[k], shrunk)
            for b in range(blocks):
                possible[k, b] = False
                both = bounds[k, b, 1] - bounds[k, b, 0] + bounds[k, b, 3] - bounds[k, b, 2]
                if both == 0:
                    continue
                high = 0.0
                for t in range(b * block, min(b * block + block, n + 1)):
                    high = max(high, abs(contrast[k, t]))
                top = high * (1.000001 / (least[row] * factor)) / penalty[k, b]
                above = _above(linear[k], bounds[k, b, 0], bounds[k, b, 1], top)
                above += _above(linear[k], bounds[k, b, 2], bounds[k, b, 3], top)
                possible[k, b] = above <= both // 2
                some |= possible[k, b]
        if not some:
            continue
        excess = 1.0
        for k in range(many):
            for b in range(blocks):
                scale[b] = np.nan
                if possible[k, b] or (k == 0 and bounds[k, b].any()):
                    scale[b] = _median(linear[k], bounds[k, b], side, buffer) * penalty[k, b]
                    if unit.shape[1]:
                        scale[b] = max(scale[b], floor * unit[row, min(b * block, n - 1)])
            if k == 0 and expected[2] > 0:
                count = 0
                for t in range(3, n - 2):
                    share = shrunk[t] / scale[t // block]
                    ordered[count] = share if np.isfinite(share) else 0.0
                    count += 1
                half = _select(ordered, count, int(expected[0]))
                if half > 0:
                    excess = max(_select(ordered, count, int(expected[1])) / half / expected[2], 1.0) ** 2
            for t in range(n + 1):
                z = contrast[k, t] / scale[t // block]
                if abs(z) > abs(best[row, t]):
                    best[row, t] = min(max(z, -most), most)
                    size[row, t] = contrast[k, t]
        for t in range(n + 1):
            best[row, t] /= factor * excess
    return best, size
