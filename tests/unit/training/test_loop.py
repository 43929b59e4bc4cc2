"""The training loop: what it writes, and that being killed changes nothing."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from ontogeny.config import load_config, runs_of
from ontogeny.errors import OntogenyError
from ontogeny.training.loop import train

RUN = {
    "task": {"n_train": 200, "n_validation": 40, "n_probe": 30},
    "model": {"name": "mlp", "hidden": [16], "dropout": 0.2},
    "training": {"steps": 300, "batch_size": 16, "checkpoint_every": 50},
    "tracking": {"every": 3},
}


def identity(**changes):
    run = {key: {**value, **changes.get(key, {})} for key, value in RUN.items()}
    return runs_of(load_config({"studies": {"s": {"runs": {"run": run}}}}))["run/s0"].identity()


def run(folder, **changes):
    settings = identity(**changes)
    train(settings, folder, "run")
    return folder


def content(folder):
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return content(run(tmp_path_factory.mktemp("undisturbed")))


def test_a_run_leaves_the_files_of_the_contract(undisturbed):
    names = set(undisturbed)
    assert {"config.json", "phase1.json", "metrics.jsonl"} <= names
    assert {name for name in names if name.startswith("checkpoints/")} == {
        f"checkpoints/step_{step:08d}.safetensors" for step in range(0, 301, 50)
    }
    assert not any(".resume" in name or "part" in name for name in names)
    record = json.loads(undisturbed["phase1.json"])
    layer = record["Linear_0"]
    assert layer["step"] == list(range(0, 301, 3))
    assert {"stable_rank", "participation_ratio", "cumulative_90", "nuclear_norm_ratio", "loss", "grad_norm"} <= set(
        layer
    )
    assert all(len(column) == len(layer["step"]) for column in layer.values())
    assert record["metadata"]["format"] == "ontogeny-phase1/1"
    assert record["metadata"]["digests"]["step"] == layer["step"]
    assert layer["probe_accuracy"][-1] > 0.5


def test_metrics_jsonl_and_phase1_say_the_same(undisturbed):
    rows = [json.loads(line) for line in undisturbed["metrics.jsonl"].decode().splitlines()]
    record = json.loads(undisturbed["phase1.json"])
    assert [row["loss"] for row in rows] == record["Linear_1"]["loss"]
    assert [row["layers"]["Linear_1"]["stable_rank"] for row in rows] == record["Linear_1"]["stable_rank"]


CHILD = """
import json, sys
from ontogeny.training.loop import train
identity = json.loads(sys.argv[1])
train(identity, sys.argv[2], "run")
"""


def start(folder):
    command = [sys.executable, "-c", CHILD, json.dumps(identity()), str(folder)]
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("lines", [2, 30, 75])
def test_killed_and_started_again_the_files_are_the_same_bytes(undisturbed, tmp_path, lines):
    child = start(tmp_path)
    metrics = tmp_path / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and child.poll() is None:
        if metrics.exists() and metrics.read_bytes().count(b"\n") >= lines:
            break
        time.sleep(0.002)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert (tmp_path / ".resume").is_dir(), "the run ended before it could be killed"
    assert not (tmp_path / "phase1.json").exists()
    run(tmp_path)
    assert content(tmp_path) == undisturbed


def test_a_torn_line_and_a_torn_checkpoint_are_survived(undisturbed, tmp_path, monkeypatch):
    from ontogeny.training import loop

    def stop(learner, *_):
        if learner.step == 201:
            raise KeyboardInterrupt
        return real(learner, *_)

    real = loop._measure
    monkeypatch.setattr(loop, "_measure", stop)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    monkeypatch.undo()
    newest = max((tmp_path / ".resume").glob("step_*"))
    newest.write_bytes(newest.read_bytes()[:1000])
    with open(tmp_path / "metrics.jsonl", "a") as stream:
        stream.write('{"step": 201, "lo')
    run(tmp_path)
    assert content(tmp_path) == undisturbed


def test_other_settings_do_not_continue_an_old_attempt(tmp_path, monkeypatch):
    from ontogeny.training import loop

    def stop(learner, *_):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "_measure", stop)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run")
    monkeypatch.undo()
    run(tmp_path / "run", training={"steps": 20})
    run(tmp_path / "fresh", training={"steps": 20})
    assert content(tmp_path / "run") == content(tmp_path / "fresh")


def test_divergence_is_one_sentence_and_keeps_what_was_measured(tmp_path):
    with pytest.raises(OntogenyError, match=r"training diverged: the loss is (nan|inf) at step \d+; lower"):
        run(tmp_path, training={"learning_rate": 100.0, "optimizer": "sgd", "momentum": 0.9})
    rows = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert len(rows) >= 1
    json.loads(rows[0])


def test_a_batch_larger_than_the_data_is_told(tmp_path):
    with pytest.raises(OntogenyError, match="batch_size is 500, but the data has only 200"):
        run(tmp_path, training={"batch_size": 500})


def test_a_layer_that_does_not_exist_is_told_with_the_nearest(tmp_path):
    with pytest.raises(OntogenyError, match="did you mean 'Linear_0'"):
        run(tmp_path, tracking={"layers": ["Liner_0"]})


def test_measuring_on_the_live_batch_does_not_change_training(tmp_path):
    probe = run(tmp_path / "probe", training={"steps": 20})
    batch = run(tmp_path / "batch", training={"steps": 20}, tracking={"source": "batch", "every": 1})
    names = [path.name for path in (probe / "checkpoints").iterdir()]

    def weights(folder, name):
        from ontogeny.trajectory import load_checkpoint

        return load_checkpoint(folder / "checkpoints" / name)[0]

    for name in names:
        first, second = weights(probe, name), weights(batch, name)
        assert all((first[key] == second[key]).all() for key in first)


def test_no_disk_space_is_one_sentence_that_names_the_file(tmp_path, small_disk):
    small_disk(tmp_path / "disk", "size=200k")
    with pytest.raises(OntogenyError, match=r"no disk space left while writing .*disk/run.*\(0 MiB free\)"):
        run(tmp_path / "disk" / "run")
