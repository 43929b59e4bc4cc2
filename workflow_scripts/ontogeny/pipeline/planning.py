"""What Snakemake works out again and again while it plans, worked out once.

To plan a thousand runs it asks a hundred thousand times which rules make a file, what a function takes, what a file is
flagged with. What stands here gives the same answers sooner. It takes the place of a function of Snakemake only where
that reads as it did when its successor was written: any other version plans without, to the same jobs.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

_HOLDING = ("raw", "_evaluator", "evaluate")
"""Attributes in which Snakemake's resources hold functions."""
_USUAL = re.compile(r"(?!\./)[\w.+=-]+(?:/[\w.+=-]+)*")
"""Names of files that Snakemake has nothing against."""
_STATED = "_overwrite_params"
"""Attribute of a function in which Snakemake finds its parameters, if it is there."""


def plan_faster() -> list[str]:
    """Replace what is known of Snakemake, and return the names of functions that read otherwise and were left."""
    import snakemake.dag
    import snakemake.io
    import snakemake.output_index
    import snakemake.sourcecache

    known: list[tuple[Any, str, str, Callable[[Any], Any]]] = [
        (snakemake.output_index.OutputIndex, "match_producers", "533ef47353b5d840", _match_producers),
        (snakemake.dag.DAG, "check_directory_outputs", "d5a17c047b46b717", _check_directory_outputs),
        (snakemake.sourcecache.SourceFile, "get_cache_path", "af25840abb9db083", _get_cache_path),
        (snakemake.io, "check", "a2f56d4a317fd6fd", _check),
        (snakemake.io, "is_flagged", "30f9120e76ce91ad", _is_flagged),
    ]
    left = []
    for place, name, digest, successor in known:
        ordinary = getattr(place, name, None)
        if getattr(ordinary, "__wrapped__", None) is not None:
            continue
        if _digest(ordinary) != digest:
            left.append(name)
            continue
        better = successor(ordinary)
        better.__wrapped__ = ordinary
        for holder in [place] if inspect.isclass(place) else _holders(name, ordinary):
            setattr(holder, name, better)
    return left


def _digest(function: Any) -> str:
    with suppress(TypeError, OSError):
        return hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:16]
    return "unknown"


def _holders(name: str, function: Any) -> list[Any]:
    """The modules of Snakemake that have imported `function`."""
    modules = [module for key, module in sys.modules.items() if key.split(".")[0] == "snakemake"]
    return [module for module in modules if vars(module).get(name) is function]


def _match_producers(ordinary: Callable[[Any, str], set[Any]]) -> Any:
    """Outputs are found by what stands before their first wildcard and after their last, rather than one by one."""

    def match_producers(index: Any, targetfile: str) -> set[Any]:
        if "_by_ends" not in vars(index):
            index._by_ends = _by_ends({rule for _, entries in index._lookup._entries for rule, _ in entries})
        size, (lengths, groups), found = len(targetfile), index._by_ends, set()
        try:
            for before in lengths:
                ends, products = groups.get(targetfile[:before], ((), {}))
                for after in ends:
                    for rule, product in products.get(targetfile[size - after :], ()):
                        if rule not in found and product.match(targetfile):
                            found.add(rule)
        except Exception:  # a mistake in a pattern, of which Snakemake says where it stands
            return ordinary(index, targetfile)
        return found

    return match_producers


def _by_ends(rules: Iterable[Any]) -> tuple[list[int], dict[str, tuple[list[int], dict[str, list[tuple[Any, Any]]]]]]:
    """By what stands before the first wildcard, and then by what stands after the last, outputs with their rules.

    With both go the lengths that occur.
    """
    products: dict[str, dict[str, list[tuple[Any, Any]]]] = defaultdict(lambda: defaultdict(list))
    for rule in rules:
        for product in rule.products():
            products[str(product.constant_prefix())][str(product.constant_suffix())].append((rule, product))
    return _lengths(products), {before: (_lengths(group), dict(group)) for before, group in products.items()}


def _lengths(texts: Iterable[str]) -> list[int]:
    return sorted(set(map(len, texts)))


def _check_directory_outputs(ordinary: Callable[[Any], None]) -> Any:
    """That no output lies in another is seen from their names; Snakemake looks itself where one does, or may."""

    def check_directory_outputs(dag: Any) -> None:
        outputs = {str(file) for job in dag.jobs for file in job.output}
        above: set[str] = set()
        for folder in map(os.path.dirname, outputs):
            while folder not in above:
                above.add(folder)
                folder = os.path.dirname(folder)
        plain = all(os.path.normpath(file) == file and not file.startswith(("/", "..")) for file in outputs)
        if not plain or outputs & above:
            ordinary(dag)

    return check_directory_outputs


def _get_cache_path(ordinary: Callable[[Any], str]) -> Any:
    """Where the copy of a script lies is worked out once for each, not for each job."""
    known: dict[tuple[type, str], str] = {}

    def get_cache_path(file: Any) -> str:
        key = type(file), file.get_path_or_uri(secret_free=True)
        if key not in known:
            known[key] = ordinary(file)
        return known[key]

    return get_cache_path


def _check(ordinary: Callable[..., None]) -> Any:
    """Of a name without anything unusual there is nothing to say."""

    def check(iofile: str, rule: Any = None, is_storage: bool = False) -> None:
        if not _USUAL.fullmatch(iofile):
            ordinary(iofile, rule, is_storage)

    return check


def _is_flagged(ordinary: Callable[[Any, str], bool]) -> Any:
    """What a text is flagged with is read from itself, not by way of an abstract class."""
    from snakemake.io import AnnotatedString, _IOFile

    def is_flagged(value: Any, flag: str) -> bool:
        text = value._file if type(value) is _IOFile else value
        kind = type(text)
        if kind is str:
            return False
        return bool(text._flags.get(flag)) if kind is AnnotatedString else ordinary(value, flag)

    return is_flagged


def remember_parameters(values: Iterable[Any]) -> None:
    """Keep the parameters of the functions among `values`, for which Snakemake asks at every one of its many calls.

    Inputs and resources are functions of ours in objects of Snakemake. What is not found there is looked up as before.
    """
    for value in values:
        file = getattr(value, "_file", value)
        for held in (value, getattr(file, "callable", None), *(getattr(value, name, None) for name in _HOLDING)):
            function = getattr(held, "__func__", held)
            if inspect.isfunction(function) and not hasattr(function, _STATED):
                setattr(function, _STATED, inspect.signature(held).parameters)
