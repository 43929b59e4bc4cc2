"""Principles that a person writes into the memory of a search, and how they steer it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ontogeny.connectome.search.space import Setting

STEER = 4.0
"""By how much a principle makes a change more likely, or less."""

_WAYS = {
    1: ("up", "higher", "larger", "raise", "raising", "increase", "increasing", "more"),
    -1: ("down", "lower", "smaller", "reduce", "reducing", "decrease", "decreasing", "less"),
}
_HELPS = ("helps", "help", "improves", "improve", "better", "best")
_HURTS = ("hurts", "hurt", "harms", "harm", "worse", "worst", "avoid")


@dataclass(frozen=True)
class Principle:
    """What a line says: that changing `setting` in the direction `way`, or to `value`, helps or hurts.

    `filling_factor` is the level that it is about, None for all.
    """

    text: str
    setting: str
    way: int
    value: str
    helps: bool
    filling_factor: float | None

    def covers(self, setting: Setting, old: Any, new: Any, filling_factor: float) -> bool:
        """Whether the change of `setting` from `old` to `new` is one that the line is about."""
        if setting.name != self.setting:
            return False
        if self.filling_factor is not None and not math.isclose(self.filling_factor, filling_factor, rel_tol=1e-3):
            return False
        if self.way:
            return bool(setting.numeric and setting.direction(old, new) == self.way)
        if not setting.numeric:
            return str(new) == self.value
        try:
            goal = float(self.value)
        except ValueError:
            return False
        return _apart(new, goal) < _apart(old, goal)


def _apart(one: float, other: float) -> float:
    if min(one, other) <= 0:
        return abs(one - other)
    return abs(math.log(one / other))


def read_principle(text: str, space: Sequence[Setting]) -> Principle | None:
    """What a line such as `lr_W up helps`, `coeff_W_L1 down hurts at 10%` or `schedule to cosine helps` says.

    It names a setting (or its label), a direction or a value after `to`, and whether that helps or hurts; it may name
    a level. None for a line that does not: it is kept, and steers nothing.
    """
    words = re.findall(r"[\w.+-]+", text)
    lower = [word.lower().rstrip(".") for word in words]
    named = [s for s in space if s.name.lower() in lower or s.label.lower() in lower]
    helps, hurts = any(word in _HELPS for word in lower), any(word in _HURTS for word in lower)
    if len(named) != 1 or helps == hurts:
        return None
    way = next((sign for sign, names in _WAYS.items() if any(word in names for word in lower)), 0)
    value = words[lower.index("to") + 1].rstrip(".") if "to" in lower[:-1] else ""
    if not way and not value:
        return None
    level = re.search(r"(\d+(?:\.\d+)?)\s*%", text)
    return Principle(text, named[0].name, way, value, helps, float(level[1]) / 100 if level else None)


def steering(
    principles: Sequence[str], space: Sequence[Setting], setting: Setting, old: Any, new: Any, filling_factor: float
) -> tuple[float, str]:
    """By what the weight of a change is multiplied, and the principle that says so ("" for none)."""
    factor, said = 1.0, ""
    for line in principles:
        principle = read_principle(line, space)
        if principle is not None and principle.covers(setting, old, new, filling_factor):
            factor *= STEER if principle.helps else 1 / STEER
            said = line
    return factor, said


__all__ = ["STEER", "Principle", "read_principle", "steering"]
