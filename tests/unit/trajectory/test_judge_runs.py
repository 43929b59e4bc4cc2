"""A judge is a run like any other: resumed to the same bytes, replayed to the same weights, stopped in time."""

import json

import numpy as np
import pytest
import torch

from ontogeny.config.models import JudgeRunSettings
from ontogeny.errors import OntogenyError
from ontogeny.judge.epochs import evaluate_epochs
from ontogeny.phase1 import read_phase1
from ontogeny.training.loop import train
from ontogeny.trajectory import Trajectory, checkpoint_path, load_checkpoint
from ontogeny.trajectory.learner import Learner
from ontogeny.trajectory.prompts import link_pretrained
from ontogeny.trajectory.setup import set_up

MODEL = {
    "vocabulary": 400,
    "width": 16,
    "layers": 2,
    "heads": 2,
    "feedforward": 24,
    "pretrain_steps": 3,
    "frozen_layers": 1,
}


def identity(seed=0, **training):
    settings = JudgeRunSettings.model_validate(
        {
            "task": {"count": 160, "n_probe": 16},
            "model": MODEL,
            "training": {"epochs": 3, "batch_size": 12, "learning_rate": 0.01, "warmup_steps": 2} | training,
            "tracking": {"every": 2},
        }
    )
    return settings.model_dump(mode="json", include={"task", "model", "training", "tracking"}) | {"seed": seed}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judge")
    train(identity(), folder, "judge")
    return folder


def _bytes(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_run_leaves_the_files_of_the_contract(run):
    config = json.loads((run / "config.json").read_text())
    per_epoch = config["data"]["steps_per_epoch"]
    assert config["last_step"] == 3 * per_epoch
    assert list(config["layers"].values()) == ["residual.0", "residual.1", "mlp.0", "mlp.1"]
    assert len(config["validation_loss"]) == 4
    assert Trajectory(run).checkpoints == [epoch * per_epoch for epoch in range(4)]
    assert set(read_phase1(run / "phase1.json").frame["layer"]) >= set(config["layers"])


def test_checkpoints_hold_the_trained_part_only(run):
    tensors, _ = load_checkpoint(checkpoint_path(run / "checkpoints", 0))
    names = {name for name in tensors if name.startswith("model.")}
    assert "model.head.weight" in names
    assert any(".layers.1." in name for name in names)
    assert not any(".layers.0." in name or "embed_tokens" in name for name in names)


def test_replay_is_proven_at_every_logged_step(run):
    trajectory = Trajectory(run)
    for step, learner in trajectory.walk(list(trajectory.digests)[::3]):
        assert learner.step == step
    assert trajectory.at(5)(trajectory.probe[0]).shape == (len(trajectory.probe[1]), 2)


@pytest.mark.parametrize("killed_at", [1, 11])
def test_killed_and_started_again_the_files_are_the_same_bytes(run, tmp_path, monkeypatch, killed_at):
    link_pretrained(run / "pretrained", tmp_path)
    before = Learner.update

    def dying(learner):
        if learner.step == killed_at:
            raise KeyboardInterrupt
        before(learner)

    monkeypatch.setattr(Learner, "update", dying)
    with pytest.raises(KeyboardInterrupt):
        train(identity(), tmp_path, "judge")
    monkeypatch.setattr(Learner, "update", before)
    train(identity(), tmp_path, "judge")
    assert _bytes(tmp_path) == _bytes(run)


def test_training_ends_when_the_validation_loss_no_longer_falls(run, tmp_path):
    link_pretrained(run / "pretrained", tmp_path)
    train(identity(epochs=30, early_stopping=2, learning_rate=0.2), tmp_path, "judge")
    config = json.loads((tmp_path / "config.json").read_text())
    losses = config["validation_loss"]
    assert len(losses) - 1 - int(np.argmin(losses)) == 2
    assert config["last_step"] == (len(losses) - 1) * config["data"]["steps_per_epoch"] < 30 * 8
    trajectory = Trajectory(tmp_path)
    assert trajectory.last_step == trajectory.checkpoints[-1]
    with pytest.raises(OntogenyError, match="has no step"):
        trajectory.at(trajectory.last_step + 1)


def test_accumulated_parts_give_the_gradient_of_the_batch(run):
    whole, parts = (
        set_up(identity(batch_size=12), "cache", run),
        set_up(identity(batch_size=4, accumulation=3), "cache", run),
    )
    torch.testing.assert_close(whole.learner.gradient(), parts.learner.gradient(), rtol=1e-5, atol=1e-6)
    for one, two in zip(whole.learner.model.parameters(), parts.learner.model.parameters()):
        if one.requires_grad:
            torch.testing.assert_close(one.grad, two.grad, rtol=1e-4, atol=1e-6)
        else:
            assert one.grad is None


def test_labels_belong_to_their_prompts(run):
    from ontogeny.trajectory.prompts import judge_data

    data = judge_data(identity(), run)
    prompts, tokens, labels = data.split("train")
    setup = set_up(identity(), "cache", run)
    known = {tuple(row[row >= 0].tolist()): int(label) for row, label in zip(tokens, labels)}
    assert known[tuple(tokens[0][tokens[0] >= 0].tolist())] == prompts["label"][0]
    for step in range(12):
        rows, targets = setup.learner.batch(step)
        assert [known[tuple(row[row >= 0].tolist())] for row in rows] == targets.tolist()
    text = data.tokenizer.tokenizer.decode(tokens[3][tokens[3] >= 0].tolist())
    assert text.split() == prompts["prompt"][3].split()


def test_other_prompts_or_frozen_weights_are_noticed(run, tmp_path):
    link_pretrained(run / "pretrained", tmp_path)
    train(identity(epochs=1), tmp_path, "judge")
    place = tmp_path / "pretrained" / "prompts.csv"
    text = place.read_text()
    place.unlink()
    place.write_text(text.replace("tonight", "today"))
    with pytest.raises(OntogenyError, match="the data are not those"):
        Trajectory(tmp_path).at(0)


def test_balance_weighs_classes_by_their_share():
    from ontogeny.trajectory.prompts import _loss

    labels = torch.tensor([0, 0, 0, 1])
    outputs = torch.zeros(4, 2)
    assert float(_loss(labels, "loss", 0.0)(outputs, labels)) == pytest.approx(np.log(2))
    outputs = torch.tensor([[5.0, 0.0]]).expand(4, 2)
    assert float(_loss(labels, "loss", 0.0)(outputs, labels)) > float(_loss(labels, "none", 0.0)(outputs, labels))


def test_every_epoch_is_evaluated(run):
    table = evaluate_epochs(Trajectory(run), n_resamples=20)
    judge = table[table["model"] == "judge"]
    assert sorted(judge["epoch"].unique()) == [0, 1, 2, 3]
    assert set(table["split"]) == {"validation", "test"}
    assert set(table["prompts"]) == {"all", "decoys"}
    assert (judge["accuracy_low"] <= judge["accuracy"]).all()
    stored = json.loads((run / "config.json").read_text())["validation_loss"]
    found = judge[(judge["split"] == "validation") & (judge["prompts"] == "all")]["loss"]
    np.testing.assert_allclose(found, stored, rtol=1e-3)


def test_too_large_batches_are_told(run):
    with pytest.raises(OntogenyError, match="training prompts"):
        set_up(identity(batch_size=500), "cache", run)
