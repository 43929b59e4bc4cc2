"""What a person sees while the pipeline runs: a line per stage, what runs now, and how long the rest will take.

Nothing here knows Snakemake: the handler of this package says what happens, and `View` says it in words. Nothing of the
library is imported either, since that has to be the one beside the Snakefile, which is not known yet.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_INCLUDE = re.compile(r'^include: "rules/(\w+)\.smk"', re.MULTILINE)
_RULE = re.compile(r"^(?:use rule \w+ as|rule) (\w+)(?: with)?:\n((?:(?!rule ).*\n)*)", re.MULTILINE)
_WORK = re.compile(r" (\d+)/(\d+) \(")
_ERROR = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ERROR ", re.MULTILINE)
_SILENT = (
    "its log does not say why: a message above may, or else it was killed (by hand, at a time limit, or where memory "
    "ran out)"
)
_TAIL = 4096
_SAMPLE = 5
_BAR = 12


def stages(folder: str | os.PathLike) -> dict[str, str]:
    """Rule to stage, in the order of the Snakefile in `folder`: a stage is a file in `rules`.

    Target rules, which only name files, are left out.
    """
    folder = Path(folder)
    found: dict[str, str] = {}
    with suppress(OSError):
        for stage in _INCLUDE.findall((folder / "Snakefile").read_text(encoding="utf-8")):
            text = (folder / "rules" / f"{stage}.smk").read_text(encoding="utf-8")
            found |= {
                rule: stage for rule, body in _RULE.findall(text) if re.search("^    (output|script|log):", body, re.M)
            }
    return found


def measured_seconds(folder: str | os.PathLike, rules: Iterable[str]) -> dict[str, float]:
    """Mean seconds of a job of each of `rules`, from up to five benchmarks each below `folder`, if there are any."""
    found = {}
    for rule in rules:
        seconds = []
        for path in sorted((Path(folder) / rule).rglob("*.tsv"))[:_SAMPLE]:
            with suppress(OSError, ValueError, IndexError):
                seconds.append(float(path.read_text().splitlines()[-1].split("\t")[0]))
        if seconds:
            found[rule] = sum(seconds) / len(seconds)
    return found


@dataclass
class Running:
    """A job that runs: its rule, what it works on, its log, when it started; why it failed, if a cluster said so."""

    rule: str
    about: str
    log: str
    since: float
    why: str = ""
    _read: tuple[tuple[int, int], tuple[int, int]] = ((-1, -1), (0, 0))
    """Size and time of the log as it was last read, and what it said of the work."""

    def news(self, root: str | os.PathLike = ".") -> str:
        """How far it is: the step and the loss of a training, or what its log says of its work; "" if nothing."""
        done, total = self.work(root)
        row = _last_row(Path(root) / "results" / "runs" / self.about / "metrics.jsonl", self.since)
        step = row.get("step", row.get("epoch"))
        if step is None:
            return f"{done} of {total}" if total else ""
        loss = row.get("loss")
        text = f"step {step}" + (f" of {total}" if total else "")
        return f"{text}, loss {loss:.3g}" if isinstance(loss, float) and math.isfinite(loss) else text

    def work(self, root: str | os.PathLike = ".") -> tuple[int, int]:
        """Units of its work that its log says are done, and all; 0 and 0 if it says nothing."""
        path = Path(root) / self.log
        try:
            about = path.stat()
        except OSError:
            return 0, 0
        state = (about.st_size, about.st_mtime_ns)
        if state != self._read[0]:
            found = _WORK.findall(_tail(path))
            done, total = map(int, found[-1]) if found else (0, 0)
            self._read = state, (done, total)
        return self._read[1]

    def seconds_left(self, expected: float) -> float:
        """Seconds until it is done: by the share of its work that is done, or else what is left of `expected`.

        A job that says nothing and outlasts what was expected is given a quarter of the time that it ran.
        """
        ran = time.time() - self.since
        done, total = self.work()
        if done > 0:
            return ran * max(total - done, 0) / done
        return max(expected - ran, ran / 4) if expected == expected else expected

    def failure(self) -> list[str]:
        """The sentence of a job that failed, and where its log lies."""
        about = f" ({self.about})" if self.about else ""
        sentence = sentence_of(self.log) or self.why or _SILENT
        return [f"{self.rule}{about}: {sentence}", f"  log: {self.log}"]


def _tail(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _last_row(path: Path, since: float) -> dict[str, Any]:
    """The last whole line of a file of JSON lines that was written after `since`."""
    with suppress(OSError, ValueError):
        if path.stat().st_mtime >= since:
            row = json.loads(_tail(path).rpartition("\n")[0].rpartition("\n")[2])
            return row if isinstance(row, dict) else {}
    return {}


def sentence_of(log: str | os.PathLike) -> str:
    """The sentence that a failed job left in its log: the last error, of a traceback its last line."""
    text = _tail(Path(log))
    last = _ERROR.split(text)[-1].strip() if _ERROR.search(text) else ""
    return last.splitlines()[-1] if last.startswith("Traceback") else " ".join(last.split())


@dataclass
class View:
    """The state of a run of the pipeline.

    stage: rule to stage. before: seconds of a job of a rule, as measured before.
    """

    stage: Mapping[str, str]
    before: Mapping[str, float] = field(default_factory=dict)
    total: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    running: dict[int, Running] = field(default_factory=dict)
    failed: list[Running] = field(default_factory=list)
    took: dict[str, list[float]] = field(default_factory=dict)
    began: float = field(default_factory=lambda: time.time())
    ending: bool = False
    """Whether the run was asked to end before all is done."""

    def planned(self, jobs: Mapping[str, int]) -> None:
        """`jobs`: rule to number of jobs."""
        self.total = {rule: count for rule, count in jobs.items() if rule in self.stage}

    def started(self, job: int, rule: str, wildcards: Mapping[str, str], log: str) -> None:
        """Job number `job` runs."""
        if rule in self.total:
            about = wildcards.get("run") or "/".join(wildcards.values())
            self.running[job] = Running(rule, about, log, time.time())

    def finished(self, job: int) -> Running | None:
        """Job number `job` is done; what it was. If it failed before, it was tried again, and that is forgotten."""
        ended = self.running.pop(job, None)
        if ended is not None:
            self.failed = [other for other in self.failed if (other.rule, other.about) != (ended.rule, ended.about)]
            self.done[ended.rule] = self.done.get(ended.rule, 0) + 1
            self.took.setdefault(ended.rule, []).append(time.time() - ended.since)
        return ended

    def stopped(self, job: int, why: str = "") -> list[str]:
        """Job number `job` failed; its sentence and the place of its log, in lines. `why` is what a cluster says."""
        ended = self.running.pop(job, None)
        if ended is None:
            return []
        ended.why = " ".join(why.split()) or ("stopped, as the run was ended" if self.ending else "")
        self.failed = [other for other in self.failed if (other.rule, other.about) != (ended.rule, ended.about)]
        self.failed.append(ended)
        return ended.failure()

    @property
    def count(self) -> tuple[int, int]:
        """Jobs that are done, and all."""
        return sum(self.done.values()), sum(self.total.values())

    def seconds_left(self) -> float:
        """Seconds until all is done: what the jobs left take, side by side as until now; NaN if that is not known.

        A job takes what those of its rule took in this run, or else before, corrected by what both say of other
        rules; of a rule that was never measured it takes the mean. Of a running job see `Running.seconds_left`.
        """
        now = time.time()
        here = {rule: sum(seconds) / len(seconds) for rule, seconds in self.took.items()}
        both = [rule for rule in here if self.before.get(rule)]
        slower = sum(here[rule] for rule in both) / sum(self.before[rule] for rule in both) if both else 1.0
        known = {rule: slower * seconds for rule, seconds in self.before.items()} | here
        mean = sum(known.values()) / len(known) if known else math.nan
        waiting = {rule: total - self.done.get(rule, 0) for rule, total in self.total.items()}
        work = 0.0
        for job in self.running.values():
            waiting[job.rule] -= 1
            work += job.seconds_left(known.get(job.rule, mean))
        work += sum(count * known.get(rule, mean) for rule, count in waiting.items() if count > 0)
        spent = sum(map(sum, self.took.values())) + sum(now - job.since for job in self.running.values())
        beside = spent / max(now - self.began, 1.0) if spent else 1.0
        return work / max(beside, 0.25)

    def head(self) -> str:
        """How far the whole is, in one line."""
        done, total = self.count
        parts = [f"{done} of {total} jobs done"]
        parts += [f"{len(self.running)} running"] if self.running else []
        parts += [f"{len(self.failed)} failed"] if self.failed else []
        left = self.seconds_left()
        if done < total and self.failed and not self.running:
            waiting = total - done - len(self.failed)
            parts += [f"{waiting} not made"] if waiting else []
        elif done < total:
            parts.append("time left not known yet" if math.isnan(left) else f"about {duration(left)} left")
        else:
            parts.append(f"in {duration(time.time() - self.began)}")
        return ", ".join(parts)

    def now(self, job: Running) -> str:
        """What a running job does, in words."""
        news = job.news()
        return f"{job.rule} {job.about}".strip() + (f" ({news})" if news else "")

    def lines(self, width: int = 100, height: int = 24) -> list[str]:
        """The view for a terminal: the whole, and a line per stage; if there is no room, only stages at work."""
        found = []
        for stage in self.stages_at_work():
            total, done = self._of(self.total, stage), self._of(self.done, stage)
            running = [job for job in self.running.values() if self.stage[job.rule] == stage]
            bar = ("█" * (_BAR * done // total)).ljust(_BAR, "░")
            text = f"  {stage:<16}{bar} {done:>4} of {total:<4}"
            found.append((bool(running), f"{text} {'; '.join(map(self.now, running))}".rstrip()))
        if len(found) + 2 > height:
            found = [each for each in found if each[0]][: max(1, height - 2)]
        return [
            line if len(line) < width else f"{line[: width - 2]}…" for line in (self.head(), *(x for _, x in found))
        ]

    def line(self) -> str:
        """The view in one plain line: the whole, and what runs."""
        told = "; ".join(self.now(job) for job in list(self.running.values())[:3])
        more = len(self.running) - 3
        return self.head() + (f": {told}" if told else "") + (f" and {more} others" if more > 0 else "")

    def stages_at_work(self) -> list[str]:
        """The stages that have jobs, in the order of the Snakefile."""
        return [stage for stage in dict.fromkeys(self.stage.values()) if self._of(self.total, stage)]

    def ended_stage(self, rule: str) -> str | None:
        """The stage of a rule, a job of which just ended, if that was the last of the stage."""
        stage = self.stage[rule]
        return stage if self._of(self.done, stage) >= self._of(self.total, stage) else None

    def _of(self, counts: Mapping[str, int], stage: str) -> int:
        return sum(count for rule, count in counts.items() if self.stage[rule] == stage)

    def failures(self) -> list[str]:
        """Of every failed job its own sentence, and where its log lies."""
        return [line for job in self.failed for line in job.failure()]


def duration(seconds: float) -> str:
    """A length of time in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
