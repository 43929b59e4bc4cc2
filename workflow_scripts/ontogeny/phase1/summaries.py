"""Runs of which each file holds one step, as evaluations of checkpoints leave them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ontogeny.errors import OntogenyError
from ontogeny.files import read_json
from ontogeny.phase1.layouts import RawRun, RawTable, flat_place
from ontogeny.phase1.limits import must_be_small

_FEWEST = 3
"""Steps from which on they are taken for those of a run."""

_STEP = (
    re.compile(r"(?<![a-z])(?:global_?)?(?:step|checkpoint|ckpt|iter(?:ation)?)s?[-_=]?(\d+)", re.IGNORECASE),
    re.compile(r"(?<![a-z])epochs?[-_=]?(\d+)", re.IGNORECASE),
)
_REVISION = re.compile(r"revision=[^,]*?(\d+)(?:,|$)")
_ABOUT = frozenset(("config", "configs", "versions", "args", "n-shot", "n-samples", "group_subtasks", "epoch", "step"))
"""Entries that are no measurements."""

_DEEPEST = 4


def runs_of_summaries(paths: Sequence[Path]) -> list[tuple[RawRun, str, list[Path]]]:
    """Runs from JSON files that hold the numbers of one step each, with a name for each run and its files.

    The step stands in a file's name (`step1000.json`), in that of a folder above it (`checkpoint-500/`), or in the
    revision that lm-eval's results name. Of several files of one step, numbers of the last count; numbers that fewer
    steps have than a run needs are left out, as settings.
    """
    found: dict[tuple[Path, str], dict[Path, tuple[int, dict[str, float]]]] = {}
    for path in paths:
        summary = _summary(path)
        if summary is not None:
            place, step, values = summary
            found.setdefault(place, {})[path] = (step, values)
    runs = []
    for (folder, name), files in sorted(found.items()):
        steps = sorted({step for step, _ in files.values()})
        if len(steps) < _FEWEST:
            continue
        rows: dict[int, dict[str, float]] = {step: {} for step in steps}
        for path in sorted(files):
            rows[files[path][0]] |= files[path][1]
        table = RawTable(steps=list(rows))
        often = Counter(key for values in rows.values() for key in values)
        for number, values in enumerate(rows.values()):
            for key, value in values.items():
                if often[key] >= _FEWEST:
                    table.add(*flat_place(key), number, value)
        if not table.series:
            continue
        run = RawRun(tables=[table], remarks=[(None, f"each of its {len(steps)} steps is a file of its own")])
        runs.append((run, name or folder.resolve().name or "run", list(files)))
    return runs


def _summary(path: Path) -> tuple[tuple[Path, str], int, dict[str, float]] | None:
    """Of which run a file is, its step, and its numbers; None for any other file."""
    if path.suffix.lower() != ".json":
        return None
    try:
        must_be_small(path)
        data = read_json(path)
    except OntogenyError:
        return None
    if not isinstance(data, dict):
        return None
    results = data.get("results")
    measured = results if isinstance(results, dict) and results else data
    values = dict(_numbers(measured))
    place = _place(path, data)
    return None if place is None or not values else (*place, values)


def _place(path: Path, data: dict[str, Any]) -> tuple[tuple[Path, str], int] | None:
    for pattern in _STEP:
        matches = list(pattern.finditer(path.stem))
        if matches:
            last = matches[-1]
            name = (path.stem[: last.start()] + path.stem[last.end() :]).strip("-_=. ")
            return (path.parent, name), int(last[1])
        for folder in path.parents:
            match = pattern.search(folder.name)
            if match:
                return (folder.parent, ""), int(match[1])
    config = data.get("config")
    revision = _REVISION.search(str(config.get("model_args"))) if isinstance(config, dict) else None
    return ((path.parent, ""), int(revision[1])) if revision else None


def _numbers(entries: dict[str, Any], above: str = "", level: int = 1) -> Iterator[tuple[str, float]]:
    """The numbers in nested entries by the names of all levels; lm-eval's `acc,none` is acc, and errors go."""
    for key, value in entries.items():
        name = f"{above}{str(key).removesuffix(',none')}"
        if str(key).lower() in _ABOUT or "stderr" in str(key):
            continue
        if isinstance(value, dict) and level < _DEEPEST:
            yield from _numbers(value, f"{name}/", level + 1)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield name, float(value)
