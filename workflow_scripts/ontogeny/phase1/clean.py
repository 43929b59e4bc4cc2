"""From raw tables to the tidy form: every number checked, every problem reported with its layer, metric and step."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ontogeny.errors import OntogenyError
from ontogeny.phase1.layouts import RawRun, RawTable, without_reserved
from ontogeny.phase1.record import ALIASES, MODEL_LEVEL, RUN_LEVEL, RUN_METRICS, Note, Phase1, listed, tidy, unique_name
from ontogeny.words import counted, steps_text

_MOST_NOTES = 200
_LARGEST_STEP = 2**53
_RUN_METRICS = frozenset(RUN_METRICS)
_NUMBERS = {int, float}

Series = tuple[np.ndarray, np.ndarray]


@dataclass
class Judge:
    """Takes every problem of one file: a note when problems are dropped, an OntogenyError when they stop."""

    where: str
    stop: bool = False
    notes: list[Note] = field(default_factory=list)
    left_out: int = 0

    def note(self, kind: str, text: str, **place: Any) -> None:
        """A remark that never stops."""
        if len(self.notes) < _MOST_NOTES:
            self.notes.append(Note(kind, text, **place))
        else:
            self.left_out += 1

    def problem(self, kind: str, text: str, **place: Any) -> None:
        """Note a defect of the record, or raise OntogenyError with it if reading is to stop at defects."""
        if self.stop:
            spot = Note(kind, text, **place).where
            raise OntogenyError(f"{self.where}: {spot + ': ' if spot else ''}{text}")
        self.note(kind, text, **place)

    def closed(self) -> list[Note]:
        """All notes, with a last one that counts those beyond the most that are kept."""
        rest = [Note("flagged", f"{self.left_out} further notes are not listed")] if self.left_out else []
        return self.notes + rest


def phase1_of(runs: list[RawRun], judge: Judge, default_name: str, name: str | None = None) -> Phase1:
    """Clean raw runs into one record. `name` renames the run (or stands before the names, if there are several).

    Raises OntogenyError if no measurement can be read.
    """
    blocks, derived, metadata = [], set(), {}
    taken: set[str] = set()
    for number, run in enumerate(runs):
        own = _text(run.name or (default_name if len(runs) == 1 else f"{default_name}_{number + 1}"))
        if name is not None:
            own = name if len(runs) == 1 else f"{name}_{own}"
        own = unique_name(own, taken)
        taken.add(own)
        found = _clean_run(run, own, judge)
        if not found:
            if not run.remarks:
                judge.note("dropped", "nothing can be read of it", run=own)
            continue
        if not any(layer != RUN_LEVEL for layer, _ in found):
            text = "it has none, only measures of the whole run; `ontogeny transitions` searches these"
            judge.note("layers", text, run=own)
        blocks += [(own, layer, metric, *series) for (layer, metric), series in found.items()]
        for layer, metric in run.derived:
            key = (_text(layer) or MODEL_LEVEL, ALIASES.get(metric, metric))
            if key in found:
                derived.add((own, *key))
                judge.note("derived", "rebuilt from other metrics, not recorded", run=own, layer=key[0], metric=key[1])
        metadata[own] = without_reserved(_plain_text(run.metadata))
    if not blocks:
        text = "; ".join(map(str, judge.notes[:3]))
        raise OntogenyError(f"{judge.where} holds no measurement that can be read" + (f" ({text})" if text else ""))
    frame = tidy(blocks)
    return Phase1(
        frame,
        judge.closed(),
        next(iter(metadata.values())) if len(metadata) == 1 else {"runs": metadata},
        frozenset(derived),
    )


def _clean_run(run: RawRun, name: str, judge: Judge) -> dict[tuple[str, str], Series]:
    for layer, text in run.remarks:
        kind = "dropped" if "left out" in text else "flagged"
        (judge.problem if kind == "dropped" else judge.note)(kind, text, run=name, layer=_maybe(layer))
    for layer in dict.fromkeys(run.empty_layers):
        judge.note("dropped", "it holds no values", run=name, layer=_text(layer))
    found: dict[tuple[str, str], list[Series]] = {}
    parts_of_one = _parts_of_one(run.tables)
    if parts_of_one > 1:
        text = f"its steps are fractions, so they are counted in 1/{parts_of_one}: 1 is now {parts_of_one}"
        judge.note("flagged", text, run=name)
    for table in run.tables:
        for (layer, metric), series in _clean_table(table, parts_of_one, name, judge).items():
            key = (_text(layer) or MODEL_LEVEL, _text(metric) or "(unnamed)")
            found.setdefault((key[0], ALIASES.get(key[1], key[1])), []).append(series)
    one = {
        key: parts[0] if len(parts) == 1 else _merged(parts, partial(_conflict, judge, name, key))
        for key, parts in found.items()
    }
    one = _raise_run_level(one, run, name, judge)
    _compare_lengths(one, name, judge)
    return one


def _conflict(judge: Judge, run: str, key: tuple[str, str], text: str) -> None:
    judge.problem("dropped", text, run=run, layer=key[0], metric=key[1])


def _parts_of_one(tables: list[RawTable], least: float = 0.3) -> int:
    """The number by which steps are multiplied to be whole: 1 but where `least` of the values of a table or more are
    fractions, as epochs that are logged within them are; 1 too if no number up to 1000 makes all of them
    whole. They may be rounded to two digits."""
    most = 1
    for table in tables:
        steps = numbers(table.steps)[0]
        steps = steps[np.isfinite(steps) & (np.abs(steps) < _LARGEST_STEP / 1000)]
        if np.count_nonzero(steps != np.floor(steps)) < max(least * steps.size, 1):
            continue
        while most <= 1000 and not np.allclose(
            most * steps, np.rint(most * steps), rtol=0, atol=min(0.0051 * most, 0.05)
        ):
            most += 1
    return most if most <= 1000 else 1


def _clean_table(table: RawTable, parts_of_one: int, run: str, judge: Judge) -> dict[tuple[str, str], Series]:
    place = {"run": run, "layer": _maybe(table.layer)}
    position, steps = _positions(table.steps, parts_of_one, place, judge)
    cleaned: dict[tuple[str, str], Series] = {}
    everything = np.arange(len(table.steps))
    for (layer, metric), (rows, raw) in table.series.items():
        spot = {"run": run, "layer": _text(layer), "metric": _text(metric)}
        if rows is None and len(raw) != len(table.steps):
            judge.problem(
                "dropped",
                f"{counted(len(raw), 'value')} stand{'s' if len(raw) == 1 else ''} against "
                f"{counted(len(table.steps), 'step')}, so that no value has a certain step",
                **spot,
            )
            continue
        values, reasons = numbers(raw)
        at = position[everything if rows is None else np.asarray(rows, dtype=np.int64)]
        kept = at >= 0
        for reason, where in reasons.items():
            where = where[kept[where]]
            kept[where] = False
            if not (reason == "null" and spot["layer"] in ("", RUN_LEVEL) and _at_intervals(steps[at[kept]])):
                _report(reason, where, at, steps, spot, judge, len(raw))
        if not kept.any():
            if not reasons and len(raw):
                judge.note("dropped", "no value has a usable step", **spot)
            continue
        at, values = at[kept], values[kept]
        order = np.argsort(at, kind="stable")
        cleaned[layer, metric] = (steps[at[order]], values[order])
    return cleaned


def _positions(raw: list[Any], parts_of_one: int, place: dict, judge: Judge) -> tuple[np.ndarray, np.ndarray]:
    """For every row its place in the sorted steps (-1: not used), and those steps.

    Raises OntogenyError if most are too large to be told apart.
    """
    values, reasons = numbers(raw)
    usable = np.ones(len(raw), bool)
    for reason, where in reasons.items():
        usable[where] = False
        shown = listed((_shown(raw[i]) for i in where[:3]), 3)
        judge.problem("dropped", f"{counted(len(where), 'step')} {_is(len(where))} {reason} ({shown})", **place)
    if parts_of_one > 1:
        values = np.rint(parts_of_one * values)
    large = usable & (np.abs(values) > _LARGEST_STEP)
    if large.any():
        count, shown = int(large.sum()), listed((_shown(raw[i]) for i in np.flatnonzero(large)[:3]), 3)
        text = (
            f"{counted(count, 'step')} {_is(count)} too large ({shown}): above {_LARGEST_STEP:.0e}, whole numbers are "
            "not told apart"
        )
        if 2 * count > usable.sum():
            spot = Note("dropped", text, **place).where
            raise OntogenyError(f"{judge.where}: {spot}: {text}; give the number of each update or epoch")
        judge.problem("dropped", text, **place)
        usable &= ~large
    odd = usable & (values != np.floor(values))
    if odd.any():
        shown = listed((_shown(raw[i]) for i in np.flatnonzero(odd)[:3]), 3)
        judge.problem(
            "dropped", f"{counted(int(odd.sum()), 'step')} {_is(int(odd.sum()))} not whole ({shown})", **place
        )
        usable &= ~odd
    rows = np.flatnonzero(usable)
    numbered = values[rows].astype(np.int64)
    if len(numbered) > 1 and (np.diff(numbered) < 0).any():
        first = rows[int(np.argmax(np.diff(numbered) < 0)) + 1]
        count = int((np.diff(numbered) < 0).sum())
        judge.problem(
            "flagged",
            f"steps are out of order at {counted(count, 'place')} and were sorted",
            step=int(values[first]),
            **place,
        )
    steps, kept, inverse = np.unique(numbered, return_index=True, return_inverse=True)
    resumed = _is_resumed(numbered)
    if resumed:
        kept = len(rows) - 1 - np.unique(numbered[::-1], return_index=True)[1]
    position = np.full(len(raw), -1)
    position[rows] = inverse
    if len(steps) < len(rows):
        repeat = np.ones(len(rows), bool)
        repeat[kept] = False
        again = numbered[repeat].tolist()
        judge.problem(
            "dropped",
            f"{counted(len(again), 'row')} repeat{'' if len(again) > 1 else 's'} a step ({steps_text(again)}); "
            + ("the last of each is kept, as training was resumed" if resumed else "the first of each is kept"),
            step=again[0],
            **place,
        )
        position[rows[repeat]] = -1
    return position, steps


def _is_resumed(steps: np.ndarray) -> bool:
    """Whether steps (rows,) go back, and never to the first: as where training goes on from a checkpoint."""
    back = np.flatnonzero(np.diff(steps) < 0) + 1
    return back.size > 0 and bool((steps[back] > steps[0]).all())


def numbers(raw: list[Any]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Float64 values of a list from a file, and the indices of what is no finite number, by reason.

    Reasons are "null", "NaN", "Infinity", "text" and "no number". Text that spells a number is text all the same.
    """
    if isinstance(raw, np.ndarray) and raw.dtype.kind in "fiu":
        return _finite(raw.astype(np.float64))
    if set(map(type, raw)) <= _NUMBERS:
        try:
            return _finite(np.array(raw, dtype=np.float64))
        except OverflowError:
            pass
    values = np.full(len(raw), np.nan)
    bad: dict[str, list[int]] = {}
    for i, item in enumerate(raw):
        reason = None
        if item is None:
            reason = "null"
        elif isinstance(item, bool | np.bool_):
            reason = "no number"
        elif isinstance(item, int | float | np.number):
            try:
                values[i] = float(item)
            except (OverflowError, TypeError):
                values[i] = math.inf
            if math.isnan(values[i]):
                reason = "NaN"
            elif math.isinf(values[i]):
                reason = "Infinity"
        else:
            reason = "text" if isinstance(item, str | bytes) else "no number"
        if reason is not None:
            bad.setdefault(reason, []).append(i)
    return values, {reason: np.array(where, dtype=np.int64) for reason, where in bad.items()}


def _finite(values: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    if np.isfinite(values).all():
        return values, {}
    found = {"NaN": np.flatnonzero(np.isnan(values)), "Infinity": np.flatnonzero(np.isinf(values))}
    return values, {reason: where for reason, where in found.items() if len(where)}


_PLAIN_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s?%?\Z")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?\Z")
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "infinity": math.inf}


def parsed_text(cells: np.ndarray) -> list[Any]:
    """Cells of a column of a text table as numbers where they are numbers, None where they are empty, text otherwise.

    Numbers may be in per cent (97.5% is 97.5), and in groups of three digits (12,000) if all cells with commas are.
    """
    try:
        values = cells.astype("U").astype(np.float64)
        if np.isfinite(values).all():
            return values.tolist()
    except ValueError:
        pass
    out: list[Any] = []
    texts = [cell.strip() if isinstance(cell, str) else "" for cell in cells.tolist()]
    if all(_GROUPED.match(text) for text in texts if "," in text):
        texts = [text.replace(",", "") for text in texts]
    for text in texts:
        if not text:
            out.append(None)
        elif number := _PLAIN_NUMBER.match(text):
            out.append(float(number[1]))
        else:
            sign = -1.0 if text[0] == "-" else 1.0
            special = _NOT_FINITE.get(text.lstrip("+-").lower())
            out.append(text if special is None else sign * special)
    return out


def _at_intervals(steps: np.ndarray, most: float = 3.0) -> bool:
    """Whether no gap between steps (n,) is `most` times as long as they typically are: loggers of the whole run leave
    out a measure where only others were taken."""
    gaps = np.diff(steps)
    return gaps.size > 0 and bool(gaps.max() <= most * np.median(gaps))


def _report(
    reason: str, where: np.ndarray, at: np.ndarray, steps: np.ndarray, spot: dict, judge: Judge, total: int
) -> None:
    if not len(where):
        return
    at_steps = steps[at[where]]
    text = f"{len(where)} of {counted(total, 'value')} {_is(len(where))} {reason} ({steps_text(at_steps.tolist())})"
    if reason == "null":
        if len(where) < total:
            judge.note("flagged", f"{text}: nothing was recorded there", step=int(at_steps[0]), **spot)
    else:
        judge.problem("dropped", text, step=int(at_steps[0]), **spot)


def _merged(parts: list[Series], report: Callable[[str], None]) -> Series:
    """One series from several of the same name; where they differ, the first stands."""
    steps, values = parts[0]
    for more_steps, more_values in parts[1:]:
        common, left, right = np.intersect1d(steps, more_steps, assume_unique=True, return_indices=True)
        differ = values[left] != more_values[right]
        if differ.any():
            report(f"two values are given at {steps_text(common[differ].tolist())}; the first is kept")
        new = ~np.isin(more_steps, common)
        steps, values = np.append(steps, more_steps[new]), np.append(values, more_values[new])
        order = np.argsort(steps, kind="stable")
        steps, values = steps[order], values[order]
    return steps, values


def _raise_run_level(
    found: dict[tuple[str, str], Series], run: RawRun, name: str, judge: Judge
) -> dict[tuple[str, str], Series]:
    """Put metrics of the run that are repeated in every layer at the run level, once."""
    layers: dict[str, list[tuple[str, str]]] = {}
    for key in found:
        if key[0] != RUN_LEVEL and key[1] in _RUN_METRICS and key[1] not in run.per_layer:
            layers.setdefault(key[1], []).append(key)
    for metric, keys in layers.items():
        clashes: list[str] = []
        own = [(RUN_LEVEL, metric)] if (RUN_LEVEL, metric) in found else []
        merged = _merged([found[key] for key in own + keys], clashes.append)
        if clashes:
            text = "it differs between layers, so it is kept as a metric of each layer"
            judge.note("flagged", text, run=name, metric=metric)
            continue
        for key in keys:
            del found[key]
        found[RUN_LEVEL, metric] = merged
    return found


def _compare_lengths(found: dict[tuple[str, str], Series], run: str, judge: Judge) -> None:
    """Tell of layers that were not measured at all the steps at which the others were."""
    steps: dict[str, np.ndarray] = {}
    for (layer, _), (at, _values) in found.items():
        if layer != RUN_LEVEL:
            known = steps.get(layer)
            if known is None or len(known) != len(at) or (known is not at and (known != at).any()):
                steps[layer] = at if known is None else np.union1d(known, at)
    if not steps:
        return
    first = next(iter(steps.values()))
    if all(at is first or np.array_equal(at, first) for at in steps.values()):
        return
    everything = np.unique(np.concatenate(list(steps.values())))
    for layer, at in steps.items():
        if len(at) < len(everything):
            missing = np.setdiff1d(everything, at, assume_unique=True)
            judge.problem(
                "flagged",
                f"it has {len(at)} of the {len(everything)} steps of the run, without {steps_text(missing.tolist())}",
                run=run,
                layer=layer,
                step=int(missing[0]),
            )


def _shown(value: Any) -> str:
    return str(value) if not isinstance(value, int) or abs(value) < 10**18 else "a huge number"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _maybe(layer: Any) -> str | None:
    return None if layer is None else _text(layer)


def _text(name: Any) -> str:
    """`name` as text that UTF-8 can hold."""
    text = name if isinstance(name, str) else str(name)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _plain_text(value: Any) -> Any:
    try:
        return _plain(value)
    except RecursionError:
        raise OntogenyError("the metadata of the record are nested too deeply to be kept") from None


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {_text(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
