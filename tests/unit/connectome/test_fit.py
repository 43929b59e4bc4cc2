import time

import numpy as np
import pytest
import torch

from ontogeny.connectome import fit_connectome, recovery_metrics, simulate_activity
from ontogeny.connectome.fit import edge_mask, functions_embedding
from ontogeny.connectome.metrics import connectivity_r2
from ontogeny.connectome.network import ConnectomeNetwork
from ontogeny.connectome.refine import Effort, refine
from ontogeny.connectome.settings import FitSettings
from ontogeny.connectome.splines import Spline
from ontogeny.connectome.training import emptiness
from ontogeny.errors import OntogenyError

torch.set_num_threads(1)
FAST = {"n_steps": 250, "learning_rate_W_start": 1e-2, "hidden_dim": 32, "n_snapshots": 3}


@pytest.fixture(scope="module")
def populations():
    made = {}

    def get(filling, n=60, **more):
        key = (filling, n, tuple(more.items()))
        if key not in made:
            made[key] = simulate_activity(
                {"n_neurons": n, "n_trajectories": 40, "n_frames": 200, "connectivity_filling_factor": filling, **more},
                seed=1,
            )
        return made[key]

    return get


def network(n=12, **settings):
    generator = torch.Generator().manual_seed(0)
    settings = FitSettings(**{"hidden_dim": 16, "W_init": "normal", **settings})
    mask = 1 - torch.eye(n)
    net = ConnectomeNetwork(n, settings, mask, -6.0, 6.0, 0.3, generator)
    with torch.no_grad():
        net.embedding.add_(0.3 * torch.randn(n, 2, generator=generator))
    return net, torch.randn(8, n, generator=generator), torch.randn(8, n, generator=generator)


def message_passing(net, u):
    """The same network as a message-passing layer runs it: one psi an edge and a frame, summed at the receiver."""
    n = u.shape[1]
    receiver, sender = (~torch.eye(n, dtype=torch.bool)).nonzero().T
    messages = net.W[receiver, sender] * net.psi(u[:, sender, None])[..., 0]
    summed = torch.zeros_like(u).index_add(1, receiver, messages)
    own = net.phi(torch.cat([u[..., None], net.embedding.expand(len(u), -1, -1)], -1))[..., 0]
    return own + summed


def gradients(net, predicted, target):
    net.zero_grad()
    (predicted - target).square().mean().backward()
    return [p.grad.clone() for p in net.parameters()]


def test_gradients_equal_per_edge_message_passing():
    net, u, target = network()
    ours = gradients(net, net(u)[0], target)
    theirs = gradients(net, message_passing(net, u), target)
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b, atol=3e-5 * float(b.abs().max()) + 1e-9)


def test_interpolation_on_the_shifted_grid_is_close_and_its_gradient_exact():
    net, u, target = network(grid_psi=4096, grid_phi=4096)
    np.testing.assert_allclose(net(u, 0.3)[0].detach(), net(u)[0].detach(), atol=2e-3)
    net = net.double()
    u, target = u.double(), target.double()
    loss = lambda: (net(u, 0.3)[0] - target).square().mean()  # noqa: E731
    net.zero_grad()
    loss().backward()
    for parameter in (net.psi[0].weight, net.phi[0].weight, net.embedding, net.W):
        k, h = (0, 1) if parameter is net.W else (0, 0), 1e-6
        with torch.no_grad():
            parameter[k] += h
            up = loss()
            parameter[k] -= 2 * h
            down = loss()
            parameter[k] += h
        assert parameter.grad[k].item() == pytest.approx(((up - down) / (2 * h)).item(), rel=1e-4, abs=1e-8)


def test_receivers_are_a_part_of_the_whole():
    net, u, _ = network()
    some = torch.tensor([3, 0, 7])
    np.testing.assert_allclose(net(u, None, some)[0].detach(), net(u)[0][:, some].detach(), atol=1e-5)
    np.testing.assert_allclose(net(u, 0.6, some)[0].detach(), net(u, 0.6)[0][:, some].detach(), atol=1e-5)


@pytest.mark.parametrize("filling", [1.0, 0.1])
def test_refined_fit_recovers_wiring_types_functions_and_dynamics(populations, filling):
    activity = populations(filling)
    result = fit_connectome(activity, settings=FAST, seed=0)
    found = recovery_metrics(result, activity, rollout_frames=150)
    assert found["connectivity_R2"] > 0.9999
    assert found["cluster_accuracy"] >= 0.98
    assert found["psi_R2"] > 0.9999
    assert found["phi_R2"] > 0.9999
    assert found["test_R2"] > 0.99
    assert found["classification"] == "CONVERGED"
    assert result.refined
    assert result.validation["after"] < result.validation["before"]
    assert result.psi(np.zeros(1)) == pytest.approx(0, abs=1e-9)
    assert result.psi(np.array(2.0)) > 0
    if filling < 1:
        assert found["edge_AUROC"] > 0.999
        assert found["edge_precision"] > 0.95


def test_the_network_alone_recovers_and_its_steps_are_kept(populations):
    activity = populations(1.0)
    result = fit_connectome(activity, settings=FAST | {"n_steps": 500, "refine": False}, seed=0)
    assert connectivity_r2(result.W, activity.weights)["connectivity_R2"] > 0.9
    assert not result.refined
    assert result.snapshots["step"].tolist() == [0, 167, 333, 500]
    assert result.snapshots["W"].shape == (4, 60, 60)
    assert result.snapshots["embedding"].shape == (4, 60, 2)
    assert not result.snapshots["W"][0].any()
    assert result.history["error"][-1] < 0.1 * result.history["error"][0]
    u = activity.u[0, :5].astype(np.float64)
    own = np.stack([result.phi(u[:, i])[:, i] for i in range(60)], 1)
    np.testing.assert_allclose(result.derivative(u), own + result.psi(u) @ result.W.T, atol=2e-3 * np.abs(own).max())


def test_transposed_edges_fail_as_published_and_all_edges_do_not(populations):
    activity = populations(0.75)
    settings = FAST | {"refine": False, "n_steps": 500}
    right = recovery_metrics(fit_connectome(activity, settings=settings), activity, 50)
    wrong_fit = fit_connectome(activity, settings=settings, edges="transposed")
    wrong = recovery_metrics(wrong_fit, activity, 50)
    assert right["connectivity_R2"] > 0.9
    assert wrong["connectivity_R2"] < 0.75
    assert not wrong_fit.W[activity.W.T == 0].any()
    known = fit_connectome(activity, settings=settings | {"n_steps": 5}, edges="true")
    assert not known.W[activity.W == 0].any()


def test_transposed_edges_change_nothing_on_a_full_matrix(populations):
    np.testing.assert_array_equal(edge_mask(populations(1.0), "transposed"), ~np.eye(60, dtype=bool))


def test_same_seed_same_bytes_and_resuming_changes_nothing(populations):
    activity = populations(0.1)
    settings = FAST | {
        "n_steps": 40,
        "checkpoint_every": 15,
        "refine": False,
        "masked_share": 0.2,
        "l1_mode": "adaptive",
    }
    states = []
    whole = fit_connectome(activity, settings=settings | {"coeff_W_L1": 0.3}, seed=4, checkpoint=states.append)
    assert [int(state["step"]) for state in states] == [15, 30]
    for state in states:
        again = fit_connectome(activity, settings=settings | {"coeff_W_L1": 0.3}, seed=4, resume=state)
        assert again.W.tobytes() == whole.W.tobytes()
        assert again.embedding.tobytes() == whole.embedding.tobytes()
        assert again.history == whole.history
        np.testing.assert_array_equal(again.snapshots["W"], whole.snapshots["W"])
    with pytest.raises(OntogenyError, match="belongs to another fit"):
        fit_connectome(activity, settings=settings | {"hidden_dim": 16}, resume=states[0])


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "adamw"},
        {"optimizer": "rmsprop"},
        {"optimizer": "sgd", "learning_rate_W_start": 0.5, "learning_rate_start": 1e-2},
        {"schedule": "step"},
        {"schedule": "linear"},
        {"schedule": "constant"},
        {"gradient_clip": 1.0},
        {"alternating_steps": 5},
        {"masked_share": 0.5},
        {"W_init": "scaled"},
        {"coeff_W_L1": 0.3, "l1_mode": "annealed"},
        {"n_trajectories": 5},
        {"activation": "tanh"},
        {"batch_size": 8},
    ],
)
def test_every_option_trains(populations, change):
    result = fit_connectome(populations(1.0), settings=FAST | {"n_steps": 60, "refine": False} | change)
    assert result.history["error"][-1] < 0.8 * result.history["error"][0]


def test_data_augmentation_loop_scales_the_length(populations):
    short = fit_connectome(
        populations(1.0), settings=FAST | {"n_steps": 20, "data_augmentation_loop": 50, "refine": False}
    )
    assert short.history["step"][-1] == 10


def test_l1_helps_where_wiring_is_sparse(populations):
    activity = populations(0.1)
    r2 = {
        l1: connectivity_r2(
            fit_connectome(activity, settings=FAST | {"refine": False, "coeff_W_L1": l1}).W, activity.weights
        )["connectivity_R2"]
        for l1 in (0.0, 0.3)
    }
    assert r2[0.3] > r2[0.0]


def test_emptiness_reads_sparsity():
    rng = np.random.default_rng(0)
    full = rng.normal(size=(100, 100))
    assert emptiness(full) == 0
    assert emptiness(np.where(rng.random((100, 100)) < 0.05, full, 0)) > 0.9


def test_known_input_is_taken_into_account():
    activity = simulate_activity(
        {"n_neurons": 30, "n_trajectories": 30, "n_frames": 200, "input_amplitude": 5.0}, seed=0
    )
    result = fit_connectome(activity, settings=FAST | {"n_steps": 100})
    assert connectivity_r2(result.W, activity.weights)["connectivity_R2"] > 0.9999


def test_plain_arrays_and_gaussian_wiring(populations):
    activity = populations(0.5, 40, connectivity_type="gaussian")
    result = fit_connectome(activity.u, activity.du, settings=FAST | {"n_steps": 100})
    assert connectivity_r2(result.W, activity.weights)["connectivity_R2"] > 0.9999


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"learning_rate_W": 1}, "did you mean 'learning_rate_W_start'"),
        ({"learning_rate_W_start": -1.0}, "learning_rate_W_start is -1"),
        ({"optimizer": "adamm"}, "did you mean 'adam'"),
        ({"edges": "transpose"}, "did you mean 'transposed'"),
        ({"masked_share": 1.0}, "masked_share is 1"),
        ({"n_trajectories": 999}, "n_trajectories is 999, but the activity has 40"),
        ({"n_steps": 30, "optimizer": "sgd", "learning_rate_W_start": 1.0, "learning_rate_start": 1.0}, "diverged"),
    ],
)
def test_bad_settings_get_a_sentence(populations, settings, words):
    with pytest.raises(OntogenyError) as caught:
        fit_connectome(populations(1.0), settings=settings)
    assert words in str(caught.value)


def test_activity_that_cannot_teach_is_refused():
    with pytest.raises(OntogenyError, match="at rest"):
        fit_connectome(np.zeros((20, 4)), np.zeros((20, 4)))
    u = np.random.default_rng(0).normal(size=(20, 4))
    with pytest.raises(OntogenyError, match="needs the true W"):
        fit_connectome(u, u, edges="transposed")


def test_fewer_frames_than_neurons_are_fitted_without_refinement():
    few = simulate_activity({"n_neurons": 12, "n_trajectories": 1, "n_frames": 10}, seed=0)
    result = fit_connectome(few, settings={"n_steps": 5, "n_snapshots": 0})
    assert "no refinement: 8 training frames are fewer than 12 neurons" in result.notes
    assert np.isfinite(result.W).all()
    with pytest.raises(OntogenyError, match="has 4 frames in all"):
        fit_connectome(
            simulate_activity({"n_neurons": 4, "n_trajectories": 1, "n_frames": 4}, seed=0), settings={"n_steps": 5}
        )


def test_spline_reproduces_polynomials_and_goes_beyond_its_range():
    spline = Spline(-5.0, 7.0, 0.5, 20)
    u = np.linspace(-5, 7, 300)
    coefficients = spline.fit(u, u**3 - u)
    np.testing.assert_allclose(spline.values(coefficients, u), u**3 - u, atol=1e-8)
    both = np.stack([coefficients, 2 * coefficients], 1)
    state = np.random.default_rng(0).uniform(-5, 7, (9, 2))
    np.testing.assert_allclose(spline.each(spline.polynomials(both), state)[:, 1], 2 * (state[:, 1] ** 3 - state[:, 1]))
    line = spline.fit(u, 3 * u + 1)
    assert line @ spline.roughness @ line < 1e-12


def test_refinement_converges_from_a_straight_line():
    activity = simulate_activity({"n_neurons": 40, "n_trajectories": 60, "n_frames": 100}, seed=2)
    u, du = activity.u.reshape(-1, 40)[::2], activity.du.reshape(-1, 40)[::2]
    points = np.linspace(u.min(), u.max(), 500)
    record = refine(u, du, (points, points))
    assert record.residuals[-1] < 1e-4
    assert connectivity_r2(record.W, activity.weights)["connectivity_R2"] > 0.99999
    scaled = record.W / connectivity_r2(record.W, activity.weights)["slope"]
    assert np.abs(scaled - activity.weights).max() < 1e-2


def test_states_far_from_0_are_known_as_well():
    activity = simulate_activity({"n_neurons": 8, "n_trajectories": 6, "n_frames": 100}, seed=0)
    u, du = activity.u.reshape(-1, 8), activity.du.reshape(-1, 8)
    points = np.linspace(u.min(), u.max(), 500)
    errors = [
        refine(u + level, du, (points + level, np.tanh(points)), effort=Effort(splines=16)).standard_errors.mean()
        for level in (0.0, -60.0)
    ]
    assert errors[1] < 20 * errors[0]


def test_embedding_of_functions_separates_types():
    u = np.linspace(-3, 3, 61)
    types = np.arange(40) % 4
    functions = np.stack([(-1 - t % 2) * u + (1 + t // 2) * np.tanh(u) for t in types], 1)
    embedding = functions_embedding(functions, 2)
    for t in range(4):
        assert np.ptp(embedding[types == t], axis=0).max() < 1e-9
    assert len(np.unique(embedding.round(6), axis=0)) == 4


@pytest.mark.slow
@pytest.mark.parametrize("filling", [1.0, 0.1])
def test_dense_and_sparse_wirings_are_recovered(filling):
    activity = simulate_activity(
        {"n_neurons": 40, "n_trajectories": 20, "n_frames": 150, "connectivity_filling_factor": filling}, seed=5
    )
    result = fit_connectome(activity, settings={"n_steps": 200}, seed=5)
    found = recovery_metrics(result, activity)
    assert found["connectivity_R2"] > 0.99
    assert found["cluster_accuracy"] >= 0.98


def seconds_per_step(net, predict, u, target, repeats):
    optimizer = torch.optim.Adam(net.parameters(), fused=True)
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        loss = (predict(u) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        spent.append(time.process_time() - start)
    return min(spent)


@pytest.mark.benchmark
@pytest.mark.parametrize(("n", "least"), [(60, 10), pytest.param(300, 200, marks=pytest.mark.slow)], ids=["60", "300"])
def test_faster_than_per_edge_message_passing(n, least):
    settings = FitSettings()
    net = ConnectomeNetwork(n, settings, 1 - torch.eye(n), -20.0, 20.0, 1.0, torch.Generator().manual_seed(0))
    u, target = torch.randn(8, n), torch.randn(8, n)
    edge = seconds_per_step(net, lambda u: message_passing(net, u), u, target, 3)
    matrix = seconds_per_step(net, lambda u: net(u)[0], u, target, 20)
    print(f"N={n}: {1e3 * edge:.1f} ms an edge-wise step, {1e3 * matrix:.2f} ms ours, ratio {edge / matrix:.0f}")
    assert edge / matrix > least
