"""Broken, cut, flipped and invented files: nothing but an OntogenyError may come out, and never without limit."""

import json

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ontogeny.errors import OntogenyError
from ontogeny.phase1 import Phase1, phase1_from_results, read_phase1, write_phase1

SMALL = {
    "a": {"step": [0, 5, 10], "stable_rank": [1.0, 2.0, 3.0], "loss": [1, 2, 3]},
    "b": {"step": [0, 5, 10], "stable_rank": [1.0, 2.0, 3.5], "loss": [1, 2, 3]},
}


def attempt(path, **settings):
    """Read; return the record, or the sentence that refused it."""
    try:
        record = read_phase1(path, **settings)
    except OntogenyError as error:
        told = str(error)
        if "\n" in told:
            raise AssertionError(f"more than one line: {told!r}") from error
        return told
    assert isinstance(record, Phase1)
    assert np.isfinite(record.frame["value"]).all()
    assert len(record.frame)
    for run in record.runs:
        record.metadata_of(run)
    return record


NAMES = st.sampled_from(
    ["step", "loss", "epoch", "layer_metrics", "measurements", "experiments", "metadata", "a", "stable_rank", "run"]
    + ["layer", "metric", "value", "format", "derived", "run_level", "effective_rank_90", "network.0.stable_rank", ""]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=5),
    max_leaves=30,
)
COLUMN = st.lists(st.integers(0, 5) | st.floats() | st.none() | st.text(max_size=2), max_size=4)
LIKELY = st.dictionaries(
    NAMES,
    st.dictionaries(NAMES, COLUMN, max_size=4)
    | st.lists(st.dictionaries(NAMES, LEAVES | st.dictionaries(NAMES, LEAVES, max_size=3), max_size=4), max_size=3)
    | COLUMN,
    max_size=4,
)


@settings(max_examples=150)
@given(data=TREES | LIKELY | st.lists(LIKELY, max_size=3))
def test_invented_json(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "invented.json"
    path.write_text(json.dumps(data))
    record = attempt(path)
    attempt(path, on_problem="stop")
    if isinstance(record, Phase1) and "metadata" not in record.layers:
        write_phase1(path, record)
        assert read_phase1(path).frame.equals(record.frame)


@settings(max_examples=60)
@given(text=st.text(alphabet='step,layr\n0123456789.-eE"\tvalue metric;nainf', max_size=60))
def test_invented_csv(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "invented.csv"
    path.write_text("step,layer,stable_rank\n" + text)
    attempt(path)
    path.write_text(text)
    attempt(path)


@pytest.mark.parametrize("suffix", [".json", ".csv", ".h5", ".parquet"])
def test_cut_and_flipped_files(tmp_path, suffix):
    import pandas as pd

    path = tmp_path / f"good{suffix}"
    write_phase1(
        path, phase1_from_results({k: pd.DataFrame(v) for k, v in SMALL.items()}, {"run": "r", "x": {"y": [1]}})
    )
    good = path.read_bytes()
    rng = np.random.default_rng(7)
    broken = tmp_path / f"broken{suffix}"
    broken.write_bytes(b"")
    assert isinstance(attempt(broken), str)
    for length in rng.integers(1, len(good), 6 if suffix == ".h5" else 60):
        broken.write_bytes(good[:length])
        attempt(broken)
    for _ in range(150):
        data = bytearray(good)
        for place in rng.integers(0, len(good), rng.integers(1, 8)):
            data[place] = rng.integers(0, 256)
        broken.write_bytes(bytes(data))
        attempt(broken)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 5000 + "1" + "}" * 5000,
        "1" * 5000,
        '{"a": 1e999}',
        "\ud83d".encode("utf-8", "replace").decode(),
    ]
    + [
        '{"a": {"step": [0], "\\ud800": [1]}, "metadata": {"x": "\\udfff"}}',
        '{"a": {"step": [' + "9" * 400 + '], "x": [1]}}',
    ]
    + ['{"a": {"step": [0], "x": [1]}, "metadata": ' + '{"a":' * 600 + "1" + "}" * 601],
    ids=["deep", "nested", "digits", "infinite", "symbol", "surrogates", "huge step", "deep metadata"],
)
def test_hostile_json(tmp_path, text):
    path = tmp_path / "hostile.json"
    path.write_text(text)
    record = attempt(path)
    if isinstance(record, Phase1):
        write_phase1(tmp_path / "again.json", record)


def test_a_small_file_that_claims_to_be_huge_is_refused(tmp_path):
    path = tmp_path / "bomb.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("a")
        for name in ("step", "stable_rank"):
            group.create_dataset(name, shape=(10**12,), chunks=(1024,), dtype="f8")
    assert path.stat().st_size < 100_000
    assert "too many" in attempt(path)
    with h5py.File(path, "w") as file:
        file.create_dataset("a/step", data=[0, 1])
        file["a/loop"] = file["a"]
    attempt(path)


def test_hdf5_that_the_library_never_ends_with_is_refused_in_time(tmp_path, monkeypatch):
    from ontogeny.phase1 import hdf5

    path = tmp_path / "others.h5"
    with h5py.File(path, "w") as file:
        file["a/step"], file["a/stable_rank"] = [0, 1], [1.0, 2.0]
    assert isinstance(attempt(path), Phase1)
    monkeypatch.setattr(hdf5, "HDF5_SECONDS", 0)
    assert "HDF5 cannot finish reading it" in attempt(path)


def test_text_that_would_unfold_in_memory_is_refused(tmp_path, monkeypatch):
    from ontogeny.phase1 import json_records, text_tables

    monkeypatch.setattr(json_records, "MOST_CONTAINERS", 1000)
    monkeypatch.setattr(text_tables, "MOST_VALUES", 1000)
    (tmp_path / "bomb.json").write_text("[" + "[]," * 2000 + "[]]")
    assert "lists and records" in attempt(tmp_path / "bomb.json")
    (tmp_path / "bomb.csv").write_text("step,a\n" + "1,2\n" * 2000)
    assert "cells" in attempt(tmp_path / "bomb.csv")


def test_many_layers_of_different_length_stay_small(tmp_path):
    path = tmp_path / "many.json"
    rows = [{"step": i, "layer_metrics": {f"layer{i}": {"stable_rank": 1.5}}} for i in range(2000)]
    path.write_text(json.dumps({"measurements": rows}))
    record = attempt(path)
    assert len(record.layers) == 2000
    assert len(record.notes) <= 201
