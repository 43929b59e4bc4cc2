"""The metrics against a float64 SVD, closed forms, and records that others made."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ontogeny.errors import OntogenyError
from ontogeny.tracking import METRICS, measure, register_metric, singular_values, to_rows

SHAPES = [(128, 512), (512, 128), (64, 64), (128, 10), (1, 7), (7, 1), (1, 1)]


def by_svd(matrix):
    sigma = np.linalg.svd(np.asarray(matrix, dtype=np.float64), compute_uv=False)
    energy = sigma**2
    return {
        "stable_rank": energy.sum() / energy[0],
        "participation_ratio": sigma.sum() ** 2 / energy.sum(),
        "participation_ratio_covariance": energy.sum() ** 2 / (energy**2).sum(),
        "cumulative_90": next(k for k in range(1, len(sigma) + 1) if energy[:k].sum() >= 0.9 * energy.sum()),
        "nuclear_norm_ratio": sigma.sum() / sigma[0],
    }


def orthogonal(n, seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", ["float64", "float32", "torch", "float16", "bfloat16"])
def test_agrees_with_a_float64_svd(shape, form):
    matrix = np.random.default_rng(0).normal(size=shape)
    if form in ("torch", "bfloat16"):
        matrix = torch.tensor(matrix, dtype=torch.bfloat16 if form == "bfloat16" else torch.float32)
        expected = by_svd(matrix.double().numpy())
    else:
        matrix = matrix.astype(form)
        expected = by_svd(matrix)
    assert measure(matrix) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("shape", [(40, 300), (300, 40)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("centre", [False, True])
def test_a_large_matrix_is_measured_in_parts(monkeypatch, shape, dtype, centre):
    matrix = np.random.default_rng(0).normal(2, 1, shape).astype(dtype)
    matrix[:, 3] = 5.0
    whole = singular_values(matrix, centre)
    monkeypatch.setattr("ontogeny.tracking.estimators.TOGETHER", 8000)
    assert singular_values(matrix, centre) == pytest.approx(whole, rel=1e-9, abs=1e-5)
    matrix[7, 9] = np.nan
    assert np.isnan(singular_values(matrix, centre)).all()


def test_closed_forms():
    assert measure(np.eye(20)) == pytest.approx(dict.fromkeys(METRICS, 20) | {"cumulative_90": 18})
    rank_one = np.outer(np.arange(1.0, 9), np.arange(1.0, 30))
    assert measure(rank_one) == dict.fromkeys(METRICS, 1.0)
    planted = orthogonal(40, 1)[:, :4] @ np.diag([4.0, 3, 2, 1]) @ orthogonal(60, 2)[:4]
    assert measure(planted) == pytest.approx(
        {
            "stable_rank": 30 / 16,
            "participation_ratio": 100 / 30,
            "participation_ratio_covariance": 900 / (256 + 81 + 16 + 1),
            "cumulative_90": 3,
            "nuclear_norm_ratio": 2.5,
        },
        rel=1e-12,
    )


def test_the_two_participation_ratios_are_different_quantities():
    measured = measure(np.diag([2.0, 1.0]))
    assert measured["participation_ratio"] == pytest.approx(9 / 5)
    assert measured["participation_ratio_covariance"] == pytest.approx(25 / 17)


def test_ninety_percent_ties_count_as_reached():
    for n in (10, 20, 30, 100):
        assert measure(orthogonal(n, n))["cumulative_90"] == 0.9 * n


@pytest.mark.parametrize("factor", [1e-300, 1e-200, 1e-30, 1e-6, 3.0, 1e30, 1e150, 1e300])
def test_no_metric_depends_on_scale(factor):
    matrix = np.random.default_rng(1).normal(size=(30, 12))
    assert measure(matrix * factor) == pytest.approx(measure(matrix), rel=1e-9)


@pytest.mark.parametrize("factor", [2.0**-100, 2.0**-20, 2.0**100])
def test_no_metric_depends_on_scale_in_float32(factor):
    matrix = np.random.default_rng(1).normal(size=(30, 12)).astype(np.float32)
    assert measure(matrix * np.float32(factor)) == pytest.approx(measure(matrix), rel=1e-11)


@pytest.mark.parametrize("kind", [np.zeros, torch.zeros])
def test_zero_measures_zero(kind):
    assert measure(kind((5, 3))) == dict.fromkeys(METRICS, 0.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("method", ["gram", "svd"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_not_finite_measures_nan(bad, method, dtype):
    matrix = np.ones((5, 3), dtype=dtype)
    matrix[2, 1] = bad
    with np.errstate(invalid="ignore"):
        assert all(np.isnan(value) for value in measure(matrix, method=method).values())


def test_centring_is_explicit():
    matrix = np.random.default_rng(3).normal(size=(50, 8)) + 100
    assert measure(matrix)["stable_rank"] == pytest.approx(1, abs=1e-2)
    assert measure(matrix, centre=True) == pytest.approx(by_svd(matrix - matrix.mean(axis=0)), rel=1e-9)
    assert measure(torch.tensor(matrix), centre=True) == pytest.approx(measure(matrix, centre=True), rel=1e-9)


def test_constant_columns_centre_to_exactly_nothing():
    assert measure(np.full((7, 3), 0.1), centre=True) == dict.fromkeys(METRICS, 0.0)


def test_gram_and_svd_agree_on_a_nearly_singular_matrix():
    sigma = np.logspace(0, -6, 20)
    matrix = orthogonal(40, 3)[:, :20] @ np.diag(sigma) @ orthogonal(50, 4)[:20]
    assert singular_values(matrix)[:20] == pytest.approx(sigma, rel=1e-3, abs=1e-9)
    assert singular_values(matrix, method="svd")[:20] == pytest.approx(sigma, rel=1e-8)


def test_singular_values_carry_the_scale():
    assert singular_values(np.diag([3e-200, 4e-200])) == pytest.approx([4e-200, 3e-200])


def test_the_published_identity_holds():
    measured = measure(np.random.default_rng(5).normal(size=(64, 100)))
    rebuilt = measured["nuclear_norm_ratio"] ** 2 / measured["participation_ratio"]
    assert rebuilt == pytest.approx(measured["stable_rank"], rel=1e-12)


@given(arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.floats(-1e6, 1e6, width=32)))
def test_bounds_and_order(matrix):
    measured = measure(matrix, method="svd")
    rank = min(matrix.shape)
    if not matrix.any():
        assert set(measured.values()) == {0.0}
        return
    slack = 1e-9
    assert all(1 - slack <= value <= rank + slack for value in measured.values())
    assert measured["stable_rank"] <= measured["nuclear_norm_ratio"] + slack
    assert measured["nuclear_norm_ratio"] <= measured["participation_ratio"] + slack
    assert measured["cumulative_90"] >= 0.9 * measured["stable_rank"] - slack


def test_a_user_adds_a_metric():
    def spectral_entropy(sigma):
        share = sigma**2 / (sigma**2).sum()
        share = share[share > 0]
        return float(np.exp(-(share * np.log(share)).sum()))

    register_metric("spectral_entropy", spectral_entropy)
    try:
        assert measure(np.eye(6))["spectral_entropy"] == pytest.approx(6)
        register_metric("spectral_entropy", spectral_entropy)
        with pytest.raises(OntogenyError, match="already a metric"):
            register_metric("spectral_entropy", lambda sigma: 0.0)
    finally:
        del METRICS["spectral_entropy"]


def test_mistakes_are_named():
    with pytest.raises(OntogenyError, match="did you mean 'stable_rank'"):
        measure(np.eye(2), ["stabel_rank"])
    with pytest.raises(OntogenyError, match="rows by features"):
        measure(np.zeros((2, 3, 4)))
    with pytest.raises(OntogenyError, match="rows by features"):
        measure(np.zeros((0, 4)))
    with pytest.raises(OntogenyError, match="real numbers"):
        measure(np.eye(2).astype(complex))
    with pytest.raises(OntogenyError, match="did you mean 'gram'"):
        measure(np.eye(2), method="gramm")


@pytest.mark.parametrize("make", [np.asarray, torch.tensor])
def test_rows_of_a_convolution(make):
    activation = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    samples, positions, pooled = (
        np.asarray(to_rows(make(activation), layout)) for layout in ("samples", "positions", "pooled")
    )
    assert np.array_equal(samples, activation.reshape(2, 60))
    assert np.array_equal(positions, [activation[n, :, h, w] for n in range(2) for h in range(4) for w in range(5)])
    assert pooled == pytest.approx(activation.mean(axis=(2, 3)))
    assert np.array_equal(np.asarray(to_rows(make(activation))), samples)


@pytest.mark.parametrize("make", [np.asarray, torch.tensor])
def test_rows_of_tokens(make):
    activation = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    assert np.array_equal(np.asarray(to_rows(make(activation), "samples")), activation.reshape(2, 12))
    assert np.array_equal(np.asarray(to_rows(make(activation))), activation.reshape(6, 4))
    assert np.asarray(to_rows(make(activation), "pooled")) == pytest.approx(activation.mean(axis=1))
    assert np.array_equal(
        np.asarray(to_rows(make(activation), "positions", feature_axis=1)), activation.transpose(0, 2, 1).reshape(8, 3)
    )


@pytest.mark.parametrize("layout", ["samples", "positions", "pooled"])
def test_channels_last_memory_changes_nothing(layout):
    activation = torch.randn(4, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    last = activation.to(memory_format=torch.channels_last)
    assert measure(to_rows(last, layout)) == pytest.approx(measure(to_rows(activation, layout)), rel=1e-12)
    by_shape = to_rows(activation.permute(0, 2, 3, 1), layout, feature_axis=-1)
    assert measure(by_shape) == pytest.approx(measure(to_rows(activation, layout)), rel=1e-9)


def test_mistakes_in_rows_are_named():
    with pytest.raises(OntogenyError, match="did you mean 'samples'"):
        to_rows(np.zeros((2, 3, 4)), "sample")
    with pytest.raises(OntogenyError, match="at least two axes"):
        to_rows(np.zeros(3))
    with pytest.raises(OntogenyError, match="feature_axis 3"):
        to_rows(np.zeros((2, 3, 4)), "positions", feature_axis=3)


def test_estimators_need_no_torch():
    code = "import sys; from ontogeny.tracking import measure; measure([[1.0]]); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
