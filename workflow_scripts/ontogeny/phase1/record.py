"""The one in-memory form of a Phase 1 record: a tidy table, its notes and its metadata."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.errors import OntogenyError, expect, known_layer, unknown

RUN_LEVEL = "(run)"
"""The reserved layer name of what is measured once per run: loss, gradient norm, accuracy."""

MODEL_LEVEL = "(model)"
"""The reserved layer name of dimensionalities that a record gives for the whole model, without a layer."""

DIMENSIONALITY_METRICS = (
    "stable_rank",
    "participation_ratio",
    "participation_ratio_covariance",
    "cumulative_90",
    "nuclear_norm_ratio",
)
RUN_METRICS = (
    "loss",
    "grad_norm",
    "val_loss",
    "test_loss",
    "accuracy",
    "train_accuracy",
    "val_accuracy",
    "test_accuracy",
    "probe_loss",
    "probe_accuracy",
    "learning_rate",
    "epoch",
)
ALIASES = {
    "effective_rank_90": "cumulative_90",
    "cumulative_energy_90": "cumulative_90",
    "gradient_norm": "grad_norm",
    "train_loss": "loss",
    "lr": "learning_rate",
}
"""Other names under which a metric is recorded, and the one name that it gets here."""

COLUMNS = ("run", "layer", "step", "metric", "value")
_METRIC_ORDER = {name: i for i, name in enumerate((*RUN_METRICS, *DIMENSIONALITY_METRICS))}
_MOST_CELLS = 50_000_000


@dataclass(frozen=True)
class Note:
    """One thing that a reader must know of a record.

    `kind` is "flagged" (kept, but look at it), "dropped" (left out), "derived" (rebuilt from other metrics) or "layers"
    (the run has none).
    `run`, `layer`, `metric` and `step` say where, as far as they apply; `text` says what, as a clause.
    """

    kind: str
    text: str
    run: str | None = None
    layer: str | None = None
    metric: str | None = None
    step: int | None = None

    @property
    def where(self) -> str:
        """The place in words, such as "run 'a', layer 'net.0', metric 'loss', step 5"."""
        parts = [(key, getattr(self, key)) for key in ("run", "layer", "metric")]
        words = [f"{key} {quote(value)}" for key, value in parts if value is not None]
        return ", ".join(words + ([f"step {self.step}"] if self.step is not None else []))

    def __str__(self) -> str:
        return f"{self.kind}: {self.where}: {self.text}" if self.where else f"{self.kind}: {self.text}"


@dataclass(frozen=True, eq=False)
class Phase1:
    """Measurements of one run or many, as a tidy table.

    `frame` has the columns run, layer, step (int64), metric, value (float64, always finite), one row per measurement,
    ordered by run, layer (as the file lists them: input to output), metric and step, without duplicates. What is
    measured once per run stands under the layer `RUN_LEVEL`. `notes` say what was flagged, dropped or derived.
    `metadata` is the file's own for one run, and `{"runs": {run: its metadata}}` for several. `derived` holds the
    (run, layer, metric) whose values were rebuilt, not recorded.
    """

    frame: pd.DataFrame
    notes: list[Note] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    derived: frozenset[tuple[str, str, str]] = frozenset()
    _slices: dict[tuple[str, str, str], slice] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._slices.update(_series_slices(self.frame))

    @property
    def runs(self) -> list[str]:
        """Names of the runs, in order."""
        return list(dict.fromkeys(run for run, _, _ in self._slices))

    @property
    def layers(self) -> list[str]:
        """Names of the layers of all runs, in order of first appearance, without the run level."""
        return list(dict.fromkeys(layer for _, layer, _ in self._slices if layer != RUN_LEVEL))

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics of all layers, without those of the run level."""
        found = {metric for _, layer, metric in self._slices if layer != RUN_LEVEL}
        return sorted(found, key=metric_order)

    @property
    def notes_table(self) -> pd.DataFrame:
        """The notes as a table: kind, run, layer, metric, step, text; what does not apply is empty."""
        names = ["kind", "run", "layer", "metric", "step", "text"]
        rows = [["" if (cell := getattr(note, name)) is None else str(cell) for name in names] for note in self.notes]
        return pd.DataFrame(rows, columns=names)

    def layers_of(self, run: str | None = None) -> list[str]:
        """Layers of one run, input to output. `run` may be left out when there is only one."""
        run = self.run_name(run)
        return list(dict.fromkeys(layer for r, layer, _ in self._slices if r == run and layer != RUN_LEVEL))

    def metadata_of(self, run: str | None = None) -> dict[str, Any]:
        """Metadata of one run. `run` may be left out when there is only one."""
        run = self.run_name(run)
        return self.metadata if len(self.runs) == 1 else self.metadata.get("runs", {}).get(run, {})

    def series(self, layer: str, metric: str, run: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Steps (int64) and values (float64) of one series. `run` may be left out when there is only one.

        `layer` is its display name, or its module path where the metadata of the record state it.

        Raises OntogenyError for a run, layer or metric that the record does not hold, naming the nearest.
        """
        run, metric = self.run_name(run), ALIASES.get(metric, metric)
        place = self._slices.get((run, layer, metric))
        if place is None:
            name = self._layer(layer, run)
            if name != layer:
                return self.series(name, metric, run)
            known = {m for r, found, m in self._slices if r == run and found == layer}
            raise unknown("metric", metric, known, f"layer {quote(layer)} of run {quote(run)}")
        part = self.frame.iloc[place]
        return part["step"].to_numpy(), part["value"].to_numpy()

    def each_series(self) -> Iterator[tuple[str, str, str, np.ndarray, np.ndarray]]:
        """All series in order: run, layer, metric, steps, values."""
        steps, values = self.frame["step"].to_numpy(), self.frame["value"].to_numpy()
        for (run, layer, metric), place in self._slices.items():
            yield run, layer, metric, steps[place], values[place]

    def wide(self, layer: str, run: str | None = None) -> pd.DataFrame:
        """One row per step, one column per metric, for one layer: column `step`, then the metrics; gaps are NaN.

        Raises OntogenyError for an unknown run or layer, and as `wide_table` does.
        """
        run = self.run_name(run)
        layer = self._layer(layer, run)
        names = [metric for r, found, metric in self._slices if (r, found) == (run, layer)]
        return wide_table({name: self.series(layer, name, run) for name in names})

    def _layer(self, layer: str, run: str) -> str:
        known = {found for r, found, _ in self._slices if r == run}
        return known_layer(layer, known, self.metadata_of(run).get("layers"), f"run {quote(run)}")

    def select(self, runs: Iterable[str]) -> Phase1:
        """The part of the record that belongs to `runs`."""
        names = list(runs)
        for run in names:
            self.run_name(run)
        metadata = {run: self.metadata_of(run) for run in names}
        return Phase1(
            self.frame[self.frame["run"].isin(names)].reset_index(drop=True),
            [note for note in self.notes if note.run is None or note.run in names],
            metadata[names[0]] if len(names) == 1 else {"runs": metadata},
            frozenset(key for key in self.derived if key[0] in names),
        )

    def run_name(self, run: str | None = None) -> str:
        """The name of one run, which may be left out when there is only one. Raises OntogenyError otherwise."""
        runs = self.runs
        if run is None:
            if len(runs) == 1:
                return runs[0]
            raise OntogenyError(f"the record holds {len(runs)} runs: name one of {listed(runs)}")
        if run not in runs:
            raise unknown("run", run, runs)
        return run


def metric_order(metric: str) -> tuple[int, str]:
    """Sort key of metrics: the known ones in their usual order, then the others by name."""
    return _METRIC_ORDER.get(metric, len(_METRIC_ORDER)), metric


def wide_table(series: dict[str, tuple[np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """One row per step and one column per metric, from `{metric: (steps, values)}`; gaps are NaN.

    Raises OntogenyError for a table that would be too large.
    """
    steps = np.unique(np.concatenate([steps for steps, _ in series.values()])) if series else np.zeros(0, np.int64)
    if len(steps) * len(series) > _MOST_CELLS:
        raise OntogenyError(
            f"a table of {len(steps)} steps by {len(series)} metrics is too large: select fewer metrics, "
            f"at most {_MOST_CELLS} cells"
        )
    columns: dict[str, np.ndarray] = {"step": steps}
    for name, (at, values) in series.items():
        column = np.full(len(steps), np.nan)
        column[np.searchsorted(steps, at)] = values
        columns[name] = column
    return pd.DataFrame(columns)


def tidy(blocks: Iterable[tuple[str, str, str, np.ndarray, np.ndarray]]) -> pd.DataFrame:
    """The tidy table from (run, layer, metric, steps, values) blocks in any order; each block sorted by step.

    Runs and layers keep their order of first appearance (the run level comes first); metrics take their usual order.
    """
    blocks = list(blocks)
    runs = {run: i for i, run in enumerate(dict.fromkeys(block[0] for block in blocks))}
    layers: dict[tuple[str, str], int] = {}
    for run, layer, *_ in blocks:
        layers.setdefault((run, layer), -1 if layer == RUN_LEVEL else len(layers))
    blocks.sort(key=lambda block: (runs[block[0]], layers[block[0], block[1]], metric_order(block[2])))
    sizes = [len(block[3]) for block in blocks]
    words = zip(*((run, layer, metric) for run, layer, metric, _, _ in blocks)) if blocks else ((), (), ())
    columns = {name: _text_column(list(part), sizes) for name, part in zip(("run", "layer", "metric"), words)}
    steps = np.concatenate([block[3] for block in blocks]) if blocks else np.zeros(0, np.int64)
    values = np.concatenate([block[4] for block in blocks]) if blocks else np.zeros(0)
    columns |= {"step": steps.astype(np.int64, copy=False), "value": values.astype(np.float64, copy=False)}
    return pd.DataFrame({name: columns[name] for name in COLUMNS})


def _text_column(names: list[str], sizes: list[int]) -> pd.Series:
    codes, unique = pd.factorize(np.array(names, dtype=object)) if names else (np.zeros(0, int), [])
    return pd.Series(pd.array(list(unique), dtype="str")).take(np.repeat(codes, sizes)).reset_index(drop=True)


def _series_slices(frame: pd.DataFrame) -> dict[tuple[str, str, str], slice]:
    expect(frame, pd.DataFrame, "a tidy table, as the frame of a record,")
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise OntogenyError(
            f"a tidy table needs the columns {', '.join(COLUMNS)}: {', '.join(missing)} missing, "
            f"{listed(map(str, frame.columns))} present"
        )
    if frame.empty:
        return {}
    keys = [pd.factorize(frame[name])[0] for name in ("run", "layer", "metric")]
    changed = np.zeros(len(frame), bool)
    changed[0] = True
    for codes in keys:
        changed[1:] |= codes[1:] != codes[:-1]
    starts = np.flatnonzero(changed)
    ends = np.append(starts[1:], len(frame))
    heads = frame.iloc[starts]
    names = zip(heads["run"], heads["layer"], heads["metric"])
    slices: dict[tuple[str, str, str], slice] = {}
    for key, start, end in zip(names, starts.tolist(), ends.tolist()):
        if key in slices:
            raise OntogenyError(
                f"the tidy table is not in order: the series of layer {quote(key[1])}, metric {quote(key[2])} of "
                f"run {quote(key[0])} is in several pieces; pass it through phase1_from_frame"
            )
        slices[key] = slice(start, end)
    return slices


def quote(name: Any, most: int = 60) -> str:
    """`name` in quotes for a message: on one line, control characters escaped, cut when long."""
    text = str(name)
    return repr(text if len(text) <= most else text[: most - 3] + "...")


def listed(names: Iterable[Any], most: int = 8) -> str:
    """Names in quotes, separated by commas, the rest counted."""
    names = list(names)
    shown = ", ".join(quote(name, 40) for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "") if names else "none"


def safe_name(name: str) -> str:
    """A name that can be one part of a path, an HTML id or a wildcard, and that no other name shares.

    A name of at most 100 letters, digits, `_`, `-` and inner dots is kept. In any other, each run of other
    characters becomes one `_`, leading dots and dashes go, the rest is cut to 60 characters, and `-` with the first
    8 hexadecimal digits of the SHA-256 of the whole name is added.

    >>> safe_name("mlp_deep_10_mnist"), safe_name("../a b")
    ('mlp_deep_10_mnist', '_a_b-2171b22f')
    """
    expect(name, str, "a name")
    if re.fullmatch(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,98}[A-Za-z0-9_-])?", name) and ".." not in name:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    words = re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9_.-]+", "_", name)).lstrip(".-")[:60] or "run"
    return f"{words}-{digest}"


def unique_name(name: str, taken: Iterable[str]) -> str:
    """`name`, or `name_2`, `name_3`, ... if it is taken."""
    taken = set(taken)
    if name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"
