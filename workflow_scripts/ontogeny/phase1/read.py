"""Reading Phase 1 records: JSON in every known layout, CSV, HDF5 and Parquet."""

from __future__ import annotations

import codecs
import csv
import glob
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any, Literal
from zipfile import ZipFile

import numpy as np
import pandas as pd

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError, expect, first_line
from ontogeny.files import as_path, checksum_of, ends_in_checksum, read_json, read_text, verify_checksum
from ontogeny.phase1.clean import Judge, parsed_text, phase1_of
from ontogeny.phase1.document import FORMAT
from ontogeny.phase1.layouts import DIMENSIONALITY_NAMES, WITHIN_EPOCHS, RawRun, RawTable, flat_place, runs_of
from ontogeny.phase1.loggers import (
    array_table,
    dvclive_table,
    each_step_once,
    event_files,
    event_table,
    is_dvclive_folder,
    is_event_file,
    is_mlflow_database,
    is_mlflow_folder,
    logged_table,
    mlflow_database_table,
    mlflow_table,
    scalar_triples,
    step_key,
)
from ontogeny.phase1.record import RUN_LEVEL, RUN_METRICS, Note, Phase1, listed, quote, tidy, unique_name
from ontogeny.phase1.repair import repair_stable_rank
from ontogeny.phase1.text_logs import text_log_run

SUFFIXES = (
    ".json", ".csv", ".tsv", ".h5", ".hdf5", ".parquet", ".jsonl", ".ndjson", ".feather", ".gz", ".bz2", ".xz", ".db",
    ".npz",
)  # fmt: skip
PACKED = (".gz", ".bz2", ".xz")
"""Endings of packed files."""

MOST_BYTES = 1 << 28
MOST_VALUES = 30_000_000
MOST_CONTAINERS = 5_000_000
_MOST_WITHIN = 10**9
HDF5_SECONDS = 20
"""How long reading an HDF5 file that carries no checksum may take, and a second more per MiB."""

TEXT_LOGS = (".log", ".out", ".txt")
"""Endings of what programs print, or of tables."""

_REFUSED = (
    (
        (".pkl", ".pickle", ".joblib"),
        "pickles run code when they are opened, so they are not read: write the history as JSON, with "
        "json.dump(history.history, file)",
    ),
    (
        (".pt", ".pth", ".ckpt", ".safetensors", ".bin"),
        "it holds the weights of a model and no measurements: a series of checkpoints is read by trajectory_imports",
    ),
    (
        (".npy",),
        "it holds one array without steps and names: write numpy.savez with the array step and one for each metric",
    ),
    ((".xlsx", ".xls", ".ods", ".numbers"), "export the sheet as CSV"),
    ((".nc", ".zarr", ".mat", ".rds"), "write it as HDF5 or CSV, with the columns step and one for each metric"),
    ((".yaml", ".yml", ".toml", ".html", ".md", ".ipynb", ".tex"), "export the numbers as CSV or JSON lines"),
)
"""What is no record by its ending, and what would be one."""

_SUFFIX = re.compile(rf"({'|'.join(map(re.escape, (*SUFFIXES, *TEXT_LOGS)))})+$", re.IGNORECASE)
_DECIMAL_COMMA = r"^\s*([+-]?\d*),(\d+(?:[eE][+-]?\d+)?\s?%?)\s*$"
"""A number as spreadsheets write it in countries with a decimal comma, which separate cells by semicolons or tabs."""

_BETWEEN = re.compile(r"[\s,]*")
_SEPARATOR = re.compile(r"\Asep=.\r?\n")
"""The line by which spreadsheets are told the separator."""

_TENSOR = r"^\s*tensor\(([^,()]+)(?:,.*)?\)\s*$"
"""A tensor of one number, as PyTorch prints it."""

_VERSION = re.compile(r"version_\d+")
"""A folder of Lightning's loggers."""

_OF_TAG = re.compile(r"run-(?P<run>.+?)-tag-.+\.(csv|json)(\.gz)?$", re.IGNORECASE)
"""A series as TensorBoard exports it."""

OnProblem = Literal["drop", "stop"]


@checks_arguments
def read_phase1(
    path: str | os.PathLike, on_problem: OnProblem = "drop", run: str | None = None, repair: bool = True
) -> Phase1:
    """Read a Phase 1 record, whatever its layout, into one tidy table.

    The format follows the suffix (.json, .csv, .tsv, .h5, .hdf5, .parquet); the layout inside follows the shape of
    what is there, never a name. Numbers that are not finite, text in their place, steps that repeat, are out of
    order or are missing in some layers are listed in `notes`, each with its layer, metric and step; `on_problem="stop"`
    raises at the first of them. A null is a gap, not a problem. `run` names the run; left out, the record's own
    fields do (`run`, or `arch_name` and `dataset_name`), or else the file's name without its ending. A folder of
    TensorBoard events is one run of the folder's name, however often it was resumed. `repair` rebuilds stable ranks
    that are the known artifact (see `repair_stable_rank`); otherwise they are only flagged.

    Raises OntogenyError if the file is missing, broken, of no known layout, or too large to be one record.
    """
    path = Path(path)
    judge = _judge(path, on_problem)
    runs = _raw_runs(path)
    record = phase1_of(runs, judge, _name(path), run)
    return repair_stable_rank(record, judge, rebuild=repair)


def _name(path: Path) -> str:
    if is_event_file(path):
        return path.absolute().parent.name or "run"
    if path.is_dir():
        return path.resolve().name or "run"
    if path in _run_of(path.parent):
        return path.resolve().parent.name
    return _SUFFIX.sub("", path.name) or "run"


def _whole_runs(paths: Iterable[str | os.PathLike]) -> list[Path]:
    """The paths, but the folder in place of TensorBoard's event files where several lie in one."""
    files = [as_path(path) for path in paths]
    events = Counter(file.parent for file in files if is_event_file(file))
    return list(
        dict.fromkeys(file.parent if is_event_file(file) and events[file.parent] > 1 else file for file in files)
    )


def _with_whole_tags(read: Sequence[tuple[Path, Phase1]]) -> list[Phase1]:
    """The records of these files, those of TensorBoard's exported series of one run as one."""
    groups: dict[tuple[Path, str], list[Phase1]] = {}
    for path, record in read:
        of_tag = _OF_TAG.match(path.name)
        groups.setdefault((path.parent, of_tag["run"]) if of_tag else (path, ""), []).append(record)
    return [record for (folder, run), records in groups.items() for record in _together(records, run, folder)]


def _together(records: list[Phase1], run: str, folder: Path) -> list[Phase1]:
    """Records of one run each as one, unless they hold a series twice; "." is the run of the folder."""
    series = [(layer, metric) for record in records for _, layer, metric, _, _ in record.each_series()]
    if len(records) == 1 or len(set(series)) < len(series):
        return records
    name = (folder.resolve().name if run == "." else run) or "run"
    blocks = [(name, *each[1:]) for record in records for each in record.each_series()]
    notes = [replace(note, run=name) if note.run else note for record in records for note in record.notes]
    derived = frozenset((name, *each[1:]) for record in records for each in record.derived)
    return [Phase1(tidy(blocks), notes, records[0].metadata, derived)]


@checks_arguments
def read_many(paths: Iterable[str | os.PathLike], on_problem: OnProblem = "drop", repair: bool = True) -> Phase1:
    """Read several records into one. Runs of the same name get `_2`, `_3`, ... in the order of `paths`.

    TensorBoard's event files of one folder are one run, and so are the series that it exports of one
    (`run-NAME-tag-...`). Files that are not records are skipped with a note, unless `on_problem` is "stop" or none of
    them is one.
    Raises OntogenyError as `read_phase1` does, and if `paths` is empty.
    """
    read: list[tuple[Path, Phase1]] = []
    refused = []
    for path in _whole_runs(paths):
        try:
            read.append((path, read_phase1(path, on_problem, repair=repair)))
        except OntogenyError as error:
            if on_problem == "stop":
                raise
            refused.append(error)
    if refused and not read:
        raise refused[0]
    record = combine(_with_whole_tags(read))
    skipped = [Note("dropped", f"a file is skipped: {error}") for error in refused]
    return Phase1(record.frame, [*skipped, *record.notes], record.metadata, record.derived)


@checks_arguments
def combine(records: Iterable[Phase1]) -> Phase1:
    """One record that holds the runs of all `records`; names that repeat get `_2`, `_3`, ...

    Raises OntogenyError if there are no records.
    """
    blocks, notes, metadata, derived = [], [], {}, set()
    taken: set[str] = set()
    for record in records:
        expect(record, Phase1, "a record, as read_phase1 gives it,")
        names: dict[str, str] = {}
        for run in record.runs:
            names[run] = unique_name(run, taken)
            taken.add(names[run])
            metadata[names[run]] = record.metadata_of(run)
        blocks += [(names[run], layer, metric, at, values) for run, layer, metric, at, values in record.each_series()]
        notes += [replace(note, run=names.get(note.run, note.run)) if note.run else note for note in record.notes]
        derived |= {(names[run], layer, metric) for run, layer, metric in record.derived}
    if not taken:
        raise OntogenyError("there is no Phase 1 record to read: name at least one file")
    return Phase1(
        tidy(blocks),
        notes,
        next(iter(metadata.values())) if len(metadata) == 1 else {"runs": metadata},
        frozenset(derived),
    )


@checks_arguments
def find_records(patterns: str | os.PathLike | Iterable[str | os.PathLike]) -> list[Path]:
    """Files that may hold Phase 1 records, from files, folders and globs (`**` for all depths), sorted, each once.

    A folder stands for the files right inside it that have a known suffix, a folder of a logger's runs (Lightning's
    `version_0`, Sacred's `1`, DVCLive's) for these. Raises OntogenyError for a pattern that
    finds nothing. Whether a file is a record is seen when it is read.
    """
    if isinstance(patterns, str | os.PathLike):
        patterns = [patterns]
    found: dict[Path, None] = {}
    for pattern in patterns:
        text = os.path.expanduser(as_path(pattern))
        if os.path.isdir(text):
            here = _records_of(Path(text)) or [
                record for folder in sorted(Path(text).iterdir()) if folder.is_dir() for record in _run_of(folder)
            ]
        elif os.path.isfile(text):
            here = [Path(text)]
        else:
            here = sorted(Path(name) for name in glob.glob(text, recursive=True) if os.path.isfile(name))
            here = [name for name in here if name.suffix.lower() in SUFFIXES]
        if not here:
            raise OntogenyError(
                f"{quote(text, 200)} finds no Phase 1 record: name a file, a folder or a glob of {', '.join(SUFFIXES)}"
            )
        found |= dict.fromkeys(here)
    return list(found)


def _records_of(folder: Path) -> list[Path]:
    """The record of a run that a logger left in a folder, or else the files right inside it that may be records."""
    return _run_of(folder) or sorted(filter(_may_be_record, folder.iterdir()))


def _run_of(folder: Path) -> list[Path]:
    """The record of a run that a logger left in a folder."""
    if is_mlflow_folder(folder) or is_dvclive_folder(folder):
        return [folder]
    if (folder / "run.json").is_file() and (folder / "metrics.json").is_file():
        return [folder / "metrics.json"]
    if _VERSION.fullmatch(folder.name) and (folder / "metrics.csv").is_file():
        return [folder / "metrics.csv"]
    return event_files(folder)


def _may_be_record(path: Path) -> bool:
    known = path.suffix.lower() in SUFFIXES or is_event_file(path)
    return known and not path.name.startswith(".") and path.is_file()


@checks_arguments
def phase1_from_frame(
    frame: pd.DataFrame, metadata: dict[str, Any] | None = None, on_problem: OnProblem = "drop"
) -> Phase1:
    """A record from a tidy or wide table in any order; it is checked as a file is. Without a run column: one run.

    Columns: step, and metric and value (tidy) or one column per metric (wide); layer and run where there are several.
    """
    judge = _judge("the table", on_problem)
    runs = _table_runs(frame, "the table")
    record = phase1_of(runs, judge, "run")
    return Phase1(record.frame, record.notes, dict(metadata or {}) or record.metadata, record.derived)


@checks_arguments
def phase1_from_results(
    results: dict[str, pd.DataFrame], metadata: dict[str, Any] | None = None, on_problem: OnProblem = "drop"
) -> Phase1:
    """A record from a tracker's results: for each layer a table with the column step and one column per metric.

    `metadata["run"]` names the run. Loss, gradient norm and the like are taken out of the layers, once for the run.
    """
    metadata = dict(metadata or {})
    judge = _judge("the results", on_problem)
    run = RawRun(name=str(metadata.pop("run", None) or "run"), metadata=metadata)
    metadata.pop("format", None)
    for layer, table in results.items():
        expect(table, pd.DataFrame, f"a table for layer {quote(layer)} of the results")
        if table.empty:
            run.empty_layers.append(layer)
            continue
        run.tables.append(_wide_raw(table, layer, f"layer {quote(layer)} of the results"))
    return phase1_of([run], judge, "run")


def _judge(where: Any, on_problem: OnProblem) -> Judge:
    return Judge(str(where), on_problem == "stop")


def _raw_runs(path: Path) -> list[RawRun]:
    suffix = path.suffix.lower()
    events = [path] if is_event_file(path) else event_files(path)
    if events:
        return _logged_runs(event_table(path, events), str(path))
    if path.is_dir() and is_mlflow_folder(path):
        return _logged_runs(mlflow_table(path), str(path))
    if is_dvclive_folder(path):
        return _table_runs(dvclive_table(path), str(path))
    if is_mlflow_database(path):
        return _logged_runs(mlflow_database_table(path), str(path))
    if path.exists() and not path.is_dir() and path.stat().st_size > MOST_BYTES and suffix not in (".h5", ".hdf5"):
        raise OntogenyError(
            f"{path} has {path.stat().st_size >> 20} MiB, and a record may have {MOST_BYTES >> 20}: split it by run"
        )
    if suffix == ".json":
        _must_fit(path, b"[{", MOST_CONTAINERS, "lists and records")
    if suffix in (".jsonl", ".ndjson") or (suffix in (".json", ".log") and _holds_lines(path)):
        return _json_lines(read_text(path), path)
    if suffix == ".json":
        rows = _one_after_another(read_text(path))
        return _json_runs(read_json(path), path) if rows is None else _row_runs(*rows, path)
    within = Path(path.stem).suffix.lower() if suffix in PACKED else ""
    if within in (".json", ".jsonl", ".ndjson"):
        return _zipped_json(path, within != ".json")
    if within in (".csv", ".tsv"):
        return _table_runs(logged_table(_read_text_table(path), Path(path.stem)), str(path))
    if suffix == ".feather":
        need_pyarrow(path)
        _must_hold_bytes(path)
        with _foreign_errors(path, "Feather"):
            frame = pd.read_feather(path)
        return _table_runs(logged_table(frame, path), str(path))
    if suffix in (".csv", ".tsv", *TEXT_LOGS):
        _must_fit(path, b",;\t\n", MOST_VALUES, "cells")
        if suffix in TEXT_LOGS and not _has_header(path):
            return [text_log_run(_decoded(path), str(path))]
        return _table_runs(logged_table(_read_text_table(path), path), str(path))
    if suffix == ".parquet":
        return _parquet_runs(path)
    if suffix in (".h5", ".hdf5"):
        return _hdf5_runs(path)
    if suffix == ".npz":
        return _npz_runs(path)
    known = next((said for suffixes, said in _REFUSED if suffix in suffixes), "")
    said = known or f"a Phase 1 record is one of {', '.join(SUFFIXES)}, or a text log ({', '.join(TEXT_LOGS)})"
    raise OntogenyError(f"{path} has the suffix {quote(suffix)}: {said}")


def _must_fit(path: Path, signs: bytes, most: int, what: str) -> None:
    """Refuse a large file of which parsing would take far more memory than a record needs."""
    if path.is_file() and path.stat().st_size > most:
        data = path.read_bytes()
        count = sum(data.count(bytes([sign])) for sign in signs)
        if count > most:
            raise OntogenyError(f"{path} has {count} {what}, and a record may have {most}: split it by run")


def _unzipped(path: Path) -> str:
    import bz2
    import gzip
    import lzma

    module = dict(zip(PACKED, (gzip, bz2, lzma)))[path.suffix.lower()]
    _must_hold_bytes(path)
    with _foreign_errors(path, module.__name__), module.open(path) as stream:
        data = stream.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise OntogenyError(f"{path} has more than {MOST_BYTES >> 20} MiB unpacked: split it by run")
        return data.decode("utf-8-sig")


def _logged_runs(points: pd.DataFrame, where: str) -> list[RawRun]:
    table, remarks = each_step_once(points)
    runs = _table_runs(table, where)
    for run in runs:
        run.remarks += [(None, text) for name, text in remarks if name == run.name]
    return runs


def _json_runs(data: Any, path: Path) -> list[RawRun]:
    triples = scalar_triples(data, path)
    return runs_of(data, str(path)) if triples is None else _table_runs(triples, str(path))


def _zipped_json(path: Path, lines: bool) -> list[RawRun]:
    text = _unzipped(path)
    if lines:
        return _json_lines(text, path)
    if sum(map(text.count, "[{")) > MOST_CONTAINERS:
        raise OntogenyError(f"{path} has more than {MOST_CONTAINERS} lists and records: split it by run")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise OntogenyError(f"{path} is not JSON, so it is not a Phase 1 record") from None
    return _json_runs(data, path)


def _holds_lines(path: Path) -> bool:
    """Whether a file of JSON has a record in each line, as RLlib's `result.json`."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        first, second = file.readline(), file.readline(2)
    if not (first.startswith(b"{") and second.startswith(b"{")):
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _json_lines(text: str, path: Path) -> list[RawRun]:
    """The runs of JSON lines; a last line that breaks off, as killed runs leave it, is left out with a remark."""
    lines = text.splitlines()
    rows, broken = [], False
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except (ValueError, RecursionError):
                broken = number == len(lines) and not text.endswith("\n") and bool(rows)
                spread = None if rows else _one_after_another(text)
                if spread is not None:
                    return _row_runs(*spread, path)
                if not broken:
                    raise OntogenyError(f"{path} is not JSON lines: line {number} cannot be read") from None
    return _row_runs(rows, broken, path)


def _row_runs(rows: list[Any], broken: bool, path: Path) -> list[RawRun]:
    runs = runs_of(rows, str(path))
    if broken:
        runs[0].remarks.append((None, f"its last entry, after {len(rows)} whole ones, breaks off and is left out"))
    return runs


def _one_after_another(text: str) -> tuple[list[dict[str, Any]], bool] | None:
    """The objects that a text holds one after another, with commas between them or not, and whether a last one breaks
    off; None for any other text."""
    decode, at = json.JSONDecoder().raw_decode, 0
    rows: list[dict[str, Any]] = []
    while (start := _BETWEEN.match(text, at).end()) < len(text):  # type: ignore[union-attr]
        try:
            row, at = decode(text, start)
        except (ValueError, RecursionError):
            return (rows, True) if len(rows) > 1 else None
        if not isinstance(row, dict):
            return None
        rows.append(row)
    return (rows, False) if len(rows) > 1 else None


def _read_text_table(path: Path) -> pd.DataFrame:
    text = _unzipped(path) if path.suffix.lower() in PACKED else _decoded(path)
    text = _without_comments(_SEPARATOR.sub("", text)).replace("\u2212", "-")
    if not text.strip():
        raise OntogenyError(f"{path} is empty")
    head = text[:10_000].split("\n", 1)[0]
    separator = max(",\t;|", key=head.count)
    if not head.count(separator) and len(head.split()) > 1:
        text = "\n".join("\t".join(line.split()) for line in text.splitlines())
        head, separator = text[:10_000].split("\n", 1)[0], "\t"
    if head.count(separator) > 10_000:
        raise OntogenyError(f"{path} has more than 10000 columns, so it is not a Phase 1 table")
    try:
        names = [name.strip() for name in next(csv.reader([head.rstrip("\r")], delimiter=separator), [])]
        whole = head.count('"') % 2 == 0
        trails = any(line.rstrip("\r").endswith(separator) for line in text.split("\n", 2)[1:2])
        numbered = None if not trails or head.rstrip("\r").endswith(separator) else False
        frame = pd.read_csv(
            StringIO(text), sep=separator, dtype=object, keep_default_na=False, na_filter=False, low_memory=False,
            index_col=numbered,
        )  # fmt: skip
    except Exception as error:
        raise OntogenyError(f"{path} is not a table that can be read: {first_line(error)}") from None
    if "tensor(" in text:
        frame = frame.replace(_TENSOR, r"\1", regex=True)
    if separator != ",":
        frame = frame.replace(_DECIMAL_COMMA, r"\1.\2", regex=True)
    return frame.set_axis(names, axis=1) if whole and len(names) == frame.shape[1] else frame


def _has_header(path: Path) -> bool:
    """Whether a text begins with the header of a table: a line of names, one of them that of the steps."""
    head = _without_comments(_decoded(path)).lstrip().split("\n", 1)[0]
    names = re.split(r"[\s,;|]+", head.strip())
    numbers = any(re.match(r"[+-]?\.?\d", name) for name in names)
    return not numbers and step_key([name.strip('"') for name in names]) is not None


def _decoded(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 as spreadsheets export it, which its first two bytes say."""
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(2)
        if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            with _foreign_errors(path, "UTF-16 text"):
                return path.read_text(encoding="utf-16")
    return read_text(path)


def _without_comments(text: str) -> str:
    """A table without the lines before its header, and between its rows, that begin with #. Where numbers follow such
    a line, the line is the header, as NumPy writes it."""
    lines = text.splitlines()
    if not any(line.startswith("#") for line in lines):
        return text
    kept = [line for line in lines if not line.startswith("#")]
    first = next((number for number, line in enumerate(lines) if line.strip() and not line.startswith("#")), 0)
    if first and re.match(r"[\s+-]*\.?\d", lines[first]):
        kept.insert(0, lines[first - 1].lstrip("# "))
    return "\n".join(kept).lstrip()


def need_pyarrow(path: Path) -> None:
    """Raises OntogenyError where pyarrow is missing, which reads and writes Parquet and Feather."""
    if find_spec("pyarrow") is None:
        raise OntogenyError(f"{path} needs pyarrow, which is not installed: pip install 'ontogeny[parquet]'")


def _parquet_runs(path: Path) -> list[RawRun]:
    need_pyarrow(path)
    import pyarrow.parquet as parquet

    _must_hold_bytes(path)
    with _foreign_errors(path, "Parquet"):
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
    return _with_metadata(_table_runs(frame, str(path)), stamp, path)


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


def _must_hold_bytes(path: Path) -> None:
    """Raise the usual sentences for a file that is missing, a folder or empty."""
    if path.is_dir():
        raise OntogenyError(f"{path} is a folder; a file is expected")
    if not path.exists():
        raise OntogenyError(f"{path} does not exist")
    if path.stat().st_size == 0:
        raise OntogenyError(f"{path} is empty")


@contextmanager
def _foreign_errors(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a binary format's library raises on a broken file into one sentence."""
    try:
        yield
    except OntogenyError:
        raise
    except Exception as error:
        raise OntogenyError(f"{path} is not {kind} that can be read: {first_line(error)}") from None


def _table_runs(frame: pd.DataFrame, where: str) -> list[RawRun]:
    """Runs from a tidy table (step, metric, value) or a wide one (step, one column per metric)."""
    columns = [str(name) for name in frame.columns]
    if len(set(columns)) < len(columns):
        again = [name for name in dict.fromkeys(columns) if columns.count(name) > 1]
        raise OntogenyError(f"{where} has several columns of the name {listed(again)}")
    frame = frame.set_axis(columns, axis=1)
    unnamed = "" in columns
    if unnamed:
        frame = frame.drop(columns="")
        columns.remove("")
    step = step_key(columns)
    if step is None or len(columns) < 2:
        raise OntogenyError(
            f"{where} holds no Phase 1 table: its columns are {listed(columns)}; expected are step, metric and value "
            "(tidy), or step and one column per metric (wide), with layer and run where there are several"
        )
    if frame.empty:
        raise OntogenyError(f"{where} holds no Phase 1 table: it has columns and no rows")
    tidy_shape = {"metric", "value"} <= set(columns)
    seeds = next((name for name in columns if name.lower() == "seed"), None)
    if "run" not in columns and seeds is not None and frame[seeds].nunique() > 1:
        frame = frame.assign(**{seeds: "seed " + frame[seeds].astype(str)}).rename(columns={seeds: "run"})
        columns = list(frame.columns)
    keys = [name for name in ("run", "layer") if name in columns] + (["metric"] if tidy_shape else [])
    frame, through = _through_epochs(frame, step, keys)
    text = {name: _names(frame[name]) for name in keys}
    runs: dict[str | None, RawRun] = {}
    groups = _groups([codes for codes, _ in text.values()], len(frame))
    cells = {name: _cells(frame[name]) for name in columns if name not in keys and name != "derived"}
    for rows in groups:
        spot = {name: names[codes[rows[0]]] for name, (codes, names) in text.items()}
        name = spot.get("run")
        run = runs.setdefault(name, RawRun(name=name or None, per_layer=list(RUN_METRICS) if tidy_shape else []))
        if through and not run.remarks:
            run.remarks.append((None, through))
        if unnamed and not run.remarks:
            run.remarks.append((None, "the column without a name is taken for row numbers"))
        layer = spot.get("layer") or RUN_LEVEL
        table = RawTable(steps=_part(cells[step], rows), layer=layer)
        for column in [spot["metric"]] if tidy_shape else [c for c in cells if c != step]:
            source = cells["value" if tidy_shape else column]
            at, metric = flat_place(column) if layer == RUN_LEVEL and "layer" not in columns else (layer, column)
            if (at, metric) in table.series:
                raise OntogenyError(f"{where} has several columns of layer {quote(at)}, metric {quote(metric)}")
            table.series[at, metric] = (None, _part(source, rows))
            if "derived" in columns and tidy_shape and str(frame["derived"].iloc[rows[0]]).lower() in ("true", "1"):
                run.derived.append((at, metric))
        run.tables.append(table)
    return list(runs.values())


def _through_epochs(frame: pd.DataFrame, step: str, keys: list[str]) -> tuple[pd.DataFrame, str]:
    """The table with steps that begin anew in each epoch counted through the epochs, and a remark if they were."""
    epoch = next((name for name in frame.columns if name.lower() == "epoch"), None)
    if epoch is None or step.lower() not in WITHIN_EPOCHS or not frame.duplicated([*keys, step]).any():
        return frame, ""
    place, epochs = (pd.to_numeric(frame[name], errors="coerce") for name in (step, epoch))
    if frame.duplicated([*keys, epoch, step]).any() or place.isna().any() or epochs.isna().any():
        return frame, ""
    length = int(place.max()) + (1 if place.min() == 0 else 0)
    through = (epochs - epochs.min()) * length + place
    if (through != through.round()).any() or place.max() > _MOST_WITHIN:
        return frame, ""
    through_epochs = frame.assign(**{step: through.astype(np.int64)})
    return through_epochs, f"{quote(step)} begins anew in each epoch, so it is counted through epochs of {length}"


def _names(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    codes, names = pd.factorize(column.astype(object).where(column.notna(), ""))
    return codes, [str(name) for name in names]


def _groups(codes: list[np.ndarray], length: int) -> list[np.ndarray]:
    """Row numbers of every combination of codes, in order of first appearance."""
    if not codes:
        return [np.arange(length)]
    combined = np.zeros(length, np.int64)
    for part in codes:
        combined = pd.factorize(combined * (int(part.max()) + 1) + part)[0]
    order = np.argsort(combined, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(combined[order])) + 1)


def _cells(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.astype(object).to_numpy()
    if pd.api.types.is_numeric_dtype(column.dtype):
        if column.isna().any() and not isinstance(column.dtype, np.dtype):
            return column.astype(object).where(column.notna(), None).to_numpy()
        return column.to_numpy()
    cells = column.astype(object).to_numpy()
    if all(isinstance(cell, str) for cell in cells):
        return np.array([*parsed_text(cells), None], dtype=object)[:-1]
    return np.array([*(None if cell is None or cell is pd.NA else cell for cell in cells), None], dtype=object)[:-1]


def _part(cells: np.ndarray, rows: np.ndarray) -> Any:
    part = cells[rows]
    return part if part.dtype.kind in "fiu" else part.tolist()


def _wide_raw(frame: pd.DataFrame, layer: str, where: str) -> RawTable:
    columns = [str(name) for name in frame.columns]
    step = step_key(columns)
    if step is None:
        raise OntogenyError(f"{where} has no column step: its columns are {listed(columns)}")
    frame = frame.set_axis(columns, axis=1)
    rows = np.arange(len(frame))
    table = RawTable(steps=_part(_cells(frame[step]), rows), layer=layer)
    for metric in columns:
        if metric not in (step, "layer", "run"):
            values = _part(_cells(frame[metric]), rows)
            table.series[layer, metric] = (None, values)
    return table


def _npz_runs(path: Path) -> list[RawRun]:
    _must_hold_bytes(path)
    with _foreign_errors(path, "a NumPy archive"):
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
    runs = _table_runs(table, str(path))
    if unread:
        runs[0].remarks.append((None, f"left out, since no list of numbers beside the steps: {listed(unread)}"))
    return runs


def _hdf5_runs(path: Path) -> list[RawRun]:
    import h5py

    _must_hold_bytes(path)
    with _foreign_errors(path, "HDF5"):
        if not ends_in_checksum(path):
            _must_end(path)
    with _foreign_errors(path, "HDF5"), h5py.File(path, "r") as file:
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
            return _table_runs(frame, str(path))
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
