"""From the user's YAML to a validated `Config`, or to a one-sentence error that says what is wrong and where."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ontogeny.config.measured import refuse_unknown_metrics
from ontogeny.config.mistakes import Origins, Path_, holds, mistake, models_in, sentence, shown
from ontogeny.config.models import IDENTITY, Analyses, CircuitRunSettings, Config, RunSettings, Study
from ontogeny.config.sweep import Swept, expand
from ontogeny.config.yaml_files import parse_yaml, refuse_duplicate_keys, refuse_endless
from ontogeny.connectome.settings import ConnectomeRunSettings
from ontogeny.errors import OntogenyError
from ontogeny.settings import Sweep
from ontogeny.trajectory.settings import SeriesSettings

_EXPONENT = re.compile(r"[+-]?\d+[eE]\+?\d+")


@dataclass(frozen=True)
class Run:
    """One trajectory: a run of the configuration with one seed, or an ensemble with all of its seeds.

    A condition of a connectome study is one run per level and seed, `key-c75/s0`; `level` is its filling factor. A
    condition with recorded data has no levels.

    `name` is its path below `results/runs` (`digits_mlp/s0`; that of an ensemble is its key alone), `key` its key in
    the configuration, `kind` the kind of its study. An ensemble's `seed` is None. `swept` describes the sweep that
    created it, if any.
    """

    name: str
    key: str
    study: str
    kind: str
    seed: int | None
    settings: RunSettings | CircuitRunSettings | ConnectomeRunSettings | SeriesSettings
    level: float | None = None
    swept: Swept | None = None

    def identity(self) -> dict[str, Any]:
        """The settings that determine what this run computes, as plain JSON types, with its seed or seeds."""
        if isinstance(self.settings, SeriesSettings):
            outside = {"label", "capture_steps"}
            return {**self.settings.model_dump(mode="json", exclude=outside), "seed": self.seed}
        chosen = set(IDENTITY[self.kind])
        if getattr(self.settings, "data", None) is not None:
            chosen = chosen - {"simulation"} | {"data"}
        blocks = self.settings.model_dump(mode="json", include=chosen)
        if self.level is not None:
            blocks["simulation"]["connectivity_filling_factor"] = self.level
        return {**blocks, "seeds": self.settings.seeds} if self.seed is None else {**blocks, "seed": self.seed}


def runs_of(config: Config, files: Iterable[Path] = ()) -> dict[str, Run]:
    """Every run of every study, by name, in the order of the configuration.

    Raises OntogenyError, with file and line if the configuration's `files` are given, if two studies give the same name
    to different runs.
    """
    runs: dict[str, Run] = {}
    for study, settings in config.groups.items():
        for key, run in settings.runs.items():
            for level, seed in _parts(settings.kind, run):
                stem = key if level is None else f"{key}-c{100 * level:g}"
                name = stem if seed is None else f"{stem}/s{seed}"
                if name in runs:
                    said = (
                        f"the study '{runs[name].study}' also has a run of that name; results are stored by name, so "
                        "rename one of them"
                    )
                    raise mistake(said, config.place_of(study, key), files, config.swept)
                swept = config.swept.get((study, key))
                runs[name] = Run(name, key, study, _kind_of(settings.kind, run), seed, run, level, swept)
    return runs


def _kind_of(kind: str, run: Any) -> str:
    """The kind of a run: an imported series of token sequences takes no part in analyses of classes of images."""
    return "series" if isinstance(run, SeriesSettings) and not run.sees_classes else kind


def _parts(kind: str, run: Any) -> Iterator[tuple[float | None, int | None]]:
    """The combinations of level and seed that are separate runs."""
    for level in run.levels if kind == "connectome" and run.data is None else [None]:
        for seed in [None] if kind == "circuits" else run.seeds:
            yield level, seed


def load_config(raw: dict[str, Any], files: Iterable[str | os.PathLike] = ()) -> Config:
    """Validate `raw`, the configuration as Snakemake merged it from `files` and the command line.

    Strings from the command line are parsed as the key requires (`"3"` as 3, `"[0, 1]"` as a list).
    Raises OntogenyError with one sentence: file and line, key, what was given, what is allowed.
    """
    places = [Path(file) for file in files]
    refuse_endless(raw, places)
    for file in places:
        refuse_duplicate_keys(file)
    raw, swept = _expand_sweeps(raw, places)
    try:
        config = Config.model_validate(raw)
    except ValidationError as first:
        try:
            config = Config.model_validate(_parse_strings(raw, first))
        except ValidationError as error:
            raise OntogenyError(sentence(error, raw, places, swept=swept)) from None
    config.swept.update(swept)
    for block in ("studies", "phase1_imports", "trajectory_imports"):
        for study in getattr(config, block):
            try:
                config.analyses_of(study)
            except ValidationError as error:
                raise OntogenyError(sentence(error, raw, places, Analyses, (block, study, "analyses"))) from None
    for study in config.phase1_imports:
        if study in config.groups:
            raise mistake("a study has the same name; rename one of them", ("phase1_imports", study), places)
    runs = runs_of(config, places)
    _refuse_shared_labels(config, places)
    refuse_unknown_metrics(config, runs.values(), places)
    return config


def _refuse_shared_labels(config: Config, files: list[Path]) -> None:
    """Figures and tables of a study distinguish its runs by their labels."""
    for study, settings in config.studies.items():
        seen: dict[str, str] = {}
        for key, run in settings.runs.items():
            label = run.label or key
            other = seen.setdefault(label, key)
            if other == key:
                continue
            named = key if run.label else other
            said = f"the runs {other} and {key} are both called {shown(label)} in figures and tables"
            own = () if (study, named) in config.swept else ("label",)
            loc = (*config.place_of(study, named), *own)
            raise mistake(f"{said}; give each its own label", loc, files, config.swept)


def read_config(path: str | os.PathLike) -> Config:
    """Read and validate one YAML file. Raises OntogenyError as `load_config` does, and if it is not YAML."""
    raw = parse_yaml(path)
    if not isinstance(raw, dict):
        held = "nothing" if raw is None else "a list" if isinstance(raw, list) else "one value"
        raise OntogenyError(f"{path} contains {held}, not the keys of a configuration (studies, analyses)")
    return load_config(raw, [path])


def _expand_sweeps(raw: Any, files: list[Path]) -> tuple[Any, Origins]:
    """`raw` with every sweep expanded to its runs, and the origin of each swept run, by study and name."""
    origins: Origins = {}
    kinds = {model.model_fields["kind"].default: model for model in models_in(Study)}
    if not (isinstance(raw, dict) and isinstance(raw.get("studies"), dict)):
        return raw, origins
    studies = dict(raw["studies"])
    for name, study in studies.items():
        if not (isinstance(study, dict) and isinstance(study.get("runs"), dict)):
            continue
        shared = study.get("sweep")
        shortest = kinds.get(str(study.get("kind", "dynamics")))
        runs: dict[Any, Any] = {}
        for key, run in study["runs"].items():
            own = run.get("sweep") if isinstance(run, dict) else None
            sweep = shared if own is None else own
            if sweep is None or not isinstance(run, dict | None):
                _take(runs, key, run, ("studies", name, "runs", key), files)
                continue
            at = ("studies", name, "sweep") if own is None else ("studies", name, "runs", key, "sweep")
            rest = {setting: value for setting, value in (run or {}).items() if setting != "sweep"}
            spell = getattr(shortest, "spelt_out", dict)
            try:
                made = expand(str(key), rest, Sweep.model_validate(sweep), at, spell)
            except ValidationError as error:
                raise OntogenyError(sentence(error, raw, files, Sweep, at)) from None
            except OntogenyError as error:
                raise mistake(error, at, files) from None
            for run_name, (settings, origin) in made.items():
                _take(runs, run_name, settings, at, files)
                origins[name, run_name] = origin
        studies[name] = {setting: value for setting, value in study.items() if setting != "sweep"} | {"runs": runs}
    return {**raw, "studies": studies}, origins


def _take(runs: dict[Any, Any], key: Any, run: Any, at: Path_, files: list[Path]) -> None:
    if key in runs:
        raise mistake(f"the sweep and the study both have a run {key}; rename one of them", at, files)
    runs[key] = run


def _parse_strings(raw: Any, error: ValidationError) -> Any:
    """`raw` with every refused string parsed as YAML."""
    raw = json.loads(json.dumps(raw, default=str))
    for item in error.errors(include_url=False):
        if not isinstance(item["input"], str) or not item["input"].strip():
            continue
        parent, key = _parent(raw, tuple(item["loc"]))
        if parent is not None and isinstance(parent[key], str):
            try:
                value = yaml.safe_load(parent[key])
                # YAML takes 1e3 for text, since no point is in it.
                parent[key] = float(value) if isinstance(value, str) and _EXPONENT.fullmatch(value) else value
            except yaml.YAMLError:
                continue
    return raw


def _parent(raw: Any, loc: Path_) -> tuple[Any, Any]:
    """The container and key in `raw` at which the pydantic location `loc` ends (skipping union tags)."""
    parent, key = None, None
    for part in loc:
        here = raw if parent is None else parent[key]
        if holds(here, part):
            parent, key = here, part
    return parent, key
