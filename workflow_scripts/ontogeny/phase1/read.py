"""Reading Phase 1 records: which reader a file or folder needs, and several records as one."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError, expect
from ontogeny.files import as_path
from ontogeny.phase1.arrays import feather_runs, npz_runs, parquet_runs
from ontogeny.phase1.clean import Judge, phase1_of
from ontogeny.phase1.folders import HDF5, JSON, PACKED, SUFFIXES, TABLES, TEXT_LOGS, run_of
from ontogeny.phase1.hdf5 import hdf5_runs
from ontogeny.phase1.json_records import holds_lines, json_runs
from ontogeny.phase1.layouts import RawRun
from ontogeny.phase1.limits import must_be_small
from ontogeny.phase1.loggers import (
    all_events,
    dvclive_table,
    event_files,
    event_folders,
    is_dvclive_folder,
    is_event_file,
    is_mlflow_database,
    is_mlflow_folder,
    mlflow_database_table,
    mlflow_table,
)
from ontogeny.phase1.record import ALIASES, RUN_LEVEL, Note, Phase1, listed, quote, tidy, unique_name
from ontogeny.phase1.repair import repair_stable_rank
from ontogeny.phase1.summaries import runs_of_summaries
from ontogeny.phase1.tables import logged_runs, table_runs, wide_raw
from ontogeny.phase1.text_tables import text_runs

_REFUSED = (
    (
        (".pkl", ".pickle", ".joblib"),
        "pickles run code when they are opened, so they are not read: write the history as JSON, with "
        "json.dump(history.history, file)",
    ),
    (
        (".pt", ".pth", ".ckpt", ".safetensors", ".bin"),
        "it holds tensors, as the weights of a model: write measurements as CSV or with numpy.savez; a series of "
        "checkpoints is read by trajectory_imports",
    ),
    (
        (".wandb",),
        "it is a run as Weights & Biases keeps it: upload it (wandb sync), and write its history as CSV, with "
        "run.history().to_csv(file)",
    ),
    ((".zip", ".tar", ".tgz", ".7z"), "unpack it, and name the record that it holds"),
    (
        (".npy",),
        "it holds one array without steps and names: write numpy.savez with the array step and one for each metric",
    ),
    ((".xlsx", ".xls", ".ods", ".numbers"), "export the sheet as CSV"),
    ((".nc", ".zarr", ".mat", ".rds"), "write it as HDF5 or CSV, with the columns step and one for each metric"),
    ((".yaml", ".yml", ".toml", ".html", ".md", ".ipynb", ".tex"), "export the numbers as CSV or JSON lines"),
)
"""What is no record by its ending, and what would be one."""

_ARRAYS = {".parquet": parquet_runs, ".feather": feather_runs, ".npz": npz_runs}

_SUFFIX = re.compile(rf"({'|'.join(map(re.escape, (*SUFFIXES, *TEXT_LOGS)))})+$", re.IGNORECASE)

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
    if path in run_of(path.parent):
        folder = path.resolve().parent
        return folder.parent.name if path.name == "trainer_state.json" and "checkpoint-" in folder.name else folder.name
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
        key = (path.parent, of_tag["run"]) if of_tag else (path.parent, ".") if _is_series(path, record) else (path, "")
        groups.setdefault(key, []).append(record)
    return [record for (folder, run), records in groups.items() for record in _together(records, run, folder)]


def _is_series(path: Path, record: Phase1) -> bool:
    """Whether a file holds one series, and is called as it."""
    series = [(layer, metric) for _, layer, metric, _, _ in record.each_series()]
    stem = _SUFFIX.sub("", path.name)
    return len(series) == 1 and path.is_file() and series[0] in ((RUN_LEVEL, stem), (RUN_LEVEL, ALIASES.get(stem, "")))


def _together(records: list[Phase1], run: str, folder: Path) -> list[Phase1]:
    """Records of one run each as one, unless they hold a series twice; "." is the run of the folder."""
    series = [(layer, metric) for record in records for _, layer, metric, _, _ in record.each_series()]
    if len(records) == 1 or len(set(series)) < len(series):
        return records
    name = (folder.resolve().name if run == "." else run) or "run"
    blocks = [(name, *each[1:]) for record in records for each in record.each_series()]
    told = [replace(note, run=name) if note.run else note for record in records for note in record.notes]
    notes = list(dict.fromkeys(told))
    derived = frozenset((name, *each[1:]) for record in records for each in record.derived)
    return [Phase1(tidy(blocks), notes, records[0].metadata, derived)]


@checks_arguments
def read_many(paths: Iterable[str | os.PathLike], on_problem: OnProblem = "drop", repair: bool = True) -> Phase1:
    """Read several records into one. Runs of the same name get `_2`, `_3`, ... in the order of `paths`.

    TensorBoard's event files of one folder are one run, and so are the series that it exports of one
    (`run-NAME-tag-...`), files of one folder that hold one series each and are called as it (DeepSpeed, Neptune), and
    JSON files that hold the numbers of one checkpoint each (lm-eval). Files that are not records are skipped with a
    note, unless `on_problem` is "stop" or none of them is one.
    Raises OntogenyError as `read_phase1` does, and if `paths` is empty.
    """
    read: list[tuple[Path, Phase1]] = []
    refused: dict[Path, OntogenyError] = {}
    for path in _whole_runs(paths):
        try:
            read.append((path, read_phase1(path, on_problem, repair=repair)))
        except OntogenyError as error:
            refused[path] = error
    for run, name, files in runs_of_summaries(list(refused)):
        judge = _judge(files[0].parent, on_problem)
        read.append((files[0], repair_stable_rank(phase1_of([run], judge, name), judge, rebuild=repair)))
        refused = {path: error for path, error in refused.items() if path not in files}
    if refused and (on_problem == "stop" or not read):
        raise next(iter(refused.values()))
    record = combine(_with_whole_tags(read))
    skipped = [Note("dropped", f"a file is skipped: {error}") for error in refused.values()]
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
def phase1_from_frame(
    frame: pd.DataFrame, metadata: dict[str, Any] | None = None, on_problem: OnProblem = "drop"
) -> Phase1:
    """A record from a tidy or wide table in any order; it is checked as a file is. Without a run column: one run.

    Columns: step, and metric and value (tidy) or one column per metric (wide); layer and run where there are several.
    """
    judge = _judge("the table", on_problem)
    runs = table_runs(frame, "the table")
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
        run.tables.append(wide_raw(table, layer, f"layer {quote(layer)} of the results"))
    return phase1_of([run], judge, "run")


def _judge(where: Any, on_problem: OnProblem) -> Judge:
    return Judge(str(where), on_problem == "stop")


def _raw_runs(path: Path) -> list[RawRun]:
    """The runs of a folder that a logger left, or of a file, by its ending."""
    if is_event_file(path) or event_files(path) or event_folders(path):
        points, others = all_events(path)
        runs = logged_runs(points, str(path))
        left = f"left out, as they are runs of their own: the events in its folders {listed(others)}"
        runs[0].remarks += [(None, left)] if others else []
        return runs
    if path.is_dir() and is_mlflow_folder(path):
        return logged_runs(mlflow_table(path), str(path))
    if is_dvclive_folder(path):
        return table_runs(dvclive_table(path), str(path))
    if is_mlflow_database(path):
        return logged_runs(mlflow_database_table(path), str(path))
    if path.is_dir():
        raise OntogenyError(f"{path} is a folder: read the records in it with read_many(find_records(folder))")
    suffix = path.suffix.lower()
    if suffix not in HDF5:
        must_be_small(path)
    if suffix in HDF5:
        return hdf5_runs(path)
    if suffix in _ARRAYS:
        return _ARRAYS[suffix](path)
    written = Path(path.stem).suffix.lower() if suffix in PACKED else suffix
    if written in JSON or (suffix == ".log" and holds_lines(path)):
        return json_runs(path, written)
    if written in TABLES or suffix in TEXT_LOGS:
        return text_runs(path)
    known = next((said for suffixes, said in _REFUSED if suffix in suffixes), "")
    said = known or f"a Phase 1 record is one of {', '.join(SUFFIXES)}, or a text log ({', '.join(TEXT_LOGS)})"
    has = f"has the suffix {quote(suffix)}" if suffix else "has no suffix"
    raise OntogenyError(f"{path} {has}: {said}")
