"""Snakemake, imported once: `snakemake` asks a process that forks for every call.

That process, `python -I warm.py`, reads a call a line as JSON and answers with a line each, `[exit status, seconds of
CPU]`, when it is over. A child is what the program would be after its imports: its command line, folder, environment
and search path are those of the call, standard output and errors go to the file `said`, and nothing of the project
has been imported.
"""

import gc
import importlib
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile

PROGRAM = str(Path(sys.executable).with_name("snakemake"))
WITH_IT = ["snakemake.cli", "snakemake.report.html_reporter", "boto3", "jinja2", "jsonschema", "pydantic", "yte"]


@cache
def server():
    command = [sys.executable, "-I", __file__]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def snakemake(*arguments, folder, environment=None):
    """Exit status, text and seconds of CPU (children included) of a call of Snakemake in `folder`."""
    with NamedTemporaryFile("r", encoding="utf-8", errors="replace") as said:
        about = {"environment": dict(environment or os.environ), "folder": str(folder), "said": said.name}
        server().stdin.write(json.dumps({"command": [PROGRAM, *map(str, arguments)], **about}) + "\n")
        server().stdin.flush()
        status, cpu = json.loads(server().stdout.readline())
        return status, said.read(), cpu


def call(command, environment, folder, said):
    """What the program `command[0]` does, in this process."""
    written = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for descriptor, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, written), (2, written)):
        os.dup2(file, descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    given = [os.path.abspath(path) for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = [str(Path(command[0]).parent), *given]
    sys.argv = command
    importlib.import_module("snakemake.workflow").Workflow._rundir = folder
    importlib.import_module("snakemake.cli").main()


def serve():
    """Answers calls until there are no more. A child leaves the loop, and ends as any program does."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            call(**json.loads(line))
            break
        _, status, used = os.wait4(child, 0)
        print(json.dumps([os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime]), flush=True)


if __name__ == "__main__":
    gc.disable()
    for module in WITH_IT:
        importlib.import_module(module)
    gc.freeze()  # else the garbage collector of each child would scan all that was imported, and so copy its memory
    gc.enable()
    serve()
