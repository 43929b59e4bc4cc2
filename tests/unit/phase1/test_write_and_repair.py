"""What is written reads back equal, and the known artifact is found and rebuilt where, and only where, it is one."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ontogeny.errors import OntogenyError
from ontogeny.phase1 import (
    RUN_LEVEL,
    find_records,
    phase1_from_frame,
    phase1_from_results,
    phase1_json,
    read_many,
    read_phase1,
    write_phase1,
)

RESOURCES = Path(__file__).parents[3] / "resources" / "phase1"
SUFFIXES = (".json", ".csv", ".tsv", ".h5", ".parquet")


@pytest.fixture(scope="module")
def published():
    return read_many(find_records(RESOURCES))


def test_published_records(published):
    assert len(published.runs) == 6
    assert {"cnn_shallow_mnist", "transformer_shallow_fashion_mnist"} <= set(published.runs)
    assert published.layers_of("cnn_shallow_mnist") == ["conv_layers.0", "conv_layers.3", "fc"]
    assert published.metrics == ["stable_rank", "participation_ratio", "cumulative_90", "nuclear_norm_ratio"]
    assert len(published.derived) == 31
    rebuilt = published.frame.query("metric == 'stable_rank'")["value"]
    assert rebuilt.between(1 - 1e-6, 1000).all()
    assert 1.1 < rebuilt.median() < 2
    assert published.metadata["runs"]["cnn_shallow_mnist"]["arch_name"] == "cnn_shallow"
    assert {note.kind for note in published.notes} == {"flagged", "derived"}
    assert len(published.notes) == 12


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("several", [False, True])
def test_round_trip_of_published_records(published, tmp_path, suffix, several):
    record = published.select(published.runs[: 2 if several else 1])
    path = tmp_path / f"record{suffix}"
    write_phase1(path, record)
    first = path.read_bytes()
    back = read_phase1(path)
    pd.testing.assert_frame_equal(back.frame, record.frame)
    assert back.derived == record.derived
    if suffix not in (".csv", ".tsv"):
        assert back.metadata == record.metadata
    write_phase1(path, back)
    if suffix not in (".h5",):
        assert path.read_bytes() == first


NAMES = st.text(min_size=1, max_size=12).filter(
    lambda s: s not in ("metadata", RUN_LEVEL) and s == s.encode("utf-8", "replace").decode() and s.strip() == s
)
CSV_NAMES = NAMES.filter(lambda s: s.isprintable())
METRICS = st.sampled_from(["stable_rank", "nuclear_norm_ratio", "loss", "grad_norm", "val_loss", "my metric", "a/b"])
VALUES = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def frames(draw, names=NAMES):
    rows = []
    for layer in draw(st.lists(names | st.just(RUN_LEVEL), min_size=1, max_size=4, unique=True)):
        for metric in draw(st.lists(METRICS, min_size=1, max_size=3, unique=True)):
            for step in draw(st.lists(st.integers(-5, 10**12), min_size=1, max_size=5, unique=True)):
                rows.append((draw(st.just("r")), layer, step, metric, draw(VALUES)))
    return pd.DataFrame(rows, columns=["run", "layer", "step", "metric", "value"])


@pytest.mark.parametrize("suffix", SUFFIXES)
@settings(max_examples=40)
@given(data=st.data())
def test_round_trip_of_anything(tmp_path_factory, suffix, data):
    frame = data.draw(frames(CSV_NAMES if suffix in (".csv", ".tsv") else NAMES))
    record = phase1_from_frame(frame)
    assert len(record.frame) == len(frame)
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    write_phase1(path, record, {"note": "é <b>", "n": 1, "list": [1.5, None]})
    back = read_phase1(path)
    pd.testing.assert_frame_equal(back.frame, record.frame)
    if suffix not in (".csv", ".tsv"):
        assert back.metadata == {"note": "é <b>", "n": 1, "list": [1.5, None]}


def results():
    rng = np.random.default_rng(0)
    steps = np.arange(0, 20, 5)
    loss = np.array([1.0, 0.5, np.nan, 0.2])
    layer = {"step": steps, "stable_rank": rng.normal(size=4), "loss": loss, "grad_norm": [None] * 4}
    return {"Linear_0": pd.DataFrame(layer), "Linear_1": pd.DataFrame(layer), "idle": pd.DataFrame()}


def test_a_trackers_results_are_written_as_the_simplest_reader_wants_them(tmp_path):
    import json

    record = phase1_from_results(results(), {"run": "digits/s0", "layers": {"Linear_0": "net.0"}})
    assert record.runs == ["digits/s0"]
    assert record.layers == ["Linear_0", "Linear_1"]
    assert any("loss" in str(note) and "step 10" in str(note) for note in record.notes)
    path = tmp_path / "phase1.json"
    write_phase1(path, record)
    data = json.loads(path.read_text())
    assert list(data) == ["Linear_0", "Linear_1", "metadata"]
    assert data["Linear_0"]["step"] == [0, 5, 10, 15]
    assert data["Linear_0"]["loss"] == [1.0, 0.5, None, 0.2]
    assert data["metadata"].pop("checksum").startswith("ontogeny-sha256:")
    assert data["metadata"] == {"format": "ontogeny-phase1/1", "run": "digits/s0", "layers": {"Linear_0": "net.0"}}
    assert path.read_text() == phase1_json(phase1_from_results(results(), record.metadata | {"run": "digits/s0"}))
    back = read_phase1(path)
    pd.testing.assert_frame_equal(back.frame, record.frame)
    assert back.series("net.0", "stable_rank")[1].tolist() == record.series("Linear_0", "stable_rank")[1].tolist()
    pd.testing.assert_frame_equal(back.wide("net.0"), record.wide("Linear_0"))
    with pytest.raises(OntogenyError, match=r"unknown layer 'net\.1' in run"):
        back.series("net.1", "stable_rank")


def test_run_level_measurements_at_other_steps_are_kept(tmp_path):
    rows = [("r", "a", s, "stable_rank", 1.0 + s) for s in (0, 10)] + [("r", RUN_LEVEL, s, "loss", s) for s in (0, 5)]
    rows += [
        ("r", RUN_LEVEL, 7, "val_loss", 0.1),
        ("r", "a", 10, "grad_norm", 3.0),
        ("r", RUN_LEVEL, 10, "grad_norm", 9.0),
    ]
    record = phase1_from_frame(pd.DataFrame(rows, columns=["run", "layer", "step", "metric", "value"]))
    write_phase1(tmp_path / "x.json", record)
    pd.testing.assert_frame_equal(read_phase1(tmp_path / "x.json").frame, record.frame)


def test_a_layer_called_metadata_is_refused_in_json(tmp_path):
    frame = pd.DataFrame(
        [("r", "metadata", 0, "stable_rank", 1.0)], columns=["run", "layer", "step", "metric", "value"]
    )
    with pytest.raises(OntogenyError, match="metadata"):
        write_phase1(tmp_path / "x.json", frame)


def artifact(**changes):
    rng = np.random.default_rng(1)
    singular = np.abs(rng.normal(size=(30, 8))) * np.linspace(3, 0.1, 8)
    columns = {
        "step": np.arange(30),
        "stable_rank": 1 - 1e-10 * rng.random(30),
        "nuclear_norm_ratio": singular.sum(1) / singular.max(1),
        "participation_ratio": singular.sum(1) ** 2 / (singular**2).sum(1),
    }
    truth = (singular**2).sum(1) / singular.max(1) ** 2
    columns |= changes
    return {"a": pd.DataFrame({k: v for k, v in columns.items() if v is not None})}, truth


def read_artifact(tmp_path, repair=True, **changes):
    tables, truth = artifact(**changes)
    write_phase1(tmp_path / "a.json", phase1_from_results(tables))
    return read_phase1(tmp_path / "a.json", repair=repair), truth


def test_the_artifact_is_rebuilt_exactly(tmp_path):
    record, truth = read_artifact(tmp_path)
    np.testing.assert_allclose(record.series("a", "stable_rank")[1], truth, rtol=1e-12)
    assert record.derived == {("run", "a", "stable_rank")}
    assert [note.kind for note in record.notes] == ["flagged", "derived"]
    write_phase1(tmp_path / "b.h5", record)
    again = read_phase1(tmp_path / "b.h5")
    assert again.derived == record.derived
    np.testing.assert_allclose(again.series("a", "stable_rank")[1], truth, rtol=1e-12)
    assert any(note.kind == "derived" for note in again.notes)


def test_what_cannot_or_need_not_be_rebuilt_is_left(tmp_path):
    record, _ = read_artifact(tmp_path, repair=False)
    assert not record.derived
    assert [note.kind for note in record.notes] == ["flagged"]
    record, _ = read_artifact(tmp_path, participation_ratio=None)
    assert not record.derived
    assert "cannot be rebuilt" in record.notes[0].text
    record, _ = read_artifact(tmp_path, participation_ratio=np.full(30, 1.1))
    assert not record.derived
    assert "not that of the singular values" in record.notes[0].text
    record, _ = read_artifact(tmp_path, participation_ratio=np.ones(30), nuclear_norm_ratio=np.ones(30))
    assert not record.derived
    assert record.notes == []
    record, _ = read_artifact(tmp_path, stable_rank=np.linspace(1, 1.001, 30))
    assert not record.derived
    assert record.notes == []


def test_no_torch():
    import subprocess

    code = "import sys, ontogeny.phase1; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
