"""Circuits of tiny networks: every subnetwork that computes the function perfectly."""

from ontogeny.circuits.enumeration import (
    ACTIVATIONS,
    CircuitCount,
    count_circuits,
    enumerate_circuits,
    estimate_cost,
    sample_circuits,
)
from ontogeny.circuits.masks import CANDIDATES, Circuit, CircuitSet, Layout, Sparsity, count_candidates

__all__ = [
    "ACTIVATIONS",
    "CANDIDATES",
    "Circuit",
    "CircuitCount",
    "CircuitSet",
    "Layout",
    "Sparsity",
    "count_candidates",
    "count_circuits",
    "enumerate_circuits",
    "estimate_cost",
    "sample_circuits",
]
