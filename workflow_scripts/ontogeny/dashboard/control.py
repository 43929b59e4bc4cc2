"""Starting and stopping the pipeline from the dashboard, one at a time in each folder of results. No Streamlit here."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import ontogeny
from ontogeny.config import read_config, runs_of
from ontogeny.errors import OntogenyError
from ontogeny.files import read_json, write_json

TARGETS = ("all", "phase1", "jumps", "judge", "circuits", "connectome", "figures", "tables")
"""Targets of the pipeline that can be started, besides files."""

_FOLDER = ".dashboard"
_GRACE = 15.0
_started: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Job:
    """A pipeline that was started: its command, its process, when that began (in ticks since boot), and its log."""

    command: list[str]
    process: int
    began: int
    log: str

    @property
    def text(self) -> str:
        """The command as one would type it."""
        return shown(self.command)


def shown(command: Sequence[str]) -> str:
    """A command as one would type it."""
    words = [Path(word).name if word == sys.executable else word for word in command]
    return shlex.join(words)


def pipeline_command(
    results: str | os.PathLike, config: str | os.PathLike, target: str = "all", cores: int = 2
) -> list[str]:
    """What has to be typed to make `target` of a configuration into a folder of results.

    Raises OntogenyError if the folder is not called results, the configuration is wrong, or no Snakefile is here.
    """
    results, config = Path(results).absolute(), Path(config).absolute()
    if results.name != "results":
        raise OntogenyError(f"{results} is not called results: the pipeline writes into a folder of that name only")
    if target not in TARGETS:
        raise OntogenyError(f"{target!r} is no target that can be started here: choose from {', '.join(TARGETS)}")
    read_config(config)
    snakefile = Path(ontogeny.__file__).parents[2] / "Snakefile"
    if not snakefile.is_file():
        raise OntogenyError(
            f"{snakefile} is missing: start from a checkout of the project, installed by pip install -e"
        )
    return [
        sys.executable, "-m", "snakemake", "--snakefile", str(snakefile), "--configfile", str(config),
        "--directory", str(results.parent), "--cores", str(cores), "--nocolor", target,
    ]  # fmt: skip


def followers(results: str | os.PathLike, config: str | os.PathLike) -> list[list[str]]:
    """The commands that measure the judges of a configuration while they train, one for each that is not trained."""
    root = Path(results).absolute() / "runs"
    names = [name for name, run in runs_of(read_config(config)).items() if run.kind == "judge"]
    return [
        [sys.executable, "-m", "ontogeny.cli", "follow", str(root / name), "--config", str(Path(config).absolute())]
        for name in names
        if not (root / name / "config.json").exists()
    ]


def start(results: str | os.PathLike, command: Sequence[str], beside: Sequence[Sequence[str]] = ()) -> Job:
    """Start a command in the folder that holds `results`, and others `beside` it, which end when it does.

    Raises OntogenyError if one that was started before still runs.
    """
    results = Path(results).absolute()
    if running(job_of(results)) is not None:
        raise OntogenyError("a pipeline runs here already: stop it first, or wait until it has ended")
    results.mkdir(parents=True, exist_ok=True)
    log = results / _FOLDER / "pipeline.log"
    log.parent.mkdir(exist_ok=True)
    package = str(Path(ontogeny.__file__).parents[1])
    path = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
    with log.open("wb") as said:
        said.write(f"{shown(command)}\n\n".encode())
        said.flush()

        def launch(arguments: Sequence[str], group: int) -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                list(arguments), cwd=results.parent, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT,
                process_group=group, preexec_fn=_heed_interrupts, env={**os.environ, "PYTHONPATH": path},
            )  # fmt: skip

        first = launch(command, 0)
        _started[first.pid] = first
        for other in beside:
            follower = launch([*other, "--while", str(first.pid)], first.pid)
            _started[follower.pid] = follower
    job = Job(list(command), first.pid, _began(first.pid), str(log))
    write_json(results / _FOLDER / "job.json", asdict(job))
    return job


def _heed_interrupts() -> None:
    """Undo what a shell does to a dashboard that it starts in the background: its children ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def job_of(results: str | os.PathLike) -> Job | None:
    """The pipeline that was last started for a folder of results, by this dashboard or another; None if none was."""
    try:
        found = read_json(Path(results) / _FOLDER / "job.json")
        return Job(list(found["command"]), int(found["process"]), int(found["began"]), str(found["log"]))
    except (OntogenyError, KeyError, TypeError, ValueError):
        return None


def running(job: Job | None) -> Job | None:
    """The job, if its process still runs."""
    for process in list(_started.values()):
        process.poll()
    return job if job is not None and job.began and _began(job.process) == job.began else None


def stop(job: Job, grace: float = _GRACE) -> None:
    """Stop a pipeline as Ctrl-C does; what is unfinished goes on from its last checkpoint when it is started again.

    It is killed if it has not ended after `grace` seconds. Any other process is left alone.
    """
    for what, patience in ((signal.SIGINT, grace), (signal.SIGTERM, grace / 3), (signal.SIGKILL, grace / 3)):
        if running(job) is None:
            break
        os.killpg(job.process, what)
        until = time.monotonic() + patience
        while running(job) is not None and time.monotonic() < until:
            time.sleep(0.1)


def said_by(job: Job, lines: int = 30) -> str:
    """The end of what a pipeline has said."""
    try:
        text = Path(job.log).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _began(process: int) -> int:
    """When a process began, in ticks since boot; 0 if there is none, or it has ended and waits to be collected."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return 0 if fields[0] == "Z" else int(fields[19])
    except (OSError, IndexError, ValueError):
        return 0 if Path("/proc/self/stat").exists() else int(answers(process))


def answers(process: int) -> bool:
    """Whether a process is there to take signals; one that has ended and waits to be collected still is."""
    try:
        os.kill(process, 0)
    except OSError:
        return False
    return True
