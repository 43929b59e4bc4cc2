"""The live view: what it counts, how long it thinks the rest takes, what it shows of running and of failed jobs."""

import io
import json
import logging
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from ontogeny.progress import VIEW
from snakemake_logger_plugin_ontogeny import SEEN, LogHandler, LogHandlerSettings
from snakemake_logger_plugin_ontogeny.view import Running, View, duration, measured_seconds, sentence_of, stages

ROOT = Path(__file__).parents[3]
STAGE = {"train_run": "train", "detect_jumps": "jumps", "plot_run": "figures"}


def test_every_rule_with_a_script_has_its_stage_and_no_target_has():
    stage = stages(ROOT)
    scripts = {path.stem for path in (ROOT / "workflow_scripts").glob("*.py")}
    assert set(stage) == scripts
    assert stage["train_run"] == "train"
    assert list(dict.fromkeys(stage.values()))[:2] == ["train", "jumps"]
    assert set(stage.values()) == {path.stem for path in (ROOT / "rules").glob("*.smk")} - {"common"}


@pytest.fixture
def view(monkeypatch):
    """A view of ten jobs, and the clock that it reads."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr("snakemake_logger_plugin_ontogeny.view.time.time", lambda: clock.now)
    view = View(STAGE, {"train_run": 30.0, "detect_jumps": 2.0})
    view.planned({"train_run": 4, "detect_jumps": 4, "plot_run": 2, "all": 1})
    return view, clock


def test_time_left_follows_what_was_measured_before_and_now(view):
    view, clock = view
    assert view.seconds_left() == pytest.approx(4 * 30 + 4 * 2 + 2 * 16)  # one at a time, until more is known
    for job in (1, 2):
        view.started(job, "train_run", {"run": f"r{job}"}, "a.log")
    clock.now += 60
    view.finished(1)
    view.finished(2)
    # twice as slow as before, and two at once
    assert view.seconds_left() == pytest.approx((2 * 60 + 4 * 4 + 2 * 32) / 2)
    assert view.head() == f"2 of 10 jobs done, about {duration(100)} left"
    unknown = View(STAGE, total={"train_run": 1})
    assert unknown.seconds_left() != unknown.seconds_left()  # NaN: nothing is known


def test_a_running_job_is_given_what_its_share_of_the_work_says(view, tmp_path):
    view, clock = view
    view.planned({"train_run": 1})
    (tmp_path / "a.log").write_text("2026-01-01 00:00:00 INFO score: 1500/2000 (75%), 9.0/s, 40 s left\n")
    view.started(1, "train_run", {"run": "r1"}, str(tmp_path / "a.log"))
    clock.now += 600  # where 30 were expected
    assert view.seconds_left() == pytest.approx(200)
    view.running[1].log = str(tmp_path / "none.log")
    assert view.seconds_left() == pytest.approx(150)


def test_a_stage_is_one_line_and_says_what_runs(view, tmp_path, monkeypatch):
    view, clock = view
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results/runs/mlp/s0"
    folder.mkdir(parents=True)
    (tmp_path / "a.log").write_text("2026-01-01 00:00:00 INFO train mlp/s0: 40/400 (10%), 9.0/s, 40 s left, loss 1.2\n")
    (folder / "metrics.jsonl").write_text(json.dumps({"step": 55, "loss": 0.8251}) + '\n{"step": 56, "lo')
    clock.now = 0.0
    view.started(1, "train_run", {"run": "mlp/s0"}, "a.log")
    lines = view.lines(120, 24)
    assert len(lines) == 4
    assert re.search(r"░ +0 of 4 +train_run mlp/s0 \(step 55 of 400, loss 0.825\)$", lines[1]), lines
    assert "train_run mlp/s0 (step 55 of 400, loss 0.825)" in view.line()
    assert all(len(line) < 60 for line in view.lines(60, 24))
    assert len(view.lines(120, 4)) == 2  # no room: what works now


def test_a_failed_job_is_told_by_its_own_sentence(tmp_path):
    log = tmp_path / "a.log"
    log.write_text("2026-01-01 00:00:00 INFO begin\n2026-01-01 00:00:01 ERROR the loss is nan at step 3\n")
    assert Running("train_run", "mlp", str(log), 0.0).failure() == [
        "train_run (mlp): the loss is nan at step 3",
        f"  log: {log}",
    ]
    log.write_text('2026-01-01 00:00:01 ERROR Traceback (most recent call last):\n  File "x"\nKeyError: 3\n')
    assert sentence_of(log) == "KeyError: 3"
    assert sentence_of(tmp_path / "none") == ""


def test_a_job_that_was_killed_and_so_said_nothing_is_told_as_such(tmp_path):
    assert "killed" in Running("train_run", "mlp", str(tmp_path / "none.log"), 0.0).failure()[0]


def test_a_job_that_succeeds_at_another_attempt_has_not_failed(view):
    view, _ = view
    view.started(1, "train_run", {"run": "a"}, "none.log")
    assert view.stopped(1, "SLURM status is: 'TIMEOUT'")[0] == "train_run (a): SLURM status is: 'TIMEOUT'"
    view.started(1, "train_run", {"run": "a"}, "none.log")
    assert view.failures()
    view.finished(1)
    assert view.failures() == []


def test_a_job_that_ends_with_the_run_was_stopped(view):
    view, _ = view
    view.started(1, "train_run", {"run": "a"}, "none.log")
    view.ending = True
    assert view.stopped(1)[0] == "train_run (a): stopped, as the run was ended"


def test_the_view_and_the_jobs_speak_of_the_same_variable():
    assert SEEN == VIEW


def test_costs_come_from_benchmarks(tmp_path):
    for number, seconds in enumerate((1.0, 3.0)):
        path = tmp_path / "train_run" / f"r{number}" / "s0.tsv"
        path.parent.mkdir(parents=True)
        path.write_text(f"s\th:m:s\n{seconds}\t0:00:01\n")
    assert measured_seconds(tmp_path, ["train_run", "plot_run"]) == {"train_run": 2.0}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """What a handler leaves in the environment goes with the test."""
    monkeypatch.setenv(SEEN, "0")


def handler(**settings):
    given = dict.fromkeys(("quiet", "debug_dag", "verbose", "dryrun", "printshellcmds", "stdout", "nocolor"))
    made = LogHandler(SimpleNamespace(**given, show_failed_logs=False), LogHandlerSettings(**settings))
    made.stream = made.own.stream = io.StringIO()
    return made


def record(text=None, level=logging.INFO, **extra):
    made = logging.LogRecord("snakemake", level, "", 0, text, None, None)
    made.__dict__.update(extra)
    return made


def story(made, jobs, fails=()):
    """A run of so many jobs, as Snakemake tells it."""
    made.emit(record("Building DAG of jobs...\n"))
    made.emit(record("Job stats", event=LogEvent.RUN_INFO, stats={"plot_run": jobs, "all": 1, "total": jobs + 1}))
    for job in range(jobs):
        about = {"rule_name": "plot_run", "wildcards": {"run": f"r{job}"}, "log": [f"{job}.log", "record.json"]}
        told = {"rule_msg": None, "reason": "", "local": False, "is_checkpoint": False, "input": [], "output": []}
        told |= {"benchmark": None, "priority": 0, "threads": 1, "resources": {}}
        made.emit(record("Rule", event=LogEvent.JOB_INFO, jobid=job, **about, **told))
        if job in fails:
            made.emit(record("RuleException:\nCalledProcessError in file x", logging.ERROR))
            made.emit(record("Error", logging.ERROR, event=LogEvent.JOB_ERROR, jobid=job))
        else:
            made.emit(record(f"Finished jobid: {job}", event=LogEvent.JOB_FINISHED, job_id=job))
    made.emit(record("Exiting because a job execution failed. Look above for error messages", logging.ERROR))
    made.emit(record("Complete log(s): here.log"))
    made.close()
    return made.stream.getvalue().splitlines()


def test_without_a_terminal_lines_are_few_whatever_the_number_of_jobs():
    assert len(story(handler(), 1000)) <= 60


def test_the_sentence_of_a_failed_job_comes_last(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "1.log").write_text("2026-01-01 00:00:00 ERROR no disk space left\n")
    lines = story(handler(), 3, fails=[1])
    assert lines[-3:] == ["Complete log(s): here.log", "plot_run (r1): no disk space left", "  log: 1.log"]
    assert not any(word in line for line in lines for word in ("Exiting", "CalledProcessError"))
    assert any("2 of 3 jobs done, 1 failed" in line for line in lines)


def test_on_a_terminal_the_view_is_drawn_over_itself():
    made = handler()
    made.live = True
    text = "\n".join(story(made, 3))
    assert "\x1b[2F\x1b[J" in text
    assert text.count("3 of 3 jobs done") == 1
    assert text.rstrip().endswith("Complete log(s): here.log")


def test_snakemakes_own_messages_are_one_flag_away():
    text = "\n".join(story(handler(standard=True), 2))
    assert "rule plot_run:" in text
    assert "Building DAG" in text
