"""Files that are written completely or not at all, and read with errors that name the file.

Every file that the project makes goes through `atomic`: it is written next to its destination under a fixed
temporary name, flushed to the disk, and renamed. A reader sees the old file or the new one, never a partial one.

Records carry a checksum of all of their content, which is verified on reading, so damaged data are never used.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import os
import re
import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from ontogeny.errors import OntogenyError, expect, first_line
from ontogeny.renamed import COLUMNS

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
OPEN_CHECKSUM = "ontogeny-sha256:" + "0" * 64
"""Placeholder for the checksum in a text, which `with_checksum` fills in."""
_CHECKSUM = re.compile(r'"ontogeny-sha256:([0-9a-f]{64})"')
_FOOT = b"\nontogeny-sha256:"
_DAMAGED_CHECKSUM = re.compile(r"(?=.{0,16}(?:nto|gen|eny|y-s)).{0,18}[0-9a-f]{40,}.{0,40}", re.DOTALL)


@contextmanager
def disk_errors(path: str | os.PathLike) -> Iterator[None]:
    """Turn a full or read-only disk inside the block into a one-sentence error that names `path`.

    Covers libraries that report a full disk with exceptions of their own.
    """
    try:
        yield
    except OntogenyError:
        raise
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else None
        if number in _DISK_FULL or "No space left" in str(error):
            free = shutil.disk_usage(_existing_parent(Path(path))).free
            raise OntogenyError(
                f"no disk space left while writing {path} ({free / 2**20:.0f} MiB free): free some space and run "
                "again; finished files are kept"
            ) from error
        if isinstance(error, OSError) and number in _READ_ONLY:
            raise OntogenyError(f"cannot write {path}: {error.strerror}; make the folder writable") from error
        raise


@contextmanager
def read_errors(path: str | os.PathLike, what: str) -> Iterator[None]:
    """Turn whatever a library raises on a broken file into a one-sentence error; `what` says what `path` should be."""
    try:
        yield
    except OntogenyError:
        raise
    except FileNotFoundError:
        raise OntogenyError(f"{path} does not exist") from None
    except Exception as error:
        raise OntogenyError(f"{path} cannot be read as {what}: {first_line(error)}") from None


def as_path(path: Any) -> Path:
    """A path as one of pathlib. Raises OntogenyError for what is none."""
    expect(path, (str, os.PathLike), "a path")
    return Path(path)


def _existing_parent(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


_TURNS: WeakValueDictionary[str, Any] = WeakValueDictionary()
_TURNS_CHANGE = threading.Lock()


def _turn(path: Path) -> Any:
    """The lock of the threads of this process that write `path`, kept as long as one of them has it."""
    with _TURNS_CHANGE:
        return _TURNS.setdefault(os.path.abspath(path), threading.RLock())


@contextmanager
def atomic(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary sibling of `path` to write to; rename it to `path` if the block succeeds.

    The temporary name is always the same (`.name.part`), so a killed job leaves at most one such file, which the next
    attempt replaces. Threads that write one file wait for each other. Parent folders are created. Raises OntogenyError
    if the disk is full or read-only, or if no file can be created at `path`.
    """
    path = Path(path)
    if not path.name:
        raise OntogenyError(f"cannot write {path}: it is a folder")
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    with _turn(path), disk_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, FileNotFoundError, NotADirectoryError):
            raise OntogenyError(f"cannot write {path}: {path.parent} is not a folder and cannot be made one") from None
        if path.is_dir():
            raise OntogenyError(f"cannot write {path}: it is a folder")
        try:
            yield part
            with open(part, "rb") as handle:
                os.fsync(handle.fileno())
            os.replace(part, path)
        except BaseException as error:
            part.unlink(missing_ok=True)
            if isinstance(error, FileNotFoundError) and error.filename == str(part):
                raise OntogenyError(f"cannot write {path}: no file can be made in {path.parent}") from None
            raise


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Write `data` to `path`, completely or not at all."""
    with atomic(path) as part:
        part.write_bytes(data)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write `text` to `path` as UTF-8 with Unix line endings, completely or not at all."""
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
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def in_text(value: Any, where: str) -> tuple[Any, list[str]]:
    """`value` with everything that `plain` cannot turn into JSON as text, and where that was: `where` and keys."""
    if isinstance(value, Mapping):
        parts = {key: in_text(item, f"{where}.{key}") for key, item in value.items()}
        places = [place for _, found in parts.values() for place in found]
        return {key: item for key, (item, _) in parts.items()}, places
    if isinstance(value, list | tuple):
        items = [in_text(item, f"{where}[{number}]") for number, item in enumerate(value)]
        return [item for item, _ in items], [place for _, found in items for place in found]
    try:
        plain(value)
    except (TypeError, ValueError):
        return str(value), [where]
    return value, []


def json_text(value: Any, indent: int | None = 2) -> str:
    """Strict JSON text of `value` (see `plain`), with exact floats and a final newline; deterministic."""
    return json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: str | os.PathLike, value: Any, indent: int | None = 2) -> None:
    """Write `value` as strict JSON (NaN becomes null), completely or not at all.

    A record, that is an object with `metadata` or a `format`, gets an entry `checksum`, which `read_json` verifies.
    """
    write_text(path, with_checksum(json_text(_with_open_checksum(value), indent)))


def _with_open_checksum(value: Any) -> Any:
    if not isinstance(value, dict) or not {"metadata", "format"} & value.keys():
        return value
    if isinstance(value.get("metadata"), dict):
        return {**value, "metadata": {**value["metadata"], "checksum": OPEN_CHECKSUM}}
    return {**value, "checksum": OPEN_CHECKSUM} if "format" in value else value


def with_checksum(text: str) -> str:
    """`text` with its placeholder `OPEN_CHECKSUM`, if it has one, replaced by the digest of `text`."""
    head, found, tail = text.rpartition(OPEN_CHECKSUM)
    return f"{head}ontogeny-sha256:{hashlib.sha256(text.encode()).hexdigest()}{tail}" if found else text


def _verify_checksum(text: str, path: str | os.PathLike) -> None:
    for found in _CHECKSUM.finditer(text):
        start, stop = found.span(1)
        opened = f"{text[:start]}{'0' * 64}{text[stop:]}"
        if hashlib.sha256(opened.encode()).hexdigest() != found[1]:
            raise OntogenyError(
                f"{path} is damaged or was edited: its content does not match its checksum; make it again, or remove "
                "the entry 'checksum' if you edited it"
            )


def _without_checksum(value: Any, path: str | os.PathLike) -> Any:
    """`value` without its checksum. Raises OntogenyError if the checksum itself is damaged, or has its former name."""
    places = (value, value.get("metadata")) if isinstance(value, dict) else ()
    for part in (place for place in places if isinstance(place, dict)):
        for key, item in list(part.items()):
            if key == "seal" and str(item).startswith("seal:"):
                raise OntogenyError(
                    f"{path} is from an earlier version: its entry 'seal' is now called 'checksum'; make it again"
                )
            if key == "checksum" or (isinstance(item, str) and _DAMAGED_CHECKSUM.fullmatch(item)):
                if key != "checksum" or not _CHECKSUM.fullmatch(f'"{item}"'):
                    raise OntogenyError(f"{path} is damaged: its checksum is not valid; make it again")
                del part[key]
    return value


def checksum_of(text: str, arrays: Mapping[str, Any]) -> str:
    """The checksum, as JSON text, of named NumPy arrays and of the `text` stored with them: a digest of each."""
    digests = {name: _array_digest(array) for name, array in sorted(arrays.items())}
    return json.dumps({"text": hashlib.sha256(text.encode()).hexdigest(), "arrays": digests})


def _array_digest(array: Any) -> str:
    digest = hashlib.sha256(f"{array.dtype}{array.shape}".encode())
    digest.update(array.tobytes())
    return digest.hexdigest()


def verify_checksum(path: str | os.PathLike, checksum: str | None, text: str, arrays: Mapping[str, Any]) -> None:
    """Raise OntogenyError unless `checksum` matches `text` and `arrays`; it may cover other arrays as well."""
    try:
        found = json.loads(checksum or "{}")
        whole = found["text"] == hashlib.sha256(text.encode()).hexdigest() and all(
            found["arrays"][name] == _array_digest(array) for name, array in arrays.items()
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise OntogenyError(
            f"{path} is damaged or from another version: its content does not match its checksum; delete it and "
            "run again"
        )


def append_checksum(path: str | os.PathLike) -> None:
    """Append to a file a digest of all of its bytes. HDF5 readers ignore what follows their data."""
    with open(path, "r+b") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0, os.SEEK_END)
        file.write(_FOOT + digest.encode())


def ends_in_checksum(path: str | os.PathLike) -> bool:
    """Whether a file ends in a checksum from `append_checksum`. Raises OntogenyError if the bytes do not match it."""
    with open(path, "rb") as file:
        left = max(0, file.seek(0, os.SEEK_END) - len(_FOOT) - 64)
        file.seek(left)
        foot = file.read()
        if not foot.startswith(_FOOT):
            return False
        file.seek(0)
        digest = hashlib.sha256()
        while left and (chunk := file.read(min(left, 1 << 20))):
            digest.update(chunk)
            left -= len(chunk)
    if foot.removeprefix(_FOOT) != digest.hexdigest().encode():
        raise OntogenyError(f"{path} is damaged: its bytes do not match the checksum at its end; make it again")
    return True


@contextmanager
def write_hdf5(path: str | os.PathLike, track_order: bool = False) -> Iterator[Any]:
    """Yield an `h5py.File` to fill; once the block succeeds, it gets a checksum and is moved to `path`."""
    import h5py

    with atomic(path) as part:
        with _Patient(part, "w+b") as patient:
            try:
                with h5py.File(patient, "w", track_order=track_order) as file:
                    yield file
            finally:
                if patient.failure:
                    raise patient.failure
        append_checksum(part)


class _Patient(io.FileIO):
    """A file that says at its end, in `failure`, what could not be written.

    The HDF5 library neither closes a file nor frees its space on the disk after a write that failed.
    """

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        whole = left = memoryview(data).cast("B")
        try:
            while left:
                left = left[super().write(left) :]
        except OSError as error:
            self.failure = self.failure or error
        return len(whole)

    def truncate(self, size: int | None = None) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.failure = self.failure or error
            return size or 0


def open_hdf5(path: str | os.PathLike) -> Any:
    """An `h5py.File` made by `write_hdf5`, opened for reading.

    Its checksum is verified before the HDF5 library opens it, because that library may never return on a damaged file.
    Raises OntogenyError if the file is missing, damaged, truncated or has no checksum.
    """
    import h5py

    with read_errors(path, "an HDF5 file"):
        if not ends_in_checksum(path):
            raise OntogenyError(
                f"{path} is damaged or from another version: it does not end in its checksum, so it was truncated or "
                "edited; make it again"
            )
        return h5py.File(path, "r")


def read_text(path: str | os.PathLike) -> str:
    """The text of a UTF-8 file, without a byte order mark. Raises OntogenyError if it is missing or is not text."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise OntogenyError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise OntogenyError(f"{path} is a folder; a file is expected") from None
    except UnicodeDecodeError as error:
        raise OntogenyError(
            f"{path} is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}; save it as UTF-8"
        ) from None
    except PermissionError:
        raise OntogenyError(f"{path} cannot be read: permission denied") from None
    except OSError as error:
        raise OntogenyError(f"{path} cannot be read: {error.strerror}") from None


def read_json(path: str | os.PathLike) -> Any:
    """Parse a JSON file; bare NaN and Infinity are accepted. A checksum is verified and removed.

    Raises OntogenyError if the file is not valid JSON (with the position), if a name appears twice in one object (JSON
    would keep only one of them), or if the content does not match the checksum.
    """
    text = read_text(path)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            again = Counter(name for name, _ in pairs).most_common(1)[0][0]
            raise OntogenyError(f"{path} has the name {again[:60]!r} twice in one object: names must be unique")
        return found

    try:
        value = json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) - 1
        what = "ends in the middle, as if it were truncated" if cut else f"is not JSON: {error.msg}"
        place = f"(line {error.lineno}, column {error.colno})"
        raise OntogenyError(f"{path} {what} {place}; get a complete copy, or delete it and make it again") from None
    except RecursionError:
        raise OntogenyError(f"{path} is nested too deeply to be a record") from None
    except ValueError as error:
        raise OntogenyError(f"{path} cannot be read as JSON: {error}") from None
    _verify_checksum(text, path)
    return _without_checksum(value, path)


def most_unpacked(path: str | os.PathLike) -> int:
    """The number of bytes that a compressed file may unpack to: 200 times its size, but at least 64 MiB.

    Anything larger is a decompression bomb: text and numbers of records compress by a factor of fifty at most.
    """
    return max(64 << 20, 200 * Path(path).stat().st_size)


def check_archive(path: str | os.PathLike) -> None:
    """Raise OntogenyError if the zip file `path` (npz) claims to unpack to more than `most_unpacked`."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        claimed = sum(entry.file_size for entry in archive.infolist())
    if claimed > most_unpacked(path):
        raise OntogenyError(f"{path} claims to unpack to {claimed >> 20} MiB, far more than its size allows")


def write_csv(path: str | os.PathLike, frame: Any) -> None:
    """Write a pandas DataFrame as CSV (tabs for .tsv), without its index, floats exact, completely or not at all."""
    separator = "\t" if str(path).endswith(".tsv") else ","
    write_text(path, frame.to_csv(index=False, sep=separator, lineterminator="\n"))


def read_table(path: str | os.PathLike) -> Any:
    """A CSV or TSV file as a pandas DataFrame.

    Raises OntogenyError if the file is missing or not a table, or if a column still has its former name.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, sep="\t" if str(path).endswith(".tsv") else ",", float_precision="round_trip")
    except FileNotFoundError:
        raise OntogenyError(f"{path} does not exist") from None
    except (ValueError, OSError) as error:
        raise OntogenyError(f"{path} cannot be read as a table: {first_line(error)}") from None
    for old, new in COLUMNS.items():
        if old in table.columns and new not in table.columns:
            raise OntogenyError(f"{path}: the column {old} is now called {new}; make the file again")
    return table


def read_tables(paths: Any) -> Any:
    """Several tables with the same columns, concatenated in the order of `paths`."""
    import pandas as pd

    return pd.concat([read_table(path) for path in paths], ignore_index=True)
