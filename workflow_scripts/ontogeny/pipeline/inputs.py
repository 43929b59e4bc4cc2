"""What runs read besides each other's results: files and folders of the user, and digests of their content.

A digest is part of the parameters of the rule that reads the file, so that other content is made anew whatever its
time stamp says, and stated in the result. Digests are kept in Snakemake's folder by size and times, so that a large
file is read once.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ontogeny.files import write_text

MEMORY = Path(".snakemake") / "ontogeny" / "digests.json"


def content_digest(path: str | os.PathLike) -> str:
    """SHA-256 of a file, or of the names and contents of all files in a folder; "absent" where there is nothing."""
    path = Path(path)
    if path.is_dir():
        digest = hashlib.sha256()
        for file in sorted(path.rglob("*")):
            if file.is_file() and not any(part.startswith(".") for part in file.relative_to(path).parts):
                digest.update(f"{file.relative_to(path).as_posix()} {_of_file(file)}\n".encode())
        return digest.hexdigest()
    return _of_file(path) if path.is_file() else "absent"


def content_digests(paths: Iterable[str | os.PathLike]) -> dict[str, str]:
    """`content_digest` of each of `paths`, by path."""
    return {os.fspath(path): content_digest(path) for path in paths}


def _of_file(path: Path) -> str:
    about = path.stat()
    return _known(str(path.resolve()), about.st_size, about.st_mtime_ns, about.st_ctime_ns)


@cache
def _known(path: str, *state: int) -> str:
    memory = _memory()
    if memory.get(path, [None])[1:] != list(state):
        with open(path, "rb") as file:
            memory[path] = [hashlib.file_digest(file, "sha256").hexdigest(), *state]
        if MEMORY.parent.parent.is_dir():
            with suppress(Exception):
                write_text(MEMORY, json.dumps(memory))
    return str(memory[path][0])


@cache
def _memory() -> dict[str, list[Any]]:
    with suppress(OSError, ValueError):
        found = json.loads(MEMORY.read_text(encoding="utf-8"))
        if isinstance(found, dict) and all(isinstance(entry, list) for entry in found.values()):
            return found
    return {}


def files_of_run(identity: dict[str, Any]) -> list[str]:
    """The user's files and folders that training a run, or replaying it, reads: images, a local checkpoint."""
    path, name = identity.get("task", {}).get("path"), identity.get("model", {}).get("name")
    checkpoint = identity.get("task", {}).get("kind") == "prompts" and os.path.isdir(name)
    return [*([path] if path else []), *([name] if checkpoint else [])]


def file_of_module(name: str) -> list[str]:
    """The file of the user's module that `module:function` names; none for what the package brings."""
    if ":" not in name:
        return []
    module = name.partition(":")[0]
    here = Path(*module.split(".")).with_suffix(".py")
    if here.is_file():
        return [str(here)]
    with suppress(ImportError, ValueError):
        found = find_spec(module)
        if found is not None and found.origin and os.path.isfile(found.origin):
            return [found.origin]
    return []
