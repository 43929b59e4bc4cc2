"""Turnover by joint counts equals turnover by listing."""

import numpy as np
import pandas as pd
import pytest
from nets import random_net, trained_nets, truth_table

from ontogeny.circuits import CircuitSettings, count_in_all, enumerate_circuits, turnover
from ontogeny.circuits import dynamics as module
from ontogeny.circuits._plain import every_candidate, reference
from ontogeny.circuits.dynamics import dynamics
from ontogeny.circuits.enumeration import Problem, Samples
from ontogeny.errors import OntogenyError

XOR = truth_table(2, copies=20)


def path(sizes, steps=6, noise=0.02, seed=0):
    """Epochs of one network: a trained one that drifts."""
    weights, biases = trained_nets(sizes, 12)[0]
    rng = np.random.default_rng(seed)
    drift = [[w + noise * k * rng.normal(size=w.shape) for k in range(steps)] for w in (*weights, *biases)]
    stacked = [np.stack(layer).astype(np.float32) for layer in drift]
    return stacked[: len(weights)], stacked[len(weights) :]


@pytest.mark.parametrize("few", [0, 100_000])
@pytest.mark.parametrize(
    ("sizes", "rows", "settings"),
    [
        ((2, 3, 3, 1), XOR, CircuitSettings()),
        ((2, 3, 2, 1), XOR, CircuitSettings(candidates="published", min_sparsity=0.1)),
        ((2, 2, 2, 3, 1), XOR, CircuitSettings()),
        ((2, 3, 3, 1), truth_table(2, copies=20, noise=0.12), CircuitSettings(accuracy_threshold=0.9)),
    ],
)
def test_turnover_is_that_of_listed_circuits(monkeypatch, few, sizes, rows, settings):
    monkeypatch.setattr(module, "MOST_LISTED", few)
    weights, biases = path(sizes)
    epochs = [3, 5, 6, 9, 10, 12]
    chosen = (settings.candidates, settings.accuracy_threshold, "leaky_relu", settings.min_sparsity)
    sets = [
        enumerate_circuits([w[k] for w in weights], [b[k] for b in biases], *rows, *chosen) for k in range(len(epochs))
    ]
    expected = turnover(epochs, sets)
    assert expected.appearances[1:].sum() > 0
    pd.testing.assert_frame_equal(dynamics(epochs, weights, biases, *rows, settings), expected, check_dtype=False)


def test_turnover_of_networks_with_more_edges_than_a_code_has_bits():
    sizes, settings, rows = (2, 10, 6, 1), CircuitSettings(min_sparsity=0.8), truth_table(2, gate=(0, 1, 1, 1))
    samples, rng = Samples.of(*rows, 2), np.random.default_rng(4)
    weights, biases = random_net(sizes, 4)
    weights, biases = (
        [np.stack([v + 0.15 * k * rng.normal(size=v.shape) for k in range(4)]).astype(np.float32) for v in layers]
        for layers in (weights, biases)
    )
    table = dynamics([1, 2, 3, 4], weights, biases, *rows, settings)
    before, told = set(), []
    for k in range(4):
        network = ([w[k] for w in weights], [b[k] for b in biases])
        problem = Problem([network], [samples], min_sparsity=settings.min_sparsity)
        every = every_candidate(sizes, problem.most)
        now = {tuple(np.concatenate(sets)) for sets in every if reference(sets, problem.network, problem.rows)}
        told.append([len(now), len(now - before), len(before - now)])
        before = now
    assert table[["circuits", "appearances", "disappearances"]].to_numpy().tolist() == told
    assert told == [[27, 27, 0], [30, 3, 0], [8, 8, 30], [0, 0, 8]]


def test_circuits_of_some_networks_and_not_of_others():
    weights, biases = path((2, 3, 3, 1), 4, 0.05)
    networks = [([w[k] for w in weights], [b[k] for b in biases]) for k in range(4)]
    sets = [set(enumerate_circuits(*network, *XOR).codes.tolist()) for network in networks]
    for inside, outside in (((0,), ()), ((0, 1), ()), ((3,), (0,)), ((1,), (0, 2, 3)), ((0, 3), (1, 2))):
        expected = set.intersection(*(sets[k] for k in inside)) - set().union(*(sets[k] for k in outside))
        found = count_in_all([networks[k] for k in inside], *XOR, but_not=[networks[k] for k in outside])
        assert found == len(expected)
    with pytest.raises(OntogenyError, match="at most 10"):
        count_in_all(networks[:1], *XOR, but_not=networks * 3)
    with pytest.raises(OntogenyError, match="different sizes"):
        count_in_all([networks[0], random_net((2, 2, 2, 1), 0)], *XOR)
