"""Every layout in which records come reads to the same table, and nothing else reads at all."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest

from ontogeny.errors import OntogenyError
from ontogeny.phase1 import (
    MODEL_LEVEL,
    RUN_LEVEL,
    find_records,
    phase1_from_frame,
    phase1_from_results,
    read_many,
    read_phase1,
    safe_name,
)

STEPS = list(range(0, 50, 5))
RNG = np.random.default_rng(5)
VALUES = {
    layer: {name: RNG.normal(5, 1, len(STEPS)).tolist() for name in ("stable_rank", "cumulative_90")}
    for layer in ("net.0", "net.2", "head")
}
LOSS = RNG.normal(1, 0.1, len(STEPS)).tolist()


def rows(alias="effective_rank_90", nested=True):
    measurements = []
    for i, step in enumerate(STEPS):
        layers = {
            layer: {alias if name == "cumulative_90" else name: values[i] for name, values in metrics.items()}
            for layer, metrics in VALUES.items()
        }
        measurements.append({"step": step, "loss": LOSS[i]} | ({"layer_metrics": layers} if nested else layers))
    return {"measurements": measurements, "arch_name": "mlp_deep_10", "dataset_name": "fashion_mnist"}


def columns():
    return {layer: {"step": STEPS, **metrics, "loss": LOSS} for layer, metrics in VALUES.items()}


def records():
    return {
        layer: [{"step": s, "loss": LOSS[i], **{n: v[i] for n, v in metrics.items()}} for i, s in enumerate(STEPS)]
        for layer, metrics in VALUES.items()
    }


def wide():
    return pd.concat([pd.DataFrame({"layer": layer, **cols}) for layer, cols in columns().items()])


def tidy():
    return read_frame(columns()).reset_index(drop=True)


def read_frame(results):
    return phase1_from_results({layer: pd.DataFrame(cols) for layer, cols in results.items()}).frame


@pytest.fixture
def save(tmp_path):
    def write(data, name="record.json"):
        path = tmp_path / name
        path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
        return path

    return write


def same(record, runs=1):
    expected = tidy().drop(columns="run")
    for run in record.runs:
        found = record.frame[record.frame["run"] == run].drop(columns="run").reset_index(drop=True)
        pd.testing.assert_frame_equal(found, expected)
    assert len(record.runs) == runs
    assert list(record.frame.columns) == ["run", "layer", "step", "metric", "value"]


@pytest.mark.parametrize(
    "data",
    [
        rows(),
        rows("cumulative_energy_90"),
        rows(nested=False),
        rows()["measurements"],
        columns(),
        {"measurements": columns()},
        {**columns(), "metadata": {"arch_name": "x"}, "final_accuracy": 0.5},
        records(),
        wide().to_dict(orient="records"),
        tidy().to_dict(orient="records"),
        {"step": STEPS, "loss": LOSS, **VALUES},
    ],
    ids=["rows", "alias", "layers_on_row", "bare_rows", "columns", "nested_columns", "columns_metadata", "records"]
    + ["wide_rows", "tidy_rows", "shared_steps"],
)
def test_json_layouts_read_the_same(save, data):
    same(read_phase1(save(data)))


@pytest.mark.parametrize(
    "data",
    [
        [rows(), rows()],
        {"experiments": [rows(), columns()]},
        {"experiments": {"a": rows(), "b": records()}},
        {"a": rows(), "b": rows()},
    ],
    ids=["list", "experiments", "named_experiments", "named"],
)
def test_several_runs(save, data):
    record = read_phase1(save(data))
    same(record, runs=2)
    assert len(set(record.runs)) == 2
    assert set(record.metadata) == {"runs"}


def test_a_failed_run_among_others_is_left_out(save):
    path = save([rows(), {"arch_name": "cnn", "dataset_name": "mnist", "error": "out of memory"}])
    record = read_phase1(path)
    same(record)
    assert [note.kind for note in record.notes] == ["dropped"]
    assert record.notes_table["run"].tolist() == ["cnn_mnist"]
    assert "'error'" in record.notes[0].text
    with pytest.raises(OntogenyError, match="left out"):
        read_phase1(path, on_problem="stop")
    with pytest.raises(OntogenyError, match=r"experiments\[0\] holds no Phase 1 record"):
        read_phase1(save({"experiments": [{"error": 1}, {"error": 2}]}))


def test_names_come_from_fields_then_from_the_file(save):
    record = read_phase1(save(rows(), "a_b_c.json"))
    assert record.runs == ["mlp_deep_10_fashion_mnist"]
    assert record.metadata == {"arch_name": "mlp_deep_10", "dataset_name": "fashion_mnist"}
    assert read_phase1(save(columns(), "plain.json")).runs == ["plain"]
    assert read_phase1(save(columns()), run="mine").runs == ["mine"]
    assert read_many([save(rows(), "x.json"), save(rows(), "y.json")]).runs == [
        "mlp_deep_10_fashion_mnist",
        "mlp_deep_10_fashion_mnist_2",
    ]


def test_bare_nan_and_empty_layers(save):
    data = records()
    data["net.0"][3]["stable_rank"] = float("nan")
    data["unused"] = []
    record = read_phase1(save(data))
    assert [s for s in STEPS if s not in record.series("net.0", "stable_rank")[0]] == [15]
    texts = [str(note) for note in record.notes]
    assert any("'net.0', metric 'stable_rank', step 15: 1 of 10 values is NaN" in text for text in texts)
    assert any("'unused': it holds no values" in text for text in texts)


def test_loss_only_is_accepted_and_told(save):
    data = {"measurements": [{"step": s, "loss": v, "grad_norm": 1.0} for s, v in zip(STEPS, LOSS)]}
    record = read_phase1(save(data))
    assert record.layers == []
    assert set(record.frame["layer"]) == {RUN_LEVEL}
    assert any(note.kind == "layers" for note in record.notes)


def test_flat_metrics(save):
    flat = [{"step": s, "loss": v, "stable_rank": v, "net.0.stable_rank": v} for s, v in zip(STEPS, LOSS)]
    record = read_phase1(save({"measurements": flat}))
    assert record.layers == [MODEL_LEVEL, "net.0"]
    np.testing.assert_array_equal(record.series(MODEL_LEVEL, "stable_rank")[1], LOSS)


def test_tables(tmp_path, save):
    wide().to_csv(tmp_path / "wide.csv", index=False)
    tidy().to_csv(tmp_path / "tidy.tsv", index=False, sep="\t")
    wide().to_csv(tmp_path / "semicolon.csv", index=False, sep=";")
    wide().reset_index(drop=True).to_parquet(tmp_path / "wide.parquet")
    for name in ("wide.csv", "tidy.tsv", "semicolon.csv", "wide.parquet"):
        same(read_phase1(tmp_path / name))
    pd.DataFrame({"step": STEPS, "loss": LOSS}).to_csv(tmp_path / "loss.csv", index=False)
    assert set(read_phase1(tmp_path / "loss.csv").frame["layer"]) == {RUN_LEVEL}


def test_foreign_hdf5(tmp_path):
    with h5py.File(tmp_path / "groups.h5", "w", track_order=True) as file:
        file.attrs["arch_name"] = "x"
        for layer, cols in columns().items():
            for name, values in cols.items():
                file[f"{layer}/{name}"] = values
    record = read_phase1(tmp_path / "groups.h5")
    assert record.metadata == {"arch_name": "x"}
    assert sorted(record.layers) == sorted(VALUES)
    np.testing.assert_array_equal(record.series("net.0", "stable_rank")[1], VALUES["net.0"]["stable_rank"])
    with h5py.File(tmp_path / "table.h5", "w") as file:
        for name, values in tidy().items():
            file[name] = values.to_numpy(dtype=object) if name in ("run", "layer", "metric") else values.to_numpy()
    same(read_phase1(tmp_path / "table.h5"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "known layouts"),
        ([], "empty list"),
        ([1, 2], "2 numbers without steps"),
        (3, "one int"),
        ({"a": 1, "b": [1, 2]}, "keys are 'a', 'b'"),
        ({"measurements": []}, "empty list of measurements"),
        ({"total": 4, "per_arch": {"mlp": 2}}, "'per_arch'"),
        ({"metadata": {"format": "ontogeny-phase1/7"}}, "ontogeny-phase1/7"),
        ({"a": {"step": [], "stable_rank": []}}, "no measurement"),
        ({"measurements": [{"step": "x", "loss": 1.0}]}, "no measurement"),
    ],
)
def test_what_is_no_record_is_told_in_a_sentence(save, data, words):
    with pytest.raises(OntogenyError, match="(?s)" + words) as told:
        read_phase1(save(data))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda d: d["net.0"]["stable_rank"].__setitem__(2, "3.5"),
            "layer 'net.0', metric 'stable_rank', step 10.*text",
        ),
        (lambda d: d["net.0"]["stable_rank"].__setitem__(2, float("inf")), "step 10.*Infinity"),
        (lambda d: d["net.0"]["stable_rank"].__setitem__(2, True), "step 10.*no number"),
        (lambda d: d["net.2"]["stable_rank"].__setitem__(2, 10**400), "step 10.*Infinity"),
        (lambda d: d["net.0"]["step"].__setitem__(3, 10), "layer 'net.0', step 10.*1 row repeats a step"),
        (lambda d: d["net.0"]["step"].__setitem__(3, 7), "layer 'net.0', step 7.*out of order"),
        (lambda d: d["net.0"]["step"].__setitem__(3, 7.5), "layer 'net.0'.*not whole"),
        (lambda d: d["net.0"]["step"].__setitem__(9, 10**17), "1 step is too large.*not told apart"),
        (lambda d: d["net.0"]["stable_rank"].pop(), "9 values stand against 10 steps"),
        (lambda d: [c.pop() for c in d["head"].values()], "layer 'head', step 45.*9 of the 10 steps"),
    ],
)
def test_problems_are_told_exactly_and_stop_on_request(save, change, words):
    data = json.loads(json.dumps(columns()))
    change(data)
    path = save(data)
    record = read_phase1(path)
    assert any(__import__("re").search(words, str(note)) for note in record.notes), record.notes
    assert np.isfinite(record.frame["value"]).all()
    with pytest.raises(OntogenyError, match=words):
        read_phase1(path, on_problem="stop")


def test_steps_that_are_too_large_to_be_told_apart_end_the_reading(save):
    data = columns()
    data["net.0"]["step"] = [step * 10**17 for step in data["net.0"]["step"]]
    with pytest.raises(OntogenyError, match=r"9 steps are too large.*give the number of each update"):
        read_phase1(save(data))


def test_disagreeing_loss_stays_with_the_layers(save):
    data = columns()
    data["head"]["loss"] = [v + 1 for v in LOSS]
    record = read_phase1(save(data))
    assert RUN_LEVEL not in set(record.frame["layer"])
    assert any("differs between layers" in note.text for note in record.notes)


def test_null_is_a_gap_not_a_problem(save):
    data = columns()
    data["net.0"]["stable_rank"] = [None, *VALUES["net.0"]["stable_rank"][1:]]
    data["net.0"]["grad_norm"] = [None] * len(STEPS)
    record = read_phase1(save(data), on_problem="stop")
    assert len(record.series("net.0", "stable_rank")[0]) == 9
    assert [note.step for note in record.notes] == [0]


def test_frames_are_put_in_order():
    shuffled = tidy().sample(frac=1, random_state=3)
    record = phase1_from_frame(shuffled)
    assert len(record.frame) == len(shuffled)
    np.testing.assert_array_equal(record.series("net.0", "stable_rank")[0], STEPS)


def test_unknown_names_are_answered_with_the_nearest(save):
    record = read_phase1(save(columns()))
    with pytest.raises(OntogenyError, match=r"did you mean 'net\.0'"):
        record.series("net.00", "stable_rank")
    with pytest.raises(OntogenyError, match="did you mean 'stable_rank'"):
        record.series("net.0", "stable_rnk")
    assert list(record.wide("head").columns) == ["step", "stable_rank", "cumulative_90"]
    with pytest.raises(OntogenyError, match="suffix"):
        read_phase1("x.doc")
    with pytest.raises(OntogenyError, match="'drop' or 'stop'"):
        read_phase1("x.json", on_problem="ignore")


def test_find_records(save, tmp_path):
    for name in ("b.json", "a.json", ".b.part.json", "notes.txt"):
        save(columns(), name)
    assert [p.name for p in find_records(tmp_path)] == ["a.json", "b.json"]
    assert [p.name for p in find_records([str(tmp_path / "b*.json"), tmp_path])] == ["b.json", "a.json"]
    with pytest.raises(OntogenyError, match="finds no Phase 1 record"):
        find_records(str(tmp_path / "none*.json"))


@pytest.mark.parametrize("name", ["../../etc", "<script>", "a b", "", ".hidden", "{run}", "x" * 300, "café", "a/b"])
def test_safe_names(name):
    safe = safe_name(name)
    assert safe == safe_name(name)
    assert safe != name
    assert not set(safe) & set("/\\<>{}* \"'&")
    assert ".." not in safe
    assert not safe.startswith(".")
    assert safe_name("mlp_deep_10-fashion.v2") == "mlp_deep_10-fashion.v2"
    assert safe_name("a/b") != safe_name("a b")


@pytest.mark.parametrize(
    ("data", "entry"),
    [
        (
            {"measurements": [{"step": s, "loss": 1.0, "layer_metrics": [{"stable_rank": 2.0}]} for s in (0, 1)]},
            "layer_m",
        ),
        (
            {"measurements": [{"step": s, "loss": 1.0, "metrics": {"a": {"stable_rank": [2.0]}}} for s in (0, 1)]},
            "metrics",
        ),
        ({"step": [0, 1], "loss": [1.0, 1.0], "layers": {"a": {"stable_rank": [2.0, 3.0]}}}, "layers"),
        ({"a": {"step": [0, 1], "loss": [1.0, 1.0], "dims": {"stable_rank": [2.0, 3.0]}}}, "dims"),
        ({"a": [{"step": s, "loss": 1.0, "dims": {"stable_rank": 2.0}} for s in (0, 1)]}, "dims"),
    ],
)
def test_a_dimensionality_in_an_unknown_form_is_told(tmp_path, data, entry):
    path = tmp_path / "record.json"
    path.write_text(json.dumps(data))
    assert any(note.kind == "dropped" and entry in note.text for note in read_phase1(path).notes)
    with pytest.raises(OntogenyError, match="left out"):
        read_phase1(path, on_problem="stop")


def test_summaries_in_the_metadata_are_no_lost_series(tmp_path):
    path = tmp_path / "record.json"
    path.write_text(json.dumps({**columns(), "final": {"stable_rank": 2.0}, "jumps": [{"metric": "stable_rank"}]}))
    assert read_phase1(path).notes == []


def test_a_name_given_twice_is_refused(tmp_path):
    path = tmp_path / "record.json"
    path.write_text('{"a": {"step": [0], "stable_rank": [2.0]}, "a": {"step": [0], "stable_rank": [3.0]}}')
    with pytest.raises(OntogenyError, match="'a' twice"):
        read_phase1(path)


def test_wide_columns_that_name_their_layer(tmp_path):
    path = tmp_path / "record.csv"
    path.write_text("step, net.0/stable_rank, net.0/effective_rank_90, loss\n0,1.5,3,1\n1,1.7,3,1\n")
    record = read_phase1(path)
    assert record.layers == ["net.0"]
    assert record.metrics == ["stable_rank", "cumulative_90"]
    path.write_text("step,layer,stable_rank,stable_rank\n0,a,1.5,2\n")
    with pytest.raises(OntogenyError, match="several columns of the name 'stable_rank'"):
        read_phase1(path)


def test_row_numbers_are_no_metric(tmp_path):
    path = tmp_path / "record.csv"
    wide().reset_index(drop=True).to_csv(path)
    assert read_phase1(path).metrics == ["stable_rank", "cumulative_90"]


def test_series_of_hdf5_that_are_not_read_are_told(tmp_path):
    path = tmp_path / "record.h5"
    with h5py.File(path, "w") as file:
        file["step"], file["loss"] = STEPS, LOSS
        file["net.0/stable_rank"] = LOSS
    assert any("net.0/stable_rank" in note.text for note in read_phase1(path).notes)
    with h5py.File(path, "w") as file:
        for layer in ("a", "b"):
            file[layer] = np.zeros(3, [("step", "i8"), ("stable_rank", "f8")])
    with pytest.raises(OntogenyError, match="2 tables"):
        read_phase1(path)
