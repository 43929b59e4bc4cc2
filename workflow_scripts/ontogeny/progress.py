"""What a person sees of long work: how far it is, on a terminal or in a log, and why it failed."""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

logger = logging.getLogger("ontogeny")

VIEW = "ONTOGENY_VIEW"
"""Variable of the environment that the pipeline's live view sets: it shows how far jobs are, and why they failed."""


class Progress:
    """Report how many of `total` units of work are done, how fast, and how long the rest will take.

    On a terminal one line is rewritten, at most five times per second, unless the pipeline's view is there, which
    reads the log. Elsewhere a line is logged after every tenth of the work, and at least every 30 seconds.
    """

    def __init__(self, total: int, label: str, done: int = 0, stream: TextIO | None = None) -> None:
        self.total, self.label, self.start_at = max(total, 1), label, done
        self.stream = sys.stderr if stream is None else stream
        self.live = self.stream.isatty() and VIEW not in os.environ
        self.began = self.last = time.monotonic()
        self.tenth = 10 * done // self.total

    def update(self, done: int, note: str = "") -> None:
        """Report that `done` units are finished; `note` is appended to the line."""
        now = time.monotonic()
        finished = done >= self.total
        if self.live and (finished or now - self.last > 0.2):
            self.stream.write("\r\x1b[K" + self._line(done, now, note) + ("\n" if finished else ""))
            self.stream.flush()
            self.last = now
        tenth = 10 * done // self.total
        if tenth > self.tenth or (not self.live and now - self.last > 30):
            logger.info("%s", self._line(done, now, note))
            self.tenth, self.last = tenth, now

    def step(self, done: int, total: int) -> None:
        """Callback for work that reports `(done, total)`."""
        self.total = max(total, 1)
        self.update(done)

    def _line(self, done: int, now: float, note: str) -> str:
        rate = (done - self.start_at) / max(now - self.began, 1e-9)
        left = (self.total - done) / rate if rate > 0 else float("inf")
        time_left = (
            f"{left:.0f} s left" if left < 120 else f"{left / 60:.0f} min left" if left < float("inf") else "? left"
        )
        share = f"{done}/{self.total} ({100 * done / self.total:.0f}%)"
        return f"{self.label}: {share}, {rate:.1f}/s, {time_left}{f', {note}' if note else ''}"


def tell_failure(snakemake: Any, sentence: str, logged: bool = True, traced: bool = False) -> None:
    """Say on the terminal why the job of `snakemake` failed, unless its log does (`logged`) and the live view reads it.

    traced: whether the log holds a traceback.
    """
    if logged and VIEW in os.environ:
        return
    wildcards = ", ".join(f"{key} {value}" for key, value in snakemake.wildcards.items())
    if not logged:
        sentence += f"; nothing could be written to {snakemake.log[0]}"
    elif traced:
        sentence += f"; the traceback is in {snakemake.log[0]}"
    print(f"\n{snakemake.rule}{f' ({wildcards})' if wildcards else ''}: {sentence}\n", file=sys.stderr, flush=True)


def expect_failure(snakemake: Any) -> None:
    """Let the job of `snakemake` write to its log, too, what fails before its work begins: an import, as a rule.

    For the first line of a script: what fails later is the matter of `ontogeny.pipeline.job`.
    """
    log = Path(snakemake.log[0]) if snakemake.log else None

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if log is None or not issubclass(kind, Exception):
            return sys.__excepthook__(kind, error, trace)
        said, logged = "".join(traceback.format_exception(kind, error, trace)), False
        with suppress(OSError):
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(f"{time.strftime('%Y-%m-%d %H:%M:%S')} ERROR {said}", encoding="utf-8")
            logged = True
        tell_failure(snakemake, unexpected(error), logged, traced=True)

    sys.excepthook = tell


def unexpected(error: BaseException) -> str:
    """What kind of error it is that nobody reckoned with, and what it says."""
    return ": ".join(filter(None, (f"unexpected {type(error).__name__}", str(error))))
