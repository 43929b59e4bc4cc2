"""Jobs that are forks of a process which has their libraries loaded."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.script import PythonScript

from ontogeny.pipeline import forking
from ontogeny.pipeline.forking import FEWEST, _files, _modules, fork_jobs

SCRIPTS = Path(__file__).parents[3] / "workflow_scripts"
PROGRAM = """
import json, sys
from subprocess import CalledProcessError
from threading import Thread
from snakemake.benchmark import BenchmarkRecord
from ontogeny.pipeline.forking import _Forks

forks, ended, record = _Forks(["decimal"]), {}, BenchmarkRecord()

def run(name):
    try:
        ended[name] = forks.run(f"{name}.py", "scratch", record if name == "fine" else None)
    except CalledProcessError as error:
        ended[name] = error.returncode

jobs = [Thread(target=run, args=[name]) for name in sys.argv[1:]]
[job.start() for job in jobs]
[job.join() for job in jobs]
print(json.dumps([ended, record.data_collected, record.cpu_time, record.max_rss]))
"""

ABANDONED = """
import os, signal, sys, time
from pathlib import Path
from subprocess import CalledProcessError
from threading import Thread
from ontogeny.pipeline.forking import _Forks

forks, ended = _Forks(["decimal"]), []

def run():
    try:
        forks.run("slow.py")
    except CalledProcessError:
        ended.append("failed")

job = Thread(target=run)
job.start()
while not Path("pids").exists():
    time.sleep(0.01)
os.kill(os.getpid() if sys.argv[1] == "program" else int(Path("pids").read_text().split()[1]), signal.SIGKILL)
job.join()
print(ended, forks.run("slow.py"))
"""

STOPPED = """
import os, signal, time
from multiprocessing import forkserver
from pathlib import Path
from subprocess import CalledProcessError
from ontogeny.pipeline.forking import _Forks

signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background ignores Ctrl-C
forks = _Forks(["slowly"])
while not Path("loads").exists():
    time.sleep(0.01)
os.kill(forkserver._forkserver._forkserver_pid, signal.SIGINT)
try:
    print(forks.run("never.py"))
except CalledProcessError as error:
    print(error.returncode)
"""

REAPED = """
import os, signal
from multiprocessing import forkserver
from ontogeny.pipeline import forking

forking.ENDING = float("inf")
forks = forking._Forks(["decimal"])
server = forkserver._forkserver._forkserver_pid
os.kill(server, signal.SIGKILL)
os.waitpid(server, 0)
print(forks.run("never.py"))
"""

TOLD = """
import os, signal
from threading import Lock, Semaphore
from snakemake.scheduling.job_scheduler import JobScheduler
from ontogeny.pipeline.forking import stop_when_told

stop_when_told()
stop_when_told()
scheduler = JobScheduler.__new__(JobScheduler)
scheduler._lock, scheduler._open_jobs = Lock(), Semaphore(0)
signal.signal(signal.SIGTERM, scheduler.exit_gracefully)
with scheduler._lock:  # as it is held while a job is finished
    os.kill(os.getpid(), signal.SIGTERM)
scheduler._open_jobs.acquire(timeout=60)
print(scheduler._user_kill)
"""


def start(folder, program, *words, **environment):
    """What Python comes to with the text `program` in `folder`, where it also finds modules."""
    (folder / "program.py").write_text(program)
    path = {"PYTHONPATH": f"{SCRIPTS}{os.pathsep}{folder}"}
    return subprocess.run(
        [sys.executable, "program.py", *words], cwd=folder, capture_output=True, text=True,
        env=os.environ | path | environment, timeout=100,
    )  # fmt: skip


def planned(jobs):
    rule = SimpleNamespace(name="plot_run", script="plot_run.py")
    return SimpleNamespace(needrun_jobs=lambda: [SimpleNamespace(rule=rule)] * jobs)


USUAL = {
    "dag": planned(FEWEST), "is_main_process": True, "local_exec": True, "dryrun": False, "touch": False,
    "deployment_settings": SimpleNamespace(deployment_method=set()),
    "execution_settings": SimpleNamespace(debug=False),
}  # fmt: skip


def test_a_fork_ends_as_its_script_does_and_has_libraries_environment_and_benchmark(tmp_path):
    told = "[__name__, 'decimal' in loaded, os.environ['TMPDIR'], os.environ['OMP_NUM_THREADS'], os.environ['GIVEN']]"
    write = f"import json, os, sys, time; loaded = set(sys.modules); json.dump({told}, open('said.json', 'w'))"
    scripts = {
        "fine": f"{write}\nwhile time.process_time() < 0.2: pass",
        "refuses": "import sys; sys.exit(3)",
        "raises": "1 / 0",
        "killed": "import os; os.kill(os.getpid(), 9)",
    }
    for name, text in scripts.items():
        (tmp_path / f"{name}.py").write_text(text)
    done = start(tmp_path, PROGRAM, *scripts, GIVEN="yes")
    assert done.returncode == 0, done.stderr
    ended, sampled, cpu_time, peak = json.loads(done.stdout)
    assert ended == {"fine": True, "refuses": 3, "raises": 1, "killed": -9}
    assert sampled
    assert 0.2 <= cpu_time < 2
    assert 5 < peak < 500
    assert json.loads((tmp_path / "said.json").read_text()) == ["__main__", True, "scratch", "1", "yes"]
    assert "ZeroDivisionError" in done.stderr
    assert done.stderr.count("Traceback") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="forks are for Linux")
@pytest.mark.parametrize("killed", ["program", "server"])
def test_no_fork_outlives_what_waits_for_it(killed, tmp_path):
    told = "import os, time\nfrom pathlib import Path\n"
    told += "Path('told').write_text(f'{os.getpid()} {os.getppid()}')\nos.rename('told', 'pids')\ntime.sleep(100)"
    (tmp_path / "slow.py").write_text(told)
    done = start(tmp_path, ABANDONED, killed)
    assert done.stdout == ("['failed'] False\n" if killed == "server" else ""), done.stderr
    status = Path(f"/proc/{(tmp_path / 'pids').read_text().split()[0]}/status")
    end = time.monotonic() + 30
    while status.exists() and "State:\tZ" not in status.read_text():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="forks are for Linux")
def test_no_job_begins_after_ctrl_c_while_libraries_are_loaded(tmp_path):
    (tmp_path / "slowly.py").write_text("import time\nopen('loads', 'w').close()\ntime.sleep(100)")
    done = start(tmp_path, STOPPED)
    assert done.stdout == "-2\n", done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="forks are for Linux")
def test_nothing_is_waited_for_where_somebody_else_was_told_of_the_end(tmp_path):
    done = start(tmp_path, REAPED)
    assert done.stdout == "False\n", done.stderr


def test_snakemake_can_be_told_to_stop_while_it_finishes_a_job(tmp_path):
    done = start(tmp_path, TOLD)
    assert done.stdout == "graceful\n", done.stderr


def test_scripts_of_this_project_start_with_what_logs_their_imports(monkeypatch, tmp_path):
    written = []

    def write_script(self, preamble, fd):
        written.append(preamble)

    monkeypatch.setattr(PythonScript, "write_script", write_script)
    forking.log_failed_imports(SCRIPTS)
    forking.log_failed_imports(SCRIPTS)
    for folder in (f"{SCRIPTS}/../workflow_scripts", tmp_path):
        path = SimpleNamespace(get_path_or_uri=lambda secret_free, folder=folder: f"{folder}/train_run.py")
        PythonScript.write_script(SimpleNamespace(path=path), "first;", None)
    assert written == [f"first;{forking.FIRST}", "first;"]


def test_another_version_of_snakemake_writes_scripts_as_it_does(monkeypatch):
    def write_script(self, text):
        return text

    monkeypatch.setattr(PythonScript, "write_script", write_script)
    forking.log_failed_imports(SCRIPTS)
    assert PythonScript.write_script is write_script


@pytest.mark.parametrize("names", [{"plot_run"}, {"pretrain_judge", "train_run"}])
def test_what_is_loaded_is_what_the_scripts_use(names):
    found = list(_modules(names, _files(names, SCRIPTS)))
    assert len(found) == len(set(found))
    assert any(name.startswith("transformers") for name in found) == ("pretrain_judge" in names)
    assert ("ontogeny.training.loop" in found) == ("train_run" in names)
    assert ("ontogeny.jumps.figures" in found) == ("plot_run" in names)


@pytest.mark.parametrize(
    "unusual",
    [
        {"dag": planned(FEWEST - 1)},
        {"is_main_process": False},
        {"local_exec": False},
        {"deployment_settings": SimpleNamespace(deployment_method={"conda"})},
        {"execution_settings": SimpleNamespace(debug=True)},
        {"environment": "yes"},
    ],
    ids=["few jobs", "job of a cluster", "cluster", "conda", "debugger", "asked for"],
)
def test_out_of_the_ordinary_nothing_is_forked(unusual, monkeypatch):
    monkeypatch.setattr(forking, "_Forks", lambda modules: pytest.fail("a process was started"))
    monkeypatch.setenv(forking.ALONE, unusual.get("environment", ""))
    ordinary = PythonScript.execute_script
    fork_jobs(SimpleNamespace(**{**USUAL, **unusual}), SCRIPTS)
    assert PythonScript.execute_script is ordinary


@pytest.mark.skipif(sys.platform != "linux", reason="forks are for Linux")
def test_where_no_process_can_be_started_jobs_run_all_the_same(monkeypatch):
    def refuse(modules):
        raise OSError("no more processes")

    monkeypatch.setattr(forking, "_Forks", refuse)
    monkeypatch.delenv(forking.ALONE, raising=False)
    ordinary = PythonScript.execute_script
    fork_jobs(SimpleNamespace(**USUAL), SCRIPTS)
    assert PythonScript.execute_script is ordinary


@pytest.mark.skipif(sys.platform != "linux", reason="forks are for Linux")
def test_where_snakemake_starts_scripts_in_another_way_it_does_so_and_this_is_said(monkeypatch, caplog):
    monkeypatch.setattr(forking, "_Forks", lambda modules: pytest.fail("a process was started"))
    monkeypatch.delenv(forking.ALONE, raising=False)
    for changed in (lambda self, fname, edit, how: None, lambda self, script: None):
        monkeypatch.setattr(PythonScript, "execute_script", changed)
        caplog.clear()
        fork_jobs(SimpleNamespace(**USUAL), SCRIPTS)
        assert PythonScript.execute_script is changed
        assert "this version of Snakemake starts scripts in another way" in caplog.text


@pytest.mark.skipif(sys.platform != "linux", reason="forks are for Linux")
def test_a_job_that_starts_after_an_edit_does_not_run_what_was_loaded_before(monkeypatch, tmp_path):
    module, done = tmp_path / "module.py", []
    module.write_text("before = 1")
    forks = SimpleNamespace(run=lambda file, *_: done.append(f"{file} forked") or True)
    monkeypatch.setattr(forking, "_files", lambda names, scripts: [module])
    monkeypatch.setattr(forking, "_modules", lambda names, files: [])
    monkeypatch.setattr(forking, "_Forks", lambda modules: forks)
    monkeypatch.setattr(PythonScript, "execute_script", lambda self, fname, edit: done.append(f"{fname} alone"))
    monkeypatch.delenv(forking.ALONE, raising=False)
    fork_jobs(SimpleNamespace(**USUAL), SCRIPTS)
    job = SimpleNamespace(threads=1, shadow_dir=None, resources={}, bench_record=None)
    PythonScript.execute_script(job, "first.py")
    module.write_text("after = 22")
    PythonScript.execute_script(job, "second.py")
    module.unlink()
    PythonScript.execute_script(job, "third.py")
    assert done == ["first.py forked", "second.py alone", "third.py alone"]
