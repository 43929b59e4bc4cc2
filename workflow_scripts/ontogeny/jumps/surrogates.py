"""Random series that share the look of a given one: its spectrum, its drift, its changing variance, but no jump."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ontogeny.statistics import median


def phase_randomised(x: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` series (count, n) with the amplitude spectrum of x (n,) and random phases (Theiler et al. 1992)."""
    return _phase_randomised(x[None], count, [rng])[0]


def _phase_randomised(x: np.ndarray, count: int, rngs: Sequence[np.random.Generator]) -> np.ndarray:
    """`phase_randomised` of many series (series, n), by the generator of each: (series, count, n)."""
    n = x.shape[1]
    spectrum = np.fft.rfft(x, axis=1)
    phases = np.empty((len(x), count, spectrum.shape[1]))
    signs = np.ones((len(x), count))
    for i, rng in enumerate(rngs):
        rng.random(out=phases[i])
        if n % 2 == 0:
            signs[i, rng.random(count) >= 0.5] = -1.0
    turned = np.abs(spectrum)[:, None] * np.exp(2j * np.pi * phases)
    turned[:, :, 0] = spectrum[:, None, 0]
    if n % 2 == 0:
        turned[:, :, -1] = np.abs(spectrum[:, None, -1]) * signs
    return np.fft.irfft(turned, n, axis=2)


def stepless_surrogates(
    series: np.ndarray, places: Sequence[int], count: int, rng: np.random.Generator, reach: int = 40
) -> np.ndarray:
    """`count` series (count, n) like `series` (n,) but without its changes at the indices `places`.

    The change between points is replaced, at each place, by the median change around it. The changes are divided
    by their local median magnitude (over `reach` to each side), phase-randomised, multiplied by it again, and
    summed. So colour, drift and changing variance stay, while the changes and all other structure go.
    """
    return stepless_surrogates_of_each(series[None], [places], count, [rng], reach)[0]


def stepless_surrogates_of_each(
    series: np.ndarray,
    places: Sequence[Sequence[int]],
    count: int,
    rngs: Sequence[np.random.Generator],
    reach: int = 40,
) -> np.ndarray:
    """`stepless_surrogates` of many series (series, n), with the places and the generator of each: (series, count,
    n)."""
    change = np.diff(series, axis=1)
    for row, each in zip(change, places):
        for place in each:
            row[place - 1] = median(row[max(place - 9, 0) : place + 8])
    drift = np.median(change, axis=1, keepdims=True)
    away = change - drift
    size = np.abs(away)
    least = 0.05 * size.mean(axis=1, keepdims=True)
    scale = np.maximum(_running_median(size, reach), least)
    drawn = np.repeat(change[:, None], count, axis=1)
    moving = np.flatnonzero(least[:, 0] > 0)
    if moving.size:
        turned = _phase_randomised(away[moving] / scale[moving], count, [rngs[i] for i in moving.tolist()])
        drawn[moving] = turned * scale[moving, None] + drift[moving, None]
    out = np.empty((len(series), count, series.shape[1]))
    out[:, :, 0] = series[:, None, 0]
    np.cumsum(drawn, axis=2, out=out[:, :, 1:])
    out[:, :, 1:] += series[:, None, :1]
    return out


def _running_median(x: np.ndarray, reach: int, stride: int = 8) -> np.ndarray:
    """Median over `reach` points to each side of the values of each row (series, n), worked out at every `stride`-th
    point and interpolated."""
    n = x.shape[1]
    at = np.arange(0, n, stride)
    inside = (at >= reach) & (at < n - reach)
    values = np.empty((len(x), at.size))
    if inside.any():
        windows = np.lib.stride_tricks.sliding_window_view(x, 2 * reach + 1, axis=1)[:, at[inside] - reach]
        values[:, inside] = np.partition(windows, reach, axis=2)[:, :, reach]
    for k in np.flatnonzero(~inside):
        values[:, k] = np.median(x[:, max(at[k] - reach, 0) : at[k] + reach + 1], axis=1)
    return np.stack([np.interp(np.arange(n), at, row) for row in values])
