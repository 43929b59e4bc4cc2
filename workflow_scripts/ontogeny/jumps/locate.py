"""Which step was it, and how sure is that? One answer for each run of a record."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError, unknown
from ontogeny.jumps.answer import MOST, Answer, say_found, say_power
from ontogeny.jumps.detection import look_at, transitions_in_each
from ontogeny.jumps.events import as_series, evenly_spaced
from ontogeny.jumps.known import chance_share
from ontogeny.jumps.measures import rank_of, ranked
from ontogeny.jumps.multiscale import unit_note
from ontogeny.jumps.report import JumpReport, find_jumps, frame_of
from ontogeny.jumps.settings import JumpSettings
from ontogeny.jumps.shapes import SHORTEST
from ontogeny.jumps.transitions import UNITS
from ontogeny.phase1 import RUN_LEVEL, Phase1
from ontogeny.words import counted, joined, levels_text, step_text, steps_text

if TYPE_CHECKING:
    import pandas as pd

PAD = 0.01
"""Share of the record by which a change may miss that of another series and still be within it."""

WIDTHS = (0.01, 0.05, 0.2)
"""Widths of planted changes, as shares of the record."""

PLANTED = 20
"""Changes of each width and size that are planted to measure the power."""

FOUND = 0.9
SMALLEST, LARGEST, SIZES = 2.0, 512.0, 17
"""Least and largest size of planted changes, in standard deviations of the noise between measurements, and how many:
the largest is at least the range of the series."""

LONGEST = 2000
"""Measurements of the longest series in which changes are planted; of longer ones, means of neighbours are taken."""

SURE = 0.05
FAR = 10.0
"""Times its noise from which an excursion of a series that comes back is mentioned."""

MOST_TIMES = 3
"""Times at which series of layers change that are named one by one."""

FIRST, EARLY = 3, 10
"""Measurements at the beginning within which a change that is told has no beginning, and no middle."""

WIDEST = 1 / 3
"""Share of the record that the widest change takes that is told from drift."""

MOVES = 0.3
"""Share of its range by which a series moves from its beginning to its end, if it goes anywhere."""


@checks_arguments
def locate_transition(
    record: Phase1 | pd.DataFrame,
    run: str | None = None,
    metric: str | None = None,
    settings: JumpSettings | None = None,
) -> Answer:
    """When a run, which may be left out if it is alone, changed, and how sure that is (see `locate_transitions`).

    metric: the run-level measure to ask first. `print(locate_transition(read_phase1(path)))` says it in words.

    Raises OntogenyError for an unknown run, an empty record, and if it holds several runs and none is named.
    """
    frame = frame_of(record)
    known = list(dict.fromkeys(frame["run"]))
    if not known:
        raise OntogenyError("the record is empty: it holds no value of any run")
    if run is None and len(known) != 1:
        raise OntogenyError(f"the record holds {len(known)} runs: say which with run=")
    if run is not None and run not in known:
        raise unknown("run", run, known, "the record")
    chosen = frame if run is None else frame[frame["run"] == run]
    return locate_transitions(chosen, settings=settings, metric=metric)[0]


@checks_arguments
def locate_transitions(
    record: Phase1 | pd.DataFrame,
    report: JumpReport | None = None,
    settings: JumpSettings | None = None,
    metric: str | None = None,
) -> list[Answer]:
    """When each run of a record changed, and how sure that is.

    record: a `Phase1` or its frame (run, layer, step, metric, value). report: of `find_jumps` on it, found if not
    given. The measures of a run are asked in the order of `measures.rank_of`: accuracy on held-out data first, losses
    later; `metric` comes before all. The first that has a significant change gives the answer with its largest one; if
    none does, of the largest changes of the series of layers the one that most share. Where the series that was asked
    first has none, the answer says how large a change would have been found: changes of three widths are planted at
    random places of it (fixed seed).

    Raises OntogenyError for a metric that no run has.
    """
    frame = frame_of(record)
    of_run = frame["layer"] == RUN_LEVEL
    known = list(dict.fromkeys(frame.loc[of_run, "metric"]))
    if metric is not None and metric not in known:
        raise unknown("metric", metric, known, "the run-level measures")
    report = report or find_jumps(frame, settings)
    order = ranked(known)
    if metric is not None:
        order = [metric, *(name for name in order if name != metric)]
    asked = find_jumps(frame[of_run], settings, metrics=order) if order else None
    return [
        _answer(run, part, order, asked, report, settings)
        for run, part in frame.groupby("run", sort=False, observed=True)
    ]


@checks_arguments
def with_answers(report: JumpReport, record: Phase1 | pd.DataFrame, settings: JumpSettings | None = None) -> JumpReport:
    """A report that says of each run, in words, when it changed and how sure that is."""
    return replace(report, answers=tuple(locate_transitions(record, report, settings)))


def _answer(
    run: str,
    frame: pd.DataFrame,
    order: Sequence[str],
    asked: JumpReport | None,
    report: JumpReport,
    settings: JumpSettings | None,
) -> Answer:
    layers = report.significant[report.significant["run"] == run]
    series = report.series[(report.series["run"] == run) & (report.series["layer"] != RUN_LEVEL)]
    judged = int((series["abstained"] == "").sum())
    held = {
        (layer, name): part for (layer, name), part in frame.groupby(["layer", "metric"], sort=False, observed=True)
    }
    present = [name for name in order if (RUN_LEVEL, name) in held]
    found = asked.significant[asked.significant["run"] == run] if asked is not None else layers.iloc[:0]
    best = None
    for name in present:
        rows = found[found["metric"] == name]
        if len(rows):
            best, others = rows.loc[rows["size"].abs().idxmax()], rows
            break
    if best is None and len(layers):
        largest = layers.loc[layers["size"].abs().groupby([layers["layer"], layers["metric"]], observed=True).idxmax()]
        best = largest.iloc[_most_shared(largest)]
        others = layers[(layers["layer"] == best["layer"]) & (layers["metric"] == best["metric"])]
    span = float(np.ptp(frame["step"].to_numpy(float)))
    learned = _learned(held, present, found)
    changes = [*found.to_dict(orient="records"), *layers.to_dict(orient="records")]
    noise_floor = (settings or JumpSettings()).noise_floor
    if best is None:
        none = _none(run, held, present, series, judged, learned, _beside(frame, order, settings), noise_floor)
        return replace(none, changes=_rows(changes, present, None))
    window = _window(best, span)
    own = (best["layer"], best["metric"])
    also = [name for name in present if (RUN_LEVEL, name) != own and _within(found[found["metric"] == name], window)]
    groups = [
        part["step"].to_numpy(float)
        for key, part in layers.groupby(["layer", "metric"], sort=False, observed=True)
        if key != own
    ]
    asked_beside = judged - (best["layer"] != RUN_LEVEL)
    agree = sum(bool(((window[0] <= steps) & (steps <= window[1])).any()) for steps in groups)
    late = rank_of(best["metric"]) == 0 and best["size"] > 0 and learned < best["midpoint_low"]
    windows = [_window(row, span) for row in others.to_dict(orient="records")]

    def said_of(chosen: Callable[[pd.DataFrame, Sequence[tuple[float, float]]], pd.DataFrame]) -> tuple[str, ...]:
        measures = [name for name in present if (RUN_LEVEL, name) != own]
        of_others = layers[(layers["layer"] != own[0]) | (layers["metric"] != own[1])]
        return *_of_measures(chosen(found, windows), measures), *_of_layers(chosen(of_others, windows), span)

    answer = Answer(
        run=str(run),
        kind=str(best["kind"]),
        layer=str(best["layer"]),
        metric=str(best["metric"]),
        measurements=len(held[own]),
        step=float(best["step"]),
        low=float(best["midpoint_low"]),
        high=float(best["midpoint_high"]),
        onset=float(best["onset"]),
        end=float(best["end"]),
        before=float(best["value_before"]),
        after=float(best["value_after"]),
        noise=_noise(held[own].sort_values("step")["value"].to_numpy(float)),
        p_value=float(best["p_value"]),
        q_value=float(best["q_value"]),
        silent=tuple(present[: present.index(best["metric"])] if best["layer"] == RUN_LEVEL else present),
        also=tuple(also),
        further=tuple(float(step) for step in others["step"] if step != best["step"]),
        partly=said_of(_partly),
        elsewhere=said_of(_away),
        asked=len(present),
        agree=agree,
        series=asked_beside,
        chance=float(sum(chance_share(steps, span, window[1] - window[0]) for steps in groups)),
        learned=learned,
        late=bool(late),
        changes=_rows(changes, present, window),
    )
    if answer.silent:
        _, course, missed = _missed((RUN_LEVEL, answer.silent[0]), held, learned, noise_floor)
        answer = replace(answer, course=course, missed=missed)
    return replace(answer, sentence=" ".join([say_found(answer, _judged(asked, run)), *_whole(answer, held[own])]))


def _rows(
    changes: list[dict[Any, Any]], present: Sequence[str], window: tuple[float, float] | None
) -> tuple[dict, ...]:
    """The rows of `Answer.changes`: the measures in their order, then the layers, each by step."""
    names = {
        "step": "step", "low": "midpoint_low", "high": "midpoint_high", "onset": "onset", "end": "end",
        "before": "value_before", "after": "value_after", "q_value": "q_value",
    }  # fmt: skip
    found: dict[tuple[str, str], list[dict[str, Any]]] = {(RUN_LEVEL, name): [] for name in present}
    for row in sorted(changes, key=lambda row: row["step"]):
        about = {"layer": str(row["layer"]), "metric": str(row["metric"]), "kind": str(row["kind"])}
        within = window is not None and window[0] <= row["step"] <= window[1]
        numbers = {name: float(row[column]) for name, column in names.items()}
        found.setdefault((about["layer"], about["metric"]), []).append({**about, **numbers, "within": within})
    return tuple(
        row
        for (layer, metric), rows in found.items()
        for row in rows or [{"layer": layer, "metric": metric, "kind": "none"}]
    )


def _whole(answer: Answer, part: pd.DataFrame) -> list[str]:
    """How a series goes on the whole, if that is far more than the change that was found in it, in words."""
    part = part[np.isfinite(part["value"])].sort_values("step")
    values, steps = part["value"].to_numpy(float), part["step"].to_numpy()
    share = abs(answer.after - answer.before) / float(np.ptp(values))
    if share >= MOVES:
        return []
    who = answer.metric if answer.layer == RUN_LEVEL else f"{answer.metric} of {answer.layer}"
    return [f"The change of {who} is {share:.1%} of its range.", *_course(who, values, steps)]


def _window(row: Any, span: float) -> tuple[float, float]:
    return float(row["onset"]) - PAD * span, float(row["end"]) + PAD * span


def _within(rows: pd.DataFrame, window: tuple[float, float]) -> bool:
    return bool(rows["step"].between(*window).any())


def _meet(rows: pd.DataFrame, windows: Sequence[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Of each change, whether its midpoint lies in a window, and whether any of it does, (n,) each."""
    low, high = np.array(windows, dtype=float).reshape(-1, 2).T
    step, onset, end = (rows[name].to_numpy(float)[:, None] for name in ("step", "onset", "end"))
    return ((low <= step) & (step <= high)).any(axis=1), ((low <= end) & (onset <= high)).any(axis=1)


def _partly(rows: pd.DataFrame, windows: Sequence[tuple[float, float]]) -> pd.DataFrame:
    """The changes that reach into a window, with their midpoint in none."""
    inside, touching = _meet(rows, windows)
    return rows[touching & ~inside]


def _away(rows: pd.DataFrame, windows: Sequence[tuple[float, float]]) -> pd.DataFrame:
    inside, touching = _meet(rows, windows)
    return rows[~(inside | touching)]


def _of_measures(found: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """The measures of a run that change, each with its steps, in words."""
    steps = {name: found.loc[found["metric"] == name, "step"].to_list() for name in names}
    return [f"{name} at {steps_text(at)}" for name, at in steps.items() if at]


def _of_layers(layers: pd.DataFrame, span: float) -> list[str]:
    """How many series of layers change at each of the times that most of their changes share, in words; of more than
    `MOST_TIMES`, how many further changes there are."""
    said: list[str] = []
    while len(layers) and len(said) < MOST_TIMES:
        shared = layers.iloc[_most_shared(layers)]
        inside = layers["step"].between(*_window(shared, span))
        series = layers.loc[inside, ["layer", "metric"]].drop_duplicates()
        at = step_text(float(shared["step"]))
        if len(series) == 1:
            said.append(f"{shared['metric']} of {shared['layer']} at step {at}")
        else:
            said.append(f"{len(series)} series of layers about step {at}")
        layers = layers[~inside]
    return [*said, *([f"layers at {counted(len(layers), 'other time')}"] if len(layers) else [])]


def _most_shared(rows: pd.DataFrame) -> int:
    """Position of the change that most other changes lie within, of those the most significant."""
    step, onset, end = (rows[name].to_numpy(float) for name in ("step", "onset", "end"))
    shared = ((onset[:, None] <= step) & (step <= end[:, None])).sum(axis=1)
    return int(np.lexsort((-rows["score"].to_numpy(float), rows["q_value"].to_numpy(float), -shared))[0])


def _judged(asked: JumpReport | None, run: str) -> int:
    if asked is None:
        return 0
    return int(((asked.series["run"] == run) & (asked.series["abstained"] == "")).sum())


def _learned(held: dict[Any, pd.DataFrame], present: Sequence[str], found: pd.DataFrame) -> float:
    """The step by which the accuracy on the training data made 90% of its rise; NaN if it is not recorded or does not
    rise."""
    name = next((name for name in present if rank_of(name) == 4), None)
    if name is None:
        return math.nan
    rows = found[(found["metric"] == name) & (found["size"] > 0)]
    if len(rows):
        return float(rows.loc[rows["size"].abs().idxmax(), "end"])
    part = held[RUN_LEVEL, name]
    values = part["value"].to_numpy(float)
    low, high = float(values[0]), float(values.max())
    if not high > low:
        return math.nan
    return float(part["step"].to_numpy()[int((values >= low + 0.9 * (high - low)).argmax())])


def _beside(frame: pd.DataFrame, order: Sequence[str], settings: JumpSettings | None) -> list[str]:
    """Where norms, settings and other measures of a run that are not asked change, in words."""
    of_run = frame[(frame["layer"] == RUN_LEVEL) & ~frame["metric"].isin(list(order))]
    names = list(dict.fromkeys(of_run["metric"]))
    found = find_jumps(of_run, settings, metrics=names).significant if names else of_run.iloc[:0]
    return _of_measures(found, names) if len(found) else []


def _none(
    run: str,
    held: dict[Any, pd.DataFrame],
    present: Sequence[str],
    series: pd.DataFrame,
    judged: int,
    learned: float,
    beside: Sequence[str],
    noise_floor: float,
) -> Answer:
    key: tuple[str, str] | None = (RUN_LEVEL, present[0]) if present else None
    if key is None:
        able = series[series["abstained"] == ""] if judged else series
        key = (able.iloc[0]["layer"], able.iloc[0]["metric"]) if len(able) else None
    if key is None:
        nothing = "there is no measure of what the network can do, and no series of a layer."
        return Answer(str(run), "none", "", "", 0, sentence=f"{run}: {nothing}")
    points, course, missed = _missed(key, held, learned, noise_floor)
    who = key[1] if key[0] == RUN_LEVEL else f"{key[1]} of {key[0]}"
    looked = [f"{who} ({counted(points, 'measurement')})"]
    others = len(present) - (key[0] == RUN_LEVEL)
    looked += [f"{counted(others, 'other measure')} of the run"] if others else []
    of_layers = judged - (key[0] != RUN_LEVEL)
    looked += [f"{of_layers} series of layers"] if of_layers > 0 else []
    said = [f"{run}: no significant transition was found in {joined(looked)}."]
    said += [course] if course else []
    if beside:
        said.append(f"Measures that do not say what a network can do change significantly: {joined(beside)}.")
    return Answer(
        run=str(run),
        kind="none",
        layer=str(key[0]),
        metric=str(key[1]),
        measurements=points,
        asked=len(present),
        series=judged,
        learned=learned,
        elsewhere=tuple(beside),
        course=course,
        missed=missed,
        sentence=" ".join([*said, missed]),
    )


def _missed(
    key: tuple[str, str], held: dict[Any, pd.DataFrame], learned: float, noise_floor: float
) -> tuple[int, str, str]:
    """How many values a series without a significant change has; where it goes; and how large a change may have been
    missed."""
    part = held[key]
    values, steps = as_series(part["value"].to_numpy(), part["step"].to_numpy())
    finite = np.isfinite(values)
    values, steps = values[finite], steps[finite]
    who = key[1] if key[0] == RUN_LEVEL else f"{key[1]} of {key[0]}"
    course = _course(who, values, steps)
    highest = _smooth(values).max() if values.size else math.nan
    if rank_of(key[1]) == 0 and math.isfinite(learned) and highest < min(1 - MOST, _trained(held) - MOST):
        course = [
            f"{who} is at most {highest:.3g}, while the training accuracy makes 90% of its rise by step "
            f"{step_text(learned)}: the network memorised, and did not generalise (grok) within this record."
        ]
    points, look = values.size, look_at(values)
    unseen = [*look.flat_note(noise_floor)] or [note for note in [unit_note(look.values, UNITS)] if note]
    notes = []
    if look.kept.size < points:
        notes.append(look.notes[0])
        values, steps = values[look.kept], steps[look.kept]
    if not values.size:
        notes.append(f"no value is finite, and {SHORTEST} are needed to tell a transition from noise")
    elif values.size < SHORTEST:
        notes.append(
            f"{counted(values.size, 'measurement')} {'is' if values.size == 1 else 'are'} too few to tell a transition "
            f"from noise: {SHORTEST} are needed, so there may have been one"
        )
    else:
        notes += unseen
    said = [f"{note[0].upper()}{note[1:]}." for note in notes]
    if values.size >= SHORTEST and not unseen:
        able = power(values, steps, bounded=rank_of(key[1]) in (0, 1, 4))
        said.append(say_power(who, able, values.size, steps))
    return points, " ".join(course), " ".join(said)


def _trained(held: dict[Any, pd.DataFrame]) -> float:
    """The highest accuracy on the training data; NaN if it is not recorded."""
    parts = [part for (layer, name), part in held.items() if layer == RUN_LEVEL and rank_of(name) == 4]
    return max((float(part["value"].max()) for part in parts), default=math.nan)


def _smooth(values: np.ndarray) -> np.ndarray:
    """Medians of three neighbours (n,); of fewer than three values these."""
    return np.median(np.lib.stride_tricks.sliding_window_view(values, 3), axis=1) if values.size >= 3 else values


def _course(who: str, values: np.ndarray, steps: np.ndarray) -> list[str]:
    """From where to where a series goes and when it is halfway, if that is more than its noise, and why a change of it
    may not be told."""
    if values.size < 4:
        return []
    few = min(8, values.size // 4)
    first, last = float(np.median(values[:few])), float(np.median(values[-few:]))
    begins, ends = levels_text(first, last)
    away = _excursion(first, last, values, steps)
    if abs(last - first) <= 4 * _noise(values) or last == first:
        return [f"{who} begins and ends at about {last:.3g}.", *away] if away else [f"{who} stays about {last:.3g}."]
    if abs(last - first) < MOVES * np.ptp(values):
        return [f"{who} begins at {begins} and ends at {ends}.", *away]
    share = (values - first) / (last - first)
    later = int((share >= 0.5).argmax())
    settled = int(np.flatnonzero(share < 0.5)[-1]) + 1 if (share < 0.5).any() else later
    low, high = steps[max(later - 1, 0)], steps[min(settled, steps.size - 1)]
    said = [f"{who} goes from {begins} to {ends}, halfway between steps {step_text(low)} and {step_text(high)}."]
    begun, ended = np.flatnonzero(share[: later + 1] <= 0.1), np.flatnonzero(share[later:] >= 0.9)
    start, end = steps[begun[-1] if begun.size else 0], steps[later + ended[0] if ended.size else -1]
    part = (end - start) / np.ptp(steps)
    if values.size >= SHORTEST and (later < EARLY or not begun.size or begun[-1] < FIRST):
        said.append("It moves from the very start of the record, so that there is no level before to compare with.")
    elif values.size >= SHORTEST and part > WIDEST:
        said.append(
            f"It is at 10% of the way at step {step_text(start)} and at 90% at step {step_text(end)}, {part:.0%} of "
            "the record: what takes more than a third of it cannot be told from drift."
        )
    return said


def _excursion(first: float, last: float, values: np.ndarray, steps: np.ndarray) -> list[str]:
    """How far a series leaves the range between its beginning and its end, and when it is back, if that is far more
    than its noise and takes several measurements."""
    level = _smooth(values)
    low, high = min(first, last), max(first, last)
    beyond = np.maximum(level - high, low - level)
    at = int(beyond.argmax())
    if beyond[at] <= max(FAR * _noise(values), high - low) or at < 3 or at > beyond.size - 4:
        return []
    near = np.flatnonzero(beyond < 0.5 * beyond[at])
    back, out = near[near > at], near[near < at]
    if not back.size or not out.size:
        return []
    goes, returns = ("rises", "falls") if level[at] > high else ("falls", "rises")
    out_by, back_by = (float(steps[int(place) + 1]) for place in (out[-1], back[0]))
    if back_by - out_by > WIDEST * np.ptp(steps):
        return [
            f"In between it {goes} to {level[at]:.3g}, halfway at step {step_text(out_by)}, and {returns} again, "
            f"halfway at step {step_text(back_by)}: two changes, of which neither is significant."
        ]
    return [
        f"In between it {goes} to {level[at]:.3g} about step {step_text(steps[at + 1])} and is halfway back by step "
        f"{step_text(back_by)}; what recovers is no lasting change."
    ]


def power(values: np.ndarray, steps: np.ndarray, bounded: bool = False, seed: int = 0) -> dict[float, float]:
    """How large a change of a series (n,) must be to be found in 9 of 10 cases: width to size, NaN for none.

    Widths are steps where these are even, and else measurements.

    Logistic changes of `WIDTHS` are planted at random places of the series itself, towards the farther bound if it is
    bounded by 0 and 1, as an accuracy is; one counts as found if a change with p <= 0.05 has its
    midpoint within its width. Of series longer than `LONGEST`, means of neighbours are taken.
    """
    block = -(-values.size // LONGEST)
    count = values.size // block * block
    values = values[:count].reshape(-1, block).mean(axis=1)
    steps = steps[:count].reshape(-1, block).mean(axis=1)
    n, noise = values.size, _noise(values)
    if not noise > 0:
        noise = max(float(np.ptp(values)) / 50, 1e-6 * float(np.abs(values).max())) or 1e-12
    room = math.inf
    signs = np.resize([1.0, -1.0], PLANTED)
    if bounded and values.min() >= 0 and values.max() <= 1:
        middle = float(np.median(values))
        room, signs = max(middle, 1 - middle), np.full(PLANTED, 1.0 if middle < 0.5 else -1.0)
    sizes = np.geomspace(SMALLEST * noise, max(LARGEST * noise, float(np.ptp(values))), SIZES)
    per_point = float(np.ptp(steps)) / (n - 1) if evenly_spaced(steps) else float(block)
    out: dict[float, float] = {}
    for share in WIDTHS:
        width = max(share * n, 1.0)
        rng = np.random.default_rng(seed)
        margin = min(0.1 * n + 0.75 * width, 0.45 * n)
        middles = rng.uniform(margin, n - 1 - margin, PLANTED)

        def enough(size: float, middles: np.ndarray = middles, width: float = width) -> bool:
            return _share_found(values, steps, signs * size, middles, width, room < math.inf) >= FOUND

        possible = sizes[sizes <= room]
        first = next((i for i in range(1, possible.size, 2) if enough(possible[i])), None)
        size = math.nan if first is None else possible[first - 1 if enough(possible[first - 1]) else first]
        out[width * per_point] = float(size)
    return out


def _share_found(
    values: np.ndarray, steps: np.ndarray, sizes: np.ndarray, middles: np.ndarray, width: float, bounded: bool
) -> float:
    place = np.arange(values.size)
    changes = 1 / (1 + np.exp(np.clip(-2 * math.log(9) * (place - middles[:, None]) / width, -500, 500)))
    planted = values + sizes[:, None] * changes
    planted = np.clip(planted, 0, 1) if bounded else planted
    found = transitions_in_each([(row, steps) for row in planted])
    near = max(width, 2.0)
    return float(
        np.mean(
            [
                any(abs(event.index - middle) <= near and event.p_value <= SURE for event in events)
                for events, middle in zip(found, middles)
            ]
        )
    )


def _noise(values: np.ndarray) -> float:
    """Standard deviation of independent noise, from the median second difference."""
    if values.size < 3:
        return 0.0
    return float(np.median(np.abs(np.diff(values, 2)))) / (0.6745 * math.sqrt(6))
