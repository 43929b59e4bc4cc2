"""Which step was it, and how sure is that? The answer for one run, and its words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ontogeny.jumps.events import evenly_spaced
from ontogeny.jumps.measures import rank_of
from ontogeny.phase1 import RUN_LEVEL
from ontogeny.words import counted, joined, levels_text, step_text, steps_text

if TYPE_CHECKING:
    import pandas as pd

_LISTS = ("silent", "also", "further", "partly", "elsewhere", "changes")

MOST_ROWS = 24
"""Rows of the table of changes that are printed."""

MOST = 0.5
"""Held-out accuracy from which a network is said to generalise."""


@dataclass(frozen=True)
class Answer:
    """When a run changed, and how sure that is.

    kind: 'transition', 'jump', or 'none'. layer, metric: of the series that was asked first and changes (of 'none': was
    asked first); the layer of run-level measures is "(run)". step: the midpoint; low, high: its 95% interval; onset,
    end: steps at 10 and 90% of the change; before, after: levels; noise: of the series, as a standard deviation.
    p_value: the chance that a series of this length without a change, of the worst null of the battery, holds one as
    strong; q_value: false discovery rate over the measures asked. silent: measures asked before it that do not change;
    also: other measures of the run that change within; further: steps of its other significant changes; partly: other
    series whose changes overlap one of these while their midpoints lie in none, in words, such as "loss at step 500",
    and elsewhere: those whose changes meet none of these. agree of
    `series` series of layers change within; chance: how many would if their changes came at random times.
    learned: the step by which the accuracy on the training data made 90% of its rise (NaN if not recorded); late:
    whether held-out accuracy rises only after it, as it does in grokking. course: how the series that was asked first
    goes, if it has no significant change; missed: what could have been missed in it. changes: every significant change,
    and the measures without one (kind 'none'), as rows of layer, metric, kind, step, low, high, onset, end, before,
    after, q_value and within (whether it lies within this one). sentence: all of it in words; see `changes_text`.
    """

    run: str
    kind: str
    layer: str
    metric: str
    measurements: int
    step: float = math.nan
    low: float = math.nan
    high: float = math.nan
    onset: float = math.nan
    end: float = math.nan
    before: float = math.nan
    after: float = math.nan
    noise: float = 0.0
    p_value: float = math.nan
    q_value: float = math.nan
    silent: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    further: tuple[float, ...] = ()
    partly: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    asked: int = 0
    agree: int = 0
    series: int = 0
    chance: float = 0.0
    learned: float = math.nan
    late: bool = False
    course: str = ""
    missed: str = ""
    changes: tuple[dict[str, Any], ...] = ()
    sentence: str = ""

    def __repr__(self) -> str:
        told = [f"{name}={getattr(self, name)!r}" for name in ("run", "kind", "layer", "metric")]
        if self.kind != "none":
            told += [f"{name}={getattr(self, name):.4g}" for name in ("step", "low", "high", "p_value")]
        return f"Answer({', '.join(told)})"

    def __str__(self) -> str:
        return self.sentence

    def as_dict(self) -> dict[str, Any]:
        """The same as a dictionary, for JSON and tables."""
        return asdict(self) | {name: list(getattr(self, name)) for name in _LISTS}


def answer_of(data: Mapping[str, Any]) -> Answer:
    """The answer that `Answer.as_dict` gave."""
    return Answer(**{**data, **{name: tuple(data.get(name, ())) for name in _LISTS}})


def say_found(answer: Answer, judged: int) -> str:
    """A change that was found, in words; judged: measures of the run that were long enough."""
    at = f"at step {step_text(answer.step)} (95% interval {step_text(answer.low)} to {step_text(answer.high)})"
    moves = "rises" if answer.after > answer.before else "falls"
    who = answer.metric if answer.layer == RUN_LEVEL else f"{answer.metric} of {answer.layer}"
    who += " (held-out)" if answer.layer == RUN_LEVEL and rank_of(answer.metric) == 0 else ""
    before, after = levels_text(answer.before, answer.after)
    course = f"from {before} to {after}"
    if abs(answer.after - answer.before) < answer.noise:
        said = [
            f"{who} moves by more than its noise {at}, but not for long: it goes {course}, which is less than that "
            f"noise ({answer.noise:.2g})."
        ]
    elif answer.kind == "jump":
        said = [f"{who} jumps {course} {at}."]
    else:
        said = [
            f"{who} {moves} {course} {at}; 10% of the change is reached at step {step_text(answer.onset)} and "
            f"90% at step {step_text(answer.end)}."
        ]
    if answer.silent:
        silence = f"no significant change was found in {joined(answer.silent, 'or')}."
        said[0] = f"{silence} {answer.course} Among the other series, {said[0]}"
    said[0] = f"{answer.run}: {said[0]}"
    if answer.layer == RUN_LEVEL:
        tests = f" (q {_p_value(answer.q_value)} over {counted(judged, 'measure')} of the run)" if judged > 1 else ""
    else:
        tests = f" (q {_p_value(answer.q_value)} over all series of layers)"
    sure = (
        f"A series of {answer.measurements} measurements without a change shows one as strong with p "
        f"{_p_value(answer.p_value)}{tests}"
    )
    others = f"{'other ' * (answer.layer != RUN_LEVEL)}series of layers"
    if answer.series and not answer.agree:
        shared = f"; no {others} changes within it"
    elif answer.series:
        chance = f"{answer.chance:.1f}" if answer.chance >= 0.05 else "fewer than 0.1"
        shared = (
            f"; {answer.agree} of {answer.series} {others} change{'s' * (answer.agree == 1)} within it, where {chance} "
            "would if their changes came at random times"
        )
    else:
        shared = ""
    said.append(sure + shared + ".")
    if answer.also:
        said.append(f"{joined(answer.also)} change{'s' if len(answer.also) == 1 else ''} within it too.")
    if answer.late:
        said.append(
            f"By step {step_text(answer.learned)} the training accuracy had made 90% of its rise, "
            f"{step_text(answer.step - answer.learned)} steps before: "
            + ("generalisation" if answer.after >= MOST else "what generalisation there is")
            + " came late, as in grokking."
        )
    elif math.isfinite(answer.learned) and rank_of(answer.metric) == 0 and answer.after > answer.before:
        said.append(
            f"The training accuracy makes 90% of its rise by step {step_text(answer.learned)}, not before this: the "
            "network generalised as it learned, so this is not grokking."
        )
    if answer.further:
        said.append(f"It also changes significantly at {steps_text(answer.further)}.")
    if answer.partly:
        these = "one of these" if answer.further else "it"
        said.append(f"Others overlap {these}, with their midpoints outside: {joined(answer.partly)}.")
    if answer.elsewhere:
        said.append(f"At other times, there are significant changes in {joined(answer.elsewhere)}.")
    if answer.missed:
        said.append(answer.missed)
    return " ".join(said)


def say_power(who: str, able: dict[float, float], points: int, steps: np.ndarray) -> str:
    """What could have been missed, by `locate.power` (width to size), in words: widths are steps where these are even,
    and else measurements."""
    unit, per_point = "measurements", 1.0
    if evenly_spaced(steps):
        unit, per_point = "steps", float(np.ptp(steps)) / max(points - 1, 1)
    known = [f"{size:.2g} if it takes {step_text(width)} {unit}" for width, size in able.items() if math.isfinite(size)]
    none = [step_text(width) for width, size in able.items() if not math.isfinite(size)]
    said = "What could have been missed: "
    parts = []
    sizes = {part.split(" if ")[0] for part in known}
    if len(able) == len(known) and len(sizes) == 1:
        known = [f"{sizes.pop()}, whether it takes {joined([step_text(width) for width in able], 'or')} {unit}"]
    if known:
        parts.append(
            f"a change of {who} smaller than {joined(known, 'or')} (9 in 10 of that size were found when planted in it)"
        )
    if none:
        parts.append(f"one over {joined(none, 'or')} {unit}, even as large as the range of {who},")
    parts.append(f"one wider than {step_text(points / 3 * per_point)} {unit} or at the very ends of the record")
    return f"{said}{joined(parts, 'and')}."


def changes_text(answer: Answer) -> str:
    """The changes of a run as a table of text, the measures first; `*` marks what changes within the answer's change.

    "" if nothing could be asked.
    """
    rows = [_cells(row) for row in answer.changes]
    if not rows:
        return ""
    more = len(rows) - MOST_ROWS
    head = ["", "series", "change", "step", "95% interval", "10 to 90%", "from", "to", "q"]
    table = [head, *rows[:MOST_ROWS]]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in table]
    lines += [f"   and {more} more, which --out FILE.json lists"] if more > 0 else []
    lines += ["*  within the change that the answer gives"] if any(row[0] for row in rows) else []
    return "\n".join(lines)


def _cells(row: Mapping[str, Any]) -> list[str]:
    name = row["metric"] if row["layer"] == RUN_LEVEL else f"{row['metric']} of {row['layer']}"
    if row["kind"] == "none":
        return ["", name, "none found", *[""] * 6]
    between = [f"{step_text(row[a])} to {step_text(row[b])}" for a, b in (("low", "high"), ("onset", "end"))]
    levels = levels_text(row["before"], row["after"])
    q_value = _p_value(row["q_value"]).removeprefix("= ")
    return ["*" if row["within"] else "", name, row["kind"], step_text(row["step"]), *between, *levels, q_value]


def counted_changes(table: pd.DataFrame) -> str:
    """How many jumps and transitions a table of changes holds; its rows are jumps where it does not say."""
    wide = int((table["kind"] == "transition").sum()) if "kind" in table else 0
    counts = {"jump": len(table) - wide, "transition": wide}
    return " and ".join(counted(count, kind) for kind, count in counts.items() if count) or counted(0, "jump")


def _p_value(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"= {value:.2g}"
