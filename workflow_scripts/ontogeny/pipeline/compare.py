"""What differs between two configurations, or between two folders of results: settings, numbers, figures, bytes."""

from __future__ import annotations

import base64
import hashlib
import io
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ontogeny.errors import OntogenyError
from ontogeny.files import read_json, read_table, write_csv, write_text
from ontogeny.pipeline.overview import results_folder, walk
from ontogeny.pipeline.tables import flat
from ontogeny.plotting.templates import template
from ontogeny.words import counted

_COST = {"logs", "benchmarks"}
"""Folders below results that say how long things took, which no two runs share."""
_LEFT_OUT = _COST | {"comparison", "provenance"}
COMPARISON_TABLES = ("settings", "numbers", "figures", "files")
_TABLES = {".csv", ".tsv"}
_WIDTH = 900


@dataclass
class Comparison:
    """What differs between A and B. Every entry of a list is a row of the page.

    `settings`: run, key, value in A, value in B. `numbers`: file, column, largest absolute and relative difference,
    rows that differ. `figures`: file, share of pixels that differ, PNG of A, B and the difference side by side.
    `files`: other files that differ in bytes. `only_a`, `only_b`: files or runs that only one has. `same`: number of
    files with equal bytes.
    """

    a: str
    b: str
    settings: list[tuple[str, str, Any, Any]] = field(default_factory=list)
    numbers: list[tuple[str, str, float | None, float | None, int]] = field(default_factory=list)
    figures: list[tuple[str, float, bytes]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    only_a: list[str] = field(default_factory=list)
    only_b: list[str] = field(default_factory=list)
    same: int = 0

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.settings or self.numbers or self.figures or self.files or self.only_a or self.only_b)


def compare(a: str | os.PathLike, b: str | os.PathLike) -> Comparison:
    """Compare two configurations (files), or two folders that hold results.

    What jobs cost (logs, benchmarks, cost.tsv, columns `cost.*`) and earlier comparisons are left out. Raises
    OntogenyError if one is a file and the other a folder, or if either cannot be read.
    """
    a, b = check_sides(a, b)
    return _trees(a, b) if a.is_dir() else _configurations(a, b)


def check_sides(a: str | os.PathLike, b: str | os.PathLike) -> tuple[Path, Path]:
    """A and B as paths. Raises OntogenyError unless they are two files, or two folders that hold results."""
    a, b = Path(a), Path(b)
    for path in (a, b):
        if not path.exists():
            raise OntogenyError(f"{path} does not exist; give two configurations, or two folders of results")
    if a.is_dir() != b.is_dir():
        raise OntogenyError(f"{a} and {b} are a folder and a file; give two configurations, or two folders of results")
    for path in filter(Path.is_dir, (a, b)):
        results_folder(path)
    return a, b


def state_of(path: str | os.PathLike) -> str:
    """A digest of the names, sizes and times of the files that `compare` reads of a configuration or a folder."""
    path = Path(path)
    files = walk(results_folder(path), _LEFT_OUT) if path.is_dir() else [path]
    seen = hashlib.sha256()
    for file in files:
        state = file.stat()
        seen.update(f"{file}\0{state.st_size}\0{state.st_mtime_ns}\n".encode(errors="surrogateescape"))
    return seen.hexdigest()[:16]


def _configurations(a: Path, b: Path) -> Comparison:
    from ontogeny.config import read_config, runs_of

    found = Comparison(str(a), str(b))
    configs = [read_config(path) for path in (a, b)]
    sides = [{name: run.identity() for name, run in runs_of(config).items()} for config in configs]
    _settings(found, *sides)
    analyses = [
        {f"analyses of {study}": config.analyses_of(study).model_dump(mode="json") for study in _studies(config)}
        for config in configs
    ]
    shared = analyses[0].keys() & analyses[1].keys()
    _settings(found, *({key: side[key] for key in side if key in shared} for side in analyses))
    return found


def _studies(config: Any) -> list[str]:
    return [*config.studies, *config.phase1_imports]


def _settings(found: Comparison, a: dict[str, Any], b: dict[str, Any]) -> None:
    found.only_a += [name for name in a if name not in b]
    found.only_b += [name for name in b if name not in a]
    for name in a:
        if name in b:
            left, right = flat(a[name]), flat(b[name])
            for key in dict.fromkeys([*left, *right]):
                if left.get(key) != right.get(key):
                    found.settings.append((name, key, left.get(key), right.get(key)))


def _trees(a: Path, b: Path) -> Comparison:
    found = Comparison(str(a), str(b))
    roots = [results_folder(a), results_folder(b)]
    sides = [{path.relative_to(root).as_posix(): path for path in walk(root, _LEFT_OUT)} for root in roots]
    for side in sides:
        for name in [name for name in side if is_cost(name)]:
            del side[name]
    found.only_a = [name for name in sides[0] if name not in sides[1]]
    found.only_b = [name for name in sides[1] if name not in sides[0]]
    for name in sides[0]:
        if name not in sides[1]:
            continue
        left, right = sides[0][name], sides[1][name]
        if _same_bytes(left, right):
            found.same += 1
        elif left.name == "config.json" and name.startswith("runs/"):
            _run_settings(found, name, left, right)
        elif left.suffix in _TABLES:
            _table(found, name, left, right)
        elif left.suffix == ".png":
            share, picture = _picture(left, right)
            found.figures.append((name, share, picture))
        else:
            found.files.append(name)
    return found


def is_cost(name: str) -> bool:
    """Whether the file `name` of a folder of results says what something took, not what it came to."""
    parts = Path(name).parts
    return parts[0] in _COST or "cost" in parts or Path(name).stem == "cost"


def _same_bytes(a: Path, b: Path) -> bool:
    if a.stat().st_size != b.stat().st_size:
        return False
    with open(a, "rb") as left, open(b, "rb") as right:
        while chunk := left.read(1 << 20):
            if chunk != right.read(1 << 20):
                return False
    return True


def _run_settings(found: Comparison, name: str, a: Path, b: Path) -> None:
    before = len(found.settings)
    run = name.removeprefix("runs/").removesuffix("/config.json")
    _settings(found, {run: read_json(a)}, {run: read_json(b)})
    if len(found.settings) == before:
        found.files.append(name)


def _table(found: Comparison, name: str, a: Path, b: Path) -> None:
    """Rows are compared in order; a column that one lacks, or another number of rows, is a difference too."""
    try:
        left, right = read_table(a), read_table(b)
    except OntogenyError:
        found.files.append(name)
        return
    columns = [column for column in dict.fromkeys([*left, *right]) if not str(column).startswith("cost.")]
    before = len(found.numbers)
    if len(left) != len(right):
        found.numbers.append((name, f"(rows: {len(left)} and {len(right)})", None, None, abs(len(left) - len(right))))
    rows = min(len(left), len(right))
    for column in columns:
        if column not in left or column not in right:
            found.numbers.append((name, f"{column} (only in {'A' if column in left else 'B'})", None, None, rows))
            continue
        row = _column(left[column][:rows], right[column][:rows])
        if row is not None:
            found.numbers.append((name, str(column), *row))
    if len(found.numbers) == before:
        found.same += 1


def _column(a: Any, b: Any) -> tuple[float | None, float | None, int] | None:
    import numpy as np
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if all(is_numeric_dtype(side) and not is_bool_dtype(side) for side in (a, b)):
        x, y = a.to_numpy(dtype=float), b.to_numpy(dtype=float)
        differ = ~((x == y) | (np.isnan(x) & np.isnan(y)))
        if not differ.any():
            return None
        with np.errstate(invalid="ignore", divide="ignore"):
            gap = np.abs(x - y)[differ]
            relative = gap / np.maximum(np.abs(x), np.abs(y))[differ]
        if np.isnan(gap).all():
            return None, None, int(differ.sum())
        return float(np.nanmax(gap)), float(np.nanmax(relative)), int(differ.sum())
    differ = np.array([str(x) != str(y) for x, y in zip(a, b)], dtype=bool)
    return (None, None, int(differ.sum())) if differ.any() else None


def _picture(a: Path, b: Path) -> tuple[float, bytes]:
    """The share of pixels that differ, and A, B and the difference side by side as a PNG."""
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        images = [Image.open(path).convert("RGB") for path in (a, b)]
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return math.nan, b""
    size = (max(image.width for image in images), max(image.height for image in images))
    arrays = []
    for image in images:
        canvas = Image.new("RGB", size, "white")
        canvas.paste(image)
        arrays.append(np.asarray(canvas, dtype=np.int16))
    differ = (arrays[0] != arrays[1]).any(axis=2)
    marked = np.where(
        differ[..., None], np.array([200, 30, 30]), 255 - (255 - arrays[0].mean(axis=2))[..., None] * 0.25
    )
    strip = Image.fromarray(np.concatenate([*arrays, marked], axis=1).astype(np.uint8))
    if strip.width > 3 * _WIDTH:
        strip = strip.resize((3 * _WIDTH, round(strip.height * 3 * _WIDTH / strip.width)), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    strip.save(buffer, "PNG")
    return float(differ.mean()), buffer.getvalue()


def write_comparison(found: Comparison, files: Mapping[str, str | os.PathLike]) -> None:
    """Write the page to `files["page"]` and the tables to `files` under the names COMPARISON_TABLES."""
    from pandas import DataFrame

    changed = [(name, "differs") for name in found.files]
    changed += [(name, f"only in {side}") for side, only in (("A", found.only_a), ("B", found.only_b)) for name in only]
    settings = [(run, key, _cell(x), _cell(y)) for run, key, x, y in found.settings]
    tables = {
        "settings": DataFrame(settings, columns=["run", "setting", "a", "b"]),
        "numbers": DataFrame(found.numbers, columns=["table", "column", "largest_difference", "relative", "rows"]),
        "figures": DataFrame([row[:2] for row in found.figures], columns=["figure", "share_of_pixels"]),
        "files": DataFrame(changed, columns=["file", "what"]),
    }
    for name, table in tables.items():
        write_csv(files[name], table)
    write_text(files["page"], comparison_page(found))


def comparison_text(found: Comparison, most: int = 20) -> str:
    """The comparison in words; of each kind at most `most` lines."""
    if found.equal:
        same = f"{counted(found.same, 'file')}, all the same" if found.same else "the same runs with the same settings"
        return f"A {found.a}\nB {found.b}\nno difference: {same}\n"
    lines = [f"A {found.a}", f"B {found.b}"]
    lines += _part(
        "settings that differ", (f"{r}: {k}: {_cell(x)} -> {_cell(y)}" for r, k, x, y in found.settings), most
    )
    numbers = (
        f"{name}: {column}: {rows} rows"
        + ("" if gap is None or share is None else f", by up to {gap:.3g} ({100 * share:.3g}%)")
        for name, column, gap, share, rows in found.numbers
    )
    lines += _part("tables that differ", numbers, most)
    figures = (f"{name}: {_how_different(share)}" for name, share, _ in found.figures)
    lines += _part("figures that differ", figures, most)
    lines += _part("other files that differ", found.files, most)
    lines += _part("only in A", found.only_a, most) + _part("only in B", found.only_b, most)
    lines += [f"the same in both: {counted(found.same, 'file')}"] if found.same else []
    return "\n".join(lines) + "\n"


def _part(title: str, rows: Iterable[str], most: int) -> list[str]:
    rows = list(rows)
    more = [f"  and {len(rows) - most} more"] if len(rows) > most else []
    return [f"{title}: {len(rows)}", *(f"  {row}" for row in rows[:most]), *more] if rows else []


def _how_different(share: float) -> str:
    return "one of the two cannot be read" if math.isnan(share) else f"{100 * share:.3g}% of the pixels differ"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return repr(value)
    return "none" if value is None or value == "" else str(value)


def comparison_page(found: Comparison) -> str:
    """The comparison as one HTML page that needs no other file and no network."""
    tables = [
        ("Settings", ("run", "setting", "A", "B"), found.settings),
        ("Numbers", ("table", "column", "largest difference", "relative", "rows"), found.numbers),
    ]
    lists = [("Other files", found.files), ("Only in A", found.only_a), ("Only in B", found.only_b)]
    return template("ontogeny.pipeline", "comparison.html").render(
        found=found,
        tables=tables,
        figures=[
            (name, _how_different(share), base64.b64encode(picture).decode()) for name, share, picture in found.figures
        ],
        lists=lists,
        same=counted(found.same, "file"),
        cell=_cell,
    )
