"""A run in words, and the state of all runs and jobs from what they left."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from ontogeny.cli import main
from ontogeny.config import load_config, runs_of
from ontogeny.errors import OntogenyError
from ontogeny.pipeline.overview import describe_run, describe_state, failure, job_states
from ontogeny.pipeline.tables import cost_of, cost_table, experiment_table, training_cost

CONFIG = {"run": "mlp", "identity": "abc", "settings": {"training": {"steps": 40}}, "revision": "r1", "parameters": 7}
HEAD = "s\th:m:s\tmax_rss\tcpu_time\n"


def job(root, rule, name, seconds=None, log="2026-01-01 00:00:00 INFO begun\n"):
    for kind, ending, text in (("logs", "log", log), ("benchmarks", "tsv", f"{HEAD}{seconds}\t0\t100.0\t{seconds}\n")):
        path = root / "results" / kind / rule / f"{name}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "logs" or seconds is not None:
            path.write_text(text)


@pytest.fixture
def folder(tmp_path):
    run = tmp_path / "results" / "runs" / "mlp"
    run.mkdir(parents=True)
    (run / "config.json").write_text(json.dumps({**CONFIG, "versions": {"ontogeny": "1.0"}}))
    (run / "metrics.jsonl").write_text('{"step": 39, "loss": 0.5}\n{"step": 40, "loss": 0.25}\n{"step": 4')
    series = {"step": [0, 40], "loss": [1.0, 0.25]}
    (run / "phase1.json").write_text(json.dumps({"Linear_0": series, "metadata": {}}))
    (run / "jumps.csv").write_text(
        "layer,metric,step,direction,p_value,significant,kind\nLinear_0,stable_rank,12,up,0.001,True,transition\n"
        "Linear_0,stable_rank,30,up,0.4,False,jump\n"
    )
    job(tmp_path, "train_run", "mlp", 3.0)
    job(tmp_path, "detect_jumps", "mlp", 1.0)
    job(tmp_path, "plot_run", "s/mlp", 1.0)
    return tmp_path


def test_a_run_is_told_with_its_time(folder):
    told = describe_run("mlp", folder)
    for part in (
        "training.steps",
        "revision  r1",
        "2 found, 1 significant",
        "transition at step 12 ",
        "5.0 s in 3 jobs",
        "60%",
        "loss",
    ):
        assert part in told, told
    assert "0.25" in told


def test_changes_that_are_not_listed_are_counted(folder):
    table = folder / "results" / "runs" / "mlp" / "jumps.csv"
    assert "more in" not in describe_run("mlp", folder)
    with table.open("a") as file:
        file.writelines(f"Linear_0,stable_rank,{step},up,0.002,True,jump\n" for step in range(40, 52))
    told = describe_run("mlp", folder)
    assert told.count("jump       at step") == 9
    assert f"and 3 more in {table}" in told


def test_an_unknown_run_is_answered_with_the_nearest(folder):
    with pytest.raises(OntogenyError, match="did you mean 'mlp'"):
        describe_run("mpl", folder)
    with pytest.raises(OntogenyError, match="holds no results"):
        describe_run("mlp", folder / "results" / "runs" / "mlp")


def wanted(*names):
    runs = {name: {"training": {"steps": 80}} for name in names}
    return [replace(run, name=run.key) for run in runs_of(load_config({"studies": {"s": {"runs": runs}}})).values()]


def test_what_is_done_failed_runs_and_waits(folder):
    job(folder, "train_run", "bad", log="2026-01-01 00:00:00 ERROR the data set is empty: give another\n")
    job(folder, "train_run", "live")
    live = folder / "results" / "runs" / "live"
    live.mkdir()
    (live / "metrics.jsonl").write_text('{"step": 20, "loss": 0.5}\n')
    told = describe_state(folder, wanted("mlp", "bad", "live", "later"))
    assert "1 done, 1 failed, 1 interrupted, 1 waiting" in told
    assert "the data set is empty: give another" in told
    assert "step 20 of 80, loss 0.5, resumes where it stopped" in told
    assert "train_run/bad.log" in told
    lock = folder / ".snakemake" / "locks" / "0.input.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("")
    assert {state.name: state.state for state in job_states(folder / "results")}["live"] == "running"


@pytest.mark.skipif(sys.platform != "linux", reason="whether a process is still there is known under Linux")
def test_a_call_that_was_killed_is_told_from_one_that_works(folder):
    job(folder, "train_run", "live")
    lock = folder / ".snakemake" / "locks" / "0.input.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("")
    note = "from ontogeny.pipeline.calls import note_call\nnote_call()\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", note], cwd=folder, stdin=-1, stdout=-1) as call:
        assert call.stdout is not None
        call.stdout.readline()
        working = describe_state(folder)
        call.kill()
        call.wait()
    killed = describe_state(folder)
    assert "train_run live: running" in working
    assert "killed" not in working
    assert "train_run live: interrupted" in killed
    assert killed.startswith("Snakemake was killed and left its lock: call snakemake --unlock")
    lock.unlink()
    assert "killed" not in describe_state(folder)


def test_a_run_begun_again_after_its_benchmark_is_not_done(folder):
    log = folder / "results" / "logs" / "train_run" / "mlp.log"
    os.utime(log, (log.stat().st_mtime + 100,) * 2)
    assert {(state.rule, state.name): state.state for state in job_states(folder / "results")}[
        "train_run", "mlp"
    ] == "interrupted"


def test_a_job_for_all_runs_is_done_when_its_benchmark_is_there(tmp_path):
    job(tmp_path, "list_pages", "all", 1.0)
    (tmp_path / "results" / "logs" / "list_pages" / "all.log").rename(tmp_path / "results" / "logs" / "list_pages.log")
    assert [(state.rule, state.state) for state in job_states(tmp_path / "results")] == [("list_pages", "done")]
    (tmp_path / "results" / "benchmarks" / "list_pages" / "all.tsv").unlink()
    assert "  list_pages: interrupted\n" in describe_state(tmp_path / "results")


def test_an_empty_folder_is_explained(tmp_path):
    told = describe_state(tmp_path, wanted("a", "b"))
    assert "no results in" in told
    assert "2 runs waiting; start with" in told
    with pytest.raises(OntogenyError, match="make some with snakemake"):
        describe_state(tmp_path)


def test_the_reason_of_a_failure_is_its_last_line(tmp_path):
    log = tmp_path / "a.log"
    log.write_text(
        "2026-01-01 00:00:00 ERROR Traceback (most recent call last):\n  File x\nValueError: bad shape (3,)\n\n"
    )
    assert failure(log) == "ValueError: bad shape (3,)"
    log.write_text("2026-01-01 00:00:00 INFO well\n")
    assert failure(log) is None


def test_experiments_say_cost_code_and_what_was_swept(folder):
    swept = {"mlp": {"key": "base", "values": {"training.steps": 40, "model.hidden": [4, 2]}}}
    row = experiment_table([folder / "results" / "runs" / "mlp"], folder / "results" / "benchmarks", swept).iloc[0]
    assert (row["sweep"], row["swept.training.steps"], row["swept.model.hidden"]) == ("base", 40, "[4, 2]")
    assert (row["cost.s"], row["cost.max_rss"], row["cost.rule"]) == (3.0, 100.0, "train_run")
    assert len(row["code"]) == 16


def test_costs_belong_to_their_run_only(folder):
    for name in ("mlp2", "mlp/s1", "s/mlp/x", "t/mlp2"):
        job(folder, "plot_run", name, 1.0)
    benchmarks = folder / "results" / "benchmarks"
    assert sorted(cost_of("mlp", benchmarks)["job"]) == ["mlp", "mlp", "s/mlp", "s/mlp/x"]
    assert list(cost_of("mlp/s1", benchmarks)["job"]) == ["mlp/s1"]
    assert training_cost("absent", benchmarks) == {}


def test_the_share_of_the_memory_asked_for_is_told(folder):
    table = cost_table(folder / "results" / "benchmarks", {"train_run": 200})
    assert table.set_index("rule").loc["train_run", "mem_share"] == round(100 * 2**20 / 1e6 / 200, 3)


def test_a_run_is_shown_by_its_name_and_by_its_folder(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    assert main(["show", "mlp"]) == 0
    by_name = capsys.readouterr().out
    for path in ("results/runs/mlp", "results/runs/mlp/", str(folder / "results" / "runs" / "mlp")):
        assert main(["show", path]) == 0
        assert capsys.readouterr().out == by_name
    assert main(["show", "results/runs"]) == 1
    assert "holds no record of" in capsys.readouterr().err
