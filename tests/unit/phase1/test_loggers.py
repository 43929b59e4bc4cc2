"""Files of other people's loggers are read as what they are."""

import gzip
import json
import sqlite3
import sys
from contextlib import closing

import numpy as np
import pandas as pd
import pytest

from ontogeny.errors import OntogenyError
from ontogeny.phase1 import find_records, read_many, read_phase1
from ontogeny.phase1.loggers import each_step_once, mlflow_database_table

STEPS = np.arange(0, 50, 5)
RANK = np.linspace(5, 2, 10)
LOSS = np.linspace(2, 1, 10)


def check(path, layer="Linear_0", loss="loss"):
    record = read_phase1(path)
    steps, values = record.series(layer, "stable_rank")
    np.testing.assert_array_equal(steps, STEPS)
    np.testing.assert_allclose(values, RANK)
    if loss:
        np.testing.assert_allclose(record.series("(run)", loss)[1], LOSS)
    assert not {"_runtime", "_timestamp", "Wall time"} & set(record.frame["metric"])
    return record


def test_weights_and_biases_history(tmp_path):
    table = pd.DataFrame(
        {
            "_step": STEPS,
            "_runtime": STEPS * 0.1,
            "_timestamp": 1.7e9 + STEPS,
            "loss": LOSS,
            "stable_rank/Linear_0": RANK,
        }
    )
    table.to_csv(tmp_path / "history.csv", index=False)
    check(tmp_path / "history.csv")
    table.to_csv(tmp_path / "history.csv.gz", index=False)
    check(tmp_path / "history.csv.gz")
    table.to_feather(tmp_path / "history.feather")
    check(tmp_path / "history.feather")
    with open(tmp_path / "history.jsonl", "w") as stream:
        stream.writelines(json.dumps(row) + "\n" for row in table.to_dict(orient="records"))
    check(tmp_path / "history.jsonl")


def test_weights_and_biases_export_of_the_page(tmp_path):
    name = "glad-sun-3 - loss"
    pd.DataFrame({"Step": STEPS, name: LOSS, f"{name}__MIN": LOSS, f"{name}__MAX": LOSS}).to_csv(
        tmp_path / "wandb.csv", index=False
    )
    record = read_phase1(tmp_path / "wandb.csv")
    assert record.runs == ["glad-sun-3"]
    np.testing.assert_allclose(record.series("(run)", "loss")[1], LOSS)


def test_tensorboard_exports(tmp_path):
    pd.DataFrame({"Wall time": 1.7e9 + STEPS, "Step": STEPS, "Value": LOSS}).to_csv(
        tmp_path / "run-a-tag-loss.csv", index=False
    )
    np.testing.assert_allclose(read_phase1(tmp_path / "run-a-tag-loss.csv").series("(run)", "loss")[1], LOSS)
    rows = [[1.7e9, int(step), float(value)] for step, value in zip(STEPS, LOSS)]
    (tmp_path / "run-a-tag-loss.json").write_text(json.dumps(rows))
    (tmp_path / "run-a-tag-loss.json.gz").write_bytes(gzip.compress(json.dumps(rows).encode()))
    for name in ("run-a-tag-loss.json", "run-a-tag-loss.json.gz"):
        np.testing.assert_allclose(read_phase1(tmp_path / name).series("(run)", "loss")[1], LOSS)


@pytest.mark.parametrize(("run", "name"), [("a", "a"), (".", "here")])
def test_the_series_that_tensorboard_exports_of_one_run_are_one(tmp_path, run, name):
    folder = tmp_path / "here"
    folder.mkdir()
    for tag, values in (("val_acc", RANK), ("loss", LOSS)):
        table = pd.DataFrame({"Wall time": 1.7e9 + STEPS, "Step": STEPS, "Value": values})
        table.to_csv(folder / f"run-{run}-tag-{tag}.csv", index=False)
        table.to_csv(folder / f"run-b-tag-{tag}.csv", index=False)
    record = read_many(find_records(folder))
    assert sorted(record.runs) == sorted([name, "b"])
    for metric, values in (("val_acc", RANK), ("loss", LOSS)):
        np.testing.assert_allclose(record.series("(run)", metric, name)[1], values)
    (folder / "run-b-tag-loss.json").write_text(json.dumps([[1.7e9, 0, 2.0], [1.7e9, 5, 1.9]]))
    assert len(read_many(find_records(folder)).runs) == 4, "a series that is there twice has no run of its own"


def test_tensorboard_events(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(tmp_path) as writer:
        for step, rank, loss in zip(STEPS, RANK, LOSS):
            writer.add_scalar("stable_rank/Linear_0", rank, step)
            writer.add_scalar("loss", loss, step)
    (path,) = tmp_path.glob("events*")
    values = read_phase1(path).series("Linear_0", "stable_rank")[1]
    np.testing.assert_allclose(values, RANK, rtol=1e-6)


def test_event_files_of_one_folder_are_one_resumed_run_of_its_name(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    for number, (start, stop) in enumerate(((0, 30), (20, 50)), 1):
        with SummaryWriter(tmp_path / "large", filename_suffix=f".{number}") as writer:
            for step in range(start, stop):
                writer.add_scalar("loss", 10 * number + step, step)
    (first, _) = files = find_records(tmp_path / "large")
    for record in (read_many(files), read_phase1(tmp_path / "large")):
        assert record.runs == ["large"]
        steps, values = record.series("(run)", "loss")
        np.testing.assert_array_equal(steps, np.arange(50))
        np.testing.assert_array_equal(values, np.arange(50) + np.where(np.arange(50) < 20, 10, 20))
    assert read_phase1(first).runs == ["large"]
    assert len(read_phase1(first).series("(run)", "loss")[0]) == 30


def test_a_number_in_a_files_name_does_not_end_it(tmp_path):
    for rate in ("0.01", "0.02"):
        (tmp_path / f"lr{rate}.csv").write_text("step,loss\n0,2\n1,1\n")
    assert read_many(find_records(tmp_path)).runs == ["lr0.01", "lr0.02"]


def test_seeds_that_share_a_table_are_runs(tmp_path):
    path = tmp_path / "seeds.csv"
    path.write_text("Seed,Epoch,val_acc\n0,0,0.1\n0,1,0.2\n7,0,0.3\n7,1,0.4\n")
    record = read_phase1(path)
    assert record.runs == ["seed 0", "seed 7"]
    assert record.series("(run)", "val_acc", run="seed 7")[1].tolist() == [0.3, 0.4]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_spreadsheets_write_decimal_commas_and_per_cent(tmp_path, separator):
    path = tmp_path / "sheet.csv"
    path.write_text(
        "".join(f"{separator.join(row)}\n" for row in (["step", "val_acc"], ["0", "3,5%"], ["1", "97,25 %"]))
    )
    assert read_phase1(path).series("(run)", "val_acc")[1].tolist() == [3.5, 97.25]


def test_values_logged_without_a_step_are_numbered_and_a_resumed_run_counts_last(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(tmp_path / "board") as writer:
        for loss in LOSS:
            writer.add_scalar("loss", loss)
        for step, rank in ((0, 1.0), (1, 2.0), (2, 3.0), (1, 4.0)):
            writer.add_scalar("stable_rank/Linear_0", rank, step)
    (path,) = (tmp_path / "board").glob("events*")
    record = read_phase1(path)
    steps, values = record.series("(run)", "loss")
    np.testing.assert_array_equal(steps, np.arange(len(LOSS)))
    np.testing.assert_allclose(values, LOSS, rtol=1e-6)
    assert record.series("Linear_0", "stable_rank")[1].tolist() == [1.0, 4.0, 3.0]
    said = " ".join(str(note) for note in record.notes)
    assert f"all {len(LOSS)} values stand at step 0" in said
    assert "1 value of steps that come again later is left out" in said


def test_hugging_face_trainer_state(tmp_path):
    rows = [{"step": int(s), "epoch": s / 10, "loss": x} for s, x in zip(STEPS, LOSS)]
    rows += [{"step": int(STEPS[-1]), "epoch": 5.0, "eval_loss": 1.5}]
    (tmp_path / "trainer_state.json").write_text(
        json.dumps({"best_metric": None, "max_steps": 50, "log_history": rows})
    )
    record = read_phase1(tmp_path / "trainer_state.json")
    steps, values = record.series("(run)", "loss")
    np.testing.assert_array_equal(steps, STEPS)
    np.testing.assert_allclose(values, LOSS)


def test_lightning_rows_of_one_step_are_merged(tmp_path):
    halves = [pd.DataFrame({"epoch": 0, "step": STEPS, name: column}) for name, column in
              (("loss", LOSS), ("stable_rank/Linear_0", RANK))]  # fmt: skip
    pd.concat(halves).to_csv(tmp_path / "metrics.csv", index=False)
    record = check(tmp_path / "metrics.csv")
    assert not [note for note in record.notes if note.kind == "dropped"]


def test_measures_that_are_logged_less_often_are_no_gaps(tmp_path):
    rows = [{"step": step, "loss": 1 / step} for step in range(10, 1010, 10)]
    rows += [{"step": step, "val_loss": 2 / step} for step in range(100, 1100, 100) if step < 400 or step > 700]
    rows += [{"step": step, "val_acc": step / 1000} for step in range(100, 1100, 100)]
    pd.DataFrame(rows).to_csv(tmp_path / "metrics.csv", index=False)
    gaps = [note for note in read_phase1(tmp_path / "metrics.csv").notes if "nothing was recorded" in note.text]
    assert [note.metric for note in gaps] == ["val_loss"]


def test_mlflow_metrics(tmp_path):
    for name, column in (("loss", LOSS), ("stable_rank/Linear_0", RANK)):
        path = tmp_path / "run" / "metrics" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"1700000000000 {value} {step}\n" for step, value in zip(STEPS, column)))
    check(tmp_path / "run")


@pytest.fixture
def mlflow_database(tmp_path):
    """A database as MLflow 3.18 writes one, without the columns that are not read; what is given is logged in turn."""

    def write(runs, logged):
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
            database.execute("CREATE TABLE runs (run_uuid TEXT PRIMARY KEY, name TEXT, lifecycle_stage TEXT)")
            database.execute(
                "CREATE TABLE metrics (key TEXT, value FLOAT, timestamp INT, run_uuid TEXT, step INT, is_nan BOOLEAN)"
            )
            database.executemany("INSERT INTO runs VALUES (?, ?, ?)", runs)
            rows = [
                (key, value, 17 * 10**11 + at, run, step, nan) for at, (run, key, step, value, nan) in enumerate(logged)
            ]
            database.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)
            database.commit()
        return tmp_path / "mlflow.db"

    return write


def test_an_mlflow_database(mlflow_database):
    logged = [("a1", name, step, value, 0) for name, column in (("loss", LOSS), ("stable_rank/Linear_0", RANK))
              for step, value in zip(STEPS.tolist(), column)]  # fmt: skip
    check(mlflow_database([("a1", "first", "active")], [*logged, ("a1", "system/cpu_utilization", 0, 3.0, 0)]))


def test_what_mlflow_stores_otherwise_is_read_as_it_was_logged(mlflow_database):
    largest = sys.float_info.max
    values = [(0, 1.0, 0), (1, 0.0, 1), (2, -largest, 0), (3, 9.0, 0), (3, 5.0, 0)]
    logged = [("a1b2c3d4e5", "loss", *each) for each in values]
    logged += [("f6", "loss", 0, 2.0, 0), ("gone", "loss", 0, 7.0, 0)]
    runs = [("a1b2c3d4e5", "twin", "active"), ("f6", "twin", "active"), ("gone", "third", "deleted")]
    table, said = each_step_once(mlflow_database_table(mlflow_database(runs, logged)))
    assert said == [("twin a1b2c3d4", "metric 'loss': 1 value of steps that come again later is left out")]
    assert table["run"].tolist() == ["twin a1b2c3d4"] * 4 + ["twin f6"]
    assert np.array_equal(table["value"], [1.0, np.nan, -np.inf, 5.0, 2.0], equal_nan=True)


def test_another_database_is_refused_in_a_sentence(tmp_path, mlflow_database):
    with closing(sqlite3.connect(tmp_path / "other.db")) as database:
        database.execute("CREATE TABLE photographs (name TEXT)")
    with pytest.raises(OntogenyError, match=r"other.db is not a database of MLflow: no such table: metrics"):
        read_phase1(tmp_path / "other.db")
    with pytest.raises(OntogenyError, match="holds no metric of a run"):
        read_phase1(mlflow_database([("a1", "first", "active")], []))


def test_a_stray_file_is_skipped_with_a_note(tmp_path):
    pd.DataFrame({"Step": STEPS, "stable_rank/Linear_0": RANK}).to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "experiment_summary.json").write_text('{"runs": 3, "best": "a"}')
    with gzip.open(tmp_path / "c.csv.gz", "wt") as stream:
        stream.write("no,record\n1,2\n")
    record = read_many(sorted(tmp_path.iterdir()))
    assert record.runs == ["a"]
    assert len([note for note in record.notes if "skipped" in note.text]) == 2


ODD = {
    "broken.jsonl": '{"step": 0, "acc": 0.5}\n\n{"step": 1, "acc": 0.75}\n{"step": 2, "a',
    "comma.csv": "_step;acc\n0;0,5\n1;7,5e-1\n",
    "iter.csv": "iter,acc\n0,0.5\n1,0.75\n",
    "progress.csv": "time/total_timesteps,acc\n0,\n0,0.5\n1,0.75\n",
    "monitor.csv": '#{"t_start": 1.5, "env_id": "Walk"}\nr,l,t\n0.5,3,0.1\n0.75,1,0.2\n',
    "result.json": '{"training_iteration": 0, "acc": 0.5}\n{"training_iteration": 1, "acc": 0.75}\n',
    "numbered.csv": "Unnamed: 0,Step,acc\n7,0,0.5\n8,1,0.75\n",
    "history.json": '{"acc": [0.5, 0.75]}',
    "trainer_state.json": '{"log_history": [{"step": 0, "acc": 0.5}, {"step": 1, "acc": 0.75}, {"train_runtime": 5.0}, '
    '{"step": 1, "train_loss": 0.1, "train_runtime": 5.0}]}',
}


@pytest.mark.parametrize("name", ODD)
def test_odd_files_of_loggers_are_read(name, tmp_path):
    (tmp_path / name).write_text(ODD[name])
    record = read_phase1(tmp_path / name)
    metrics = ["episode_return", "episode_length"] if name == "monitor.csv" else ["acc"]
    assert set(record.frame["metric"]) == set(metrics)
    steps = [3, 4] if name == "monitor.csv" else [0, 1]
    assert [part.tolist() for part in record.series("(run)", metrics[0])] == [steps, [0.5, 0.75]]
    assert any("breaks off" in str(note) for note in record.notes) == (name == "broken.jsonl")


COMET = [
    {"metricName": name, "metricValue": str(value), "step": step, "timestamp": 5, "epoch": None, "runContext": context}
    for context, name, values in ((None, "acc", (0.5, 0.75)), ("train", "loss", (2.0, 1.0)))
    for step, value in enumerate(values)
]
FURTHER = {
    "result.json": "".join(
        json.dumps(
            {
                "training_iteration": step,
                "env_runners": {"episode_return_mean": value, "agents": {"default": value}},
                "learners": {"default_policy": {"total_loss": 2.0 - step}},
                "config": {"gamma": 0.99, "model": {"hidden": 64}},
                "perf": {"cpu_util_percent": 20.0},
            }
        )
        + "\n"
        for step, value in enumerate((0.5, 0.75))
    ),
    "nested.jsonl": '{"step": 0, "eval": {"acc": 0.5}}\n{"step": 1, "eval": {"acc": 0.75, "timestamp": 9}}\n',
    "comet.json": json.dumps(COMET),
    "val_acc.csv": "0,2024-01-01 00:00:00,0.5\n1,2024-01-01 00:00:09.5,0.75\n",
    "evals.json": '{"validation_0": {"auc": [0.5, 0.75]}, "validation_1": {"auc": [0.4, 0.5]}}',
    "progress.txt": "Epoch\tAverageEpRet\tTime\n0\t0.5\t1.0\n1\t0.75\t2.0\n",
}
OF_FURTHER = {
    "result.json": (
        "env_runners/episode_return_mean", "env_runners/agents/default", "learners/default_policy/total_loss",
    ),
    "nested.jsonl": ("eval/acc",),
    "comet.json": ("acc", "train/loss"),
    "val_acc.csv": ("val_acc",),
    "evals.json": ("validation_0/auc", "validation_1/auc"),
    "progress.txt": ("AverageEpRet",),
}  # fmt: skip


@pytest.mark.parametrize("name", FURTHER)
def test_logs_of_rllib_comet_neptune_boosting_and_spinning_up_are_read(name, tmp_path):
    (tmp_path / name).write_text(FURTHER[name])
    record = read_phase1(tmp_path / name)
    assert record.runs == [name.split(".")[0]]
    assert sorted(record.frame["metric"].unique()) == sorted(OF_FURTHER[name])
    assert [part.tolist() for part in record.series("(run)", OF_FURTHER[name][0])] == [[0, 1], [0.5, 0.75]]


@pytest.mark.parametrize("name", ["a.json.gz", "a.jsonl.gz"])
def test_compressed_json_is_read(name, tmp_path):
    rows = [{"step": 0, "acc": 0.5}, {"step": 1, "acc": 0.75}]
    text = "\n".join(map(json.dumps, rows)) if name == "a.jsonl.gz" else json.dumps(rows)
    (tmp_path / name).write_bytes(gzip.compress(text.encode()))
    assert read_phase1(tmp_path / name).series("(run)", "acc")[1].tolist() == [0.5, 0.75]


def test_evaluations_of_stable_baselines_are_means_over_episodes(tmp_path):
    path = tmp_path / "evaluations.npz"
    episodes = {"results": np.array([[1, 3], [5, 6]]), "ep_lengths": np.array([[7, 9], [8, 8]])}
    np.savez(path, timesteps=[1000, 2000], successes=[[False, True], [True, True]], **episodes, seeds=np.zeros((3, 2)))
    record = read_phase1(path)
    means = {"eval/mean_reward": [2, 5.5], "eval/mean_ep_length": [8, 8], "eval/success_rate": [0.5, 1]}
    assert record.runs == ["evaluations"]
    assert set(record.frame["metric"]) == set(means)
    for name, expected in means.items():
        assert [part.tolist() for part in record.series("(run)", name)] == [[1000, 2000], expected]
    assert any("seeds" in note.text for note in record.notes)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"loss": [1.0, 2.0]}, "no array of it holds the steps"),
        ({"step": np.zeros((2, 2))}, "no array of it holds the steps"),
        ({"step": np.array([1, {}], object)}, "is not a NumPy archive"),
        ({"step": [1, 2], "weights": np.zeros((2, 3))}, "no Phase 1 table"),
        (b"PK\x03\x04 and nothing more", "is not a NumPy archive"),
    ],
)
def test_other_archives_of_arrays_end_in_a_sentence(tmp_path, arrays, words):
    path = tmp_path / "a.npz"
    path.write_bytes(arrays) if isinstance(arrays, bytes) else np.savez(path, **arrays)
    with pytest.raises(OntogenyError, match=words):
        read_phase1(path)


def test_an_archive_with_one_array_a_metric_is_a_table(tmp_path):
    np.savez_compressed(tmp_path / "log.npz", step=np.arange(3), loss=np.array([3.0, 2.0, 1.0]))
    record = read_many(find_records(tmp_path))
    assert [part.tolist() for part in record.series("(run)", "loss")] == [[0, 1, 2], [3, 2, 1]]


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def mmcv_rows(by_epoch):
    """Two epochs of 100 iterations, logged every 50, each followed by a validation on 25 batches."""
    rows = [{"env_info": "Python 3.8", "config": "model = 1", "seed": 0}]
    for epoch in (1, 2):
        for i in (50, 100):
            at = i if by_epoch else 100 * (epoch - 1) + i
            machine = {"memory": 900, "data_time": 0.1, "time": 0.3}
            rows.append({"mode": "train", "epoch": epoch, "iter": at, "lr": 0.1, **machine, "loss": at / epoch})
        rows.append({"mode": "val", "epoch": epoch, "iter": 25, "lr": 0.1, "mIoU": epoch / 2, "copypaste": "0.1 0.2"})
    return rows


@pytest.mark.parametrize("by_epoch", [True, False])
def test_json_logs_of_mmcv_count_iterations_through_the_epochs(tmp_path, by_epoch):
    path = tmp_path / "20230101_120000.log.json"
    path.write_text(lines(mmcv_rows(by_epoch)))
    record = read_phase1(path)
    assert record.runs == ["20230101_120000"]
    assert set(record.frame["metric"]) == {"loss", "learning_rate", "val/mIoU"}
    assert record.series("(run)", "loss")[0].tolist() == [50, 100, 150, 200]
    assert [part.tolist() for part in record.series("(run)", "val/mIoU")] == [[100, 200], [0.5, 1.0]]
    assert any("epochs of 100" in note.text for note in record.notes) == by_epoch


@pytest.mark.parametrize("by_epoch", [True, False])
def test_validation_of_mmengine_stands_at_the_iteration_it_came_after(tmp_path, by_epoch):
    rows = []
    for epoch in (1, 2):
        for step in (100 * epoch - 50, 100 * epoch):
            machine = {"data_time": 0.1, "time": 0.3, "memory": 900}
            rows.append({"lr": 0.1, **machine, "loss": 1 / step, "iter": step, "step": step})
            rows[-1] |= {"epoch": epoch} if by_epoch else {}
        at = epoch if by_epoch else 100 * epoch
        rows.append({"coco/bbox_mAP": epoch / 2, "data_time": 0.1, "time": 0.3, "step": at})
    (tmp_path / "scalars.json").write_text(lines(rows))
    record = read_phase1(tmp_path / "scalars.json")
    assert record.series("(run)", "loss")[0].tolist() == [50, 100, 150, 200]
    assert [part.tolist() for part in record.series("(run)", "val/coco/bbox_mAP")] == [[100, 200], [0.5, 1.0]]


@pytest.mark.parametrize("epoch", ["one", None, 10**400, -1, True])
@pytest.mark.parametrize("mode", ["train", "test", 3])
def test_rows_that_only_resemble_those_logs_are_read_as_any(tmp_path, epoch, mode):
    rows = [{"mode": mode, "epoch": epoch, "iter": i, "step": i, "data_time": 0.1, "loss": 1 / i} for i in (1, 2, 3)]
    (tmp_path / "a.json").write_text(lines(rows))
    assert len(read_phase1(tmp_path / "a.json").series("(run)", "loss")[0]) == 3


def test_a_log_of_json_lines_is_read(tmp_path):
    (tmp_path / "train.log").write_text('{"step": 0, "acc": 0.5}\n{"step": 1, "acc": 0.75}\n')
    record = read_phase1(tmp_path / "train.log")
    assert record.runs == ["train"]
    assert record.series("(run)", "acc")[1].tolist() == [0.5, 0.75]


def test_spreadsheets_write_steps_in_groups_of_three_digits(tmp_path):
    path = tmp_path / "grouped.csv"
    path.write_text("step,loss,share\n" + "".join(f'"{500 * i:,}",{i / 4},"0,{i + 100}"\n' for i in range(1, 9)))
    record = read_phase1(path)
    assert record.series("(run)", "loss")[0].tolist() == [500 * i for i in range(1, 9)]
    assert "share" not in record.metrics


def test_of_a_table_of_a_resumed_run_what_comes_later_counts(tmp_path):
    path = tmp_path / "resumed.csv"
    rows = [(0, 5.0), (10, 4.0), (20, 9.0), (30, 9.0), (20, 3.0), (30, 2.0), (40, 1.0)]
    path.write_text("step,loss\n" + "".join(f"{step},{loss}\n" for step, loss in rows))
    record = read_phase1(path)
    assert record.series("(run)", "loss")[1].tolist() == [5.0, 4.0, 3.0, 2.0, 1.0]
    assert any("as training was resumed" in str(note) for note in record.notes)
    path.write_text("step,loss\n" + "".join(f"{step},{loss}\n" for step, loss in [*rows[:4], *rows[:2]]))
    assert read_phase1(path).series("(run)", "loss")[1].tolist() == [5.0, 4.0, 9.0, 9.0]


@pytest.mark.parametrize(
    "beside",
    [
        {"time_this_iter_s": 7.1, "time_total_s": 70.2, "time_since_restore": 70.2, "iterations_since_restore": 3,
         "pid": 4242, "warmup_time": 0.003},
        {"elapsed_time": 12.0, "remaining_time": 60.0, "throughput": 1234.5},
        {"eval_runtime": 3.2, "eval_samples_per_second": 31.2, "train/steps_per_second": 4.1, "tokens_per_sec": 9e4},
        {"time/fps": 900.0, "time/time_elapsed": 12.0},
    ],
)  # fmt: skip
def test_how_fast_the_machine_was_is_no_measure(tmp_path, beside):
    draw = np.random.default_rng(0).random
    rows = [{"step": step, "loss": 1 / step, "fps_loss": 0.5} for step in range(1, 20)]
    rows = [row | {name: value * draw() for name, value in beside.items()} for row in rows]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pd.DataFrame(rows).to_csv(tmp_path / "log.csv", index=False)
    for name in ("log.jsonl", "log.csv"):
        assert set(read_phase1(tmp_path / name).frame["metric"]) == {"loss", "fps_loss"}
