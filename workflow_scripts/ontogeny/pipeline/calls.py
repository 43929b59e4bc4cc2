"""The call of Snakemake that works in a folder: whether it is still there, or was killed and left its lock."""

from __future__ import annotations

import json
import os
import platform
from contextlib import suppress
from pathlib import Path

from ontogeny.files import write_json

NOTE = Path(".snakemake") / "ontogeny" / "call.json"


def note_call() -> None:
    """Note in the working folder which process works here, for `was_killed`."""
    with suppress(OSError):
        write_json(NOTE, {"pid": os.getpid(), "process": _process(os.getpid()), "machine": platform.node()})


def is_locked(folder: Path) -> bool:
    """Whether Snakemake holds a lock on `folder`, or left one behind."""
    locks = folder / ".snakemake" / "locks"
    return locks.is_dir() and any(locks.iterdir())


def was_killed(folder: Path) -> bool:
    """Whether a call of Snakemake left its lock on `folder` without being there any more.

    Only known on the machine where it ran, under Linux; elsewhere a lock is taken for one that is held.
    """
    try:
        noted = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        here = noted["machine"] == platform.node() and noted["process"] is not None
        return here and is_locked(folder) and noted["process"] != _process(noted["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _process(pid: int) -> str | None:
    """What tells a process from later ones of the same number: when the machine started, and when the process did."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]}"
    except (OSError, IndexError):
        return "ended" if Path("/proc/self/stat").exists() else None
