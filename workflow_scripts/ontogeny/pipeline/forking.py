"""Jobs that begin with their libraries loaded.

Importing libraries is most of what a short job does. On a workstation one process imports, once, what the scripts of
the plan import, and every job is a fork of it. Whatever is out of the ordinary (containers, Conda, several threads, a
GPU, a cluster, few jobs, other systems than Linux) starts a Python of its own, as Snakemake does without this module.
"""

from __future__ import annotations

import atexit
import gc
import os
import runpy
import signal
import sys
import time
from _thread import start_new_thread
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from importlib.machinery import ModuleSpec
from inspect import signature
from multiprocessing import forkserver, get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from subprocess import CalledProcessError
from threading import Lock
from typing import Any

from ontogeny.code import PACKAGE, files_of_code

FEWEST = 10
"""Jobs from which on it is worth it."""
ENDING = 10
"""Seconds within which the process with the libraries is gone once it answers no more."""
SAMPLED = 5
"""Seconds between the samples of a benchmark after the first few, which cost Snakemake 10 ms of CPU each."""
ALONE = "ONTOGENY_ALONE"
"""Variable of the environment that, if set, gives every job a Python of its own."""
LATER = [
    "h5py", "jinja2", "PIL.Image", "scipy.ndimage", "scipy.signal", "scipy.stats", "sklearn.cluster",
    "sklearn.feature_extraction.text", "sklearn.linear_model", "sklearn.metrics", "sklearn.pipeline",
    "sklearn.preprocessing", "fontTools.subset", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_pdf",
    "statsmodels.regression.mixed_linear_model",
]  # fmt: skip
"""What the package imports inside functions, as not all of its users need it."""
LATER_IN_JUDGES = ["transformers.models.auto.modeling_auto", "transformers.models.llama.modeling_llama"]
EXPECTED = ["fname", "edit"]
"""The parameters of the method of Snakemake that is replaced."""
WRITTEN = ["preamble", "fd"]
"""The parameters of the method of Snakemake that writes a script, after what it puts before."""
FIRST = "from ontogeny.progress import expect_failure; expect_failure(snakemake)\n"
"""What the scripts of this project do before anything of their own."""
USED = {"resources", "threads", "shadow_dir", "bench_record"}
"""What is read of the script that it belongs to."""
SINGLE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
"""Variables that hold numerical libraries to one thread, which they read when they are loaded."""
_DIES_WITH_PARENT = 1  # PR_SET_PDEATHSIG of linux/prctl.h


def log_failed_imports(scripts: Path) -> None:
    """Let the jobs of all scripts in the folder `scripts` write to their logs what they could not import."""
    from snakemake.script import PythonScript

    ordinary = PythonScript.write_script
    if list(signature(ordinary).parameters)[1:] != WRITTEN or hasattr(ordinary, "before"):
        return

    def write_script(script: Any, preamble: str, fd: Any) -> None:
        path = os.path.realpath(script.path.get_path_or_uri(secret_free=True))
        ordinary(script, preamble + FIRST * (os.path.dirname(path) == os.path.realpath(scripts)), fd)

    write_script.before = ordinary  # type: ignore[attr-defined]
    PythonScript.write_script = write_script


def stop_when_told() -> None:
    """Let SIGTERM stop Snakemake at any moment.

    It answers the signal by taking a lock. The thread that is interrupted holds that lock while it finishes a job, and
    would wait for itself; another thread waits until the job is finished.
    """
    from snakemake.scheduling.job_scheduler import JobScheduler

    ordinary = JobScheduler.exit_gracefully
    if hasattr(ordinary, "before"):
        return

    def exit_gracefully(scheduler: Any, *told: Any) -> None:
        start_new_thread(ordinary, (scheduler, *told))

    exit_gracefully.before = ordinary  # type: ignore[attr-defined]
    JobScheduler.exit_gracefully = exit_gracefully


def fork_jobs(workflow: Any, scripts: Path) -> None:
    """Let the jobs that Snakemake's `workflow` is about to do, with `scripts`, be forks where that is worth it."""
    from snakemake.logging import logger
    from snakemake.script import PythonScript

    names = [job.rule.name for job in workflow.dag.needrun_jobs() if job.rule.script]
    here = workflow.is_main_process and workflow.local_exec and not workflow.dryrun and not workflow.touch
    own = workflow.deployment_settings.deployment_method or workflow.execution_settings.debug or os.environ.get(ALONE)
    if sys.platform != "linux" or not here or own or len(names) < FEWEST:
        return
    ordinary = PythonScript.execute_script
    if list(signature(ordinary).parameters)[1:] != EXPECTED or USED - set(signature(PythonScript).parameters):
        logger.warning(
            "this version of Snakemake starts scripts in another way: every job starts a Python of its own, which "
            "takes longer and makes the same files; Snakemake 9.27 lets them share one"
        )
        return
    files = _files(set(names), scripts)
    loaded = _stamps(files)
    try:
        forks = _Forks(list(_modules(set(names), files)))
    except OSError as error:
        logger.warning(f"every job starts a Python of its own: {error}")
        return

    def execute_script(script: Any, file: str, edit: bool = False) -> None:
        asked = script.resources
        unusual = int(script.threads) > 1 or script.shadow_dir or asked.get("gpu") or asked.get("shell_exec")
        if unusual or _stamps(files) != loaded or not forks.run(file, asked.get("tmpdir"), script.bench_record):
            ordinary(script, file, edit=edit)

    PythonScript.execute_script = execute_script


def _files(names: set[str], scripts: Path) -> list[Path]:
    """The files of the package that these scripts use."""
    found = {file for name in names for file in files_of_code(scripts / f"{name}.py")}
    return sorted(file for file in found if file.suffix == ".py" and file.is_relative_to(PACKAGE))


def _stamps(files: list[Path]) -> list[tuple[int, int]] | None:
    """What changes when one of `files` is edited: a job that starts after that must not run what was loaded before."""
    try:
        return [(found.st_mtime_ns, found.st_size) for found in map(os.stat, files)]
    except OSError:
        return None


def _modules(names: set[str], files: list[Path]) -> Iterator[str]:
    """The modules of these scripts and files, libraries that they import inside functions first."""
    yield from LATER
    if any("judge" in name for name in names):
        yield from LATER_IN_JUDGES
    yield "ontogeny.pipeline.job"
    for file in files:
        parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class _Forks:
    """A process that has `modules` loaded, and forks of it."""

    def __init__(self, modules: list[str]) -> None:
        self._context, self._lock = get_context("forkserver"), Lock()
        self._context.set_forkserver_preload(modules)
        # multiprocessing has every fork import the program that runs here, unless its name ends like this.
        sys.modules["__main__"].__spec__ = ModuleSpec("snakemake.__main__", None)
        before = dict(os.environ)
        os.environ |= SINGLE
        forkserver.ensure_running()
        os.environ.clear()
        os.environ |= before
        with suppress(AttributeError):  # else it ends by itself, a moment later
            atexit.register(forkserver._forkserver._stop)  # type: ignore[attr-defined]
        # Once it has ended there are no forks any more: multiprocessing would load everything once more.
        forkserver._forkserver.ensure_running = lambda: None  # type: ignore[method-assign]

    def run(self, file: str, tmpdir: str | None = None, bench_record: Any = None) -> bool:
        """Run a script in a fork, and wait for it. Returns whether there was a fork, as there is none once the process
        with the modules has ended, and raises CalledProcessError unless that ended well."""
        from snakemake.benchmark import benchmarked

        places = dict.fromkeys(("TMPDIR", "TMP", "TEMPDIR", "TEMP"), tmpdir) if tmpdir else {}
        hears, tells = self._context.Pipe(duplex=False)
        server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
        job = self._context.Process(target=_run, args=(file, {**os.environ, **places, **SINGLE}, tells, server))
        with self._lock:
            started = _end(server) is None
            try:
                if started:
                    job.start()
            except (OSError, EOFError):  # it ends this moment
                started = False
                until = time.monotonic() + ENDING
                while _end(server) is None and time.monotonic() < until:
                    time.sleep(0.01)
        if not started:
            end = _end(server)
            if end == (os.CLD_KILLED, signal.SIGINT):
                raise CalledProcessError(-signal.SIGINT, file)  # by Ctrl-C, while it loaded
            return False
        tells.close()
        with nullcontext() if bench_record is None else benchmarked(job.pid, bench_record, SAMPLED):
            wait([job.sentinel])
        with self._lock:
            job.join()
        if bench_record is not None and hears.poll():  # nothing comes from a fork that was killed
            _complete(bench_record, hears)
        if job.exitcode:
            raise CalledProcessError(job.exitcode, file)
        return True


def _end(child: int) -> tuple[int, int] | None:
    """How a child ended, by code and status, zeros where somebody else was told; None while it runs."""
    try:
        found = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return 0, 0
    return None if found is None else (found.si_code, found.si_status)


def _complete(bench_record: Any, hears: Connection) -> None:
    """Put the CPU time and peak memory of a whole job in place of what was sampled."""
    with suppress(EOFError):
        cpu_time, peak = hears.recv()
        bench_record.cpu_time, bench_record.cpu_usage = cpu_time, 100 * cpu_time
        bench_record.max_rss, bench_record.data_collected = max(bench_record.max_rss or 0, peak), True


def _run(file: str, environment: dict[str, str], tells: Connection, server: int) -> None:
    import ctypes
    import resource

    # A job that nobody waits for any more must not write what the next call of Snakemake writes, too. The server ends
    # when Snakemake was killed, unless a job holds what tells it.
    ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)
    os.close(forkserver._forkserver._forkserver_alive_fd)  # type: ignore[attr-defined]
    gc.freeze()  # what came with the fork is shared memory as long as nobody writes to it, as the collector does
    os.environ.clear()
    os.environ |= environment
    try:
        runpy.run_path(file, run_name="__main__")
    except Exception:
        sys.excepthook(*sys.exc_info())
        sys.exit(1)
    finally:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        cpu_time, peak = sum(each.ru_utime + each.ru_stime for each in used), max(each.ru_maxrss for each in used)
        with suppress(OSError):  # Snakemake may have been killed
            tells.send((cpu_time, peak / 1024))
