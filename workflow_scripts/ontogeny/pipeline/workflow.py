"""What the Snakefile knows: the runs of the configuration, their settings as rules want them, and their files."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn, cast

from ontogeny.code import code_digest
from ontogeny.config import Config, Run, load_config, runs_of
from ontogeny.config.mistakes import mistake
from ontogeny.config.models import IDENTITY, JudgeRunSettings
from ontogeny.config.yaml_files import parse_yaml
from ontogeny.errors import OntogenyError, unknown
from ontogeny.pipeline.inputs import content_digests, files_named, files_of_run, prompts_of, why_unusable
from ontogeny.tasks.known import SIZES, WITH_TRUTH
from ontogeny.trajectory.settings import SeriesSettings

WORTH_KNOWING = "worth_knowing"
"""Attribute of messages that the live view shows, too."""
RUN_NAME = r"[A-Za-z0-9][A-Za-z0-9_.+-]*(?:/s\d+)?"


def default_config(basedir: str) -> str:
    """The configuration used when none is named: `config.yaml` of the working folder, or the project's own.

    Ends the planning with file and line if it is not YAML.
    """
    file = "config.yaml" if os.path.exists("config.yaml") else os.path.join(basedir, "config.yaml")
    try:
        parse_yaml(file)
    except OntogenyError as error:
        fail(error)
    return file


def fail(error: Exception, kind: str = "Configuration error") -> NoReturn:
    """End the planning with one sentence, if the error is one that its reader can mend; pass others on."""
    if isinstance(error, OntogenyError):
        raise SystemExit(f"{kind}: {error}")
    raise error


def check_allowed(arguments: list[str], rules: Iterable[Any]) -> None:
    """End the planning with the nearest name if the command line's `arguments` allow a rule that is not in `rules`."""
    if "--allowed-rules" in arguments:
        names = [rule.name for rule in rules]
        given = arguments[arguments.index("--allowed-rules") + 1 :]
        for name in takewhile(lambda word: not word.startswith("-"), given):
            if name not in names:
                fail(unknown("rule", name, names), "Error")


def name_targets(workflow: Any) -> None:
    """Let Snakemake say the nearest of the targets of `workflow` where nothing makes what it is asked for."""
    import snakemake.dag

    class Error(snakemake.dag.MissingRuleException):
        def __init__(self, file: Any, lineno: int | None = None, snakefile: str | None = None) -> None:
            super().__init__(file, lineno, snakefile)
            self.asked = str(file)

        def __str__(self) -> str:
            names = [rule.name for rule in workflow.rules if not rule.output]
            if "/" not in self.asked:
                return str(unknown("target", self.asked, names))
            known = ", ".join(sorted(names))
            return f"nothing makes {self.asked}: name a file of a run or a study that is configured, or one of {known}"

    snakemake.dag.MissingRuleException = Error


def use_package(basedir: str) -> None:
    """Let the jobs use the package beside the Snakefile in `basedir`, also where another copy of it is installed."""
    here = os.path.join(basedir, "workflow_scripts")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))


def as_reported(raw: Any, arguments: list[str]) -> Any:
    """The configuration `raw`, for a report (by the command line's `arguments`) without what would end a script in it.

    Snakemake writes the parameters of rules into a script of the report as they are, labels among them.
    """
    reports = any(word.split("=")[0] == "--report" for word in arguments)
    return _without_tags(raw) if reports else raw


def _without_tags(raw: Any) -> Any:
    if isinstance(raw, dict):
        return {key: _without_tags(value) for key, value in raw.items()}
    if isinstance(raw, list):
        return [_without_tags(value) for value in raw]
    ends = isinstance(raw, str) and ("</" in raw or "<!--" in raw)
    return raw.replace("<", "\uff1c") if ends else raw


def check_writable(folder: str | os.PathLike = "results") -> None:
    """End the run with one sentence if `folder`, or one right inside it, is there and cannot be written to."""
    folder = Path(folder)
    inside = filter(Path.is_dir, folder.iterdir()) if folder.is_dir() else ()
    for place in (folder, *sorted(inside)):
        if place.exists() and not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
            what = "cannot be written to" if place.is_dir() else "is not a folder"
            fail(
                OntogenyError(f"{place} {what}: make it a writable folder, or work elsewhere with --directory"), "Error"
            )


def tell_summary(file: str | os.PathLike, since: float = time.time()) -> None:
    """Say what was found, if `file` was made since this module was loaded, that is by the run that ends.

    Goes through Snakemake's logger, so that it comes after what that shows.
    """
    from snakemake.logging import logger

    from ontogeny.pipeline.summary import summary_text

    if os.path.exists(file) and os.stat(file).st_mtime >= since:
        logger.info(f"\n{summary_text(file)}\n", extra={WORTH_KNOWING: True})


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
