"""Files written whole or not at all, and read with errors that name the file.

Every file that the project makes goes through `atomic`: it is written beside its destination under a fixed
temporary name, flushed to the disk, and renamed. A reader sees the old file, or the new one, never a part.

Records carry a seal, a digest of all of their content, which reading checks: what was damaged since is not read.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ontogeny.errors import OntogenyError
from ontogeny.renamed import COLUMNS

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
OPEN_SEAL = "seal:" + "0" * 64
"""What stands for the seal in a text until `sealed` puts it in."""
_SEAL = re.compile(r'"seal:([0-9a-f]{64})"')
_FOOT = b"\nontogeny-sha256:"
_ONCE_A_SEAL = re.compile(r"(?=.{0,9}(?:sea|eal|al:)).{0,9}[0-9a-f]{40,}.{0,40}", re.DOTALL)


@contextmanager
def disk_errors(path: str | os.PathLike) -> Iterator[None]:
    """Turn a full or read-only disk met inside the block into one sentence that names `path`.

    Libraries that write for us may say so in exceptions of their own.
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
                "again; what was finished is kept"
            ) from error
        if number in _READ_ONLY:
            raise OntogenyError(f"cannot write {path}: {error.strerror}; make the folder writable") from error
        raise


@contextmanager
def read_errors(path: str | os.PathLike, what: str) -> Iterator[None]:
    """Turn whatever a library raises on a broken file into one sentence that names `path`; `what` is wanted there."""
    try:
        yield
    except OntogenyError:
        raise
    except FileNotFoundError:
        raise OntogenyError(f"{path} does not exist") from None
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise OntogenyError(f"{path} is not {what} that can be read: {reason}") from None


def _existing_parent(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


@contextmanager
def atomic(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary sibling of `path` to write to; rename it to `path` if the block succeeds.

    The temporary name is the same every time (`.name.part`), so that a killed job leaves at most one, which
    the next attempt replaces. Parent folders are made. Raises OntogenyError when the disk is full or read-only, and
    where no file can lie.
    """
    path = Path(path)
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    with disk_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, FileNotFoundError, NotADirectoryError):
            raise OntogenyError(
                f"cannot write {path}: {path.parent} is no folder, and none can be made there"
            ) from None
        if path.is_dir():
            raise OntogenyError(f"cannot write {path}: it is a folder")
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
    """Write `value` as strict JSON (NaN becomes null), whole or not at all.

    A record, an object with `metadata` or a `format`, gets the entry `seal` there, which `read_json` checks.
    """
    write_text(path, sealed(json_text(_with_open_seal(value), indent)))


def _with_open_seal(value: Any) -> Any:
    if not isinstance(value, dict) or not {"metadata", "format"} & value.keys():
        return value
    if isinstance(value.get("metadata"), dict):
        return {**value, "metadata": {**value["metadata"], "seal": OPEN_SEAL}}
    return {**value, "seal": OPEN_SEAL} if "format" in value else value


def sealed(text: str) -> str:
    """`text` with its open seal, if it has one, replaced by the digest of `text`."""
    head, found, tail = text.rpartition(OPEN_SEAL)
    return f"{head}seal:{hashlib.sha256(text.encode()).hexdigest()}{tail}" if found else text


def _check_seal(text: str, path: str | os.PathLike) -> None:
    for found in _SEAL.finditer(text):
        start, stop = found.span(1)
        opened = f"{text[:start]}{'0' * 64}{text[stop:]}"
        if hashlib.sha256(opened.encode()).hexdigest() != found[1]:
            raise OntogenyError(
                f"{path} is damaged, or was edited: its content does not match its seal; make it again, or take out "
                "the entry 'seal' if you edited it"
            )


def _without_seal(value: Any, path: str | os.PathLike) -> Any:
    """`value` without its seal. Raises OntogenyError if what was a seal is none any more."""
    for part in (value, value.get("metadata")) if isinstance(value, dict) else ():
        for key, item in list(part.items()) if isinstance(part, dict) else ():
            if key == "seal" or (isinstance(item, str) and _ONCE_A_SEAL.fullmatch(item)):
                if key != "seal" or not _SEAL.fullmatch(f'"{item}"'):
                    raise OntogenyError(f"{path} is damaged: its seal is no seal any more; make it again")
                del part[key]
    return value


def seal_of(text: str, arrays: Mapping[str, Any]) -> str:
    """The seal, as JSON text, of NumPy arrays by name and of the `text` beside them: a digest of each."""
    digests = {name: _array_digest(array) for name, array in sorted(arrays.items())}
    return json.dumps({"text": hashlib.sha256(text.encode()).hexdigest(), "arrays": digests})


def _array_digest(array: Any) -> str:
    digest = hashlib.sha256(f"{array.dtype}{array.shape}".encode())
    digest.update(array.tobytes())
    return digest.hexdigest()


def check_seal(path: str | os.PathLike, seal: str | None, text: str, arrays: Mapping[str, Any]) -> None:
    """Raise OntogenyError unless `seal` is that of `text` and, among others, of `arrays`."""
    try:
        found = json.loads(seal or "{}")
        whole = found["text"] == hashlib.sha256(text.encode()).hexdigest() and all(
            found["arrays"][name] == _array_digest(array) for name, array in arrays.items()
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise OntogenyError(
            f"{path} is damaged or of another version: its content does not match its seal; delete it and run again"
        )


def append_seal(path: str | os.PathLike) -> None:
    """Append to a file a digest of all of its bytes. Readers of HDF5 skip what follows their data."""
    with open(path, "r+b") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0, os.SEEK_END)
        file.write(_FOOT + digest.encode())


def ends_in_seal(path: str | os.PathLike) -> bool:
    """Whether a file ends in a seal of `append_seal`. Raises OntogenyError if what precedes the seal was damaged."""
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
        raise OntogenyError(f"{path} is damaged: its bytes do not match the seal at its end; make it again")
    return True


@contextmanager
def write_hdf5(path: str | os.PathLike, track_order: bool = False) -> Iterator[Any]:
    """Yield an `h5py.File` to fill; it is sealed with `append_seal`, and at `path` once the block succeeds."""
    import h5py

    with atomic(path) as part:
        with h5py.File(part, "w", track_order=track_order) as file:
            yield file
        append_seal(part)


def open_hdf5(path: str | os.PathLike) -> Any:
    """An `h5py.File` that `write_hdf5` made, to be read.

    Its seal is checked before the HDF5 library sees it, which may never end on a damaged file. Raises OntogenyError if
    it is missing, damaged, cut off or carries no seal.
    """
    import h5py

    with read_errors(path, "an HDF5 file"):
        if not ends_in_seal(path):
            raise OntogenyError(
                f"{path} is damaged, or of another version: it does not end in its seal, so that it was cut off or "
                "edited; make it again"
            )
        return h5py.File(path, "r")


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
    except OSError as error:
        raise OntogenyError(f"{path} cannot be read: {error.strerror}") from None


def read_json(path: str | os.PathLike) -> Any:
    """Parse a JSON file; bare NaN and Infinity are accepted. A seal is checked, and taken out.

    Raises OntogenyError that says where it breaks, that a name stands twice in one object (of which JSON keeps only
    one), or that it does not match its seal.
    """
    text = read_text(path)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            again = Counter(name for name, _ in pairs).most_common(1)[0][0]
            raise OntogenyError(f"{path} holds the name {again[:60]!r} twice in one object: give each its own")
        return found

    try:
        value = json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) - 1
        what = "ends in the middle, as if it were cut off" if cut else f"is not JSON: {error.msg}"
        place = f"(line {error.lineno}, column {error.colno})"
        raise OntogenyError(f"{path} {what} {place}; get a whole copy, or delete it to have it made again") from None
    except RecursionError:
        raise OntogenyError(f"{path} is nested too deeply to be a record") from None
    except ValueError as error:
        raise OntogenyError(f"{path} is not JSON that can be read: {error}") from None
    _check_seal(text, path)
    return _without_seal(value, path)


def most_unpacked(path: str | os.PathLike) -> int:
    """The bytes that a compressed file may unpack to: 200 times its size, and 64 MiB at least.

    What unpacks to more is no data but a bomb: text and numbers of records shrink to a fiftieth at most.
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
    """Write a pandas DataFrame as CSV without its index, floats exact, whole or not at all (tabs for .tsv)."""
    separator = "\t" if str(path).endswith(".tsv") else ","
    write_text(path, frame.to_csv(index=False, sep=separator, lineterminator="\n"))


def read_table(path: str | os.PathLike) -> Any:
    """A CSV or TSV file as a pandas DataFrame.

    Raises OntogenyError that names the file if it is not one, or has a column by a name that it had before.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, sep="\t" if str(path).endswith(".tsv") else ",", float_precision="round_trip")
    except FileNotFoundError:
        raise OntogenyError(f"{path} does not exist") from None
    except (ValueError, OSError) as error:
        raise OntogenyError(f"{path} is not a table that can be read: {str(error).splitlines()[0]}") from None
    for old in COLUMNS.keys() & set(table.columns):
        if COLUMNS[old] not in table.columns:
            raise OntogenyError(f"{path}: the column {old} is now called {COLUMNS[old]}; make the file again")
    return table


def read_tables(paths: Any) -> Any:
    """Several tables with the same columns as one, in the order of `paths`."""
    import pandas as pd

    return pd.concat([read_table(path) for path in paths], ignore_index=True)
