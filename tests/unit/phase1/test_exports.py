"""Tables as people export them: comments, separators, encodings, names and fractions of steps."""

import bz2
import json

import pandas as pd
import pytest

from ontogeny.errors import OntogenyError
from ontogeny.phase1 import find_records, read_many, read_phase1


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("# run of Tuesday\n# seed 3\nstep,loss\n1,0.5\n2,0.25\n", "utf-8"),
        ("# step loss\n1.000000000000000000e+00 5.0e-01\n2.000000000000000000e+00 2.5e-01\n", "utf-8"),
        ("step loss\n1 0.5\n2 0.25\n", "utf-8"),
        ("  step     loss\n     1    0.5\n     2   0.25\n", "utf-8"),
        ("step,loss\n1,0.5\n2,0.25\n", "utf-16"),
        ("step;loss\r\n1;0,5\r\n2;0,25\r\n", "utf-16-le"),
        ("step;loss\n1;0,5\n2;0,25\n", "utf-8"),
        ("batch,loss\n1,0.5\n2,0.25\n", "utf-8"),
        ("it,loss\n1,0.5\n2,0.25\n", "utf-8"),
        ("step,loss\n1,0.5\n# resumed\n2,0.25\n", "utf-8"),
    ],
)
def test_a_table_as_people_export_it(tmp_path, text, encoding):
    path = tmp_path / "log.csv"
    path.write_bytes((b"\xff\xfe" if encoding == "utf-16-le" else b"") + text.encode(encoding))
    steps, loss = read_phase1(path).series("(run)", "loss")
    assert (steps.tolist(), loss.tolist()) == ([1, 2], [0.5, 0.25])


@pytest.mark.parametrize(
    ("epochs", "parts"), [([0.5, 1.0, 1.5, 2.0], 2), ([0.33, 0.67, 1.0, 1.33], 3), ([0.02, 0.04, 0.06, 0.08], 50)]
)
def test_fractional_epochs_are_counted_in_parts(tmp_path, epochs, parts):
    (tmp_path / "log.csv").write_text("epoch,loss\n" + "".join(f"{epoch},{1 / (1 + epoch)}\n" for epoch in epochs))
    record = read_phase1(tmp_path / "log.csv")
    assert record.series("(run)", "loss")[0].tolist() == [1, 2, 3, 4]
    assert any(f"counted in 1/{parts}" in note.text for note in record.notes)


def test_batches_that_begin_anew_are_counted_through_the_epochs(tmp_path):
    rows = [(epoch, batch, 1 / (1 + 3 * epoch + batch)) for epoch in range(3) for batch in range(3)]
    text = "epoch,batch,loss\n" + "".join(f"{epoch},{batch},{loss}\n" for epoch, batch, loss in rows)
    (tmp_path / "log.csv").write_text(text)
    record = read_phase1(tmp_path / "log.csv")
    assert record.series("(run)", "loss")[0].tolist() == list(range(9))
    assert any("through epochs of 3" in note.text for note in record.notes)


TABLE = pd.DataFrame({"step": [10, 20], "acc": [0.5, 0.75], "loss": [2.0, 1.0]})
ROWS = TABLE.to_dict("records")
BY_VALUE = [(step, name, value) for name in ("acc", "loss") for step, value in zip(TABLE["step"], TABLE[name])]
LINES = "".join(f"{step},{name},{value}\n" for step, name, value in BY_VALUE)
FILES = {
    "tbparse.csv": f"step,tag,value\n{LINES}",
    "melt.csv": f"Step,variable,value\n{LINES}",
    "metric_name.csv": f"step,metric_name,metric_value\n{LINES}",
    "history.json": json.dumps(
        {"metrics": [{"key": k, "value": v, "timestamp": 17, "step": s} for s, k, v in BY_VALUE]}
    ),
    "chart.csv": '"train/global_step","a - acc","a - acc__MIN","a - _step","a - loss"\n"10","0.5","0.5","3","2"\n'
    '"20","0.75","0.75","4","1"\n',
    "relative.csv": '"Relative Time (Process)","a - _step","a - acc","a - loss"\n"1.5","10","0.5","2"\n'
    '"2.5","20","0.75","1"\n',
    "fairseq.jsonl": '{"num_updates": "10", "acc": "0.5", "loss": "2"}\n'
    '{"num_updates": "20", "acc": "0.75", "loss": "1"}\n',
    "sacred.json": json.dumps(
        {name: {"steps": [10, 20], "values": list(TABLE[name]), "timestamps": ["a", "b"]} for name in ("acc", "loss")}
    ),
    "pairs.json": json.dumps({name: [[s, v] for s, k, v in BY_VALUE if k == name] for name in ("acc", "loss")}),
    "rows.json": json.dumps(
        {name: [{"step": s, "value": v} for s, k, v in BY_VALUE if k == name] for name in ("acc", "loss")}
    ),
    "steps.json": json.dumps({str(row["step"]): {"acc": row["acc"], "loss": row["loss"]} for row in ROWS}),
    "keras.json": json.dumps({"epoch": [10, 20], "history": {"acc": [0.5, 0.75], "loss": [2.0, 1.0]}, "params": {}}),
    **{f"{orient}.json": TABLE.to_json(orient=orient) for orient in ("columns", "index", "split", "table", "records")},
    "excel.csv": "sep=;\nGlobal Step;acc;loss\n10;0,5;2\n20;0,75;1\n",
    "trailing.csv": "step,acc,loss\n10,0.5,2,\n20,0.75,1,\n",
    "pipe.csv": "optimizer-step|acc|loss\n10|0.5|2\n20|0.75|1\n",
    "printed.csv": "n_iter,acc,loss\n10,tensor(0.5),\"tensor(2., device='cuda:0')\"\n20,tensor(0.75),1\n",
    "packed.csv.bz2": bz2.compress(b"step,acc,loss\n10,0.5,2\n20,0.75,1\n"),
    "marked.json": "\ufeff" + json.dumps({"step": [10, 20], "acc": [0.5, 0.75], "loss": [2.0, 1.0]}),
    "lines.ndjson": "".join(json.dumps(row) + "\n" for row in ROWS),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_other_layouts_are_read_as_what_they_hold(name, tmp_path):
    content = FILES[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    record = read_phase1(tmp_path / name)
    assert (sorted(record.frame["metric"].unique()), record.layers) == (["acc", "loss"], [])
    for metric in ("acc", "loss"):
        steps, values = record.series("(run)", metric)
        assert (steps.tolist(), values.tolist()) == ([10, 20], list(TABLE[metric]))


@pytest.mark.parametrize("name", ["run_id", "run_name", "model", "Experiment"])
def test_rows_of_several_runs_are_told_apart(name, tmp_path):
    (tmp_path / "log.csv").write_text(f"{name},step,acc\na,0,0.5\na,1,0.75\nb,0,0.25\nb,1,1\n")
    record = read_phase1(tmp_path / "log.csv")
    assert record.runs == ["a", "b"]
    assert record.frame["value"].tolist() == [0.5, 0.75, 0.25, 1.0]


@pytest.mark.parametrize(
    "record",
    [
        {"steps": [0, 1], "train": {"acc": [0.5, 1.0]}, "val": {"acc": [0.25, 0.75]}},
        {"train": {"step": [0, 1], "acc": [0.5, 1.0]}, "val": {"step": [0, 1], "acc": [0.25, 0.75]}},
    ],
)
def test_columns_of_parts_of_the_data_are_no_layers(record, tmp_path):
    (tmp_path / "log.json").write_text(json.dumps(record))
    found = read_phase1(tmp_path / "log.json")
    assert found.layers == []
    assert found.series("(run)", "val/acc")[1].tolist() == [0.25, 0.75]
    assert found.series("(run)", "train/acc")[1].tolist() == [0.5, 1.0]


@pytest.mark.parametrize("record", [{"train": {"step": [[0], [1]], "acc": [1, 2]}}, {"a": {"x": [[0]], "y": [1]}}])
def test_steps_that_are_lists_are_told(record, tmp_path):
    (tmp_path / "log.json").write_text(json.dumps(record))
    with pytest.raises(OntogenyError, match=r"log\.json"):
        read_phase1(tmp_path / "log.json")


@pytest.mark.parametrize("lines", [False, True])
def test_rows_of_parts_of_the_data_are_told_apart(lines, tmp_path):
    rows = [(0, "train", 0.5), (0, "val", 0.25), (1, "train", 1.0), (1, "val", 0.75)]
    text = "step,split,acc\n" + "".join(f"{step},{part},{acc}\n" for step, part, acc in rows)
    if lines:
        text = "".join(json.dumps({"step": step, "split": part, "acc": acc}) + "\n" for step, part, acc in rows)
    path = tmp_path / ("log.jsonl" if lines else "log.csv")
    path.write_text(text)
    record = read_phase1(path)
    assert record.series("(run)", "val/acc")[1].tolist() == [0.25, 0.75]
    assert record.series("(run)", "train/acc")[1].tolist() == [0.5, 1.0]


ROWS = [{"step": 10 * i, "loss": 4 / (i + 1), "acc": i / 10} for i in range(8)]
AT = [row["step"] for row in ROWS]
LOSS, ACC = [row["loss"] for row in ROWS], [row["acc"] for row in ROWS]
BOTH = {("(run)", "loss"): LOSS, ("(run)", "acc"): ACC}
BY_PART = {("(run)", "train/loss"): LOSS, ("(run)", "val/loss"): ACC}
BY_LAYER = {("a", "stable_rank"): LOSS, ("b", "stable_rank"): ACC}
STEPWISE = list(zip(AT, LOSS, ACC))
OF_PARTS = (("train", LOSS), ("val", ACC))
OBJECTS = {
    "one after another": ("".join(json.dumps(row, indent=1) for row in ROWS), BOTH),
    "commas between": (",\n".join(map(json.dumps, ROWS)) + ",\n", BOTH),
    "the last breaks off": ("\n".join(json.dumps(row, indent=1) for row in [*ROWS, {"step": 80}])[:-5], BOTH),
    "layers by step": ({t: {"a": {"stable_rank": x}, "b": {"stable_rank": y}} for t, x, y in STEPWISE}, BY_LAYER),
    "named steps": ({f"step_{t}": {"train": {"loss": x}, "val": {"loss": y}} for t, x, y in STEPWISE}, BY_PART),
    "steps by metric": ({"loss": dict(zip(AT, LOSS)), "acc": dict(zip(AT, ACC))}, BOTH),
    "steps by layer by metric": ({"stable_rank": {"a": dict(zip(AT, LOSS)), "b": dict(zip(AT, ACC))}}, BY_LAYER),
    "rows by part": (
        {"results": {part: [{"step": t, "loss": x} for t, x in zip(AT, of)] for part, of in OF_PARTS}},
        BY_PART,
    ),
    "Aim": (
        {
            "metrics": [
                {"name": "loss", "context": {"subset": part}, "iters": AT, "values": of} for part, of in OF_PARTS
            ]
        },
        BY_PART,
    ),
    "settings first": ("\n".join(map(json.dumps, [{"config": {"lr": 0.1}}, *ROWS])), BOTH),
}


@pytest.mark.parametrize("form", OBJECTS)
def test_objects_by_step_metric_layer_and_part_are_read_as_what_they_hold(tmp_path, form):
    data, expected = OBJECTS[form]
    (tmp_path / "log.json").write_text(data if isinstance(data, str) else json.dumps(data))
    record = read_phase1(tmp_path / "log.json")
    found = {(layer, metric): (s.tolist(), v.tolist()) for _, layer, metric, s, v in record.each_series()}
    assert found == {key: (AT, values) for key, values in expected.items()}
    said = " ".join(note.text for note in record.notes)
    assert ("breaks off and is left out" in said) == (form == "the last breaks off")
    assert ("left out, as they have no step: 1 row" in said) == (form == "settings first")


def test_lists_by_layer_without_steps_stand_at_epochs_and_settings_beside_them_are_none(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"layer1": {"stable_rank": LOSS}, "layer2": {"stable_rank": ACC}}))
    assert read_phase1(tmp_path / "a.json").series("layer2", "stable_rank")[1].tolist() == ACC
    (tmp_path / "b.json").write_text(json.dumps({"train_losses": LOSS, "val_losses": ACC, "config": {"lr": 0.1}}))
    record = read_phase1(tmp_path / "b.json")
    assert record.series("(run)", "val_losses")[0].tolist() == list(range(8))
    (tmp_path / "c.csv").write_text(
        "step,layer1_stable_rank,loss\n" + "".join(f"{t},{x},1\n" for t, x in zip(AT, LOSS))
    )
    assert read_phase1(tmp_path / "c.csv").series("layer1", "stable_rank")[1].tolist() == LOSS


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("losses.json", LOSS, "8 numbers without steps and a name"),
        ("pairs.json", [[1.5, 2.0]], "rows of numbers without names"),
        ("summary.json", {"_step": 100, "loss": 0.1, "val": {"acc": 0.5}}, "one value for each"),
        ("uneven.json", {"train_loss": LOSS, "val_loss": ACC[:3]}, r"different lengths \(3 and 8\)"),
        ("history.pkl", "", "pickles run code"),
        ("model.pt", "", "weights of a model"),
        ("losses.npy", "", "numpy.savez"),
        ("book.xlsx", "", "export the sheet as CSV"),
        ("data.nc", "", "HDF5 or CSV"),
    ],
)
def test_what_is_no_record_is_refused_with_what_would_be_one(tmp_path, name, content, sentence):
    (tmp_path / name).write_text(json.dumps(content))
    with pytest.raises(OntogenyError, match=sentence):
        read_phase1(tmp_path / name)


def test_folders_of_loggers_are_their_runs(tmp_path):
    for number in (1, 2):
        sacred, lightning = tmp_path / "sacred" / str(number), tmp_path / "lightning_logs" / f"version_{number}"
        for folder in (sacred, lightning):
            folder.mkdir(parents=True)
        (sacred / "run.json").write_text("{}")
        (sacred / "metrics.json").write_text(json.dumps({"loss": {"steps": AT, "values": LOSS, "timestamps": AT}}))
        (lightning / "metrics.csv").write_text("epoch,step,acc\n" + "".join(f"0,{t},{x}\n" for t, x in zip(AT, ACC)))
    metrics = tmp_path / "live" / "plots" / "metrics"
    (metrics / "train").mkdir(parents=True)
    (metrics / "train" / "loss.tsv").write_text("step\tloss\n" + "".join(f"{t}\t{x}\n" for t, x in zip(AT, LOSS)))
    (tmp_path / "live" / "metrics.json").write_text('{"step": 70}')
    found = {name: read_many(find_records(tmp_path / name)) for name in ("sacred", "lightning_logs", "live")}
    assert {name: record.runs for name, record in found.items()} == {
        "sacred": ["1", "2"], "lightning_logs": ["version_1", "version_2"], "live": ["live"]
    }  # fmt: skip
    assert found["live"].series("(run)", "train/loss")[1].tolist() == LOSS
    (metrics / "odd.tsv").write_text("a\tb\n1\t2\n")
    with pytest.raises(OntogenyError, match="not a metric of DVCLive"):
        read_phase1(tmp_path / "live")
