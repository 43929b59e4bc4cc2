"""Parts of a job: a long job does only those parts again that something has changed for.

One job measures, or draws, much at once, so that a run is replayed once and libraries are loaded once. Each of its
parts has settings, code and files that it reads of its own. What a part followed from, and the digests of what it
wrote, are kept in Snakemake's folder; a part whose files are as it left them, and which follows from the same, is left
alone. The files are outputs that the rule flags with `update`, so that Snakemake leaves them there for the job.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ontogeny.code import PACKAGE, code_digest, digest_of_source
from ontogeny.files import plain, write_json
from ontogeny.pipeline.digests import digest_of
from ontogeny.provenance import versions

logger = logging.getLogger("ontogeny")

FORCED = "ONTOGENY_FORCED"
"""Variable of the environment that is set where the user asked for jobs to be run whatever was done before."""
FOLDER = Path(".snakemake") / "ontogeny" / "parts"


@dataclass(frozen=True)
class Part:
    """A part of a job.

    outputs: names of the outputs that it writes. code: files of the package whose meaning decides them, with all that
    they use. reads: names of the inputs that only some parts read, and of outputs of parts before it. settings: keys
    of `params.settings` that it obeys.
    """

    outputs: tuple[str, ...]
    code: tuple[str, ...]
    reads: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


class Parts:
    """The parts of the job of `snakemake` (the object that scripts get) whose outputs it declares.

    always: names of inputs and parameters that all parts depend on. glue: the file that binds the parts, whose own
    meaning all of them depend on.
    """

    def __init__(self, snakemake: Any, parts: Mapping[str, Part], glue: str, always: Iterable[str] = ()) -> None:
        outputs = snakemake.output.keys()
        self.parts = {name: part for name, part in parts.items() if set(part.outputs) <= set(outputs)}
        self._inputs = {name: _listed(value) for name, value in snakemake.input.items()}
        self._outputs = {name: _listed(value) for name, value in snakemake.output.items()}
        self._settings = plain(dict(snakemake.params.get("settings") or {}))
        self._common = [versions(), int(snakemake.threads), _own_digest(glue)]
        self._common += [plain(snakemake.params[name]) for name in always if name in snakemake.params.keys()]  # noqa: SIM118
        self._always = [name for name in always if name in self._inputs]
        self._place = self._placed(snakemake)
        self._known = self._read()
        self._read_already: dict[str, str] = {}

    def pending(self) -> list[str]:
        """The parts that are to be made, and those that read what such a part writes, in order."""
        found: list[str] = []
        for name, part in self.parts.items():
            behind = {output for each in found for output in self.parts[each].outputs} - self._inputs.keys()
            if behind & set(part.reads) or self._is_stale(name, self._follows(name)):
                found.append(name)
        return found

    def make(self, name: str, work: Callable[[], object]) -> None:
        """Do `work`, which writes the outputs of part `name`, unless what it would write is there."""
        follows = self._follows(name)
        if not self._is_stale(name, follows):
            logger.info("%s: kept, as nothing that it follows from has changed", name)
            return
        work()
        self._known[name] = {
            "follows": follows,
            "outputs": {each: self._written(each) for each in self.parts[name].outputs},
        }
        if self._place is not None:
            write_json(self._place, self._known)
        logger.info("%s: made", name)

    def _is_stale(self, name: str, follows: str) -> bool:
        known = self._known.get(name, {})
        if known.get("follows") != follows:
            return True
        return any(known["outputs"].get(output) != self._written(output) for output in self.parts[name].outputs)

    def _follows(self, name: str) -> str:
        part = self.parts[name]
        read = {each: self._digest(each) for each in (*self._always, *part.reads)}
        settings = {key: self._settings.get(key) for key in part.settings}
        code = [code_digest(PACKAGE / file) for file in part.code]
        text = json.dumps([self._common, read, settings, code], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _digest(self, name: str) -> str:
        """Digest of what the job has as input `name`, or a part before has written as output `name`."""
        if name not in self._inputs:
            return self._written(name)
        if name not in self._read_already:
            self._read_already[name] = _digest_of_all(self._inputs[name])
        return self._read_already[name]

    def _written(self, name: str) -> str:
        """Digest of output `name` as it is now, from memory while sizes and times are those that were met before."""
        return _digest_of_all(self._outputs[name], _met_before)

    @staticmethod
    def _placed(snakemake: Any) -> Path | None:
        """Where it is kept what the parts followed from; None where Snakemake has no folder of its own."""
        record = str(snakemake.log.get("record") or "").rpartition("results/provenance/")[2]
        return FOLDER / record if record and FOLDER.parts[0] in os.listdir() else None

    def _read(self) -> dict[str, Any]:
        if self._place is not None and FORCED not in os.environ:
            with suppress(OSError, ValueError):
                held = json.loads(self._place.read_text(encoding="utf-8"))
                if isinstance(held, dict):
                    return held
        return {}


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(each) for each in value]


def _met_before(path: Path) -> str:
    about = path.stat()
    return _digest_at(path.resolve(), about.st_size, about.st_mtime_ns)


@cache
def _digest_at(path: Path, *_state: int) -> str:
    return digest_of(path)


def _digest_of_all(files: Iterable[str], of_file: Callable[[Path], str] | None = None) -> str:
    return " ".join(digest_of(file, of_file) for file in files)


def _own_digest(file: str) -> str:
    """Digest of the meaning of one file of the package, without what it uses."""
    return digest_of_source((PACKAGE / file).read_text(encoding="utf-8"))
