"""Starting and stopping the pipeline from the dashboard."""

import signal
import sys
import time

import pytest

pytest.importorskip("streamlit", reason="the extra `dashboard` is not installed")
from streamlit.testing.v1 import AppTest

from ontogeny.dashboard import control
from ontogeny.dashboard import pages as dashboard_pages
from ontogeny.errors import OntogenyError

JUDGE = """studies:
  judges:
    kind: judge
    runs:
      small: {task: {count: 100, n_probe: 8}, model: {layers: 2, width: 16, heads: 2, feedforward: 24}}
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(JUDGE)
    return path


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_job_and_what_stands_beside_it_are_stopped_together(tmp_path):
    """Also where the dashboard was started in the background, which lets its children ignore Ctrl-C."""
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _start_and_stop(tmp_path)
    finally:
        signal.signal(signal.SIGINT, ignored)


def _start_and_stop(tmp_path):
    results = tmp_path / "results"
    sleeper = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]
    job = control.start(results, sleeper, [sleeper])
    wait_for(lambda: control.said_by(job).count("here\n") + control.said_by(job).endswith("here") >= 2)
    assert control.said_by(job).startswith(control.shown(sleeper))
    again = control.job_of(results)
    assert control.running(again) == job
    beside = max(control._started)
    with pytest.raises(OntogenyError, match="runs here already"):
        control.start(results, sleeper)
    control.stop(again, 60.0)
    assert control._started[job.process].returncode == -signal.SIGINT
    wait_for(lambda: control._began(beside) == 0)


def test_a_process_of_another_that_has_the_same_number_is_left_alone(tmp_path):
    job = control.start(tmp_path / "results", [sys.executable, "-c", "import time; time.sleep(600)"])
    other = control.Job(job.command, job.process, job.began + 1, job.log)
    control.stop(other)
    assert control.running(job) == job
    control.stop(job)


def test_the_command_is_what_one_would_type(config, tmp_path):
    results = tmp_path / "results"
    command = control.pipeline_command(results, config, "judge", 1)
    assert command[command.index("--directory") + 1] == str(tmp_path)
    assert command[-1] == "judge"
    assert [each[4] for each in control.followers(results, config)] == [str(results / "runs" / "small" / "s0")]
    for wrong in ({"results": tmp_path}, {"target": "--unlock"}, {"config": tmp_path / "none.yaml"}):
        with pytest.raises(OntogenyError):
            control.pipeline_command(**{"results": results, "config": config, "target": "judge"} | wrong)


def test_start_and_stop_stand_on_the_page(config, tmp_path, monkeypatch):
    results = tmp_path / "results"
    monkeypatch.setattr("sys.argv", ["app.py", str(results)])
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr(control, "pipeline_command", lambda *_: sleeper)
    app = AppTest.from_file(str(dashboard_pages.__file__.replace("pages.py", "app.py")), default_timeout=60)
    app.query_params["page"] = "Live"
    app.run()
    assert app.text_input(key="config").value == str(config)
    assert "time.sleep(600)" in app.code[0].value
    assert "ontogeny.cli follow" in app.code[0].value
    monkeypatch.setattr(control, "followers", lambda *_: [])
    app.button(key="start").click().run()
    job = control.job_of(results)
    assert control.running(job) == job
    app.button(key="stop").click().run()
    assert control.running(job) is None
    assert not app.exception
