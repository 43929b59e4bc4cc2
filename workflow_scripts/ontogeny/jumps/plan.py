"""Which moments of a training are worth a closer look: jumps and transitions, their matched controls, those named."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError, check_number, unknown
from ontogeny.files import read_json, write_json
from ontogeny.jumps.measures import ranked
from ontogeny.jumps.report import JumpReport, find_jumps, frame_of
from ontogeny.jumps.settings import CaptureSettings, JumpSettings
from ontogeny.phase1 import RUN_LEVEL
from ontogeny.words import counted, levels_text

if TYPE_CHECKING:
    import pandas as pd

FORMAT = "ontogeny-capture-plan/1"
EVENTS = ("jump", "transition")
"""Kinds of moment at which something changed."""
KINDS = ("start", *EVENTS, "control", "user", "end")
PHASES = {1: ("whole",), 2: ("early", "late"), 3: ("early", "middle", "late")}
PROGRESS = 2
"""Last `measures.rank_of` of the run-level measures of what the network can do, whose changes come first."""
_ALIKE = 4
"""Changes of which one is more than so many times as wide as the other are not one moment."""


@dataclass(frozen=True)
class Moment:
    """One moment to capture.

    kind: 'jump', 'transition', 'control', 'start', 'end' or 'user'; step: the logged step (of a transition the
    midpoint); before, after: the steps that are captured with it, of a transition before its onset and after its end;
    phase: of training; layer, metric: of the strongest change there (empty for other kinds); layers: all layers that
    change with it; series: how many series of a layer and metric do; progress: run-level measures of progress that do;
    score, q_value: of the strongest (None for other kinds); onset, end: the first and last step of what changes
    (None for other kinds); control_for: for a control, the step of the event that it is matched to; reason: why, in
    words.
    """

    kind: str
    step: int
    before: int
    after: int
    phase: str
    reason: str
    layer: str = ""
    metric: str = ""
    layers: tuple[str, ...] = ()
    score: float | None = None
    q_value: float | None = None
    control_for: int | None = None
    series: int = 0
    progress: tuple[str, ...] = ()
    onset: float | None = None
    end: float | None = None

    @property
    def is_event(self) -> bool:
        """Whether something changed there: a jump or a transition."""
        return self.kind in EVENTS

    def matches(self, control: Moment) -> bool:
        """Whether `control` is another moment without a change, and matched to this one or about as long.

        At most 1.5 times: more changes in a longer stretch, so that only like is compared with like.
        """
        if control.kind != "control" or control is self:
            return False
        short, long = sorted((self.after - self.before, control.after - control.before))
        return control.control_for == self.step or long <= 1.5 * short

    @property
    def rank(self) -> tuple[bool, int, float, float, int]:
        """What sorts events, the strongest first: progress, then how many series, then significance and score."""
        unknown = self.q_value is None
        return (not self.progress, -self.series, 1.0 if unknown else self.q_value or 0.0, -(self.score or 0), self.step)

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps to capture: before, at and after, in order, each once."""
        return tuple(sorted({self.before, self.step, self.after}))


@dataclass(frozen=True)
class CapturePlan:
    """The moments of one run to capture, in order of step, and what to know about the choice."""

    run: str
    moments: tuple[Moment, ...]
    window: int
    notes: tuple[str, ...] = field(default_factory=tuple)
    answer: str = ""
    """Which step it was, and how sure that is (`Answer.sentence`)."""

    @property
    def steps(self) -> tuple[int, ...]:
        """All steps to capture, in order, each once."""
        return tuple(sorted({step for moment in self.moments for step in moment.steps}))

    def text(self) -> str:
        """The plan for a person: one line per moment."""
        lines = [
            f"Run {self.run}: {counted(len(self.moments), 'moment')}, {counted(len(self.steps), 'step')} to capture."
        ]
        lines += [f"  {m.kind:<10} step {m.step} (with {m.before} and {m.after}): {m.reason}" for m in self.moments]
        return "\n".join([*([self.answer] if self.answer else []), *lines, *self.notes])


def steps_of(config: Mapping[str, Any]) -> list[int]:
    """The steps of a run, from its config.json, whose network can be had: all, or those of an imported series."""
    return list(config["series"]["steps"]) if "series" in config else list(range(config["last_step"] + 1))


@checks_arguments
def plan_captures(
    report: JumpReport,
    steps_available: Iterable[int],
    settings: CaptureSettings | None = None,
    *,
    run: str | None = None,
    phases: int = 3,
    user_steps: Iterable[int] = (),
    loss: tuple[Sequence[float], Sequence[float]] | None = None,
    progress: JumpReport | None = None,
) -> CapturePlan:
    """Choose the moments of a run that are worth a closer look.

    report: of `find_jumps`; run: which run of it (may be left out when it holds one). steps_available: the steps at
    which the network can be had. progress: the report of the run's measures of progress (`find_progress`).

    Significant jumps and transitions of all series are put together: one moment are those whose midpoints lie within
    each other's extent (or `window` steps), if none is more than four times as wide as the one that most others share.
    A jump is captured `window` steps before and after, a transition at its midpoint (that of the measure of progress,
    if one changes, else the median), and `window` steps before its first onset and after its last end.
    `settings.strongest` moments are kept: first those of a measure of progress, then those that most series share, then
    the most significant. Each gets `settings.controls` matched controls: as long as the event, two windows from any
    reported change, significant or not, and one from each other; of the same of `phases` (1 to 3) parts of the training
    if there is room, else of any; by the local slope of the loss most like that at the event, where `loss` =
    (steps, values) is given, else the nearest in time. The first and the last step and `user_steps` are always there.
    `window` is in training steps: `before` and `after` are the available steps nearest to that distance.

    Without a significant change the plan says so, and holds the start, the end, and the user's steps.
    Raises OntogenyError for an unknown run, a step outside the training, or a setting out of its range.
    """
    import pandas as pd

    available = np.unique(np.asarray(list(steps_available)))
    if available.size < 2 or available.dtype.kind not in "iuf":
        raise OntogenyError(f"steps_available holds {counted(available.size, 'step')}: give two or more numbers")
    if phases not in PHASES:
        raise OntogenyError(f"phases = {phases!r} must be 1, 2 or 3")
    settings = settings or CaptureSettings()
    window, controls = settings.window, settings.controls
    run = _one_run(report, run)
    cuts = _Cuts(available, phases, window)
    tables = [each.table[each.table["run"] == run] for each in (report, progress) if each is not None]
    table = pd.concat([each for each in tables if len(each)] or tables[:1], ignore_index=True)
    sure = table[table["significant"].astype(bool)].reset_index(drop=True)
    notes: list[str] = []
    moments = [
        cuts.moment("start", available[0], "the first step, to compare with"),
        cuts.moment("end", available[-1], "the last step, to compare with"),
    ]
    events = _events(sure, cuts)[: settings.strongest]
    moments += events
    if sure.empty:
        notes.append(_no_jumps(table, report))
    taken = [(low - 2 * window, high + 2 * window) for low, high in zip(*_extents(table))]
    for event in events:
        found = _controls(event, taken, cuts, controls, loss)
        if len(found) < controls:
            notes.append(
                f"Only {len(found)} of {controls} matched controls found for the {event.kind} at step {event.step}: "
                f"the training holds no other stretch of {event.after - event.before} steps that is two windows away "
                "from every jump and transition."
            )
        taken += [(control.before - window, control.after + window) for control in found]
        moments += found
    for step in (wanted := list(user_steps)):
        check_number(step, "a step of user_steps", "a whole number", whole=True)
    for step in sorted(set(wanted)):
        if not available[0] <= step <= available[-1]:
            raise OntogenyError(
                f"step {step} lies outside the training, which goes from {available[0]} to {available[-1]}"
            )
        at = cuts.nearest(step)
        reason = "named by the user" if at == step else f"named by the user as {step}, the nearest step there is"
        moments.append(cuts.moment("user", at, reason))
    order = {kind: k for k, kind in enumerate(KINDS)}
    moments.sort(key=lambda m: (m.step, order[m.kind]))
    answer = next((each.sentence for each in report.answers if each.run == run), "")
    return CapturePlan(run=run, moments=tuple(moments), window=window, notes=tuple(notes), answer=answer)


@checks_arguments
def find_progress(frame: pd.DataFrame, settings: JumpSettings | None = None) -> JumpReport | None:
    """The changes of a record's measures of progress; None if it has none.

    They are accuracy on held-out data and the strength of known mechanisms, such as modes and in-context scores
    (`measures.rank_of`).

    frame: as of `find_jumps`. The false discovery rate is controlled over these measures alone.
    """
    frame = frame_of(frame)
    known = frame.loc[frame["layer"] == RUN_LEVEL, "metric"].unique()
    names = ranked(known, PROGRESS)
    return find_jumps(frame[frame["layer"] == RUN_LEVEL], settings, metrics=names) if names else None


def _one_run(report: JumpReport, run: str | None) -> str:
    known = [str(name) for name in report.series["run"].unique()]
    if run is not None:
        if run not in known:
            raise unknown("run", run, known or ["(none)"], "the report of jumps")
        return run
    if len(known) != 1:
        several = (
            f"holds {len(known)} runs: say which with run=" if known else "is empty: it holds no series of any run"
        )
        raise OntogenyError(f"the report of jumps {several}")
    return known[0]


def _no_jumps(table: pd.DataFrame, report: JumpReport) -> str:
    judged = int((report.series["abstained"] == "").sum())
    if table.empty:
        found = "none was detected" if judged else "no series was long enough to be judged"
    else:
        found = f"none of the {len(table)} detected is significant at {report.false_discovery_rate:g}"
    return (
        f"There is no jump or transition to look at: {found}. The plan holds only the start, the end and the steps "
        "named by the user."
    )


class _Cuts:
    """The steps there are, cut into phases."""

    def __init__(self, available: np.ndarray, phases: int, window: int) -> None:
        self.available, self.window = available, window
        self.names = PHASES[phases]
        self.edges = np.linspace(available[0], available[-1], phases + 1)[1:-1]

    def nearest(self, step: float) -> Any:
        return self.available[int(np.argmin(np.abs(self.available - step)))]

    def phase(self, step: float) -> str:
        return self.names[int(np.searchsorted(self.edges, step, side="right"))]

    def moment(
        self, kind: str, step: Any, reason: str, around: tuple[float, float] | None = None, **more: Any
    ) -> Moment:
        """The moment at the available step nearest to `step`, with those nearest to `around` before and after it."""
        here = self.nearest(step)
        low, high = around or (here - self.window, here + self.window)
        earlier, later = self.available[self.available < here], self.available[self.available > here]
        before = earlier[int(np.argmin(np.abs(earlier - low)))] if earlier.size else here
        after = later[int(np.argmin(np.abs(later - high)))] if later.size else here
        return Moment(kind, here.item(), before.item(), after.item(), self.phase(here), reason, **more)


def _extents(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Onset and end of every change, (n,) each; its step where a detector tells none."""
    step = table["step"].to_numpy(dtype=float)
    low, high = (table[name].to_numpy(dtype=float) if name in table else step for name in ("onset", "end"))
    return np.fmin(low, step), np.fmax(high, step)


def _events(sure: pd.DataFrame, cuts: _Cuts) -> list[Moment]:
    """The distinct events among significant changes, the strongest first."""
    if sure.empty:
        return []
    step = sure["step"].to_numpy(dtype=float)
    low, high = _extents(sure)
    width = np.maximum(high - low, cuts.window)
    alike = np.maximum(width[:, None], width) <= _ALIKE * np.minimum(width[:, None], width)
    reach_low, reach_high = np.minimum(low, step - cuts.window), np.maximum(high, step + cuts.window)
    within = (reach_low[:, None] <= step) & (step <= reach_high[:, None])
    shared = within & within.T & alike
    left = np.ones(len(sure), dtype=bool)
    q_value, score = sure["q_value"].to_numpy(dtype=float), sure["score"].to_numpy(dtype=float)
    found: dict[int, Moment] = {}
    while left.any():
        sharing = (shared & left).sum(axis=1)
        seed = np.lexsort((step, -score, q_value, -sharing, ~left))[0]
        near = shared[seed] & left
        first, last = low[near].min(), high[near].max()
        span = max(last - first, cuts.window)
        members = near | (left & (first <= step) & (step <= last) & (width <= span) & (_ALIKE * width >= span))
        left &= ~members
        event = _event(sure[members], float(first), float(last), cuts)
        found.setdefault(event.step, event)
    return sorted(found.values(), key=lambda moment: moment.rank)


def _event(rows: pd.DataFrame, onset: float, end: float, cuts: _Cuts) -> Moment:
    """The moment at which the changes of `rows` happen, from `onset` to `end`."""
    ordered = rows.sort_values(["q_value", "score", "step", "layer"], ascending=[True, False, True, True])
    of_layers = ordered[ordered["layer"] != RUN_LEVEL]
    measures = ordered[ordered["layer"] == RUN_LEVEL]
    best = (of_layers if len(of_layers) else measures).iloc[0]
    layers = tuple(dict.fromkeys(of_layers["layer"]))
    abrupt = rows["kind"] == "jump" if "kind" in rows else rows["step"].notna()
    kind = "jump" if 2 * int(abrupt.sum()) >= len(rows) else "transition"
    if kind == "jump":
        step = rows.loc[ordered.index[abrupt[ordered.index]][0], "step"]
        around = (min(step - cuts.window, onset), max(step + cuts.window, end))
    else:
        step = (measures if len(measures) else rows)["step"].median()
        around = (onset - cuts.window, end + cuts.window)
    return cuts.moment(
        kind,
        step,
        _reason(best, kind, layers, measures, (onset, end)),
        around,
        layer=best["layer"] if len(of_layers) else "",
        metric=best["metric"],
        layers=layers,
        score=float(best["score"]),
        q_value=float(best["q_value"]),
        series=len(of_layers[["layer", "metric"]].drop_duplicates()),
        progress=tuple(dict.fromkeys(measures["metric"])),
        onset=onset,
        end=end,
    )


def _reason(best: Any, kind: str, layers: tuple[str, ...], measures: pd.DataFrame, extent: tuple[float, float]) -> str:
    owner = f"{best['metric']} of {best['layer']}" if layers else best["metric"]
    others = len(layers) - 1
    also = ""
    if others > 0:
        also = f"; {counted(others, 'other layer')} change{'s' if others == 1 else ''} with it"
    taking = f"; together they take from step {extent[0]:.0f} to {extent[1]:.0f}" if kind == "transition" else ""
    changes = [
        f"{row.metric} goes from {' to '.join(levels_text(row.value_before, row.value_after))} between steps "
        f"{row.onset:.0f} and {row.end:.0f}"
        for row in measures.itertuples()
    ]
    progress = f"; {' and '.join(changes)}" if layers and changes else ""
    return (
        f"{owner} goes {best['direction']} by {abs(best['size']):.3g}, among the most shared and most significant "
        f"changes (q = {best['q_value']:.2g}){also}{progress}{taking}"
    )


def _controls(
    event: Moment,
    taken: Sequence[tuple[float, float]],
    cuts: _Cuts,
    count: int,
    loss: tuple[Sequence[float], Sequence[float]] | None,
) -> list[Moment]:
    """Up to `count` stretches as long as the event that meet none of `taken` nor one another, first of its phase."""
    before, after = event.step - event.before, event.after - event.step
    quiet = cuts.available[
        (cuts.available - before >= cuts.available[0]) & (cuts.available + after <= cuts.available[-1])
    ]
    for low, high in taken:
        quiet = quiet[(quiet + after <= low) | (quiet - before >= high)]
    if not quiet.size or not count:
        return []
    distance = np.abs(quiet - event.step).astype(float)
    elsewhere = np.array([cuts.phase(step) != event.phase for step in quiet])
    unlike, how = distance, "the nearest"
    if loss is not None:
        reach = max(2 * cuts.window, before, after)
        unlike = np.abs(_slopes(loss, quiet, reach) - _slopes(loss, np.array([event.step]), reach)[0])
        unlike, how = np.where(np.isfinite(unlike), unlike, np.inf), "where the loss falls at the most similar rate"
    apart = before + after + cuts.window
    chosen = _apart(quiet[np.lexsort((distance, unlike, elsewhere))], apart, count)
    if len(chosen) < count:
        chosen = max(chosen, _apart(quiet, apart, count), key=len)
    found = []
    for step in chosen:
        phase = cuts.phase(step)
        where = f"of the {phase} phase" + ("" if phase == event.phase else f", as the {event.phase} has no room")
        reason = f"matched control {where}, {how}, to compare with the {event.kind} at step {event.step}"
        around = (step - before, step + after)
        found.append(cuts.moment("control", step, reason, around, control_for=event.step))
    return found


def _apart(steps: np.ndarray, apart: float, count: int) -> list[Any]:
    """The first `count` of `steps` that are `apart` from those before them."""
    chosen: list[Any] = []
    for step in steps:
        if len(chosen) < count and all(abs(step - other) >= apart for other in chosen):
            chosen.append(step)
    return chosen


def _slopes(loss: tuple[Sequence[float], Sequence[float]], at: np.ndarray, reach: float) -> np.ndarray:
    """Least-squares slope of the loss within `reach` of every step in `at`; NaN with under 3 points."""
    steps, values = (np.asarray(part, dtype=float) for part in loss)
    if steps.shape != values.shape or steps.ndim != 1:
        raise OntogenyError("loss must be two series of one length: the steps and the values")
    reach = max(reach, 3 * float(np.median(np.diff(steps))) if steps.size > 1 else 3.0)
    out = np.full(at.size, np.nan)
    for k, step in enumerate(at):
        near = (np.abs(steps - step) <= reach) & np.isfinite(values)
        if near.sum() >= 3:
            x = steps[near] - steps[near].mean()
            out[k] = float(x @ values[near] / (x @ x))
    return out


@checks_arguments
def write_plan(plan: CapturePlan, path: str | os.PathLike) -> None:
    """Write a plan as JSON that a person can read; the same plan, the same bytes.

    Raises OntogenyError for anything else than a plan.
    """
    moments = [asdict(moment) | {"steps": moment.steps} for moment in plan.moments]
    write_json(
        path,
        {
            "format": FORMAT,
            "run": plan.run,
            "answer": plan.answer,
            "window": plan.window,
            "notes": plan.notes,
            "steps": plan.steps,
            "moments": moments,
        },
    )


@checks_arguments
def read_plan(path: str | os.PathLike) -> CapturePlan:
    """Read a plan that `write_plan` wrote. Raises OntogenyError if the file holds no plan."""
    data = read_json(path)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise OntogenyError(f"{Path(path)} is not a capture plan: its format should be {FORMAT!r}")
    try:
        moments = tuple(
            replace(
                Moment(**{key: v for key, v in moment.items() if key != "steps"}),
                layers=tuple(moment["layers"]),
                progress=tuple(moment.get("progress", ())),
            )
            for moment in data["moments"]
        )
        return CapturePlan(data["run"], moments, data["window"], tuple(data["notes"]), data.get("answer", ""))
    except (KeyError, TypeError, AttributeError) as error:
        raise OntogenyError(f"{Path(path)} lacks what a capture plan holds: {error}") from None
