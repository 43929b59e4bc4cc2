"""A mistake in a configuration as one sentence: file and line, key, what was given, what is allowed."""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from ontogeny.config.models import IDENTITY, Config
from ontogeny.config.sweep import Swept
from ontogeny.config.yaml_files import nodes_of
from ontogeny.errors import OntogenyError, nearest
from ontogeny.interventions.settings import INTERVENTIONS
from ontogeny.renamed import KEYS
from ontogeny.settings import expected

_KIND_OF_VALUE = re.compile(
    r"(literal|list|tuple|dict|nullable|function-[\w-]+|constrained-\w+)\[|(float|int|str|bool|none)$"
)
"""What pydantic adds to a location where a value may be of several kinds."""

Path_ = tuple[Any, ...]
Origins = dict[tuple[str, str], Swept]


def as_written(loc: Path_, swept: Origins) -> Path_:
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


def where(loc: Path_, files: list[Path]) -> tuple[str, Path_]:
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
    node, line, depth = nodes_of(file), None, 0
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


def dotted(loc: Path_) -> str:
    """A location as users write it: `studies.digits.runs[0]`."""
    return re.sub(r"\.\[", "[", ".".join(f"[{part}]" if isinstance(part, int) else str(part) for part in loc))


def mistake(
    said: object, loc: Path_, files: Iterable[Path], swept: Origins | None = None, known: int = 0
) -> OntogenyError:
    """What is `said` of the key at `loc`, which may be inside a swept run, after the file and line where it is written.

    Where that is in no file, as of a default or of what is written short, what holds it counts, down to the first
    `known` parts of `loc`; by default nothing else does.
    """
    files, loc = list(files), as_written(loc, swept or {})
    places = [where(loc[:length], files) for length in range(len(loc), (known or len(loc)) - 1, -1)]
    place, written = next((found for found in places if not found[0].startswith("--config")), places[0])
    return OntogenyError(f"{place}{dotted(written)}: {said}")


def _without_tags(loc: Path_, raw: Any) -> Path_:
    """`loc` without the union tags that pydantic inserts, which are not keys of the file."""
    cleaned: list[Any] = []
    here: Any = raw
    for i, part in enumerate(loc):
        tag = part in IDENTITY or part in INTERVENTIONS
        if holds(here, part):
            here = here[part]
        elif isinstance(part, str) and _KIND_OF_VALUE.match(part):
            continue
        elif isinstance(part, str) and here is not None and not isinstance(here, dict):
            continue  # what stands there is short for a block, or is no block: the key is the last one written
        elif tag and (here is None or (isinstance(here, dict) and i < len(loc) - 1)):
            continue
        else:
            here = None
        cleaned.append(part)
    return tuple(cleaned)


def sentence(
    error: ValidationError,
    raw: Any,
    files: list[Path],
    root: type[BaseModel] = Config,
    prefix: Path_ = (),
    swept: Origins | None = None,
) -> str:
    """The most telling mistake of `error`, and how many more there are.

    raw: the configuration as given; root, prefix: the model that was validated, and where in `raw` it stands.
    """
    items = error.errors(include_url=False)
    places = [_without_tags(prefix + tuple(item["loc"]), raw) for item in items]
    first = next((k for k, item in enumerate(items) if item["type"] == "extra_forbidden"), 0)
    # For a union, an error inside one alternative is more informative than the mismatch with the others.
    first = max(range(len(items)), key=lambda k: (places[k][: len(places[first])] == places[first], len(places[k]), -k))
    item, loc = items[first], places[first]
    if loc and loc[-1] == "[key]":
        loc = loc[:-1]
    loc = as_written(loc, swept or {})
    known = known_keys(root, tuple(item["loc"][:-1])) if item["type"] == "extra_forbidden" else []
    if item["type"] == "missing":
        place = where(loc[:-1], files)[0]
    else:
        place, loc = where(loc, files)
    others = [other for other, at in zip(items, places) if at == places[first] and other["type"] == "literal_error"]
    allowed = [name for other in others for name in re.findall(r"'([^']*)'", other["ctx"]["expected"])]
    text = place + _reason(item, loc, known, allowed)
    more = len({place for place in places if place != places[first][: len(place)]})
    return text + (f" ({more} more {'mistake' if more == 1 else 'mistakes'})" if more else "")


def _reason(item: Mapping[str, Any], loc: Path_, known: list[str], literals: list[str]) -> str:
    key, given, context = dotted(loc), item["input"], item.get("ctx", {})
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
        allowed = literals or re.findall(r"'([^']*)'", str(context["expected_tags"]))
        guess = nearest(str(given), allowed)
        hint = f"did you mean '{guess}'? " if guess else ""
        return f"{key} is {shown(given)}: {hint}Allowed: {', '.join(allowed)}"
    if item["type"] == "value_error":
        return f"{key}: {context['error']}" if key else str(context["error"])
    if item["type"] == "string_pattern_mismatch":
        rule = "use letters, digits and _ . + -, at most 80, starting with a letter or digit"
        return f"{key}: {shown(given)} cannot be a name; {rule}"
    if item["type"] == "union_tag_not_found":
        return f"{key}.kind is {shown(given.get('kind'))}; it should be a name: " + ", ".join(IDENTITY)
    return f"{key} is {shown(given)}; it should {expected(item['msg'])}" + "".join(f" or '{name}'" for name in literals)


def shown(value: Any) -> str:
    """A value as JSON, cut at 60 characters."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def known_keys(root: type[BaseModel], loc: Path_) -> list[str]:
    """The keys that the model `root` accepts at the pydantic location `loc`."""
    kind: Any = root
    for part in loc:
        kind = _step(kind, part)
    return sorted({key for model in models_in(kind) for key in model.model_fields})


def models_in(kind: Any) -> list[type[BaseModel]]:
    """The models of settings that a type stands for: itself, or those of a union."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    if typing.get_origin(kind) is typing.Annotated:
        return models_in(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return [model for arg in typing.get_args(kind) for model in models_in(arg)]
    return []


def _step(kind: Any, part: Any) -> Any:
    if typing.get_origin(kind) is typing.Annotated:
        return _step(typing.get_args(kind)[0], part)
    if typing.get_origin(kind) in (dict, list):
        return typing.get_args(kind)[-1]
    for model in models_in(kind):
        if part in model.model_fields:
            return model.model_fields[part].annotation
        if "kind" in model.model_fields and model.model_fields["kind"].default == part:
            return model
    return type(None)


def holds(container: Any, part: Any) -> bool:
    """Whether a mapping has the key, or a list the place, `part`."""
    if isinstance(container, dict):
        return part in container
    return isinstance(container, list) and isinstance(part, int) and part < len(container)
