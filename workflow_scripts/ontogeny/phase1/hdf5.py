"""Runs from HDF5: our own layout, a group for each layer, or one table."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.errors import OntogenyError
from ontogeny.files import checksum_of, ends_in_checksum
from ontogeny.phase1.document import FORMAT
from ontogeny.phase1.layouts import DIMENSIONALITY_NAMES, RawRun, RawTable, runs_of
from ontogeny.phase1.limits import MOST_VALUES, foreign_errors, must_hold_bytes
from ontogeny.phase1.loggers import step_key
from ontogeny.phase1.record import RUN_LEVEL, RUN_METRICS, listed, quote
from ontogeny.phase1.tables import table_runs

HDF5_SECONDS = 20
"""How long reading an HDF5 file that carries no checksum may take, and a second more per MiB."""


def hdf5_runs(path: Path) -> list[RawRun]:
    """The runs of an HDF5 file. One without our checksum is read in a process of its own first.

    Raises OntogenyError if it cannot be read, is damaged, too large or holds no record.
    """
    import h5py

    must_hold_bytes(path)
    with foreign_errors(path, "HDF5"):
        if not ends_in_checksum(path):
            _must_end(path)
    with foreign_errors(path, "HDF5"), h5py.File(path, "r") as file:
        groups = _data_sets(file, path)
        stamp = groups.get("", {}).pop("ontogeny", None)
        if stamp is not None and stamp.shape == ():
            text = stamp.asstr()[()]
            arrays = {item.name: item[()] for items in groups.values() for item in items.values()}
            kept = stamp.attrs.get("checksum")
            if kept is not None and kept != sha256(checksum_of(text, arrays).encode()).hexdigest():
                raise OntogenyError(f"{path} is damaged: its content does not match its checksum; get a complete copy")
            return _own_hdf5(json.loads(text), groups, path)
        metadata = {str(key): _attribute(value) for key, value in file.attrs.items()}
        tables = {
            name: {leaf: _dataset(item) for leaf, item in items.items() if item.ndim == 1}
            for name, items in groups.items()
        }
        frame = _one_table(groups, tables, path)
        if frame is not None:
            return table_runs(frame, str(path))
        unread = [
            f"{name}/{leaf}".strip("/")
            for name, items in groups.items()
            for leaf, item in items.items()
            if leaf in DIMENSIONALITY_NAMES and (item.ndim != 1 or not step_key(items))
        ]
    layers = {name: columns for name, columns in tables.items() if step_key(columns)}
    if not layers:
        names = [f"{group}/{leaf}".strip("/") for group, items in tables.items() for leaf in items]
        raise OntogenyError(
            f"{path} holds no Phase 1 record: its data sets are {listed(names)}, but expected is one group per layer, "
            "with the data set step and one data set per metric"
        )
    lists = {
        name or RUN_LEVEL: {
            key: values.tolist() if isinstance(values, np.ndarray) else values for key, values in columns.items()
        }
        for name, columns in layers.items()
    }
    runs = runs_of({**lists, "metadata": metadata}, str(path))
    if unread:
        runs[0].remarks.append((None, f"left out, since no list of numbers beside a list of steps: {listed(unread)}"))
    return runs


def _own_hdf5(stamp: dict, groups: dict[str, dict[str, Any]], path: Path) -> list[RawRun]:
    """Runs from the layout that `write_phase1` makes: one group per layer, described by the data set 'ontogeny'."""
    if not isinstance(stamp, dict) or stamp.get("format") != FORMAT:
        raise OntogenyError(f"{path} is not of the format {FORMAT} that this version reads")
    runs = []
    for item in stamp["runs"]:
        run = RawRun(name=str(item["run"]), metadata=dict(item["metadata"]), per_layer=list(RUN_METRICS))
        run.derived = [(str(layer), str(metric)) for layer, metric in item["derived"]]
        for group, layer in item["groups"].items():
            columns = {leaf: _dataset(data) for leaf, data in groups[group].items()}
            names = item["metrics"]
            steps = columns.pop("step")
            table = RawTable(steps=steps, layer=str(layer))
            for leaf, values in columns.items():
                values = values.tolist()
                gap = [value != value for value in values]
                table.series[str(layer), names[leaf]] = (
                    ([i for i, lost in enumerate(gap) if not lost], [v for v, lost in zip(values, gap) if not lost])
                    if any(gap)
                    else (None, values)
                )
            run.tables.append(table)
        runs.append(run)
    return runs


def _data_sets(file: Any, path: Path) -> dict[str, dict[str, Any]]:
    """The data sets of an open HDF5 file, by group and name.

    Raises OntogenyError if they lie in other files, or declare more than `MOST_VALUES` values.
    """
    import h5py

    total = 0
    groups: dict[str, dict[str, Any]] = {}

    def visit(name: str, item: Any) -> None:
        nonlocal total
        if isinstance(item, h5py.Dataset):
            if item.is_virtual or item.external:
                raise OntogenyError(f"{path} keeps the data of {quote(name)} in other files, which are not read")
            total += max(1, item.size or 0)
            if total > MOST_VALUES:
                raise OntogenyError(f"{path} declares more than {MOST_VALUES} values, too many for a record")
            parent, _, leaf = name.rpartition("/")
            groups.setdefault(parent, {})[leaf] = item

    file.visititems(visit)
    return groups


def _one_table(groups: dict[str, dict[str, Any]], tables: dict[str, dict[str, Any]], path: Path) -> pd.DataFrame | None:
    """The table that an HDF5 file holds as one compound data set, or as data sets `metric` and `value`; or None.

    Raises OntogenyError if it holds several compound data sets.
    """
    compound = {item.name: item for items in groups.values() for item in items.values() if item.dtype.names}
    if len(compound) > 1:
        raise OntogenyError(
            f"{path} holds {len(compound)} tables ({listed(compound)}): put them in one, with a column layer"
        )
    for found in compound.values():
        rows = found[()]
        return pd.DataFrame({name: rows[name].tolist() for name in found.dtype.names})
    if {"metric", "value"} <= set(tables.get("", {})):
        return pd.DataFrame({name: pd.Series(values) for name, values in tables[""].items()})
    return None


def _dataset(item: Any) -> Any:
    values = item[()]
    if item.dtype.kind in "fiu":
        return values
    if item.dtype.kind in "SO":
        return [cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell for cell in values.tolist()]
    return values.tolist()


def _attribute(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, np.ndarray | np.generic):
        return _attribute(value.tolist())
    if isinstance(value, list):
        return [_attribute(item) for item in value]
    return value if isinstance(value, str | int | float | bool) else str(value)


def _must_end(path: Path) -> None:
    """Raise OntogenyError if the HDF5 library hangs or dies on a file: it is tried in a process of its own first."""
    program = Path(__file__).with_name("touch_hdf5.py")
    limit = HDF5_SECONDS + path.stat().st_size / 2**20
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(program), str(path.absolute()), str(MOST_VALUES)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=limit, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise OntogenyError(f"{path} is damaged: HDF5 cannot finish reading it; get a complete copy") from None
    if done.returncode < 0:
        raise OntogenyError(f"{path} is damaged: HDF5 crashes on it; get a complete copy")
