"""Digests of the content of files and folders that runs read besides each other's results.

A digest is part of the parameters of the rule that reads the file, so that other content is made anew whatever its
time stamp says, and stated in the result. Digests are kept in Snakemake's folder by size and times, a line for each
file that was read, so that a large file is read once.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from ontogeny.code import PACKAGE
from ontogeny.files import write_text

PROJECT = "{project}"
"""What stands for the folder of the project in the names of files that it brings."""
MEMORY = Path(".snakemake") / "ontogeny" / "digests.jsonl"


def digest_of(path: str | os.PathLike, of_file: Callable[[Path], str] | None = None) -> str:
    """SHA-256 of a file, or of the names and contents of all files in a folder; "absent" where there is nothing.

    Hidden files in a folder do not count.
    """
    path, of_file = Path(path), of_file or _of_file
    if path.is_dir():
        digest = hashlib.sha256()
        for file in sorted(path.rglob("*")):
            if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts):
                digest.update(f"{file.relative_to(path).as_posix()} {of_file(file)}\n".encode())
        return digest.hexdigest()
    return of_file(path) if path.is_file() else "absent"


def content_digests(paths: Iterable[str | os.PathLike]) -> dict[str, str]:
    """`digest_of` each of `paths`, by `named`, from memory where size and times are those that were met before."""
    return {named(path): digest_of(path, _remembered) for path in paths}


def named(path: str | os.PathLike) -> str:
    """`path` relative to the working folder or to the project where it lies in one of them: no folder of a machine."""
    path = Path(path)
    for root, start in ((Path.cwd(), ""), (PACKAGE.parents[1], f"{PROJECT}/")):
        if path.is_absolute() and path.is_relative_to(root):
            return start + path.relative_to(root).as_posix()
    return path.as_posix()


def _of_file(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remembered(path: Path) -> str:
    about = path.stat()
    return _known(str(path.resolve()), about.st_size, about.st_mtime_ns, about.st_ctime_ns)


@cache
def _known(path: str, *state: int) -> str:
    digest, *met = _memory().get(path, ("",))
    if met != list(state):
        digest = _of_file(Path(path))
        _keep([path, digest, *state])
    return str(digest)


@cache
def _memory() -> dict[str, tuple[Any, ...]]:
    """What was kept of each path, its digest first; the last counts. Lines that were not written whole do not."""
    held: dict[str, tuple[Any, ...]] = {}
    with suppress(OSError):
        for line in MEMORY.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError, TypeError):
                path, digest, *state = json.loads(line)
                held[path] = (digest, *state)
    return held


def _keep(entry: list[Any]) -> None:
    """Add a line to the memory at one stroke: several processes may do so at once, and nothing is written again.

    It starts on a line of its own, whatever an interrupted process left.
    """
    if not MEMORY.parent.parent.is_dir():
        return
    with suppress(OSError):
        MEMORY.parent.mkdir(exist_ok=True)
        file = os.open(MEMORY, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            os.write(file, f"\n{json.dumps(entry)}\n".encode())
        finally:
            os.close(file)


def tidy_memory() -> None:
    """Leave in the memory one line for each file that is still there, if most lines are of files that changed or went.

    For a call of Snakemake before its jobs: a line that another process adds meanwhile may get lost, and is made again.
    """
    with suppress(OSError):
        lines = MEMORY.read_text(encoding="utf-8", errors="replace").count("\n") // 2
        there = {path: kept for path, kept in _memory().items() if os.path.exists(path)}
        if lines > 2 * len(there) + 100:
            write_text(MEMORY, "".join(f"\n{json.dumps([path, *kept])}\n" for path, kept in there.items()))
