"""An ensemble as a run: its files, and that being stopped changes none of them."""

import json

import pandas as pd
import pytest

from ontogeny.circuits import dynamics, trace
from ontogeny.circuits.trace import coincidence_table, trace_ensemble, write_records
from ontogeny.config import load_config, runs_of
from ontogeny.phase1 import read_phase1
from ontogeny.training import ensemble_run
from ontogeny.training.ensemble import load_ensemble
from ontogeny.training.ensemble_run import train_ensemble_run


def identity(**training):
    run = {"seeds": 12, "training": {"epochs": 40, **training}}
    return runs_of(load_config({"studies": {"s": {"kind": "circuits", "runs": {"xor": run}}}}))["xor"].identity()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("xor")
    train_ensemble_run(identity(), folder, "xor")
    return folder


def test_an_ensemble_leaves_its_files(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "ensemble.safetensors", "phase1.json"]
    config = json.loads((folder / "config.json").read_text())
    assert config["sizes"] == [2, 3, 3, 1]
    assert config["outcome"]["seeds"] == 12
    record = read_phase1(folder / "phase1.json")
    assert record.runs == [f"xor/s{seed}" for seed in range(12)]
    assert record.layers_of("xor/s3") == ["Linear_0", "Linear_1"]


def test_stopped_and_started_again_the_files_are_the_same_bytes(folder, tmp_path, monkeypatch):
    real, calls = ensemble_run.Progress.update, []

    def stop(self, done, note=""):
        calls.append(done)
        if len(calls) == 1:
            raise KeyboardInterrupt
        real(self, done, note)

    monkeypatch.setattr(ensemble_run.Progress, "update", stop)
    with pytest.raises(KeyboardInterrupt):
        train_ensemble_run(identity(), tmp_path, "xor")
    assert (tmp_path / ".resume" / "ensemble.safetensors").exists()
    train_ensemble_run(identity(), tmp_path, "xor")
    assert calls[0] < calls[-1] == 12
    for path in folder.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_other_settings_start_afresh(tmp_path, monkeypatch):
    monkeypatch.setattr(ensemble_run.Progress, "update", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        train_ensemble_run(identity(), tmp_path, "xor")
    monkeypatch.undo()
    train_ensemble_run(identity(learning_rate=0.002), tmp_path, "xor")
    assert load_ensemble(tmp_path / "ensemble.safetensors").settings.learning_rate == 0.002


def test_circuits_are_followed_through_training(folder, tmp_path):
    ensemble = load_ensemble(folder / "ensemble.safetensors")
    turnover, structure = trace_ensemble(ensemble)
    assert set(turnover["seed"]) == set(structure["seed"]) == set(range(12))
    per_seed = turnover.groupby("seed")
    balance = per_seed["appearances"].sum() - per_seed["disappearances"].sum()
    assert balance.eq(per_seed["circuits"].last()).all()
    assert (structure["minimal"].dropna() <= structure["circuits"][structure["minimal"].notna()]).all()
    write_records(ensemble, 0, tmp_path / "records")
    names = sorted(path.name for path in (tmp_path / "records").iterdir())
    assert names == [
        "convergence_k3_seed0_depth2_lr0.001_loss0.01.csv",
        "detailed_circuits_k3_seed0_depth2_lr0.001_loss0.01.json.gz",
    ]


def test_what_is_too_many_to_list_is_counted_and_sampled(folder, monkeypatch):
    ensemble = load_ensemble(folder / "ensemble.safetensors")
    turnover, listed = trace_ensemble(ensemble)
    monkeypatch.setattr(trace, "MOST_LISTED", 0)
    monkeypatch.setattr(dynamics, "MOST_LISTED", 0)
    again, sampled = trace_ensemble(ensemble)
    pd.testing.assert_frame_equal(again, turnover)
    for column in ("circuits", "core_nodes", "core_edges", "jaccard", "minimal"):
        pd.testing.assert_series_equal(sampled[column], listed[column])


def test_appearances_meet_planted_jumps_and_no_jumps_are_told(folder):
    ensemble = load_ensemble(folder / "ensemble.safetensors")
    turnover, _ = trace_ensemble(ensemble)
    first = turnover[turnover["appearances"] > 0].groupby("seed")["epoch"].first()
    jumps = pd.DataFrame({"run": [f"xor/s{s}" for s in first.index], "step": first.to_list(), "significant": False})
    table = coincidence_table(ensemble, turnover, jumps).set_index("jumps")
    assert table.loc["all found", "near"] > table.loc["all found", "expected"]
    assert table.loc["all found", "p_value"] < 0.05
    assert table.loc["all found", "runs"] == len(first)
    assert "nothing to compare" in table.loc["significant", "note"]
