"""A digest of what code does, so that an edit that changes meaning reruns its jobs, and nothing else does.

The digest covers the syntax tree of a script and of every module of this package that it reaches by imports, name by
name: `from ontogeny.jumps import detect_jumps` reaches the module that defines `detect_jumps`, not all that the
package offers. Files beside a module that it names (templates, tables) count with their bytes. Comments, docstrings,
layout and time stamps do not count. Trees are written in a form of our own, the same under every Python that the
project supports, so that results move between machines.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent
QUIET = {"ontogeny.code", "ontogeny.errors", "ontogeny.pipeline.job", "ontogeny.progress", "ontogeny.provenance"}
"""Modules that shape messages and plumbing, not results."""
_SILENT = {"ctx", "type_comment", "kind", "type_ignores"}
"""Fields of syntax trees that say nothing about meaning, or that only some versions of Python have."""
_MOST = 5000
"""Files of which it is remembered what they mean, before the memory starts afresh."""
_FORM = "1"
"""Version of the form in which trees are written."""


@cache
def code_digest(script: str | Path) -> str:
    """Hexadecimal digest of the meaning of `script` and of the package's modules that it uses."""
    parts = sorted(f"{_label(file, script)} {_fingerprint(file)}" for file in files_of_code(script))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@cache
def files_of_code(script: str | Path) -> tuple[Path, ...]:
    """`script`, the package's modules that it reaches, and the files beside them that they name."""
    known = len(_remembered())
    pending: list[Path] = [Path(script)]
    seen: dict[Path, None] = {}
    while pending:
        file = pending.pop()
        if file not in seen:
            seen[file] = None
            pending += _reached(file)
    if len(_remembered()) > known:
        _remember()
    return tuple(seen)


def digest_of_source(source: str) -> str:
    """Hexadecimal digest of the meaning of Python code."""
    return hashlib.sha256("".join(_written(_stripped(ast.parse(source)))).encode("utf-8", "replace")).hexdigest()


def _label(file: Path, script: str | Path) -> str:
    return "script" if file == Path(script) else file.relative_to(PACKAGE).as_posix()


def _written(value: object) -> Iterator[str]:
    """A syntax tree as text: names of nodes and of fields that are not empty, constants with their type."""
    if isinstance(value, ast.JoinedStr):
        yield from ("(JoinedStr", *(part for item in _joined(value.values) for part in _written(item)), ")")
    elif isinstance(value, ast.AST):
        yield f"({type(value).__name__}"
        for name, field in ast.iter_fields(value):
            if name not in _SILENT and field is not None and field != []:
                yield f" {name}="
                yield from _written(field)
        yield ")"
    elif isinstance(value, list):
        yield "["
        for item in value:
            yield from _written(item)
            yield ","
        yield "]"
    else:
        yield f"{type(value).__name__}:{value!r}"


def _joined(values: list[ast.expr]) -> list[ast.expr]:
    """The parts of an f-string with neighbouring texts as one and empty ones left out: versions of Python differ."""
    joined: list[ast.expr] = []
    for value in values:
        text = value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
        last = joined[-1] if joined else None
        if text is not None and isinstance(last, ast.Constant) and isinstance(last.value, str):
            joined[-1] = ast.Constant(last.value + text)
        elif text != "":
            joined.append(value)
    return joined


def _stripped(tree: ast.Module) -> ast.Module:
    """`tree` without its docstrings, and other texts that stand alone."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [item for item in body if not _is_text(item)]  # type: ignore[attr-defined]
    return tree


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@cache
def _source(file: Path) -> bytes:
    return file.read_bytes()


@cache
def _about(file: Path) -> tuple[str, tuple[str, ...], tuple[str, ...], dict[str, str]]:
    """Of a Python file: its fingerprint, the modules and names it imports, texts that may name files, re-exports."""
    key = hashlib.sha256(_FORM.encode() + _source(file)).hexdigest()
    known = _remembered()
    if key not in known:
        source = _source(file).decode("utf-8")
        tree = _stripped(ast.parse(source, os.fspath(file)))
        texts = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        named = sorted(text for text in texts if "." in text and len(text) < 100 and text.isprintable())
        known[key] = [digest_of_source(source), sorted(set(_imported(tree))), named, _exported(tree)]
    digest, imported, named, exported = known[key]
    return digest, tuple(imported), tuple(named), dict(exported)


@cache
def _remembered() -> dict[str, list[Any]]:
    """What earlier calls found of files, by a digest of their bytes: parsing a package takes a second."""
    with suppress(OSError, ValueError):
        found = json.loads(_memory().read_text(encoding="utf-8"))
        if isinstance(found, dict) and len(found) < _MOST:
            return found
    return {}


def _memory() -> Path:
    return PACKAGE / "__pycache__" / f"meaning-{_FORM}.json"


def _remember() -> None:
    path = _memory()
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}")
        part.write_text(json.dumps(_remembered()), encoding="utf-8")
        os.replace(part, path)


@cache
def _fingerprint(file: Path) -> str:
    return _about(file)[0] if file.suffix == ".py" else hashlib.sha256(_source(file)).hexdigest()


@cache
def _reached(file: Path) -> tuple[Path, ...]:
    """The files of this package that `file` imports from or names, less those that shape no results."""
    if file.suffix != ".py":
        return ()
    _, imported, named, _ = _about(file)
    modules = {home for entry in imported for home in _homes(*entry.split(":"))}
    found = [_file(name) for name in sorted(modules) if not _is_quiet(name)]
    if file.is_relative_to(PACKAGE):
        beside = (file.parent / name for name in named if Path(name).name == name)
        found += [path for path in beside if path.suffix not in (".py", ".pyi") and path.is_file()]
    return tuple(dict.fromkeys(path for path in found if path is not None))


def _is_quiet(name: str) -> bool:
    return any(name == quiet or name.startswith(quiet + ".") for quiet in QUIET)


def _imported(tree: ast.Module) -> Iterator[str]:
    """What a module imports of this package, as `module:name`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"{alias.name}:" for alias in node.names if alias.name.split(".")[0] == "ontogeny")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ontogeny":
            yield from (f"{node.module}:{alias.name}" for alias in node.names)


def _exported(tree: ast.Module) -> dict[str, str]:
    """Names that a module imports from others, and the module: `.x` of its own package."""
    homes: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                homes.setdefault(alias.asname or alias.name, f"{'.' * node.level}{node.module or ''}")
    return homes


@cache
def _homes(module: str, name: str) -> tuple[str, ...]:
    """The modules that define `name` as imported from `module`, through the re-exports of packages."""
    if not name or _file(f"{module}.{name}") is not None:
        return (f"{module}.{name}" if name else module,)
    file = _file(module)
    if file is None or file.name != "__init__.py":
        return (module,)
    stub = file.with_suffix(".pyi")
    home = _about(stub if stub.is_file() else file)[3].get(name)
    if home is not None:
        home = f"{module}{home}" if home.startswith(".") else home
        if home.startswith("ontogeny."):
            return _homes(home, name)
    return (module,)


@cache
def _file(module: str) -> Path | None:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if module != "ontogeny" and candidate.is_file():
            return candidate
    return PACKAGE / "__init__.py" if module == "ontogeny" else None
