"""What Snakemake keeps of how each file was made: a record per file, under the file's name in base64.

Of a long name, Snakemake puts the rest into a folder below, whose name begins with @.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PLACE = Path(".snakemake") / "metadata"


def records_of_files(folder: str | os.PathLike) -> Iterator[tuple[Path, str]]:
    """The records in the working folder `folder`, and the file that each is of, in order of their paths."""
    place = Path(folder) / PLACE
    for path in sorted(place.rglob("*")) if place.is_dir() else ():
        if path.is_file():
            code = path.relative_to(place).as_posix().replace("/@", "").replace("@", "").replace("/", "")
            with suppress(ValueError):
                yield path, base64.urlsafe_b64decode(code.encode()).decode()
