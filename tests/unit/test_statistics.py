"""Intervals and tests against their libraries, against exact counts, and against what they were before one home."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests

from ontogeny.errors import OntogenyError
from ontogeny.statistics import (
    adjust,
    bootstrap_interval,
    bootstrap_mean,
    bootstrap_weights,
    percentile_interval,
    permutation_test,
    proportion_interval,
    resampling_p_value,
    sign_flip_test,
    student_interval,
)

rng = np.random.default_rng(5)


def test_importing_it_loads_neither_scipy_nor_statsmodels():
    code = "import sys, ontogeny.statistics; print([m for m in ('scipy', 'statsmodels', 'pandas') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_student_interval_is_scipys():
    values = rng.normal(size=(12, 3))
    mean, low, high = student_interval(values, 0.9)
    for k in range(3):
        expected = scipy.stats.ttest_1samp(values[:, k], 0).confidence_interval(0.9)
        np.testing.assert_allclose([mean[k], low[k], high[k]], [values[:, k].mean(), *expected])
    assert np.isnan(student_interval([1.0]).low)
    assert student_interval([1.0]).mean == 1
    assert np.isnan(student_interval([]).mean)


def test_student_interval_covers_as_often_as_it_says():
    low, high = student_interval(rng.normal(3.0, size=(8, 4000)), 0.9)[1:]
    assert abs(((low <= 3) & (high >= 3)).mean() - 0.9) < 0.015


@pytest.mark.parametrize(("method", "name"), [("wilson", "wilson"), ("exact", "exact")])
def test_proportion_interval_is_scipys_at_every_share(method, name):
    low, high = proportion_interval(np.arange(11), 10, 0.95, method)
    for hits in range(11):
        expected = scipy.stats.binomtest(hits, 10).proportion_ci(0.95, method=name)
        np.testing.assert_allclose([low[hits], high[hits]], expected, atol=1e-12)


def test_single_numbers_are_scalars_that_tables_keep_as_numbers():
    scalars = [*student_interval([1.0]), *student_interval([]), *student_interval([1.0, 2.0])]
    scalars += [*proportion_interval(1, 2), *percentile_interval([1.0, 2.0]), sign_flip_test([1.0, 2.0])]
    scalars += bootstrap_mean([1.0, 2.0], bootstrap_weights(2, 100))
    assert all(isinstance(each, float) for each in scalars)


def test_a_share_of_nothing_may_be_anything():
    np.testing.assert_allclose(proportion_interval(9, 10), (0.5958, 0.9821), atol=1e-4)
    assert proportion_interval(0, 0) == (0, 1)
    with pytest.raises(OntogenyError, match="hits"):
        proportion_interval(3, 2)


def test_bootstrap_intervals_of_both_kinds_agree_with_each_other_and_with_scipy():
    values = rng.exponential(size=40)
    low, high = bootstrap_interval(values, np.mean, 0.95, 9999)
    _, low_too, high_too = bootstrap_mean(values, bootstrap_weights(40, 9999, 0))
    np.testing.assert_allclose([low, high], [low_too, high_too])
    own = scipy.stats.bootstrap((values,), np.mean, method="percentile", n_resamples=9999, rng=1).confidence_interval
    np.testing.assert_allclose([low, high], own, rtol=0.03)
    assert np.isnan(bootstrap_interval([1.0])[0])
    np.testing.assert_allclose(percentile_interval(np.arange(101), 0.9), (5, 95))


def test_bootstrap_covers_the_truth():
    values = np.random.default_rng(0).exponential(size=(400, 60))
    _, low, high = bootstrap_mean(values, bootstrap_weights(60, 1000), 0.9)
    assert 0.83 < ((low <= 1) & (high >= 1)).mean() < 0.95


def test_equal_values_have_an_interval_of_no_width():
    mean, low, high = bootstrap_mean(np.full(7, 0.1), bootstrap_weights(7, 100))
    assert mean == low == high == 0.1


@pytest.mark.parametrize("count", [3, 9, 14])
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_sign_flips_are_exact_for_few_pairs(count, alternative):
    values = rng.normal(0.4, size=count)
    expected = scipy.stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative=alternative
    ).pvalue
    np.testing.assert_allclose(sign_flip_test(values, alternative), expected)


def test_sign_flips_of_many_pairs_are_drawn_and_never_zero():
    values = rng.normal(0.2, size=(2, 60))
    found = sign_flip_test(values, n_resamples=4999)
    expected = [scipy.stats.ttest_1samp(row, 0).pvalue for row in values]
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert found[1] == sign_flip_test(values[1], n_resamples=4999)
    assert sign_flip_test(np.ones(60), n_resamples=999) == 1 / 1000


def test_sign_flips_where_nothing_differs_or_nothing_is_known():
    assert sign_flip_test(np.zeros(5)) == 1
    assert sign_flip_test([2.0]) == 1
    assert np.isnan(sign_flip_test([]))
    assert np.isnan(sign_flip_test([1.0, np.nan]))


def test_permutation_test_is_exact_for_few_and_near_welchs_for_many():
    one, two = rng.normal(size=5), rng.normal(1.0, size=4)
    expected = scipy.stats.permutation_test(
        (one, two),
        lambda x, y, axis: np.abs(scipy.stats.ttest_ind(x, y, equal_var=False, axis=axis).statistic),
        n_resamples=np.inf,
        alternative="greater",
    ).pvalue
    found = permutation_test(one, two)
    np.testing.assert_allclose(found.p_value, expected)
    assert found.least == 1 / 126
    one, two = rng.normal(size=40), rng.normal(0.5, 2.0, size=30)
    expected = scipy.stats.ttest_ind(one, two, equal_var=False).pvalue
    assert abs(permutation_test(one, two, n_resamples=4999).p_value - expected) < 0.02
    assert np.isnan(permutation_test([1.0], [1.0, 2.0]).p_value)


def test_resampling_p_value_counts_the_observation_itself():
    assert resampling_p_value(5, [1, 2, 3, 4]) == 0.2
    assert resampling_p_value(-3, [1, 2, 3, 4], "two-sided") == 0.6
    assert resampling_p_value(1, [1, 2, 3, 4], "less") == 0.4
    assert np.isnan(resampling_p_value(np.nan, [1.0]))


@pytest.mark.parametrize(("method", "name"), [("holm", "holm"), ("bh", "fdr_bh"), ("by", "fdr_by")])
def test_adjustment_is_statsmodels_where_all_can_be_tested(method, name):
    p_values = rng.uniform(size=23) ** 3
    np.testing.assert_allclose(adjust(p_values, method).p_values, multipletests(p_values, method=name)[1])
    padded = multipletests([*p_values, *np.ones(17)], method=name)[1][:23]
    np.testing.assert_allclose(adjust(p_values, method, tests=40).p_values, padded)


@pytest.mark.parametrize("method", ["holm", "bh", "by"])
def test_what_could_not_be_tested_is_left_out_counted_and_said(method):
    """statsmodels 0.15: Holm counts a NaN as a test; Benjamini-Hochberg makes all p-values NaN."""
    whole = [0.01, 0.04, 0.03]
    found = adjust([0.01, np.nan, 0.04, 0.03], method)
    np.testing.assert_array_equal(found.p_values, np.insert(adjust(whole, method).p_values, 1, np.nan))
    assert (found.tests, found.untestable) == (3, 1)
    assert "over 3 tests; 1 could not be tested" in str(found)
    nothing = adjust([np.nan, np.nan], method)
    assert np.isnan(nothing.p_values).all()
    assert nothing.tests == 0
    assert adjust([], method).p_values.shape == (0,)


def test_holm_by_hand():
    np.testing.assert_allclose(adjust([0.01, 0.04, np.nan, 0.03]).p_values, [0.03, 0.06, np.nan, 0.06])


def test_what_is_not_a_p_value_is_refused():
    with pytest.raises(OntogenyError, match="between 0 and 1"):
        adjust([0.5, 1.2])
    with pytest.raises(OntogenyError, match="method"):
        adjust([0.5], "bonferoni")
    with pytest.raises(OntogenyError, match="confidence"):
        student_interval([1.0, 2.0], 95)
