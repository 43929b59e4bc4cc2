"""Which files and folders are records, by their names alone."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.files import as_path
from ontogeny.phase1.loggers import event_files, event_folders, is_dvclive_folder, is_event_file, is_mlflow_folder
from ontogeny.phase1.record import quote

SUFFIXES = (
    ".json", ".csv", ".tsv", ".h5", ".hdf5", ".parquet", ".jsonl", ".ndjson", ".feather", ".gz", ".bz2", ".xz", ".db",
    ".npz",
)  # fmt: skip
JSON = (".json", ".jsonl", ".ndjson")
TABLES = (".csv", ".tsv")
HDF5 = (".h5", ".hdf5")
PACKED = (".gz", ".bz2", ".xz")
"""Endings of packed files."""
TEXT_LOGS = (".log", ".out", ".txt")
"""Endings of what programs print, or of tables."""

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_VERSION = re.compile(r"version_\d+")
"""A folder of Lightning's loggers."""


@checks_arguments
def find_records(patterns: str | os.PathLike | Iterable[str | os.PathLike]) -> list[Path]:
    """Files that may hold Phase 1 records, from files, folders and globs (`**` for all depths), sorted, each once.

    A folder stands for the files right inside it that have a known suffix, or else for those in folders below, and for
    text logs where there is nothing else; a folder that a logger or a trainer left (TensorBoard, Lightning, MLflow,
    DVCLive, Sacred, Ray, Hugging Face) stands for its record. Raises OntogenyError for a pattern that finds nothing.
    Whether a file is a record is seen when it is read.
    """
    if isinstance(patterns, str | os.PathLike):
        patterns = [patterns]
    found: dict[Path, None] = {}
    for pattern in patterns:
        text = os.path.expanduser(as_path(pattern))
        if os.path.isdir(text):
            here = _records_of(Path(text)) or _records_below(Path(text)) or _logs_of(Path(text))
        elif os.path.isfile(text):
            here = [Path(text)]
        else:
            here = sorted(Path(name) for name in glob.glob(text, recursive=True) if os.path.isfile(name))
            asked = tuple(name for name in (*SUFFIXES, *TEXT_LOGS) if name in SUFFIXES or text.lower().endswith(name))
            here = [name for name in here if name.suffix.lower() in asked]
        if not here:
            raise OntogenyError(
                f"{quote(text, 200)} finds no Phase 1 record: name a file, a folder or a glob of "
                f"{', '.join(SUFFIXES)}, or of text logs ({', '.join(TEXT_LOGS)})"
            )
        found |= dict.fromkeys(here)
    return list(found)


def _records_of(folder: Path) -> list[Path]:
    """The record of a run that a logger left in a folder, or else the files right inside it that may be records."""
    return run_of(folder) or sorted(filter(_may_be_record, folder.iterdir()))


def run_of(folder: Path) -> list[Path]:
    """The record of a run that a logger or a trainer left in a folder."""
    if not folder.is_dir():
        return []
    if is_mlflow_folder(folder) or is_dvclive_folder(folder):
        return [folder]
    if (folder / "run.json").is_file() and (folder / "metrics.json").is_file():
        return [folder / "metrics.json"]
    if _VERSION.fullmatch(folder.name) and (folder / "metrics.csv").is_file():
        return [folder / "metrics.csv"]
    if (folder / "params.json").is_file() and (folder / "result.json").is_file():
        return [folder / "result.json"]
    checkpoints = {int(found[1]): item for item in folder.iterdir() if (found := _CHECKPOINT.fullmatch(item.name))}
    for place in (folder, *(checkpoints[step] for step in sorted(checkpoints, reverse=True))):
        if (place / "trainer_state.json").is_file():
            return [place / "trainer_state.json"]
    return [folder] if event_folders(folder) else event_files(folder)


def _records_below(folder: Path) -> list[Path]:
    """The records in folders below, those in a run's own folder left to it."""
    found: list[Path] = []
    for below in sorted(item for item in folder.iterdir() if item.is_dir() and not item.name.startswith(".")):
        found += _records_of(below) or _records_below(below)
    return found


def _logs_of(folder: Path) -> list[Path]:
    """Text logs in a folder, or else files of Weights & Biases, of which it is said how to export them."""
    for endings, depth in ((TEXT_LOGS, "*"), ((".wandb",), "**/*"), (TEXT_LOGS, "**/*")):
        found = sorted(item for item in folder.glob(depth) if item.suffix.lower() in endings and item.is_file())
        if found:
            return found
    return []


def _may_be_record(path: Path) -> bool:
    known = path.suffix.lower() in SUFFIXES or is_event_file(path)
    return known and not path.name.startswith(".") and path.is_file()
