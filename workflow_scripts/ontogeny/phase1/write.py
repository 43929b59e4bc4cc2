"""Writing Phase 1 records as JSON, CSV, HDF5 and Parquet: the same bytes for the same record."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.files import (
    OPEN_CHECKSUM,
    atomic,
    checksum_of,
    in_text,
    json_text,
    plain,
    with_checksum,
    write_csv,
    write_hdf5,
    write_text,
)
from ontogeny.phase1.arrays import frame_hashes, need_pyarrow
from ontogeny.phase1.document import FORMAT, REPEATED, document
from ontogeny.phase1.folders import SUFFIXES
from ontogeny.phase1.layouts import without_reserved
from ontogeny.phase1.read import phase1_from_frame
from ontogeny.phase1.record import RUN_LEVEL, RUN_METRICS, Phase1, metric_order, quote, wide_table


@checks_arguments
def write_phase1(
    path: str | os.PathLike, record: Phase1 | pd.DataFrame, metadata: dict[str, Any] | None = None
) -> None:
    """Write a record, so that `read_phase1` gives back the same table, metadata and marks of derived series.

    The suffix decides: .json is `{layer: {"step": [...], metric: [...]}, "metadata": {...}}`, with loss and gradient
    norm repeated in every layer (several runs: a list of these under "experiments"); .csv and .tsv are the tidy table
    (with a column `derived` if anything is) without metadata; .h5 has one group per layer; .parquet is the tidy table.
    Gaps are null. `record` may be a tidy DataFrame. `metadata` is added to the record's own; its "run" names the run.

    Raises OntogenyError for an unknown suffix, metadata that JSON does not hold, or a layer called "metadata" in JSON.
    """
    path = Path(path)
    if not isinstance(record, Phase1):
        record = phase1_from_frame(record)
    record = _with(record, metadata)
    unfit = in_text(record.metadata, "metadata")[1]
    if unfit:
        raise OntogenyError(f"{unfit[0]} is nothing that JSON holds: give text, numbers, or lists and mappings of them")
    suffix = path.suffix.lower()
    if suffix == ".json":
        write_text(path, phase1_json(record))
    elif suffix in (".csv", ".tsv"):
        write_csv(path, _csv_table(record))
    elif suffix == ".parquet":
        _write_parquet(path, record)
    elif suffix in (".h5", ".hdf5"):
        _write_hdf5(path, record)
    else:
        has = f"has the suffix {quote(suffix)}" if suffix else "has no suffix"
        raise OntogenyError(f"{path} {has}: a Phase 1 record is one of {', '.join(SUFFIXES)}")


def _with(record: Phase1, metadata: dict[str, Any] | None) -> Phase1:
    if not metadata:
        return record
    metadata = {key: value for key, value in metadata.items() if key != "format"}
    name = metadata.pop("run", None)
    runs = record.runs
    if len(runs) != 1:
        if name is not None or "runs" not in metadata:
            raise OntogenyError("metadata of several runs are given as {'runs': {run: metadata}}")
        return Phase1(record.frame, record.notes, metadata, record.derived)
    frame, derived = record.frame, record.derived
    if name is not None and name != runs[0]:
        frame = frame.assign(run=pd.array([str(name)], dtype="str").take(np.zeros(len(frame), int)))
        derived = frozenset((str(name), layer, metric) for _, layer, metric in derived)
    return Phase1(frame, record.notes, {**record.metadata, **metadata}, derived)


@checks_arguments
def phase1_json(record: Phase1) -> str:
    """The JSON text that `write_phase1` writes: one line per column, the same text for the same record."""
    runs = record.runs
    if len(runs) == 1:
        return with_checksum(_run_json(record, runs[0], {"checksum": OPEN_CHECKSUM}) + "\n")
    return '{\n"experiments": [\n' + ",\n".join(_run_json(record, run) for run in runs) + "\n]\n}\n"


def _run_json(record: Phase1, run: str, more: dict[str, Any] | None = None) -> str:
    series: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for name, layer, metric, steps, values in record.each_series():
        if name == run:
            series.setdefault(layer, {})[metric] = (steps, values)
    once = series.pop(RUN_LEVEL, {})
    own = sorted({metric for found in series.values() for metric in found if metric in RUN_METRICS})
    measured = [steps for found in series.values() for steps, _ in found.values()]
    covered = np.unique(np.concatenate(measured)) if measured else np.zeros(0, np.int64)
    repeated = [name for name in REPEATED if name in once and name not in own]
    layers = {}
    for layer, found in series.items():
        table = wide_table(found)
        columns = {name: table[name].to_numpy() for name in table}
        for name in repeated:
            columns[name] = _at(table["step"].to_numpy(), *once[name])
        layers[layer] = columns
    extra = {
        name: found for name, found in once.items() if name not in repeated or not np.isin(found[0], covered).all()
    }
    metadata: dict[str, Any] = without_reserved(record.metadata_of(run)) | (more or {})
    if extra:
        table = wide_table(extra)
        metadata["run_level"] = {name: _listed(table[name].to_numpy()) for name in table}
    if own:
        metadata["per_layer"] = own
    derived: dict[str, list[str]] = {}
    for name, layer, metric in sorted(record.derived, key=lambda key: (metric_order(key[2]), key[1])):
        if name == run:
            derived.setdefault(metric, []).append(layer)
    if derived:
        metadata["derived"] = derived
    return _text(document(layers, run, metadata), indent=None if extra else 2)


def _text(written: dict[str, dict[str, Any]], indent: int | None) -> str:
    """One line for each column."""
    *layers, _ = written
    lines = [
        f"  {_json(name)}: {{\n" + ",\n".join(map(_column, *zip(*written[name].items()))) + "\n  }" for name in layers
    ]
    tail = json_text(written["metadata"], indent=indent).rstrip("\n").replace("\n", "\n  ")
    return "{\n" + ",\n".join([*lines, f'  "metadata": {tail}']) + "\n}"


def _at(steps: np.ndarray, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    found = np.full(len(steps), np.nan)
    place = np.searchsorted(known, steps).clip(max=len(known) - 1)
    same = known[place] == steps
    found[same] = values[place[same]]
    return found


def _listed(values: np.ndarray) -> list[Any]:
    cells = values.tolist()
    return [None if cell != cell else cell for cell in cells] if np.isnan(values).any() else cells


def _column(name: str, values: np.ndarray) -> str:
    return f"    {_json(name)}: {json.dumps(_listed(values), allow_nan=False)}"


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _csv_table(record: Phase1) -> pd.DataFrame:
    if not record.derived:
        return record.frame
    keys = zip(record.frame["run"], record.frame["layer"], record.frame["metric"])
    return record.frame.assign(derived=[key in record.derived for key in keys])


def _about(record: Phase1) -> list[dict[str, Any]]:
    return [
        {
            "run": run,
            "metadata": plain(record.metadata_of(run)),
            "derived": sorted([layer, metric] for name, layer, metric in record.derived if name == run),
        }
        for run in record.runs
    ]


def _write_parquet(path: Path, record: Phase1) -> None:
    need_pyarrow(path)
    import pyarrow
    import pyarrow.parquet as parquet

    table = pyarrow.Table.from_pandas(record.frame, preserve_index=False)
    about = json_text({"format": FORMAT, "runs": _about(record)}, indent=None)
    checksum = checksum_of(about, {"frame": frame_hashes(record.frame)})
    table = table.replace_schema_metadata({b"ontogeny": about.encode("utf-8"), b"checksum": checksum.encode()})
    with atomic(path) as part:
        parquet.write_table(table, part, compression="zstd")


def _write_hdf5(path: Path, record: Phase1) -> None:
    import h5py

    about = _about(record)
    by_run = {item["run"]: item | {"groups": {}, "metrics": {}} for item in about}
    series: dict[tuple[str, str], dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for run, layer, metric, steps, values in record.each_series():
        series.setdefault((run, layer), {})[metric] = (steps, values)
    arrays: dict[str, np.ndarray] = {}
    with write_hdf5(path, track_order=True) as file:
        for number, ((run, layer), found) in enumerate(series.items()):
            item = by_run[run]
            group_name = _group_name(layer, number, taken=file, single=len(by_run) == 1)
            item["groups"][group_name] = layer
            table = wide_table(found)
            group = file.create_group(group_name, track_order=True)
            for column in table:
                leaf = column if _plain_word(column) else f"metric_{list(table).index(column)}_{number}"
                item["metrics"][leaf] = column
                values = arrays[f"{group.name}/{leaf}"] = table[column].to_numpy()
                group.create_dataset(leaf, data=values, compression="gzip", shuffle=True, track_times=False)
        text = json_text({"format": FORMAT, "runs": list(by_run.values())}, indent=None)
        stamp = file.create_dataset("ontogeny", data=text, dtype=h5py.string_dtype("utf-8"), track_times=False)
        stamp.attrs["checksum"] = hashlib.sha256(checksum_of(text, arrays).encode()).hexdigest()


def _plain_word(name: str) -> bool:
    return (
        bool(name)
        and name.isprintable()
        and "/" not in name
        and name.strip(".") != ""
        and not name.startswith("metric_")
    )


def _group_name(layer: str, number: int, taken: Any, single: bool) -> str:
    fit = (
        single and _plain_word(layer) and layer != "ontogeny" and not layer.startswith("layer_") and layer not in taken
    )
    return layer if fit else f"layer_{number:04d}"
