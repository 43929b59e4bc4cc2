"""Ablations of circuits against networks run edge by edge in plain Python."""

import itertools
import math

import numpy as np
import pytest
from nets import random_net, trained_nets, truth_table

from ontogeny.circuits import CircuitSettings, ablate, ablation_summary, enumerate_circuits, random_subnetworks
from ontogeny.circuits.ablation import MOST_POINTS, ablate_ensemble, inputs_elsewhere
from ontogeny.circuits.figures import plot_ablations
from ontogeny.errors import OntogenyError
from ontogeny.training.ensemble import EnsembleSettings, train_ensemble

SETTINGS = CircuitSettings(noise=[0.2], noise_draws=3)


@pytest.fixture(scope="module")
def case():
    net, rows = trained_nets((2, 3, 3, 1), 6)[1], truth_table(2)
    return net, rows, enumerate_circuits(*net, *rows)


def leaky(v):
    return v if v > 0 else 0.01 * v


def one_pass(weights, biases, masks, row, carried):
    """The output of one circuit on one row; `carried[l][i]` flows along edges that are off, None: nothing does."""
    values = list(row)
    for layer, (w, b) in enumerate(zip(weights, biases)):
        last, after = layer == len(weights) - 1, []
        for j in range(len(b)):
            total, used = float(b[j]), False
            for i, value in enumerate(values):
                on = masks[layer][j][i]
                used = used or bool(on)
                total += float(w[j][i]) * (value if on else 0.0 if carried is None else carried[layer][i])
            after.append(total if last else (leaky(total) if used or carried is not None else 0.0))
        values = after
    return values[0]


def whole(weights, biases, row):
    """Activations of the whole network, inputs first."""
    values = [list(row)]
    for layer, (w, b) in enumerate(zip(weights, biases)):
        sums = [float(b[j]) + sum(float(w[j][i]) * v for i, v in enumerate(values[-1])) for j in range(len(b))]
        values.append(sums if layer == len(weights) - 1 else [leaky(v) for v in sums])
    return values


def right(out, target):
    return -0.5 <= out <= 0.5 if target == 0 else 0.5 < out < 1.5


def test_every_ablation_is_that_of_a_pass_by_hand(case):
    (weights, biases), (x, y), circuits = case
    part = circuits[::7]
    found = ablate(part.edge_masks, weights, biases, x, y, SETTINGS, seed=4)
    runs = [whole(weights, biases, row) for row in x]
    mean = [[sum(run[layer][i] for run in runs) / len(x) for i in range(len(runs[0][layer]))] for layer in range(3)]
    draws = np.random.default_rng(4).normal(size=(3, len(x), 2))
    grid = inputs_elsewhere(x)
    for at, circuit in enumerate(part):
        masks = circuit.edge_masks

        def share(carried_of, masks=masks):
            return sum(right(one_pass(weights, biases, masks, r, carried_of), t) for r, (t,) in zip(x, y)) / len(x)

        donors = [share(run) for run in runs]
        assert found.zero[at] == share(None) == 1
        assert math.isclose(found["mean"][at], share(mean))
        assert math.isclose(found["resample"][at], sum(donors) / len(donors))
        assert math.isclose(found.resample_least[at], min(donors))
        noisy = sum(
            right(one_pass(weights, biases, masks, r + 0.2 * draws[k, n], None), t)
            for k in range(3)
            for n, (r, (t,)) in enumerate(zip(x, y))
        )
        assert math.isclose(found["noise_0.2"][at], noisy / (3 * len(x)))
        alike = [
            (one_pass(weights, biases, masks, r, None) > 0.5) == (whole(weights, biases, r)[-1][0] > 0.5) for r in grid
        ]
        assert math.isclose(found.elsewhere[at], sum(alike) / len(grid))
    assert found["mean"].min() < 1 or found["resample"].min() < 1


def test_the_whole_network_is_never_ablated_and_repeats_change_nothing(case):
    (weights, biases), (x, y), circuits = case
    full = ablate([np.ones((1, *w.shape)) for w in weights], weights, biases, x, y, SETTINGS)
    assert (full[["zero", "mean", "resample", "resample_least", "elsewhere"]] == 1).all(axis=None)
    once = ablate(circuits.edge_masks, weights, biases, x, y, SETTINGS)
    many = ablate(circuits.edge_masks, weights, biases, np.tile(x, (5, 1)), np.tile(y, (5, 1)), SETTINGS)
    np.testing.assert_allclose(once, many)


def test_points_elsewhere_surround_the_data():
    grid = inputs_elsewhere([[0, 0, 7], [1, 2, 7]], steps=7)
    assert len(grid) == 7 * 7 - 3 * 3
    assert grid.min(axis=0).tolist() == [-1, -2, 7]
    assert grid.max(axis=0).tolist() == [2, 4, 7]


def test_random_subnetworks_are_as_large_as_the_circuits(case):
    circuits = case[2]
    others = random_subnetworks(circuits, 1)
    gap = np.abs(np.bitwise_count(others.codes).astype(int) - np.bitwise_count(circuits.codes))
    assert gap.max() <= 1
    assert others == random_subnetworks(circuits, 1) != random_subnetworks(circuits, 2)
    edges, nodes = others.edge_masks, others.node_masks
    assert all(((below.any(axis=2)) == (above.any(axis=1))).all() for below, above in itertools.pairwise(edges))
    assert (nodes[0] == edges[0].any(axis=1)).all()


def test_an_ensemble_beside_its_controls():
    made = train_ensemble(EnsembleSettings(learning_rate=0.01, n_samples_train=200, n_samples_val=5), range(4))
    table = ablate_ensemble(made, SETTINGS)
    assert set(table.ablation) == {"zero", "mean", "resample", "resample_least", "noise_0.2", "elsewhere"}
    zero = table[table.ablation == "zero"]
    assert (zero.perfect == 1).all()
    assert (zero.control < 1).all()
    assert (table.ablated <= table.circuits).all()
    summary = ablation_summary(table, n_resamples=200).set_index("ablation")
    assert (summary.accuracy_low <= summary.accuracy).all()
    assert summary.difference["zero"] > 0
    drawn = plot_ablations(summary.reset_index()).axes[0]
    assert [text.get_text() for text in drawn.get_yticklabels()][3:] == [
        "resample, worst donor",
        "noise, sd 0.2",
        "outside the data",
    ]
    with pytest.raises(OntogenyError, match="none to ablate"):
        ablation_summary(table[:0])


def test_points_on_the_edge_of_the_data_are_not_elsewhere():
    rng = np.random.default_rng(0)
    assert {len(inputs_elsewhere(rng.normal(size=(5, 2)))) for _ in range(50)} == {13 * 13 - 5 * 5}


def test_grids_of_many_inputs_are_drawn_from():
    grid = inputs_elsewhere(truth_table(8)[0])
    assert grid.shape[1] == 8
    assert 0.9 * MOST_POINTS < len(grid) <= MOST_POINTS
    assert np.isin(np.round(grid * 4), np.arange(-4, 9)).all()
    net = random_net((8, 2, 1), 0)
    assert ablate([np.ones((1, *w.shape)) for w in net[0]], *net, *truth_table(8), SETTINGS).elsewhere.tolist() == [1]


@pytest.mark.filterwarnings("error")
def test_inputs_that_never_vary_have_no_elsewhere():
    net = random_net((2, 3, 1), 0)
    found = ablate([np.ones((1, *w.shape)) for w in net[0]], *net, [[0, 1]], [[1]], SETTINGS)
    assert found.elsewhere.isna().all()


def test_outputs_on_a_limit_are_judged_in_the_precision_of_circuits():
    weights = [np.array([[0.1], [0.4]], np.float32), np.ones((1, 2), np.float32)]
    biases = [np.zeros(2, np.float32), np.zeros(1, np.float32)]
    circuits = enumerate_circuits(weights, biases, [[1]], [[0]])
    assert len(circuits) == 3
    assert ablate(circuits.edge_masks, weights, biases, [[1]], [[0]], SETTINGS).zero.tolist() == [1, 1, 1]
