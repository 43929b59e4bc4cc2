"""What a folder of results holds, read for the dashboard: no Streamlit here, and nothing is written.

Every file is read once for each state of it (path, time of change, size). What is returned is shared: do not change it.
A file that is missing, cut off or of another version is one sentence (OntogenyError), never another exception.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from ontogeny.arguments import checks_arguments
from ontogeny.connectome.search.records import Record
from ontogeny.connectome.search.records import read_records as read_search_records
from ontogeny.errors import OntogenyError
from ontogeny.files import read_json, read_table
from ontogeny.judge.record import read_record
from ontogeny.phase1 import Phase1, read_phase1
from ontogeny.pipeline.overview import runs_in

LIVE_SECONDS = 20
"""A run whose last measurement is younger is shown as training."""

T = TypeVar("T")


@dataclass(frozen=True)
class RunFolder:
    """A run: its name, its folder, its kind (judge, dynamics, circuits, connectome), and whether it trains now."""

    name: str
    folder: Path
    kind: str
    live: bool
    trained: bool


@dataclass(frozen=True)
class Problem:
    """A file that cannot be shown, and why, in one sentence."""

    path: Path
    sentence: str


@dataclass(frozen=True)
class Stamp:
    """The state of a file, by which what was read from it is kept."""

    path: str
    mtime_ns: int
    size: int


def stamp(path: str | os.PathLike) -> Stamp:
    """The state of a file now. Raises OntogenyError if it is not there."""
    try:
        found = os.stat(path)
    except OSError as error:
        raise OntogenyError(f"{path} cannot be read: {error.strerror}") from None
    return Stamp(os.fspath(path), found.st_mtime_ns, found.st_size)


def results_in(folder: str | os.PathLike) -> Path:
    """`folder`, or the folder `results` in it where that is the one with runs."""
    folder = Path(folder)
    inner = folder / "results"
    return inner if (inner / "runs").is_dir() and not (folder / "runs").is_dir() else folder


@checks_arguments
def explain_folder(results: str | os.PathLike) -> str | None:
    """Why there is nothing to show, in a sentence; None if there is something."""
    results = Path(results)
    if not results.exists():
        return (
            f"The folder {results} does not exist. Name the folder that holds results, or make some with "
            "snakemake --cores 2; this page shows them as they appear."
        )
    if not results.is_dir():
        return f"{results} is a file. Name the folder that holds results."
    if not find_runs(results) and not find_studies(results):
        return (
            f"The folder {results} holds no runs yet. Make some with snakemake --cores 2; this page shows them as "
            "they appear."
        )
    return None


@checks_arguments
def find_runs(results: str | os.PathLike) -> list[RunFolder]:
    """The runs in a folder of results, by name, finished or not. Raises OntogenyError if the folder cannot be read."""
    root = Path(results) / "runs"
    if not root.is_dir():
        return _drawn_while_training(Path(results))
    try:
        names = set(runs_in(Path(results)))
        for pattern in ("mechanism", "live", "circuits/history.csv"):
            for path in (*root.glob(f"*/{pattern}"), *root.glob(f"*/*/{pattern}")):
                folder = path.parents[pattern.count("/")]
                names.add(folder.relative_to(root).as_posix())
    except OSError as error:
        raise OntogenyError(f"{root} cannot be read: {error.strerror}") from None
    return [*(_run(root, name) for name in sorted(names)), *_drawn_while_training(Path(results))]


def _drawn_while_training(results: Path) -> list[RunFolder]:
    """Judges whose records `visualise_epoch` writes in somebody's own training loop, into this folder or one in it."""
    try:
        folders = [path.parent for pattern in ("records", "*/records") for path in sorted(results.glob(pattern))]
    except OSError:
        return []
    return [
        RunFolder(
            folder.name if folder == results else folder.relative_to(results).as_posix(), folder, "judge", False, True
        )
        for folder in folders
        if mechanism_files(folder)
    ]


def _run(root: Path, name: str) -> RunFolder:
    folder = root / name
    if any((folder / name).exists() for name in ("mechanism", "live", "epochs.csv", "pretrained")):
        kind = "judge"
    elif (folder / "circuits").exists() or (folder / "ensemble.safetensors").exists():
        kind = "circuits"
    elif (folder / "connectome").exists():
        kind = "connectome"
    else:
        kind = "dynamics"
    trained = (folder / "config.json").exists()
    live = False
    if not trained:
        try:
            live = time.time() - (folder / "metrics.jsonl").stat().st_mtime < LIVE_SECONDS
        except OSError:
            live = False
    return RunFolder(name, folder, kind, live, trained)


@checks_arguments
def find_studies(results: str | os.PathLike) -> list[str]:
    """The names of the studies in a folder of results."""
    root = Path(results) / "studies"
    try:
        return sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []


def study_file(results: str | os.PathLike, group: str, name: str) -> Path | None:
    """The file `results`/`group`/{study}/`name` of whatever study has it, None if none has."""
    try:
        folders = sorted(path for path in (Path(results) / group).iterdir() if path.is_dir())
    except OSError:
        return None
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


# Judges


def mechanism_files(run: Path) -> dict[int, Path]:
    """The records of a judge's mechanism by epoch: of the finished run, or those made while it trains."""
    found: dict[int, Path] = {}
    for folder in (run / "records", run / "live", run / "mechanism"):
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        found |= {int(match[1]): folder / name for name in names if (match := re.fullmatch(r"epoch_(\d+)\.json", name))}
    return dict(sorted(found.items()))


_NEEDED = (
    "run", "epoch", "step", "layers", "heads", "frozen_layers", "reads", "prompts", "notes", "metrics", "samples",
    "attribution", "probes",
)  # fmt: skip


@lru_cache(maxsize=512)
def _mechanism(state: Stamp) -> dict[str, Any]:
    record = read_record(state.path)
    missing = [key for key in _NEEDED if key not in record]
    if missing:
        raise OntogenyError(
            f"{state.path} lacks {', '.join(missing)}: it is of another version; delete it, and trace the mechanism "
            "again"
        )
    return record


@checks_arguments
def read_mechanism(path: str | os.PathLike) -> dict[str, Any]:
    """One record of a judge's mechanism (`ontogeny.judge.record`). Raises OntogenyError if it is none."""
    return _mechanism(stamp(path))


# Phase 1, jumps, tables


@lru_cache(maxsize=64)
def _phase1(state: Stamp) -> Phase1:
    return read_phase1(state.path)


def read_run_record(run: Path) -> Phase1:
    """The Phase 1 record of a run, in whatever layout. Raises OntogenyError if there is none, or it is broken."""
    return _phase1(stamp(run / "phase1.json"))


@lru_cache(maxsize=256)
def _table(state: Stamp, columns: tuple[str, ...]) -> pd.DataFrame:
    table = read_table(state.path)
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise OntogenyError(f"{state.path} lacks the column {missing[0]}: it is cut off, or of another version")
    return table


def table_of(path: str | os.PathLike, columns: Sequence[str] = ()) -> pd.DataFrame:
    """A CSV or TSV file. Raises OntogenyError if it is missing, broken, or lacks one of `columns`."""
    return _table(stamp(path), tuple(columns))


def read_jumps(run: Path) -> pd.DataFrame | None:
    """The jumps of a run (run, layer, metric, step, direction, p_value, significant, ...), None before they exist."""
    path = run / "jumps.csv"
    if not path.is_file():
        return None
    return table_of(path, ("run", "layer", "metric", "step", "direction", "p_value", "significant"))


@lru_cache(maxsize=256)
def _answers(state: Stamp) -> dict[str, str]:
    rows = read_json(state.path).get("answers")
    return {str(row["run"]): str(row["sentence"]) for row in rows or [] if {"run", "sentence"} <= set(row)}


def read_answer(run: Path, name: str) -> str:
    """When what a run can do changed, and how sure that is, in sentences; "" before its jumps were looked for.

    name: the run, or a member of an ensemble. Raises OntogenyError if jumps.json is broken.
    """
    path = run / "jumps.json"
    return _answers(stamp(path)).get(name, "") if path.is_file() else ""


def losses_in(record: Phase1) -> pd.DataFrame:
    """The training loss in a Phase 1 record, columns step and loss (empty, if it holds none)."""
    frame = record.frame
    part = frame[frame["metric"] == "loss"]
    part = part[part["layer"] == part["layer"].iloc[0]] if len(part) else part
    return part[["step", "value"]].rename(columns={"value": "loss"}).reset_index(drop=True)


# What a training run appends


@dataclass
class _Tail:
    inode: int
    offset: int = 0
    last: bytes = b""
    rows: list[tuple[str, int, str, float]] = field(default_factory=list)
    frame: pd.DataFrame | None = None


_tails: dict[str, _Tail] = {}
_lock = threading.Lock()
_MOST_TAILS = 32


@checks_arguments
def read_measurements(run: Path) -> pd.DataFrame:
    """What a run has measured so far: columns layer ("" for the run as a whole), step, metric, value.

    Only what was appended since the last call is parsed. A last line without its end waits for the next call, a line
    that is no record is left out, and a file that was started again is read again. Raises OntogenyError if the run
    writes none.
    """
    path = run / "metrics.jsonl"
    state = stamp(path)
    with _lock:
        tail = _tails.get(state.path)
        with open(path, "rb") as handle:
            inode = os.fstat(handle.fileno()).st_ino
            if tail is not None:
                handle.seek(max(0, tail.offset - len(tail.last)))
                if tail.inode != inode or state.size < tail.offset or handle.read(len(tail.last)) != tail.last:
                    tail = None
            if tail is None:
                tail = _Tail(inode)
                if len(_tails) >= _MOST_TAILS:
                    _tails.clear()
                _tails[state.path] = tail
            handle.seek(tail.offset)
            text = handle.read()
        whole = text[: text.rfind(b"\n") + 1]
        if whole or tail.frame is None:
            for line in whole.splitlines(keepends=True):
                _parse(line, tail.rows)
                tail.last = line
            tail.offset += len(whole)
            tail.frame = pd.DataFrame(tail.rows, columns=["layer", "step", "metric", "value"])
        return tail.frame


def _parse(line: bytes, rows: list[tuple[str, int, str, float]]) -> None:
    try:
        record = json.loads(line)
        step = int(record["step"])
        layers = record.get("layers", {})
        found = [("", step, key, float(value)) for key, value in record.items() if _is_number(value) and key != "step"]
        found += [
            (str(layer), step, str(metric), float(value))
            for layer, metrics in layers.items()
            for metric, value in metrics.items()
            if _is_number(value)
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    rows.extend(found)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def written_ago(run: Path) -> float | None:
    """Seconds since a run's last measurement, None before the first."""
    try:
        return max(0.0, time.time() - (run / "metrics.jsonl").stat().st_mtime)
    except OSError:
        return None


# Connectome


def search_folders(results: str | os.PathLike) -> dict[str, Path]:
    """The searches of settings in a folder of results, by study."""
    root = Path(results) / "studies"
    folders = {study: root / study / "connectome" / "search" for study in find_studies(results)}
    return {study: folder for study, folder in folders.items() if (folder / "records").is_dir()}


def read_search(folder: Path) -> list[Record]:
    """The records of a search. Raises OntogenyError if one is broken."""
    states = tuple(stamp(path) for path in sorted((folder / "records").glob("block_*/iter_*.json")))
    return _search(os.fspath(folder), states)


@lru_cache(maxsize=32)
def _search(folder: str, states: tuple[Stamp, ...]) -> list[Record]:
    return read_search_records(folder)
