"""Noise that lasts from frame to frame: its autocorrelation, the autoregression it makes, and whitening by that."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ontogeny.connectome.splines import starts_of

_QUIET = 5
"""How many autocorrelations in a row, none more than white noise may show, end those that are counted."""


@dataclass(frozen=True)
class Autoregressions:
    """The autoregressions of orders 0, 1, ... up to one, which has the `autocorrelations` and the `partial` ones, both
    (order,) from lag 1 on. `filters` (order + 1, order + 1): what each takes of a frame and of those before it; `left`
    (order + 1,): the share of the variance that it leaves.
    """

    autocorrelations: np.ndarray
    partial: np.ndarray
    filters: np.ndarray
    left: np.ndarray


def levinson(
    autocorrelations: np.ndarray | None = None, partial: np.ndarray | None = None, longest: float = math.inf
) -> Autoregressions:
    """The autoregressions with autocorrelations or partial ones given from lag 1 on (Levinson 1946, Durbin 1960).

    Partial autocorrelations that follow are at most `longest` in size.
    """
    given = autocorrelations if partial is None else partial
    order = 0 if given is None else len(given)
    known = np.r_[1.0, np.zeros(order) if autocorrelations is None else autocorrelations]
    shares = np.zeros(order) if partial is None else partial
    filters, left = np.zeros((order + 1, order + 1)), np.ones(order + 1)
    filters[0, 0] = 1.0
    for k in range(1, order + 1):
        before = filters[k - 1, :k]
        if partial is None:
            shares[k - 1] = np.clip(before @ known[k:0:-1] / left[k - 1], -longest, longest)
        else:
            known[k] = shares[k - 1] * left[k - 1] - before[1:] @ known[k - 1 : 0 : -1]
        filters[k, : k + 1] = np.r_[before, 0.0] - shares[k - 1] * np.r_[0.0, before[::-1]]
        left[k] = left[k - 1] * (1 - shares[k - 1] ** 2)
    return Autoregressions(known[1:], shares, filters, left)


class Noise:
    """Noise that is an autoregression within `stretches` (frames,), with autocorrelations at lags 1, 2, ...

    Least squares on the whitened frames are generalised least squares (Aitken 1936). A stretch begins with shorter
    autoregressions, so that no frame is lost.
    """

    def __init__(self, autocorrelations: np.ndarray, stretches: np.ndarray) -> None:
        found = levinson(autocorrelations)
        order, filters, left = len(autocorrelations), found.filters, found.left
        starts = starts_of(stretches)
        within = np.arange(len(stretches)) - np.repeat(starts, np.diff(np.r_[starts, len(stretches)]))
        self.filters = (filters * np.sqrt(left[-1] / left)[:, None])[np.minimum(within, order)]
        """(frames, order + 1): what each frame takes of itself and of those before it."""

    def whitened(self, values: np.ndarray) -> np.ndarray:
        """`values` (frames, ...) less what those before foretell."""
        shape = (-1, *[1] * (values.ndim - 1))
        out = self.filters[:, 0].reshape(shape) * values
        for lag in range(1, self.filters.shape[1]):
            out[lag:] += self.filters[lag:, lag].reshape(shape) * values[:-lag]
        return out

    def coloured(self, values: np.ndarray) -> np.ndarray:
        """The inverse of `whitened`, of `values` (frames, m)."""
        out = values / self.filters[:, :1]
        for t in range(1, len(out)):
            for lag in range(1, min(t, self.filters.shape[1] - 1) + 1):
                out[t] -= self.filters[t, lag] / self.filters[t, 0] * out[t - lag]
        return out

    def transposed(self, values: np.ndarray) -> np.ndarray:
        """The transpose of `whitened`, which is a linear map, of `values` (frames, m)."""
        out = self.filters[:, :1] * values
        for lag in range(1, self.filters.shape[1]):
            out[:-lag] += self.filters[lag:, lag, None] * values[lag:]
        return out


def standardised(residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Residuals (frames, m) less their means, in units of their standard deviations, and these (m,)."""
    size = residual.std(0)
    return (residual - residual.mean(0)) / np.where(size > 0, size, 1.0), size


def autocorrelation(residual: np.ndarray, stretches: np.ndarray) -> np.ndarray:
    """The autocorrelation of residuals (frames, m), which is pooled over them, at lags from 1 on, tapered to 0.

    Pairs lie within `stretches` (frames,), runs of equal numbers. The last lag is twice the first one after which five
    in a row are what white noise may show (Politis 2003); there are none where the first five are.
    """
    scaled = standardised(residual)[0]
    longest = int(np.diff(np.r_[starts_of(stretches), len(stretches)]).max())
    found: list[float] = []
    quiet, end = 0, 0
    for lag in range(1, longest // 2):
        pairs = stretches[lag:] == stretches[:-lag]
        count = int(pairs.sum())
        if count < 100:
            break
        found.append(float(np.mean((scaled[lag:] * scaled[:-lag]).mean(1)[pairs])))
        quiet = quiet + 1 if abs(found[-1]) < 2 * math.sqrt(math.log10(count) / count) else 0
        if quiet == _QUIET:
            break
        end = lag if quiet == 0 else end
        if len(found) >= 2 * end + _QUIET:
            break
    return np.array(found)[: 2 * end] * tapered(2 * end)[: len(found)]


def tapered(count: int) -> np.ndarray:
    """The weights of so many autocorrelations: 1 up to half of them, and then along a line to 0."""
    return np.clip(2 * (1 - np.arange(1, count + 1) / (count + 1)), 0.0, 1.0)


def shrunk(values: np.ndarray, sampling: float) -> np.ndarray:
    """Positive `values` moved to their geometric mean as far as chance alone explains how they scatter.

    `sampling` is the variance of the logarithm that chance gives each (empirical Bayes, Efron and Morris 1975).
    """
    logs = np.log(np.maximum(values, 1e-300))
    between = max(float(logs.var(ddof=1)) - sampling, 0.0) if len(logs) > 1 else 0.0
    centre = math.log(max(float(np.mean(values)), 1e-300))
    return np.exp(centre + between / (between + sampling) * (logs - centre))
