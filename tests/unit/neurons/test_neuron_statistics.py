"""Unit statistics against scipy, statsmodels and PyTorch, and planted changes."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from ontogeny.errors import OntogenyError
from ontogeny.neurons import compare_neurons, neuron_statistics
from ontogeny.nonlinearities import NONLINEARITIES, apply_nonlinearity


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_statistics_of_units():
    values = normal(50, 6)
    table = neuron_statistics(values, "relu")
    out = np.maximum(values, 0)
    assert table["unit"].tolist() == list(range(6))
    assert table["mean"].to_numpy() == pytest.approx(out.mean(axis=0))
    assert table["std"].to_numpy() == pytest.approx(out.std(axis=0))
    assert table["sparsity"].to_numpy() == pytest.approx((out == 0).mean(axis=0))
    low, high = scipy.stats.t.interval(0.95, 49, out.mean(axis=0), scipy.stats.sem(out, axis=0))
    assert table["mean_low"].to_numpy() == pytest.approx(low)
    assert table["mean_high"].to_numpy() == pytest.approx(high)
    assert not table["dead"].any()


def test_dead_units_and_how_sure_that_is():
    values = normal(59, 4)
    values[:, 1] = -np.abs(values[:, 1])
    values[:, 2] = -1
    values[7, 2] = 1
    table = neuron_statistics(values, "relu")
    assert table["dead"].tolist() == [False, True, False, False]
    assert table["sparsity"][1] == 1
    assert table["active_high"][1] == pytest.approx(0.05, abs=1e-3)
    bound = proportion_confint(1, 59, alpha=0.1, method="beta")[1]
    assert table["active_high"][2] == pytest.approx(bound)
    assert neuron_statistics(np.abs(values) + 1)["active_high"].tolist() == [1] * 4


def test_channels_are_units_over_samples_and_positions():
    values = normal(20, 3, 4, 5)
    table = neuron_statistics(values, "relu")
    out = np.maximum(values, 0)
    assert table["mean"].to_numpy() == pytest.approx(out.mean(axis=(0, 2, 3)))
    assert table["std"].to_numpy() == pytest.approx(out.std(axis=(0, 2, 3)))
    assert table["sparsity"].to_numpy() == pytest.approx((out == 0).mean(axis=(0, 2, 3)))
    by_sample = out.mean(axis=(2, 3))
    half = (table["mean_high"] - table["mean_low"]).to_numpy() / 2
    assert half == pytest.approx(scipy.stats.t.ppf(0.975, 19) * scipy.stats.sem(by_sample, axis=0))
    assert neuron_statistics(np.moveaxis(values, 1, -1), "relu", feature_axis=-1).equals(table)


def test_embedding_dimensions_of_tokens_are_units():
    values = normal(10, 7, 3)
    assert neuron_statistics(values)["mean"].to_numpy() == pytest.approx(values.mean(axis=(0, 1)))


@pytest.mark.parametrize("name", NONLINEARITIES)
def test_nonlinearities_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch")
    values = np.linspace(-30, 30, 601)
    own = {"none": lambda x: x, "square": torch.square}
    function = own[name] if name in own else getattr(torch.nn.functional, name)
    expected = function(torch.tensor(values)).numpy()
    assert apply_nonlinearity(values, name) == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_sparsity_counts_magnitudes_up_to_the_threshold():
    values = np.array([[-0.5, 0.0], [0.05, 0.2], [-0.05, 0.1]])
    assert neuron_statistics(values)["sparsity"].tolist() == pytest.approx([0, 1 / 3])
    assert neuron_statistics(values, threshold=0.1)["sparsity"].tolist() == pytest.approx([2 / 3, 2 / 3])


def test_a_planted_change_is_found_and_only_that():
    before = normal(200, 40)
    after = before + 0.3 * normal(200, 40, seed=1)
    after[:, :4] += 0.5
    table = compare_neurons(before, (before + after) / 2, after)
    reference = scipy.stats.ttest_rel(after, before)
    assert table["p_value"].to_numpy() == pytest.approx(reference.pvalue)
    interval = reference.confidence_interval()
    assert table["change_low"].to_numpy() == pytest.approx(interval.low)
    assert table["change_high"].to_numpy() == pytest.approx(interval.high)
    assert table["p_adjusted"].to_numpy() == pytest.approx(multipletests(reference.pvalue, method="fdr_bh")[1])
    assert (table["p_adjusted"][:4] < 1e-10).all()
    assert (table["p_adjusted"][4:] < 0.05).sum() <= 3
    assert table["effect_size"][:4].mean() == pytest.approx(0.5, abs=0.1)
    assert ((table["effect_low"] <= table["effect_size"]) & (table["effect_size"] <= table["effect_high"])).all()
    assert table["mean_at"].to_numpy() == pytest.approx((table["mean_before"] + table["mean_after"]).to_numpy() / 2)


def test_the_effect_size_is_that_of_the_formula():
    before, after = normal(12, 1), normal(12, 1, seed=1) + 1
    spread = np.sqrt((before.var(ddof=1) + after.var(ddof=1)) / 2)
    expected = (after - before).mean() / spread * (1 - 3 / (4 * 11 - 1))
    assert compare_neurons(before, None, after)["effect_size"][0] == pytest.approx(expected)


def test_dead_and_revived_units():
    before, after = normal(30, 5), normal(30, 5, seed=1)
    before[:, 0] = -1
    after[:, 1] = -1
    before[:, 2] = after[:, 2] = -2
    table = compare_neurons(before, None, after, "relu")
    assert table["revived"].tolist() == [True, False, False, False, False]
    assert table["died"].tolist() == [False, True, False, False, False]
    assert table["dead_before"].tolist() == [True, False, True, False, False]
    assert table["dead_after"].tolist() == [False, True, True, False, False]
    still = table.loc[2]
    assert (still["change"], still["effect_size"], still["sparsity_change"]) == (0, 0, 0)
    assert np.isnan(still["p_value"])
    assert np.isnan(still["p_adjusted"])
    assert table["sparsity_change"][0] < 0 < table["sparsity_change"][1]
    assert table["p_adjusted"].dropna().to_numpy() == pytest.approx(
        multipletests(table["p_value"].dropna(), method="fdr_bh")[1]
    )


def test_a_constant_that_changes():
    table = compare_neurons(np.zeros((4, 1)), None, np.ones((4, 1)))
    assert table["p_value"][0] == 1 / 8
    assert np.isinf(table["effect_size"][0])
    assert (table["change_low"][0], table["change_high"][0]) == (1, 1)


def test_false_discoveries_are_controlled():
    false = 0
    for seed in range(20):
        base = normal(60, 50, seed=seed)
        first, second = (base + 0.5 * normal(60, 50, seed=1000 + 2 * seed + k) for k in (0, 1))
        false += bool((compare_neurons(first, None, second, "relu")["p_adjusted"] < 0.05).any())
    assert false <= 4


def test_intervals_cover():
    inside = 0
    for seed in range(100):
        before = normal(30, 1, seed=seed)
        row = compare_neurons(before, None, before + 0.4 + normal(30, 1, seed=500 + seed)).loc[0]
        inside += row["change_low"] <= 0.4 <= row["change_high"]
    assert inside >= 88


def test_mistakes_are_named():
    values = normal(5, 3)
    with pytest.raises(OntogenyError, match="did you mean 'relu'"):
        neuron_statistics(values, "rellu")
    with pytest.raises(OntogenyError, match=r"after have the shape \(5, 2\) and those before \(5, 3\)"):
        compare_neurons(values, None, values[:, :2])
    with pytest.raises(OntogenyError, match="after: there are NaN"):
        compare_neurons(values, None, values * np.nan)
    with pytest.raises(OntogenyError, match="at least two"):
        neuron_statistics(values[:1])
    with pytest.raises(OntogenyError, match="threshold is -1"):
        neuron_statistics(values, threshold=-1)
    with pytest.raises(OntogenyError, match="confidence is 95"):
        neuron_statistics(values, confidence=95)
    with pytest.raises(OntogenyError, match="feature_axis 4"):
        neuron_statistics(values, feature_axis=4)
    with pytest.raises(OntogenyError, match="after is None"):
        compare_neurons(values, values, None)


def test_neurons_need_no_torch():
    code = "import sys, ontogeny.neurons; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
