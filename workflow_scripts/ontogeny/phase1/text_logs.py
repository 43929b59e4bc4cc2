"""What training programs print, line by line, as series: "step 250: train loss 1.9, val loss 2.0" and its kin.

A line gives numbers by name (`name: 1.0`, `name=1.0`, `name 1.0`, `'name': 1.0`), a place in training (a step, an
epoch, a count such as 45/100), and perhaps the part of the data. What is not printed again and again is prose.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ontogeny.errors import OntogenyError
from ontogeny.phase1.layouts import RawRun, RawTable, flat_place
from ontogeny.phase1.loggers import PARTS, is_clock, step_key
from ontogeny.phase1.record import RUN_LEVEL, listed

LEAST = 3
"""Steps at which a number must be printed to be a series."""

_LONGEST = 4000
_MOST_WORDS = 5

_STAMPS = re.compile(
    r"\x1b\[[0-9;]*[A-Za-z]"
    r"|\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|\b\d+:\d\d(?::\d\d)?(?:[.,]\d+)?\b"
    r"|\b(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)\b(?::\w+:)?"
    r"|\[[\w.]+\.py:\d+(?::\w+)?\]|\[Rank \d+\]"
    r"|\d+%(?=\|)|\b(?:tensor|(?:Device)?[Aa]rray|(?:np|jnp)\.\w+)\("
)
"""Colours, times, progress bars, what loggers put before a line, and what arrays of one number are printed in."""

_UNIT = re.compile(r"\([A-Za-z/%]+\)(?=\s*[:=])")
_NUMBER = re.compile(
    r"(?<![\w.@+-])(?P<number>[+-]?(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
    r"|[+-]?(?:nan|NaN|inf|Infinity)(?=\s*(?:[,;|)\]}]|$)))(?:\s*/\s*(?P<of>\d+)\b)?[A-Za-z%/]{0,9}(?!\w|[:@-]\w)"
)
_BEFORE = " \t:=[({'\""
_AROUND = " '\"*#<>"
_SEPARATORS = re.compile(r"[,;|│┃║\t(){}\[\]]|\s[-–—]+\s")
_ODD = re.compile(r"['\"=]")
_DECIMAL_COMMA = re.compile(r"[\s:=]-?0,\d\d")
_WORDS = re.compile(r"[a-z]+")
_EPOCH_AND_BATCH = re.compile(r"^\s*\[\s*(\d+)\s*,\s*(\d+)\s*\]")
_FIRST_NUMBER = re.compile(r"^\s*(?:\[\s*)?(\d+)\s*\]?(?=[\s:,])(?!\s*/)")
_COUNT = re.compile(r"\s*\[\s*\d+\s*/\s*\d")
_AT = frozenset(("at", "after", "in", "for", "of", "during"))
_BATCHES = frozenset(("batch", "batch_idx"))
"""What is counted within an evaluation."""
_LAYERS = frozenset(("layer", "block"))

Key = tuple[str, str]


@dataclass
class _Line:
    """The place that a line gives (a step; an epoch; a count, `done` of `total`; a number that it begins with), the
    part of the data it is of, and its numbers by layer and name."""

    step: float | None = None
    epoch: float | None = None
    done: float | None = None
    total: float | None = None
    first: float | None = None
    part: str = ""
    values: dict[Key, float] = field(default_factory=dict)

    @property
    def placed(self) -> bool:
        return self.step is not None or self.epoch is not None or self.done is not None or self.first is not None

    @property
    def held_out(self) -> bool:
        return bool(self.part) and not self.part.startswith("train")


def text_log_run(text: str, where: str) -> RawRun:
    """The run that a text log tells of.

    A line without a step stands at the step that was printed last before it. Counts (45/100) and steps that begin anew
    in each epoch are counted through the epochs; epochs serve where there is nothing else. Of several values at one
    step the last counts. Numbers that are printed at fewer than `LEAST` steps are left out. What is decided so is
    remarked.

    Raises OntogenyError if no number is printed again and again with its step.
    """
    run = RawRun()
    if _DECIMAL_COMMA.search(text):
        text = re.sub(r"(?<=\d),(?=\d)", ".", text)
        run.remarks.append((None, "its numbers have decimal commas"))
    lines = [line for line in map(_parsed, re.split(r"[\r\n]+", text)) if line.placed or line.values]
    for before, line in pairwise(lines):
        if before.held_out and not line.placed and not line.part:
            line.part = before.part
            line.values = {_of_part(key, line.part): value for key, value in line.values.items()}
    stepped = [line for line in lines if line.values or line.epoch is not None or line.step is not None]
    places = _places(stepped, run)
    found: dict[Key, dict[float, float]] = {}
    again = 0
    for at, line in places:
        for key, value in line.values.items():
            series = found.setdefault(key, {})
            again += series.get(at, value) != value
            series[at] = value
    rare = [name for (_, name), series in found.items() if len(series) < LEAST]
    if len(rare) == len(found):
        raise OntogenyError(
            f"{where} is a text log of which fewer than {LEAST} lines give a step and a number by name, as 'step 250: "
            "loss 1.9' does: read what was logged beside it, or write its numbers as CSV with the columns step and one "
            "for each metric"
        )
    for key, series in found.items():
        if len(series) >= LEAST:
            run.tables.append(RawTable(sorted(series), {key: (None, [series[at] for at in sorted(series)])}, key[0]))
    if again:
        run.remarks.append((None, f"{again} numbers were printed again at their step; the last of each counts"))
    if rare:
        run.remarks.append((None, f"left out, as they are printed at fewer than {LEAST} steps: {listed(rare)}"))
    return run


def _parsed(text: str) -> _Line:
    line = _Line()
    if len(text) > _LONGEST:
        return line
    text = _UNIT.sub("", _STAMPS.sub(" ", text))
    both, first = _EPOCH_AND_BATCH.match(text), _FIRST_NUMBER.match(text)
    if both:
        line.epoch, line.step = float(both[1]), float(both[2])
    elif first:
        line.first = float(first[1])
    end, layer, pending, begun = both.end() if both else 0, RUN_LEVEL, "", ""
    steps: dict[str, float] = {}
    later = False
    for number in _NUMBER.finditer(text, end):
        gap, end = text[end : number.start()].rstrip(" \t[({"), number.end()
        said, words = _named(gap, later)
        later = True
        line.part = next(iter(_parts(said)), line.part)
        value, of = float(number["number"].replace(",", "")), number["of"]
        if not words and pending:
            words, pending = pending.split(), ""
        elif len(words) == 1 and words[0].lower() in PARTS and (of or _COUNT.match(text, end)):
            line.part, words = words[0].lower(), []
            line.epoch = line.epoch if of else value
        if not words:
            if of and line.done is None:
                line.done, line.total = value, float(of)
            continue
        place, rest = _place(words)
        if place is not None:
            line.part = next(iter(_parts(" ".join(rest))), line.part)
            pending = " ".join(rest[:-1]) if rest and rest[-1].lower() in _AT and not line.part else ""
            if (place in _BATCHES and of and line.held_out) or (place != "epoch" and not value.is_integer()):
                continue
            if place == "epoch":
                line.epoch = value
            else:
                steps.setdefault(place, value)
                line.total = float(of) if of and line.done is None else line.total
        elif len(words) == 1 and words[0].lower() in _LAYERS:
            layer = f"{words[0].lower()}_{value:g}"
        elif len(words) <= _MOST_WORDS and not is_clock("_".join(words)) and not _ODD.search(" ".join(words)):
            if not line.values and not line.part and len(words) > 1 and words[0].lower() in PARTS:
                begun = words[0].lower()
            line.values.setdefault(_key(words, layer, line.part), value / float(of) if of and float(of) else value)
    if steps:
        line.step = steps[step_key(steps) or ""]
    if begun and {part for _, name in line.values for part in _parts(name)} == {begun}:
        line.values = {_of_part(key, begun): value for key, value in line.values.items()}
    return line


def _named(gap: str, later: bool) -> tuple[str, list[str]]:
    """What stands between two numbers: labels (after other numbers, parts of the data alone), and the name's words."""
    *labels, name = _SEPARATORS.split(gap.rstrip(_BEFORE))
    label, _, name = name.rpartition(": ")
    words = [word for word in name.strip(_AROUND).split() if _WORDS.search(word.lower())]
    if gap.endswith("=") and len(words) > 1:
        labels += words[:-1]
        words = words[-1:]
    if later:
        labels = [piece for piece in labels if piece.strip(_AROUND).lower() in PARTS]
    return " ".join([*labels, label]), words


def _of_part(key: Key, part: str) -> Key:
    """The layer and name of a number of a part of the data, with that part in the name unless it names one."""
    return key if _parts(key[1]) else (key[0], f"{part}/{key[1]}")


def _parts(text: str) -> list[str]:
    """The parts of the data that are named in a text."""
    return [word for word in _WORDS.findall(text.lower()) if word in PARTS]


def _place(words: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """The name of the step, or "epoch", that a name is, and the words before it: none, parts of the data, or what ends
    in "at" or the like; None for other names."""
    whole = "_".join(words).lower()
    if step_key([whole]) is not None:
        return ("epoch" if whole.endswith("epoch") else whole), words[:-1]
    rest, last = words[:-1], words[-1].lower()
    known = step_key([last]) is not None
    if known and rest and (rest[-1].lower() in _AT or all(word.lower() in PARTS for word in rest)):
        return last, rest
    return None, ()


def _key(words: Sequence[str], layer: str, part: str) -> Key:
    first, rest = words[0].lower(), "_".join(words[1:])
    key = (layer, f"{first}/{rest}" if rest and first in PARTS else "_".join(words))
    name = (_of_part(key, part) if part else key)[1]
    return flat_place(name) if layer == RUN_LEVEL else (layer, name)


def _places(lines: Sequence[_Line], run: RawRun) -> list[tuple[float, _Line]]:
    """The lines that have numbers, each with its step; what is counted or taken from other lines is remarked."""
    valued = [line for line in lines if line.values]
    totals = Counter(line.total for line in valued if line.total is not None and not line.held_out)
    most = totals.most_common(1)[0][0] if totals else None
    by_step = any(line.step is not None for line in lines)
    epochs = any(line.epoch is not None for line in lines)
    ends = epochs and all(line.done == line.total for line in valued if line.total == most)
    by_count = not by_step and most is not None and not ends
    by_epoch = not by_step and not by_count and epochs

    def own(line: _Line) -> float | None:
        if by_step:
            return line.step
        if by_count:
            return line.done if line.total == most and not line.held_out else None
        return line.epoch if by_epoch else line.first

    if by_epoch:
        run.remarks.append((None, "it has no steps, so epochs serve as steps"))
    anew, length = ([0.0] * len(lines), 0.0) if by_epoch else _epochs_of(lines, [own(line) for line in lines])
    placed: list[tuple[float, _Line]] = []
    inherited: list[str] = []
    at: float | None = None
    for line, epoch in zip(lines, anew):
        here = own(line)
        if here is not None:
            at = epoch * length + here
        elif line.values and at is not None and not by_epoch:
            inherited += [name for _, name in line.values]
        if line.values and at is not None:
            placed.append((at, line))
    if length and any(anew):
        run.remarks.append(
            (None, f"its steps begin anew in each epoch, so they are counted through epochs of {length:g}")
        )
    if inherited:
        names = listed(dict.fromkeys(inherited))
        run.remarks.append((None, f"printed without a step, so taken for those of the step before: {names}"))
    return placed


def _epochs_of(lines: Sequence[_Line], own: Sequence[float | None]) -> tuple[list[float], float]:
    """For every line how many epochs lie before it, and how long one is; none where the places (`own`) never fall as an
    epoch ends. Epochs that no line names end where the places fall."""
    named = any(line.epoch is not None for line in lines)
    epochs, epoch, before = [], 0.0, -1.0
    for line, at in zip(lines, own):
        if line.epoch is not None:
            epoch = line.epoch
        elif not named and line.done is not None and at is not None:
            epoch += at < before
            before = at
        epochs.append(epoch)
    placed = [(epoch, at, line.total or at) for epoch, at, line in zip(epochs, own, lines) if at is not None]
    if not any(after[1] <= here[1] and after[0] > here[0] for here, after in pairwise(placed)):
        return [0.0] * len(lines), 0.0
    length = max(total for _, _, total in placed) + (min(at for _, at, _ in placed) == 0 and not placed[0][2])
    return [max(epoch - placed[0][0], 0.0) for epoch in epochs], length
