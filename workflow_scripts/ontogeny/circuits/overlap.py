"""Circuits of one set beside each other: overlap, inclusion, minimal circuits and core."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ontogeny.circuits.masks import CircuitSet
from ontogeny.errors import OntogenyError


def _features(circuits: CircuitSet) -> NDArray[np.float32]:
    """Hidden nodes and all edges of each circuit, 0 or 1, side by side."""
    edges, nodes = circuits.edge_masks, circuits.node_masks
    parts = [*nodes[1:-1], *(mask.reshape(len(circuits), -1) for mask in edges)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def overlaps(circuits: CircuitSet, others: CircuitSet | None = None) -> NDArray[np.float64]:
    """Jaccard index of every pair, (circuits, others): shared hidden nodes and edges over those of either.

    As published (arXiv 2502.20914), hidden nodes and all edges count alike. `others` is `circuits` by default.
    """
    mine = _features(circuits)
    theirs = mine if others is None else _features(others)
    shared = (mine @ theirs.T).astype(np.float64)
    either = mine.sum(axis=1)[:, None] + theirs.sum(axis=1)[None, :] - shared
    return np.divide(shared, either, out=np.zeros_like(shared), where=either > 0)


def inclusions(circuits: CircuitSet) -> NDArray[np.bool_]:
    """(circuits, circuits): whether circuit i is contained in circuit j. The diagonal is true."""
    codes = circuits.codes
    return (codes[:, None] & ~codes[None, :]) == 0


@dataclass(frozen=True)
class SetComparison:
    """How alike the circuits of a set are: over pairs of different circuits.

    jaccard_mean, jaccard_sd; included: share of pairs of which one contains the other; pairs: how many were compared;
    sampled: whether they are a uniform sample of circuits rather than all.
    """

    n_circuits: int
    pairs: int
    jaccard_mean: float
    jaccard_sd: float
    included: float
    sampled: bool


def compare_within(circuits: CircuitSet, most: int = 4000, seed: int = 0) -> SetComparison:
    """Overlap and inclusion among circuits; above `most` circuits, of as many drawn uniformly from `seed`.

    Means are NaN for fewer than two circuits.
    """
    sampled = len(circuits) > most
    used = circuits
    if sampled:
        rows = np.sort(np.random.default_rng(seed).choice(len(circuits), most, replace=False))
        used = CircuitSet(circuits.codes[rows], circuits.layout)
    upper = np.triu_indices(len(used), 1)
    if not len(upper[0]):
        return SetComparison(len(circuits), 0, np.nan, np.nan, np.nan, sampled)
    jaccard = overlaps(used)[upper]
    inside = inclusions(used)
    included = (inside | inside.T)[upper]
    return SetComparison(
        len(circuits), len(jaccard), float(jaccard.mean()), float(jaccard.std()), float(included.mean()), sampled
    )


def minimal_circuits(circuits: CircuitSet) -> CircuitSet:
    """The circuits that contain no other circuit of the set, in the set's order."""
    codes = np.unique(circuits.codes)
    sizes = np.bitwise_count(codes)
    minimal = np.zeros(0, np.uint64)
    for size in np.unique(sizes):
        level = codes[sizes == size]
        for code in minimal:
            level = level[level & code != code]
        minimal = np.concatenate([minimal, level])
    return CircuitSet(circuits.codes[np.isin(circuits.codes, minimal)], circuits.layout)


@dataclass(frozen=True)
class Core:
    """What all circuits of a set share: node masks (inputs first) and edge masks (output layer included)."""

    node_masks: list[NDArray[np.uint8]]
    edge_masks: list[NDArray[np.uint8]]


def core(circuits: CircuitSet) -> Core:
    """Nodes and edges that are in every circuit. Raises OntogenyError for an empty set, which shares nothing."""
    if not len(circuits):
        raise OntogenyError("there is no circuit, so no core that all circuits share")
    return Core([m.min(axis=0) for m in circuits.node_masks], [m.min(axis=0) for m in circuits.edge_masks])
