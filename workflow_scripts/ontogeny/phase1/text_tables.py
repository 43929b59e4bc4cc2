"""Runs from text: tables (CSV and its kin), packed or not, and what programs print."""

from __future__ import annotations

import codecs
import csv
import re
from io import StringIO
from pathlib import Path

import pandas as pd

from ontogeny.errors import OntogenyError, first_line
from ontogeny.files import read_text
from ontogeny.phase1.folders import PACKED, TEXT_LOGS
from ontogeny.phase1.layouts import RawRun
from ontogeny.phase1.limits import MOST_BYTES, MOST_VALUES, foreign_errors, must_fit, must_hold_bytes
from ontogeny.phase1.loggers import logged_table, step_key
from ontogeny.phase1.tables import table_runs
from ontogeny.phase1.text_logs import text_log_run

_DECIMAL_COMMA = r"^\s*([+-]?\d*),(\d+(?:[eE][+-]?\d+)?\s?%?)\s*$"
"""A number as spreadsheets write it in countries with a decimal comma, which separate cells by semicolons or tabs."""
_SEPARATOR = re.compile(r"\Asep=.\r?\n")
"""The line by which spreadsheets are told the separator."""
_TENSOR = r"^\s*tensor\(([^,()]+)(?:,.*)?\)\s*$"
"""A tensor of one number, as PyTorch prints it."""


def text_runs(path: Path) -> list[RawRun]:
    """The runs of a table, or of the log of a program where the file has no header of a table.

    Raises OntogenyError if it is neither, or too large to be one record.
    """
    suffix = path.suffix.lower()
    if suffix not in PACKED:
        must_fit(path, b",;\t\n", MOST_VALUES, "cells")
    if suffix in TEXT_LOGS and not _has_header(path):
        return [text_log_run(_decoded(path), str(path))]
    named = Path(path.stem) if suffix in PACKED else path
    return table_runs(logged_table(_table(path), named), str(path))


def _table(path: Path) -> pd.DataFrame:
    text = unpacked(path) if path.suffix.lower() in PACKED else _decoded(path)
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
            with foreign_errors(path, "UTF-16 text"):
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


def unpacked(path: Path) -> str:
    """The text of a packed file. Raises OntogenyError if it is broken or has more than `MOST_BYTES` unpacked."""
    import bz2
    import gzip
    import lzma

    module = dict(zip(PACKED, (gzip, bz2, lzma)))[path.suffix.lower()]
    must_hold_bytes(path)
    with foreign_errors(path, module.__name__), module.open(path) as stream:
        data = stream.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise OntogenyError(f"{path} has more than {MOST_BYTES >> 20} MiB unpacked: split it by run")
        return data.decode("utf-8-sig")
