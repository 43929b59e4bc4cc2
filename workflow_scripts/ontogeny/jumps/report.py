"""The jumps of whole records: every layer and metric of every run, with p-values, false discovery rates and reasons."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError, unknown
from ontogeny.files import read_json, write_csv, write_json
from ontogeny.jumps.answer import Answer, answer_of, counted_changes
from ontogeny.jumps.detection import Series, changes_in_each, look_at
from ontogeny.jumps.detectors import DETECTORS, Detector, check_settings, resolve_detector
from ontogeny.jumps.events import Detection, as_series
from ontogeny.jumps.settings import JumpSettings
from ontogeny.jumps.validity import false_alarm_rate
from ontogeny.phase1 import RUN_LEVEL, Phase1
from ontogeny.phase1.record import COLUMNS as OF_RECORDS
from ontogeny.statistics import adjust
from ontogeny.words import counted

if TYPE_CHECKING:
    import pandas as pd

FORMAT = "ontogeny-jumps/1"

COLUMNS = (
    "run", "layer", "metric", "step", "index", "size", "direction", "score", "p_value", "q_value", "significant",
    "kind", "onset", "end", "width", "midpoint_low", "midpoint_high", "width_low", "width_high", "value_before",
    "value_after", "z_score",
)  # fmt: skip
Name = tuple[str, str, str]
"""Run, layer and metric of a series."""
_OF_RUN = ("run", "layer", "metric", "q_value", "significant")
_OF_JUMP = tuple(column for column in COLUMNS if column not in _OF_RUN)


@dataclass(frozen=True)
class JumpReport:
    """Jumps of one or more runs and what is needed to judge them.

    table: one row per jump, columns `COLUMNS`, in the order of the record; `significant` where q_value is at most
    `false_discovery_rate`. false_alarms: the detector's measured false alarms per 1,000 measurements (`FalseAlarms`).
    series: one row for each layer and metric of a run: measurements, missing, first_step, last_step, jumps, abstained
    (a reason, or empty), remarks (what is wrong with the series, or empty).

    `kind` is 'jump' or 'transition'; the steps of a transition are its midpoint, `onset` and `end`, with 95% intervals
    of midpoint and width (see `ontogeny.jumps.Jump`). answers: of each run, in words, which step it was
    and how sure that is (`with_answers`; none until asked for).
    """

    table: pd.DataFrame
    series: pd.DataFrame
    detector: str
    settings: dict[str, Any]
    noise_floor: float
    false_discovery_rate: float
    seed: int
    surrogates: int
    false_alarms: dict[str, Any]
    transitions: bool = True
    notes: tuple[str, ...] = field(default_factory=tuple)
    answers: tuple[Answer, ...] = field(default_factory=tuple)

    @property
    def significant(self) -> pd.DataFrame:
        """The rows of `table` that are significant."""
        return self.table[self.table["significant"]].reset_index(drop=True)

    @property
    def abstentions(self) -> pd.DataFrame:
        """The series on which the detector gave no judgement, and why."""
        return self.series[self.series["abstained"] != ""].reset_index(drop=True)

    def summary(self) -> str:
        """What was found, in a few plain sentences."""
        sure, series = int(self.table["significant"].sum()), len(self.series)
        away = len(self.abstentions)
        alarms = self.false_alarms
        lines = [
            f"{counted_changes(self.table)} in {series - away} series of "
            f"{counted(self.series['run'].nunique(), 'run')}, {sure} significant at a false discovery rate of "
            f"{self.false_discovery_rate:g}.",
            f"The detector ({self.detector}) gives {alarms['rate']:.2f} false alarms per 1,000 measurements "
            f"(95% interval {alarms['low']:.2f} to {alarms['high']:.2f}) in series without a jump, at worst "
            f"{alarms['worst']:.2f} ({str(alarms['worst_null']).replace('_', ' ')}).",
        ]
        if self.transitions and len(self.series):
            lines.append(
                "Changes over up to a third of a series are judged (here up to "
                f"{int(self.series['measurements'].median()) // 3} measurements); slower ones are not told from drift, "
                "and what comes and goes between two measurements is not seen."
            )
        if away:
            reasons = self.abstentions.groupby("abstained", sort=True).size()
            lines.append("No judgement on " + "; ".join(f"{n} series ({why})" for why, n in reasons.items()) + ".")
        return "\n".join([*map(str, self.answers), *lines, *self.notes])


@checks_arguments
def find_jumps(
    frame: Phase1 | pd.DataFrame,
    settings: JumpSettings | None = None,
    *,
    detector: str | Callable[..., Any] | Detector | None = None,
    seed: int = 0,
    surrogates: int = 99,
    **changes: Any,
) -> JumpReport:
    """Find the jumps of every layer and metric of every run.

    frame: a record, or its frame, with the columns run, layer, step, metric, value; run-level metrics stand under the
    layer "(run)" and are searched only when `metrics` names them. settings: which metrics, which detector, and when a
    change is a jump.
    detector: by name or as a function, in place of that of the settings. changes: fields of `JumpSettings` in place of
    those of the settings; others go to the detector. surrogates: number drawn from each series with jumps, for
    p-values: the larger of theirs and that of the battery of nulls counts (a few are drawn first, and the others where
    theirs may be the larger).

    Within a run, the false discovery rate is controlled (Benjamini and Hochberg) over all layers and metrics that
    were judged: every jump is one test, and so is every series without one (p = 1). Deterministic for a seed.
    Raises OntogenyError for a frame that lacks columns, metrics that it lacks, or a series that is not valid.
    """
    frame = frame_of(frame)
    settings, given_to_detector = _completed(settings, detector, changes)
    chosen_detector = settings.detector if detector is None else detector
    name, entry = resolve_detector(chosen_detector)
    completed = check_settings(name, entry, given_to_detector)
    notes: list[str] = []
    names, given = _given_series(_chosen(frame, settings.metrics, notes))
    looks = [look_at(values) for values, _ in given] if entry.guarded or settings.transitions else None
    jumps, judged = changes_in_each(
        given,
        chosen_detector,
        settings.noise_floor,
        settings.transitions,
        surrogates=surrogates,
        seeds=[_seed(seed, *name) for name in names],
        looks=looks,
        **given_to_detector,
    )
    remarks = [list(found.notes) for found in jumps]
    if settings.transitions:
        for found, said in zip(jumps, remarks):
            said += [f"jumps were not looked for: {found.abstained}"] if found.abstained else []
    remarks = [[] if found.abstained else said for found, said in zip(judged, remarks)]
    for (run, layer, metric), said in zip(names, remarks):
        notes += [f"Run {run}, layer {layer}, metric {metric}: {note}." for note in said]
    about, events = _tables(names, given, judged, remarks)
    table = _with_q_values(events, about, settings.false_discovery_rate)
    length = int(about["measurements"].median()) if len(about) else 1000
    alarms = false_alarm_rate(chosen_detector, length, **given_to_detector)
    return JumpReport(
        table=table,
        series=about,
        detector=name,
        settings=completed,
        transitions=settings.transitions,
        noise_floor=settings.noise_floor,
        false_discovery_rate=settings.false_discovery_rate,
        seed=seed,
        surrogates=surrogates,
        false_alarms=alarms.as_dict(),
        notes=tuple(notes),
    )


def frame_of(record: Phase1 | pd.DataFrame) -> pd.DataFrame:
    """The frame of a record, or the frame that was given; OntogenyError if it is none or lacks columns."""
    frame = record.frame if isinstance(record, Phase1) else record
    columns = getattr(frame, "columns", None)
    if columns is None:
        raise OntogenyError(
            f"a record is expected, as read_phase1(path) gives it, or its frame, not {type(record).__name__}: "
            "detect_jumps and detect_transitions search an array"
        )
    if lacking := [name for name in OF_RECORDS if name not in columns]:
        raise OntogenyError(
            f"the table lacks the columns {', '.join(lacking)}: a record's frame has a row for each value, with the "
            f"columns {', '.join(OF_RECORDS)}; read_phase1 makes it of a file with a column for each metric"
        )
    return frame


def _given_series(frame: pd.DataFrame) -> tuple[list[Name], list[Series]]:
    """The run, layer and metric of every series of a tidy table, and its values and steps."""
    groups = frame.groupby(["run", "layer", "metric"], sort=False, observed=True)
    order = np.argsort(groups.ngroup().to_numpy(), kind="stable")
    ends = np.cumsum(groups.size().to_numpy())
    names: list[Name] = [tuple(name) for name in groups.size().index]
    values, steps = frame["value"].to_numpy()[order], frame["step"].to_numpy()[order]
    given: list[Series] = []
    for name, low, high in zip(names, [0, *ends[:-1]], ends):
        try:
            given.append(as_series(values[low:high], steps[low:high]))
        except OntogenyError as error:
            raise OntogenyError(f"run {name[0]}, layer {name[1]}, metric {name[2]}: {error}") from None
    return names, given


def _tables(
    names: list[Name], given: list[Series], judged: Sequence[Detection], remarks: list[list[str]]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row for each series, and one for each of its jumps."""
    import pandas as pd

    series: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    for (run, layer, metric), (_, steps), found, said in zip(names, given, judged, remarks):
        series.append(
            {
                "run": run,
                "layer": layer,
                "metric": metric,
                "measurements": found.length,
                "missing": found.missing,
                "first_step": steps[0].item(),
                "last_step": steps[-1].item(),
                "jumps": len(found),
                "abstained": found.abstained or "",
                "remarks": "; ".join(said),
            }
        )
        events += [
            {"run": run, "layer": layer, "metric": metric} | {key: getattr(jump, key) for key in _OF_JUMP}
            for jump in found
        ]
    return (
        pd.DataFrame(series, columns=list(_SERIES)),
        pd.DataFrame(events, columns=["run", "layer", "metric", *_OF_JUMP]),
    )


def _completed(
    settings: JumpSettings | None, detector: Any, changes: dict[str, Any]
) -> tuple[JumpSettings, dict[str, Any]]:
    """The settings with `changes` laid over them, and what the detector is given."""
    own = {key: value for key, value in changes.items() if key in JumpSettings.model_fields and key != "threshold"}
    fields = (settings or JumpSettings()).model_dump() | own
    if detector is not None:
        fields |= {"threshold": None}
        fields |= {"detector": detector} if isinstance(detector, str) and detector in DETECTORS else {}
    completed = JumpSettings(**fields)
    given = {key: value for key, value in changes.items() if key not in own}
    return completed, completed.detector_settings() | given


def _chosen(frame: pd.DataFrame, metrics: Iterable[str] | None, notes: list[str]) -> pd.DataFrame:
    if metrics is None:
        chosen = frame[frame["layer"] != RUN_LEVEL]
        for run in frame["run"].unique():
            if not (chosen["run"] == run).any():
                notes.append(
                    f"Run {run} holds no metric of a layer, only {', '.join(_names(frame, run))}: nothing to detect in "
                    "layers."
                )
        return chosen
    named = [metrics] if isinstance(metrics, str) else list(metrics)
    known = list(frame["metric"].unique())
    for metric in named:
        if metric not in known:
            raise unknown("metric", metric, known, "the table of measurements")
    return frame[frame["metric"].isin(named)]


def _names(frame: pd.DataFrame, run: str) -> list[str]:
    return sorted(frame.loc[frame["run"] == run, "metric"].unique())


def _seed(seed: int, *names: str) -> int:
    """A seed for one series: of the given one and the series' names, the same on every machine."""
    import hashlib

    digest = hashlib.sha256("\0".join([str(seed), *map(str, names)]).encode()).digest()
    return int.from_bytes(digest[:8], "big")


def _with_q_values(table: pd.DataFrame, series: pd.DataFrame, level: float) -> pd.DataFrame:
    import pandas as pd

    q_values = np.full(len(table), math.nan)
    judged = series[series["abstained"] == ""]
    for run in table["run"].unique():
        rows = np.flatnonzero(table["run"] == run)
        silent = int(((judged["run"] == run) & (judged["jumps"] == 0)).sum())
        q_values[rows] = adjust(table["p_value"].to_numpy(float)[rows], "bh", tests=silent + rows.size).p_values
    table = table.assign(q_value=q_values, significant=pd.Series(q_values <= level, dtype=bool))
    return table[list(COLUMNS)]


@checks_arguments
def write_jumps(report: JumpReport, json_path: str | os.PathLike, csv_path: str | os.PathLike | None = None) -> None:
    """Write a report as JSON, and its table as CSV where a path is given; the same report, the same bytes.

    Raises OntogenyError for anything else than a report.
    """
    write_json(
        json_path,
        {
            "format": FORMAT,
            "summary": report.summary().split("\n"),
            "detector": report.detector,
            "settings": report.settings,
            "transitions": report.transitions,
            "noise_floor": report.noise_floor,
            "false_discovery_rate": report.false_discovery_rate,
            "seed": report.seed,
            "surrogates": report.surrogates,
            "false_alarms": report.false_alarms,
            "notes": list(report.notes),
            "answers": [answer.as_dict() for answer in report.answers],
            "jumps": [
                row | {"false_alarms_per_1000": report.false_alarms["rate"]}
                for row in report.table.to_dict(orient="records")
            ],
            "series": report.series.to_dict(orient="records"),
        },
    )
    if csv_path is not None:
        write_csv(csv_path, report.table)


@checks_arguments
def read_jumps(path: str | os.PathLike) -> JumpReport:
    """Read a report that `write_jumps` wrote as JSON. Raises OntogenyError if the file holds no such report."""

    data = read_json(path)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else None
        raise OntogenyError(
            f"{Path(path)} is not a report of jumps: its format is {found!r}, and {FORMAT!r} is expected"
        )
    try:
        table = _frame(data["jumps"], COLUMNS, dict.fromkeys(_FLOATS, float))
        series = _frame(data["series"], _SERIES, {})
        return JumpReport(
            table=table.assign(significant=table["significant"].astype(bool)),
            series=series,
            detector=data["detector"],
            settings=data["settings"],
            transitions=data["transitions"],
            noise_floor=data["noise_floor"],
            false_discovery_rate=data["false_discovery_rate"],
            seed=data["seed"],
            surrogates=data["surrogates"],
            false_alarms=data["false_alarms"],
            notes=tuple(data["notes"]),
            answers=tuple(map(answer_of, data["answers"])),
        )
    except KeyError as error:
        raise OntogenyError(
            f"{Path(path)} was written by an earlier version, before reports had {error}: detect its jumps again, with "
            "snakemake --forcerun detect_jumps (import_phase1 for records), or with find_jumps on its record"
        ) from None
    except (TypeError, ValueError) as error:
        raise OntogenyError(f"{Path(path)} is not a whole report of jumps: {error}") from None


_FLOATS = [
    column
    for column in COLUMNS
    if column not in ("run", "layer", "metric", "step", "index", "direction", "kind", "significant")
]
_SERIES = (
    "run",
    "layer",
    "metric",
    "measurements",
    "missing",
    "first_step",
    "last_step",
    "jumps",
    "abstained",
    "remarks",
)


def _frame(rows: Sequence[dict[str, Any]], columns: Sequence[str], types: dict[str, type]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame([{key: row[key] for key in columns} for row in rows], columns=list(columns))
    return frame.astype(types) if len(frame) else frame
