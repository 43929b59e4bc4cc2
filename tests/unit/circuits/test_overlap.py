"""Circuits beside each other, against plain set arithmetic."""

import itertools

import numpy as np
import pytest
from nets import trained_nets, truth_table

from ontogeny.circuits import (
    CircuitSample,
    CircuitSet,
    compare_within,
    core,
    core_of_count,
    count_circuits,
    enumerate_circuits,
    find_minimal_circuits,
    inclusions,
    minimal_circuits,
    overlaps,
    turnover,
)
from ontogeny.circuits._problem import MINIMAL
from ontogeny.circuits.enumeration import Problem, Samples, summarise
from ontogeny.errors import OntogenyError

SIZES = (2, 3, 3, 1)


@pytest.fixture(scope="module")
def circuits():
    return enumerate_circuits(*trained_nets(SIZES, 12)[0], *truth_table(2))


def parts(circuit):
    """A circuit as a set of named hidden nodes and edges."""
    found = set()
    for layer, mask in enumerate(circuit.node_masks[1:-1], start=1):
        found |= {("node", layer, i) for i in np.flatnonzero(mask)}
    for layer, mask in enumerate(circuit.edge_masks):
        found |= {("edge", layer, *map(int, place)) for place in np.argwhere(mask)}
    return found


def test_overlap_and_inclusion_are_those_of_sets(circuits):
    named = [parts(c) for c in circuits]
    jaccard, inside = overlaps(circuits), inclusions(circuits)
    for i, j in itertools.product(range(0, len(named), 7), repeat=2):
        assert jaccard[i, j] == pytest.approx(len(named[i] & named[j]) / len(named[i] | named[j]))
        assert inside[i, j] == (named[i] <= named[j]) == (circuits[i] <= circuits[j])
    pairs = list(itertools.combinations(range(len(named)), 2))
    summary = compare_within(circuits)
    assert summary.pairs == len(pairs)
    assert summary.jaccard_mean == pytest.approx(np.mean([jaccard[p] for p in pairs]))
    assert summary.included == pytest.approx(np.mean([inside[i, j] or inside[j, i] for i, j in pairs]))
    part = compare_within(circuits, most=10)
    assert part.sampled
    assert part.pairs == 45
    assert overlaps(circuits, circuits[:2]).shape == (len(circuits), 2)
    assert np.isnan(compare_within(circuits[:1]).jaccard_mean)


def test_minimal_circuits_and_core(circuits):
    named = [parts(c) for c in circuits]
    expected = [c for c, mine in zip(circuits, named) if not any(other < mine for other in named)]
    assert list(minimal_circuits(circuits)) == expected
    problem = Problem([trained_nets(SIZES, 12)[0]], [Samples.of(*truth_table(2), 2)])
    assert find_minimal_circuits(*trained_nets(SIZES, 12)[0], *truth_table(2)) == minimal_circuits(circuits)
    while_searching = problem.search("compiled", MINIMAL)[1]
    assert set(minimal_circuits(circuits).codes) <= set(while_searching) < set(circuits.codes)
    shared = set.intersection(*named)
    found = core(circuits)
    mine = {("node", layer, i) for layer in (1, 2) for i in np.flatnonzero(found.node_masks[layer])}
    mine |= {("edge", layer, *map(int, p)) for layer, m in enumerate(found.edge_masks) for p in np.argwhere(m)}
    assert mine == shared
    with pytest.raises(OntogenyError, match="no circuit"):
        core(circuits[:0])


def test_a_sample_is_no_set(circuits):
    sample = CircuitSample(circuits.codes[:5], circuits.layout, len(circuits))
    assert sample != circuits[:5]
    assert sample[:2].population == len(circuits)
    assert compare_within(sample).sampled
    assert compare_within(sample).n_circuits == len(circuits)
    for needs_all in (minimal_circuits, core):
        with pytest.raises(OntogenyError, match="cannot be told from a sample"):
            needs_all(sample)
    with pytest.raises(OntogenyError, match="cannot be told from a sample"):
        turnover([1, 2], [circuits, sample])


def test_the_core_of_counted_circuits_is_that_of_listed_ones():
    for net in trained_nets(SIZES, 12):
        found = count_circuits(*net, *truth_table(2))
        if found.count:
            listed, counted = core(enumerate_circuits(*net, *truth_table(2))), core_of_count(found)
            for mine, theirs in zip(listed.node_masks + listed.edge_masks, counted.node_masks + counted.edge_masks):
                assert np.array_equal(mine, theirs)


def test_what_all_circuits_share_is_told_of_any_number_of_them():
    for found in (49, 98, 107, 2**55 + 1):  # 49 * (1 / 49) is less than 1
        marginals = np.zeros((1, 3, 4), np.int64)
        marginals[0, 0, 3], marginals[0, 1, 1] = found, found - 1
        shared = core_of_count(summarise((2, 3, 1), found, marginals, found))
        assert [mask.tolist() for mask in shared.node_masks] == [[1, 1], [1, 0, 0], [1]]
        assert shared.edge_masks[0].tolist() == [[1, 1], [0, 0], [0, 0]]


def test_no_circuits_overlap_with_none_and_those_of_other_networks_do_not_fit(circuits):
    none = CircuitSet(np.zeros(0, np.uint64), SIZES)
    assert overlaps(none).shape == (0, 0)
    assert circuits[[2, 5]] == circuits[2:6:3] == circuits[np.isin(np.arange(len(circuits)), [2, 5])]
    assert overlaps(circuits[:3], none).shape == (3, 0)
    with pytest.raises(OntogenyError, match="have no edges in common"):
        overlaps(circuits, CircuitSet(np.zeros(0, np.uint64), (2, 3, 1)))
    with pytest.raises(OntogenyError, match="population is 2: give how many circuits there are"):
        CircuitSample(circuits.codes[:3], SIZES, 2)
