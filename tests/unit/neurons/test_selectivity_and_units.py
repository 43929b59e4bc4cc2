import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from ontogeny.errors import OntogenyError
from ontogeny.models import build_model
from ontogeny.neurons.selectivity import class_selectivity, selectivity_with_controls
from ontogeny.neurons.sites import unit_activations
from ontogeny.neurons.units import unit_health


@pytest.fixture
def planted():
    """Unit 0 answers to class 2, unit 1 is constant, the rest is noise."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 60)
    values = rng.exponential(size=(240, 30))
    values[labels == 2, 0] += 3
    values[:, 1] = 1.0
    return values, labels


def test_the_planted_unit_alone_is_selective(planted):
    table = class_selectivity(*planted, permutations=1000)
    assert table.loc[table["selective"], "unit"].tolist() == [0]
    assert table["preferred_class"][0] == 2
    assert table["replicated"][0]
    assert table["held_out_low"][0] > 1
    assert table.loc[1, ["effect", "p_value", "selectivity", "eta_squared"]].isna().all()
    assert not table["replicated"][1:].any()


def test_closed_forms(planted):
    values, labels = planted
    table = class_selectivity(values, labels, held_out=(values, labels))
    means = np.stack([values[labels == c].mean(0) for c in range(4)])
    top = np.sort(means, axis=0)
    index = (top[-1] - top[:-1].mean(0)) / (top[-1] + top[:-1].mean(0))
    np.testing.assert_allclose(table["selectivity"].drop(1), np.delete(index, 1))
    found = stats.f_oneway(*(values[labels == c][:, 0] for c in range(4)))
    eta = table["eta_squared"][0]
    assert eta / (1 - eta) * (240 - 4) / 3 == pytest.approx(found.statistic)
    within = np.sqrt(sum(values[labels == c][:, 0].var() * 60 for c in range(4)) / 236)
    assert table["effect"][0] == pytest.approx((top[-1, 0] - top[-2, 0]) / within)
    assert table["held_out_effect"][0] == pytest.approx(table["effect"][0])
    welch = stats.ttest_ind(
        values[labels == 2][:, 0], values[labels != 2][:, 0], equal_var=False, alternative="greater"
    )
    assert table["held_out_p_value"][0] == pytest.approx(welch.pvalue)


def test_shuffled_labels_stay_quiet(planted):
    found = [class_selectivity(*planted, shuffle_labels=True, seed=seed, permutations=200) for seed in range(20)]
    assert sum(table["selective"].any() for table in found) <= 3
    assert sum(table["replicated"].sum() for table in found) <= 1


def test_p_values_are_uniform_under_the_null():
    rng = np.random.default_rng(1)
    table = class_selectivity(rng.normal(size=(120, 300)), np.repeat(np.arange(3), 40), permutations=400)
    assert stats.kstest(table["p_value"], "uniform").pvalue > 0.01
    assert table["selectivity"].isna().all(), "the index needs activations that are not negative"


def test_scale_and_seed(planted):
    values, labels = planted
    one = class_selectivity(values, labels, seed=5)
    pd.testing.assert_frame_equal(one, class_selectivity(values, labels, seed=5))
    scaled = class_selectivity(values * 1e-6, labels, seed=5)
    np.testing.assert_allclose(one["effect"], scaled["effect"])
    np.testing.assert_allclose(one["p_value"], scaled["p_value"])


def test_selectivity_against_untrained_networks_and_shuffled_labels(planted):
    values, labels = planted
    rng = np.random.default_rng(7)
    untrained = [rng.exponential(size=(240, 250)) + 1.0 * (labels == 1)[:, None] for _ in range(3)]
    table = selectivity_with_controls(values, untrained, labels, permutations=1000, n_resamples=100)
    found = table[table["stands_out"]]
    assert found[["control", "unit"]].to_numpy().tolist() == [["none", 0]]
    by = table.groupby("control")["selective"].sum()
    assert by["none"] == 1
    assert by["shuffled labels"] == 0
    assert by["untrained"] > 0, "random features may know a class; that is what this control shows"
    with pytest.raises(OntogenyError, match="no untrained network"):
        selectivity_with_controls(values, [], labels)


def test_mistakes_of_selectivity(planted):
    values, labels = planted
    with pytest.raises(OntogenyError, match="two or more classes"):
        class_selectivity(values, np.zeros(240, int))
    with pytest.raises(OntogenyError, match="at least 4"):
        class_selectivity(values[:62], labels[:62])
    with pytest.raises(OntogenyError, match="pool positions"):
        class_selectivity(values[:, :, None], labels)
    with pytest.raises(OntogenyError, match="one class number per sample"):
        class_selectivity(values, labels[:-1])
    with pytest.raises(OntogenyError, match="fewer than 2 samples of class 2"):
        class_selectivity(values, labels, held_out=(values[:120], labels[:120]))


def test_planted_dead_saturated_and_duplicated_units():
    rng = np.random.default_rng(0)
    values = np.maximum(rng.normal(size=(500, 8)), 0)
    values[:, 2] = 0
    values[:, 5] = 3 * values[:, 1]
    values[:, 6] = values[:, 1]
    values[:, 7] = 4
    table = unit_health(values)
    assert table.loc[table["dead"], "unit"].tolist() == [2]
    assert table["active_high"][2] == pytest.approx(1 - 0.025 ** (1 / 500))
    assert table["duplicate_of"].tolist() == [-1, -1, -1, -1, -1, 1, 1, -1]
    assert table["constant"].tolist() == [False, False, True, False, False, False, False, True]
    assert not table["saturated"].any()
    expected = stats.binomtest(int((values[:, 0] > 0).sum()), 500).proportion_ci(method="exact")
    assert table.loc[0, ["active_low", "active_high"]].tolist() == pytest.approx([expected.low, expected.high])

    bounded = np.tanh(np.column_stack([rng.normal(size=500) * 0.1, 20 * rng.choice([-1, 1], 500), np.full(500, 9.0)]))
    assert unit_health(bounded, "tanh")["saturated"].tolist() == [False, True, True]
    with pytest.raises(OntogenyError, match="unknown nonlinearity 'tahn'"):
        unit_health(bounded, "tahn")


@pytest.mark.parametrize("scale", [1.0, 1e-8, 1e8])
def test_duplicates_do_not_depend_on_scale(scale):
    values = np.random.default_rng(0).normal(size=(100, 4))
    values[:, 3] = -values[:, 0]
    table = unit_health(values * scale, "none")
    assert table["duplicate_of"].tolist() == [-1, -1, -1, 0]
    assert table["duplicate_correlation"][3] == pytest.approx(-1)


def test_activations_of_units_pool_positions():
    x = torch.randn(12, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    model = build_model("cnn_shallow", (1, 8, 8), 10, seed=0).eval()
    maps = torch.relu(model.conv_layers[0](x)).detach()
    torch.testing.assert_close(unit_activations(model, x, "Conv2d_0"), maps.mean((2, 3)))
    torch.testing.assert_close(unit_activations(model, x, "Conv2d_0", pool="max", chunk=5), maps.amax((2, 3)))
    with pytest.raises(OntogenyError, match="mean or max"):
        unit_activations(model, x, "Conv2d_0", pool="sum")
