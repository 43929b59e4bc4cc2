"""Replay gives the network that was trained, bit for bit, at steps between checkpoints and at them."""

import json
import shutil

import pytest
import torch

from ontogeny.errors import OntogenyError
from ontogeny.files import read_json, write_json
from ontogeny.trajectory import Trajectory, checkpoint_path, load_checkpoint, weights_digest

MODELS = ("mlp", "resnet", "transformer")


@pytest.mark.parametrize("model", MODELS)
def test_replay_is_the_trained_network_bit_for_bit(trained, model):
    sparse = Trajectory(trained(model))
    dense = trained(model, checkpoint_every=1)
    assert sparse.checkpoints == [0, 10, 20, 23]
    for step, learner in sparse.walk([0, 3, 10, 11, 17, 22, 23]):
        tensors, _ = load_checkpoint(checkpoint_path(dense / "checkpoints", step))
        state = learner.state()
        assert state.keys() == tensors.keys()
        for name in state:
            assert torch.equal(state[name], tensors[name]), (step, name)


@pytest.mark.parametrize("model", MODELS)
def test_every_logged_digest_is_proven(trained, model):
    trajectory = Trajectory(trained(model))
    assert sorted(trajectory.digests) == [0, 4, 8, 12, 16, 20, 23]
    for step, learner in trajectory.walk(trajectory.digests):
        assert weights_digest(learner.model) == trajectory.digests[step]


def test_kept_networks_are_those_of_replay_and_are_not_replayed_again(trained, monkeypatch):
    plain, keeping = (Trajectory(trained("resnet")) for _ in range(2))
    steps = [0, 7, plain.last_step]
    keeping.keep(steps)
    monkeypatch.setattr(Trajectory, "_load", lambda *_: pytest.fail("it replays"))
    found = {step: weights_digest(saved.model) for step, saved in keeping.walk(reversed(steps))}
    monkeypatch.undo()
    assert list(found) == steps
    assert found == {step: weights_digest(learner.model) for step, learner in plain.walk(steps)}
    assert not next(keeping.walk([7]))[1].model.training
    assert weights_digest(keeping.at(8)) == weights_digest(plain.at(8)), "a step that was not kept"


def test_replay_leaves_global_random_numbers_alone(trained):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    Trajectory(trained("mlp")).at(17)
    assert torch.equal(torch.rand(3), expected)


def test_the_model_comes_in_eval_mode_and_learns_from_there(trained):
    trajectory = Trajectory(trained("mlp"))
    assert not trajectory.at(5).training
    learner = trajectory.learner_at(5)
    learner.advance_to(8)
    assert weights_digest(learner.model) == trajectory.digests[8]
    with pytest.raises(OntogenyError, match="cannot go back"):
        learner.advance_to(2)


def test_steps_that_do_not_exist_are_told(trained):
    trajectory = Trajectory(trained("mlp"))
    for step in (-1, 24):
        with pytest.raises(OntogenyError, match=f"has no step {step}: it goes from 0 to 23"):
            trajectory.at(step)
    for step in (3.5, "7", None):
        with pytest.raises(OntogenyError, match="is not a whole number"):
            trajectory.at(step)


def copy_of(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


@pytest.mark.parametrize("position", [0, 9, 200, 3000, -1])
def test_a_flipped_byte_in_a_checkpoint_is_found(trained, tmp_path, position):
    folder = copy_of(trained("mlp"), tmp_path)
    path = checkpoint_path(folder / "checkpoints", 10)
    data = bytearray(path.read_bytes())
    data[position] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(OntogenyError, match="step_00000010"):
        Trajectory(folder).at(12)


def test_a_checkpoint_of_another_run_is_refused(trained, tmp_path):
    folder = copy_of(trained("mlp"), tmp_path)
    other = checkpoint_path(trained("mlp", learning_rate=0.01) / "checkpoints", 10)
    shutil.copyfile(other, checkpoint_path(folder / "checkpoints", 10))
    with pytest.raises(OntogenyError, match="run with other settings"):
        Trajectory(folder).at(12)


def test_results_of_another_version_are_refused(trained, tmp_path):
    folder = copy_of(trained("mlp"), tmp_path)
    config = read_json(folder / "config.json")
    write_json(folder / "config.json", {**config, "format": "ontogeny-run/0"})
    with pytest.raises(OntogenyError, match=r"format 'ontogeny-run/0'; this version reads 'ontogeny-run/1'"):
        Trajectory(folder)


def test_replay_that_ends_elsewhere_is_an_error_or_a_warning_with_the_distance(trained, tmp_path, caplog):
    folder = copy_of(trained("mlp"), tmp_path)
    text = json.dumps(read_json(folder / "phase1.json"))
    (folder / "phase1.json").write_text(text.replace(Trajectory(folder).digests[12], "0" * 32))
    with pytest.raises(OntogenyError, match="does not give the network that was trained"):
        Trajectory(folder).at(12)
    Trajectory(folder, exact=False).at(12)
    assert "relative distance" in caplog.text


def test_the_probe_is_the_one_that_was_measured(trained):
    inputs, labels = Trajectory(trained("mlp")).probe
    assert inputs.shape == (30, 1, 8, 8)
    assert labels.shape == (30,)


def test_the_caller_keeps_its_threads(tmp_path):
    from small_runs import small_run

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        small_run().at(5)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
