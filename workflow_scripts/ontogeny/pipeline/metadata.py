"""What Snakemake keeps of how each file was made: a record per file, under the file's name in base64."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PLACE = Path(".snakemake") / "metadata"
_LONGEST = 254
"""Characters of a name beyond which Snakemake puts the rest into a folder below, whose name begins with @."""


def records_of_files(folder: str | os.PathLike) -> Iterator[tuple[Path, str]]:
    """The records in the working folder `folder`, and the file that each is of, in order of their paths."""
    place = Path(folder) / PLACE
    for path in sorted(place.rglob("*")) if place.is_dir() else ():
        if path.is_file():
            code = path.relative_to(place).as_posix().replace("/@", "").replace("@", "").replace("/", "")
            with suppress(ValueError):
                yield path, base64.urlsafe_b64decode(code.encode()).decode()


def record_path(folder: str | os.PathLike, file: str) -> Path:
    """Where the record of a file lies in the working folder `folder`."""
    code = base64.urlsafe_b64encode(file.encode()).decode()
    parts = [code[start : start + _LONGEST] for start in range(0, len(code), _LONGEST)]
    return Path(folder, PLACE, *(f"@{part}" for part in parts[:-1]), parts[-1])
