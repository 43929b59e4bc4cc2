"""How sure a transition is: p-values by the worst null of the battery, and from which score one is reported."""

from __future__ import annotations

import functools
import json
import math
from importlib import resources

import numpy as np

CANDIDATE = 0.6
"""Share of the threshold from which candidates are kept for the null's table."""

LEAST = {False: CANDIDATE, True: 1.0}
"""Least score of an event in noise and of one without: series that wander smoothly, which are not in the battery, score
higher than its nulls without noise."""

ALARMS_PER_1000 = {False: 0.15, True: 0.08}
"""False alarms that events of the search in noise and of that without noise allow for, by the table of the nulls."""

TAIL = {False: (-4.0, -1.0), True: (-1.5, -1.0)}
"""Steepest and flattest slope of the logarithm of a p-value beyond the table, in noise and without: series that wander
smoothly have a longer tail than those of the battery."""

TABLE = "transitions.json"


@functools.cache
def _table() -> dict[str, dict[str, dict[str, list[float]]]]:
    text = resources.files("ontogeny.jumps").joinpath(TABLE).read_text(encoding="utf-8")
    searches: dict[str, dict[str, dict[str, list[float]]]] = json.loads(text)["searches"]
    return searches


def _nearest(length: int, smooth: bool) -> dict[str, list[float]]:
    table = _table()["smooth" if smooth else "noisy"]
    return table[min(table, key=lambda known: abs(math.log(int(known) / max(length, 1))))]


def p_value(score: float, smooth: bool, length: int) -> float:
    """Chance that a series of `length` points without a transition scores as high, in the worst null of the battery.

    From the shipped table of the highest scores of that search (`Event.smooth`), at the nearest length (in
    logarithms); beyond it an exponential tail.
    """
    known = _nearest(length, smooth)
    at, logs = np.array(known["score"]), np.log(np.array(known["p_value"]))
    if score <= at[-1]:
        found = float(np.interp(score, at, logs, left=0.0))
    else:
        slope = (logs[-1] - logs[-4]) / (at[-1] - at[-4])
        found = float(logs[-1] + float(np.clip(slope, *TAIL[smooth])) * (score - at[-1]))
    return float(np.clip(math.exp(max(found, -700.0)), 1e-12, 1.0))


def least_score(smooth: bool, length: int) -> float:
    """Score from which the p-value of an event is no larger than `largest_p_value`."""
    known = _nearest(length, smooth)
    allowed = -math.log(largest_p_value(smooth, length))
    return max(float(np.interp(allowed, -np.log(known["p_value"]), known["score"])), LEAST[smooth])


def largest_p_value(smooth: bool, length: int) -> float:
    """Largest p-value of an event: `ALARMS_PER_1000` of its search in the worst null, and at most as many in a
    series."""
    alarms = ALARMS_PER_1000[smooth]
    return min(alarms * length / 1000, alarms)
