"""Groundings against a plain search over gates, and formulas mapped to neurons that are known to compute them."""

import itertools
from collections import Counter
from functools import cache

import numpy as np
import pytest
from nets import trained_nets, truth_table

from ontogeny.circuits import (
    Circuit,
    enumerate_circuits,
    evaluate_formula,
    gate_name,
    ground,
    interchange_accuracies,
    map_formula,
    two_level_formulas,
)
from ontogeny.circuits.interpretation import circuit_activations
from ontogeny.errors import OntogenyError

SIZES = (2, 3, 3, 1)

# XOR as NAND and OR of the inputs, then AND, in steep sigmoids; other neurons are silent
WEIGHTS = [
    np.array([[-20.0, -20.0], [20.0, 20.0], [0.1, 0.0]]),
    np.array([[20.0, 20.0, 0.0], [0.0, 0.0, 0.1], [0.0, 0.1, 0.0]]),
    np.array([[1.0, 0.0, 0.0]]),
]
BIASES = [np.array([30.0, -10.0, -20.0]), np.array([-30.0, -20.0, -20.0]), np.array([0.0])]
FORMULA = {"l": ("NAND", "x0", "x1"), "r": ("OR", "x0", "x1"), "out": ("AND", "l", "r")}


@cache
def fitting_tables(own, parents):
    """How many truth tables other than XOR and XNOR give a neuron's bits from those of its parents."""
    fits = 0
    for table in itertools.product((0, 1), repeat=2 ** len(parents)):
        if table not in {(0, 1, 1, 0), (1, 0, 0, 1)}:
            fits += tuple(table[int("".join(map(str, row)), 2)] for row in zip(*parents)) == own
    return fits


def plain_groundings(circuit, weights, biases):
    """Every grounding by trying every threshold and every truth table of every neuron."""
    values = circuit_activations(circuit, weights, biases)
    names = [(layer, k) for layer, m in enumerate(circuit.node_masks[1:], 1) for k in np.flatnonzero(m).tolist()]
    bits = []
    for layer, k in names:
        column = values[layer][:, k]
        column = np.round(column) if layer == len(values) - 1 else column
        levels = sorted(set(column.tolist()))
        bits.append([tuple(int(v > (a + b) / 2) for v in column) for a, b in itertools.pairwise(levels)])
    total = 0
    for choice in itertools.product(*bits):
        chosen, ways = dict(zip(names, choice)), 1
        for (layer, k), own in chosen.items():
            if layer == 1:
                continue
            parents = [chosen[layer - 1, i] for i in np.flatnonzero(circuit.edge_masks[layer - 1][k])]
            ways *= fitting_tables(own, tuple(parents))
        total += ways
    return total


@pytest.fixture(scope="module")
def some():
    net = trained_nets(SIZES, 12)[1]
    found = enumerate_circuits(*net, *truth_table(2))
    return net, found


def test_number_of_groundings_matches_a_plain_search(some):
    net, found = some
    for circuit in found[:: max(1, len(found) // 8)]:
        assert ground(circuit, *net).count == plain_groundings(circuit, *net)


def test_groundings_are_listed_once_each_and_compute_the_gate(some):
    net, found = some
    circuit = min(found[:60], key=lambda c: abs(ground(c, *net).count - 60))
    groundings = ground(circuit, *net)
    listed = list(groundings)
    assert len(listed) == len(set(listed)) == groundings.count > 0
    for gates in listed[:50]:
        for x in itertools.product((0, 1), repeat=2):
            bits = {}
            for gate in gates:
                inputs = x if gate.layer == 1 else [bits[gate.layer - 1, i] for i in gate.inputs]
                bits[gate.layer, gate.neuron] = gate.table[int("".join(map(str, inputs)), 2)]
            assert bits[3, 0] == x[0] ^ x[1]
            assert gates[-1].name not in ("XOR", "XNOR")
    drawn = groundings.sample(40 * len(listed) if len(listed) < 30 else 300, seed=0)
    assert set(drawn) <= set(listed)
    if len(listed) < 30:
        counts = Counter(drawn)
        assert len(counts) == len(listed)
        assert max(counts.values()) < 90


def test_a_formula_is_found_in_the_neurons_built_for_it():
    table = interchange_accuracies(FORMULA, WEIGHTS, BIASES, activation="sigmoid")
    accuracy = table[table.layer == 1].set_index(["node", "neurons"]).accuracy
    assert accuracy["l", (0,)] == accuracy["r", (1,)] == 1
    assert accuracy["l", (1,)] < 1
    assert accuracy["r", (0, 1)] < 1
    mappings = map_formula(FORMULA, WEIGHTS, BIASES, activation="sigmoid")
    assert mappings == [{"l": (1, (0,)), "r": (1, (1,))}]
    circuit = enumerate_circuits(WEIGHTS, BIASES, *truth_table(2), activation="sigmoid")[0]
    assert map_formula(FORMULA, WEIGHTS, BIASES, circuit, "sigmoid") == mappings


def test_a_negated_formula_lies_in_the_same_neurons_and_a_wrong_one_in_none():
    negated = {"l": ("NOR", "x0", "x1"), "r": ("AND", "x0", "x1"), "out": ("NOR", "l", "r")}
    assert map_formula(negated, WEIGHTS, BIASES, activation="sigmoid") == [{"l": (1, (1,)), "r": (1, (0,))}]
    other = {"l": ("IMP", "x0", "x1"), "r": ("CIMP", "x0", "x1"), "out": ("NAND", "l", "r")}
    assert evaluate_formula(other, list(itertools.product((0, 1), repeat=2)))["out"].tolist() == [0, 1, 1, 0]
    assert map_formula(other, WEIGHTS, BIASES, activation="sigmoid") == []


def test_formulas_of_two_levels_compute_the_gate():
    formulas = two_level_formulas((0, 1, 1, 0))
    assert FORMULA in [f | {"l": f["r"], "r": f["l"]} for f in formulas] + formulas
    for formula in formulas:
        out = evaluate_formula(formula, list(itertools.product((0, 1), repeat=2)))["out"]
        assert out.tolist() == [0, 1, 1, 0]
    with pytest.raises(OntogenyError, match="did you mean 'NAND'"):
        evaluate_formula({"out": ("NNAND", "x0", "x1")}, [[0, 1]])
    with pytest.raises(OntogenyError, match="argument 'z'"):
        evaluate_formula({"out": ("AND", "x0", "z")}, [[0, 1]])


def test_gates_have_names():
    assert gate_name((0, 1, 1, 1)) == "OR"
    assert gate_name((1, 1)) == "TRUE"
    assert gate_name((0, 0, 0, 1, 0, 1, 1, 1)) == "00010111"


def test_a_constant_neuron_is_no_gate_and_no_parent():
    """Of two ReLU neurons one is on for no input; the published code then counts gates of the other alone."""
    weights = [np.array([[1.0, 1.0], [-1.0, -1.0]], np.float32), np.array([[1.0, 1.0]], np.float32)]
    biases = [np.array([-1.0, -3.0], np.float32), np.array([0.0], np.float32)]
    circuit = Circuit(0b1111, (2, 2, 1))
    found = ground(circuit, weights, biases, "relu")
    assert found.count == 1
    (gates,) = list(found)
    assert [(gate.layer, gate.neuron, gate.name) for gate in gates] == [(1, 0, "AND"), (2, 0, "ID")]
    assert found.sample(2, seed=0) == [gates, gates]
