"""The collapse alarm: what it measures, when it fires, that it stays quiet, and that it disturbs nothing."""

import json
import logging
import time

import numpy as np
import pytest

from ontogeny.config import load_config, runs_of
from ontogeny.errors import OntogenyError
from ontogeny.phase1 import read_phase1
from ontogeny.tracking import CollapseAlarm, representation_state


def spectrum(values, rows=2000, seed=0):
    generator = np.random.default_rng(seed)
    basis = np.linalg.qr(generator.normal(size=(rows, len(values) + 1)))[0]
    basis = np.linalg.qr(basis - basis.mean(axis=0))[0][:, : len(values)]
    return basis * np.sqrt(values)


def test_dimension_is_that_of_the_centred_spectrum():
    values = np.array([4.0, 2.0, 1.0, 1.0])
    features = spectrum(values)[:100]
    features = features - features.mean(axis=0)
    found = representation_state(features + 3.0, np.zeros(100, int))["dimension"]
    eigenvalues = np.linalg.eigvalsh(features.T @ features)
    assert found == pytest.approx(eigenvalues.sum() ** 2 / (eigenvalues**2).sum(), rel=1e-9)


def test_classes_and_spread_match_their_definitions():
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 4, size=90)
    features = generator.normal(size=(90, 7)) + 5 * np.eye(4, 7)[labels] + 2
    found = representation_state(features, labels)
    means = np.array([features[labels == label].mean(axis=0) for label in range(4)])
    within = ((features - means[labels]) ** 2).sum()
    total = ((features - features.mean(axis=0)) ** 2).sum()
    assert found["within_between"] == pytest.approx(within / (total - within))
    assert found["spread"] == pytest.approx(total / (features**2).sum())


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
def test_no_scale_changes_the_state(scale):
    features, labels = np.random.default_rng(2).normal(size=(40, 5)), np.arange(40) % 3
    want = representation_state(features, labels)
    assert representation_state(scale * features, labels) == pytest.approx(want)


def test_degenerate_features():
    labels = np.arange(10) % 2
    assert representation_state(np.zeros((10, 3)), labels)["dimension"] == 0
    alike = representation_state(np.full((10, 3), 0.1), labels)
    assert alike["dimension"] == 0
    assert alike["spread"] == 0
    assert np.isnan(representation_state(np.full((10, 3), np.nan), labels)["dimension"])
    with pytest.raises(OntogenyError, match="one label per sample"):
        representation_state(np.zeros((10, 3)), labels[:5])


def run_alarm(dimensions, spreads=None, classes=10):
    alarm = CollapseAlarm(classes, 64)
    spreads = [0.5] * len(dimensions) if spreads is None else spreads
    said = [alarm.update(s, {"dimension": d, "spread": p}) for s, (d, p) in enumerate(zip(dimensions, spreads))]
    return alarm, [text for text in said if text]


def test_a_collapse_fires_once_and_its_recovery_too():
    alarm, said = run_alarm([6.0] * 10 + [1.1] * 20 + [5.0] * 10)
    assert [event["event"] for event in alarm.events] == ["collapsed", "recovered"]
    assert [event["step"] for event in alarm.events] == [10, 30]
    assert len(said) == 2
    assert "collapsed at step 10" in said[0]


def test_it_stays_quiet_on_noise_on_dips_and_before_a_representation_has_formed():
    generator = np.random.default_rng(3)
    assert not run_alarm(generator.uniform(2.0, 9.0, size=500))[1]
    assert not run_alarm(([6.0] * 20 + [1.0] * 4) * 20)[1]
    start, said = run_alarm([1.0] * 50 + [7.0] * 50)
    assert not said
    assert start.verdict()["state"] == "healthy"
    assert run_alarm([1.0] * 50)[0].verdict()["state"] == "never formed"
    assert not run_alarm([1.0] * 50, classes=2)[1], "two classes need one dimension"


def test_samples_that_are_all_alike_are_a_collapse_whatever_their_dimension():
    assert run_alarm([1.0] * 30, [0.5] * 10 + [1e-9] * 20, classes=2)[0].state == "collapsed"
    assert run_alarm([np.nan] * 30, [0.5] * 10 + [np.nan] * 20, classes=2)[0].state != "healthy"


def train(folder, **training):
    from ontogeny.training.loop import train

    run = {
        "task": {"n_train": 400, "n_validation": 40, "n_probe": 100},
        "model": {"name": "mlp", "hidden": [32, 32]},
        "training": {"steps": 150, "batch_size": 64, **training},
    }
    train(runs_of(load_config({"studies": {"s": {"runs": {"run": run}}}}))["run/s0"].identity(), folder, "run")
    return json.loads((folder / "phase1.json").read_text())["metadata"]["collapse"]


def test_a_real_run_that_is_healthy_is_quiet_and_one_that_is_wrecked_is_not(tmp_path, caplog):
    healthy = train(tmp_path / "healthy", learning_rate=0.003)
    assert healthy["state"] == "healthy"
    assert not healthy["events"]
    assert healthy["input_of"] == "Linear_2"
    assert len(healthy["course"]["dimension"]) == 151
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    wrecked = train(tmp_path / "wrecked", learning_rate=0.05, weight_decay=4.0, optimizer="sgd")
    assert wrecked["state"] == "collapsed"
    assert wrecked["events"]
    assert "has collapsed at step" in caplog.text
    frame = read_phase1(tmp_path / "healthy" / "phase1.json").frame
    assert not {"dimension", "spread", "within_between"} & set(frame["metric"])


@pytest.mark.benchmark
def test_it_costs_little_of_a_step(tmp_path):
    features, labels = np.random.default_rng(4).normal(size=(256, 64)).astype(np.float32), np.arange(256) % 10
    representation_state(features, labels)
    began = time.process_time()
    for _ in range(200):
        representation_state(features, labels)
    each = (time.process_time() - began) / 200
    began = time.process_time()
    train(tmp_path)
    assert each < 0.15 * (time.process_time() - began) / 150
