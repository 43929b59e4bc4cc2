"""Circuits of one set beside each other: overlap, inclusion, minimal circuits and core."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ontogeny.circuits._problem import MINIMAL
from ontogeny.circuits.enumeration import CircuitCount, Problem, problem_of
from ontogeny.circuits.masks import Circuits, CircuitSample, CircuitSet, whole
from ontogeny.circuits.outputs import ROUNDED, AnyRule
from ontogeny.circuits.settings import DEFAULTS
from ontogeny.errors import OntogenyError, check_number, expect
from ontogeny.statistics import generator

_CIRCUITS = "a CircuitSet or a CircuitSample"


def _features(circuits: Circuits) -> NDArray[np.float32]:
    """Hidden nodes and all edges of each circuit, 0 or 1, side by side."""
    expect(circuits, Circuits, _CIRCUITS)
    edges, nodes = circuits.edge_masks, circuits.node_masks
    parts = [*nodes[1:-1], *(mask.reshape(len(circuits), math.prod(mask.shape[1:])) for mask in edges)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def overlaps(circuits: Circuits, others: Circuits | None = None) -> NDArray[np.float64]:
    """Jaccard index of every pair, (circuits, others): shared hidden nodes and edges over those of either.

    As published (arXiv 2502.20914), hidden nodes and all edges count alike. `others` is `circuits` by default. Raises
    OntogenyError for what are no circuits, and for those of networks of different sizes.
    """
    mine = _features(circuits)
    theirs = mine if others is None else _features(others)
    if others is not None and circuits.sizes != others.sizes:
        raise OntogenyError(f"circuits of sizes {circuits.sizes} and {others.sizes} have no edges in common")
    shared = (mine @ theirs.T).astype(np.float64)
    either = mine.sum(axis=1)[:, None] + theirs.sum(axis=1)[None, :] - shared
    return np.divide(shared, either, out=np.zeros_like(shared), where=either > 0)


def inclusions(circuits: Circuits) -> NDArray[np.bool_]:
    """(circuits, circuits): whether circuit i is contained in circuit j. The diagonal is true."""
    expect(circuits, Circuits, _CIRCUITS)
    codes = circuits.codes
    return (codes[:, None] & ~codes[None, :]) == 0


@dataclass(frozen=True)
class SetComparison:
    """How alike circuits are: over pairs of different circuits.

    n_circuits: how many there are; jaccard_mean, jaccard_sd; included: share of pairs of which one contains the other;
    pairs: how many were compared; sampled: whether they are a uniform sample of circuits rather than all.
    """

    n_circuits: int
    pairs: int
    jaccard_mean: float
    jaccard_sd: float
    included: float
    sampled: bool


def compare_within(circuits: Circuits, most: int = 4000, seed: int = 0) -> SetComparison:
    """Overlap and inclusion among circuits; above `most` circuits, of as many drawn uniformly from `seed`.

    Means are NaN for fewer than two circuits. Raises OntogenyError if `most` is no whole number of 2 or more.
    """
    expect(circuits, Circuits, _CIRCUITS)
    check_number(most, "most", "a whole number of circuits, 2 or more", 2, whole=True)
    count = circuits.population if isinstance(circuits, CircuitSample) else len(circuits)
    used = circuits
    if len(circuits) > most:
        rows = np.sort(generator(seed).choice(len(circuits), most, replace=False))
        used = CircuitSample(circuits.codes[rows], circuits.layout, count)
    upper = np.triu_indices(len(used), 1)
    if not len(upper[0]):
        return SetComparison(count, 0, np.nan, np.nan, np.nan, len(used) < count)
    jaccard = overlaps(used)[upper]
    inside = inclusions(used)
    included = (inside | inside.T)[upper]
    return SetComparison(
        count, len(jaccard), float(jaccard.mean()), float(jaccard.std()), float(included.mean()), len(used) < count
    )


def minimal_circuits(circuits: CircuitSet) -> CircuitSet:
    """The circuits that contain no other circuit of the set, in the set's order. Raises OntogenyError for a sample."""
    codes = whole(circuits, "which circuits are minimal").codes
    minimal = _minimal(np.unique(codes))
    return CircuitSet(codes[np.isin(codes, minimal)], circuits.layout)


def _minimal(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Those of distinct codes that contain no other of them, smallest first."""
    sizes = np.bitwise_count(codes)
    found = [np.zeros(0, np.uint64)]
    while len(codes):
        found.append(codes[sizes == sizes.min()])
        codes = _without(codes, found[-1])
        sizes = np.bitwise_count(codes)
    return np.concatenate(found)


def _without(codes: NDArray[np.uint64], contained: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The codes that contain none of `contained`."""
    for code in contained:
        codes = codes[codes & code != code]
    return codes


def find_minimal_circuits(
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    candidates: str = DEFAULTS.candidates,
    accuracy_threshold: float = DEFAULTS.accuracy_threshold,
    activation: str | Sequence[str] = "leaky_relu",
    min_sparsity: float = DEFAULTS.min_sparsity,
    *,
    negative_slope: float = 0.01,
    rule: AnyRule = ROUNDED,
    max_seconds: float | None = 3600.0,
) -> CircuitSet:
    """The circuits of a network that contain no other, exactly, however many circuits there are.

    The search drops what contains a circuit that it has found before. Arguments and errors as in `count_circuits`; of
    circuits that are listed already, `minimal_circuits` tells which they are.
    """
    problem = problem_of(
        weights, biases, x, y, candidates, accuracy_threshold, activation, min_sparsity, negative_slope, rule
    )
    problem.check_cost(max_seconds)
    return minimal_of(problem)


def minimal_of(problem: Problem) -> CircuitSet:
    """As `find_minimal_circuits`, of a problem."""
    codes = problem.search(None, MINIMAL)[1]
    return CircuitSet(problem.layout.in_order(_minimal(codes)), problem.layout)


@dataclass(frozen=True)
class Core:
    """What all circuits of a set share: node masks (inputs first) and edge masks (output layer included)."""

    node_masks: list[NDArray[np.uint8]]
    edge_masks: list[NDArray[np.uint8]]


def core(circuits: CircuitSet) -> Core:
    """Nodes and edges that are in every circuit.

    Raises OntogenyError for a sample, and for an empty set, which shares nothing. `core_of_count` tells the core of
    circuits that were only counted.
    """
    whole(circuits, "what all circuits share")
    if not len(circuits):
        raise OntogenyError("there is no circuit, so no core that all circuits share")
    return Core([m.min(axis=0) for m in circuits.node_masks], [m.min(axis=0) for m in circuits.edge_masks])


def core_of_count(found: CircuitCount) -> Core:
    """As `core`, of circuits that were counted and not listed. Raises OntogenyError where there are none."""
    expect(found, CircuitCount, "what count_circuits gives (core takes circuits)")
    if not found.count:
        raise OntogenyError("there is no circuit, so no core that all circuits share")
    return Core(
        [(share == 1).astype(np.uint8) for share in found.node_participation],
        [(share == 1).astype(np.uint8) for share in found.edge_participation],
    )
