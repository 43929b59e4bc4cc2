"""Runs from Parquet, Feather and archives of NumPy arrays."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd

from ontogeny.errors import OntogenyError
from ontogeny.files import verify_checksum
from ontogeny.phase1.layouts import RawRun
from ontogeny.phase1.limits import MOST_BYTES, MOST_VALUES, foreign_errors, must_hold_bytes
from ontogeny.phase1.loggers import array_table, logged_table
from ontogeny.phase1.record import listed
from ontogeny.phase1.tables import table_runs


def need_pyarrow(path: Path) -> None:
    """Raises OntogenyError where pyarrow is missing, which reads and writes Parquet and Feather."""
    if find_spec("pyarrow") is None:
        raise OntogenyError(f"{path} needs pyarrow, which is not installed: pip install 'ontogeny[parquet]'")


def feather_runs(path: Path) -> list[RawRun]:
    """The runs of a Feather table.

    Raises OntogenyError if it cannot be read or holds no record.
    """
    need_pyarrow(path)
    must_hold_bytes(path)
    with foreign_errors(path, "Feather"):
        frame = pd.read_feather(path)
    return table_runs(logged_table(frame, path), str(path))


def parquet_runs(path: Path) -> list[RawRun]:
    """The runs of a Parquet table, with the metadata that `write_phase1` put beside it.

    Raises OntogenyError if it cannot be read, is damaged, too large or holds no record.
    """
    need_pyarrow(path)
    import pyarrow.parquet as parquet

    must_hold_bytes(path)
    with foreign_errors(path, "Parquet"):
        file = parquet.ParquetFile(path)
        cells = file.metadata.num_rows * max(1, file.metadata.num_columns)
        if cells > MOST_VALUES:
            raise OntogenyError(f"{path} declares {cells} values, and a record may have {MOST_VALUES}")
        table = file.read()
        about = table.schema.metadata or {}
        stamp, checksum = about.get(b"ontogeny"), about.get(b"checksum")
        frame = table.replace_schema_metadata(None).to_pandas()
        if checksum is not None:
            verify_checksum(path, checksum.decode(), (stamp or b"").decode(), {"frame": frame_hashes(frame)})
    return _with_metadata(table_runs(frame, str(path)), stamp, path)


def frame_hashes(frame: pd.DataFrame) -> np.ndarray:
    """A hash of every row of a record's table, uint64."""
    return pd.util.hash_pandas_object(frame, index=False).to_numpy()


def _with_metadata(runs: list[RawRun], stamp: bytes | str | None, path: Path) -> list[RawRun]:
    """Give the runs the metadata that was written beside the table."""
    if stamp is None:
        return runs
    try:
        written = json.loads(stamp)
        by_run = {item["run"]: item for item in written["runs"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise OntogenyError(f"{path} has broken metadata: the entry 'ontogeny' is not what was written") from None
    for run in runs:
        item = by_run.get(run.name)
        if isinstance(item, dict):
            run.metadata = item["metadata"] if isinstance(item.get("metadata"), dict) else {}
            derived = item.get("derived")
            run.derived = (
                [(str(pair[0]), str(pair[1])) for pair in derived if len(pair) == 2]
                if isinstance(derived, list)
                else []
            )
    return runs


def npz_runs(path: Path) -> list[RawRun]:
    """The run of a NumPy archive: an array of steps, and one for each metric.

    Raises OntogenyError if it cannot be read, is too large or holds no record.
    """
    must_hold_bytes(path)
    with foreign_errors(path, "a NumPy archive"):
        with ZipFile(path) as archive:
            declared = sum(item.file_size for item in archive.infolist())
        if declared > MOST_BYTES:
            raise OntogenyError(f"{path} has {declared >> 20} MiB unpacked, and a record may have {MOST_BYTES >> 20}")
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    try:
        table, unread = array_table(arrays)
    except OntogenyError as error:
        raise OntogenyError(f"{path} holds no Phase 1 record: {error}") from None
    runs = table_runs(table, str(path))
    if unread:
        runs[0].remarks.append((None, f"left out, since no list of numbers beside the steps: {listed(unread)}"))
    return runs
