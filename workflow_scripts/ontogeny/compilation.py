"""Compilation by Numba that is kept on disk until the code changes, wherever the change stands. Importing needs numba.

Numba keeps a compiled function as long as the file that defines it is unchanged, although the code of every compiled
function that it calls, and the values of the constants that it reads, are part of what is kept: after an edit of
another module it runs the code from before the edit. Here a compiled function is kept for one digest of all code of
this package that its module reaches.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.ccallback import CFunc
from numba.core.compiler_lock import global_compiler_lock
from numba.core.sigutils import normalize_signature

from ontogeny.code import code_digest


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator: `numba.njit(cache=True, **options)`, compiled anew after any edit of code that the function reaches.

    What it reaches is found from the imports of its module (`ontogeny.code`). Functions that compiled functions alone
    call need no cache of their own, and `numba.njit` does.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        dispatcher = njit(cache=True, **options)(function)
        _keep_for_code(dispatcher, function)
        return dispatcher

    return decorate


def compiled_at(signature: Any, pipeline_class: type, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """As `compiled`, for a function that compiled functions call at its address, so that it need not exist before.

    Instead of the function stands one without arguments that compiles it, when it is first called, and returns the
    address.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        @cache
        def code() -> Any:
            made = CFunc(function, normalize_signature(signature), {}, options, pipeline_class)
            made.enable_caching()
            _keep_for_code(made, function)
            made.compile()
            return made

        @global_compiler_lock
        def address() -> int:
            return int(code().address)

        return address

    return decorate


def _keep_for_code(made: Any, function: Callable[..., Any]) -> None:
    made._cache._cache_file._source_stamp = code_digest(Path(function.__code__.co_filename))
