"""Archives, comparisons and sweeps, as somebody uses them on finished results."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ontogeny.cli import main

TINY = "tests/configs/tiny.yaml"


def test_an_unpacked_archive_has_nothing_to_rerun(finished, tmp_path):
    archive = tmp_path / "a.zip"
    config = str(finished.project / TINY)
    assert main(["archive", "--out", str(archive), "--directory", str(finished.folder), "--config", config]) == 0
    again = tmp_path / "b.zip"
    assert main(["archive", "--out", str(again), "--directory", str(finished.folder), "--config", config]) == 0
    assert archive.read_bytes() == again.read_bytes()
    assert main(["unpack", str(archive), str(tmp_path / "out")]) == 0
    shutil.copytree(finished.folder / "resources", tmp_path / "out" / "resources")
    other = type(finished)(finished.project, tmp_path / "out")
    assert other.plan().nothing_to_do
    assert other.plan(config=tmp_path / "out" / "config.yaml").nothing_to_do
    assert main(["compare", str(finished.folder), str(tmp_path / "out"), "--same"]) == 0


def test_status_and_show_of_finished_results(finished, capsys):
    arguments = ["--directory", str(finished.folder)]
    assert main(["status", "--config", str(finished.project / TINY), *arguments]) == 0
    assert "1 done\n" in capsys.readouterr().out
    assert main(["show", "tiny_mlp", *arguments]) == 0
    assert "train_run" in capsys.readouterr().out


def test_no_job_holds_more_memory_than_it_asks_for(finished):
    cost = pd.read_csv(finished.results / "tables" / "cost.tsv", sep="\t")
    assert cost["mem_mb"].notna().all()
    assert (cost["mem_share"].dropna() < 1).all(), cost[["rule", "job", "mem_share"]]
    experiments = pd.read_csv(finished.results / "tables" / "experiments.tsv", sep="\t")
    assert experiments.loc[0, "cost.rule"] == "train_run"
    assert len(experiments.loc[0, "code"]) == 16


@pytest.mark.parametrize("kind", ["dynamics", "circuits"])
def test_sweeps_are_planned_run_by_run(fresh, kind):
    file = fresh.folder / "sweep.yaml"
    sweep = {"grid": {"training.learning_rate": [0.1, 0.2, 0.3], "model.hidden": [[4], [3, 3]]}}
    study = {"kind": kind, "title": "{run}", "runs": {"r": {"label": "{x}", "seeds": [0], "sweep": sweep}}}
    file.write_text(json.dumps({"studies": {"s": study}, "cache": "a folder of {x}"}))
    jobs = fresh.plan("phase1", "figures", "--quiet", "rules", config=file).jobs
    assert jobs["train_run" if kind == "dynamics" else "train_ensemble"] == 6


@pytest.mark.slow
@pytest.mark.benchmark
def test_planning_costs_grow_linearly_with_runs(tmp_path):
    script = Path(__file__).with_name("plan_cost.py")
    # The first plan is there to read and remember the code, which costs others nothing.
    command = [sys.executable, str(script), str(tmp_path / "cost.csv"), "2", "20", "60", "140"]
    subprocess.run(command, check=True)
    cost = pd.read_csv(tmp_path / "cost.csv").iloc[1:].reset_index(drop=True)
    marginal = cost["cpu_s"].diff() / cost["runs"].diff()
    assert cost["jobs"].diff()[1] / 40 == cost["jobs"].diff()[2] / 80
    assert marginal[2] < 2 * marginal[1], cost


def test_what_differs_is_a_target_for_trees_and_configurations(finished, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(finished.results, old / "results", ignore=shutil.ignore_patterns("logs", "benchmarks"))
    table = next((old / "results" / "runs").rglob("jumps.csv"))
    table.write_text(table.read_text() + "\n")
    next((old / "results" / "runs").rglob("phase1.json")).unlink()
    here = type(finished)(finished.project, tmp_path)
    said = here("compare", "--config", f"compare=[{old}, {finished.folder}]")
    assert said.code == 0, said.text
    files = pd.read_csv(tmp_path / "results" / "comparison" / "files.csv")
    assert "only in B" in set(files["what"])
    assert "What differs" in (tmp_path / "results" / "comparison" / "page.html").read_text()
    assert here.plan("compare", "--config", f"compare=[{old}, {finished.folder}]").nothing_to_do
    (old / "results" / "new.csv").write_text("x\n1\n")
    said = here.plan("compare", "--config", f"compare=[{old}, {finished.folder}]")
    assert said.jobs == {"compare": 1, "compare_results": 1}, said.text


def test_what_cannot_be_compared_is_told_when_planned(fresh):
    assert fresh("compare", "--dry-run").refuses(r"nothing to compare: name two, with --config")
    assert fresh("compare", "--dry-run", "--config", "compare=[there, here]").refuses(r"compare: there does not exist")
    assert fresh("compare", "--dry-run", "--config", "compare=[resources]").refuses(r"compare")
