"""The files and folders of the user that runs read, found by the settings that name them, or told with their place."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from ontogeny.config import Config, Run
from ontogeny.config.mistakes import mistake
from ontogeny.config.models import JudgeRunSettings
from ontogeny.errors import OntogenyError, shown
from ontogeny.tasks.settings import PACKAGED, SYNTHETIC
from ontogeny.trajectory.places import found

_BRACES = re.compile(r"\{\s*[.\w]+\s*(,.*)?\}")
"""What Snakemake takes for a wildcard in the name of a file."""


def files_read(run: Run, config: Config, files: Iterable[Path]) -> list[str]:
    """The user's files and folders that training `run`, or replaying it, reads.

    files: those of the configuration. Raises OntogenyError, with file, line and key, for the first file or folder that
    `run` names and is not there, and for a series without checkpoints.
    """
    identity = run.identity()
    for key, file in files_named(identity):
        if said := why_unusable(file):
            raise _mistake(run, config, files, key, said)
    try:
        found = files_of_run(identity)
        for said in filter(None, map(why_unusable, found)):
            raise OntogenyError(said)
    except OntogenyError as error:
        key = ("source", "path") if "source" in identity else ("model", "name")
        raise _mistake(run, config, files, key, error) from None
    return found


def files_of_search(study: str, config: Config, files: Iterable[Path]) -> list[str]:
    """The user's files that the search of `study` reads; none if it has no search.

    files: those of the configuration. Raises OntogenyError, with file, line and key, if one is not there.
    """
    search = getattr(config.groups[study], "search", None)
    file = search and search.simulation.connectivity_file
    if file and (said := why_unusable(file)):
        raise mistake(said, ("studies", study, "search", "simulation", "connectivity_file"), files, known=3)
    return [file] if file else []


def refuse_unreadable_prompts(run: Run, config: Config, files: Iterable[Path]) -> None:
    """Raises OntogenyError, with file, line and key, if `run` is a judge whose files of prompts cannot be used.

    files: those of the configuration.
    """
    if prompts_of(run.identity()):
        from ontogeny.tasks.prompts import load_prompts

        try:
            load_prompts(cast(JudgeRunSettings, run.settings).task)
        except OntogenyError as error:
            raise _mistake(run, config, files, ("task", "prompts"), error) from None


def _mistake(run: Run, config: Config, files: Iterable[Path], key: tuple[str, ...], said: object) -> OntogenyError:
    """What is `said` of a key of `run`, after the place in the configuration where it, or its block, is written."""
    place = config.place_of(run.study, run.key)
    return mistake(said, (*place, *key), files, config.swept, known=len(place) + 1)


def imported_records(config: Config, study: str, project: Path, files: Iterable[Path] = ()) -> list[Path]:
    """The files of the group of imports `study`.

    Relative paths start at the working folder, or at `project` where there is nothing. Raises OntogenyError if no file
    is found, which names the key, with file and line if the configuration's `files` are given.
    """
    from ontogeny.phase1 import find_records

    found: list[Path] = []
    for pattern in config.phase1_imports[study].records:
        here = os.path.isabs(pattern) or any(Path().glob(pattern)) or not any(project.glob(pattern))
        try:
            found += find_records(pattern if here else project / pattern)
            for said in filter(None, map(why_unusable, found)):
                raise OntogenyError(said)
        except OntogenyError as error:
            raise mistake(error, ("phase1_imports", study, "records"), files, known=2) from None
    return list(dict.fromkeys(found))


def files_named(identity: dict[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """Every file and folder of the user that the settings of a run name, after the key that does.

    Checkpoints of a series are found by patterns, and are not among them (`files_of_run`).
    """
    blocks = {block: value for block, value in identity.items() if isinstance(value, dict)}
    keys = [("task", "path"), ("simulation", "connectivity_file"), ("network", "config"), ("probe", "file"),
            ("probe", "text"), *(("data", key) for key in blocks.get("data", {}) if key.endswith("file"))]  # fmt: skip
    named: list[tuple[tuple[str, ...], str]] = [(key, blocks.get(key[0], {}).get(key[1], "")) for key in keys]
    return [(key, file) for key, file in named if file] + [(("task", "prompts"), file) for file in prompts_of(identity)]


def prompts_of(identity: dict[str, Any]) -> list[str]:
    """The files and folders of prompts that a judge learns from, without what packages bring."""
    found = identity.get("task", {}).get("prompts", [])
    named = [found] if isinstance(found, str) else found
    return [each for each in named if each != SYNTHETIC and (each not in PACKAGED or os.path.exists(each))]


def why_unusable(path: str | os.PathLike) -> str | None:
    """What keeps a file or folder of the user from being the input of a job, or None: that it is not there, or is named
    with a word in braces, in whose place Snakemake puts the value of a wildcard."""
    if not os.path.exists(path):
        return f"{path} does not exist"
    found = _BRACES.search(os.fspath(path))
    if found is None:
        return None
    return f"{shown(str(path))} cannot be an input of Snakemake, which puts a value for {found[0]}: rename it"


def files_of_run(identity: dict[str, Any]) -> list[str]:
    """The user's files and folders that training a run, or replaying it, reads: images, local checkpoints.

    Raises OntogenyError if a series has no checkpoints.
    """
    if "source" in identity:
        return _files_of_series(identity)
    path, name = identity.get("task", {}).get("path"), identity.get("model", {}).get("name")
    checkpoint = identity.get("task", {}).get("kind") == "prompts" and os.path.isdir(name)
    return [*([path] if path else []), *([name] if checkpoint else [])]


def _files_of_series(identity: dict[str, Any]) -> list[str]:
    source, network, probe = (identity[block] for block in ("source", "network", "probe"))
    places = found(source["path"]) if source["path"] else {}
    checkpoints = [places[step] for step in sorted(places) if step in (source["steps"] or places)]
    build = (network["build"] or "").rpartition(":")[0]
    named = [probe["file"], probe["text"], (probe["task"] or {}).get("path"), build, network["config"]]
    named += [probe["tokenizer"]] if os.path.isdir(probe["tokenizer"] or "") else []
    return [*map(str, checkpoints), *_beside(checkpoints, identity), *filter(None, named)]


def _beside(checkpoints: list[Path], identity: dict[str, Any]) -> list[str]:
    """What lies beside checkpoints that are files, where a configuration or a tokenizer is read from there."""
    network, probe = identity["network"], identity["probe"]
    configured = network["auto"] is None or network["config"]
    if not checkpoints or checkpoints[0].is_dir() or (configured and (probe["text"] is None or probe["tokenizer"])):
        return []
    return [str(path) for path in sorted(checkpoints[0].parent.iterdir()) if path.suffix in (".json", ".txt", ".model")]


def file_of_module(name: str) -> list[str]:
    """The file of the user's module that `module:function` names; none for what the package brings."""
    if ":" not in name:
        return []
    module = name.partition(":")[0]
    here = Path(*module.split(".")).with_suffix(".py")
    if here.is_file():
        return [str(here)]
    with suppress(ImportError, ValueError):
        spec = find_spec(module)
        if spec is not None and spec.origin and os.path.isfile(spec.origin):
            return [spec.origin]
    return []
