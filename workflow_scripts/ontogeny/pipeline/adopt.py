"""Results that an earlier version kept under the name of a run without its seed, moved to where they belong now."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ontogeny.config import Run
from ontogeny.errors import OntogenyError
from ontogeny.files import read_json, write_json
from ontogeny.pipeline.metadata import record_path, records_of_files

_WHOLE = ("config.json", "phase1.json")
"""Files of a run that say its name."""


def adopt(runs: Iterable[Run], folder: str | os.PathLike = ".") -> list[str]:
    """Move what `folder/results` holds of `runs` under their names without a seed; return a sentence for each.

    A run is moved if its seed is the one that was trained, and nothing lies under its own name yet. Its trajectory is
    kept with what Snakemake knows of it, so that it is not trained again; what was drawn is made anew where it names
    the run. Places that cannot be written to are left as they are.
    """
    folder = Path(folder)
    told = []
    for run in runs:
        stem, _, seed = run.name.rpartition("/s")
        if stem and seed.isdigit() and _is_old(folder / "results" / "runs", stem, run):
            with suppress(OSError, OntogenyError):
                _move(folder, run, stem)
                told.append(f"results/runs/{stem} is now results/runs/{run.name}: every run is kept under its seed")
    return told


def _is_old(root: Path, stem: str, run: Run) -> bool:
    if not (root / stem / "config.json").is_file() or (root / run.name).exists():
        return False
    with suppress(OntogenyError):
        config = read_json(root / stem / "config.json")
        return isinstance(config, dict) and config.get("settings", {}).get("seed") == run.seed
    return False


def _move(folder: Path, run: Run, stem: str) -> None:
    results, leaf = folder / "results", run.name.removeprefix(f"{stem}/")
    old = results / "runs" / stem
    for path in sorted(old.iterdir()):
        if not (path.is_dir() and path.name[:1] == "s" and path.name[1:].isdigit()):
            _rename(path, old / leaf / path.name)
    for kind in ("figures", "pages", "animations"):
        place = results / kind / run.study / stem
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            _rename(path, place / leaf / path.name)
        for path in sorted((results / kind / run.study).glob(f"{stem}.*")):
            _rename(path, place / f"{leaf}{path.suffix}")
    for kind in ("logs", "benchmarks"):
        for path in sorted((results / kind).glob(f"**/{stem}.*")):
            _rename(path, path.parent / stem / f"{leaf}{path.suffix}")
    for name in _WHOLE:
        path = old / leaf / name
        if path.is_file():
            _say_name(path, stem, run.name)
    for path, made in list(records_of_files(folder)):
        if made.startswith(f"results/runs/{stem}/"):
            _rename(path, record_path(folder, made.replace(f"results/runs/{stem}/", f"results/runs/{run.name}/", 1)))


def _rename(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, target)


def _say_name(path: Path, old: str, new: str) -> None:
    """Put the new name of a run into a file that says it, and leave the time stamp as it is."""
    about = path.stat()
    value = read_json(path)
    for place in (value, value.get("metadata")):
        if isinstance(place, dict) and place.get("run") == old:
            place["run"] = new
    write_json(path, value, indent=None if path.name == "phase1.json" else 2)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
