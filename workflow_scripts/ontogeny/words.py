"""Numbers and lists in sentences."""

from __future__ import annotations

from collections.abc import Sequence


def counted(count: int, what: str, separator: str = "") -> str:
    """A number, its thousands apart by `separator`, and what it counts."""
    return f"{count:{separator}} {what}{'' if count == 1 else 's'}"


def joined(parts: Sequence[str], word: str = "and") -> str:
    """One part or more in a row, the last after `word`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}"
