"""Runs from a table: tidy (step, metric, value) or wide (step, one column for each metric)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ontogeny.errors import OntogenyError
from ontogeny.phase1.clean import parsed_text
from ontogeny.phase1.layouts import WITHIN_EPOCHS, RawRun, RawTable, flat_place
from ontogeny.phase1.loggers import each_step_once, step_key
from ontogeny.phase1.record import RUN_LEVEL, RUN_METRICS, listed, quote

_MOST_WITHIN = 10**9


def logged_runs(points: pd.DataFrame, where: str) -> list[RawRun]:
    """Runs from what a logger wrote point by point; of a step that it wrote twice the last counts, with a remark."""
    table, remarks = each_step_once(points)
    runs = table_runs(table, where)
    for run in runs:
        run.remarks += [(None, text) for name, text in remarks if name == run.name]
    return runs


def table_runs(frame: pd.DataFrame, where: str) -> list[RawRun]:
    """Runs from a tidy table (step, metric, value) or a wide one (step, one column per metric).

    Raises OntogenyError if it is neither, has no rows, or several columns of one name.
    """
    columns = [str(name) for name in frame.columns]
    if len(set(columns)) < len(columns):
        again = [name for name in dict.fromkeys(columns) if columns.count(name) > 1]
        raise OntogenyError(f"{where} has several columns of the name {listed(again)}")
    frame = frame.set_axis(columns, axis=1)
    unnamed = "" in columns
    if unnamed:
        frame = frame.drop(columns="")
        columns.remove("")
    step = step_key(columns)
    if step is None or len(columns) < 2:
        raise OntogenyError(
            f"{where} holds no Phase 1 table: its columns are {listed(columns)}; expected are step, metric and value "
            "(tidy), or step and one column per metric (wide), with layer and run where there are several"
        )
    if frame.empty:
        raise OntogenyError(f"{where} holds no Phase 1 table: it has columns and no rows")
    tidy_shape = {"metric", "value"} <= set(columns)
    seeds = next((name for name in columns if name.lower() == "seed"), None)
    if "run" not in columns and seeds is not None and frame[seeds].nunique() > 1:
        frame = frame.assign(**{seeds: "seed " + frame[seeds].astype(str)}).rename(columns={seeds: "run"})
        columns = list(frame.columns)
    keys = [name for name in ("run", "layer") if name in columns] + (["metric"] if tidy_shape else [])
    frame, through = _through_epochs(frame, step, keys)
    text = {name: _names(frame[name]) for name in keys}
    runs: dict[str | None, RawRun] = {}
    groups = _groups([codes for codes, _ in text.values()], len(frame))
    cells = {name: _cells(frame[name]) for name in columns if name not in keys and name != "derived"}
    for rows in groups:
        spot = {name: names[codes[rows[0]]] for name, (codes, names) in text.items()}
        name = spot.get("run")
        run = runs.setdefault(name, RawRun(name=name or None, per_layer=list(RUN_METRICS) if tidy_shape else []))
        if through and not run.remarks:
            run.remarks.append((None, through))
        if unnamed and not run.remarks:
            run.remarks.append((None, "the column without a name is taken for row numbers"))
        layer = spot.get("layer") or RUN_LEVEL
        table = RawTable(steps=_part(cells[step], rows), layer=layer)
        for column in [spot["metric"]] if tidy_shape else [c for c in cells if c != step]:
            source = cells["value" if tidy_shape else column]
            at, metric = flat_place(column) if layer == RUN_LEVEL and "layer" not in columns else (layer, column)
            if (at, metric) in table.series:
                raise OntogenyError(f"{where} has several columns of layer {quote(at)}, metric {quote(metric)}")
            table.series[at, metric] = (None, _part(source, rows))
            if "derived" in columns and tidy_shape and str(frame["derived"].iloc[rows[0]]).lower() in ("true", "1"):
                run.derived.append((at, metric))
        run.tables.append(table)
    return list(runs.values())


def wide_raw(frame: pd.DataFrame, layer: str, where: str) -> RawTable:
    """The series of one layer, from a table with the column step and one for each metric.

    Raises OntogenyError without a column of steps.
    """
    columns = [str(name) for name in frame.columns]
    step = step_key(columns)
    if step is None:
        raise OntogenyError(f"{where} has no column step: its columns are {listed(columns)}")
    frame = frame.set_axis(columns, axis=1)
    rows = np.arange(len(frame))
    table = RawTable(steps=_part(_cells(frame[step]), rows), layer=layer)
    for metric in columns:
        if metric not in (step, "layer", "run"):
            values = _part(_cells(frame[metric]), rows)
            table.series[layer, metric] = (None, values)
    return table


def _through_epochs(frame: pd.DataFrame, step: str, keys: list[str]) -> tuple[pd.DataFrame, str]:
    """The table with steps that begin anew in each epoch counted through the epochs, and a remark if they were."""
    epoch = next((name for name in frame.columns if name.lower() == "epoch"), None)
    if epoch is None or step.lower() not in WITHIN_EPOCHS or not frame.duplicated([*keys, step]).any():
        return frame, ""
    place, epochs = (pd.to_numeric(frame[name], errors="coerce") for name in (step, epoch))
    if frame.duplicated([*keys, epoch, step]).any() or place.isna().any() or epochs.isna().any():
        return frame, ""
    length = int(place.max()) + (1 if place.min() == 0 else 0)
    through = (epochs - epochs.min()) * length + place
    if (through != through.round()).any() or place.max() > _MOST_WITHIN:
        return frame, ""
    through_epochs = frame.assign(**{step: through.astype(np.int64)})
    return through_epochs, f"{quote(step)} begins anew in each epoch, so it is counted through epochs of {length}"


def _names(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    codes, names = pd.factorize(column.astype(object).where(column.notna(), ""))
    return codes, [str(name) for name in names]


def _groups(codes: list[np.ndarray], length: int) -> list[np.ndarray]:
    """Row numbers of every combination of codes, in order of first appearance."""
    if not codes:
        return [np.arange(length)]
    combined = np.zeros(length, np.int64)
    for part in codes:
        combined = pd.factorize(combined * (int(part.max()) + 1) + part)[0]
    order = np.argsort(combined, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(combined[order])) + 1)


def _cells(column: pd.Series) -> np.ndarray:
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.astype(object).to_numpy()
    if pd.api.types.is_numeric_dtype(column.dtype):
        if column.isna().any() and not isinstance(column.dtype, np.dtype):
            return column.astype(object).where(column.notna(), None).to_numpy()
        return column.to_numpy()
    cells = column.astype(object).to_numpy()
    if all(isinstance(cell, str) for cell in cells):
        return np.array([*parsed_text(cells), None], dtype=object)[:-1]
    return np.array([*(None if cell is None or cell is pd.NA else cell for cell in cells), None], dtype=object)[:-1]


def _part(cells: np.ndarray, rows: np.ndarray) -> Any:
    part = cells[rows]
    return part if part.dtype.kind in "fiu" else part.tolist()
