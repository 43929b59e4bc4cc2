"""Files of other people's loggers as tables: a column step and one for each metric, or metric, step and value.

Weights & Biases (history and UI exports), TensorBoard (CSV, JSON and event files), Hugging Face `trainer_state.json`,
Lightning `metrics.csv`, MLflow metric files and databases, exports of Comet and Neptune, episodes in `monitor.csv`.
What is not a metric (time stamps, run times, ranges) is left out.
"""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import sys
from collections.abc import Collection, Sequence
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.errors import OntogenyError
from ontogeny.phase1.record import listed, quote
from ontogeny.words import counted

STEP_NAMES = (
    "step", "steps", "global_step", "iteration", "train/global_step", "_step", "trainer/global_step", "iter",
    "iterations", "training_step", "it", "train_step", "time/total_timesteps", "total_timesteps", "timesteps_total",
    "timesteps", "num_updates", "updates", "training_iteration", "batch", "batch_idx", "update", "current_step",
    "current_steps", "global_step/max_steps", "step_num", "num_steps", "train_steps", "training_steps",
    "optimizer_step", "optimizer_steps", "gradient_step", "gradient_steps", "n_updates", "n_iter",
    "counters/train_step", "time/iterations", "env_step", "env_steps", "frames", "tokens", "tokens_seen", "n_tokens",
    "consumed_tokens", "samples_seen", "consumed_samples", "examples_seen",
)  # fmt: skip
"""Names of the column of steps, the first that is there."""

CLOCKS = frozenset(
    ("_timestamp", "_runtime", "timestamp", "wall time", "wall_time", "time", "created_at", "relative time (process)",
     "relative time (wall)", "timestamps", "index")
)  # fmt: skip
"""Columns, in lower case, that hold the time and are not metrics."""

_OF_SPEED = re.compile(
    r"(?:^|[/._ ])(?:run_?time|time_elapsed|elapsed_time|remaining_time|warmup_time|time_this_iter_s|time_total_s"
    r"|(?:time|iterations|timesteps)_since_restore|throughput|fps|pid|eta|eta_seconds"
    r"|(?:samples|steps|iterations|tokens|examples|batches)_per_s(?:ec(?:ond)?)?)$"
)
"""Ends of names, in lower case, that surely tell how fast the machine was. (Names that perhaps do are kept, and
`jumps.measures` does not ask them.)"""

_EVALUATIONS = {"results": "eval/mean_reward", "ep_lengths": "eval/mean_ep_length", "successes": "eval/success_rate"}
"""Arrays of Stable-Baselines3's evaluations, one row for each evaluation and one column for each episode, and what it
calls their means."""

_OF_THE_MACHINE = frozenset(("mode", "epoch", "iter", "step", "time", "data_time", "memory"))
"""What else stands in rows of MMCV and MMEngine than metrics."""

NAMED_VALUES = (
    ("metricName", "metricValue"), ("metric_name", "metric_value"), ("metric", "value"), ("tag", "value"),
    ("variable", "value"), ("key", "value"), ("name", "value"), ("metric.name", "value"),
)  # fmt: skip
"""What the name of a metric and its value are called where each value has a row of its own."""

_RUNS = (
    "run_name", "run", "run_id", "run.name", "run.hash", "experiment_name", "experiment", "exp_name", "trial",
    "trial_id", "model_name", "model",
)  # fmt: skip
_SPLITS = (
    "split", "phase", "mode", "stage", "subset", "partition", "type", "event", "context", "metric.context",
    "metric.context.subset",
)  # fmt: skip
"""Columns, in lower case, that say of which run, and of which part of the data, a row is."""

_EVENTS = re.compile(r"events\.out\.tfevents\.")
PARTS = frozenset(("train", "training", "val", "valid", "validation", "eval", "evaluation", "dev", "test", "testing"))
"""What parts of the data are called, in lower case."""

_SIGNS = re.compile(r"[^a-z0-9]+")
_NUMBER = re.compile(r"^[+-]?\d*\.?\d+(?:[eE][+-]?\d+)?$")
_OF_ALL = re.compile(r"^\d+\s*/\s*\d+$")
_TIME = re.compile(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_MLFLOW = re.compile(r"^\d{9,}\s+\S+\s+\d+$")


def step_key(row: Collection[str]) -> str | None:
    """The name under which the steps stand among these names; epochs serve where there is nothing better."""
    for name in STEP_NAMES:
        if name in row:
            return name
    lowered = {str(name).strip().lower(): name for name in row}
    spelled = {_SIGNS.sub("_", name).strip("_"): given for name, given in lowered.items()}
    for name in (*STEP_NAMES, "epoch"):
        if name in lowered or name in spelled:
            return lowered.get(name, spelled.get(name))
    return spelled.get("train_epoch")


def is_clock(name: str) -> bool:
    """Whether a column holds the time or the machine's speed, numbers the rows, or belongs to the logger itself."""
    lowered = name.strip().lower()
    of_logger = lowered.startswith(("_", "unnamed: ")) or lowered.endswith(("__min", "__max"))
    return lowered in CLOCKS or of_logger or _OF_SPEED.search(lowered) is not None


def logged_table(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """A table of a logger as one that the readers of tables know; other tables come back as they are.

    Clocks go; "run - metric" of a UI export is split into a column run; a TensorBoard series takes its metric from the
    file's name; rows of one step that fill each other's gaps become one.
    """
    frame = _with_header(frame, path)
    lowered = {str(name).strip().lower(): name for name in frame.columns}
    if {"wall time", "step", "value"} <= lowered.keys() and "metric" not in lowered:
        metric = path.name.split("-tag-")[-1].rsplit(".", 1)[0]
        return frame.rename(columns={lowered["step"]: "step", lowered["value"]: metric})[["step", metric]]
    if list(frame.columns[:3]) == ["r", "l", "t"]:
        return _episodes(frame)
    kept = [name for name in frame.columns if str(name).strip().lower() == "_step" or not is_clock(str(name))]
    frame = _told_apart(frame[kept])
    if {"metric", "value"} <= {str(name).strip().lower() for name in frame.columns}:
        return frame
    dashed = [str(name) for name in kept if " - " in str(name)]
    steps = [name for name in kept if " - " not in str(name) and step_key([str(name)]) is not None]
    if dashed and len(steps) <= 1 and len(dashed) == len(kept) - len(steps):
        parts = []
        for name in dashed:
            run, _, metric = name.rpartition(" - ")
            step = steps[0] if steps else f"{run} - _step"
            if is_clock(metric) or step not in frame:
                continue
            part = pd.DataFrame({"run": run, "step": frame[step], "metric": metric, "value": frame[name]})
            parts.append(part[part["value"].notna() & (part["value"].astype(str) != "")])
        return pd.concat(parts, ignore_index=True) if parts else frame
    if [str(name) for name in frame.columns if step_key([str(name)]) is None] == ["value"]:
        frame = frame.rename(columns={"value": path.name.split(".", 1)[0] or "value"})
    return _merged(frame)


def _told_apart(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of which rows of one step are told apart by the name of a metric, of a run, or of a part of the data, in
    the columns metric and value, in the column run, or with that part in the names of the metrics; others as they are.
    """
    step = step_key([str(name) for name in frame.columns])
    lowered = {str(name).strip().lower(): name for name in frame.columns}
    if step is None or "layer" in lowered:
        return frame
    keys = [step]
    named = next((pair for pair in NAMED_VALUES if {name.lower() for name in pair} <= lowered.keys()), None)
    if named is not None and _is_text(frame[lowered[named[0].lower()]]):
        frame = frame.rename(columns={lowered[name.lower()]: to for name, to in zip(named, ("metric", "value"))})
        keys.append("metric")
    run = next((lowered[name] for name in _RUNS if name in lowered and lowered[name] in frame), None)
    named_run = run is not None and str(run).lower() in ("run", "run_name")
    if run is not None and (named_run or frame.duplicated(keys).any()) and _is_text(frame[run], numbers="id" in run):
        extra = [lowered[name] for name in _RUNS if name in lowered and lowered[name] not in (run, step)]
        frame = frame.drop(columns=[name for name in extra if name in frame]).rename(columns={run: "run"})
        keys.append("run")
    split = next((lowered[name] for name in _SPLITS if name in lowered and lowered[name] in frame), None)
    if split is not None and frame[split].astype(str).str.startswith("{").all():
        frame = frame.assign(**{split: frame[split].map(_parsed_context)})
    if split is None or not frame.duplicated(keys).any() or not _is_text(frame[split]):
        return frame
    if "metric" in keys:
        return frame.assign(metric=frame[split].astype(str) + "/" + frame["metric"].astype(str)).drop(columns=split)
    parts = []
    for name, part in frame.groupby(split, sort=False):
        others = {column: f"{name}/{column}" for column in part.columns if column not in (*keys, "epoch")}
        parts.append(part.drop(columns=split).rename(columns=others))
    return pd.concat(parts, ignore_index=True)


def _parsed_context(text: str) -> str:
    """What Aim writes as `{"subset": "val"}`: val."""
    with suppress(ValueError):
        return "/".join(texts_of(json.loads(text)))
    return text


def texts_of(context: Any) -> list[str]:
    """The texts that a context consists of, as Aim's `{"subset": "train"}`."""
    return [item for item in context.values() if isinstance(item, str)] if isinstance(context, dict) else []


def _is_text(column: pd.Series, numbers: bool = False) -> bool:
    """Whether a column is of names, and not of numbers unless these are asked for too."""
    cells = column[column.notna()]
    return len(cells) > 0 and (numbers or bool(pd.to_numeric(cells, errors="coerce").isna().all()))


def _with_header(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """A series as Neptune exports it (step, time and value, without a header) with one; other tables as they are."""
    first = [str(name) for name in frame.columns]
    if len(first) != 3 or not (_NUMBER.match(first[0]) and _TIME.match(first[1]) and _NUMBER.match(first[2])):
        return frame
    names = ["step", "timestamp", path.name.split(".", 1)[0] or "value"]
    return pd.concat([pd.DataFrame([first], columns=names), frame.set_axis(names, axis=1)], ignore_index=True)


def _episodes(frame: pd.DataFrame) -> pd.DataFrame:
    """Episodes in a `monitor.csv` of reinforcement learning, with the steps of the environment at their ends."""
    steps = pd.to_numeric(frame["l"], errors="coerce").cumsum()
    names = {"r": "episode_return", "l": "episode_length"}
    return frame.drop(columns="t").rename(columns=names).assign(step=steps)


def _merged(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of one step made one, where no two of them hold different values of a metric."""
    step = step_key([str(name) for name in frame.columns])
    named = {str(name).strip().lower() for name in frame.columns}
    if step is None or {"run", "layer", "metric"} & named or not frame[step].duplicated().any():
        return frame
    filled = frame.astype(object).where(frame.notna() & (frame.astype(str) != ""))
    counts = filled.groupby(step, sort=False).count()
    others = [name for name in counts.columns if str(name).lower() != "epoch"]
    if (counts[others] > 1).any().any():
        return frame
    merged = filled.groupby(step, sort=False).first().reset_index()
    for name in merged.columns:
        numbers = pd.to_numeric(merged[name], errors="coerce")
        if numbers.count() == merged[name].count():
            merged[name] = numbers.astype(object).where(numbers.notna(), None)
    return merged


def trainer_state(data: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The rows of a Hugging Face `trainer_state.json`, those of one step merged; None if it is not one.

    Rows without a step, and the last one, which sums up the training, are left out.
    """
    rows = data.get("log_history")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return None
    rows = [row for row in rows if "step" in row and "train_runtime" not in row]
    if not rows:
        return None
    merged: dict[Any, dict[str, Any]] = {}
    for row in rows:
        numbers = {key: value for key, value in row.items() if isinstance(value, int | float)}
        merged.setdefault(row["step"], {}).update(numbers)
    return [{**row, "step": step} for step, row in merged.items()]


def named_values(rows: list[Any]) -> list[Any]:
    """Rows of one value each, as Comet and MLflow export them, as one row for each step; others as they are.

    A metric that was logged in a context ("train", "validate") is called by both.
    """
    pair = next(
        (
            (name, value)
            for name, value in NAMED_VALUES
            if all(isinstance(row, dict) and {name, value, "step"} <= row.keys() for row in rows)
        ),
        None,
    )
    if pair is None or any("layer" in row or not isinstance(row[pair[0]], str) for row in rows):
        return rows
    merged: dict[Any, dict[str, Any]] = {}
    for row in rows:
        if row["step"] is not None:
            name = "/".join(str(row[key]) for key in ("runContext", pair[0]) if row.get(key))
            merged.setdefault(row["step"], {})[name] = row[pair[1]]
            with suppress(TypeError, ValueError):
                merged[row["step"]][name] = float(row[pair[1]])
    return [{**row, "step": step} for step, row in merged.items()]


def with_splits(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of one step that are told apart by the part of the data they are of as one, with that part in the names of
    their metrics; others come back as they are."""
    split = next((name for name in _SPLITS if all(isinstance(row.get(name), str) for row in rows)), None)
    steps = [row.get(step_key(row) or "") for row in rows]
    if split is None or len({str(step) for step in steps}) == len(steps):
        return rows
    kept = {*STEP_NAMES, "epoch"}
    merged: dict[str, dict[str, Any]] = {}
    for step, row in zip(steps, rows):
        into = merged.setdefault(str(step), {})
        for key, value in row.items():
            if key != split:
                into[key if key.lower() in kept else f"{row[split]}/{key}"] = value
    return list(merged.values())


def joined_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with those of one step as one, where no two of them hold different numbers by one name; else as they are.

    So training and evaluation write rows of their own, as those of Stable-Baselines3 and LLaMA-Factory.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        own = step_key(row)
        into = found.setdefault(str(row.get(own or "")), {})
        for key, value in row.items():
            known = into.setdefault(key, value)
            apart = known != value and not (isinstance(known, str) and isinstance(value, str))
            if apart and key != own and not is_clock(key) and key.lower() != "epoch":
                return rows
    return list(found.values()) if len(found) < len(rows) else rows


def as_numbers(rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], bool]:
    """Rows of which all steps are numbers written as text, as fairseq writes them, or as 10/100, with numbers in place
    of the text; and whether there was any."""
    steps = [row.get(step_key(row) or "") for row in rows]
    if all(isinstance(step, str) and _OF_ALL.match(step.strip()) for step in steps):
        return [
            {**row, step_key(row) or "": int(step.split("/")[0])} for row, step in zip(rows, map(str, steps))
        ], False
    if not all(isinstance(step, str) and _NUMBER.match(step.strip()) for step in steps):
        return rows, False
    return [{key: _number(value) for key, value in row.items()} for row in rows], True


def _number(value: Any) -> Any:
    if isinstance(value, str):
        with suppress(ValueError):
            number = float(value)
            return int(number) if number.is_integer() and "." not in value else number
    return value


def catboost_rows(data: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The iterations of a `catboost_training.json`, whose values are named apart from them; None if it is not one."""
    about, rows = data.get("meta"), data.get("iterations")
    if not isinstance(about, dict) or not isinstance(rows, list) or "learn_metrics" not in about:
        return None
    sets = {name: about.get("learn_metrics") if name == "learn" else about.get("test_metrics")
            for part in ("learn_sets", "test_sets") for name in about.get(part) or ()}  # fmt: skip
    named = {part: [str(one["name"]) for one in metrics or ()] for part, metrics in sets.items()}
    return [
        {"iteration": row["iteration"]}
        | {f"{part}/{name}": value for part, names in named.items() for name, value in zip(names, row.get(part) or ())}
        for row in rows
    ]


def mmlab_rows(rows: list[Any]) -> tuple[list[dict[str, Any]], list[str]] | None:
    """Rows of the JSON lines of MMCV or MMEngine as one for each training iteration, and what is to be said of that;
    None for others.

    MMCV says whether a row is of training or validation (`mode`). Its `iter` counts from 1 in each epoch, if the run
    is by epochs, and in rows of validation it is the number of batches. MMEngine has a `step`, which is the epoch in
    rows of validation, if the run is by epochs, and an `iter` in those of training alone. Metrics of validation are
    called `val/...`.
    """
    if not all(isinstance(row, dict) for row in rows):
        return None
    with_mode = [row for row in rows if row.get("mode") in ("train", "val")]
    by_mode = bool(with_mode) and all(_counts(row, "epoch", "iter") for row in with_mode)
    if by_mode:
        rows = with_mode
        of_training = [row["mode"] == "train" for row in rows]
    elif all(_counts(row, "step") for row in rows):
        of_training = ["iter" in row for row in rows]
        if not all("data_time" in row and row["iter"] == row["step"] for row in rows if "iter" in row):
            return None
    else:
        return None
    training = [row for row, trained in zip(rows, of_training) if trained]
    if not training:
        return None
    anew = by_mode and any(
        after["iter"] <= row["iter"] and after["epoch"] > row["epoch"] for row, after in pairwise(training)
    )
    length = max(row["iter"] for row in training) if anew else 0
    merged: dict[int, dict[str, Any]] = {}
    at = epoch = 0
    for row, trained in zip(rows, of_training):
        if trained:
            epoch = row.get("epoch", 0)
            at = row["iter"] + (length * (epoch - 1) if anew else 0)
        elif not by_mode and row["step"] != epoch:
            at = row["step"]
        into = merged.setdefault(at, {"step": at})
        for name, value in row.items():
            if name not in _OF_THE_MACHINE and isinstance(value, int | float) and (trained or name != "lr"):
                into[name if trained else f"val/{name}"] = value
    remarks = [f"'iter' begins anew in each epoch, so it is counted through epochs of {length}"] if anew else []
    if not all(of_training):
        remarks.append("measures of validation (val/...) stand at the training step that was logged last before them")
    return list(merged.values()), remarks


def _counts(row: dict[str, Any], *names: str) -> bool:
    return all(type(row.get(name)) is int and row[name] >= 0 for name in names)


def array_table(arrays: dict[str, np.ndarray]) -> tuple[pd.DataFrame, list[str]]:
    """A NumPy archive as a table with a column for each array of one dimension, and the names of arrays left out.

    Of Stable-Baselines3's `evaluations.npz` (`timesteps` (n,), `results` and `ep_lengths` (n, episodes), and
    `successes` where the environment tells them) the columns are the means over episodes.

    Raises OntogenyError if no array holds the steps.
    """
    step = step_key(list(arrays))
    if step is None or arrays[step].ndim != 1:
        raise OntogenyError(
            f"no array of it holds the steps: its arrays are {listed(arrays)}, and what can be read are the "
            "evaluations.npz of Stable-Baselines3, and arrays step and one for each metric, all of one length"
        )
    columns, unread = {step: arrays[step]}, []
    for name, array in arrays.items():
        fits = array.shape[:1] == arrays[step].shape and array.dtype.kind in "bfiu"
        if fits and array.ndim == 2 and array.shape[1] and name in _EVALUATIONS:
            columns[_EVALUATIONS[name]] = array.mean(axis=1)
        elif fits and array.ndim == 1:
            columns[name] = array
        elif name != step:
            unread.append(name)
    return pd.DataFrame(columns), unread


def scalar_triples(data: Any, path: Path) -> pd.DataFrame | None:
    """A TensorBoard series in JSON, `[[wall time, step, value], ...]`; None if it is not one."""
    if not isinstance(data, list) or not data or not all(isinstance(row, list) and len(row) == 3 for row in data):
        return None
    if not all(isinstance(row[1], int) or (isinstance(row[1], float) and row[1].is_integer()) for row in data):
        return None
    metric = path.name.split("-tag-")[-1].removesuffix(".gz").rsplit(".", 1)[0]
    return pd.DataFrame({"step": [row[1] for row in data], metric: [row[2] for row in data]})


def is_event_file(path: Path) -> bool:
    """Whether a file's name is that of TensorBoard events."""
    return bool(_EVENTS.search(path.name))


def event_files(path: Path) -> list[Path]:
    """The TensorBoard event files right inside a folder: those of one run, a file more each time it was resumed."""
    return sorted(filter(is_event_file, path.iterdir())) if path.is_dir() else []


def event_folders(path: Path) -> dict[str, Path]:
    """The folders right inside a run's that hold events, by name: of parts of its data, or of single series.

    Keras keeps `train` and `validation`, `SummaryWriter.add_scalars` one folder for each of its series. Without events
    of its own, a folder is a run's only if all below are parts.
    """
    if not path.is_dir():
        return {}
    found = {item.name: item for item in sorted(path.iterdir()) if item.is_dir() and event_files(item)}
    return found if event_files(path) or (len(found) > 1 and all(name.lower() in PARTS for name in found)) else {}


def all_events(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """The scalars of a run's folder, or of one event file, with those of the folders below that belong to the run; and
    the names of those that do not.

    Raises OntogenyError as `event_table` does.
    """
    if path.is_file():
        return event_table(path, [path]), []
    tables = [event_table(path, event_files(path))] if event_files(path) else []
    others = []
    for name, folder in event_folders(path).items():
        below = event_table(folder, event_files(folder))
        tags = below["metric"].unique()
        stem = re.sub(r"[/ ]", "_", tags[0]) + "_"
        if name.lower() in PARTS:
            tables.append(below.assign(metric=f"{name}/" + below["metric"]))
        elif len(tags) == 1 and name.startswith(stem):
            tables.append(below.assign(metric=f"{tags[0]}/{name.removeprefix(stem)}"))
        else:
            others.append(name)
    return pd.concat(tables, ignore_index=True), others


def event_table(path: Path, files: Sequence[Path] = ()) -> pd.DataFrame:
    """All scalars of a TensorBoard event file, or of a run's folder of such `files`, as written: metric, step, value.

    The package tensorboard reads them; what it leaves out of a resumed run (`purge_step`) is left out.
    Raises OntogenyError if that package is missing, and for a file that is damaged or holds no scalar.
    """
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    except ImportError:
        raise OntogenyError(
            f"{path} is a TensorBoard event file: install tensorboard to read it, or export it as CSV"
        ) from None
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    for file in files or [path]:
        held, read = _records(file.read_bytes()), sum(1 for _ in RawEventFileLoader(str(file)).Load())
        if read < held:
            raise OntogenyError(
                f"{file} is damaged: only {read} of its {held} records can be read; get a complete copy"
            )
    events = EventAccumulator(str(path), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()
    rows = [(tag, event.step, event.value) for tag in tags["scalars"] for event in events.Scalars(tag)]
    for tag in tags["tensors"]:
        values = [(tag, event.step, _scalar(event.tensor_proto)) for event in events.Tensors(tag)]
        rows += [(tag, step, value) for tag, step, value in values if value is not None]
    if not rows:
        raise OntogenyError(f"{path} holds no scalar")
    return pd.DataFrame(rows, columns=["metric", "step", "value"])


def _records(content: bytes) -> int:
    """The whole records of an event file, by their lengths: tensorboard stops at the first damaged one, silently."""
    count = at = 0
    while at + 12 <= len(content):
        at += 16 + int.from_bytes(content[at : at + 8], "little")
        count += at <= len(content)
    return count


def _scalar(proto: Any) -> float | None:
    from tensorboard.util.tensor_util import make_ndarray

    array = make_ndarray(proto)
    return float(array.reshape(())) if array.size == 1 and array.dtype.kind in "fiu" else None


def is_mlflow_folder(path: Path) -> bool:
    """Whether a folder is a run of MLflow's file store, or its folder of metrics."""
    folder = path / "metrics" if (path / "metrics").is_dir() else path
    files = [item for item in folder.rglob("*") if item.is_file()] if folder.name == "metrics" else []
    return bool(files) and all(_MLFLOW.match(item.read_text(errors="replace").split("\n", 1)[0]) for item in files[:3])


def mlflow_table(path: Path) -> pd.DataFrame:
    """All metrics of a run of MLflow's file store as they were written: metric, step, value.

    Each file has lines of time, value and step.

    Raises OntogenyError for a file with other lines.
    """
    folder = path / "metrics" if (path / "metrics").is_dir() else path
    rows: list[tuple[str, int, float]] = []
    for file in sorted(item for item in folder.rglob("*") if item.is_file()):
        metric = file.relative_to(folder).as_posix()
        lines = [line.split() for line in file.read_text().splitlines() if line.strip()]
        try:
            rows += [(metric, int(line[2]), float(line[1])) for line in lines]
        except (IndexError, ValueError):
            raise OntogenyError(f"{file} is not a metric of MLflow: its lines should be time, value and step") from None
    return pd.DataFrame(rows, columns=["metric", "step", "value"])


def is_dvclive_folder(path: Path) -> bool:
    """Whether a folder is of DVCLive, which keeps a table for each metric."""
    return (path / "plots" / "metrics").is_dir() and any((path / "plots" / "metrics").rglob("*.tsv"))


def dvclive_table(path: Path) -> pd.DataFrame:
    """All metrics of a folder of DVCLive: metric, step, value.

    Raises OntogenyError for a table without steps.
    """
    folder, parts = path / "plots" / "metrics", []
    for file in sorted(folder.rglob("*.tsv")):
        metric = file.relative_to(folder).with_suffix("").as_posix()
        table = pd.read_csv(file, sep="\t")
        if "step" not in table or table.shape[1] < 2:
            raise OntogenyError(f"{file} is not a metric of DVCLive: its columns should be step and {file.stem}")
        parts.append(table[["step"]].assign(metric=metric, value=table.iloc[:, -1]))
    return pd.concat(parts, ignore_index=True)


def each_step_once(points: pd.DataFrame) -> tuple[pd.DataFrame, list[tuple[str | None, str]]]:
    """Values as a logger wrote them, one for each step of a metric, and what is to be said of that, by run.

    `points` has the columns metric, step and value, and run where there are several. Loggers put values that are
    logged without a step at step 0, all of them: those are numbered in their order. Of other values of one step the
    last counts, since a resumed run repeats steps.
    """
    points = points.reset_index(drop=True)
    keys = [name for name in ("run", "metric") if name in points.columns]
    remarks: list[tuple[str | None, str]] = []
    for spot, rows in points.groupby(keys, sort=False):
        run, metric = (None, spot[0]) if len(keys) == 1 else spot
        again = len(rows) - rows["step"].nunique()
        if not again:
            continue
        if (rows["step"] == 0).all():
            points.loc[rows.index, "step"] = np.arange(len(rows))
            said = f"all {len(rows)} values stand at step 0, as where no step is logged, so they are numbered in order"
        else:
            said = f"{counted(again, 'value')} of steps that come again later {'is' if again == 1 else 'are'} left out"
        remarks.append((run, f"metric {quote(metric)}: {said}"))
    return points.drop_duplicates([*keys, "step"], keep="last").sort_values([*keys, "step"], kind="stable"), remarks


def is_mlflow_database(path: Path) -> bool:
    """Whether a file is an SQLite database, in which MLflow keeps runs since version 3.7."""
    if path.suffix.lower() != ".db" or not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def mlflow_database_table(path: Path) -> pd.DataFrame:
    """All metrics of the runs in a database of MLflow that are not deleted, as they were written.

    The columns are run, metric, step and value. A run goes by its name, and by the beginning of
    its identifier too where others share the name. MLflow stores NaN as 0 with a flag, and infinities as the largest
    float; here they are NaN and infinite again. What it measures of the machine (`system/...`) is left out.

    Raises OntogenyError for a file that is no database of MLflow, or holds no metric.
    """
    query = (
        "SELECT runs.run_uuid, runs.name, metrics.step, metrics.key, metrics.value, metrics.is_nan "
        "FROM metrics JOIN runs USING (run_uuid) WHERE lifecycle_stage = 'active' ORDER BY timestamp, metrics.rowid"
    )
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            rows = database.execute(query).fetchall()
    except sqlite3.Error as error:
        raise OntogenyError(f"{path} is not a database of MLflow: {error}") from None
    frame = pd.DataFrame(rows, columns=["id", "run", "step", "metric", "value", "missing"])
    frame = frame[~frame["metric"].str.startswith("system/")]
    if frame.empty:
        raise OntogenyError(f"{path} holds no metric of a run: log some with mlflow.log_metric(name, value, step=step)")
    names = frame.drop_duplicates("id").set_index("id")["run"].fillna("run")
    shared = names.duplicated(keep=False)
    names[shared] = names[shared] + " " + names.index[shared].str[:8]
    value = frame["value"].where(frame["value"].abs() < sys.float_info.max, np.sign(frame["value"]) * np.inf)
    frame = frame.assign(run=frame["id"].map(names), value=value.where(frame["missing"] == 0))
    return frame[["run", "metric", "step", "value"]]
