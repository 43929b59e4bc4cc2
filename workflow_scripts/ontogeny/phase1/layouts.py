"""The layouts of Phase 1 records, distinguished by shape, and turned into raw tables.

A raw table is a list of steps and, for each (layer, metric), the values as the file has them. Nothing is converted
or judged here; `ontogeny.phase1.clean` does that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ontogeny.errors import OntogenyError
from ontogeny.phase1.document import FORMAT
from ontogeny.phase1.loggers import (
    PARTS,
    STEP_NAMES,
    as_numbers,
    catboost_rows,
    is_clock,
    joined_rows,
    mmlab_rows,
    named_values,
    step_key,
    texts_of,
    trainer_state,
    with_splits,
)
from ontogeny.phase1.record import ALIASES, DIMENSIONALITY_METRICS, MODEL_LEVEL, RUN_LEVEL, RUN_METRICS, listed, quote
from ontogeny.words import counted, joined

WITHIN_EPOCHS = ("batch", "batch_idx", "it", "iter", "iteration", "step")
"""Names of steps that may begin anew in each epoch."""

KNOWN_LAYOUTS = (
    "rows per step (`measurements` with `layer_metrics`), columns per layer (`{layer: {step: [...], metric: [...]}}`), "
    "records per layer (`{layer: [{step, metric, ...}]}`), a list of runs, `{experiments: [runs]}`"
)
AS_COLUMNS = 'write {"step": [...], "loss": [...]}, a list for each metric'
_PLACE = re.compile(r"((?:step|epoch|iter|iteration)?[\s_-]*)(\d+)", re.IGNORECASE)
DIMENSIONALITY_NAMES = {*DIMENSIONALITY_METRICS, *(alias for alias, name in ALIASES.items() if name.endswith("_90"))}
_JOINED = re.compile(
    rf"(?P<layer>[A-Za-z]\w*\d\w*?)_(?P<metric>{'|'.join(sorted(DIMENSIONALITY_NAMES, key=len, reverse=True))})"
)
"""A layer that has a number, and its metric, as `layer1_stable_rank`."""

RESERVED = ("format", "run", "run_level", "per_layer", "derived")
"""Entries of the metadata that the written format uses itself."""

_LIST_OF_RUNS = ("experiments", "runs")
_LAYER_MAPS = ("layer_metrics", "layers")
_CONTAINERS = re.compile(r"(?:^|(?<=/))(?:metrics|layers|layer_metrics|per_layer)/", re.IGNORECASE)
"""Names of what holds layers, and is none."""
_NOT_MEASURED = frozenset(("config", "hparams", "hyperparameters", "args", "timers", "perf", "fault_tolerance"))
"""Nested entries of a row, in lower case, that hold settings and the machine's state."""

_OF_HISTORIES = ("loss", "acc", "error", "auc", "rmse", "mae", "ndcg")
"""What one metric of a history is called."""

_DEEPEST = 6
"""Levels of nested entries that are read."""


@dataclass
class RawTable:
    """Steps, and for every (layer, metric) the row numbers (None: all rows in order) and the values there."""

    steps: list[Any]
    series: dict[tuple[str, str], tuple[list[int] | None, list[Any]]] = field(default_factory=dict)
    layer: str | None = None

    def sparse(self, layer: str, metric: str) -> tuple[list[int], list[Any]]:
        """The row numbers and values of a series that grows value by value, to be appended to."""
        rows, values = self.series.get((layer, metric), (None, []))
        if rows is None:
            rows = []
            self.series[layer, metric] = (rows, values)
        return rows, values

    def add(self, layer: str, metric: str, row: int, value: Any) -> None:
        """Append one value."""
        rows, values = self.sparse(layer, metric)
        rows.append(row)
        values.append(value)


@dataclass
class RawRun:
    """One run as a file has it: its name if it gives one, its metadata, its tables."""

    name: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    tables: list[RawTable] = field(default_factory=list)
    empty_layers: list[str] = field(default_factory=list)
    remarks: list[tuple[str | None, str]] = field(default_factory=list)
    derived: list[tuple[str, str]] = field(default_factory=list)
    per_layer: list[str] = field(default_factory=list)


def runs_of(data: Any, where: str) -> list[RawRun]:
    """The runs in parsed JSON, whatever their layout.

    Raises OntogenyError, with the keys that are there and the layouts that are known, if there is none.
    """
    if isinstance(data, dict) and not _is_ours(data):
        data = _unfolded(data)
    if isinstance(data, dict):
        rows = trainer_state(data)
        if rows is not None:
            return [_rows(rows, {key: value for key, value in data.items() if key != "log_history"})]
        if not _is_ours(data):
            for key in _LIST_OF_RUNS:
                if key in data and _holds_runs(data[key]):
                    return _several(data[key], where, key)
            if data and all(isinstance(item, dict) and "measurements" in item for item in data.values()):
                return _several(data, where, "")
            if _are_histories_of_runs(data):
                return _several(data, where, "")
        return [_one_run(data, where)]
    if isinstance(data, list):
        if not data:
            raise OntogenyError(f"{where} is an empty list; a Phase 1 record is expected")
        logged = mmlab_rows(data)
        if logged is not None:
            run = _rows(logged[0], {})
            run.remarks += [(None, text) for text in logged[1]]
            return [run]
        data, before = _with_steps(named_values(data))
        if all(isinstance(item, dict) and step_key(item) for item in data):
            data, text = as_numbers(data)
            runs = _long_rows(data) if _is_long(data) else [_rows(joined_rows(with_splits(data)), {})]
            runs[0].remarks += [(None, "its numbers are written as text")] if text else []
            runs[0].remarks += [(None, f"left out, as they have no step: {counted(before, 'row')}")] * (before > 0)
            return runs
        if _holds_runs(data):
            return _several(data, where, "")
        if all(map(_is_number, data)):
            raise OntogenyError(
                f"{where} is a list of {counted(len(data), 'number')} without steps and a name: {AS_COLUMNS}"
            )
        if all(isinstance(row, list) and all(map(_is_number, row)) for row in data):
            raise OntogenyError(f"{where} is a list of rows of numbers without names: {AS_COLUMNS}")
        kinds = sorted({type(item).__name__ for item in data})
        raise OntogenyError(f"{where} is a list of {', '.join(kinds)}, not of runs; known layouts are {KNOWN_LAYOUTS}")
    raise OntogenyError(f"{where} holds one {type(data).__name__}, not a record; known layouts are {KNOWN_LAYOUTS}")


def _with_steps(rows: list[Any]) -> tuple[list[Any], int]:
    """Rows without those, fewer than the others, that have no step, as settings that a log begins with; and how many
    these are."""
    kept = [
        row for row in rows if isinstance(row, dict) and isinstance(row.get(step_key(row) or ""), int | float | str)
    ]
    others = len(rows) - len(kept)
    plain = all(isinstance(row, dict) and "measurements" not in row and "metadata" not in row for row in rows)
    return (kept, others) if plain and 0 < others < len(kept) else (rows, 0)


def _step(row: dict[str, Any]) -> Any:
    return row.get(step_key(row) or "")


def _is_long(rows: list[dict[str, Any]]) -> bool:
    """Whether rows are of layers, or of several runs."""
    of_layers = any("layer" in row for row in rows)
    return of_layers or len({row["run"] for row in rows if isinstance(row.get("run"), str)}) > 1


def _unfolded(data: dict[str, Any]) -> Any:
    """Rows in place of a table as pandas writes it (`to_json` by columns, index, split or table), of measurements by
    step, of columns by part of the data (`train`, `val`), of a series for each metric (Sacred, ClearML, lists of a step
    and a value), or of MLflow's `metrics`; the history in place of what Keras keeps beside it; other data as they are.
    """
    values = list(data.values())
    if isinstance(data.get("columns"), list) and isinstance(data.get("data"), list):
        return [dict(zip(map(str, data["columns"]), row)) for row in data["data"] if isinstance(row, list)]
    boosted = catboost_rows(data)
    if boosted:
        return boosted
    named = data.get("metrics")
    if isinstance(named, list) and named and all(isinstance(item, dict) and "name" in item for item in named):
        of_name = {"/".join([*texts_of(item.get("context")), str(item["name"])]): _series(item) for item in named}
        if len(of_name) == len(named) and all(of_name.values()):
            return _unfolded(
                {name: {"steps": found[0], "values": found[1]} for name, found in of_name.items() if found}
            )
    for key in ("results", "metrics", "logs", "log", "data"):
        if data.keys() == {key} and isinstance(data[key], dict) and data[key]:
            return _unfolded(data[key])
    if data.keys() == {"schema", "data"} and isinstance(data["data"], list):
        return data["data"]
    if data.keys() == {"metrics"} and isinstance(data["metrics"], list) and data["metrics"]:
        return data["metrics"] if named_values(data["metrics"]) is not data["metrics"] else data
    if isinstance(data.get("history"), dict) and _history(data["history"]):
        epochs = {"epoch": data["epoch"]} if isinstance(data.get("epoch"), list) else {}
        return {**epochs, **data["history"]}
    if not values or not all(isinstance(value, dict | list) and value for value in values):
        return data
    if all(isinstance(value, dict) for value in values):
        step = step_key(data)
        places = data[step].keys() if step is not None else ()
        if places and all(value.keys() == places for value in values):
            return [{name: column[at] for name, column in data.items()} for at in places]
        places = [_PLACE.fullmatch(str(key)) for key in data]
        if all(places) and len({place[1] for place in places if place}) == 1 and all(map(_is_of_one_step, values)):
            named = "epoch" if str(next(iter(data))).lower().startswith("epoch") else "step"
            return [
                ({} if step_key(row) else {named: int(place[2])}) | row
                for place, row in zip(places, values)
                if place is not None
            ]
    if all(str(name).strip().lower() in PARTS and _is_layer(value) and isinstance(value, list)
           for name, value in data.items()):  # fmt: skip
        return with_splits([{**row, "split": name} for name, rows in data.items() for row in rows])
    series = _series_by_part(data)
    if not series:
        series = dict(_series_by_metric(data))
        if sum(_count_of_series(value) for value in values) != len(series):
            return data
    if any(isinstance(at, dict | list) for steps, _ in series.values() for at in steps):
        return data
    rows: dict[Any, dict[str, Any]] = {}
    for name, (steps, found) in series.items():
        for at, value in zip(steps, found):
            rows.setdefault(at, {"step": at})[name] = value
    return list(rows.values())


def _is_of_one_step(value: Any, level: int = 1) -> bool:
    """Whether entries hold numbers alone, by name, perhaps by layer, and no series."""
    if not isinstance(value, dict):
        return level > 1 and not isinstance(value, list)
    return level < _DEEPEST and all(_is_of_one_step(cell, level + 1) for cell in value.values())


def _series_by_part(data: dict[str, Any]) -> dict[str, tuple[list, list]]:
    """The series under the names of parts of the data, with steps of their own or above; else none."""
    parts = {name: value for name, value in data.items() if isinstance(value, dict)}
    if not parts or not all(str(name).strip().lower() in PARTS for name in parts):
        return {}
    series: dict[str, tuple[list, list]] = {}
    for name, columns in parts.items():
        own = step_key(columns)
        steps = columns[own] if own is not None else data.get(step_key(data) or "")
        measured = {metric: values for metric, values in columns.items() if metric != own}
        if not isinstance(steps, list) or not all(
            isinstance(values, list) and len(values) == len(steps) for values in measured.values()
        ):
            return {}
        series |= {f"{name}/{metric}": (steps, values) for metric, values in measured.items()}
    return series


def _series_by_metric(data: dict[str, Any]) -> Iterator[tuple[str, tuple[list, list]]]:
    for name, value in data.items():
        found = _series(value)
        if found is not None:
            yield str(name), found
        elif isinstance(value, dict):
            for part, item in value.items():
                below = _series(item)
                if below is not None:
                    yield f"{name}/{part}", below


def _count_of_series(value: Any) -> int:
    """How many series an entry by metric should hold: one, or as many as it has parts."""
    return len(value) if isinstance(value, dict) and _series(value) is None else 1


def _series(value: Any) -> tuple[list, list] | None:
    """Steps and values of one metric: two lists, rows of both, or pairs; None for anything else."""
    if not value:
        return None
    if isinstance(value, dict):
        if len(value) > 1 and all(str(key).isdigit() for key in value):
            return ([int(key) for key in value], list(value.values())) if _is_of_one_step(value) else None
        for at, values in (("steps", "values"), ("step", "value"), ("iters", "values"), ("x", "y")):
            if isinstance(value.get(at), list) and isinstance(value.get(values), list):
                others = [key for key in value if key not in (at, values) and isinstance(value[key], list)]
                if len(value[at]) == len(value[values]) and all(map(is_clock, others)):
                    return value[at], value[values]
        return None
    if isinstance(value, list) and all(isinstance(row, dict) and row.keys() >= {"step", "value"} for row in value):
        beside = {key for row in value for key in row} - {"step", "value"}
        return ([row["step"] for row in value], [row["value"] for row in value]) if all(map(is_clock, beside)) else None
    if isinstance(value, list) and all(isinstance(row, list) and len(row) == 2 for row in value):
        steps = [row[0] for row in value]
        if all(type(at) is int for at in steps) and all(type(row[1]) in (int, float) for row in value):
            return steps, [row[1] for row in value]
    return None


def _is_ours(data: dict) -> bool:
    metadata = data.get("metadata")
    stamp = metadata.get("format") if isinstance(metadata, dict) else None
    if isinstance(stamp, str) and stamp.startswith("ontogeny-phase1/") and stamp != FORMAT:
        raise OntogenyError(f"the record is of format {quote(stamp)}, and this version reads {FORMAT}: update ontogeny")
    return stamp == FORMAT


def _holds_runs(items: Any) -> bool:
    values = items.values() if isinstance(items, dict) else items if isinstance(items, list) else ()
    return bool(values) and all(isinstance(item, dict) for item in values)


def _several(items: Any, where: str, key: str) -> list[RawRun]:
    named = items.items() if isinstance(items, dict) else enumerate(items)
    found, refused = [], []
    for label, item in named:
        place = f"{key or 'item'}[{quote(label) if isinstance(label, str) else label}]"
        try:
            run = _one_run(item, place)
        except OntogenyError as error:
            refused.append(error)
            run = RawRun(name=_name(item), remarks=[(None, f"it is left out: {error}")])
        if isinstance(label, str):
            run.name = run.name or label
        found.append(run)
    if len(refused) == len(found):
        raise OntogenyError(f"{where}, {refused[0]}")
    return found


def _one_run(data: dict, where: str) -> RawRun:
    if _is_ours(data):
        return _columns(data, ours=True)
    measurements = data.get("measurements")
    if isinstance(measurements, list) and all(isinstance(row, dict) for row in measurements):
        if not measurements:
            raise OntogenyError(f"{where} has an empty list of measurements; there is nothing to read")
        return _rows(measurements, {key: value for key, value in data.items() if key != "measurements"})
    if isinstance(measurements, dict):
        data = {**{key: value for key, value in data.items() if key != "measurements"}, **measurements}
    if any(_is_layer(value) for value in data.values()) or _step_list(data) is not None:
        return _columns(data, ours=False)
    if data and all(isinstance(value, dict) and _history(value) for value in data.values()):
        data = {f"{part}/{name}": values for part, found in data.items() for name, values in found.items()}
    epochs = _history(data)
    if epochs:
        run = _columns({"epoch": list(range(epochs)), **data}, ours=False)
        run.remarks.append((None, "it has no steps, so its values are taken for those of epochs 0, 1, 2, ..."))
        return run
    raise OntogenyError(f"{where} holds no Phase 1 record: {_why_not(data)}")


def _history(data: dict) -> int:
    """How many epochs the history of a Keras model, or of boosting on one set of data, has: lists of numbers of one
    length by metric; 0 if it is none."""
    lists = {name: value for name, value in data.items() if isinstance(value, list)}
    others = (value for name, value in data.items() if name not in lists and not metadata_like(name))
    if any(isinstance(value, dict) for value in others) or len({len(value) for value in lists.values()}) != 1:
        return 0
    numbers = all(_is_number(each) for value in lists.values() for each in value)
    known = any(word in str(name).lower() for name in lists for word in (*_OF_HISTORIES, *DIMENSIONALITY_NAMES))
    return len(next(iter(lists.values()))) if numbers and known else 0


def _are_histories_of_runs(data: dict) -> bool:
    """Whether entries are histories of the same measures, and neither of parts of the data nor of layers."""
    words = {word for name in data for word in re.findall(r"[a-z]+", str(name).lower())}
    if (
        len(data) < 2
        or words & PARTS
        or not all(isinstance(value, dict) and _history(value) for value in data.values())
    ):
        return False
    first = next(iter(data.values())).keys()
    return not DIMENSIONALITY_NAMES & first and all(value.keys() == first for value in data.values())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _why_not(data: dict) -> str:
    """What an object lacks to be a record, if it is one value of each metric or lists of several lengths, in words."""
    lists = [value for value in data.values() if isinstance(value, list) and value and all(map(_is_number, value))]
    if data and all(_is_of_one_step(value, 2) for value in data.values()):
        return f"its keys are {listed(data)}, with one value for each, as in settings or a summary, and no course"
    if len({len(value) for value in lists}) > 1:
        lengths = joined([str(length) for length in sorted({len(value) for value in lists})])
        return f"its lists have different lengths ({lengths}) and no steps: give a list of steps for each"
    return f"its keys are {listed(data)}, and the known layouts are {KNOWN_LAYOUTS}"


def without_reserved(metadata: dict[str, Any]) -> dict[str, Any]:
    """Metadata in which entries of the reserved names are called `recorded_...`."""
    return {f"recorded_{key}" if key in RESERVED else key: value for key, value in metadata.items()}


def _step_list(data: dict) -> tuple[str, list] | None:
    key = step_key(data)
    return (key, data[key]) if key is not None and isinstance(data[key], list) else None


def _is_layer(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(row, dict) and step_key(row) for row in value)
    return isinstance(value, dict) and _step_list(value) is not None


def _rows(rows: list[dict], metadata: dict[str, Any]) -> RawRun:
    """One dict a step: run-level numbers, and layers below `layer_metrics` or flat on the measurement."""
    run = RawRun(name=_name(metadata), metadata=metadata)
    keys = {step_key(row) for row in rows}
    if keys == {"epoch"}:
        run.remarks.append((None, "it has no steps, so epochs serve as steps"))
    table = RawTable(steps=[row.get(key) if (key := step_key(row)) is not None else None for row in rows])
    add = table.add
    by_steps = keys != {"epoch"}
    for number, row in enumerate(rows):
        for key, value in row.items():
            if key in _LAYER_MAPS and isinstance(value, dict):
                for layer, metrics in value.items():
                    if not isinstance(metrics, dict):
                        add(layer, "(metrics)", number, metrics)
                        continue
                    for metric, found in metrics.items():
                        add(layer, metric, number, found)
            elif str(key).lower() in STEP_NAMES or is_clock(str(key)) or (key == "epoch" and not by_steps):
                continue
            elif isinstance(value, dict):
                if _nested(table, number, key, value):
                    continue
                if _unread_metric(value, in_list=True) is not None and not _is_of_one_step(value):
                    _tell_unread(run, None, key, value, in_list=True)
                elif str(key).lower() not in _NOT_MEASURED:
                    for name, found in _flat(value, str(key)):
                        layer, metric = flat_place(name)
                        add(_CONTAINERS.sub("", layer) or layer, metric, number, found)
            elif isinstance(value, list):
                _tell_unread(run, None, key, value, in_list=True)
            else:
                layer, metric = flat_place(key)
                add(layer, metric, number, value)
    run.tables.append(table)
    seen = dict.fromkeys(layer for layer, _ in table.series)
    for row in rows[:1]:
        for key in _LAYER_MAPS:
            layers = row.get(key)
            if isinstance(layers, dict):
                run.empty_layers += [layer for layer in layers if layer not in seen]
    return run


def flat_place(key: str) -> tuple[str, str]:
    """Layer and metric of a number that stands flat on a measurement."""
    if key in DIMENSIONALITY_NAMES:
        return MODEL_LEVEL, key
    for sign in "/.:":
        layer, _, metric = key.rpartition(sign)
        if layer and metric in DIMENSIONALITY_NAMES:
            return layer, metric
        metric, _, layer = key.partition(sign)
        if layer and metric in DIMENSIONALITY_NAMES:
            return layer, metric
    parts = key.split("/")
    named = [part for part in parts if part in DIMENSIONALITY_NAMES]
    if len(named) == 1:
        return "/".join(part for part in parts if part not in named), named[0]
    joined = _JOINED.fullmatch(key)
    if joined:
        return joined["layer"], joined["metric"]
    return RUN_LEVEL, key


def _nested(table: RawTable, number: int, key: str, value: dict) -> bool:
    """Add the numbers of a dict on a measurement, by layer or by metric; whether it is of such a form."""
    if key in DIMENSIONALITY_NAMES:
        for layer, found in value.items():
            table.add(layer, key, number, found)
    elif any(name in DIMENSIONALITY_NAMES and not isinstance(found, dict) for name, found in value.items()):
        for metric, found in value.items():
            table.add(key, metric, number, found)
    else:
        return False
    return True


def _flat(entries: dict, above: str, level: int = 1) -> Iterator[tuple[str, float]]:
    """The numbers in nested entries, by the names of all levels with / between them, as RLlib's
    `env_runners/episode_return_mean`."""
    for key, value in entries.items():
        name = f"{above}/{key}"
        if isinstance(value, dict) and level < _DEEPEST:
            yield from _flat(value, name, level + 1)
        elif isinstance(value, int | float) and not isinstance(value, bool) and not is_clock(str(key)):
            yield name, value


def _tell_unread(run: RawRun, layer: str | None, key: str, value: Any, in_list: bool = False) -> None:
    """Remark, once, that an entry is left out although it holds a series of a dimensionality."""
    metric = _unread_metric(value, in_list)
    if metric is not None:
        remark = (layer, f"{quote(key)} holds {quote(metric)} in a form that is not known, so it is left out")
        if remark not in run.remarks:
            run.remarks.append(remark)


def _unread_metric(value: Any, in_list: bool) -> str | None:
    """The first dimensionality of which `value` holds several numbers, at most three levels down; None without one."""
    level = [(value, in_list)]
    for _ in range(3):
        below = []
        for item, listed_ in level:
            if isinstance(item, dict):
                for name, found in item.items():
                    if name in DIMENSIONALITY_NAMES and (listed_ or isinstance(found, list | dict)):
                        return name
                below += [(found, listed_) for found in item.values()]
            elif isinstance(item, list):
                below += [(found, True) for found in item[:1]]
        level = below
    return None


def _columns(data: dict, ours: bool) -> RawRun:
    """One dict of lists per layer, or one list of dicts per layer; what is neither is metadata."""
    run = RawRun()
    shared = None if ours else _step_list(data)
    metadata: dict[str, Any] = {}
    top = RawTable(steps=shared[1]) if shared else None
    for key, value in data.items():
        if key == "metadata" and isinstance(value, dict) and (ours or not _is_layer(value)):
            metadata |= value
        elif isinstance(value, dict) and (ours or _is_layer(value)):
            run.tables.append(_layer_columns(run, key, value))
        elif isinstance(value, dict) and shared and value and all(isinstance(item, list) for item in value.values()):
            run.tables.append(_layer_columns(run, key, {shared[0]: shared[1], **value}))
        elif _is_layer(value):
            run.tables.append(_layer_rows(run, key, value))
        elif value in ([], {}) and not metadata_like(key):
            run.empty_layers.append(key)
        elif top is not None and isinstance(value, list):
            if shared and key != shared[0]:
                layer, metric = flat_place(key)
                top.series[layer, metric] = (None, value)
        else:
            _tell_unread(run, None, key, value)
            metadata[key] = value
    if top is not None and top.series:
        run.tables.insert(0, top)
    if ours:
        metadata = dict(metadata)
        metadata.pop("format", None)
        _ours(run, metadata)
    run.name = _name(metadata)
    if isinstance(metadata.get("run"), str):
        metadata.pop("run")
    run.metadata = metadata
    return run


def metadata_like(key: str) -> bool:
    """Whether an empty entry of this name is metadata rather than an empty layer."""
    return key in ("metadata", "config", "settings", "notes", "errors", "architecture_params", "jumps")


def _ours(run: RawRun, metadata: dict[str, Any]) -> None:
    extra = metadata.pop("run_level", None)
    if isinstance(extra, dict) and extra:
        run.tables.insert(0, _layer_columns(run, RUN_LEVEL, extra))
    derived = metadata.pop("derived", None)
    if isinstance(derived, dict):
        run.derived = [
            (layer, str(metric)) for metric, layers in derived.items() if isinstance(layers, list) for layer in layers
        ]
    per_layer = metadata.pop("per_layer", None)
    run.per_layer = [str(name) for name in per_layer] if isinstance(per_layer, list) else []


def _layer_columns(run: RawRun, layer: str, columns: dict) -> RawTable:
    found = _step_list(columns)
    if found is None:
        run.remarks.append((layer, "it has no list of steps, so its values have no place in time and are left out"))
        return RawTable(steps=[], layer=layer)
    key, steps = found
    if key == "epoch":
        run.remarks.append((layer, "it has no steps, so epochs serve as steps"))
    table = RawTable(steps=steps, layer=layer)
    for metric, values in columns.items():
        if metric != key and isinstance(values, list):
            table.series[layer, metric] = (None, values)
        elif isinstance(values, dict):
            _tell_unread(run, layer, metric, values)
    if not table.series or not steps:
        run.empty_layers.append(layer)
    return table


def _layer_rows(run: RawRun, layer: str, rows: list[dict]) -> RawTable:
    keys = {step_key(row) for row in rows}
    if keys == {"epoch"}:
        run.remarks.append((layer, "it has no steps, so epochs serve as steps"))
    table = RawTable(steps=[row[step_key(row)] for row in rows], layer=layer)
    skip = {*STEP_NAMES, "layer"} | ({"epoch"} if keys == {"epoch"} else set())
    for number, row in enumerate(rows):
        for metric, value in row.items():
            if isinstance(value, dict | list):
                _tell_unread(run, layer, metric, value, in_list=True)
            elif metric not in skip:
                table.add(layer, metric, number, value)
    if not table.series:
        run.empty_layers.append(layer)
    return table


def _long_rows(rows: list[dict]) -> list[RawRun]:
    """One dict a (step, layer): the rows of a tidy or a wide table."""
    by_run: dict[str | None, dict[str | None, list[dict]]] = {}
    for row in rows:
        name, layer = (None if row.get(key) is None else str(row[key]) for key in ("run", "layer"))
        by_run.setdefault(name, {}).setdefault(layer, []).append(row)
    found = []
    for name, layers in by_run.items():
        run = RawRun(name=name)
        for layer, items in layers.items():
            label = RUN_LEVEL if layer is None else layer
            if all("metric" in item and "value" in item for item in items):
                by_metric: dict[str, list[dict]] = {}
                for item in items:
                    by_metric.setdefault(str(item["metric"]), []).append(item)
                for metric, part in by_metric.items():
                    table = RawTable(steps=[item[step_key(item)] for item in part], layer=label)
                    table.series[label, metric] = (None, [item["value"] for item in part])
                    run.tables.append(table)
                run.per_layer = list(RUN_METRICS)
            else:
                rest = [{key: value for key, value in item.items() if key != "run"} for item in items]
                run.tables.append(_layer_rows(run, label, rest))
        found.append(run)
    return found


def _name(metadata: dict[str, Any]) -> str | None:
    """A run's name from its own fields: `run`, or architecture and data set, or an experiment's name."""

    def text(key: str) -> str | None:
        value = metadata.get(key)
        return value if isinstance(value, str) and value.strip() else None

    if text("run"):
        return text("run")
    architecture, data_set = text("arch_name"), text("dataset_name")
    if architecture and data_set:
        return f"{architecture}_{data_set}"
    return text("experiment_name") or text("experiment") or text("name") or architecture
