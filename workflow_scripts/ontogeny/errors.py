"""The one exception that users are meant to see, and helpers that build its message."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from ontogeny.renamed import VALUES


class OntogenyError(Exception):
    """A mistake that the user can fix.

    The message is one sentence: what is wrong, where (file, key, line), and what would be right.
    Scripts and the command line print it without a traceback.
    """


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


def unknown(what: str, word: str, known: Iterable[str], where: str = "") -> OntogenyError:
    """The error for a name that is not in `known`; it states a new name, or suggests the nearest.

    >>> str(unknown("model", "mlp_shalow", ["mlp_shallow", "vit"]))
    "unknown model 'mlp_shalow': did you mean 'mlp_shallow'? Known: mlp_shallow, vit"
    """
    known = sorted(map(str, known))
    now = VALUES.get((what, str(word)))
    guess = nearest(word, known)
    hint = f"it is now called '{now}'. " if now in known else f"did you mean '{guess}'? " if guess else ""
    listed = ", ".join(known[:40]) + (f", and {len(known) - 40} more" if len(known) > 40 else "")
    place = f" in {where}" if where else ""
    return OntogenyError(f"unknown {what} '{word}'{place}: {hint}Known: {listed}")
