"""What the Snakefile knows: the runs of the configuration, their settings as rules want them, and their files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ontogeny.code import code_digest
from ontogeny.config import Config, Run, load_config, runs_of
from ontogeny.config.mistakes import mistake
from ontogeny.config.models import IDENTITY
from ontogeny.errors import OntogenyError, unknown
from ontogeny.pipeline.digests import content_digests
from ontogeny.pipeline.entry import WORTH_KNOWING, fail
from ontogeny.pipeline.inputs import files_of_search, files_read, imported_records
from ontogeny.tasks.known import SIZES, WITH_TRUTH
from ontogeny.trajectory.settings import SeriesSettings

RUN_NAME = r"[A-Za-z0-9][A-Za-z0-9_.+-]*(?:/s\d+)?"


class Workflow:
    """The configuration as the rules see it.

    `raw` is the mapping that Snakemake merged from `files` and the command line. Raises OntogenyError as
    `load_config` does.
    """

    def __init__(self, raw: dict[str, Any], files: Iterable[str | os.PathLike], basedir: str) -> None:
        self._files = [Path(_short(file)) for file in files]
        self.config: Config = load_config(raw, self._files)
        self.runs: dict[str, Run] = runs_of(self.config)
        self.scripts = Path(basedir) / "workflow_scripts"
        groups = (*self.config.groups, *self.config.phase1_imports)
        self._analyses = {name: self.config.analyses_of(name).model_dump(mode="json") for name in groups}

    def run(self, wildcards: Any) -> Run:
        """The run that the wildcard `run` names. Ends the planning with the nearest name if there is none."""
        if wildcards.run not in self.runs:
            fail(unknown("run", wildcards.run, self.runs))
        return self.runs[wildcards.run]

    def study_of(self, wildcards: Any) -> str:
        """The study of the run of `wildcards`, under which the report lists it."""
        return self.run(wildcards).study

    def cache(self, wildcards: Any) -> str:
        """The folder of downloads. By a function, since Snakemake would put values of wildcards for words in braces."""
        return self.config.cache

    def name(self, wildcards: Any) -> str:
        """The name of the run of `wildcards`, which its files state."""
        return self.run(wildcards).name

    def identity(self, wildcards: Any) -> dict[str, Any]:
        """The settings that decide what the run of `wildcards` computes."""
        return self.run(wildcards).identity()

    def swept(self) -> dict[str, dict[str, Any]]:
        """The runs that sweeps made: the key that was swept, and the values they got."""
        made = {run.name: run.swept for run in self.runs.values() if run.swept is not None}
        return {name: {"key": origin.key, "values": origin.values} for name, origin in made.items()}

    def capture_steps(self, wildcards: Any) -> list[int]:
        """The steps of the run of `wildcards` that the user wants captured."""
        return list(getattr(self.run(wildcards).settings, "capture_steps", []))

    def gpu(self, wildcards: Any) -> int:
        """The number of GPUs that training the run of `wildcards`, or replaying it, asks for."""
        return self._gpu(self.run(wildcards))

    def has_gpu(self) -> bool:
        """Whether any run asks for a GPU."""
        return any(map(self._gpu, self.runs.values()))

    @staticmethod
    def _gpu(run: Run) -> int:
        training = getattr(run.settings, "training", None)
        return int(getattr(training, "device", "cpu") == "cuda")

    def title(self, wildcards: Any) -> str:
        """How figures name the run of `wildcards`."""
        return self.label(self.run(wildcards))

    def analysis(self, block: str) -> Callable[[Any], dict[str, Any]]:
        """A params function: the settings of the analysis `block` for the study of the run of `wildcards`."""

        return lambda wildcards: self._analysis(block, self.run(wildcards).study)

    def analyses(self, *blocks: str) -> Callable[[Any], dict[str, Any]]:
        """A params function: the settings of several analyses, by block, for the study of the run of `wildcards`."""
        return lambda wildcards: {block: self._analysis(block, self.run(wildcards).study) for block in blocks}

    def code(self, script: str) -> Callable[[Any], str]:
        """A params function: the digest of what a script does (see `ontogeny.code`). Ends the planning where the script
        needs a file that is no Python."""

        def digest(wildcards: Any) -> str:
            try:
                return code_digest(self.scripts / f"{script}.py")
            except SyntaxError as error:
                said = f"{error.filename}, line {error.lineno}, is no Python: {error.msg}"
                fail(OntogenyError(said), "Error")

        return digest

    def data(self, wildcards: Any) -> list[str]:
        """The user's files that training the run of `wildcards`, or replaying it, reads. Ends the planning without."""
        return self.files_read(self.run(wildcards))

    def files_read(self, run: Run) -> list[str]:
        """The user's files that training `run`, or replaying it, reads. Ends the planning if one that it names is not
        there."""
        try:
            return files_read(run, self.config, self._files)
        except OntogenyError as error:
            fail(error)

    def files_of_search(self, study: str) -> list[str]:
        """The user's files that the search of a study reads. Ends the planning if one that it names is not there."""
        try:
            return files_of_search(study, self.config, self._files)
        except OntogenyError as error:
            fail(error)

    def digests(self, files: Callable[[Any], list[str]]) -> Callable[[Any], dict[str, str]]:
        """A params function: the digest of every one of `files`, which are a function of the wildcards."""
        return lambda wildcards: content_digests(files(wildcards))

    def studies(self, kind: str | None = None) -> list[str]:
        """The names of the studies (of one kind)."""
        return [name for name, study in self.config.groups.items() if kind is None or study.kind == kind]

    def studies_with_truth(self) -> list[str]:
        """The names of the studies with runs whose transitions are known."""
        known = [run.study for run in self.runs.values() if run.kind == "dynamics" and self._has_truth(run.settings)]
        return list(dict.fromkeys(known))

    @staticmethod
    def _has_truth(settings: Any) -> bool:
        task, training = getattr(settings, "task", None), getattr(settings, "training", None)
        return getattr(task, "name", None) in WITH_TRUTH or getattr(training, "shock", None) is not None

    def runs_of_study(self, study: str) -> list[Run]:
        """The runs of a study, in the order of the configuration."""
        return [run for run in self.runs.values() if run.study == study]

    def files(self, pattern: str, *kinds: str) -> list[str]:
        """`pattern` filled in with `run` and `study` for every run (of studies of these kinds)."""
        runs = (run for run in self.runs.values() if not kinds or run.kind in kinds)
        return [pattern.format(run=run.name, study=run.study) for run in runs]

    def looked_at(self, pattern: str, *kinds: str) -> list[str]:
        """`pattern` filled in for the runs of these kinds of studies whose captured moments are looked at."""
        chosen = [run for run in self.runs.values() if run.kind in kinds and self.is_looked_at(run)]
        return [pattern.format(run=run.name, study=run.study) for run in chosen]

    def looked_at_of_study(self, pattern: str, wildcards: Any, *kinds: str) -> list[str]:
        """`pattern` filled in for the runs (of these kinds), whose captured moments are looked at, of the study that
        `wildcards` names."""
        runs = [run for run in self.runs_of_study(wildcards.study) if not kinds or run.kind in kinds]
        return [pattern.format(run=run.name, study=run.study) for run in runs if self.is_looked_at(run)]

    def titles_of_study(self, wildcards: Any) -> dict[str, str]:
        """The runs whose captured moments are looked at, of the study `wildcards` names, and how figures name them."""
        names = self.looked_at_of_study("{run}", wildcards)
        return {name: self.label(self.runs[name]) for name in names}

    def title_of(self, study: str) -> str:
        """How figures and the report name a study, or a group of imports."""
        return (self.config.groups.get(study) or self.config.phase1_imports[study]).title or study

    def chapter_of(self, study: str) -> str:
        """Under what the report, which sorts by name, lists a study: its title after its place in the configuration."""
        studies = [*self.config.groups, *self.config.phase1_imports]
        place = str(studies.index(study) + 1).zfill(len(str(len(studies))))
        return f"{place}. {self.title_of(study)}"

    def is_looked_at(self, run: Run) -> bool:
        """Whether the captured moments of `run` are looked at: of a chosen seed, and a task with labelled samples."""
        if getattr(getattr(run.settings, "task", None), "name", None) in SIZES:
            return False
        which = self._analyses[run.study]["seeds"]
        return which == "all" or (which == "first" and run.seed == run.settings.seeds[0])

    def pattern(self, kind: str) -> str:
        """A regular expression for the names of runs of a kind; image runs are all names that no other kind has."""
        keys = {
            other: [re.escape(run.name) for run in self.runs.values() if run.kind == other]
            for other in (*IDENTITY, "series")
            if other != "dynamics"
        }
        if kind in keys:
            return "|".join(keys[kind]) or "(?!)"
        return _all_but(name for names in keys.values() for name in names)

    def all_but(self, kind: str) -> str:
        """A regular expression for the names of all runs but those of one kind."""
        return _all_but(re.escape(run.name) for run in self.runs.values() if run.kind == kind)

    def tell_left_out(self) -> None:
        """Say of which runs some measurements are not made, and why."""
        from snakemake.logging import logger

        names = [run.name for run in self.runs.values() if run.kind == "series"]
        if names:
            logger.info(
                "left out of importance, maps, boundaries and features, which need inputs of real numbers, as they "
                f"read tokens: {', '.join(names)}",
                extra={WORTH_KNOWING: True},
            )

    def imported(self) -> list[str]:
        """The names of the runs that are series of checkpoints of other programs."""
        return [run.name for run in self.runs.values() if isinstance(run.settings, SeriesSettings)]

    def trained_pattern(self) -> str:
        """A regular expression for the names of image runs that are trained here."""
        imported = "|".join(map(re.escape, self.imported()))
        return f"(?!(?:{imported})(?:/|$)){self.pattern('dynamics')}" if imported else self.pattern("dynamics")

    def records(self, wildcards: Any) -> list[str]:
        """The files of the group of imports that the wildcard `study` names.

        Relative paths start at the working folder, or at the project where there is nothing. Ends the planning if no
        file is found.
        """
        try:
            found = imported_records(self.config, wildcards.study, self.scripts.parent, self._files)
        except OntogenyError as error:
            fail(error)
        return [os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path) for path in found]

    def compared(self, wildcards: Any) -> list[str]:
        """The two configurations or folders of results to compare. Ends the planning if there are none such."""
        from ontogeny.pipeline.compare import check_sides

        if self.config.compare is None:
            fail(OntogenyError("nothing to compare: name two, with --config 'compare=[A, B]' or the key compare"))
        try:
            check_sides(*self.config.compare)
        except OntogenyError as error:
            fail(mistake(error, ("compare",), self._files))
        return self.config.compare

    def compared_state(self, wildcards: Any) -> list[str]:
        """Digests that change when what is compared changes."""
        from ontogeny.pipeline.compare import state_of

        return [state_of(side) for side in self.compared(wildcards)]

    def summarised(self) -> list[dict[str, Any]]:
        """What the summary says of every study: its name, title and kind, and its first run."""
        named: list[tuple[str, str, Any]] = [(name, study.kind, study) for name, study in self.config.studies.items()]
        named += [(name, "imports", group) for name, group in self.config.phase1_imports.items()]
        first = {name: next((run.name for run in self.runs_of_study(name)), "") for name, *_ in named}
        return [
            {"name": name, "title": study.title or name, "kind": kind, "run": first[name]}
            for name, kind, study in named
        ]

    def summary_inputs(self) -> list[str]:
        """The tables and figures that the summary is made from."""
        from ontogeny.pipeline.summary import files_of

        return [file for study in self.summarised() for file in files_of(study)]

    def files_of_study(self, pattern: str, wildcards: Any) -> list[str]:
        """`pattern` filled in with `run` for every run of the study that the wildcard `study` names."""
        if wildcards.study not in self.config.groups:
            fail(unknown("study", wildcards.study, self.config.groups))
        return [pattern.format(run=run.name, study=run.study) for run in self.runs_of_study(wildcards.study)]

    def study_analysis(self, block: str, wildcards: Any) -> dict[str, Any]:
        """The settings of the analysis `block` for the study that the wildcard `study` names."""
        return self._analysis(block, wildcards.study)

    def _analysis(self, block: str, study: str) -> Any:
        return self._analyses[study][block]

    def label(self, run: Run) -> str:
        """How figures name a run."""
        name = run.settings.label or run.key
        name = name if run.level is None else f"{name}, {100 * run.level:g}%"
        return name if run.seed is None or len(run.settings.seeds) == 1 else f"{name}, seed {run.seed}"


def _all_but(patterns: Iterable[str]) -> str:
    """A regular expression for names of runs that none of `patterns` matches."""
    others = "|".join(patterns)
    return f"(?!(?:{others})(?:/|$)){RUN_NAME}" if others else RUN_NAME


def _short(file: str | os.PathLike) -> str:
    """`file` relative to the working folder where that is shorter."""
    relative = os.path.relpath(file)
    return relative if len(relative) < len(os.fspath(file)) else os.fspath(file)
