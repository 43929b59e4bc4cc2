"""PCA against scikit-learn, planted subspaces and honest limits."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA as Reference

from ontogeny.errors import OntogenyError
from ontogeny.geometry import components as module
from ontogeny.geometry import pca, projection_table, variance_table


def activations(rows, features, seed=0, decay=0.7):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(rows, features)) * decay ** np.arange(features) + generator.normal(size=features)


@pytest.mark.parametrize(("rows", "features"), [(60, 8), (20, 90), (30, 30), (2, 5)])
@pytest.mark.parametrize("wanted", [None, 2, 5])
@pytest.mark.parametrize("dense", [True, False])
def test_agrees_with_scikit_learn(rows, features, wanted, dense, monkeypatch):
    monkeypatch.setattr(module, "_DENSE_UP_TO", 10_000 if dense else 10)
    matrix = activations(rows, features, decay=0.95)
    result = pca(matrix, wanted)
    count = result.n_components
    assert count == min(wanted or features, rows - 1, features)
    reference = Reference(count, svd_solver="full").fit(matrix)
    assert result.mean == pytest.approx(reference.mean_)
    assert result.explained_variance == pytest.approx(reference.explained_variance_, rel=1e-9)
    assert result.explained_variance_ratio == pytest.approx(reference.explained_variance_ratio_, rel=1e-9)
    assert result.cumulative == pytest.approx(np.cumsum(reference.explained_variance_ratio_))
    assert result.components @ result.components.T == pytest.approx(np.eye(count), abs=1e-10)
    agreement = np.abs(np.einsum("ij,ij->i", result.components, reference.components_))
    assert agreement == pytest.approx(np.ones(count), abs=1e-6)
    assert np.abs(result.projections[0]) == pytest.approx(np.abs(reference.transform(matrix)), abs=1e-6)
    assert result.transform(matrix) == pytest.approx(result.projections[0])


@pytest.mark.parametrize("features", [6, 200])
def test_chunks_make_one_basis(features):
    matrix = activations(50, features, decay=0.9)
    whole, parts = pca(matrix, 4), pca([matrix[:20], matrix[20:23], matrix[23:]], 4)
    assert parts.components == pytest.approx(whole.components, abs=1e-9)
    assert np.concatenate(parts.projections) == pytest.approx(whole.projections[0], abs=1e-9)
    assert [len(block) for block in parts.projections] == [20, 3, 27]


def test_signs_do_not_depend_on_the_order_of_rows():
    matrix = activations(40, 7)
    first, second = pca(matrix), pca(matrix[::-1])
    assert first.components == pytest.approx(second.components, abs=1e-9)
    largest = np.abs(first.components).argmax(axis=1)
    assert (first.components[np.arange(7), largest] > 0).all()


@pytest.mark.parametrize("features", [10, 100])
def test_components_beyond_the_rank_are_not_made_up(features):
    generator = np.random.default_rng(1)
    matrix = generator.normal(size=(40, 3)) @ generator.normal(size=(3, features)) + 100
    result = pca(matrix, 8)
    assert result.n_components == 3
    assert result.capped
    assert result.cumulative[-1] == pytest.approx(1)
    assert not pca(matrix, 3).capped
    assert not pca(matrix).capped


def test_rows_that_are_all_alike_have_no_components():
    result = pca(np.full((5, 4), 0.1), 2)
    assert result.n_components == 0
    assert result.capped
    assert result.projections[0].shape == (5, 0)
    assert pca(np.ones((1, 4))).n_components == 0


def test_small_spread_about_a_large_mean_survives():
    matrix = activations(50, 4)
    shifted = pca(matrix + 1e6)
    assert shifted.explained_variance == pytest.approx(pca(matrix).explained_variance, rel=1e-7)


def test_intervals_cover_a_known_share():
    generator = np.random.default_rng(2)
    sd = np.array([3.0, 2.0, 1.0, 0.5])
    truth, inside = sd**2 / (sd**2).sum(), 0
    for seed in range(40):
        table = variance_table(pca(generator.normal(size=(200, 4)) * sd), n_resamples=100, seed=seed)
        inside += table["ratio_low"][0] <= truth[0] <= table["ratio_high"][0]
        assert (table["ratio_low"] <= table["ratio_high"]).all()
    assert inside >= 33


def test_resamples_match_a_direct_bootstrap():
    steps = [activations(60, 5, seed) for seed in (0, 1)]
    table = variance_table(pca(steps), n_resamples=50, seed=3)
    generator, direct = np.random.default_rng(3), []
    for _ in range(50):
        rows = generator.integers(60, size=60)
        direct.append(pca([step[rows] for step in steps]).explained_variance_ratio)
    assert table["ratio_low"].to_numpy() == pytest.approx(np.quantile(direct, 0.025, axis=0), rel=1e-8)
    assert table["cumulative_high"].to_numpy() == pytest.approx(
        np.quantile(np.cumsum(direct, axis=1), 0.975, axis=0), rel=1e-8
    )


def test_the_projection_table():
    result = pca([activations(4, 3), activations(4, 3, 1)], 2)
    table = projection_table(result, [10, 20], labels=list("abca"))
    assert list(table.columns) == ["step", "sample", "label", "PC1", "PC2"]
    assert table["step"].tolist() == [10] * 4 + [20] * 4
    assert table["label"].tolist() == list("abcaabca")
    assert isinstance(table, pd.DataFrame)
    with pytest.raises(OntogenyError, match="one step per matrix"):
        projection_table(result, [10])
    with pytest.raises(OntogenyError, match="3 labels for 4 rows of step 10"):
        projection_table(result, [10, 20], labels=[1, 2, 3])


def test_reads_from_hdf5(tmp_path):
    import h5py

    matrix = activations(20, 5).astype(np.float32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"] = matrix
        result = pca([file["a"], file["a"]], 2)
    assert result.components == pytest.approx(pca([matrix, matrix], 2).components)


def test_mistakes_are_named():
    with pytest.raises(OntogenyError, match="matrix 1 has 3 features and matrix 0 has 2"):
        pca([np.ones((2, 2)), np.ones((2, 3))])
    with pytest.raises(OntogenyError, match="matrix 0 holds NaN"):
        pca(np.array([[1.0, np.nan]]))
    with pytest.raises(OntogenyError, match="n_components is 0"):
        pca(np.ones((2, 2)), 0)
    with pytest.raises(OntogenyError, match="no matrices"):
        pca([])
    with pytest.raises(OntogenyError, match="matrix 0 has the shape"):
        pca(np.ones((2, 2, 2, 2)))
    with pytest.raises(OntogenyError, match="rows of 3 features"):
        pca(activations(5, 3)).transform(np.ones((2, 2)))
