"""Tasks whose networks change at known times: their data, and the equations that say when.

Arrays are NumPy; everything random is a pure function of a seed and a step, so that a run can be replayed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ontogeny.errors import OntogenyError

SIZES = {"deep_linear": 16, "superposition": 12, "repeated_sequences": 24}
"""Tasks without labels of samples, and their sizes where the settings give none: sides of the map, features, tokens."""

MODEL_OF = {"deep_linear": "deep_linear", "superposition": "superposition", "repeated_sequences": "attention_only"}
"""The network that learns each of them."""

WITH_TRUTH = (*MODEL_OF, "modular_addition", "sparse_parity")
"""The tasks whose runs say when their transitions were."""

PROGRESS = {
    "deep_linear": ("mode_*",),
    "superposition": ("feature_*", "interference_*"),
    "repeated_sequences": (
        "prefix_matching_*", "previous_token_*", "copying_*", "second_half_loss", "in_context",
    ),
    "modular_addition": (
        "restricted_loss", "excluded_loss", "key_frequencies", "train_accuracy", "fourier_concentration", "weight_norm",
    ),
    "sparse_parity": ("relevant_weight", "weight_norm"),
}  # fmt: skip
"""What is measured of each of them beside loss and accuracy; `*` is the number of a mode, feature or head."""

WITHOUT_CLASSES = ("deep_linear", "superposition")
"""Those whose outputs are no classes, and so have no accuracy."""

STRENGTHS = (8.0, 4.0, 2.0, 1.0)
"""Singular values of the map of `deep_linear`."""

INITIAL = 1e-4
"""Strength of every mode of `deep_linear` before training."""

DENSITY = 0.1
"""Share of the features of `superposition` that are present in a sample."""

IMPORTANCE = 0.75
"""Importance of a feature of `superposition`, relative to the feature before it."""

LENGTH = 32
"""Tokens in a sequence of `repeated_sequences`."""

_STREAM = 200


@dataclass(frozen=True, eq=False)
class LinearMap:
    """A map of few modes: `left` (n, k) and `right` (n, k) are its singular vectors, `strengths` (k,) its values."""

    left: np.ndarray
    right: np.ndarray
    strengths: np.ndarray

    @property
    def matrix(self) -> np.ndarray:
        """The map itself, (n, n)."""
        return (self.left * self.strengths) @ self.right.T


def linear_map(size: int, seed: int) -> LinearMap:
    """A random map of `size` inputs to as many outputs with the singular values `STRENGTHS`.

    Raises OntogenyError for a size below the number of modes.
    """
    if size < len(STRENGTHS):
        raise OntogenyError(f"task.size is {size}: deep_linear has {len(STRENGTHS)} modes and needs at least as many")
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM,)))
    left, right = (np.linalg.qr(rng.normal(size=(size, size)))[0][:, : len(STRENGTHS)] for _ in range(2))
    return LinearMap(left, right, np.array(STRENGTHS))


def mode_strength(step: Any, strength: float, rate: float, initial: float = INITIAL) -> np.ndarray:
    """Strength of a mode of a two-layer linear network after `step` steps of gradient descent at the rate `rate`.

    s(t) = s e^(2 s t) / (e^(2 s t) - 1 + s / a), with t = rate * step and the initial strength a, for whitened inputs
    and layers that begin small and balanced (Saxe, McClelland and Ganguli 2014, arXiv:1312.6120, eq. 12).
    """
    decay = np.exp(-2 * strength * rate * np.asarray(step, float))
    return strength / (1 + decay * (strength / initial - 1))


def mode_time(share: float, strength: float, rate: float, initial: float = INITIAL) -> float:
    """The step at which a mode reaches `share` of its final strength, by the same equation."""
    return float(np.log(share / (1 - share) * (strength / initial - 1)) / (2 * strength * rate))


def sparse_features(count: int, size: int, seed: int, step: int) -> np.ndarray:
    """Samples (count, size), float32: each feature is absent, or present with a value from 0 to 1 (`DENSITY`).

    The data of toy models of superposition: Elhage et al. 2022, arXiv:2209.10652.
    """
    rng = _generator(seed, step)
    return (rng.random((count, size)) * (rng.random((count, size)) < DENSITY)).astype(np.float32)


def importances(size: int) -> np.ndarray:
    """How much the error of each feature counts, (size,), float32, the first most."""
    return (IMPORTANCE ** np.arange(size)).astype(np.float32)


def repeated_sequences(
    count: int, size: int, seed: int, step: int, length: int = LENGTH, varied: bool = False
) -> np.ndarray:
    """Sequences (count, length), int64: random tokens below `size`, and the same again and again.

    They come again after half of the length, or, if `varied`, after a distance that is drawn for each sequence from a
    quarter to three quarters of it. What comes again can be known only from what came before: the task on which
    induction heads are measured (Olsson et al. 2022, arXiv:2209.11895). It is learned from varied distances, since a
    head that looks back by one distance finds the token as well and needs no head before it.
    """
    rng = _generator(seed, step)
    tokens = rng.integers(0, size, (count, length))
    distances = rng.integers(length // 4, 3 * length // 4 + 1, (count, 1)) if varied else length // 2
    return np.take_along_axis(tokens, np.broadcast_to(np.arange(length) % distances, tokens.shape), axis=1)


def _generator(seed: int, step: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM, step)))


def crossing(steps: Sequence[float], values: Sequence[float], low: float, high: float) -> dict[str, float] | None:
    """When a quantity goes from `low` to `high`: `middle`, the first step at 50% of the way; `start`, the last step at
    10% or less before it; `end`, the first step at 90% or more after it. None if it never gets halfway."""
    share = (np.asarray(values, float) - low) / (high - low)
    half = np.flatnonzero(share >= 0.5)
    if not half.size:
        return None
    middle = int(half[0])
    before, after = np.flatnonzero(share[: middle + 1] <= 0.1), np.flatnonzero(share[middle:] >= 0.9)
    start = int(before[-1]) if before.size else 0
    end = middle + int(after[0]) if after.size else len(share) - 1
    return {"start": float(steps[start]), "middle": float(steps[middle]), "end": float(steps[end])}
