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
from ontogeny.circuits.records import (
    DetailedCircuitTracker,
    EpochCircuits,
    OutputCircuits,
    check_record,
    circuits_of,
    neuron_activations,
    read_history,
    record_stem,
    records_from_weights,
    write_convergence,
    write_record,
)

__all__ = [
    "ACTIVATIONS",
    "CANDIDATES",
    "Circuit",
    "CircuitCount",
    "CircuitSet",
    "DetailedCircuitTracker",
    "EpochCircuits",
    "Layout",
    "OutputCircuits",
    "Sparsity",
    "check_record",
    "circuits_of",
    "count_candidates",
    "count_circuits",
    "enumerate_circuits",
    "estimate_cost",
    "neuron_activations",
    "read_history",
    "record_stem",
    "records_from_weights",
    "sample_circuits",
    "write_convergence",
    "write_record",
]
