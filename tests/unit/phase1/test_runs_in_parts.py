"""Runs whose numbers lie in several rows, files or folders are read whole."""

import json

import pandas as pd
import pytest

from ontogeny.errors import OntogenyError
from ontogeny.jumps.measures import ranked
from ontogeny.phase1 import find_records, read_many, read_phase1

STEPS = range(100, 1100, 100)


def series(record, metric, layer="(run)"):
    return [list(part) for part in record.series(layer, metric)]


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize(
    "rows",
    [
        lambda s: [{"current_steps": s, "loss": 2.0, "elapsed_time": "0:01"}, {"current_steps": s, "eval_loss": s / 2}],
        lambda s: [
            {"loss": 2.0, "global_step/max_steps": f"{s}/1000", "epoch": s / 700},
            {"eval_loss": s / 2, "global_step/max_steps": f"{s}/1000", "epoch": s / 700},
        ],
        lambda s: [{"eval_loss": s / 2, "time/total_timesteps": s}, {"loss": 2.0, "time/total_timesteps": s}],
    ],
)
def test_rows_of_training_and_of_evaluation_at_one_step_are_one(tmp_path, rows):
    (tmp_path / "log.jsonl").write_text(lines(*(row for step in STEPS for row in rows(step))))
    record = read_phase1(tmp_path / "log.jsonl")
    assert series(record, "eval_loss") == [list(STEPS), [step / 2 for step in STEPS]]
    assert series(record, "loss") == [list(STEPS), [2.0] * 10]
    assert not any("repeat" in note.text for note in record.notes)


def test_rows_that_contradict_each_other_are_not_joined(tmp_path):
    (tmp_path / "log.jsonl").write_text(
        lines(*({"step": step, "loss": step + more} for step in STEPS for more in (0, 1)))
    )
    assert any("repeat a step" in note.text for note in read_phase1(tmp_path / "log.jsonl").notes)


def test_numbers_of_layers_are_found_at_any_depth(tmp_path):
    rows = (
        {
            "step": s,
            "eval": {"accuracy": 0.5, "per_layer": {"block_0": {"stable_rank": 3.0}}, "stable_rank": {"fc": 2.0}},
        }
        for s in STEPS
    )
    (tmp_path / "log.jsonl").write_text(lines(*rows))
    record = read_phase1(tmp_path / "log.jsonl")
    assert set(record.layers) == {"eval/block_0", "eval/fc"}
    assert series(record, "eval/accuracy")[1] == [0.5] * 10
    assert series(record, "stable_rank", "eval/block_0")[1] == [3.0] * 10


def test_catboost_and_contexts_of_aim_have_their_names(tmp_path):
    about = {"learn_sets": ["learn"], "test_sets": ["test"], "learn_metrics": [{"name": "Logloss"}],
             "test_metrics": [{"name": "Logloss"}, {"name": "Accuracy"}]}  # fmt: skip
    iterations = [{"iteration": i, "learn": [1.0], "test": [2.0, i / 10], "passed_time": 0.1} for i in range(10)]
    (tmp_path / "catboost_training.json").write_text(json.dumps({"meta": about, "iterations": iterations}))
    record = read_phase1(tmp_path / "catboost_training.json")
    assert sorted(record.frame["metric"].unique()) == ["learn/Logloss", "test/Accuracy", "test/Logloss"]
    assert record.layers == []
    table = pd.DataFrame(
        {"metric.name": "acc", "metric.context": json.dumps({"subset": part}), "step": step, "value": 0.5}
        for part in ("train", "val")
        for step in STEPS
    )
    table.to_csv(tmp_path / "aim.csv", index=False)
    assert sorted(read_phase1(tmp_path / "aim.csv").frame["metric"].unique()) == ["train/acc", "val/acc"]


def results(step):
    return {
        "results": {"piqa": {"alias": "piqa", "acc,none": step / 1000, "acc_stderr,none": 0.01}},
        "config": {"model_args": f"pretrained=a/b,revision=step{step}", "batch_size": 8},
        "date": 1.7e9,
    }


@pytest.mark.parametrize(
    ("name", "run", "content", "metric"),
    [
        ("evals/70m_step{}.json", "70m", results, "piqa/acc"),
        ("a__b/step{}/results_2024-06-01.json", "a__b", results, "piqa/acc"),
        ("a__b/results_{}.json", "a__b", results, "piqa/acc"),
        ("out/checkpoint-{}/eval_results.json", "out", lambda step: {"eval_accuracy": step / 1000, "epoch": 3},
         "eval_accuracy"),
    ],
)  # fmt: skip
def test_files_of_one_checkpoint_each_are_one_run(tmp_path, name, run, content, metric):
    for number, step in enumerate(STEPS):
        path = tmp_path / name.format(step if "results_{" not in name else f"2024-01-{number + 1:02d}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content(step)))
    (path.parent / "settings.json").write_text('{"learning_rate": 0.1}')
    record = read_many(find_records(tmp_path))
    assert record.runs == [run]
    assert series(record, metric) == [list(STEPS), [step / 1000 for step in STEPS]]
    assert list(record.frame["metric"].unique()) == [metric]


def test_tables_of_one_series_each_that_are_called_as_it_are_one_run(tmp_path):
    for name, value in (("Train_Samples_train_loss", 2.0), ("Eval_Samples_accuracy", 0.5)):
        pd.DataFrame({"step": STEPS, name: value}).to_csv(tmp_path / f"{name}.csv", index=False)
    pd.DataFrame({"step": STEPS, "value": 1.0, "timestamp": "2024-01-01 10:00"}).to_csv(
        tmp_path / "val_f1.csv", index=False
    )
    record = read_many(find_records(tmp_path))
    assert record.runs == [tmp_path.name]
    assert ranked(record.frame["metric"].unique()) == ["Eval_Samples_accuracy", "val_f1", "Train_Samples_train_loss"]


def test_the_folders_of_series_and_of_parts_below_events_belong_to_the_run(tmp_path):
    writer = pytest.importorskip("torch.utils.tensorboard").SummaryWriter
    with (
        writer(tmp_path / "a") as run,
        writer(tmp_path / "a" / "other") as other,
        writer(tmp_path / "a/eval") as held_out,
    ):
        for step in STEPS:
            run.add_scalar("loss", 2.0, step)
            run.add_scalars("acc", {"train": 0.9, "val": 0.5}, step)
            other.add_scalar("loss", 1.0, step)
            held_out.add_scalar("loss", 3.0, step)
    record = read_many(find_records(tmp_path / "a"))
    assert {metric: series(record, metric)[1][0] for metric in ("loss", "acc/train", "acc/val", "eval/loss")} == (
        pytest.approx({"loss": 2.0, "acc/train": 0.9, "acc/val": 0.5, "eval/loss": 3.0})
    )
    assert any("runs of their own: the events in its folders 'other'" in note.text for note in record.notes)


@pytest.mark.parametrize(
    ("files", "run"),
    [
        (["lightning_logs/version_3/metrics.csv", "lightning_logs/version_3/hparams.yaml"], "version_3"),
        (["exp/trial_0/result.json", "exp/trial_0/params.json", "exp/trial_0/progress.csv"], "trial_0"),
        (["out/checkpoint-90/trainer_state.json", "out/checkpoint-100/trainer_state.json", "out/config.json"], "out"),
        (["notes/log.txt"], "log"),
    ],
)
def test_a_folder_stands_for_the_runs_below_it(tmp_path, files, run):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        rows = [{"step": step, "loss": 2.0} for step in STEPS]
        content = {
            ".csv": pd.DataFrame(rows).to_csv(index=False),
            ".txt": "".join(f"step {step}: loss 2.0\n" for step in STEPS),
        }
        state = json.dumps({"log_history": rows}) if "state" in name else lines(*rows) if "result" in name else "{}"
        (tmp_path / name).write_text(content.get((tmp_path / name).suffix, state))
    record = read_many(find_records(tmp_path))
    assert record.runs == [run]
    assert series(record, "loss") == [list(STEPS), [2.0] * 10]


def test_a_run_that_was_not_exported_says_how_to(tmp_path):
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "run-a.wandb").write_bytes(b":W&B\x00")
    with pytest.raises(OntogenyError, match="wandb sync"):
        read_many(find_records(tmp_path))


def test_what_is_counted_within_an_evaluation_is_no_step(tmp_path):
    text = "".join(
        f"[batch={step}/1000]:\n\t Train loss: 2.0\n[Eval batch=8/8] Eval on data:\n\t Eval accuracy: 0.5\n"
        f"Train Epoch: 0 [{step}/1000 ({step // 10}%)] Loss: 2.5 Batch (t): 0.510\n"
        for step in STEPS
    )
    (tmp_path / "out.log").write_text(text)
    record = read_phase1(tmp_path / "out.log")
    assert series(record, "Eval/accuracy" if "Eval/accuracy" in set(record.frame["metric"]) else "eval/accuracy") == [
        list(STEPS),
        [0.5] * 10,
    ]


def test_of_rewards_the_mean_is_asked_first():
    assert ranked(["reward_max", "reward_mean", "loss_scale"]) == ["reward_mean", "reward_max"]
