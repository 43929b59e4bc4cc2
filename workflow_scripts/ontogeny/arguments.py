"""Arguments of public functions, held against their signatures, so that a mistake in a call is told in a sentence.

A name means the same everywhere, so what a number may be is said once, by its name. The library that a class comes from
is never imported for a check.
"""

from __future__ import annotations

import functools
import inspect
import math
import operator
import os
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeAlias, TypeVar

import numpy as np

from ontogeny.errors import A_SHARE, OntogenyError, is_number, is_share, nearest, shown, without_point
from ontogeny.words import with_article

if TYPE_CHECKING:
    import torch

P = ParamSpec("P")
R = TypeVar("R")

Reals: TypeAlias = Any
"""An array, a tensor, a table or nested lists of real numbers."""

Classes: TypeAlias = Any
"""The class of every sample, as whole numbers in an array, a tensor or a list."""

Labels: TypeAlias = Any
"""One label for every sample, numbers or words, in an array, a tensor or a list."""

LEAST = {"chunk": 1, "classes": 1, "folds": 2, "iterations": 1, "k": 1, "most": 1, "n_neighbours": 1, "n_probe": 1,
         "n_repeats": 1, "n_resamples": 1, "n_samples_train": 1, "n_samples_val": 1, "n_train": 1, "n_validation": 1,
         "neighbours": 1, "noise_copies": 1, "patience": 1, "permutations": 1, "references": 1, "repeats": 1,
         "resolution": 2, "width": 1}  # fmt: skip
"""The smallest value of whole numbers, by name; of others it is 0."""

SHARES = {"alpha", "confidence", "false_discovery_rate", "fdr"}
"""Names of numbers that lie between 0 and 1, and are neither."""

ANY_SIGN = {"axis", "feature_axis"}
"""Names of whole numbers that may be negative."""

OF_NETWORKS = {"inputs", "labels", "targets"}
"""Names of what may lie on a network's device, in its type."""


_WHOLE = "a whole number"


@dataclass(frozen=True)
class _Kind:
    """What an argument may be: a test of it, and words for it; of several, also what each may be."""

    fits: Callable[[Any], bool]
    words: str
    each: _Kind | None = None


def checks_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, which first holds its arguments against its annotations.

    Held are whole numbers, numbers (never NaN), shares (`SHARES`), truth values, text, choices (`Literal`), paths,
    `Reals`, `Classes`, sequences (and what a list holds, unless it is numbers), mappings, functions, and classes.
    `Reals` and `Classes` are passed on as `plain` makes them. An annotation with any other part is not held, nor one
    that is no text, as `from __future__ import annotations` makes it. Raises OntogenyError for the first argument that
    does not fit.

    >>> @checks_arguments
    ... def f(x: Reals, confidence: float = 0.95): return confidence
    >>> f([1.0], 0.9)
    0.9
    >>> f([1.0], 95)
    Traceback (most recent call last):
    ontogeny.errors.OntogenyError: confidence is 95: give a number between 0 and 1, as 0.95
    """
    signature = inspect.signature(function)

    @functools.cache
    def kinds() -> dict[str, tuple[_Kind, ...]]:
        found = {name: _kinds(parameter, function) for name, parameter in signature.parameters.items()}
        return {name: each for name, each in found.items() if each}

    @functools.wraps(function)
    def held(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return function(*args, **kwargs)
        for name, expected in kinds().items():
            if name not in bound.arguments:
                continue
            value = given = bound.arguments[name]
            if expected[0] in (_REALS, _CLASSES, _LABELS):
                value = bound.arguments[name] = plain(value, of_network=name in OF_NETWORKS)
            if not any(kind.fits(value) for kind in expected):
                raise OntogenyError(f"{name} is {shown(given)}: give {_either(expected, value)}")
            if isinstance(value, list | tuple | set):
                each = tuple(kind.each for kind in expected if kind.each)
                for one in value if each else ():
                    if not any(kind.fits(one) for kind in each):
                        raise OntogenyError(f"one of {name} is {shown(one)}: each should be {_either(each, one)}")
        return function(*bound.args, **bound.kwargs)

    return held


def plain(values: Any, of_network: bool = False) -> Any:
    """Numbers in any container as NumPy or PyTorch have them; what holds none as it is.

    A tensor loses its gradient and its zeros left out, and, unless it is `of_network`, its device and a type
    that NumPy lacks. Of arrays, only those that are masked, matrices or of objects are changed: what is masked is NaN.
    Lists, tables and columns become arrays, lists of what is `of_network` of single precision, as torch.tensor makes.
    """
    if hasattr(values, "is_complex") and hasattr(values, "detach"):
        values = values.detach()
        values = values.to_dense() if str(values.layout) != "torch.strided" else values
        if of_network or values.is_complex():
            return values
        return (values.float() if values.is_floating_point() and values.element_size() < 4 else values).cpu()
    if isinstance(values, np.ma.MaskedArray):
        if values.dtype.kind not in "fiub" or not np.ma.is_masked(values):
            return values.data
        return np.ma.filled(values.astype(np.result_type(values.dtype, np.float32)), np.nan)
    numeric = isinstance(getattr(values, "dtype", None), np.dtype) and hasattr(values, "ndim")
    if numeric and type(values) is not np.matrix and values.dtype != object and not hasattr(values, "iloc"):
        return values
    if not isinstance(values, list | tuple) and not hasattr(values, "__array__"):
        return values
    try:
        array: np.ndarray = np.asarray(values)
        if array.dtype != object:
            as_torch = of_network and isinstance(values, list | tuple) and array.dtype == np.float64
            return array.astype(np.float32) if as_torch else array
    except ValueError:
        return values
    known = [is_number(value) for value in array.flat]
    if all(known):
        return array.astype(int if all(is_number(value, whole=True) for value in array.flat) else float)
    missing = np.asarray(values.isna()).ravel().tolist() if hasattr(values, "isna") else known
    if not all(map(operator.or_, known, missing)):
        return values
    array = array.copy()
    array[~np.reshape(known, array.shape)] = math.nan
    return array.astype(float)


def usable_device(device: Any, what: str = "device") -> torch.device:
    """The device of PyTorch that is named. Raises OntogenyError for none of its names, and for one that is not here."""
    import torch

    try:
        found = torch.device(device)
    except (RuntimeError, TypeError, ValueError) as error:
        raise OntogenyError(f"{what} is {shown(device)}: give one that torch knows, as 'cpu' or 'cuda'") from error
    try:
        torch.empty(0, device=found)
        here = found.type != "meta"
    except Exception:
        here = False
    if not here:
        named = f"'{found}'" if isinstance(device, torch.device | int) else shown(device)
        raise OntogenyError(f"{what} is {named}, but PyTorch finds no such device on this machine: give 'cpu'")
    return found


def _kinds(parameter: inspect.Parameter, function: Callable[..., Any]) -> tuple[_Kind, ...]:
    """What an argument may be; empty where its annotation says something that is not held."""
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    if parameter.kind in several or not isinstance(parameter.annotation, str):
        return ()
    found: list[_Kind] = []
    for part in _parts(parameter.annotation):
        kind = _kind(part, parameter.name, function)
        if kind is None:
            return ()
        found.append(kind)
    if parameter.default is None:
        found.append(_NONE)
    return tuple(found)


def _parts(annotation: str) -> list[str]:
    """The parts of a union; a bar inside brackets divides none."""
    parts, depth = [""], 0
    for letter in annotation:
        depth += (letter == "[") - (letter == "]")
        if letter == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _kind(part: str, name: str, function: Callable[..., Any]) -> _Kind | None:
    if part in _BY_TEXT:
        return _BY_TEXT[part]
    try:
        meant = eval(part, getattr(inspect.unwrap(function), "__globals__", {}))
    except (NameError, AttributeError):
        return None
    origin = typing.get_origin(meant) or meant
    if meant is int:
        least = LEAST.get(name, 0)
        if name in ANY_SIGN:
            return _Kind(lambda value: is_number(value, whole=True), _WHOLE)
        words = f"{_WHOLE} of at least {least}"
        return _Kind(lambda value: is_number(value, whole=True) and value >= least, words)
    if meant is float:
        if name in SHARES:
            return _Kind(is_share, A_SHARE)
        return _Kind(lambda value: is_number(value) and not math.isnan(value), "a number")
    if origin is Literal:
        options = typing.get_args(meant)
        return _Kind(lambda value: isinstance(value, str) and value in options, " or ".join(map(repr, options)))
    if origin in _ORIGINS:
        kind = _ORIGINS[origin]
        return _several_of(*typing.get_args(meant)[:1]) if kind is _SEVERAL and origin is not tuple else kind
    if (
        not inspect.isclass(origin)
        or origin in (Any, np.ndarray, types.UnionType)
        or getattr(origin, "_is_protocol", False)
    ):
        return None
    return _of_class(origin)


def _several(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes)


def _several_of(element: Any = Any) -> _Kind:
    """Several of a class; numbers among several are not held, nor is what can be gone through once."""
    return _Kind(_several, _SEVERAL.words, _element(element))


def _element(meant: Any) -> _Kind | None:
    origin, inner = typing.get_origin(meant) or meant, typing.get_args(meant)
    if not inspect.isclass(origin) or origin in (Any, int, float, bool, types.UnionType):
        return None
    if origin is tuple and len(set(inner)) == 1 and (kind := _element(inner[0])):
        return _Kind(
            lambda value: isinstance(value, tuple) and len(value) == len(inner) and all(map(kind.fits, value)),
            f"a tuple of {len(inner)}, each {kind.words}",
        )
    return _BY_TEXT.get(origin.__name__) or _ORIGINS.get(origin) or _of_class(origin)


def _of_class(kind: type) -> _Kind:
    return _Kind(lambda value: isinstance(value, kind), with_article(_CALLED.get(kind.__name__, kind.__name__)))


def _are_real(value: Any) -> bool:
    if hasattr(value, "is_complex"):
        return bool(value.ndim) and not value.is_complex()
    if not isinstance(getattr(value, "dtype", None), np.dtype) or not hasattr(value, "ndim"):
        try:
            value = np.asarray(value)
        except ValueError:
            return False
    kind = value.dtype
    return (value.ndim > 0 and kind.kind in "fiub") or (kind.kind == "V" and kind.name == "bfloat16")


def _one_each(values: Any) -> bool:
    try:
        return np.ndim(values) == 1
    except ValueError:
        return False


def _either(expected: tuple[_Kind, ...], value: Any) -> str:
    words = " or ".join(dict.fromkeys(kind.words for kind in expected))
    options = words.replace("'", "").split(" or ") if all("'" in kind.words for kind in expected) else []
    guess = nearest(value, options) if isinstance(value, str) and options else None
    hint = without_point(value) if words.startswith(_WHOLE) else ""
    return words + (f" (did you mean '{guess}'?)" if guess else hint)


_REALS = _Kind(_are_real, "real numbers, as an array or a tensor")
_CLASSES = _Kind(_are_real, "the class of every sample, as whole numbers from 0")
_LABELS = _Kind(_one_each, "one label for every sample, in one dimension")
_NONE = _Kind(lambda value: value is None, "None")
_PATH = _Kind(lambda value: isinstance(value, os.PathLike), "a path")
_SEVERAL = _Kind(_several, "several, as a list")
_MAPPING = _Kind(lambda value: isinstance(value, Mapping), "a mapping, as a dict")
_CALLABLE = _Kind(callable, "a function")
_BY_TEXT = {
    "Reals": _REALS,
    "Classes": _CLASSES,
    "Labels": _LABELS,
    "np.ndarray": _Kind(lambda value: hasattr(value, "__array__") or isinstance(value, list | tuple), "an array"),
    "None": _NONE,
    "bool": _Kind(lambda value: isinstance(value, bool | np.bool_), "True or False"),
    "str": _Kind(lambda value: isinstance(value, str), "text"),
    "os.PathLike": _PATH,
    "os.PathLike[str]": _PATH,
    "Path": _PATH,
}
_ORIGINS: dict[Any, _Kind] = {
    typing.get_origin(Iterable[int]): _SEVERAL,
    typing.get_origin(typing.Sequence[int]): _SEVERAL,
    list: _SEVERAL,
    tuple: _SEVERAL,
    typing.get_origin(Mapping[str, int]): _MAPPING,
    dict: _MAPPING,
    typing.get_origin(Callable[[], int]): _CALLABLE,
}
_CALLED = {
    "Activity": "recording (Activity, as simulate_activity and read_activity give it)",
    "CapturePlan": "plan (of plan_captures)",
    "DataFrame": "table (pandas.DataFrame)",
    "ImageData": "data set (of load_images)",
    "JumpReport": "report (of find_jumps)",
    "Outcome": "fit (of fit_connectome)",
    "Module": "torch.nn.Module",
    "Phase1": "record (of read_phase1)",
    "Tensor": "tensor",
}
