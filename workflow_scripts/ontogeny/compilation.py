"""Compilation by Numba that is kept on disk until the code changes, wherever the change stands. Importing needs numba.

Numba keeps a compiled function as long as the file that defines it is unchanged, although the code of every compiled
function that it calls, and the values of the constants that it reads, are part of what is kept: after an edit of
another module it runs the code from before the edit. Here a compiled function is kept for one digest of all code of
this package that its module reaches.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit

from ontogeny.code import code_digest


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator: `numba.njit(cache=True, **options)`, compiled anew after any edit of code that the function reaches.

    What it reaches is found from the imports of its module (`ontogeny.code`). Functions that compiled functions alone
    call need no cache of their own, and `numba.njit` does.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = njit(cache=True, **options)(function)
        dispatcher._cache._cache_file._source_stamp = code_digest(Path(function.__code__.co_filename))
        return dispatcher

    return decorate
