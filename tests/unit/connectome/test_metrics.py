from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Text

from ontogeny.connectome import diagnose_scatter, simulate_activity
from ontogeny.connectome.figures import plot_scatter, plot_scatter_through_training
from ontogeny.connectome.fit import Fit
from ontogeny.connectome.metrics import (
    connectivity_r2,
    edge_detection,
    match_clusters,
    recovery_metrics,
    rollout,
    rollout_metrics,
    unseen,
)
from ontogeny.connectome.observe import split_frames
from ontogeny.connectome.simulate import Activity
from ontogeny.errors import OntogenyError


@pytest.fixture(scope="module")
def truth():
    return simulate_activity(
        {"n_neurons": 60, "n_trajectories": 5, "n_frames": 50, "connectivity_filling_factor": 0.3}, seed=0
    )


def planted(truth, scale=2.0, W=None):
    """A fit that knows the truth, in another gauge: W times `scale`, psi over it."""
    W = truth.weights if W is None else W

    def psi(u):
        return np.tanh(u) / scale

    def derivative(u):
        own = np.stack([truth.phi(u[:, i])[:, i] for i in range(u.shape[1])], 1)
        return own + psi(u) @ (scale * W).T

    return Fit(
        W=scale * W,
        embedding=np.eye(4)[truth.types][:, :2] + 2 * np.eye(4)[truth.types][:, 2:],
        psi=psi,
        phi=truth.phi,
        derivative=derivative,
        history={"step": [1], "loss": [0.25], "error": [0.2], "l1": [0], "phi_zero": [0]},
        snapshots={},
        settings={},
        seed=0,
        network_W=scale * W,
        validation={"before": 0.01},
        seconds={"training": 30.0, "refinement": 30.0},
    )


def test_planted_truth_scores_one_in_any_gauge(truth):
    found = recovery_metrics(planted(truth), truth, rollout_frames=60)
    for name in ("connectivity_R2", "cluster_accuracy", "test_R2", "test_pearson", "psi_R2", "phi_R2", "phi_R2_worst"):
        assert found[name] == pytest.approx(1), name
    for name in ("edge_AUROC", "sign_accuracy", "cluster_accuracy_embedding", "cluster_accuracy_linkage"):
        assert found[name] == pytest.approx(1), name
    assert found["slope"] == pytest.approx(2)
    assert found["spectral_radius_learned"] == pytest.approx(found["spectral_radius"])
    assert found["final_loss"] == 0.25
    assert found["training_time_min"] == 1
    assert found["classification"] == "CONVERGED"
    assert found["scatter"].startswith("Scatter: slope=2.000, tight line")


def test_connectivity_r2_against_its_formula():
    rng = np.random.default_rng(0)
    true, learned = rng.normal(size=(2, 20, 20))
    learned = true + 0.5 * learned
    off = ~np.eye(20, dtype=bool)
    w, l = true[off], learned[off]  # noqa: E741
    best = min(((w - k * l) ** 2).sum() for k in np.linspace(0, 2, 20001))
    found = connectivity_r2(learned, true)
    assert found["connectivity_R2"] == pytest.approx(1 - best / ((w - w.mean()) ** 2).sum(), abs=1e-6)
    assert connectivity_r2(np.zeros((20, 20)), true)["connectivity_R2"] == pytest.approx(0, abs=0.01)
    with pytest.raises(OntogenyError, match="two equal squares"):
        connectivity_r2(learned[:5], true)
    with pytest.raises(OntogenyError, match="same value everywhere"):
        connectivity_r2(learned, np.zeros((20, 20)))


def test_best_matching_of_clusters():
    accuracy, matching = match_clusters(np.array([2, 2, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 2, 2, 0]))
    assert accuracy == pytest.approx(6 / 7)
    assert matching.tolist() == [1, 2, 0]


def test_edge_detection_by_hand():
    true = np.array([[0, 1.0, 0], [-2, 0, 0], [0, 3, 0]])
    learned = np.array([[9, 0.9, 0.6], [0.7, 9, 0.1], [0, 0.2, 9]])
    found = edge_detection(learned, true, 0.5)
    assert found["edge_precision"] == pytest.approx(2 / 3)
    assert found["edge_recall"] == pytest.approx(2 / 3)
    assert found["sign_accuracy"] == pytest.approx(2 / 3)
    assert found["edge_AUROC"] == pytest.approx(8 / 9)
    assert np.isnan(edge_detection(learned, np.ones((3, 3)), 0.5)["edge_AUROC"])


def test_rollout_of_a_wrong_network_is_worse(truth):
    right = rollout_metrics(*rollout(planted(truth), truth, 100))
    wrong = rollout_metrics(*rollout(planted(truth, W=truth.weights.T), truth, 100))
    assert right["test_R2"] > 0.999
    assert wrong["test_R2"] < 0.9
    assert wrong["test_pearson"] < right["test_pearson"]


def test_a_type_that_hears_nothing_hides_its_rows_and_spoils_nothing_else():
    deaf = simulate_activity({"n_neurons": 8, "n_frames": 50, "params": [[0, 1, 1], [10, 2, 1]]}, seed=0)
    found = recovery_metrics(planted(deaf), deaf, rollout_frames=20)
    assert np.isnan(found["spectral_radius_learned"])
    assert found["connectivity_R2"] > 0.999


def test_the_learned_spectral_radius_knows_negative_gains():
    mixed = simulate_activity({"n_neurons": 8, "n_frames": 50, "params": [[-10, 1, 1], [10, 2, 1]]}, seed=0)
    found = recovery_metrics(planted(mixed), mixed, rollout_frames=20)
    assert found["spectral_radius_learned"] == pytest.approx(found["spectral_radius"])


def test_what_is_not_known_is_not_measured(truth):
    found = recovery_metrics(planted(truth), replace(truth, W=None), rollout_frames=20)
    assert found["connectivity_R2"] is None
    assert found["classification"] is None
    assert found["cluster_accuracy"] == 1.0


def test_the_rollout_of_a_recording_starts_where_the_fit_did_not_look(truth):
    for shape in ((12, 40), (2, 300), (1, 60)):
        u = np.arange(np.prod(shape), dtype=float).reshape(*shape, 1)
        recorded = Activity(u=u, du=u)
        split = split_frames(*shape, 0)
        for fit in (planted(truth), replace(planted(truth), settings={"n_trajectories": shape[0] - 1})):
            left = unseen(fit, recorded)
            used = shape[0] - 1 if fit.settings else shape[0]
            seen = u[:used][split_frames(used, shape[1], 0).train] if used else np.empty(0)
            assert left.size
            assert not set(left.ravel()) & set(np.ravel(seen))
        assert split.train.any()


def scatter_cases():
    rng = np.random.default_rng(0)
    n = 80
    true = rng.standard_cauchy((n, n)).clip(-25, 25) / n**0.7
    noise = 0.05 * true.std() * rng.normal(size=(n, n))
    half = rng.random((n, n)) < 0.5
    sparse = np.where(rng.random((n, n)) < 0.3, true, 0)
    return [
        ("diagonal", true + noise, true),
        ("tilted", 0.4 * true + noise, true),
        ("horizontal band", np.where(half, true, 0) + 0.01 * noise, true),
        ("cloud", 0.02 * true + noise, true),
        ("cross", np.where(half, sparse, 0) + np.where(sparse == 0, 0.5 * true, 0), sparse),
    ]


@pytest.mark.parametrize(("expected", "learned", "true"), scatter_cases(), ids=lambda value: str(value)[:15])
def test_scatter_is_read_as_what_it_shows(expected, learned, true):
    found = diagnose_scatter(learned, true)
    assert found["diagnosis"] == expected
    assert found["text"].startswith("Scatter: slope=")
    mirrored = diagnose_scatter(-learned, true)
    assert mirrored["band"] == pytest.approx(found["band"])


def test_scatters_say_which_r2_they_show():
    true = np.random.default_rng(0).normal(size=(8, 8))
    snapshots = {"step": np.array([0, 5, 9]), "W": np.stack([0.1 * true, 0.5 * true, 0.9 * true])}
    for drawn, _ in (plot_scatter(0.9 * true, true), plot_scatter_through_training(snapshots, true)):
        said = " ".join(text.get_text() for text in drawn.findobj(Text))
        assert "after one factor scales the learned weights" in " ".join(said.split())
