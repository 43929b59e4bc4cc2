"""K-means of a few hundred points, thousands of times over: compiled. Importing this module needs numba."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ontogeny.compilation import compiled

_MOST_STEPS = 300
_TOLERANCE = 1e-4
"""Centres that move by less than this share of the mean variance of a column have arrived."""


@dataclass(frozen=True)
class KMeans:
    """The best of several fits: the cluster of each point, (n,); the centres, (k, d); the squared distances' sum."""

    labels: np.ndarray
    centres: np.ndarray
    inertia: float


def k_means(points: np.ndarray, k: int, n_init: int, generator: np.random.Generator) -> KMeans:
    """Lloyd's algorithm from `n_init` greedy k-means++ starts on `points`, (n, d), n at least k; the best fit.

    A cluster that loses all its points gets the point that is farthest from its own centre, if any is apart from it.
    Sources: Lloyd (1982), "Least squares quantization in PCM"; Arthur and Vassilvitskii (2007), "k-means++: the
    advantages of careful seeding", with several candidates a step, as its section 5 proposes.
    """
    points = np.ascontiguousarray(points, dtype=np.float64)
    candidates = 2 + int(np.log(k))
    draws = generator.random((n_init, k, candidates))
    tolerance = _TOLERANCE * float(points.var(axis=0).mean())
    labels, centres, inertia = _best_fit(points, k, draws, tolerance, _MOST_STEPS)
    return KMeans(labels, centres, float(inertia))


@compiled(nogil=True, fastmath={"reassoc", "contract"})
def _best_fit(points, k, draws, tolerance, most):
    n, d = points.shape
    best = np.inf
    best_labels, best_centres = np.zeros(n, np.int64), np.zeros((k, d))
    labels, nearest = np.zeros(n, np.int64), np.zeros(n)
    centres, sums, counts = np.zeros((k, d)), np.zeros((k, d)), np.zeros(k, np.int64)
    closest, tried, chosen = np.zeros(n), np.zeros(n), np.zeros(n)
    for start in range(draws.shape[0]):
        first = min(int(draws[start, 0, 0] * n), n - 1)
        centres[0] = points[first]
        total = 0.0
        for i in range(n):
            closest[i] = _distance(points[i], centres[0])
            total += closest[i]
        for c in range(1, k):
            least = np.inf
            pick = 0
            for trial in range(draws.shape[2]):
                level = draws[start, c, trial] * total
                at, below = 0, closest[0]
                while below < level and at < n - 1:
                    at += 1
                    below += closest[at]
                potential = 0.0
                for i in range(n):
                    tried[i] = min(closest[i], _distance(points[i], points[at]))
                    potential += tried[i]
                if potential < least:
                    least, pick = potential, at
                    chosen[:] = tried
            centres[c] = points[pick]
            closest[:] = chosen
            total = least
        for step in range(most):
            changed = _assign(points, centres, labels, nearest) or step == 0
            counts[:] = 0
            sums[:] = 0.0
            for i in range(n):
                counts[labels[i]] += 1
                for j in range(d):
                    sums[labels[i], j] += points[i, j]
            for c in range(k):
                if counts[c] == 0:
                    far = np.argmax(nearest)
                    if nearest[far] == 0:  # fewer different points than clusters
                        continue
                    counts[labels[far]] -= 1
                    for j in range(d):
                        sums[labels[far], j] -= points[far, j]
                        sums[c, j] = points[far, j]
                    counts[c], labels[far], nearest[far] = 1, c, 0.0
                    changed = True
            moved = 0.0
            for c in range(k):
                if counts[c] == 0:
                    continue
                for j in range(d):
                    place = sums[c, j] / counts[c]
                    moved += (place - centres[c, j]) ** 2
                    centres[c, j] = place
            if not changed or moved <= tolerance:
                break
        _assign(points, centres, labels, nearest)
        inertia = nearest.sum()
        if inertia < best:
            best = inertia
            best_labels[:] = labels
            best_centres[:] = centres
    return best_labels, best_centres, best


@compiled(nogil=True, fastmath={"reassoc", "contract"})
def _distance(a, b):
    total = 0.0
    for j in range(a.shape[0]):
        total += (a[j] - b[j]) ** 2
    return total


@compiled(nogil=True, fastmath={"reassoc", "contract"})
def _assign(points, centres, labels, nearest):
    """Give each point the nearest centre; whether any changed."""
    changed = False
    for i in range(points.shape[0]):
        least, at = np.inf, 0
        for c in range(centres.shape[0]):
            distance = 0.0
            for j in range(points.shape[1]):
                distance += (points[i, j] - centres[c, j]) ** 2
            if distance < least:
                least, at = distance, c
        changed |= labels[i] != at
        labels[i], nearest[i] = at, least
    return changed
