"""A judge measured while it trains, from its checkpoints, and what its finished run takes over from that."""

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from ontogeny.config import load_config, runs_of
from ontogeny.errors import OntogenyError
from ontogeny.judge import follow_training, trace_checkpoints, trace_mechanism
from ontogeny.judge.record import read_record
from ontogeny.judge.settings import JudgeAnalysisSettings
from ontogeny.models.judge import train_tokenizer
from ontogeny.tasks.prompts import load_prompts
from ontogeny.tasks.settings import JudgeTaskSettings
from ontogeny.training import loop
from ontogeny.trajectory import Trajectory

SETTINGS = JudgeAnalysisSettings(
    run_advanced=False, samples=1, discovery=16, held_out=16, pairs=8, attributed=2, integration_steps=2, shuffles=2
)
RUN = {
    "task": {"count": 120, "n_probe": 8},
    "model": {"vocabulary": 300, "layers": 2, "width": 16, "heads": 2, "feedforward": 24, "pretrain_steps": 2},
    "training": {"epochs": 3, "batch_size": 20, "learning_rate": 0.003},
}


@pytest.fixture
def identity():
    config = load_config({"studies": {"s": {"kind": "judge", "runs": {"run": RUN}}}})
    return runs_of(config)["run/s0"].identity()


def stop_after(epoch, monkeypatch):
    """Let the training be killed right after its checkpoint of an epoch."""
    keep = loop._Attempt.checkpoint

    def checkpoint(attempt, learner, setup):
        keep(attempt, learner, setup)
        if learner.step == epoch * setup.record["steps_per_epoch"]:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop._Attempt, "checkpoint", checkpoint)


def once():
    """Asked again and again, no as soon as there is nothing to measure: the second time in a row without a record."""
    left = iter([True] * 3)
    return lambda: next(left, False)


def test_records_appear_while_it_trains_and_the_finished_run_takes_them_over(tmp_path, identity, monkeypatch):
    folder, cache = tmp_path / "run", tmp_path / "cache"
    with monkeypatch.context() as patch:
        stop_after(1, patch)
        with pytest.raises(KeyboardInterrupt):
            loop.train(identity, folder, "run/s0", cache_dir=cache)
    assert [path.name for path in follow_training(folder, SETTINGS, cache, poll=0, go_on=once())] == [
        "epoch_1.json", "epoch_0.json",
    ]  # fmt: skip
    live = {epoch: (folder / "live" / f"epoch_{epoch}.json").read_bytes() for epoch in (0, 1)}
    loop.train(identity, folder, "run/s0", cache_dir=cache)
    assert follow_training(folder, SETTINGS, cache, poll=0) == [
        folder / "live" / f"epoch_{epoch}.json" for epoch in (3, 2)
    ]
    (folder / "live" / "epoch_3.json").unlink()
    written = trace_mechanism(Trajectory(folder, cache), folder / "mechanism", SETTINGS)
    assert [path.name for path in written] == [f"epoch_{epoch}.json" for epoch in range(4)]
    assert not (folder / "live").exists()
    assert {epoch: written[epoch].read_bytes() for epoch in live} == live
    again = trace_mechanism(Trajectory(folder, cache), tmp_path / "again", SETTINGS)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]
    assert follow_training(folder, SETTINGS, cache, poll=0) == []


def test_records_of_other_settings_are_not_taken_over(tmp_path, identity):
    folder, cache = tmp_path / "run", tmp_path / "cache"
    loop.train(identity, folder, "run/s0", cache_dir=cache)
    rare = JudgeAnalysisSettings(**SETTINGS.model_dump() | {"visualization_interval": 2})
    assert len(follow_training(folder, rare, cache, poll=0)) == 3
    other = JudgeAnalysisSettings(**rare.model_dump() | {"samples": 2, "visualization_interval": 3})
    written = trace_mechanism(Trajectory(folder, cache), folder / "mechanism", other)
    assert [len(read_record(path)["samples"]) for path in written] == [4, 4]


def test_the_checkpoints_of_a_trainer_are_a_trajectory(tmp_path):
    config = BertConfig(
        vocab_size=300, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        id2label={0: "benign", 1: "toxic", 2: "insult"},
    )  # fmt: skip
    task = JudgeTaskSettings(count=120)
    tokenizer = train_tokenizer(load_prompts(task)["prompt"], 300)
    for number, name in enumerate(("base", "out/checkpoint-20", "out/checkpoint-100")):
        torch.manual_seed(number)
        BertForSequenceClassification(config).save_pretrained(tmp_path / name)
        tokenizer.save(tmp_path / name)
    records = trace_checkpoints(tmp_path / "out", tmp_path / "pages", task, SETTINGS, before=tmp_path / "base")
    found = [read_record(path) for path in records]
    assert [(record["epoch"], record["step"]) for record in found] == [(0, 0), (1, 20), (2, 100)]
    assert len({record["metrics"]["loss"] for record in found}) == 3
    assert found[0]["metrics"]["loss"] == found[2]["metrics"]["pretrained"]["loss"]
    assert (tmp_path / "pages" / "training_progress.html").is_file()
    with pytest.raises(OntogenyError, match="holds no folder checkpoint-"):
        trace_checkpoints(tmp_path / "base", tmp_path / "none", task, SETTINGS)


def test_where_nothing_trains_it_does_not_wait_for_ever(tmp_path):
    with pytest.raises(OntogenyError, match="nothing trains into it"):
        follow_training(tmp_path / "none", SETTINGS, poll=0.01, patience=0.05)
