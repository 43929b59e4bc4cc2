"""What the file of a record may hold: checks before it is parsed, and one sentence for what a library raises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ontogeny.errors import OntogenyError, first_line

MOST_BYTES = 1 << 28
MOST_VALUES = 30_000_000
MOST_CONTAINERS = 5_000_000


def must_fit(path: Path, signs: bytes, most: int, what: str) -> None:
    """Raises OntogenyError for a large file of which parsing would take far more memory than a record needs."""
    if path.is_file() and path.stat().st_size > most:
        data = path.read_bytes()
        count = sum(data.count(bytes([sign])) for sign in signs)
        if count > most:
            raise OntogenyError(f"{path} has {count} {what}, and a record may have {most}: split it by run")


def must_be_small(path: Path) -> None:
    """Raises OntogenyError for a file of more than `MOST_BYTES`."""
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        raise OntogenyError(
            f"{path} has {path.stat().st_size >> 20} MiB, and a record may have {MOST_BYTES >> 20}: split it by run"
        )


def must_hold_bytes(path: Path) -> None:
    """Raises OntogenyError for a file that is missing, a folder or empty."""
    if path.is_dir():
        raise OntogenyError(f"{path} is a folder; a file is expected")
    if not path.exists():
        raise OntogenyError(f"{path} does not exist")
    if path.stat().st_size == 0:
        raise OntogenyError(f"{path} is empty")


@contextmanager
def foreign_errors(path: Path, kind: str) -> Iterator[None]:
    """Raises OntogenyError, one sentence, for whatever a format's library raises on a broken file."""
    try:
        yield
    except OntogenyError:
        raise
    except Exception as error:
        raise OntogenyError(f"{path} is not {kind} that can be read: {first_line(error)}") from None
