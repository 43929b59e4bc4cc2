"""From the user's YAML to a validated `Config`, or to a one-sentence error that says what is wrong and where."""

from __future__ import annotations

import json
import os
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from ontogeny.config.models import IDENTITY, Analyses, CircuitRunSettings, Config, RunSettings, Study
from ontogeny.config.sweep import Swept, expand
from ontogeny.connectome.settings import ConnectomeRunSettings
from ontogeny.errors import OntogenyError, first_line, nearest
from ontogeny.files import read_text
from ontogeny.interventions.settings import INTERVENTIONS
from ontogeny.renamed import KEYS
from ontogeny.settings import Sweep
from ontogeny.trajectory.settings import SeriesSettings

_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader in C if PyYAML includes it; the one in Python gives better error messages."""

_DEEPEST = 50
_LARGEST = 10_000_000
"""Maximum nesting depth and maximum number of values of a configuration."""

Path_ = tuple[Any, ...]
Origins = dict[tuple[str, str], Swept]


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


def runs_of(config: Config) -> dict[str, Run]:
    """Every run of every study, by name, in the order of the configuration.

    Raises OntogenyError if two studies give the same name to different runs.
    """
    runs: dict[str, Run] = {}
    for study, settings in config.groups.items():
        for key, run in settings.runs.items():
            for level, seed in _parts(settings.kind, run):
                stem = key if level is None else f"{key}-c{100 * level:g}"
                name = stem if seed is None else f"{stem}/s{seed}"
                if name in runs:
                    raise OntogenyError(
                        f"studies.{study}.runs.{key}: the study '{runs[name].study}' also has a run of that name; "
                        "results are stored by name, so rename one of them"
                    )
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
    _refuse_endless(raw, places)
    for file in places:
        _refuse_duplicate_keys(file)
    raw, swept = _expand_sweeps(raw, places)
    try:
        config = Config.model_validate(raw)
    except ValidationError as first:
        try:
            config = Config.model_validate(_parse_strings(raw, first))
        except ValidationError as error:
            raise OntogenyError(_sentence(error, raw, places, swept=swept)) from None
    config.swept.update(swept)
    for block in ("studies", "phase1_imports", "trajectory_imports"):
        for study in getattr(config, block):
            try:
                config.analyses_of(study)
            except ValidationError as error:
                raise OntogenyError(_sentence(error, raw, places, Analyses, (block, study, "analyses"))) from None
    for study in config.phase1_imports:
        if study in config.groups:
            raise OntogenyError(f"phase1_imports.{study}: a study has the same name; rename one of them")
    runs_of(config)
    _refuse_shared_labels(config, places)
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
            loc = _as_written(("studies", study, "runs", named), config.swept)
            place, loc = _where(loc if (study, named) in config.swept else (*loc, "label"), files)
            raise OntogenyError(
                f"{place}{_dotted(loc)}: the runs {other} and {key} are both called {_shown(label)} in figures and "
                "tables; give each its own label"
            )


def read_config(path: str | os.PathLike) -> Config:
    """Read and validate one YAML file. Raises OntogenyError as `load_config` does, and if it is not YAML."""
    raw = parse_yaml(path)
    if not isinstance(raw, dict):
        held = "nothing" if raw is None else type(raw).__name__
        raise OntogenyError(f"{path} contains {held}, not the keys of a configuration (studies, analyses)")
    return load_config(raw, [path])


def _expand_sweeps(raw: Any, files: list[Path]) -> tuple[Any, Origins]:
    """`raw` with every sweep expanded to its runs, and the origin of each swept run, by study and name."""
    origins: Origins = {}
    kinds = {model.model_fields["kind"].default: model for model in _models(Study)}
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
                _take(runs, key, run, ("studies", name, "runs", key))
                continue
            at = ("studies", name, "sweep") if own is None else ("studies", name, "runs", key, "sweep")
            rest = {setting: value for setting, value in (run or {}).items() if setting != "sweep"}
            spell = getattr(shortest, "_spelt_out", dict)
            try:
                made = expand(str(key), rest, Sweep.model_validate(sweep), at, spell)
            except ValidationError as error:
                raise OntogenyError(_sentence(error, raw, files, Sweep, at)) from None
            except OntogenyError as error:
                raise OntogenyError(f"{_where(at, files)[0]}{error}") from None
            for run_name, (settings, origin) in made.items():
                _take(runs, run_name, settings, at)
                origins[name, run_name] = origin
        studies[name] = {setting: value for setting, value in study.items() if setting != "sweep"} | {"runs": runs}
    return {**raw, "studies": studies}, origins


def _take(runs: dict[Any, Any], key: Any, run: Any, at: Path_) -> None:
    if key in runs:
        raise OntogenyError(f"{_dotted(at)}: the sweep and the study both have a run {key}; rename one of them")
    runs[key] = run


def _as_written(loc: Path_, swept: Origins) -> Path_:
    """The location of `loc` in the file; `loc` may be inside a run that a sweep created."""
    origin = swept.get((loc[1], loc[3])) if len(loc) > 3 and loc[0] == "studies" and loc[2] == "runs" else None
    if origin is None:
        return loc
    for setting, place in origin.places.items():
        keys = tuple(setting.split("."))
        if loc[4 : 4 + len(keys)] == keys:
            return (*place, *loc[4 + len(keys) :])
        if loc[4:] == keys[: len(loc) - 4] and len(loc) > 4:
            return place
    return (*loc[:3], origin.key, *loc[4:])


def _parse_strings(raw: Any, error: ValidationError) -> Any:
    """`raw` with every refused string parsed as YAML."""
    raw = json.loads(json.dumps(raw, default=str))
    for item in error.errors(include_url=False):
        if not isinstance(item["input"], str) or not item["input"].strip():
            continue
        parent, key = _parent(raw, tuple(item["loc"]))
        if parent is not None and isinstance(parent[key], str):
            try:
                parent[key] = yaml.safe_load(parent[key])
            except yaml.YAMLError:
                continue
    return raw


def _parent(raw: Any, loc: Path_) -> tuple[Any, Any]:
    """The container and key in `raw` at which the pydantic location `loc` ends (skipping union tags)."""
    parent, key = None, None
    for part in loc:
        here = raw if parent is None else parent[key]
        if _holds(here, part):
            parent, key = here, part
    return parent, key


def _holds(container: Any, part: Any) -> bool:
    if isinstance(container, dict):
        return part in container
    return isinstance(container, list) and isinstance(part, int) and part < len(container)


def parse_yaml(file: str | os.PathLike) -> Any:
    """The content of a YAML file. Raises OntogenyError, with file and line, if it is not YAML or expands endlessly."""
    text = read_text(file)
    for loader in (_FAST, yaml.SafeLoader):
        try:
            held = yaml.load(text, Loader=loader)
        except (yaml.YAMLError, RecursionError):
            continue
        _refuse_endless(held, [Path(file)])
        return held
    try:
        yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or first_line(error)
        raise OntogenyError(f"{file}{place} is not YAML: {problem}") from None
    except RecursionError:
        raise OntogenyError(f"{file} is nested too deeply for a configuration") from None


def _nodes(file: Path) -> yaml.Node | None:
    try:
        return yaml.compose(read_text(file), Loader=_FAST)
    except (yaml.YAMLError, RecursionError):
        parse_yaml(file)
        raise


def _refuse_endless(raw: Any, files: list[Path]) -> None:
    """YAML aliases let a few lines expand without bound, or make blocks that contain themselves."""
    place = f"{files[-1]}: " if files else ""
    sizes: dict[int, int] = {}

    def size(value: Any, depth: int) -> int:
        if not isinstance(value, dict | list):
            return 1
        if depth > _DEEPEST:
            raise OntogenyError(f"{place}a block is nested over {_DEEPEST} levels deep, or contains itself; flatten it")
        if id(value) not in sizes:
            items = value.values() if isinstance(value, dict) else value
            sizes[id(value)] = 1 + sum(size(item, depth + 1) for item in items)
        return sizes[id(value)]

    if size(raw, 0) > _LARGEST:
        raise OntogenyError(
            f"{place}with its aliases expanded it has {sizes[id(raw)]:,} values; the maximum is {_LARGEST:,}"
        )


def _refuse_duplicate_keys(file: Path) -> None:
    met: set[int] = set()

    def walk(node: yaml.Node | None, path: str) -> Iterator[tuple[str, int, int]]:
        if id(node) in met:
            return
        met.add(id(node))
        if isinstance(node, yaml.MappingNode):
            seen: dict[str, int] = {}
            for key, value in node.value:
                line = key.start_mark.line + 1
                if key.value in seen and key.value != "<<":
                    yield f"{path}{key.value}", seen[key.value], line
                seen[key.value] = line
                yield from walk(value, f"{path}{key.value}.")
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                yield from walk(item, path)

    for key, first, second in walk(_nodes(file), ""):
        raise OntogenyError(f"{file}, line {second}: {key} is given twice, first in line {first}; remove one of them")


def _where(loc: Path_, files: list[Path]) -> tuple[str, Path_]:
    """Where the user wrote `loc`, as `config.yaml, line 12: `, and the key as written.

    A setting of a run may come from its study's defaults. Later files take precedence. A key that is in no file came
    from the command line.
    """
    places = [loc]
    if len(loc) > 4 and loc[0] == "studies" and loc[2] == "runs":
        places.append((*loc[:2], "defaults", *loc[4:]))
    for place in places:
        for file in reversed(files):
            line, depth = _line(place, file)
            if line is not None and depth == len(place):
                return f"{file}, line {line}: ", place
    return ("--config: " if files else ""), loc


def _line(loc: Path_, file: Path) -> tuple[int | None, int]:
    """The line in `file` of the deepest part of `loc` that it contains, and the depth of that part."""
    node, line, depth = _nodes(file), None, 0
    for depth, part in enumerate(loc):
        if isinstance(node, yaml.MappingNode):
            hit = [(key, value) for key, value in node.value if key.value == str(part)]
            if not hit:
                return line, depth
            line, node = hit[0][0].start_mark.line + 1, hit[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        elif isinstance(node, yaml.ScalarNode) and part == "name":
            return line, len(loc)
        else:
            return line, depth
    return line, len(loc)


def _dotted(loc: Path_) -> str:
    return re.sub(r"\.\[", "[", ".".join(f"[{part}]" if isinstance(part, int) else str(part) for part in loc))


def _without_tags(loc: Path_, raw: Any) -> Path_:
    """`loc` without the union tags that pydantic inserts, which are not keys of the file."""
    cleaned: list[Any] = []
    here: Any = raw
    for i, part in enumerate(loc):
        tag = part in IDENTITY or part in INTERVENTIONS
        if _holds(here, part):
            here = here[part]
        elif isinstance(part, str) and here is not None and not isinstance(here, dict):
            continue  # what stands there is short for a block, or is no block: the key is the last one written
        elif tag and (here is None or (isinstance(here, dict) and i < len(loc) - 1)):
            continue
        else:
            here = None
        cleaned.append(part)
    return tuple(cleaned)


def _sentence(
    error: ValidationError,
    raw: Any,
    files: list[Path],
    root: type[BaseModel] = Config,
    prefix: Path_ = (),
    swept: Origins | None = None,
) -> str:
    items = error.errors(include_url=False)
    places = [_without_tags(prefix + tuple(item["loc"]), raw) for item in items]
    first = next((k for k, item in enumerate(items) if item["type"] == "extra_forbidden"), 0)
    # For a union, an error inside one alternative is more informative than the mismatch with the others.
    first = max(range(len(items)), key=lambda k: (places[k][: len(places[first])] == places[first], len(places[k]), -k))
    item, loc = items[first], places[first]
    if loc and loc[-1] == "[key]":
        loc = loc[:-1]
    loc = _as_written(loc, swept or {})
    known = known_keys(root, tuple(item["loc"][:-1])) if item["type"] == "extra_forbidden" else []
    if item["type"] == "missing":
        place = _where(loc[:-1], files)[0]
    else:
        place, loc = _where(loc, files)
    text = place + _reason(item, loc, known)
    more = len({place for place in places if place != places[first][: len(place)]})
    return text + (f" ({more} more {'mistake' if more == 1 else 'mistakes'})" if more else "")


def _reason(item: Mapping[str, Any], loc: Path_, known: list[str]) -> str:
    key, given, context = _dotted(loc), item["input"], item.get("ctx", {})
    if item["type"] == "extra_forbidden":
        renamed = KEYS.get(str(item["loc"][-1]))
        if renamed in known:
            return f"{key} is now called {renamed}; write {renamed}"
        guess = nearest(str(item["loc"][-1]), known)
        hint = f"did you mean '{guess}'? " if guess else ""
        return f"unknown key '{key}': {hint}Known here: {', '.join(known)}"
    if item["type"] == "missing":
        return f"{key} is required but missing"
    if item["type"] == "union_tag_invalid":
        key, given = f"{key}.kind", context["tag"]
    if item["type"] in ("union_tag_invalid", "literal_error"):
        allowed = re.findall(r"'([^']*)'", str(context.get("expected") or context.get("expected_tags") or ""))
        guess = nearest(str(given), allowed)
        hint = f"did you mean '{guess}'? " if guess else ""
        return f"{key} is {_shown(given)}: {hint}Allowed: {', '.join(allowed)}"
    if item["type"] == "value_error":
        return f"{key}: {context['error']}" if key else str(context["error"])
    if item["type"] == "string_pattern_mismatch":
        rule = "use letters, digits and _ . + -, at most 80, starting with a letter or digit"
        return f"{key}: {_shown(given)} cannot be a name; {rule}"
    if item["type"] == "union_tag_not_found":
        return f"{key}.kind is {_shown(given.get('kind'))}; it should be a name: " + ", ".join(IDENTITY)
    message = item["msg"][0].lower() + item["msg"][1:]
    message = message.removeprefix("input should ").removeprefix("be ").replace(" after validation", "")
    message = re.sub(r"a valid dictionary( or instance of \w+)?", "a mapping of keys to values", message)
    message = re.sub(r"^(list|value) should have", "have", message)
    return f"{key} is {_shown(given)}; it should {'' if message.startswith('have') else 'be '}{message}"


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def known_keys(root: type[BaseModel], loc: Path_) -> list[str]:
    """The keys that the model `root` accepts at the pydantic location `loc`."""
    kind: Any = root
    for part in loc:
        kind = _step(kind, part)
    return sorted({key for model in _models(kind) for key in model.model_fields})


def _models(kind: Any) -> list[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    if typing.get_origin(kind) is typing.Annotated:
        return _models(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return [model for arg in typing.get_args(kind) for model in _models(arg)]
    return []


def _step(kind: Any, part: Any) -> Any:
    if typing.get_origin(kind) is typing.Annotated:
        return _step(typing.get_args(kind)[0], part)
    if typing.get_origin(kind) in (dict, list):
        return typing.get_args(kind)[-1]
    for model in _models(kind):
        if part in model.model_fields:
            return model.model_fields[part].annotation
        if "kind" in model.model_fields and model.model_fields["kind"].default == part:
            return model
    return type(None)
