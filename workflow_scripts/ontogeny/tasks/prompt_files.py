"""Files of labelled prompts, in the formats of published data sets or in our own, read into one table."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import math
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ontogeny.errors import OntogenyError, unknown
from ontogeny.files import read_text
from ontogeny.tasks.prompt_table import SPLITS, plain_text, with_all_columns
from ontogeny.tasks.settings import PACKAGED

TOXICITY_THRESHOLD = 0.5

_LABELS = {"0": 0, "1": 1, "safe": 0, "unsafe": 1}


def _own(row: Mapping[str, Any], place: str, _: Path) -> dict[str, Any]:
    label = _LABELS.get(str(row["label"]).strip().lower())
    if label is None:
        raise OntogenyError(f"{place}: the label is {row['label']!r}; it should be 0 or safe, or 1 or unsafe")
    split = str(row.get("split") or "").strip().lower()
    if split and split not in SPLITS:
        raise unknown("split", split, SPLITS, place)
    extra = {key: str(row[key]).strip() for key in ("group", "pair") if row.get(key) not in (None, "")}
    return {"prompt": row["prompt"], "label": label, "source": row.get("source"), "split": split, **extra}


def _toxicchat(row: Mapping[str, Any], place: str, _: Path) -> dict[str, Any]:
    flags = [_flag(row, key, place) for key in ("toxicity", "jailbreaking") if key in row]
    return {"prompt": row["user_input"], "label": int(any(flags)), "source": "toxicchat"}


def _realtoxicity(row: Mapping[str, Any], place: str, _: Path) -> dict[str, Any] | None:
    inner = row["prompt"]
    if not isinstance(inner, Mapping) or "text" not in inner or "toxicity" not in inner:
        raise OntogenyError(f"{place}: 'prompt' should hold 'text' and 'toxicity'")
    if inner["toxicity"] is None:
        return None
    return {
        "prompt": inner["text"],
        "label": int(_number(inner["toxicity"], "toxicity", place) >= TOXICITY_THRESHOLD),
        "source": "realtoxicityprompts",
    }


def _jailbreakbench(row: Mapping[str, Any], place: str, path: Path) -> dict[str, Any]:
    harmful, benign = "harmful" in path.stem.lower(), "benign" in path.stem.lower()
    if harmful == benign:
        raise OntogenyError(
            f"{path}: JailbreakBench tells harmful from benign behaviours by the name of the file, so it should "
            "contain 'harmful' or 'benign', as in harmful-behaviors.csv"
        )
    group = {"group": f"jailbreakbench/{str(row['Index']).strip()}"} if row.get("Index") not in (None, "") else {}
    return {"prompt": row["Goal"], "label": int(harmful), "source": "jailbreakbench", **group}


def _harmbench(row: Mapping[str, Any], place: str, _: Path) -> dict[str, Any]:
    context = str(row.get("ContextString") or "").strip()
    text = f"{context}\n\n{row['Behavior']}" if context else row["Behavior"]
    return {"prompt": text, "label": 1, "source": "harmbench"}


def _xstest(row: Mapping[str, Any], place: str, path: Path) -> dict[str, Any]:
    """Twins share their focus and, but for a prefix, their type: they stay in one split."""
    kind = str(row["type"]).strip().removeprefix("contrast_")
    group = f"xstest/{kind}/{str(row['focus']).strip().casefold()}"
    return _own(
        {"prompt": row["prompt"], "label": row["label"], "source": f"xstest/{kind}", "group": group}, place, path
    )


def _bastioncorpus(row: Mapping[str, Any], place: str, _: Path) -> dict[str, Any]:
    labels = {"benign": 0, "malicious": 1}
    if row["label"] not in labels:
        raise unknown("label", str(row["label"]), labels, place)
    text = str(row["text"]).replace("{canary}", "").strip()
    return {"prompt": text, "label": labels[row["label"]], "source": f"bastioncorpus/{row.get('channel')}"}


def _strongreject(row: Mapping[str, Any], place: str, _: Path) -> dict[str, Any]:
    return {"prompt": row["forbidden_prompt"], "label": 1, "source": f"strongreject/{row.get('source')}"}


class _Format(NamedTuple):
    columns: frozenset[str]
    read: Callable[[Mapping[str, Any], str, Path], dict[str, Any] | None]


FORMATS = {
    "toxicchat": _Format(frozenset({"user_input", "toxicity"}), _toxicchat),
    "realtoxicityprompts": _Format(frozenset({"prompt", "continuation"}), _realtoxicity),
    "jailbreakbench": _Format(frozenset({"Goal", "Behavior"}), _jailbreakbench),
    "harmbench": _Format(frozenset({"Behavior", "SemanticCategory"}), _harmbench),
    "xstest": _Format(frozenset({"prompt", "label", "type", "focus"}), _xstest),
    "bastioncorpus": _Format(frozenset({"text", "label", "category", "channel"}), _bastioncorpus),
    "strongreject": _Format(frozenset({"forbidden_prompt", "category"}), _strongreject),
    "prompts": _Format(frozenset({"prompt", "label"}), _own),
}
"""Known formats with the columns that tell them apart; `prompts` is our own (`prompt, label, source`)."""


def packaged_prompts(name: str) -> Path:
    """The file or folder of prompts that a package brings. Raises OntogenyError if the package is not installed."""
    known = PACKAGED[name]
    found = importlib.util.find_spec(known.package)
    places = [Path(folder) / known.file for folder in (found.submodule_search_locations or ())] if found else []
    there = [place for place in places if place.exists()]
    if not there:
        raise OntogenyError(f"the prompts {name} ({known.licence}) come with a package: pip install {known.install}")
    return there[0]


def read_prompts(path: str | os.PathLike | Iterable[str | os.PathLike], format: str | None = None) -> pd.DataFrame:
    """Prompts of one or several CSV, TSV or JSONL files, or of all such files in a folder, as one table.

    `format` is a key of `FORMATS`; if not given, it is seen from the columns. A label is 0, 1, safe or unsafe
    (`prompts`; columns source, group, pair and split may be there); toxic or jailbreaking (`toxicchat`); a prompt's
    toxicity of at least 0.5, prompts without a score left out (`realtoxicityprompts`); by the file's name
    (`jailbreakbench`); always unsafe (`strongreject`, and `harmbench`, whose context comes before the behaviour); safe
    or unsafe, twins in one group (`xstest`); benign or malicious (`bastioncorpus`). A name of `PACKAGED` stands for a
    package's file.

    Raises OntogenyError, with file and line, for an empty prompt, another label, missing columns, or a prompt that
    has both labels, and for a file that is listed twice.
    """
    if format is not None and format not in FORMATS:
        raise unknown("format of prompts", format, FORMATS)
    rows: list[dict[str, Any]] = []
    where: dict[str, tuple[int, str]] = {}
    for file in _files(path):
        chosen = format
        for line, row in _rows(file):
            place = f"{file}, line {line}"
            chosen = chosen or _format_of(row, place)
            missing = sorted(FORMATS[chosen].columns - row.keys())
            if missing:
                raise OntogenyError(f"{place}: the column {missing[0]!r} is missing; the format {chosen} has it")
            item = FORMATS[chosen].read(row, place, file)
            if item is None:
                continue
            text = item["prompt"]
            if not isinstance(text, str) or not text.strip():
                raise OntogenyError(f"{place}: the prompt is empty or no text; remove the line or fill it in")
            if any(_HALF_CHARACTER.search(str(value)) for value in item.values()):
                raise OntogenyError(f"{place}: the text holds half of a character (a lone surrogate); remove it")
            item["prompt"] = text.strip()
            item["source"] = str(item.get("source") or file.stem)
            before = where.setdefault(plain_text(text), (item["label"], place))
            if before[0] != item["label"]:
                raise OntogenyError(f"{place}: the same prompt has the other label at {before[1]}; keep one of them")
            rows.append(item)
    if not rows:
        raise OntogenyError(f"{path} holds no prompts")
    return with_all_columns(pd.DataFrame(rows))


def _files(path: str | os.PathLike | Iterable[str | os.PathLike]) -> list[Path]:
    paths = [Path(path)] if isinstance(path, str | os.PathLike) else [Path(item) for item in path]
    found: list[Path] = []
    for item in paths:
        if str(item) in PACKAGED and not item.exists():
            item = packaged_prompts(str(item))
        inside = sorted(file for file in item.iterdir() if file.suffix in _SUFFIXES) if item.is_dir() else [item]
        if not inside:
            raise OntogenyError(f"{item} holds no file of prompts; put .csv, .tsv or .jsonl files there")
        found += inside
    twice = [file for file, times in Counter(file.resolve() for file in found).items() if times > 1]
    if twice:
        raise OntogenyError(f"{twice[0]} is listed twice, and its prompts would count twice; list it once")
    return found


_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_LONGEST_FIELD = 2**31 - 1
_SUFFIXES = (".csv", ".tsv", ".jsonl", ".json")


def _rows(file: Path) -> Iterable[tuple[int, dict[str, Any]]]:
    if file.suffix not in _SUFFIXES:
        raise OntogenyError(f"{file} should be a .csv, .tsv or .jsonl file of prompts")
    text = read_text(file)
    if file.suffix in (".csv", ".tsv"):
        csv.field_size_limit(_LONGEST_FIELD)
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if file.suffix == ".tsv" else ",")
        try:
            twice = [name for name, times in Counter(reader.fieldnames or ()).items() if times > 1]
            if twice:
                raise OntogenyError(f"{file}, line {reader.line_num}: the column {twice[0]!r} appears twice; keep one")
            for row in reader:
                if None in row or None in row.values():
                    raise OntogenyError(
                        f"{file}, line {reader.line_num}: the line and the header differ in their number of fields; "
                        "put text with commas or line ends in double quotes"
                    )
                yield reader.line_num, row
        except csv.Error as error:
            raise OntogenyError(f"{file}, line {reader.line_num}: not CSV: {error}") from None
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            held: Any = json.loads(line)
        except (ValueError, RecursionError):
            held = None
        if not isinstance(held, dict):
            raise OntogenyError(f"{file}, line {number}: each line should be one JSON object")
        yield number, held


def _format_of(row: Mapping[str, Any], place: str) -> str:
    for name, kind in FORMATS.items():
        if kind.columns <= row.keys():
            return name
    others = "; ".join(f"{name}: {', '.join(sorted(FORMATS[name].columns))}" for name in FORMATS if name != "prompts")
    raise OntogenyError(
        f"{place}: the columns {', '.join(map(str, row))} are of no known format; expected are prompt and label "
        f"(or those of {others})"
    )


def _flag(row: Mapping[str, Any], key: str, place: str) -> bool:
    return _number(row[key], key, place) >= 0.5


def _number(value: Any, key: str, place: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise OntogenyError(f"{place}: {key} is {value!r}; it should be a number")
    return number
