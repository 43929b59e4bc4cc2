"""A judge trained by two processes that share its weights is the judge trained by one."""

import os
import shutil
import signal
import sys
import time
from functools import partial
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from torch.multiprocessing import start_processes

from ontogeny.config import load_config, runs_of
from ontogeny.errors import OntogenyError
from ontogeny.files import read_json
from ontogeny.training import processes
from ontogeny.training.processes import train_in_processes
from ontogeny.trajectory import Trajectory

pytest.importorskip("transformers", reason="the extra `text` is not installed")
RUN = {
    "task": {"count": 120, "n_probe": 8},
    "model": {
        "vocabulary": 300, "layers": 2, "width": 16, "heads": 2, "feedforward": 24, "pretrain_steps": 2,
        "frozen_layers": 1,
    },
    "training": {"epochs": 2, "batch_size": 10, "accumulation": 2, "learning_rate": 0.003, "checkpoint_every": 2},
}  # fmt: skip


def identity(**training):
    run = RUN | {"training": RUN["training"] | training}
    return runs_of(load_config({"studies": {"s": {"kind": "judge", "runs": {"run": run}}}}))["run/s0"].identity()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The same run by one process and by two."""
    folder = tmp_path_factory.mktemp("processes")
    train_in_processes(identity(), folder / "one", "run/s0", folder / "cache")
    train_in_processes(identity(processes=2), folder / "two", "run/s0", folder / "cache")
    return folder


def columns(run):
    record = read_json(run / "phase1.json")
    layer = next(key for key in record if key != "metadata")
    return {name: np.array(record[layer][name]) for name in ("step", "loss", "grad_norm", "probe_loss")}


@pytest.mark.slow
def test_losses_and_gradients_are_equal_to_rounding(trained):
    one, two = columns(trained / "one"), columns(trained / "two")
    np.testing.assert_array_equal(one["step"], two["step"])
    for name in ("loss", "grad_norm", "probe_loss"):
        np.testing.assert_allclose(two[name][:4], one[name][:4], rtol=2e-5)
        np.testing.assert_allclose(two[name], one[name], rtol=2e-3)


@pytest.mark.slow
def test_its_trajectory_is_one_of_whole_networks_that_go_on_alone(trained):
    one, two = (Trajectory(trained / name, trained / "cache") for name in ("one", "two"))
    assert one.checkpoints == two.checkpoints
    for step in (0, 3, two.last_step):
        for (name, a), b in zip(one.at(step).named_parameters(), two.at(step).parameters()):
            assert type(b) is torch.nn.Parameter
            torch.testing.assert_close(b, a, rtol=0, atol=2e-3, msg=name)


@pytest.fixture
def forks(monkeypatch):
    """Processes that need not load libraries once more."""
    monkeypatch.setattr(processes, "spawn", partial(start_processes, start_method="fork"))


def train_in_a_group(run, cache):
    """Train by two processes in a group of processes of their own, and wait before the record is written."""
    os.setsid()
    sys.addaudithook(lambda event, about: event == "os.rename" and "phase1.json" in str(about) and time.sleep(600))
    train_in_processes(identity(processes=2), run, "run/s0", cache)


@pytest.mark.slow
def test_killed_and_started_again_it_is_the_same_training(trained, forks, tmp_path):
    """All processes are killed between two checkpoints, and go on together from the first."""
    run = tmp_path / "run"
    shutil.copytree(trained / "two" / "pretrained", run / "pretrained")
    child = get_context("fork").Process(target=train_in_a_group, args=(run, tmp_path / "cache"))
    child.start()
    until = time.monotonic() + 240
    while not (run / "metrics.jsonl").exists() or (run / "metrics.jsonl").read_bytes().count(b"\n") < 4:
        assert child.is_alive()
        assert time.monotonic() < until
        time.sleep(0.002)
    os.killpg(child.pid, signal.SIGKILL)
    child.join()
    assert (run / ".resume").is_dir(), "the run ended before it could be killed"
    assert not (run / "phase1.json").exists()
    train_in_processes(identity(processes=2), run, "run/s0", tmp_path / "cache")
    whole, resumed = columns(trained / "two"), columns(run)
    np.testing.assert_array_equal(resumed["step"], whole["step"])
    for name in ("loss", "grad_norm", "probe_loss"):
        np.testing.assert_allclose(resumed[name], whole[name], rtol=1e-6)
    assert (
        Trajectory(run, tmp_path / "cache").checkpoints == Trajectory(trained / "two", tmp_path / "cache").checkpoints
    )


def test_processes_share_batches_evenly(tmp_path):
    odd = identity(processes=2, batch_size=5, accumulation=1)
    with pytest.raises(OntogenyError, match="which 2 processes cannot share evenly"):
        train_in_processes(odd, tmp_path / "run", "run/s0", tmp_path / "cache")
