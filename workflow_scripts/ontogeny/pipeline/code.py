"""A digest of what a script does, so that an edit that changes meaning reruns its jobs, and nothing else does.

The digest covers the syntax tree of the script and of every module of this package that it reaches by imports,
name by name: `from ontogeny.jumps import detect_jumps` reaches the module that defines `detect_jumps`, not all
that the package offers. Comments, docstrings, layout and time stamps do not count.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
_QUIET = {"ontogeny.errors", "ontogeny.files", "ontogeny.pipeline", "ontogeny.progress", "ontogeny.provenance"}
"""Modules that shape messages and plumbing, not results."""


@cache
def code_digest(script: str | Path) -> str:
    """Hexadecimal digest of the meaning of `script` and of the package's modules that it uses."""
    pending, seen = [Path(script)], {}
    while pending:
        file = pending.pop()
        if file not in seen:
            seen[file] = _fingerprint(file)
            pending += _imports(file)
    parts = sorted(f"{_label(file, script)} {digest}" for file, digest in seen.items())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _label(file: Path, script: str | Path) -> str:
    return "script" if file == Path(script) else file.relative_to(PACKAGE).as_posix()


@cache
def _tree(file: Path) -> ast.Module:
    """The syntax tree of `file` without its docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [item for item in body if not _is_text(item)]
    return tree


@cache
def _fingerprint(file: Path) -> str:
    return hashlib.sha256(ast.dump(_tree(file)).encode()).hexdigest()


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@cache
def _imports(file: Path) -> tuple[Path, ...]:
    """The files of this package that `file` imports from, less those that shape no results."""
    found = (_file(name) for name in _imported(_tree(file)) if not _is_quiet(name))
    return tuple(dict.fromkeys(target for target in found if target is not None))


def _is_quiet(name: str) -> bool:
    return any(name == quiet or name.startswith(quiet + ".") for quiet in _QUIET)


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "ontogeny")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ontogeny":
            for alias in node.names:
                yield from _homes(node.module, alias.name)


@cache
def _homes(module: str, name: str) -> tuple[str, ...]:
    """The modules that define `name` as imported from `module`, through the re-exports of packages."""
    if _file(f"{module}.{name}") is not None:
        return (f"{module}.{name}",)
    file = _file(module)
    if file is None or file.name != "__init__.py":
        return (module,)
    stub = file.with_suffix(".pyi")
    for node in ast.walk(_tree(stub if stub.is_file() else file)):
        if isinstance(node, ast.ImportFrom):
            home = f"{module}.{node.module}" if node.level else node.module or ""
            for alias in node.names:
                if home.startswith("ontogeny.") and name == (alias.asname or alias.name):
                    return _homes(home, name)
    return (module,)


def _file(module: str) -> Path | None:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if module != "ontogeny" and candidate.is_file():
            return candidate
    return PACKAGE / "__init__.py" if module == "ontogeny" else None
