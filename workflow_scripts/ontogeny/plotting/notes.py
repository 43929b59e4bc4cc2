"""A line that every figure bears which is saved inside a block: what a reader should know of all of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_NOTE: ContextVar[str] = ContextVar("note", default="")


@contextmanager
def noted(text: str) -> Iterator[None]:
    """A block in which `save_figure` writes `text`, unless it is empty, above each figure."""
    token = _NOTE.set(text)
    try:
        yield
    finally:
        _NOTE.reset(token)


def note() -> str:
    """The line that figures bear now; empty for none."""
    return _NOTE.get()
