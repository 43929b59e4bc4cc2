"""What a plan would cost: its jobs by rule, with time and disk estimated from jobs that were measured before."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.code import PACKAGE
from ontogeny.config import read_config, runs_of
from ontogeny.errors import OntogenyError
from ontogeny.files import read_json
from ontogeny.pipeline.tables import cost_table
from ontogeny.words import counted

JOB_START = 1.4
"""CPU seconds that Snakemake takes to start a job, outside its script (measured: docs/explanation/scale.md)."""

_FLAG = re.compile(r" \(\w+\)$")
"""What Snakemake says of an output behind its name, such as that the job updates it."""

WORK = {
    "train_run": "step",
    "train_ensemble": "network",
    "enumerate_circuits": "network",
    "trace_circuits": "network",
    "train_judge": "epoch",
    "fit_connectome": "step",
    "evaluate_connectome": "run",
    "simulate_activity": "frame",
    "search_connectome": "block",
    "search_policy": "search",
}
"""Rules whose jobs cost as much as they are large, and the unit of their work: only like jobs say what they cost."""


@dataclass(frozen=True)
class Job:
    """A job: its rule, its name among the jobs of the rule, and its output files."""

    rule: str
    name: str
    outputs: tuple[str, ...] = ()


def planned_jobs(
    config: str | os.PathLike, targets: Iterable[str] = (), directory: str | os.PathLike = "."
) -> list[Job]:
    """The jobs that `snakemake` would run in `directory` for `targets`, by a dry-run.

    Raises OntogenyError with Snakemake's own words if it cannot plan.
    """
    snakefile = PACKAGE.parents[1] / "Snakefile"
    if not snakefile.is_file():
        raise OntogenyError(f"{snakefile} is missing: plan from a checkout of the project, installed by pip install -e")
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "1", "--nocolor", "-s", str(snakefile)]
    command += ["--directory", os.fspath(directory), "--configfile", os.path.abspath(config), "--", *targets]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        said = [line for line in done.stdout.splitlines() if line.strip()]
        raise OntogenyError(f"{config} cannot be planned: {said[-1] if said else 'Snakemake said nothing'}")
    return _read_plan(done.stdout)


def _read_plan(text: str) -> list[Job]:
    jobs = []
    for rule, block in re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", text, re.MULTILINE):
        parts = dict(re.findall(r"^    (\w+): (.*)$", block, re.MULTILINE))
        place = parts.get("benchmark") or parts.get("log")
        if place and "output" in parts:
            name = re.sub(rf"^results/\w+/{rule}/|\.\w+$", "", place)
            jobs.append(Job(rule, name, tuple(_FLAG.sub("", file) for file in parts["output"].split(", "))))
    return jobs


def estimate_cost(
    config: str | os.PathLike,
    targets: Iterable[str] = (),
    directory: str | os.PathLike = ".",
    measured: str | os.PathLike | None = None,
) -> pd.DataFrame:
    """One row per rule: jobs, jobs whose cost is unknown, CPU hours, GB on disk, and what the numbers rest on.

    `measured` is a folder of results (`results`) with benchmarks. A job of a rule of `WORK` is estimated only from
    measured jobs that are alike (same network, shape of data, batch and measurements, or same population): on the line
    through them where they differ in size, in proportion to its work where they do not; what it keeps on disk by its
    checkpoints, snapshots or networks in the same manner. A job of any other rule counts
    as the mean of the measured ones, whatever their size. What nothing was measured for is unknown (NaN), and in no
    sum. CPU includes the start of every job (`JOB_START`). Raises OntogenyError for a folder without benchmarks.
    """
    known = _Measured(Path(measured)) if measured is not None else None
    runs = {run.name: _About(run.identity(), run.study) for run in runs_of(read_config(config)).values()}
    activities = _activities(config)
    rows: dict[str, list[tuple[float, float, str]]] = {}
    for job in planned_jobs(config, targets, directory):
        work = _work(job.rule, job.name, runs, activities)
        found = known.predict(job, work, runs) if known else (math.nan, math.nan, "unknown")
        rows.setdefault(job.rule, []).append(found)
    table = [
        {
            "rule": rule,
            "jobs": len(found),
            "unknown": sum(math.isnan(cpu) for cpu, _, _ in found),
            "cpu_h": _sum(cpu + JOB_START for cpu, _, _ in found) / 3600,
            "disk_GB": _sum(size for _, size, _ in found) / 1e9,
            "basis": "; ".join(sorted({basis for _, _, basis in found})),
        }
        for rule, found in sorted(rows.items())
    ]
    return pd.DataFrame(table, columns=["rule", "jobs", "unknown", "cpu_h", "disk_GB", "basis"])


def cost_text(table: pd.DataFrame) -> str:
    """The table of `estimate_cost` for reading, and a sentence that sums it up."""
    shown = table.copy()
    for column in ("cpu_h", "disk_GB"):
        shown[column] = ["unknown" if math.isnan(value) else f"{value:.3g}" for value in table[column]]
    lines = ["\t".join(shown.columns), *("\t".join(map(str, row)) for row in shown.itertuples(index=False))]
    unknown, jobs = int(table["unknown"].sum()), int(table["jobs"].sum())
    hint = "--measured takes the results of a smaller run of the same networks and populations"
    total = f"{counted(jobs, 'job')}: {table['cpu_h'].sum():.3g} CPU hours and {table['disk_GB'].sum():.3g} GB"
    if 0 < unknown == jobs:
        total = f"{counted(jobs, 'job')}, and nothing like them was measured: {hint}"
    elif unknown:
        total = f"{total} for {jobs - unknown} of them; nothing like the other {unknown} was measured: {hint}"
    return "\n".join([*lines, total]) + "\n"


def _sum(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) if known else math.nan


@dataclass(frozen=True)
class _About:
    """Settings of a run that decide what it computes, and its study ("" if that is not known)."""

    identity: Mapping[str, Any]
    study: str


def _activities(config: str | os.PathLike) -> dict[str, dict[str, Any]]:
    from ontogeny.config.yaml_files import parse_yaml
    from ontogeny.connectome.populations import Populations
    from ontogeny.pipeline.workflow import Workflow

    plan = Workflow(parse_yaml(config), [config], str(PACKAGE.parents[1]))
    return {name: made["simulation"] for name, made in Populations(plan).activities.items()}


def _run_of(job: str, runs: Mapping[str, _About]) -> str | None:
    """The run that a job's name names, alone or after its study."""
    after = job.partition("/")[2]
    return job if job in runs else after if after in runs else None


@dataclass(frozen=True)
class _Work:
    """What the like jobs of a rule have in common (None: not known), how much the job does, and how much it keeps."""

    kind: str | None
    amount: float = 1.0
    kept: float = 1.0


def _work(rule: str, job: str, runs: Mapping[str, _About], activities: Mapping[str, Mapping[str, Any]]) -> _Work:
    if rule not in WORK:
        return _Work("any")
    if rule == "simulate_activity":
        made = activities.get(job)
        if made is None:
            return _Work(None)
        frames = made["n_trajectories"] * made["n_frames"]
        return _Work(_key([made["n_neurons"], made["n_trajectories"]]), frames, frames)
    name = _run_of(job, runs)
    if name is None:
        return _Work(None)
    settings = dict(runs[name].identity)
    training = dict(settings.get("training", {}))
    if rule == "train_run":
        alike = [_shape(settings["task"]["name"]), settings["task"]["n_probe"], settings["model"], settings["tracking"]]
        kind = _key([alike, training["batch_size"], training["optimizer"]])
        return _Work(kind, training["steps"], math.ceil(training["steps"] / training["checkpoint_every"]) + 1)
    if rule in ("train_ensemble", "enumerate_circuits", "trace_circuits"):
        networks = len(settings["seeds"])
        return _Work(_key([settings[block] for block in ("task", "model", "training")]), networks, networks)
    if rule == "train_judge":
        epochs = training.pop("epochs")
        return _Work(_key([settings["task"], settings["model"], training, settings["tracking"]]), epochs, epochs)
    simulation = dict(settings.get("simulation") or settings["data"])
    simulation.pop("connectivity_filling_factor", None)
    if rule == "fit_connectome":
        fit = dict(settings["fit"])
        steps, snapshots = fit.pop("n_steps"), fit.pop("n_snapshots")
        return _Work(_key([simulation, fit]), steps, snapshots + 1)
    return _Work(_key([simulation]))


def _shape(name: str) -> list[Any]:
    from ontogeny.tasks import IMAGE_SETS

    data = IMAGE_SETS.get(name)
    return [name] if data is None else [*data.shape, data.classes]


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


class _Measured:
    """The jobs of a folder of results: what they were, took and left."""

    def __init__(self, results: Path) -> None:
        if not (results / "benchmarks").is_dir():
            raise OntogenyError(f"{results} holds no benchmarks: name a folder `results` that the pipeline made")
        self.root = results.parent
        configs = sorted((results / "runs").glob("**/config.json")) if (results / "runs").is_dir() else []
        self.runs = {}
        for path in configs:
            made = read_json(path)
            if isinstance(made, dict) and isinstance(made.get("settings"), dict) and "run" in made:
                self.runs[made["run"]] = _About(made["settings"], "")
        self.activities = {path.stem: read_json(path) for path in sorted((results / "activity").glob("*.json"))}
        table = cost_table(results / "benchmarks")
        self.jobs: dict[tuple[str, str], list[tuple[_Work, str, float]]] = {}
        for rule, job, cpu in zip(table["rule"], table["job"].astype(str), table.get("cpu_time", [])):
            work = _work(rule, job, self.runs, self.activities)
            if work.kind is not None and not math.isnan(cpu):
                self.jobs.setdefault((rule, work.kind), []).append((work, job, float(cpu)))

    def predict(self, job: Job, work: _Work, runs: Mapping[str, _About]) -> tuple[float, float, str]:
        """CPU seconds (without the start), bytes, and what they rest on."""
        like = self.jobs.get((job.rule, work.kind), []) if work.kind is not None else []
        if not like:
            return math.nan, math.nan, "unknown"
        amounts = [measured.amount for measured, _, _ in like]
        cpu = _at(amounts, [seconds for _, _, seconds in like], work.amount)
        patterns = _patterns(job, runs)
        sizes = [self._size(patterns, name) for _, name, _ in like]
        size = _at([measured.kept for measured, _, _ in like], sizes, work.kept)
        count = "1 job" if len(like) == 1 else f"{len(like)} jobs"
        if job.rule not in WORK:
            return cpu, size, f"mean of {count} of any size"
        several, same = len(set(amounts)) > 1, amounts[0] == work.amount
        how = "line through" if several else "as in" if same else "in proportion to"
        return cpu, size, f"{how} {count} alike, by {WORK[job.rule]}"

    def _size(self, patterns: Iterable[str], job: str) -> float:
        """Bytes of the outputs of a measured job, NaN if none is there any more."""
        run = _run_of(job, self.runs) or job
        study = job.partition("/")[0]
        filled = (pattern.replace("{job}", job).replace("{run}", run).replace("{study}", study) for pattern in patterns)
        return float(sum(_bytes(self.root / path) for path in filled)) or math.nan


def _patterns(job: Job, runs: Mapping[str, _About]) -> list[str]:
    """The outputs of a job with its own name, its run or its study left open, where they name the folder."""
    run = _run_of(job.name, runs)
    study = job.name.partition("/")[0] if run is None else runs[run].study
    names = {"{job}": job.name, "{study}/{run}": f"{study}/{run}", "{run}": run, "{study}": study}
    return [_opened(path, names) for path in job.outputs]


def _opened(path: str, names: Mapping[str, str | None]) -> str:
    for sign, name in names.items():
        opened, count = re.subn(rf"^(results/\w+/){re.escape(name or '')}(?=[/.])", rf"\g<1>{sign}", path)
        if name and count:
            return opened
    return path


def _bytes(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.is_file() else 0


def _at(amounts: list[float], values: list[float], amount: float) -> float:
    """The value at `amount`: on the least-squares line, of no negative start or slope, or in proportion."""
    x, y = np.asarray(amounts, float), np.asarray(values, float)
    if len(set(amounts)) == 1:
        return float(y.mean() * amount / x[0])
    slope, start = np.polyfit(x, y, 1)
    if start < 0:
        slope, start = float(x @ y / (x @ x)), 0.0
    return float(start + slope * amount) if slope > 0 else float(y.mean())
