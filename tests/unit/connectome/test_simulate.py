import numpy as np
import pytest

from ontogeny.connectome import activity_report, simulate_activity
from ontogeny.connectome.celegans import celegans_wiring
from ontogeny.connectome.settings import ActivitySettings
from ontogeny.connectome.simulate import (
    Activity,
    as_activity,
    check_activity,
    components,
    draw_connectivity,
    filling_factor,
    oracle,
    read_connectivity,
    spectral_radius,
)
from ontogeny.errors import OntogenyError

SMALL = {"n_neurons": 30, "n_trajectories": 3, "n_frames": 50, "precision": "float64"}


def right_hand_side(activity, u):
    out = np.empty_like(u)
    for i in range(len(u)):
        g, s, c = activity.params[activity.types[i]]
        out[i] = -c * u[i] + s * np.tanh(u[i]) + g * sum(activity.W[i, j] * np.tanh(u[j]) for j in range(len(u)))
    return out


def test_derivative_is_the_formula_at_the_stored_state_and_drives_the_next_state():
    activity = simulate_activity(SMALL, seed=3)
    for run, frame in ((0, 0), (2, 17), (1, 49)):
        expected = right_hand_side(activity, activity.u[run, frame])
        np.testing.assert_allclose(activity.du[run, frame], expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        activity.u[:, 1:], activity.u[:, :-1] + 0.01 * activity.du[:, :-1], rtol=1e-12, atol=1e-12
    )


def test_derivative_is_exact_at_a_state_stored_in_float32():
    activity = simulate_activity(SMALL | {"precision": "float32"}, seed=3)
    assert activity.u.dtype == activity.du.dtype == np.float32
    state = activity.u[1, 30].astype(np.float64)
    np.testing.assert_allclose(activity.du[1, 30], right_hand_side(activity, state), rtol=2e-7, atol=1e-6)


def test_same_seed_same_numbers_and_another_seed_others():
    first, again, other = (simulate_activity(SMALL, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.u, again.u)
    assert not np.array_equal(first.W, other.W)
    assert sorted(first.types) == sorted(other.types)
    assert not np.array_equal(first.types, other.types)


def test_known_input_enters_the_derivative():
    activity = simulate_activity(SMALL | {"input_amplitude": 2.0, "input_frequency": 1.5}, seed=0)
    assert activity.input.shape == (50, 30)
    expected = right_hand_side(activity, activity.u[0, 10]) + activity.input[10]
    np.testing.assert_allclose(activity.du[0, 10], expected, rtol=1e-12)
    assert np.abs(activity.input).max() <= 2.0


def test_warm_up_is_thrown_away():
    whole = simulate_activity(SMALL, seed=0)
    late = simulate_activity(SMALL | {"warm_up_frames": 20, "n_frames": 30}, seed=0)
    np.testing.assert_array_equal(late.u, whole.u[:, 20:])


@pytest.mark.parametrize("kind", ["lorentz", "gaussian", "low_rank"])
@pytest.mark.parametrize("filling", [1.0, 0.25])
def test_drawn_wiring(kind, filling):
    settings = ActivitySettings(
        n_neurons=200, connectivity_type=kind, connectivity_filling_factor=filling, connectivity_rank=7
    )
    W = draw_connectivity(settings, np.random.default_rng(0))
    assert not np.diag(W).any()
    assert abs(filling_factor(W) - filling) < 0.04
    if kind == "lorentz":
        assert np.abs(W).max() <= 25 / 200**0.7
        middle = np.median(np.abs(W[W != 0])) * 200**0.7
        assert 0.85 < middle < 1.1
    if kind == "gaussian":
        assert abs(W[W != 0].std() * np.sqrt(200) - 1) < 0.05
    if kind == "low_rank" and filling == 1:
        values = np.linalg.svd(W + np.diag(np.zeros(200)), compute_uv=False)
        assert values[:7].sum() > 0.7 * values.sum()


def test_own_matrix_from_csv_npy_npz(tmp_path):
    W = np.random.default_rng(0).normal(size=(12, 12)) / 4
    np.fill_diagonal(W, 0)
    np.savetxt(tmp_path / "w.csv", W, delimiter=",")
    np.save(tmp_path / "w.npy", W)
    np.savez(tmp_path / "w.npz", W=W, other=np.ones(3))
    for name in ("w.csv", "w.npy", "w.npz"):
        np.testing.assert_allclose(read_connectivity(tmp_path / name), W, rtol=1e-12)
    given = {"n_neurons": 12, "n_frames": 5, "connectivity_type": "file", "connectivity_file": str(tmp_path / "w.csv")}
    np.testing.assert_allclose(simulate_activity(given).W, W)
    np.testing.assert_array_equal(simulate_activity({"n_frames": 5}, W=W).W, W)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"connectivity_filling_factor": 0}, "connectivity_filling_factor is 0; it should be greater than 0"),
        ({"connectivity_filling_factor": 1.5}, "connectivity_filling_factor"),
        ({"conectivity_filling_factor": 0.5}, "did you mean 'connectivity_filling_factor'"),
        ({"connectivity_type": "lorenz"}, "did you mean 'lorentz'"),
        ({"n_neurons": 2.5}, "n_neurons is 2.5; it should be a whole number"),
        ({"params": [[1, 2]]}, "params.0 is [1, 2]; it should have at least 3 items"),
        ({"delta_t": 0}, "delta_t"),
        ({"delta_t": 1.0, "n_frames": 300, "params": [[10, 1, 100]]}, "blows up"),
        ({"connectivity_type": "file"}, "connectivity_type: file and connectivity_file belong together"),
        ({"precision": "float16"}, "precision"),
    ],
)
def test_bad_settings_get_a_sentence(change, words):
    with pytest.raises(OntogenyError) as caught:
        simulate_activity(SMALL | change)
    assert words in str(caught.value)


def test_bad_matrices_get_a_sentence(tmp_path):
    with pytest.raises(OntogenyError, match="3 x 4"):
        simulate_activity({"n_frames": 5}, W=np.ones((3, 4)))
    (tmp_path / "w.csv").write_text("1,2\n3,x\n")
    with pytest.raises(OntogenyError, match=r"w\.csv is not a matrix of numbers"):
        read_connectivity(tmp_path / "w.csv")
    with pytest.raises(OntogenyError, match="row 1, column 2"):
        simulate_activity({"n_frames": 5}, W=np.array([[0, np.nan], [1, 0]]))
    with pytest.raises(OntogenyError, match="does not exist"):
        read_connectivity(tmp_path / "missing.csv")


def test_given_arrays_are_checked():
    u = np.random.default_rng(0).normal(size=(40, 5))
    assert as_activity(u, u).u.shape == (1, 40, 5)
    broken = u.copy()
    broken[7, 2] = np.nan
    with pytest.raises(OntogenyError, match="activity holds nan at trajectory 0, frame 7, neuron 2"):
        as_activity(broken, u)
    with pytest.raises(OntogenyError, match="must agree"):
        as_activity(u, u[:-1])
    with pytest.raises(OntogenyError, match="derivative of the activity is missing"):
        as_activity(u)


def test_report_of_a_live_population():
    activity = simulate_activity({"n_neurons": 80, "n_trajectories": 20, "n_frames": 400}, seed=0)
    report = activity_report(activity)
    assert report["oracle_R2"] > 0.9999
    assert report["notes"] == []
    assert report["spectral_radius"] == pytest.approx(np.abs(np.linalg.eigvals(activity.W)).max())
    assert report["components_90"] <= report["components_99"] <= 80
    assert "alive" in report["verdict"]
    np.testing.assert_allclose(oracle(activity), activity.weights, atol=1e-3)


def test_activity_that_dies_out_is_reported():
    activity = simulate_activity(
        {
            "n_neurons": 20,
            "n_trajectories": 1,
            "n_frames": 4000,
            "params": [[0.1, 0.1, 2.0]],
            "connectivity_type": "gaussian",
        },
        seed=0,
    )
    assert "dies out" in activity_report(activity)["verdict"]
    rest = Activity(u=np.zeros((1, 10, 4)), du=np.zeros((1, 10, 4)))
    assert "at rest" in check_activity(rest)[0]


def test_lyapunov_exponent_of_a_linear_system_and_a_chaotic_one():
    # Without transfer the slowest direction decays at rate min(c); s = 0, W = 0.
    W = np.zeros((6, 6))
    activity = simulate_activity({"n_trajectories": 1, "n_frames": 600, "params": [[1.0, 0.0, 1.0]]}, W=W)
    from ontogeny.connectome.simulate import lyapunov_exponent

    exponent, _ = lyapunov_exponent(activity)
    assert exponent == pytest.approx(np.log(1 - 0.01) / 0.01, rel=1e-6)
    chaotic = simulate_activity(
        {"n_neurons": 100, "n_trajectories": 1, "n_frames": 4000, "connectivity_type": "gaussian"}, seed=0
    )
    exponent, error = lyapunov_exponent(chaotic)
    assert exponent > 3 * error


def test_components_and_spectral_radius_of_known_matrices():
    rng = np.random.default_rng(0)
    low = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 9)) * 1e-3
    activity = Activity(u=low[None], du=low[None])
    assert components(activity)[0.99] <= 2
    assert spectral_radius(np.array([[0.0, -2.0], [2.0, 0.0]])) == pytest.approx(2.0)


def test_measurement_noise_leaves_the_derivative_alone():
    clean = simulate_activity(SMALL, seed=0)
    noisy = simulate_activity(SMALL | {"measurement_noise": 0.1}, seed=0)
    np.testing.assert_array_equal(clean.du, noisy.du)
    assert 0.08 < (noisy.u - clean.u).std() < 0.12
    assert ActivitySettings().delta_t == 0.01


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"initial_scale": 0}, ("at rest in every frame", "initial_scale", "input_amplitude")),
        ({"params": [[0, 1, 1]]}, ("no neuron hears another", "gains g in params")),
    ],
    ids=str,
)
def test_a_population_without_life_or_wiring_is_refused(settings, words):
    with pytest.raises(OntogenyError) as caught:
        simulate_activity({"n_neurons": 20, "n_trajectories": 2, "n_frames": 20, **settings})
    assert all(word in str(caught.value) for word in words)


def test_the_wiring_of_the_worm_has_its_neurons_and_its_directions():
    pytest.importorskip("cect")
    W, names = celegans_wiring()
    assert W.shape == (302, 302)
    sender, receiver = names.index("ASHL"), names.index("AVAL")
    assert W[receiver, sender] > 0 == W[sender, receiver]
    assert (W**2).sum(1).mean() == pytest.approx(1)
    with pytest.raises(OntogenyError, match="it is 302"):
        simulate_activity({"n_neurons": 5, "connectivity_type": "c_elegans"})
