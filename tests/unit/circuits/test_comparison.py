"""Circuits beside each other and through training, against plain set arithmetic."""

import itertools

import numpy as np
import pandas as pd
import pytest
from nets import trained_nets, truth_table

from ontogeny.circuits import (
    CircuitSet,
    birth_epochs,
    births_at_jumps,
    compare_within,
    core,
    enumerate_circuits,
    inclusions,
    life_table,
    lineages,
    minimal_circuits,
    overlaps,
    turnover,
)
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
    shared = set.intersection(*named)
    found = core(circuits)
    mine = {("node", layer, i) for layer in (1, 2) for i in np.flatnonzero(found.node_masks[layer])}
    mine |= {("edge", layer, *map(int, p)) for layer, m in enumerate(found.edge_masks) for p in np.argwhere(m)}
    assert mine == shared
    with pytest.raises(OntogenyError, match="no circuit"):
        core(circuits[:0])


def followed():
    sets = [[], [5, 9], [5, 9, 7], [7], [7, 5], [7]]
    return [10, 20, 30, 40, 50, 60], [CircuitSet(np.array(s, np.uint64), SIZES) for s in sets]


def test_births_deaths_and_persistence():
    table = life_table(*followed()).set_index("code")
    assert table.birth.to_dict() == {5: 20, 9: 20, 7: 30}
    assert table.death.loc[5] == 60
    assert table.death.loc[9] == 40
    assert table.death.loc[7] is pd.NA
    assert table.present.to_dict() == {5: 3, 9: 2, 7: 4}
    assert table.spells.to_dict() == {5: 2, 9: 1, 7: 1}
    assert table.persistence.loc[7] == 1
    assert birth_epochs(*followed()).tolist() == [20, 20, 30]
    rows = turnover(*followed())
    assert rows.births.tolist() == [0, 2, 1, 0, 1, 0]
    assert rows.deaths.tolist() == [0, 0, 0, 2, 0, 1]
    assert rows.survived[3] == pytest.approx(1 / 3)
    with pytest.raises(OntogenyError, match="increasing"):
        life_table([1, 1], followed()[1][:2])


def test_lineages_follow_the_nearest_circuit():
    table = lineages(*followed())
    assert table.code.tolist() == [5, 9, 7, 5]
    assert table.parent.isna().tolist() == [True, True, False, False]
    assert table.parent[2] == 5
    assert table.distance[2] == 1
    assert table.parent[3] == 7
    assert table.generation.tolist() == [0, 0, 1, 2]
    assert table.line.tolist() == [0, 1, 0, 0]


def test_births_at_jumps_are_found_and_chance_is_not():
    rng = np.random.default_rng(0)
    jumps = [np.sort(rng.choice(1000, 4, replace=False)) for _ in range(12)]
    spans = [(0, 999)] * 12
    together = [(np.repeat(j, 3) + rng.integers(-5, 6, 12)).clip(0, 999) for j in jumps]
    apart = [rng.integers(0, 1000, 12) for _ in jumps]
    found = births_at_jumps(together, jumps, spans, window=10, n_shifts=999)
    assert found.p_value == 0.001
    assert found.near > found.high
    assert found.ratio > 4
    p_values = [
        births_at_jumps([rng.integers(0, 1000, 12) for _ in jumps], jumps, spans, 10, 199, seed).p_value
        for seed in range(20)
    ]
    assert 0.2 < np.mean(p_values) < 0.8
    found = births_at_jumps(apart, jumps, spans, window=10, n_shifts=999)
    assert found.low <= found.near <= found.high
    assert found.births == 144
    assert found.jumps == 48


def test_births_that_are_early_in_every_run_are_no_nearer_to_their_own_jumps_than_strangers_are():
    rng = np.random.default_rng(1)
    jumps = [np.sort(rng.integers(0, 60, 2)) for _ in range(30)]
    early = [rng.integers(0, 60, 20) for _ in jumps]
    found = births_at_jumps(early, jumps, [(0, 999)] * 30, window=5, n_shifts=999)
    assert found.p_value < 0.01
    assert found.p_strangers > 0.05
    assert found.share == pytest.approx(found.strangers, abs=0.1)
    together = [(np.repeat(j, 10) + rng.integers(-3, 4, 20)).clip(0, 999) for j in jumps]
    found = births_at_jumps(together, jumps, [(0, 999)] * 30, window=5, n_shifts=999)
    assert found.p_strangers == 0.001
    assert found.share == 1
    assert np.isnan(births_at_jumps([[5]], [[5]], [(0, 999)], 1, 99).p_strangers)


def test_births_at_jumps_says_what_is_wrong():
    with pytest.raises(OntogenyError, match="outside its span"):
        births_at_jumps([[5]], [[2000]], [(0, 999)], 10)
    with pytest.raises(OntogenyError, match="nothing to compare"):
        births_at_jumps([[]], [[5]], [(0, 999)], 10)
    with pytest.raises(OntogenyError, match="one each"):
        births_at_jumps([[1]], [], [(0, 9)], 1)
