"""A job that is stopped says so in its log."""

import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from ontogeny.errors import OntogenyError
from ontogeny.pipeline import job
from ontogeny.pipeline.overview import failure
from ontogeny.progress import expect_failure
from snakemake_logger_plugin_ontogeny.view import sentence_of


@pytest.mark.parametrize("words", ["", "Unable to allocate 3 TiB"])
def test_memory_that_runs_out_is_a_sentence(tmp_path, capsys, words, monkeypatch):
    monkeypatch.delenv("ONTOGENY_VIEW", raising=False)
    log = str(tmp_path / "log")
    asked = SimpleNamespace(
        rule="train_run", wildcards={"run": "a/s0"}, log=[log], threads=1, input=[], output=[], params={}
    )
    with pytest.raises(SystemExit), job(asked):
        raise MemoryError(words)
    sentence = sentence_of(log)
    assert sentence.startswith(f"there is not enough memory{f' ({words})' if words else ''}: run fewer jobs")
    assert f"train_run (run a/s0): {sentence}" in capsys.readouterr().err


@pytest.mark.parametrize(("view", "told"), [("", True), ("yes", False)])
def test_what_fails_before_the_work_begins_is_in_the_log(tmp_path, capsys, monkeypatch, view, told):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setenv("ONTOGENY_VIEW", view) if view else monkeypatch.delenv("ONTOGENY_VIEW", raising=False)
    log = tmp_path / "logs" / "log"
    expect_failure(SimpleNamespace(rule="train_run", wildcards={"run": "a/s0"}, log=[str(log)]))
    try:
        import nowhere  # noqa: F401
    except ImportError:
        sys.excepthook(*sys.exc_info())
    why = "ModuleNotFoundError: No module named 'nowhere'"
    assert sentence_of(log) == why
    sentence = f"train_run (run a/s0): unexpected {why}; the traceback is in {log}"
    assert (sentence in capsys.readouterr().err) == told


@pytest.mark.parametrize("error", [OntogenyError("no disk space left"), ValueError("no disk space left")])
def test_a_job_whose_log_cannot_be_written_says_why_itself(tmp_path, small_disk, capsys, monkeypatch, error):
    small_disk(tmp_path, "size=200k")
    monkeypatch.setenv("ONTOGENY_VIEW", "yes")
    log = tmp_path / "log"
    asked = SimpleNamespace(rule="train_run", wildcards={}, log=[str(log)], threads=1, input=[], output=[], params={})
    (tmp_path / "data").write_bytes(bytes(200 * 1024))
    with pytest.raises(SystemExit), job(asked):
        raise error
    said = capsys.readouterr().err
    assert f"no disk space left; nothing could be written to {log}" in said
    assert not log.stat().st_size


def test_a_job_that_is_stopped_says_so(tmp_path):
    code = (
        "import signal\nimport time\nfrom types import SimpleNamespace\nfrom ontogeny.pipeline import job\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell starts what it puts behind without it
        f"asked = SimpleNamespace(log=[{str(tmp_path / 'log')!r}], threads=1, input=[], output=[], params={{}})\n"
        "with job(asked):\n    print('at work', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 128 + signal.SIGINT
    assert "stopped by the user" in (tmp_path / "log").read_text()
    assert failure(tmp_path / "log") is None
