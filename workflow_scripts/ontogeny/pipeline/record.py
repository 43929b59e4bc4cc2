"""What a result was made from: one record for every job, and whether results still follow from what lies beside them.

A record lies at `results/provenance/{rule}/{job}.json`. It names the files that the job read and wrote with digests of
their content, its settings, the digest of its code, versions and threads. It holds no times and no folders of the
machine: the same job leaves the same record.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ontogeny.code import PACKAGE, code_digest
from ontogeny.errors import OntogenyError
from ontogeny.files import plain, read_json, write_json
from ontogeny.pipeline.digests import PROJECT, digest_of, named
from ontogeny.provenance import revision, versions

FORMAT = "ontogeny-provenance/1"


def write_record(snakemake: Any) -> None:
    """Write the record of the job that a script just did. `snakemake` is the object that scripts get."""
    place = snakemake.log.get("record")
    if place is None:
        return
    root = str(place).rpartition("results/provenance/")[0]

    def digests(paths: Iterable[str]) -> dict[str, str]:
        return {named(path.removeprefix(root)): digest_of(path) for path in dict.fromkeys(map(str, paths))}

    params = {name: value for name, value in snakemake.params.items() if name != "code"}
    record = {
        "format": FORMAT,
        "rule": snakemake.rule,
        "wildcards": dict(snakemake.wildcards.items()),
        "settings": plain(params),
        "inputs": digests(snakemake.input),
        "outputs": digests(snakemake.output),
        "code": snakemake.params.get("code"),
        "versions": versions(),
        "revision": revision(),
        "threads": int(snakemake.threads),
    }
    write_json(place, record)


def _found(name: str, folder: Path) -> Path:
    if name.startswith(PROJECT):
        return Path(name.replace(PROJECT, str(PACKAGE.parents[1])))
    return folder / name if (folder / name).exists() or not Path(name).exists() else Path(name)


def records_in(results: str | os.PathLike) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The records of a folder of results, sorted by name. Raises OntogenyError if one is damaged."""
    for path in sorted((Path(results) / "provenance").rglob("*.json")):
        record = read_json(path)
        if not isinstance(record, dict) or record.get("format") != FORMAT:
            raise OntogenyError(f"{path} is not a record of provenance ({FORMAT}); delete it and make the result again")
        yield path, record


def describe_file(file: str | os.PathLike, directory: str | os.PathLike = ".") -> str:
    """What one result was made from, in words.

    Raises OntogenyError if it does not exist, or no record mentions it.
    """
    from ontogeny.pipeline.overview import results_folder

    results = results_folder(directory)
    file = Path(file) if Path(file).exists() else results.parent / file
    if not file.exists():
        raise OntogenyError(f"{file} does not exist")
    name = file.resolve()
    for _, record in records_in(results):
        for made, digest in record["outputs"].items():
            if name == _found(made, results.parent).resolve() or name.is_relative_to(
                _found(made, results.parent).resolve()
            ):
                return _in_words(file, made, digest, record, results.parent)
    raise OntogenyError(f"{results / 'provenance'} holds no record of {file}: it is not the result of a rule")


def _in_words(file: Path, made: str, digest: str, record: dict[str, Any], folder: Path) -> str:
    wildcards = ", ".join(f"{key} {value}" for key, value in record["wildcards"].items())
    same = digest_of(_found(made, folder)) == digest
    lines = [
        f"file      {file}",
        f"made by   {record['rule']}{f' ({wildcards})' if wildcards else ''}",
        f"content   {digest}" + ("" if same else "  (it has changed since)"),
        f"code      {record['code']}",
        f"revision  {record['revision'] or 'unknown'}",
        "versions  " + ", ".join(f"{name} {version}" for name, version in record["versions"].items()),
        f"threads   {record['threads']}",
        "",
        "read",
        *([f"  {name}  {_state(name, known, folder)}" for name, known in record["inputs"].items()] or ["  nothing"]),
        "",
        "settings",
        *_lines(record["settings"]),
    ]
    return "\n".join(lines) + "\n"


def _state(name: str, known: str, folder: Path) -> str:
    now = digest_of(_found(name, folder))
    return (
        known[:16] if now == known else f"{known[:16]}  ({'missing now' if now == 'absent' else 'other content now'})"
    )


def _lines(settings: Any, prefix: str = "") -> Iterator[str]:
    for key, value in settings.items():
        if isinstance(value, dict) and value:
            yield from _lines(value, f"{prefix}{key}.")
        else:
            yield f"  {prefix}{key}  {value}"


def verify(directory: str | os.PathLike = ".", seed: int = 0, replay: bool = True) -> Iterator[str]:
    """Yield a sentence for every result that no longer follows from what lies beside it.

    Every digest is taken again: of what a result was read from, of the result, and of the code. One step of every
    trajectory, random by `seed`, is replayed. Runs without a record are named, because of them nothing can be said.
    Nothing is yielded for results that are as they were made.
    """
    from ontogeny.pipeline.overview import results_folder

    results = results_folder(directory)
    made: set[str] = set()
    for _, record in records_in(results):
        made |= record["outputs"].keys()
        yield from _doubts(record, results.parent)
    yield from _without_record(results, made)
    if replay:
        yield from _replayed(results, seed)


def _doubts(record: dict[str, Any], folder: Path) -> Iterator[str]:
    first = next(iter(record["outputs"]), record["rule"])
    for name, known in record["outputs"].items():
        now = digest_of(_found(name, folder))
        if now != known:
            yield f"{name} is missing" if now == "absent" else f"{name} is not what {record['rule']} wrote"
    for name, known in record["inputs"].items():
        now = digest_of(_found(name, folder))
        if now != known:
            what = "is missing" if now == "absent" else "has other content"
            yield f"{first} no longer follows from {name}, which {what} now"
    script = PACKAGE.parent / f"{record['rule']}.py"
    if script.is_file() and record["code"] != code_digest(script):
        yield f"{first} was made by other code than {record['rule']} has now"


def _without_record(results: Path, made: set[str]) -> Iterator[str]:
    from ontogeny.pipeline.overview import runs_in

    if not made:
        yield f"{results / 'provenance'} holds no records: what these results were made from cannot be verified"
        return
    for run in runs_in(results):
        name = f"results/runs/{run}/config.json"
        if (results.parent / name).is_file() and name not in made:
            yield f"{name} has no record of provenance: what it was made from cannot be verified"


def _replayed(results: Path, seed: int) -> Iterator[str]:
    from ontogeny.pipeline.overview import runs_in
    from ontogeny.trajectory import Trajectory
    from ontogeny.trajectory.replay import RUN_FORMAT

    chosen = random.Random(seed)
    for run in runs_in(results):
        folder = results / "runs" / run
        if not (folder / "config.json").is_file() or read_json(folder / "config.json").get("format") != RUN_FORMAT:
            continue
        try:
            trajectory = Trajectory(folder)
            trajectory.at(chosen.choice(sorted(trajectory.digests)))
        except OntogenyError as error:
            yield str(error)
