"""Numbers, lists and steps in sentences."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence


def counted(count: int, what: str, separator: str = "") -> str:
    """A number, its thousands apart by `separator`, and what it counts.

    >>> counted(1, "entry"), counted(2, "entry"), counted(3, "class"), counted(0, "matrix"), counted(2, "layer")
    ('1 entry', '2 entries', '3 classes', '0 matrices', '2 layers')
    """
    return f"{count:{separator}} {what if count == 1 else _several(what)}"


def _several(what: str) -> str:
    for end, more in (("trix", "trices"), ("ss", "sses"), ("ry", "ries")):
        if what.endswith(end):
            return what.removesuffix(end) + more
    return what + "s"


def with_article(name: str) -> str:
    """A noun or the name of a class after "a" or "an", as it is spoken.

    >>> with_article("Activity"), with_article("MLP"), with_article("UNet"), with_article("Unit")
    ('an Activity', 'an MLP', 'a UNet', 'a Unit')
    """
    if name[:2].isupper():
        vowel = name[0] in "AEFHILMNORSX"
    else:
        vowel = name[:1].lower() in set("aeio") or name.startswith("nd") or bool(re.match(r"u(?!n?i|se|t)", name, re.I))
    return f"{'an' if vowel else 'a'} {name}"


def joined(parts: Sequence[str], word: str = "and") -> str:
    """One part or more in a row, the last after `word`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def step_text(value: float) -> str:
    """A step as a reader takes it in: whole from 10 on."""
    return f"{value:.0f}" if abs(value) >= 10 else f"{round(value, 1):g}"


def levels_text(*levels: float) -> list[str]:
    """Levels between which a series moves, with three digits, or as many as the least difference between them needs.

    >>> levels_text(1000.0, 1000.02)
    ['1000', '1000.02']
    """
    largest = max(map(abs, levels))
    apart = [abs(a - b) for i, a in enumerate(levels) for b in levels[:i] if a != b]
    digits = math.ceil(math.log10(largest / min(apart))) + 1 if apart and math.isfinite(largest) else 3
    return [f"{level:.{min(max(digits, 3), 15)}g}" for level in levels]


def steps_text(values: Sequence[float]) -> str:
    """Steps as a reader takes them in, "step 204" or "steps 204 and 260": up to five, and how many more there are."""
    shown = [step_text(value) for value in values[:5]]
    more = len(values) - len(shown)
    return f"step{'s' * (len(values) > 1)} {joined([*shown, f'{more} more'] if more else shown)}"
