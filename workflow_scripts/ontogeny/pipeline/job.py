"""What surrounds every script: its log file, its threads, and how its errors reach a person."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ontogeny.errors import OntogenyError
from ontogeny.pipeline.record import write_record
from ontogeny.plotting.notes import noted
from ontogeny.progress import tell_failure, unexpected

logger = logging.getLogger("ontogeny")


@contextmanager
def job(snakemake: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Run a script's work: yield `snakemake.input`, `.output` and `.params`.

    Messages and tracebacks go to the rule's log file. A person sees one sentence on the terminal, and the path of
    the log. Numerical libraries are held to the rule's threads.
    """
    log = Path(snakemake.log[0]) if snakemake.log else None
    handler = _open_log(log)
    _limit_threads(int(snakemake.threads))
    try:
        _bring_to_present(snakemake.input)
        with noted(_left_out(snakemake.input)):
            yield snakemake.input, snakemake.output, snakemake.params
        write_record(snakemake)
    except OntogenyError as error:
        logger.error("%s", error)
        tell_failure(snakemake, str(error), _told(handler))
        sys.exit(1)
    except KeyboardInterrupt:
        logger.warning("stopped by the user")
        sys.exit(128 + signal.SIGINT)
    except MemoryError as error:
        logger.error("%s", traceback.format_exc())
        sentence = _too_much(error, snakemake.rule)
        logger.error("%s", sentence)
        tell_failure(snakemake, sentence, _told(handler))
        sys.exit(1)
    except Exception as error:
        logger.error("%s", traceback.format_exc())
        tell_failure(snakemake, unexpected(error), _told(handler), traced=log is not None)
        sys.exit(1)
    finally:
        logger.removeHandler(handler)
        with suppress(OSError):
            handler.close()


def _too_much(error: MemoryError, rule: str) -> str:
    what = " ".join(str(error).split())
    more = f"run fewer jobs side by side (--cores), or on a cluster ask for more (--set-resources {rule}:mem_mb=N)"
    return f"there is not enough memory{f' ({what})' if what else ''}: {more}"


def _left_out(inputs: Any) -> str:
    """What figures of a run say of checkpoints that were left out of it; empty for a run without any.

    Known to jobs that have the run's config.json among their inputs.
    """
    try:
        steps = json.loads(Path(inputs["config"]).read_text(encoding="utf-8"))["series"]["left_out"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""
    listed = ", ".join(map(str, steps[:12])) + (f" and {len(steps) - 12} more" if len(steps) > 12 else "")
    return f"left out, as they make the series false: steps {listed}" if steps else ""


class _Log(logging.FileHandler):
    """A log that knows whether all was written: on a full disk it stops no job."""

    whole = True

    def handleError(self, record: logging.LogRecord) -> None:
        self.whole = False


def _told(handler: logging.Handler) -> bool:
    return not isinstance(handler, logging.NullHandler) and getattr(handler, "whole", True)


def _open_log(log: Path | None) -> logging.Handler:
    handler: logging.Handler = logging.NullHandler()
    with suppress(OSError):
        if log is None:
            handler = logging.StreamHandler(sys.stderr)
        else:
            log.parent.mkdir(parents=True, exist_ok=True)
            handler = _Log(log, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return handler


def _bring_to_present(files: Iterable[str]) -> None:
    """Stamp inputs that lie in the future, as a wrong clock or a copy leaves them, with the time of now.

    Snakemake refuses an output that is older than its input, and would make it again and again.
    """
    now = time.time()
    for file in files:
        for path in (Path(file), Path(file) / ".snakemake_timestamp"):
            with suppress(OSError):
                if path.stat().st_mtime > now:
                    os.utime(path, (now, now))
                    logger.warning("%s was written in the future by the clock; it now bears the time of this job", path)


def _limit_threads(threads: int) -> None:
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[variable] = str(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if "numpy" in sys.modules:
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads)
