"""Which moments of a training are worth a closer look: significant jumps, their matched controls, and those named."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ontogeny.errors import OntogenyError, unknown
from ontogeny.files import read_json, write_json
from ontogeny.jumps.report import JumpReport
from ontogeny.jumps.settings import CaptureSettings

if TYPE_CHECKING:
    import pandas as pd

FORMAT = "ontogeny-capture-plan/1"
KINDS = ("start", "jump", "control", "user", "end")
PHASES = {1: ("whole",), 2: ("early", "late"), 3: ("early", "middle", "late")}


@dataclass(frozen=True)
class Moment:
    """One moment to capture.

    kind: 'jump', 'control', 'start', 'end' or 'user'; step: the logged step; before, after: the steps that are
    captured with it; phase: of training; layer, metric: of the strongest jump there (empty for other kinds);
    layers: all layers that jump within the window; score, q_value: of the strongest (None for other kinds);
    control_for: for a control, the step of the jump that it is matched to; reason: why, in words.
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

    @property
    def steps(self) -> tuple[int, ...]:
        """All steps to capture, in order, each once."""
        return tuple(sorted({step for moment in self.moments for step in moment.steps}))

    def text(self) -> str:
        """The plan for a person: one line per moment."""
        lines = [f"Run {self.run}: {len(self.moments)} moments, {len(self.steps)} steps to capture."]
        lines += [f"  {m.kind:<7} step {m.step} (with {m.before} and {m.after}): {m.reason}" for m in self.moments]
        return "\n".join([*lines, *self.notes])


def steps_of(config: Mapping[str, Any]) -> list[int]:
    """The steps of a run, from its config.json, whose network can be had: all, or those of an imported series."""
    return list(config["series"]["steps"]) if "series" in config else list(range(config["last_step"] + 1))


def plan_captures(
    report: JumpReport,
    steps_available: Iterable[int],
    settings: CaptureSettings | None = None,
    *,
    run: str | None = None,
    per_layer: int = 1,
    phases: int = 3,
    user_steps: Iterable[int] = (),
    loss: tuple[Sequence[float], Sequence[float]] | None = None,
) -> CapturePlan:
    """Choose the moments of a run that are worth a closer look.

    report: of `find_jumps`; run: which run of it (may be left out when it holds one). steps_available: the steps at
    which the network can be had. The training is cut into `phases` (1 to 3) of equal length. In each, the `per_layer`
    strongest significant jumps of every layer are taken; those within `window` steps of each other are one moment;
    `settings.strongest` moments are kept. Each gets `settings.controls` matched controls: of the same phase, at least
    three windows from any reported jump, significant or not, and from each other; by the local slope of the loss most
    like that at the jump, where `loss` = (steps, values) is given, else the nearest in time. The first and the
    last step and `user_steps` are always there. `window` is in training steps: `before` and `after` are the available
    steps nearest to that distance.

    Without a significant jump the plan says so, and holds the start, the end, and the user's steps.
    Raises OntogenyError for an unknown run, a step outside the training, or a setting out of its range.
    """
    available = np.unique(np.asarray(list(steps_available)))
    if available.size < 2 or available.dtype.kind not in "iuf":
        raise OntogenyError(f"steps_available holds {available.size} steps: give two or more numbers")
    if phases not in PHASES:
        raise OntogenyError(f"phases = {phases!r} must be 1, 2 or 3")
    if isinstance(per_layer, bool) or int(per_layer) != per_layer or per_layer < 1:
        raise OntogenyError(f"per_layer = {per_layer!r} must be a whole number of 1 or more")
    settings = settings or CaptureSettings()
    window, controls = settings.window, settings.controls
    run = _one_run(report, run)
    cuts = _Cuts(available, phases, window)
    table = report.table[report.table["run"] == run]
    sure = table[table["significant"]]
    notes: list[str] = []
    moments = [
        cuts.moment("start", available[0], "the first step, to compare with"),
        cuts.moment("end", available[-1], "the last step, to compare with"),
    ]
    jumps = _jump_moments(sure, cuts, settings.strongest, per_layer)
    moments += jumps
    if sure.empty:
        notes.append(_no_jumps(table, report))
    elif jumps:
        undisturbed = cuts.undisturbed(table["step"].to_numpy())
        for jump in sorted(jumps, key=lambda m: -(m.score or 0)):
            found = _controls(jump, undisturbed, cuts, controls, loss, report)
            if len(found) < controls:
                notes.append(
                    f"Only {len(found)} of {controls} matched controls found for the jump at step {jump.step}: the "
                    f"{jump.phase} phase holds no other step three windows away from every jump."
                )
            for control in found:
                undisturbed = undisturbed[np.abs(undisturbed - control.step) >= cuts.apart]
            moments += found
    for step in sorted(set(user_steps)):
        if not available[0] <= step <= available[-1]:
            raise OntogenyError(
                f"step {step} lies outside the training, which goes from {available[0]} to {available[-1]}"
            )
        at = cuts.nearest(step)
        reason = "named by the user" if at == step else f"named by the user as {step}, the nearest step there is"
        moments.append(cuts.moment("user", at, reason))
    order = {kind: k for k, kind in enumerate(KINDS)}
    moments.sort(key=lambda m: (m.step, order[m.kind]))
    return CapturePlan(run=run, moments=tuple(moments), window=window, notes=tuple(notes))


def _one_run(report: JumpReport, run: str | None) -> str:
    known = [str(name) for name in report.series["run"].unique()]
    if run is not None:
        if run not in known:
            raise unknown("run", run, known or ["(none)"], "the report of jumps")
        return run
    if len(known) != 1:
        raise OntogenyError(f"the report of jumps holds {len(known)} runs: say which with run=")
    return known[0]


def _no_jumps(table: pd.DataFrame, report: JumpReport) -> str:
    judged = int((report.series["abstained"] == "").sum())
    if table.empty:
        found = "no jump was detected" if judged else "no series was long enough to be judged"
    else:
        found = f"none of the {len(table)} jumps detected is significant at {report.false_discovery_rate:g}"
    return (
        f"There is no jump to look at: {found}. The plan holds only the start, the end and the steps named by the user."
    )


class _Cuts:
    """The steps there are, cut into phases."""

    def __init__(self, available: np.ndarray, phases: int, window: int) -> None:
        self.available, self.window, self.apart = available, window, 3 * window
        self.names = PHASES[phases]
        self.edges = np.linspace(available[0], available[-1], phases + 1)[1:-1]

    def nearest(self, step: float) -> Any:
        return self.available[int(np.argmin(np.abs(self.available - step)))]

    def phase(self, step: float) -> str:
        return self.names[int(np.searchsorted(self.edges, step, side="right"))]

    def undisturbed(self, jumps: np.ndarray) -> np.ndarray:
        """Steps at least three windows from every jump and one window from the ends."""
        inner = self.available[
            (self.available - self.available[0] >= self.window) & (self.available[-1] - self.available >= self.window)
        ]
        if not jumps.size or not inner.size:
            return inner
        return inner[np.abs(inner[:, None] - jumps[None, :]).min(axis=1) >= self.apart]

    def moment(self, kind: str, step: Any, reason: str, **more: Any) -> Moment:
        here = self.nearest(step)
        earlier, later = self.available[self.available < here], self.available[self.available > here]
        before = earlier[int(np.argmin(np.abs(earlier - (here - self.window))))] if earlier.size else here
        after = later[int(np.argmin(np.abs(later - (here + self.window))))] if later.size else here
        return Moment(kind, here.item(), before.item(), after.item(), self.phase(here), reason, **more)


def _jump_moments(sure: pd.DataFrame, cuts: _Cuts, strongest: int, per_layer: int) -> list[Moment]:
    if sure.empty or not strongest:
        return []
    phase = sure["step"].map(cuts.phase)
    ordered = sure.assign(phase=phase).sort_values(["score", "step", "layer"], ascending=[False, True, True])
    chosen: list[Moment] = []
    for name in cuts.names:
        here = ordered[ordered["phase"] == name]
        taken = here.groupby("layer", sort=False).head(per_layer)
        kept: list[Moment] = []
        for row in taken.itertuples():
            if len(kept) == strongest:
                break
            if any(abs(m.step - row.step) <= cuts.window for m in [*chosen, *kept]):
                continue
            near = sure[(sure["step"] - row.step).abs() <= cuts.window]
            layers = tuple(dict.fromkeys([row.layer, *near["layer"]]))
            kept.append(
                cuts.moment(
                    "jump",
                    row.step,
                    _jump_reason(row, layers),
                    layer=row.layer,
                    metric=row.metric,
                    layers=layers,
                    score=float(row.score),
                    q_value=float(row.q_value),
                )
            )
        chosen += kept
    return chosen


def _jump_reason(row: Any, layers: tuple[str, ...]) -> str:
    others = len(layers) - 1
    also = (
        f"; {others} other layer{'s' if others > 1 else ''} jump{'s' if others == 1 else ''} with it" if others else ""
    )
    return (
        f"{row.metric} of {row.layer} goes {row.direction} by {abs(row.size):.3g}, among the strongest significant "
        f"jumps of the {row.phase} phase (q = {row.q_value:.2g}){also}"
    )


def _controls(
    jump: Moment,
    undisturbed: np.ndarray,
    cuts: _Cuts,
    count: int,
    loss: tuple[Sequence[float], Sequence[float]] | None,
    report: JumpReport,
) -> list[Moment]:
    here = undisturbed[[cuts.phase(step) == jump.phase for step in undisturbed]] if undisturbed.size else undisturbed
    found: list[Moment] = []
    while len(found) < count and here.size:
        distance = np.abs(here - jump.step).astype(float)
        if loss is not None:
            unlike = np.abs(_slopes(loss, here, cuts) - _slopes(loss, np.array([jump.step]), cuts)[0])
            best = here[np.lexsort((distance, np.where(np.isfinite(unlike), unlike, np.inf)))[0]]
            how = "where the loss falls at the most similar rate"
        else:
            best, how = here[int(np.argmin(distance))], "the nearest"
        reason = f"matched control of the {jump.phase} phase, {how}, to compare with the jump at step {jump.step}"
        found.append(cuts.moment("control", best, reason, control_for=jump.step))
        here = here[np.abs(here - best) >= cuts.apart]
    return found


def _slopes(loss: tuple[Sequence[float], Sequence[float]], at: np.ndarray, cuts: _Cuts) -> np.ndarray:
    """Least-squares slope of the loss over two windows to each side of every step in `at`; NaN with under 3 points."""
    steps, values = (np.asarray(part, dtype=float) for part in loss)
    if steps.shape != values.shape or steps.ndim != 1:
        raise OntogenyError("loss must be two series of one length: the steps and the values")
    spacing = float(np.median(np.diff(steps))) if steps.size > 1 else 1.0
    reach = max(2 * cuts.window, 3 * spacing)
    out = np.full(at.size, np.nan)
    for k, step in enumerate(at):
        near = (np.abs(steps - step) <= reach) & np.isfinite(values)
        if near.sum() >= 3:
            x = steps[near] - steps[near].mean()
            out[k] = float(x @ values[near] / (x @ x))
    return out


def write_plan(plan: CapturePlan, path: str | os.PathLike) -> None:
    """Write a plan as JSON that a person can read; the same plan, the same bytes."""
    moments = [asdict(moment) | {"steps": moment.steps} for moment in plan.moments]
    write_json(
        path,
        {
            "format": FORMAT,
            "run": plan.run,
            "window": plan.window,
            "notes": plan.notes,
            "steps": plan.steps,
            "moments": moments,
        },
    )


def read_plan(path: str | os.PathLike) -> CapturePlan:
    """Read a plan that `write_plan` wrote. Raises OntogenyError if the file holds no plan."""
    data = read_json(path)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise OntogenyError(f"{Path(path)} is not a capture plan: its format should be {FORMAT!r}")
    try:
        moments = tuple(
            replace(Moment(**{key: v for key, v in moment.items() if key != "steps"}), layers=tuple(moment["layers"]))
            for moment in data["moments"]
        )
        return CapturePlan(data["run"], moments, data["window"], tuple(data["notes"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise OntogenyError(f"{Path(path)} lacks what a capture plan holds: {error}") from None
