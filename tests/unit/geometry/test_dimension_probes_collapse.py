"""Intrinsic dimension, linear probes and neural collapse against planted truths."""

import numpy as np
import pytest

from ontogeny.errors import OntogenyError
from ontogeny.geometry import (
    compare_probes,
    dimensional_collapse,
    effective_rank,
    linear_probe,
    neural_collapse,
    two_nn,
)


@pytest.mark.parametrize("d", [1, 2, 4])
def test_two_nn_finds_the_dimension_of_a_curved_manifold(d):
    generator = np.random.default_rng(d)
    inside = generator.uniform(size=(800, d))
    curved = np.column_stack([inside, np.sin(3 * inside).sum(axis=1), inside[:, 0] ** 2])
    found = two_nn(curved @ generator.normal(size=(d + 2, 20)))
    assert found.value == pytest.approx(d, rel=0.15)
    assert found.high - found.low < 0.3 * found.value


def test_two_nn_leaves_copies_out_and_does_not_depend_on_scale():
    points = np.random.default_rng(0).normal(size=(200, 3))
    whole = two_nn(points)
    copied = two_nn(1e6 * np.vstack([points, points[:50]]) + 5)
    assert (copied.duplicates, copied.points) == (50, 200)
    assert copied.value == pytest.approx(whole.value, rel=1e-3)
    assert np.isnan(two_nn(np.ones((50, 4))).value)
    with pytest.raises(OntogenyError):
        two_nn(np.full((20, 2), np.nan))
    with pytest.raises(OntogenyError):
        two_nn(points, discard=0.9)


def test_probes_read_what_is_there_and_nothing_else():
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 4, size=200)
    clear = linear_probe(generator.normal(size=(200, 20)) + 4 * np.eye(4, 20)[labels], labels)
    assert clear.accuracy > 0.95
    assert clear.p_value < 1e-6
    assert clear.shuffled_low <= 0.25 + 0.1
    assert clear.shuffled_high >= 0.2
    assert clear.low <= clear.accuracy <= clear.high


def test_probes_on_random_labels_have_uniform_p_values():
    generator = np.random.default_rng(2)
    found = [
        linear_probe(generator.normal(size=(80, 10)), generator.integers(0, 3, size=80), seed=seed).p_value
        for seed in range(30)
    ]
    assert np.mean(np.array(found) < 0.05) <= 0.2
    assert 0.25 < np.mean(found) < 0.75


def test_probes_compare_on_the_same_samples():
    one, other = np.ones(20, bool), np.ones(20, bool)
    assert compare_probes(one, other) == 1
    other[:10] = False
    assert compare_probes(one, other) == pytest.approx(2 * 0.5**10)
    with pytest.raises(OntogenyError, match="2 samples or more"):
        linear_probe(np.zeros((5, 2)), [0, 0, 0, 0, 1])


def frame(classes, features):
    """Class means of a simplex equiangular tight frame, (classes, features)."""
    basis = np.linalg.qr(np.random.default_rng(3).normal(size=(features, classes)))[0]
    return (basis @ (np.eye(classes) - 1 / classes)).T


def test_planted_neural_collapse_measures_zero():
    labels = np.repeat(np.arange(5), 10)
    means = frame(5, 12)
    found = neural_collapse(3 * means[labels] + 7, labels, 0.1 * means, np.zeros(5))
    assert [found.nc1, found.nc2_norm, found.nc2_angle, found.nc3] == pytest.approx([0] * 4, abs=1e-9)


def test_nc1_is_the_trace_of_its_definition():
    generator = np.random.default_rng(4)
    labels = np.repeat(np.arange(4), 25)
    values = generator.normal(size=(100, 6)) + 2 * frame(4, 6)[labels]
    means = np.array([values[labels == c].mean(axis=0) for c in range(4)])
    within = (values - means[labels]).T @ (values - means[labels]) / 100
    centred = means - means.mean(axis=0)
    expected = np.trace(within @ np.linalg.pinv(centred.T @ centred / 4)) / 4
    found = neural_collapse(values, labels)
    assert found.nc1 == pytest.approx(expected)
    assert found.nc1_low <= found.nc1 <= found.nc1_high
    assert np.isnan(found.nc3)


def test_nc4_counts_disagreement():
    labels = np.repeat(np.arange(3), 10)
    means = frame(3, 5)
    values = means[labels] + 0.01 * np.random.default_rng(5).normal(size=(30, 5))
    assert neural_collapse(values, labels, means).nc4 == 0
    assert neural_collapse(values, labels, means[[1, 2, 0]]).nc4 == 1


def test_effective_rank_and_dimensional_collapse():
    generator = np.random.default_rng(6)
    basis = np.linalg.qr(np.column_stack([np.ones(60), generator.normal(size=(60, 5))]))[0][:, 1:]
    assert effective_rank(basis) == pytest.approx(5)
    assert effective_rank(basis * [1, 1, 0, 0, 0]) == pytest.approx(2)
    assert effective_rank(np.ones((10, 3))) == 0
    labels = np.arange(60) % 10
    assert not dimensional_collapse(basis, labels)
    assert dimensional_collapse(basis * [1, 0, 0, 0, 0], labels)


@pytest.mark.parametrize("shift", [-1, 0.5])
def test_neural_collapse_wants_labels_that_number_the_classifiers_rows(shift):
    labels = np.arange(12) % 3
    with pytest.raises(OntogenyError, match="whole numbers from 0"):
        neural_collapse(np.eye(12), labels + shift, np.eye(3, 12))
