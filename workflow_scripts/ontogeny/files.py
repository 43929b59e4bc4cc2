"""Files written whole or not at all, and read with errors that name the file.

Every file that the project makes goes through `atomic`: it is written beside its destination under a fixed
temporary name, flushed to the disk, and renamed. A reader sees the old file, or the new one, never a part.
"""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ontogeny.errors import OntogenyError

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def disk_errors(path: str | os.PathLike) -> Iterator[None]:
    """Turn a full or read-only disk met inside the block into one sentence that names `path`."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL or "No space left" in str(error):
            free = shutil.disk_usage(_existing_parent(Path(path))).free
            raise OntogenyError(
                f"no disk space left while writing {path} ({free / 2**20:.0f} MiB free): free some space and run "
                "again; what was finished is kept"
            ) from error
        if error.errno in _READ_ONLY:
            raise OntogenyError(f"cannot write {path}: {error.strerror}; make the folder writable") from error
        raise


def _existing_parent(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


@contextmanager
def atomic(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary sibling of `path` to write to; rename it to `path` if the block succeeds.

    The temporary name is the same every time (`.name.part`), so that a killed job leaves at most one, which
    the next attempt replaces. Parent folders are made. Raises OntogenyError when the disk is full or read-only.
    """
    path = Path(path)
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            with open(part, "rb") as handle:
                os.fsync(handle.fileno())
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with atomic(path) as part:
        part.write_bytes(data)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write `text` to `path` as UTF-8 with Unix line ends, whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def plain(value: Any) -> Any:
    """`value` as JSON types: NumPy scalars and arrays become numbers and lists, NaN and infinities become None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, bool) or value is None or isinstance(value, int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def json_text(value: Any, indent: int | None = 2) -> str:
    """Strict JSON text of `value` (see `plain`), floats exact, ending in a newline; the same value, the same text."""
    return json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: str | os.PathLike, value: Any, indent: int | None = 2) -> None:
    """Write `value` as strict JSON (NaN becomes null), whole or not at all."""
    write_text(path, json_text(value, indent))


def read_text(path: str | os.PathLike) -> str:
    """The text of a UTF-8 file. Raises OntogenyError if it is missing or is not text."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise OntogenyError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise OntogenyError(f"{path} is a folder; a file is wanted") from None
    except UnicodeDecodeError as error:
        raise OntogenyError(
            f"{path} is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}"
        ) from None
    except PermissionError:
        raise OntogenyError(f"{path} cannot be read: permission denied") from None


def read_json(path: str | os.PathLike) -> Any:
    """Parse a JSON file; bare NaN and Infinity are accepted. Raises OntogenyError that says where it breaks."""
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) - 1
        what = "ends in the middle, as if it were cut off" if cut else f"is not JSON: {error.msg}"
        place = f"(line {error.lineno}, column {error.colno})"
        raise OntogenyError(f"{path} {what} {place}; get a whole copy, or delete it to have it made again") from None
    except RecursionError:
        raise OntogenyError(f"{path} is nested too deeply to be a record") from None
    except ValueError as error:
        raise OntogenyError(f"{path} is not JSON that can be read: {error}") from None


def write_csv(path: str | os.PathLike, frame: Any) -> None:
    """Write a pandas DataFrame as CSV without its index, floats exact, whole or not at all (tabs for .tsv)."""
    separator = "\t" if str(path).endswith(".tsv") else ","
    write_text(path, frame.to_csv(index=False, sep=separator, lineterminator="\n"))


def read_table(path: str | os.PathLike) -> Any:
    """A CSV or TSV file as a pandas DataFrame. Raises OntogenyError that names the file if it is not one."""
    import pandas as pd

    try:
        return pd.read_csv(path, sep="\t" if str(path).endswith(".tsv") else ",", float_precision="round_trip")
    except FileNotFoundError:
        raise OntogenyError(f"{path} does not exist") from None
    except (ValueError, OSError) as error:
        raise OntogenyError(f"{path} is not a table that can be read: {str(error).splitlines()[0]}") from None


def read_tables(paths: Any) -> Any:
    """Several tables with the same columns as one, in the order of `paths`."""
    import pandas as pd

    return pd.concat([read_table(path) for path in paths], ignore_index=True)
