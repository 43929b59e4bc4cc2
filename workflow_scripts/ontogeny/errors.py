"""The one exception that users are meant to see, and helpers that build its message."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

from ontogeny.renamed import VALUES

_LARGEST = int(sys.float_info.max)


class OntogenyError(Exception):
    """A mistake that the user can fix.

    The message is one sentence: what is wrong, where (file, key, line), and what would be right.
    Scripts and the command line print it without a traceback.
    """


def is_number(value: Any, whole: bool = False) -> bool:
    """Whether something is one real number, a `whole` one if asked, of Python or NumPy; text and truth values are none,
    and neither are whole numbers beyond those of floats.

    >>> is_number(2.0), is_number(2.0, whole=True), is_number("2"), is_number(True), is_number(10**400)
    (True, False, False, False, False)
    """
    if isinstance(value, bool) or _beyond_floats(value):
        return False
    return isinstance(value, Integral if whole else Real)


def _beyond_floats(value: Any) -> bool:
    return isinstance(value, int) and not -_LARGEST <= value <= _LARGEST


def shown(value: Any) -> str:
    """What something is, for a message: itself on one line of at most 60 characters, or its type.

    >>> shown([1, None]), shown(int), shown(object()), shown(10**400)
    ('[1, None]', 'the class int', 'of type object', 'a whole number of 401 digits')
    """
    if _beyond_floats(value):
        return f"a whole number of {math.floor(math.log10(abs(value))) + 1} digits"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if value is None or isinstance(value, str | bytes | Real) or type(value) in (list, tuple, dict, set):
        text = " ".join(repr(value).split())
        return text if len(text) <= 60 else text[:57] + "..."
    kind = getattr(value, "dtype", None)
    return f"of type {type(value).__name__}" + ("" if kind is None else f" and {kind}")


def check_number(
    value: Any, what: str, asked: str, least: float = -math.inf, most: float = math.inf, *, whole: bool = False
) -> None:
    """Raise OntogenyError if something is no number from `least` to `most`; `asked` says what would be right.

    >>> check_number("3", "n", "a whole number of 1 or more", 1, whole=True)
    Traceback (most recent call last):
    ontogeny.errors.OntogenyError: n is '3': give a whole number of 1 or more
    """
    if not (is_number(value, whole) and least <= value <= most):
        raise OntogenyError(f"{what} is {shown(value)}: give {asked}{without_point(value) if whole else ''}")


def without_point(value: Any) -> str:
    """How a number that is whole, but written with a decimal point, is to be written; nothing for any other.

    >>> without_point(20.0), without_point(20.5), without_point(20)
    (', without a decimal point (20)', '', '')
    """
    whole = is_number(value) and not is_number(value, whole=True) and float(value).is_integer()
    return f", without a decimal point ({int(value)})" if whole else ""


A_SHARE = "a number between 0 and 1, as 0.95"


def is_share(value: Any) -> bool:
    """Whether something is a number between 0 and 1, and neither of them."""
    return is_number(value) and 0 < value < 1


def check_share(value: Any, what: str) -> None:
    """Raise OntogenyError if something is no number between 0 and 1, or is one of them.

    >>> check_share(95, "confidence")
    Traceback (most recent call last):
    ontogeny.errors.OntogenyError: confidence is 95: give a number between 0 and 1, as 0.95
    """
    if not is_share(value):
        raise OntogenyError(f"{what} is {shown(value)}: give {A_SHARE}")


def check_word(word: Any, what: str, known: Iterable[str]) -> None:
    """Raise the error of `unknown` for something that is not one of `known`."""
    if not (isinstance(word, str) and word in (known := list(known))):
        raise unknown(what, word if isinstance(word, str) else shown(word), known)


def expect(value: Any, kinds: type | tuple[type, ...], what: str) -> None:
    """Raise OntogenyError if something is of none of the `kinds`, which `what` describes."""
    if not isinstance(value, kinds):
        raise OntogenyError(f"{what} is expected, not {type(value).__name__}")


def first_line(error: BaseException) -> str:
    """What an exception of another library says: its first line, at most 200 characters, or the name of its class."""
    said = str(error.args[0] if isinstance(error, KeyError) and error.args else error).strip()
    line = said.splitlines()[0] if said else type(error).__name__
    return line if len(line) <= 200 else line[:197] + "..."


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The entry of `known` closest to `word`, ignoring case, or None if nothing is close."""
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(str(word).lower(), by_lower, n=1, cutoff=0.5)
    return by_lower[found[0]] if found else None


def known_layer(layer: str, known: Iterable[str], paths: Any, where: str = "") -> str:
    """The display name, one of `known`, of a layer that is named by it or by its module path.

    `paths` maps display names to module paths, as metadata do; anything else tells nothing. Raises the error of
    `unknown` for a name that is neither.
    """
    known = list(known)
    if layer in known:
        return layer
    paths = {name: path for name, path in paths.items() if name in known} if isinstance(paths, Mapping) else {}
    for name, path in paths.items():
        if path == layer:
            return name
    raise unknown("layer", layer, known, where)


def unknown(what: str, word: Any, known: Iterable[Any], where: str = "") -> OntogenyError:
    """The error for a name or number that is not in `known`; it states a new name, or suggests the nearest.

    >>> str(unknown("model", "mlp_shalow", ["mlp_shallow", "vit"]))
    "unknown model 'mlp_shalow': did you mean 'mlp_shallow'? Known: mlp_shallow, vit"
    >>> str(unknown("step", 13, [103, 12]))
    'unknown step 13: Known: 12, 103'
    """
    known = list(known)
    numbers = is_number(word) and all(map(is_number, known))
    names = list(map(str, sorted(known))) if numbers else sorted(map(str, known))
    now, guess = VALUES.get((what, str(word))), None if numbers else nearest(str(word), names)
    hint = f"it is now called '{now}'. " if now in names else f"did you mean '{guess}'? " if guess else ""
    listed = ", ".join(names[:40]) + (f", and {len(names) - 40} more" if len(names) > 40 else "")
    place, asked = f" in {where}" if where else "", str(word) if numbers else f"'{word}'"
    return OntogenyError(f"unknown {what} {asked}{place}: {hint}Known: {listed or 'none'}")
