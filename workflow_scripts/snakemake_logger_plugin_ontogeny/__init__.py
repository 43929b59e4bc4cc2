"""Snakemake's logger plugin of this project: a live view on a terminal, a few plain lines elsewhere.

`profiles/default` chooses it. With `--logger-ontogeny-standard` it leaves the terminal to Snakemake's own messages,
which it also does for dry-runs and wherever they were asked for (`--verbose`, `--printshellcmds`, `--quiet`). All of
Snakemake's messages are in its log file, whatever the terminal shows.
"""

import logging
import os
import re
import shutil
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_interface_logger_plugins.settings import LogHandlerSettingsBase

EVERY = 0.5
"""Seconds between two pictures on a terminal."""
SILENCE = 30.0
"""Seconds after which a plain line says that work goes on; more, the longer it has lasted."""
PARTS = 50
"""Without a terminal, a line is written after every such part of the jobs, and when a stage is done."""
_REPEATED = (
    "Exiting because a job execution failed",
    "At least one job did not complete",
    "WorkflowError",
    "RuleException",
)
_UNREAD = re.compile(r"in load_configfile\b.*Error: \[Errno \d+\] ([^\n:]+): '([^\n]+)'\s*$", re.DOTALL)
"""A configuration that Snakemake finds not to be there, of which it gives a traceback."""
_PIPED = re.compile(r"in load_configfile\b.*UnsupportedOperation: underlying stream is not seekable\s*$", re.DOTALL)
"""A configuration that comes through a pipe, which Snakemake can read only once."""
_UNMADE = re.compile(r"in makedirs\b.*Error: \[Errno \d+\] ([^\n:]+): '([^\n]+)'\s*$", re.DOTALL)
"""A folder that Snakemake cannot make."""
_WORTH_KNOWING = ("Nothing to be done", "Complete log")
"""Beginnings of messages that are shown although they are no warnings; others bear the mark `worth_knowing`."""
_ENDING = ("Terminating processes on user request", "Will exit after finishing")
"""Beginnings of what Snakemake says when it was asked to end before all is done."""

SEEN = "ONTOGENY_VIEW"
"""Variable of the environment that is set while the view reports failed jobs (see `ontogeny.pipeline.job`)."""


@dataclass
class LogHandlerSettings(LogHandlerSettingsBase):
    """Options on Snakemake's command line."""

    standard: bool = field(
        default=False, metadata={"help": "Show Snakemake's own messages instead of the live view.", "required": False}
    )


class LogHandler(LogHandlerBase):
    """Snakemake's log records as a view of what is done, running and left."""

    def __post_init__(self) -> None:
        from snakemake.logging import ColorizingTextHandler, DefaultFilter, DefaultFormatter

        from snakemake_logger_plugin_ontogeny.view import View, stages

        about = self.common_settings
        asked = (about.quiet, about.debug_dag, about.verbose, about.dryrun, about.printshellcmds)
        self.stream = sys.stdout if about.stdout else sys.stderr
        formatter = DefaultFormatter(about.quiet, about.show_failed_logs)
        self.own = ColorizingTextHandler(about.nocolor, self.stream, formatter, DefaultFilter(*asked))
        self.standard = any(asked) or bool(getattr(self.settings, "standard", False))
        self.live = self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self.drawn, self.told, self.parts = 0, time.monotonic(), 0
        self.view: View | None = None
        self.stage = stages(Path(__file__).resolve().parents[2])
        self.mutex, self.ended = threading.RLock(), threading.Event()
        os.environ.pop(SEEN, None)
        if not self.standard:
            os.environ[SEEN] = "1"

    @property
    def writes_to_stream(self) -> bool:
        return True

    @property
    def writes_to_file(self) -> bool:
        return False

    @property
    def has_filter(self) -> bool:
        return True

    @property
    def has_formatter(self) -> bool:
        return True

    @property
    def needs_rulegraph(self) -> bool:
        return False

    def emit(self, record: logging.LogRecord) -> None:
        """Take one message of Snakemake."""
        told = text_of(record) if getattr(record, "event", None) == LogEvent.ERROR else ""
        if unread := _UNREAD.search(told):
            why, file = unread.groups()
            self._say(f"Configuration error: {file} cannot be read ({why.lower()}): name another after --configfile")
            return
        if "sourcecache.py" in told and (unmade := _UNMADE.search(told)):
            why, folder = unmade.groups()
            self._say(f"Error: {folder} cannot be made ({why.lower()}): name another for caches in XDG_CACHE_HOME")
            return
        if _PIPED.search(told):
            self._say("Configuration error: a pipe cannot be read again, as is needed: name a file after --configfile")
            return
        if self.standard:
            self.own.handle(record)
            return
        with self.mutex:
            try:
                self._take(record)
            except BrokenPipeError:
                raise
            except Exception:
                self.handleError(record)

    def close(self) -> None:
        """Say of every failed job why it failed and where its log lies, last."""
        self.ended.set()
        with self.mutex:
            if not self.standard and self.view is not None and self.view.failed:
                self._say(*self.view.failures(), above=False)
                self.view = None
        super().close()

    def _take(self, record: Any) -> None:
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO and self.view is None:
            self._begin(record.stats)
        elif event is None or event == LogEvent.ERROR:
            self._message(record)
        elif self.view is None:
            return
        elif event == LogEvent.JOB_INFO:
            log = next((word.split(" (")[0] for word in record.log or ()), "")
            self.view.started(record.jobid, record.rule_name, record.wildcards, log)
        elif event == LogEvent.JOB_FINISHED:
            self._finished(record.job_id)
        elif event == LogEvent.JOB_ERROR:
            self._failed(record.jobid, getattr(record, "rule_msg", None) or "")
        elif event == LogEvent.GROUP_ERROR:
            for job in record.job_error_info:
                self._failed(job["jobid"], text_of(record))

    def _begin(self, jobs: dict[str, int]) -> None:
        from snakemake_logger_plugin_ontogeny.view import View, measured_seconds

        self.view = View(self.stage, measured_seconds("results/benchmarks", self.stage))
        self.view.planned(jobs)
        self._say(f"{self.view.count[1]} jobs in {len(self.view.stages_at_work())} stages")
        threading.Thread(target=self._tick, daemon=True).start()

    def _tick(self) -> None:
        """Draw again and again, and without a terminal say now and then that work goes on, ever more seldom."""
        while not self.ended.wait(EVERY):
            with self.mutex:
                if self.view is None:
                    return
                lasted = time.time() - self.view.began
                if self.live:
                    self._draw()
                elif self.view.running and time.monotonic() - self.told > max(SILENCE, lasted / 20):
                    self._say(f"  {self.view.line()}")

    def _finished(self, number: int) -> None:
        assert self.view is not None
        ended = self.view.finished(number)
        if ended is None:
            return
        stage, (done, total) = self.view.ended_stage(ended.rule), self.view.count
        part = PARTS * done // max(total, 1)
        if stage is not None and not self.live:
            self._say(f"  {stage}: all done; {self.view.head()}")
        elif part > self.parts and not self.live:
            self._say(f"  {self.view.line()}")
        self.parts = part
        if done == total:
            self.ended.set()
            if self.live:
                self._draw()
                self.drawn = 0

    def _failed(self, number: int, why: str) -> None:
        assert self.view is not None
        self._say(*self.view.stopped(number, why))

    def _message(self, record: Any) -> None:
        text = text_of(record)
        if self.view is not None and text.startswith(_ENDING):
            self.view.ending = True
        failing = self.view is not None and (self.view.failed or "CalledProcessError" in text)
        failing = failing and text.startswith(_REPEATED)
        worth = getattr(record, "worth_knowing", False) or text.startswith(_WORTH_KNOWING)
        if text and not failing and (worth or record.levelno >= logging.WARNING):
            self._say(text.rstrip())

    def _say(self, *lines: str, above: bool = True) -> None:
        """Write lines, above the view on a terminal unless the run is over."""
        self._clear()
        self.stream.write("".join(f"{line}\n" for line in lines))
        self.told = time.monotonic()
        if self.live and above and self.view is not None and not self.ended.is_set():
            self._draw()
        self.stream.flush()

    def _clear(self) -> None:
        if self.live and self.drawn:
            self.stream.write(f"\x1b[{self.drawn}F\x1b[J")
        self.drawn = 0

    def _draw(self) -> None:
        assert self.view is not None
        size = shutil.get_terminal_size()
        lines = self.view.lines(size.columns, size.lines)
        self._clear()
        self.stream.write("".join(f"{line}\n" for line in lines))
        self.stream.flush()
        self.drawn = len(lines)


def text_of(record: logging.LogRecord) -> str:
    """The message of a record; "" if it has none."""
    return record.getMessage() if record.msg else ""
