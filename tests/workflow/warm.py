"""Snakemake and the libraries of its jobs, imported once: `snakemake` asks a process that forks for every call.

That process, `python -I warm.py`, reads a call a line as JSON and answers with a line each, `[exit status, seconds of
CPU]`, when it is over. A child is what the program would be after its imports: its command line, folder, environment
and search path are those of the call, standard output and errors go to the file `said`, and nothing of the project
has been imported.

The same holds for a script that Snakemake starts in a Python of its own: a second child, made before Snakemake reads
anything of the project, forks for every script that it is asked to run.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import threading
from contextlib import nullcontext, suppress
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

PROGRAM = str(Path(sys.executable).with_name("snakemake"))
WITH_IT = [
    "boto3", "jinja2", "jsonschema", "nbformat", "platformdirs", "pydantic", "smart_open", "snakemake.cli",
    "snakemake.profiles", "snakemake.report.html_reporter", "snakemake.storage", "snakemake_storage_plugin_fs",
    "snakemake_storage_plugin_s3", "yte",
]  # fmt: skip
OF_JOBS = [
    "h5py", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_pdf", "matplotlib.pyplot", "numba",
    "pandas", "safetensors.torch", "scipy.ndimage", "scipy.signal", "scipy.stats", "sklearn.cluster",
    "sklearn.linear_model", "sklearn.metrics", "sklearn.pipeline", "statsmodels.regression.mixed_linear_model", "torch",
]  # fmt: skip
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@cache
def server(preloaded=None):
    """The process that forks, with the library `preloaded` if there is one."""
    about = os.environ | ({"LD_PRELOAD": preloaded} if preloaded else {})
    command = [sys.executable, "-I", __file__]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=about)


def snakemake(*arguments, folder, environment=None, program=PROGRAM):
    """Exit status, text and seconds of CPU (children included) of a call of Snakemake in `folder`.

    `program` is a Python file that calls Snakemake, if not Snakemake itself.
    """
    environment = dict(environment or os.environ)
    asked = server(environment.get("LD_PRELOAD"))
    with NamedTemporaryFile("r", encoding="utf-8", errors="replace") as said:
        about = {"environment": environment, "folder": str(folder), "said": said.name}
        asked.stdin.write(json.dumps({"command": [str(program), *map(str, arguments)], **about}) + "\n")
        asked.stdin.flush()
        status, cpu = json.loads(asked.stdout.readline())
        return status, said.read(), cpu


def become(command, environment, folder):
    """Take the command line, environment, folder and search path of a program that starts."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    given = [os.path.abspath(path) for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = [str(Path(command[0]).parent), *given]
    sys.argv, sys.orig_argv = command, [sys.executable, *command]
    with suppress(ImportError):
        importlib.import_module("sitecustomize")


def call(command, environment, folder, said):
    """What the program `command[0]` does, in this process."""
    written = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, written), (2, written)):
        os.dup2(file, descriptor)
    asks, asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    runs_scripts = os.fork()
    if not runs_scripts:
        asks.close()
        end_with(run_scripts, asked)
    asked.close()
    atexit.register(lambda: (asks.close(), os.waitpid(runs_scripts, 0)))
    become(command, environment, folder)
    run_in_forks(asks)
    importlib.import_module("snakemake.workflow").Workflow._rundir = folder
    if command[0].endswith(".py"):
        return runpy.run_path(command[0], run_name="__main__")
    return importlib.import_module("snakemake.cli").main()


def run_scripts(asked):
    """Answers requests for scripts, each by a process that runs the script, and one that says how it ended."""
    waiting = []
    while (request := socket.recv_fds(asked, 1 << 20, 1))[0]:
        request, (told, *_), *_ = request
        waiting = [child for child in waiting if os.waitpid(child, os.WNOHANG) == (0, 0)]
        if child := os.fork():
            os.close(told)
            waiting.append(child)
            continue
        asked.close()
        job = os.fork()
        if not job:
            os.close(told)
            file, *about = json.loads(request)
            end_with(run_script, file, *about)
        os.write(told, f"{job}\n".encode())
        _, status = os.waitpid(job, 0)
        os.write(told, f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)
    for child in waiting:
        os.waitpid(child, 0)


def run_script(file, environment, folder):
    become([file], environment, folder)
    runpy.run_path(file, run_name="__main__")


def end_with(work, *arguments, **named):
    """Do `work`, and end as a program does, but for its memory, which stays as it is.

    To take apart all that was imported would copy it, which costs as much as many a call.
    """
    status = 0
    try:
        work(*arguments, **named)
    except SystemExit as end:
        status = end.code or 0
        if not isinstance(status, int):
            print(status, file=sys.stderr)
            status = 1
    except Exception:
        sys.excepthook(*sys.exc_info())
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def run_in_forks(asks):
    """Let Snakemake ask for scripts that run in the ordinary Python, with the environment that it gives them."""
    benchmarked = importlib.import_module("snakemake.benchmark").benchmarked
    script = importlib.import_module("snakemake.script").PythonScript
    ordinary = script.execute_script

    def execute_script(self, fname, edit=False):
        if edit or self.container_img or self.conda_env or self.env_modules or self.shadow_dir:
            return ordinary(self, fname, edit)
        place = self.resources.get("tmpdir")
        places = dict.fromkeys(("TMPDIR", "TMP", "TEMPDIR", "TEMP"), place) if place else {}
        environment = {**os.environ, **dict.fromkeys(THREADS, str(self.threads)), **places}
        hears, tells = os.pipe()
        socket.send_fds(asks, [json.dumps([os.path.abspath(fname), environment, os.getcwd()]).encode()], [tells])
        os.close(tells)
        with open(hears) as said:
            job, measured = int(said.readline()), self.bench_record
            with nullcontext() if measured is None else benchmarked(job, measured):
                status = int(said.readline())
        if status:
            raise subprocess.CalledProcessError(status, fname)

    script.execute_script = execute_script


def serve():
    """Answers calls until there are no more."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            end_with(call, **json.loads(line))
        _, status, used = os.wait4(child, 0)
        print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime]), flush=True)


if __name__ == "__main__":
    gc.disable()
    for module in WITH_IT + OF_JOBS:
        importlib.import_module(module)
    for kind in ("Executor", "Report", "Scheduler", "Storage"):  # not the loggers, of which one is the project's
        registry = importlib.import_module(f"snakemake_interface_{kind.lower()}_plugins.registry")
        getattr(registry, f"{kind}PluginRegistry")()
    gc.freeze()  # else the garbage collector of each child would scan all that was imported, and so copy its memory
    gc.set_threshold(50_000, 20, 20)
    gc.enable()
    serve()
