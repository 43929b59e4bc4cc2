"""Runs from JSON: one document, JSON lines, or objects one after another."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ontogeny.errors import OntogenyError
from ontogeny.files import read_json, read_text
from ontogeny.phase1.folders import PACKED
from ontogeny.phase1.layouts import RawRun, runs_of
from ontogeny.phase1.limits import MOST_CONTAINERS, must_fit
from ontogeny.phase1.loggers import scalar_triples
from ontogeny.phase1.tables import table_runs
from ontogeny.phase1.text_tables import unpacked

_BETWEEN = re.compile(r"[\s,]*")


def json_runs(path: Path, written: str) -> list[RawRun]:
    """The runs of a file of JSON, packed or not; `written` is the ending that tells JSON lines from one document.

    Raises OntogenyError if it cannot be read, holds no record or more lists and records than one has.
    """
    packed = path.suffix.lower() in PACKED
    if not packed and written == ".json":
        must_fit(path, b"[{", MOST_CONTAINERS, "lists and records")
    if written != ".json" or (not packed and holds_lines(path)):
        return _json_lines(unpacked(path) if packed else read_text(path), path)
    if packed:
        return _document_runs(_packed_document(path), path)
    rows = _one_after_another(read_text(path))
    return _document_runs(read_json(path), path) if rows is None else _row_runs(*rows, path)


def _document_runs(data: Any, path: Path) -> list[RawRun]:
    triples = scalar_triples(data, path)
    return runs_of(data, str(path)) if triples is None else table_runs(triples, str(path))


def _packed_document(path: Path) -> Any:
    text = unpacked(path)
    if sum(map(text.count, "[{")) > MOST_CONTAINERS:
        raise OntogenyError(f"{path} has more than {MOST_CONTAINERS} lists and records: split it by run")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise OntogenyError(f"{path} is not JSON, so it is not a Phase 1 record") from None


def holds_lines(path: Path) -> bool:
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
