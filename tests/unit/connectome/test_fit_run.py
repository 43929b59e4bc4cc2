"""Activity and fits as files, a fit that is killed and goes on, searches declared by settings."""

import numpy as np
import pytest

from ontogeny.connectome import fit_run
from ontogeny.connectome.fit import fit_connectome
from ontogeny.connectome.fit_run import fit_connectome_run, phase1_of_fit
from ontogeny.connectome.metrics import recovery_metrics
from ontogeny.connectome.search.declaration import search_from
from ontogeny.connectome.settings import SearchSettings
from ontogeny.connectome.simulate import simulate_activity
from ontogeny.connectome.store import load_activity, load_fit, load_weights, save_activity, save_fit
from ontogeny.errors import OntogenyError
from ontogeny.files import read_json

SIMULATION = {"n_neurons": 30, "n_trajectories": 10, "n_frames": 200, "connectivity_filling_factor": 0.5}
FIT = {"n_steps": 60, "checkpoint_every": 20, "n_snapshots": 4, "batch_size": 64, "refine": False}
IDENTITY = {"simulation": SIMULATION, "fit": {**FIT, "coeff_W_L1": "recommended"}, "seed": 3}


@pytest.fixture(scope="module")
def activity():
    return simulate_activity(SIMULATION, seed=3)


def test_activity_comes_back_as_it_was(activity, tmp_path):
    save_activity(activity, tmp_path / "a.safetensors")
    again = load_activity(tmp_path / "a.safetensors")
    for name in ("u", "du", "W", "types", "params"):
        np.testing.assert_array_equal(getattr(again, name), getattr(activity, name))
    assert again.settings == activity.settings
    np.testing.assert_array_equal(load_weights(tmp_path / "a.safetensors"), activity.weights)


def test_a_damaged_or_foreign_file_is_one_sentence(activity, tmp_path):
    path = tmp_path / "a.safetensors"
    save_activity(activity, path)
    with pytest.raises(OntogenyError, match="is not of the format"):
        load_fit(path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(OntogenyError, match="a whole safetensors file"):
        load_activity(path)


def test_a_stored_fit_measures_as_the_fit_itself(activity, tmp_path):
    fit = fit_connectome(activity, settings={**FIT, "refine": True}, seed=3)
    save_fit(fit, tmp_path / "f.safetensors", float(activity.u.min()), float(activity.u.max()))
    stored = load_fit(tmp_path / "f.safetensors")
    whole, again = recovery_metrics(fit, activity), recovery_metrics(stored, activity)
    assert whole.pop("training_time_min") > 0
    for name, value in whole.items():
        if isinstance(value, float):
            assert again[name] == pytest.approx(value, abs=1e-4), name
    state = activity.u[0, :50].astype(float)
    spread = np.std(fit.derivative(state))
    assert np.abs(stored.derivative(state) - fit.derivative(state)).max() < 1e-3 * spread


def test_a_killed_fit_goes_on_to_the_same_end(activity, tmp_path, monkeypatch):
    save_activity(activity, tmp_path / "a.safetensors")
    fit_connectome_run(IDENTITY, tmp_path / "a.safetensors", tmp_path / "whole", "r")
    written = fit_run.write_arrays

    def killed(*arguments):
        written(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(fit_run, "write_arrays", killed)
    with pytest.raises(KeyboardInterrupt):
        fit_connectome_run(IDENTITY, tmp_path / "a.safetensors", tmp_path / "cut", "r")
    monkeypatch.undo()
    assert (tmp_path / "cut/.resume/fit.safetensors").exists()
    fit_connectome_run(IDENTITY, tmp_path / "a.safetensors", tmp_path / "cut", "r")
    assert not (tmp_path / "cut/.resume").exists()
    one, two = (load_fit(tmp_path / name / "connectome/fit.safetensors") for name in ("whole", "cut"))
    np.testing.assert_array_equal(one.W, two.W)
    assert one.history == two.history
    assert (tmp_path / "whole/phase1.json").read_bytes() == (tmp_path / "cut/phase1.json").read_bytes()
    assert read_json(tmp_path / "cut/config.json")["fit"]["coeff_W_L1"] == 0


def test_training_is_a_phase1_record(activity):
    fit = fit_connectome(activity, settings=FIT, seed=3)
    frame = phase1_of_fit(fit, activity, "r")
    assert {"W", "embedding"} < set(frame["layer"])
    assert {"stable_rank", "connectivity_R2", "loss"} < set(frame["metric"])
    assert frame["value"].notna().all()


def test_a_search_starts_where_its_fit_settings_say():
    settings = {"levels": [0.5], "n_iter_block": 3, "policy": "ucb", "ucb_c": 1.0, "sequential": False, "seed": 0}
    settings |= {"space": "measured", "fit": {"optimizer": "adamw", "n_steps": 10, "coeff_W_L1": "recommended"}}
    search = search_from(SearchSettings(**settings), "x")
    assert search.first["optimizer"] == "adamw"
    assert "n_steps" not in search.first
    with pytest.raises(OntogenyError, match="learning_rate_W_start"):
        search_from(SearchSettings(**{**settings, "fit": {"learning_rate_W_start": 0.9}}), "x")
