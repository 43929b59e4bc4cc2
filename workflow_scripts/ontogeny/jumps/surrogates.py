"""Random series that share the look of a given one: its spectrum, its drift, its changing variance, but no jump."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ontogeny.statistics import median


def phase_randomised(x: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` series (count, n) with the amplitude spectrum of x (n,) and random phases (Theiler et al. 1992)."""
    n = x.size
    spectrum = np.fft.rfft(x)
    turned = np.abs(spectrum) * np.exp(2j * np.pi * rng.random((count, spectrum.size)))
    turned[:, 0] = spectrum[0]
    if n % 2 == 0:
        turned[:, -1] = np.abs(spectrum[-1]) * np.where(rng.random(count) < 0.5, 1.0, -1.0)
    return np.fft.irfft(turned, n, axis=1)


def stepless_surrogates(
    series: np.ndarray, places: Sequence[int], count: int, rng: np.random.Generator, reach: int = 40
) -> np.ndarray:
    """`count` series (count, n) like `series` (n,) but without its changes at the indices `places`.

    The change between points is replaced, at each place, by the median change around it. The changes are divided
    by their local median magnitude (over `reach` to each side), phase-randomised, multiplied by it again, and
    summed. So colour, drift and changing variance stay, while the changes and all other structure go.
    """
    change = np.diff(series)
    for place in places:
        around = change[max(place - 9, 0) : place + 8]
        change[place - 1] = median(around)
    drift = median(change)
    away = change - drift
    scale = _running_median(np.abs(away), reach)
    least = 0.05 * np.mean(np.abs(away))
    if not least > 0:
        return np.tile(series[0] + np.concatenate([[0.0], np.cumsum(change)]), (count, 1))
    scale = np.maximum(scale, least)
    drawn = phase_randomised(away / scale, count, rng) * scale + drift
    return series[0] + np.concatenate([np.zeros((count, 1)), np.cumsum(drawn, axis=1)], axis=1)


def _running_median(x: np.ndarray, reach: int, stride: int = 8) -> np.ndarray:
    """Median over `reach` points to each side, worked out at every `stride`-th point and interpolated."""
    at = np.arange(0, x.size, stride)
    inside = (at >= reach) & (at < x.size - reach)
    values = np.empty(at.size)
    if inside.any():
        windows = np.lib.stride_tricks.sliding_window_view(x, 2 * reach + 1)[at[inside] - reach]
        values[inside] = np.partition(windows, reach, axis=1)[:, reach]
    values[~inside] = [median(x[max(i - reach, 0) : i + reach + 1]) for i in at[~inside]]
    return np.interp(np.arange(x.size), at, values)
