"""Files of YAML: read with the place of every key, and refused where they would expand endlessly or say a key twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ontogeny.errors import OntogenyError, first_line
from ontogeny.files import read_text

_FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader in C if PyYAML includes it; the one in Python gives better error messages."""

_DEEPEST = 50
_LARGEST = 10_000_000
"""Maximum nesting depth and maximum number of values of a configuration."""


def parse_yaml(file: str | os.PathLike) -> Any:
    """The content of a YAML file. Raises OntogenyError, with file and line, if it is not YAML or expands endlessly."""
    text = read_text(file)
    for loader in (_FAST, yaml.SafeLoader):
        try:
            held = yaml.load(text, Loader=loader)
        except (yaml.YAMLError, RecursionError):
            continue
        refuse_endless(held, [Path(file)])
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


def nodes_of(file: Path) -> yaml.Node | None:
    """The nodes of a YAML file, which know their lines. Raises OntogenyError as `parse_yaml` does."""
    try:
        return yaml.compose(read_text(file), Loader=_FAST)
    except (yaml.YAMLError, RecursionError):
        parse_yaml(file)
        raise


def refuse_endless(raw: Any, files: list[Path]) -> None:
    """Raise OntogenyError for values too deep or too many: aliases let a few lines of YAML expand without bound."""
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


def refuse_duplicate_keys(file: Path) -> None:
    """Raise OntogenyError, with both lines, if a block of the file has a key twice."""
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

    for key, first, second in walk(nodes_of(file), ""):
        raise OntogenyError(f"{file}, line {second}: {key} is given twice, first in line {first}; remove one of them")
