"""What a folder of results holds: one run in full, or the state of all runs and jobs."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ontogeny.errors import OntogenyError, unknown
from ontogeny.files import read_json, read_table
from ontogeny.pipeline.calls import is_locked, was_killed
from ontogeny.pipeline.tables import cost_of, flat
from ontogeny.words import counted

LISTED = 10
"""Changes of a run that are told one by one, the surest."""

TRAINERS = ("train_", "fit_")
"""How the names of the rules begin that train."""


@dataclass(frozen=True)
class JobState:
    """A job that left a log: its rule, its wildcards as a path, `done`, `running`, `failed` or `interrupted`."""

    rule: str
    name: str
    state: str
    reason: str
    log: Path


README = "README.md"
"""The file in `results` that no rule makes."""


def results_folder(folder: str | os.PathLike) -> Path:
    """The folder of results: `folder` itself or `folder/results`. Raises OntogenyError if neither holds results."""
    folder = Path(folder)
    for place in (folder / "results", folder):
        if (place / "runs").is_dir() or (place / "logs").is_dir():
            return place
    raise OntogenyError(
        f"{folder} holds no results (it has no folder runs or logs); make some with snakemake --cores 2"
    )


def runs_in(results: Path) -> list[str]:
    """The sorted names of the runs below `results` that have begun to write files."""
    markers = ("config.json", "phase1.json", "metrics.jsonl")
    root = results / "runs"
    found = {path.parent for marker in markers for depth in ("*", "*/*") for path in root.glob(f"{depth}/{marker}")}
    return sorted(path.relative_to(root).as_posix() for path in found if path.parent not in found)


def run_at(path: Path, directory: str | os.PathLike) -> str | None:
    """The name of the run whose folder is at `path`; None if it is no such folder."""
    results = results_folder(directory)
    known = {(results / "runs" / run).resolve(): run for run in runs_in(results)}
    return known.get(path.resolve())


def describe_run(name: str, results: str | os.PathLike) -> str:
    """A description of one run: settings, outcome, jumps, files, and how long its jobs took.

    Raises OntogenyError, with the nearest name, if the run is unknown.
    """
    results = results_folder(results)
    known = runs_in(results)
    if name not in known:
        if not known:
            raise OntogenyError(f"{results} holds no runs yet; make some with snakemake --cores 2")
        seeds = [run for run in known if run.startswith(f"{name}/s")]
        if len(seeds) != 1:
            raise unknown("run", name, known, str(results))
        name = seeds[0]
    folder = results / "runs" / name
    lines = [f"run       {name}"]
    if (folder / "config.json").exists():
        config = read_json(folder / "config.json")
        made = ", ".join(f"{library} {version}" for library, version in config.get("versions", {}).items())
        lines += [f"identity  {config.get('identity')}", f"revision  {config.get('revision') or 'unknown'}"]
        lines += [f"made by   {made}", "", "settings"]
        lines += [
            f"  {key:<36} {value}" for key, value in flat(config.get("settings", {})).items() if value is not None
        ]
        if config.get("outcome"):
            lines += ["", "outcome", *_pairs(flat(config["outcome"]))]
    else:
        lines += ["          not finished"]
    lines += _progress_lines(folder)
    lines += _jump_lines(folder)
    lines += ["", "files", *_file_lines(folder)]
    cost = cost_of(name, results / "benchmarks")
    if len(cost):
        total = cost["s"].sum()
        lines += ["", f"time      {total:.1f} s in {counted(len(cost), 'job')}"]
        lines += [
            f"  {row.rule:<28} {row.s:8.1f} s {100 * row.s / total:4.0f}%  {row.max_rss:7.0f} MB"
            for row in cost.sort_values("s", ascending=False).itertuples()
        ]
    return "\n".join(lines) + "\n"


def _pairs(values: dict[str, Any]) -> list[str]:
    return [
        f"  {key:<36} {value:.6g}" if isinstance(value, float) else f"  {key:<36} {value}"
        for key, value in values.items()
    ]


def _progress_lines(folder: Path) -> list[str]:
    last = last_measurement(folder)
    if last is None:
        return []
    numbers = {key: value for key, value in last.items() if isinstance(value, int | float)}
    return ["", "last measurement", *_pairs(numbers)]


def last_measurement(folder: Path) -> dict[str, Any] | None:
    """The last complete line of a run's `metrics.jsonl`, or None."""
    path = folder / "metrics.jsonl"
    if not path.is_file():
        return None
    with open(path, "rb") as handle:
        handle.seek(max(0, path.stat().st_size - 1_000_000))
        lines = handle.read().splitlines()
    for line in reversed(lines):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return None


def _jump_lines(folder: Path) -> list[str]:
    if not (folder / "jumps.csv").exists():
        return []
    jumps = read_table(folder / "jumps.csv")
    significant = jumps[jumps["significant"].astype(bool)] if len(jumps) else jumps
    lines = ["", *_answer_lines(folder / "jumps.json"), f"changes   {len(jumps)} found, {len(significant)} significant"]
    for row in significant.sort_values("p_value").head(LISTED).itertuples() if len(significant) else ():
        what = f"{row.layer:<24} {row.metric:<24} {row.direction:<5} p {row.p_value:.2g}"
        lines.append(f"  {row.kind:<10} at step {row.step:<8} {what}")
    if len(significant) > LISTED:
        lines.append(f"  and {len(significant) - LISTED} more in {folder / 'jumps.csv'}")
    return lines


def _answer_lines(path: Path) -> list[str]:
    """Which step it was, and how sure that is."""
    answers = read_json(path).get("answers", []) if path.exists() else []
    return [textwrap.fill(each["sentence"], 110, initial_indent="          ").strip() for each in answers]


def _file_lines(folder: Path) -> list[str]:
    sizes: dict[str, list[int]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            parts = path.relative_to(folder).parts
            sizes.setdefault(parts[0] + ("/" if len(parts) > 1 else ""), []).append(path.stat().st_size)
    return [
        f"  {name:<28} {_size(sum(of)):>10}{f'  {len(of)} files' if len(of) > 1 else ''}" for name, of in sizes.items()
    ]


def _size(count: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def job_states(results: str | os.PathLike) -> list[JobState]:
    """The state of every job that left a log below `results`, sorted by rule and name.

    A job is done when its benchmark is there and its log reports no error. Without a benchmark it is running
    where Snakemake holds a lock on the folder, and was interrupted where it holds none, or was killed.
    """
    results = Path(results)
    locked = is_locked(results.parent) and not was_killed(results.parent)
    states = []
    for log in sorted((results / "logs").rglob("*.log")):
        relative = log.relative_to(results / "logs").with_suffix("")
        named = relative if len(relative.parts) > 1 else relative / "all"
        benchmark = results / "benchmarks" / f"{named}.tsv"
        reason = failure(log)
        if reason is not None:
            state = "failed"
        elif (results / "benchmarks" / relative.parts[0]).is_dir() and not _finished(benchmark, log):
            state = "running" if locked else "interrupted"
        else:
            state = "done"
        states.append(JobState(relative.parts[0], "/".join(relative.parts[1:]), state, reason or "", log))
    return states


def _finished(benchmark: Path, log: Path) -> bool:
    return benchmark.exists() and benchmark.stat().st_mtime >= log.stat().st_mtime - 5


def failure(log: Path) -> str | None:
    """Why the last attempt failed, from its log: the error in one line; None if it did not fail."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for number in range(len(lines) - 1, -1, -1):
        if " ERROR " in lines[number][:40]:
            rest = [line for line in lines[number:] if line.strip()]
            told = rest[-1] if "Traceback" in rest[0] else rest[0].split(" ERROR ", 1)[1]
            return told.strip()
    return None


def describe_state(results: str | os.PathLike, expected: Iterable[Any] | None = None) -> str:
    """A description of the state of all runs and of failed jobs. `expected` are the runs of a configuration."""
    try:
        results = results_folder(results)
    except OntogenyError:
        if expected is None:
            raise
        names = [run.name for run in expected]
        return f"no results in {results} yet; {counted(len(names), 'run')} waiting; start with snakemake --cores 2\n"
    states = job_states(results)
    training = {job.name: job for job in states if job.rule.startswith(TRAINERS)}
    runs = {run.name: run for run in expected} if expected is not None else dict.fromkeys(runs_in(results))
    rows = [(name, *_state_of(name, run, results, training)) for name, run in runs.items()]
    counts = {
        state: sum(row[1] == state for row in rows) for state in ("done", "running", "failed", "interrupted", "waiting")
    }
    lines = [f"runs      {_counted(counts)}"]
    if was_killed(results.parent):
        lines.insert(0, "Snakemake was killed and left its lock: call snakemake --unlock, and then start it again")
    width = max([len(name) for name, *_ in rows], default=0)
    lines += [f"  {name:<{width}}  {state:<11}  {told}".rstrip() for name, state, told in rows if state != "done"]
    jobs = {state: sum(job.state == state for job in states) for state in ("done", "running", "failed", "interrupted")}
    lines += [f"jobs      {_counted(jobs)}"]
    for job in states:
        if job.state != "done":
            lines.append("  " + ": ".join(filter(None, (f"{job.rule} {job.name}".rstrip(), job.state, job.reason))))
            if job.state == "failed":
                lines.append(f"    log: {job.log}")
    return "\n".join(lines) + "\n"


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "none yet"


def _state_of(name: str, run: Any, results: Path, training: dict[str, JobState]) -> tuple[str, str]:
    """The state of a run's training, and details on it."""
    folder, job = results / "runs" / name, training.get(name)
    if job is not None and job.state == "failed":
        return "failed", job.reason
    if (folder / "config.json").exists() and (job is None or job.state == "done"):
        return "done", ""
    if job is None:
        return "waiting", ""
    last = last_measurement(folder) or {}
    steps = getattr(getattr(getattr(run, "settings", None), "training", None), "steps", None)
    told = f"step {last['step']}" + (f" of {steps}" if steps else "") if "step" in last else ""
    loss = f"loss {last['loss']:.4g}" if isinstance(last.get("loss"), int | float) else ""
    again = "resumes where it stopped when run again" if job.state == "interrupted" else ""
    return job.state, ", ".join(filter(None, (told, loss, again)))


def walk(results: Path, leave: Iterable[str] = ()) -> Iterator[Path]:
    """The result files below `results`, without its README, hidden or unfinished files, and folders in `leave`."""
    leave = {README, *leave}
    for path in sorted(results.rglob("*")):
        parts = path.relative_to(results).parts
        hidden = any(part.startswith(".") for part in parts)
        if path.is_file() and not path.is_symlink() and not hidden and parts[0] not in leave:
            yield path
