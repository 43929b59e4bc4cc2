"""Costs of a plan: each number follows from measured jobs alike, or is unknown."""

import json
import math

import pytest

from ontogeny.cli import main
from ontogeny.config import load_config, runs_of
from ontogeny.errors import OntogenyError
from ontogeny.pipeline import cost
from ontogeny.pipeline.cost import JOB_START, Job, cost_text, estimate_cost

CONFIG = """
studies:
  two:
    defaults: {task: {name: mnist, n_probe: 64}, training: {steps: STEPS, checkpoint_every: 10}, seeds: 2}
    runs:
      small: {model: {name: mlp, hidden: [8]}}
      large: {model: {name: mlp, hidden: [64]}}
"""


def jobs_of(name):
    rows = [Job("train_run", f"{name}/s{seed}", (f"results/runs/{name}/s{seed}/phase1.json",)) for seed in (0, 1)]
    figure = f"results/figures/two/{name}/s0/metrics"
    return [*rows, Job("plot_run", f"two/{name}/s0", (f"{figure}.png", f"{figure}.csv"))]


def measure(results, rule, job, seconds):
    path = results / "benchmarks" / rule / f"{job}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\tcpu_time\n{seconds}\t{seconds}\n")


def trained(results, run, steps, hidden, seconds, size, task="mnist"):
    """What a run of `steps` left: settings, a record of `size` bytes, a benchmark."""
    raw = {"task": {"name": task, "n_probe": 64, "n_train": 100}, "training": {"steps": steps, "checkpoint_every": 10}}
    raw["model"] = {"name": "mlp", "hidden": [hidden]}
    made = runs_of(load_config({"studies": {"one": {"runs": {run: raw}}}}))[f"{run}/s0"]
    folder = results / "runs" / run
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"run": run, "settings": made.identity()}))
    (folder / "phase1.json").write_text("x" * size)
    measure(results, "train_run", run, seconds)


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setattr(cost, "planned_jobs", lambda *_: [*jobs_of("small"), *jobs_of("large")])
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.replace("STEPS", "1000"))
    return path


def row_of(table, rule):
    return table.set_index("rule").loc[rule]


def test_without_measurements_jobs_are_counted_and_costs_are_unknown(config):
    table = estimate_cost(config)
    assert list(table["rule"]) == ["plot_run", "train_run"]
    assert list(table["jobs"]) == [2, 4]
    assert table[["cpu_h", "disk_GB"]].isna().all(axis=None)
    assert "6 jobs, and nothing like them was measured: --measured takes" in cost_text(table)


def test_training_lies_on_the_line_through_runs_alike_on_another_set_of_the_same_shape(config, tmp_path):
    results = tmp_path / "measured" / "results"
    trained(results, "short", 10, 8, seconds=3.0, size=1000)
    trained(results, "longer", 60, 8, seconds=8.0, size=3500, task="fashion_mnist")
    row = row_of(estimate_cost(config, measured=results), "train_run")
    assert row["jobs"] == 4
    assert row["unknown"] == 2  # nothing like `large`
    assert row["cpu_h"] * 3600 == pytest.approx(2 * (2 + 0.1 * 1000 + JOB_START))
    assert row["disk_GB"] * 1e9 == pytest.approx(2 * 500 * 101)  # bytes a checkpoint
    assert row["basis"] == "line through 2 jobs alike, by step; unknown"


def test_one_measured_run_is_scaled_in_proportion(config, tmp_path):
    results = tmp_path / "measured" / "results"
    trained(results, "short", 10, 64, seconds=3.0, size=500)
    row = row_of(estimate_cost(config, measured=results), "train_run")
    assert row["cpu_h"] * 3600 == pytest.approx(2 * (300 + JOB_START))
    assert row["basis"] == "in proportion to 1 job alike, by step; unknown"


def test_other_jobs_cost_the_mean_and_lost_files_have_no_size(config, tmp_path):
    results = tmp_path / "measured" / "results"
    trained(results, "any", 10, 3, seconds=1.0, size=1)
    for study, seconds, size in (("one", 2.0, 100), ("another", 4.0, 300)):
        measure(results, "plot_run", f"{study}/any", seconds)
        figure = results / "figures" / study / "any" / "metrics"
        figure.parent.mkdir(parents=True)
        figure.with_suffix(".png").write_text("x" * size)
        figure.with_suffix(".csv").write_text("x" * size)
    row = row_of(estimate_cost(config, measured=results), "plot_run")
    assert row["cpu_h"] * 3600 == pytest.approx(2 * (3 + JOB_START))
    assert row["disk_GB"] * 1e9 == pytest.approx(2 * 400)
    assert row["basis"] == "mean of 2 jobs of any size"
    for path in (results / "figures").rglob("metrics.*"):
        path.unlink()
    assert math.isnan(row_of(estimate_cost(config, measured=results), "plot_run")["disk_GB"])


def test_files_are_found_where_a_study_is_named_like_a_folder(tmp_path, monkeypatch):
    outputs = ("results/runs/net/circuits/history.csv",)
    monkeypatch.setattr(cost, "planned_jobs", lambda *_: [Job("enumerate_circuits", "net", outputs)])
    path, results = tmp_path / "config.yaml", tmp_path / "measured" / "results"
    path.write_text("studies: {circuits: {kind: circuits, runs: {net: {seeds: 30}}}}")
    made = runs_of(load_config({"studies": {"a": {"kind": "circuits", "runs": {"b": {"seeds": 10}}}}}))["b"]
    (results / "runs" / "b" / "circuits").mkdir(parents=True)
    (results / "runs" / "b" / "config.json").write_text(json.dumps({"run": "b", "settings": made.identity()}))
    (results / "runs" / "b" / "circuits" / "history.csv").write_text("x" * 200)
    measure(results, "enumerate_circuits", "b", 2.0)
    row = row_of(estimate_cost(path, measured=results), "enumerate_circuits")
    assert row["disk_GB"] * 1e9 == pytest.approx(600)
    assert row["cpu_h"] * 3600 == pytest.approx(6 + JOB_START)


def test_a_folder_without_benchmarks_is_named(config, tmp_path, capsys):
    with pytest.raises(OntogenyError, match="holds no benchmarks"):
        estimate_cost(config, measured=tmp_path)
    assert main(["cost", str(config), "--measured", str(tmp_path)]) == 1
    assert "holds no benchmarks" in capsys.readouterr().err


def test_a_plan_is_read_from_what_snakemake_says(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("studies: {net: {kind: circuits, runs: {net: {seeds: 3}}}}")
    jobs = cost.planned_jobs(path, ["phase1"], tmp_path)
    assert [(job.rule, job.name) for job in jobs] == [("train_ensemble", "net")]
    assert "results/runs/net/ensemble.safetensors" in jobs[0].outputs
    path.write_text("studies: {net: {kind: circuits, runs: {net: {seed: 3}}}}")
    with pytest.raises(OntogenyError, match="unknown key"):
        cost.planned_jobs(path, [], tmp_path)
