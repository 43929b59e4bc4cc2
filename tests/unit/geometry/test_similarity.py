"""Similarity of representations: closed forms, brute force, what chance gives, and bounded memory."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ontogeny.errors import OntogenyError
from ontogeny.geometry import cka, pca, procrustes, subspace_overlap
from ontogeny.geometry.similarity import _feature_terms, _gram_terms, _hsic, gram, random_overlaps


def rotation(size, generator):
    return np.linalg.qr(generator.normal(size=(size, size)))[0]


def song(x, y):
    """Song et al. (2012), eq. 5, written out."""
    n, ones = len(x), np.ones(len(x))
    k, l = x @ x.T, y @ y.T  # noqa: E741
    np.fill_diagonal(k, 0)
    np.fill_diagonal(l, 0)
    return (
        np.trace(k @ l)
        + (ones @ k @ ones) * (ones @ l @ ones) / ((n - 1) * (n - 2))
        - 2 * (ones @ k @ l @ ones) / (n - 2)
    ) / (n * (n - 3))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100), st.integers(2, 40))
def test_rotation_scale_and_shift_change_nothing(seed, scale, features):
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(30, features))
    y = scale * x @ rotation(features, generator) + generator.normal(size=features)
    assert cka(x, y).value == pytest.approx(1, abs=1e-9)
    assert cka(x, y, debiased=False).value == pytest.approx(1, abs=1e-9)
    assert procrustes(x, y).value == pytest.approx(0, abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 50), st.integers(1, 50))
def test_symmetry_bounds_and_intervals(seed, f, g):
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(25, f)), generator.normal(size=(25, g))
    for measure in (cka, procrustes):
        one, two = measure(x, y), measure(y, x)
        assert one.value == pytest.approx(two.value, abs=1e-9)
        assert one.low <= one.value <= one.high
    assert -1 <= cka(x, y).value <= 1 + 1e-9
    assert 0 <= procrustes(x, y).value <= np.pi / 2


def test_both_forms_are_the_formula_and_the_jackknife_leaves_each_sample_out():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(40, 9)) + 3
    y = x[:, :4] + generator.normal(size=(40, 4))
    for one, two in zip(_feature_terms(x, y), _gram_terms(gram(x), gram(y)), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)
    value, without = _hsic(*_gram_terms(gram(x), gram(y)))
    assert value == pytest.approx(song(x, y), rel=1e-9)
    brute = [song(np.delete(x, i, 0), np.delete(y, i, 0)) for i in range(40)]
    np.testing.assert_allclose(without, brute, rtol=1e-8)


def test_independent_representations_have_no_debiased_cka_and_much_biased():
    generator = np.random.default_rng(1)
    pairs = [(generator.normal(size=(60, 300)), generator.normal(size=(60, 200))) for _ in range(20)]
    assert abs(np.mean([cka(x, y).value for x, y in pairs])) < 0.02
    assert np.mean([cka(x, y, debiased=False).value for x, y in pairs]) > 0.7


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    generator = np.random.default_rng(2)
    mixing = generator.normal(size=(8, 8)) * np.array([4, 3, 2, 1.5, 1, 0.5, 0.2, 0.1])[:, None]

    def draw(count):
        latent = generator.normal(size=(count, 8))
        return latent @ mixing, np.tanh(latent @ mixing[:, ::-1]) + 0.5 * generator.normal(size=(count, 8))

    x, y = draw(20_000)
    truth = (cka(x, y).value, subspace_overlap(x, y, 2).value)
    hits = np.zeros(2)
    for _ in range(60):
        x, y = draw(200)
        found = (cka(x, y), subspace_overlap(x, y, 2))
        hits += [each.low <= value <= each.high for each, value in zip(found, truth, strict=True)]
    assert (hits >= 51).all()


def test_procrustes_in_closed_form():
    basis = rotation(20, np.random.default_rng(3))
    basis = np.linalg.qr(np.column_stack([np.ones(20), basis[:, :4]]))[0][:, 1:]
    x = basis[:, :2]
    assert procrustes(x, basis[:, 2:4]).value == pytest.approx(np.pi / 2)
    assert procrustes(x, basis[:, [0, 2]]).value == pytest.approx(np.arccos(0.5))


def test_subspaces_and_their_null():
    generator = np.random.default_rng(4)
    x = generator.normal(size=(200, 12)) * np.array([9, 8, 7, *[1] * 9])
    same = subspace_overlap(x, x, 3)
    assert same.value == pytest.approx(1)
    assert (same.null, same.p_value) == (pytest.approx(0.25), pytest.approx(1e-4))
    other = subspace_overlap(x, x[:, ::-1], 3)
    assert other.value < 0.05
    assert other.p_value > 0.9
    assert subspace_overlap(x, x @ rotation(12, generator), 3, space="samples").value == pytest.approx(1)
    random = random_overlaps(4, 6)
    drawn = [np.square(rotation(6, generator)[:4, :4]).sum() / 4 for _ in range(2000)]
    assert random.mean() == pytest.approx(4 / 6, abs=0.01)
    assert random.std() == pytest.approx(np.std(drawn), rel=0.1)


def test_degenerate_and_wrong_input():
    x = np.random.default_rng(5).normal(size=(20, 3))
    assert np.isnan(cka(x, np.ones((20, 3))).value)
    assert np.isnan(procrustes(x, np.ones((20, 3))).value)
    assert np.isnan(subspace_overlap(x, np.ones((20, 3)), 2).value)
    for wrong in (x[:10], np.zeros(20), np.full((20, 40), np.nan)):
        with pytest.raises(OntogenyError):
            cka(x, wrong)
    with pytest.raises(OntogenyError, match="k is 0: give a whole number of at least 1"):
        subspace_overlap(x, x, 0)
    assert pca(x, 5).capped


def test_memory_is_bounded_for_a_large_memory_map(tmp_path):
    big = np.lib.format.open_memmap(tmp_path / "big.npy", "w+", np.float32, (300, 60_000))
    generator = np.random.default_rng(6)
    for start in range(0, 60_000, 10_000):
        big[:, start : start + 10_000] = generator.normal(size=(300, 10_000))
    tall = np.lib.format.open_memmap(tmp_path / "tall.npy", "w+", np.float32, (60_000, 60))
    tall[:] = generator.normal(size=(60_000, 60))
    tracemalloc.start()
    assert cka(big, big[:, :30_000]).value > 0.5
    assert cka(tall, tall[:, :30]).value > 0.5
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 160 * 2**20
