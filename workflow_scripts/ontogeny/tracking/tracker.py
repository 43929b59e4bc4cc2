"""Measuring a network's layers from inside a training loop."""

from __future__ import annotations

import math
import os
import warnings
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ontogeny.arguments import checks_arguments, usable_device
from ontogeny.errors import OntogenyError, first_line, known_layer, unknown
from ontogeny.files import in_text
from ontogeny.tracking.capture import ActivationCapture, module_path, resolve_layers
from ontogeny.tracking.estimators import (
    LAYOUTS,
    METRICS,
    choose_metrics,
    measure_singular_values,
    measure_together,
    singular_values,
    to_rows,
)
from ontogeny.tracking.layout import rows_of_layer
from ontogeny.tracking.settings import DEFAULTS
from ontogeny.words import joined

LIVE_ROWS = 48
"""Rows of a live batch that are measured by default."""

PENDING_STEPS = 16
PENDING_BYTES = 32 * 2**20
MEASURING = 2
"""Parcels of steps that may wait to be measured."""


class HighFrequencyTracker:
    """Dimensionality of a model's layers, every `sampling_frequency` steps of any training loop.

        tracker = HighFrequencyTracker(model)
        for step, (x, y) in enumerate(batches):
            ...                                   # forward, backward, optimizer.step()
            tracker.log(step, loss)
        results = tracker.get_results()           # layer name -> DataFrame

    Without a `probe`, what is measured is the live batch: each layer's output in the latest forward pass in
    training mode with gradients enabled before `log` (an evaluation in between changes nothing). Of a layer's rows
    48 are measured, evenly spread over the batch, so that measuring at every step costs little; the number of rows
    changes every metric, so it is recorded with each measurement, and `max_rows` sets it. With a `probe`,
    the model runs it at each sampled step in evaluation mode, without gradients, and is left exactly as it was:
    the training flag of each module, batch-norm statistics, gradients and random number generators.

    Arguments:
        model: any PyTorch module.
        layers: modules of the model or their dotted paths, in a list or a mapping from names; if None, those
            that `ontogeny.models.monitored_layers` finds.
        layer_names: names for `layers`; if None, class and position ("Linear_0"). Without `layers`, which of
            the layers that were found to watch.
        sampling_frequency: steps between measurements; steps that it does not divide cost next to nothing.
        capture_on_cpu: measure on the CPU; if False, the Gram matrix is formed on the model's device.
        enable_jump_detection, jump_z_threshold, jump_window_size: for `detect_jumps`.
        metrics: names in `ontogeny.tracking.METRICS`; all, if None.
        centre: subtract each feature's mean first (published records: no).
        layout: what a row is: "samples", "positions", "pooled" or "auto" (see `to_rows`); recorded by layer.
        feature_axis: the axis of an output with more than two axes that holds the features (see `to_rows`).
        max_rows: rows of a layer's matrix that are measured at most, evenly spread over it, or "all"; by default 48
            of a live batch, and all of a probe.
        probe: a fixed input: a tensor, a tuple of positional or a dict of keyword arguments for the model.
        device: where to measure, in place of what `capture_on_cpu` says.

    Raises OntogenyError for a setting out of its range and for layers that cannot be found.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Sequence[nn.Module | str] | Mapping[str, nn.Module | str] | None = None,
        layer_names: Sequence[str] | None = None,
        sampling_frequency: int = DEFAULTS.every,
        capture_on_cpu: bool = True,
        enable_jump_detection: bool = True,
        jump_z_threshold: float = 3.0,
        jump_window_size: int = 50,
        *,
        metrics: Iterable[str] | None = None,
        centre: bool = DEFAULTS.centre,
        layout: str = DEFAULTS.rows,
        feature_axis: int | None = None,
        max_rows: int | str | None = None,
        probe: Any = None,
        device: torch.device | str | None = None,
    ) -> None:
        if isinstance(sampling_frequency, bool) or not isinstance(sampling_frequency, int) or sampling_frequency < 1:
            raise OntogenyError(
                f"sampling_frequency is {sampling_frequency!r}: give the steps between measurements, a number from 1 up"
            )
        if layout not in LAYOUTS:
            raise unknown("layout", layout, LAYOUTS)
        if max_rows is None:
            max_rows = LIVE_ROWS if probe is None else "all"
        if max_rows != "all" and (isinstance(max_rows, bool) or not isinstance(max_rows, int) or max_rows < 1):
            raise OntogenyError(f"max_rows is {max_rows!r}: give the rows to measure, a number from 1 up, or 'all'")
        if device is not None:
            device = usable_device(device)
        _check_probe(probe)
        self.model = model
        self.sampling_frequency = sampling_frequency
        self.capture_on_cpu = capture_on_cpu
        self.device = torch.device("cpu") if device is None and capture_on_cpu else device
        self.enable_jump_detection = enable_jump_detection
        self.jump_z_threshold = jump_z_threshold
        self.jump_window_size = jump_window_size
        self.centre = centre
        self.layout = layout
        self.feature_axis = feature_axis
        self.probe = probe
        self.step_counter = 0
        self._metrics = choose_metrics(metrics)
        self._layers = resolve_layers(model, layers, layer_names)
        self.layer_names = list(self._layers)
        self.layer_paths = {name: module_path(model, module) for name, module in self._layers.items()}
        self._columns: dict[str, dict[str, list]] = {
            name: {column: [] for column in ("step", *self._metrics, "loss", "grad_norm", "rows")}
            for name in self._layers
        }
        self._measures: dict[str, dict[int, float]] = {}
        self._shapes: dict[str, tuple[str, int]] = {}
        self._warned: set[str] = set()
        self._pending: list[dict[str, Any]] = []
        self._pending_bytes = 0
        self._worker: ThreadPoolExecutor | None = None
        self._measuring: deque[Future[list[dict[str, dict[str, float]]]]] = deque()
        self._closed = False
        if probe is None:
            self.activation_capture = ActivationCapture(model, self._layers, when="training")
        else:
            self.activation_capture = ActivationCapture(transform=lambda name, output: self._take_probe(name, output))
        self.max_rows = max_rows
        self._chosen: dict[tuple[int, torch.device], torch.Tensor] = {}

    def log(
        self, step: int, loss: float, grad_norm: float | None = None, force: bool = False, **measures: float | None
    ) -> None:
        """Measure every layer, if `sampling_frequency` divides `step` (or `force`); call it once each step.

        `loss` and `grad_norm` are recorded as they are; zero-dimensional tensors are read only when the step is
        sampled. `measures` are numbers of the whole run under names of your own, such as `val_accuracy=0.93`: they
        are recorded at each step that they are given for, sampled or not; None is left out. A tracker never breaks a
        run: a layer without an output that can be measured is recorded as NaN, and a step that was logged before (as
        when gradients are accumulated) is passed over, each with one warning. Of a live batch the rows are set aside
        and measured a few steps at a time, by a thread of the tracker's own beside the training, or when results are
        asked for. Raises OntogenyError for a step, loss, gradient norm or measure that is not a number, for a measure
        that has the name of a metric, and after `close`.
        """
        if self._closed:
            raise OntogenyError("the tracker is closed: log before close(), or make a new tracker")
        step = _whole(step)
        for name, value in measures.items():
            self._take_measure(step, name, value)
        if not force and step % self.sampling_frequency:
            self.activation_capture.clear_activations()
            return
        loss, grad_norm = _number(loss, "loss"), _number(grad_norm, "grad_norm")
        first = self._columns[self.layer_names[0]]["step"]
        if first and step <= first[-1]:
            self.activation_capture.clear_activations()
            self._warn_once("order", f"step {step} was logged after step {first[-1]}: it is passed over, here and "
                            "wherever a step is logged again")  # fmt: skip
            return
        taken = self._take_batch() if self.probe is None else self._run_probe(step)
        for name in self.layer_names:
            rows = self._count_rows(name, taken.get(name), step)
            columns = self._columns[name]
            columns["step"].append(step)
            columns["loss"].append(loss)
            columns["grad_norm"].append(grad_norm)
            columns["rows"].append(rows)
        self._pending.append(taken)
        self._pending_bytes += sum(getattr(matrix, "nbytes", 0) for matrix in taken.values())
        if len(self._pending) >= PENDING_STEPS or self._pending_bytes > PENDING_BYTES:
            self._hand_over()
        self.step_counter = step

    def _take_measure(self, step: int, name: str, value: float | None) -> None:
        if name in (*METRICS, "step", "rows"):
            raise OntogenyError(f"'{name}' is what the tracker measures of every layer: give the measure another name")
        if value is None:
            return
        taken = self._measures.setdefault(name, {})
        if taken and step <= next(reversed(taken)):
            self._warn_once(
                f"order of {name}", f"{name} was given again for step {step}, or for one before: passed over"
            )
            return
        taken[step] = _number(value, name)

    @property
    def measures(self) -> Any:
        """What `log` was given as measures of the run: a pandas DataFrame with the column step and one for each, NA at
        steps for which it was not given."""
        import pandas as pd

        columns = {name: pd.Series(taken, dtype="Float64") for name, taken in self._measures.items()}
        return pd.DataFrame(columns).sort_index().rename_axis("step").reset_index()

    @property
    def latest(self) -> dict[str, dict[str, float]]:
        """The metrics of the last measured step, by layer; empty before the first."""
        self._work_off()
        return {
            name: {metric: columns[metric][-1] for metric in self._metrics}
            for name, columns in self._columns.items()
            if columns["step"]
        }

    def get_results(self, layer_name: str | None = None) -> Any:
        """Everything measured so far: layer -> pandas DataFrame, or the one DataFrame of `layer_name`.

        Columns: step; the metrics; loss; grad_norm (NaN where none was given); rows, the number of rows of the
        matrix that was measured (0 where there was none). Raises OntogenyError for an unknown layer.
        """
        import pandas as pd

        self._work_off()
        if layer_name is not None:
            return pd.DataFrame(self._columns[self._known(layer_name)])
        return {name: pd.DataFrame(columns) for name, columns in self._columns.items()}

    def detect_jumps(
        self,
        layer_name: str | None = None,
        metric: str = "stable_rank",
        detector: str | None = None,
        **settings: Any,
    ) -> dict[str, Any]:
        """Jumps of a metric by layer, found by `ontogeny.jumps.detect_jumps` (which names detectors and settings).

        Without `detector` it is the pipeline's. "z_score", that of the published class, takes `jump_window_size` and
        `jump_z_threshold` unless `settings` say otherwise. Raises OntogenyError for an unknown layer or metric,
        and if jump detection was disabled.
        """
        from ontogeny.jumps import detect_jumps
        from ontogeny.jumps.settings import JumpSettings

        if not self.enable_jump_detection:
            raise OntogenyError("jump detection is disabled: make the tracker with enable_jump_detection=True")
        if metric not in self._metrics:
            raise unknown("metric", metric, self._metrics)
        chosen = self.layer_names if layer_name is None else [self._known(layer_name)]
        self._work_off()
        detector = detector or JumpSettings().detector
        if detector == "z_score":
            settings = {"window": self.jump_window_size, "threshold": self.jump_z_threshold} | settings
        return {
            name: detect_jumps(self._columns[name][metric], self._columns[name]["step"], detector, **settings)
            for name in chosen
        }

    @property
    def metadata(self) -> dict[str, Any]:
        """How the numbers were made: paths, layouts, rows and features by layer, and the settings."""
        rows = {}
        for name, columns in self._columns.items():
            counts = columns["rows"]
            rows[name] = counts[0] if counts and len(set(counts)) == 1 else list(counts)
        return {
            "layers": dict(self.layer_paths),
            "measurement": {
                "source": "training batch" if self.probe is None else "probe",
                "mode": "training" if self.probe is None else "evaluation",
                "sampling_frequency": self.sampling_frequency,
                "centre": self.centre,
                "max_rows": self.max_rows,
                "metrics": list(self._metrics),
                "layout": {name: layout for name, (layout, _) in self._shapes.items()},
                "features": {name: features for name, (_, features) in self._shapes.items()},
                "rows": rows,
            },
        }

    @checks_arguments
    def save(self, path: str | os.PathLike, metadata: Mapping[str, Any] | None = None) -> None:
        """Write everything measured as a Phase 1 record, with how it was made and `metadata`.

        `metadata["run"]` names the run; without it, the name of the file does. What JSON does not hold is written as
        text, with a warning. The suffix decides the form: .json
        (columns by layer), .csv, .tsv, .parquet or .h5. Raises OntogenyError for another, and before the first `log`.
        """
        from ontogeny.phase1 import RUN_LEVEL, phase1_from_results, write_phase1

        if not self._columns[self.layer_names[0]]["step"]:
            raise OntogenyError("nothing was measured yet: call log(step, loss) in the training loop before saving")
        named = Path(path).name.split(".")[0]
        given = dict(metadata or {})
        if not isinstance(given.get("run", named), str | Real | os.PathLike):
            given["run"] = named
            warnings.warn(f"metadata.run is no name: the run is called '{named}', as the file is", stacklevel=3)
        given, as_text = in_text(given, "metadata")
        if as_text:
            warnings.warn(f"JSON does not hold {joined(as_text)}: written as text", stacklevel=3)
        tables = {name: table.drop(columns="rows") for name, table in self.get_results().items()}
        if self._measures:
            tables[RUN_LEVEL] = self.measures
        write_phase1(path, phase1_from_results(tables, {"run": named, **self.metadata, **given}))

    export = save

    def close(self) -> None:
        """Take the hooks out of the model. Results stay available. Safe to call again."""
        self._work_off()
        if self._worker is not None:
            self._worker.shutdown()
            self._worker = None
        self.activation_capture.remove_hooks()
        self._closed = True

    def __enter__(self) -> HighFrequencyTracker:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _run_probe(self, step: int) -> dict[str, Any]:
        try:
            return run_probe(self.model, self._layers, self.activation_capture, self.probe)
        except Exception as error:
            if not self._shapes:
                raise OntogenyError(
                    f"the probe does not run: {first_line(error)}; give what the model takes, on its device"
                ) from error
            self._warn_once("probe", f"the probe failed at step {step} ({first_line(error)}): NaN is recorded")
            return {}

    def _take_batch(self) -> dict[str, Any]:
        """The rows of each layer's latest output, copied out of the way of whatever happens next."""
        taken = {}
        for name in self.layer_names:
            output = self.activation_capture.get_activation(name)
            if output is None or not output.numel():
                continue
            try:
                matrix = self._matrix(name, output)
                shared = matrix.untyped_storage().data_ptr() == output.untyped_storage().data_ptr()
                taken[name] = matrix.clone() if shared else matrix
            except Exception as error:
                self._warn_once(f"matrix {name}", f"layer '{name}' cannot be measured: {first_line(error)}")
        self.activation_capture.clear_activations()
        return taken

    def _take_probe(self, name: str, output: torch.Tensor) -> _Measured:
        matrix = self._matrix(name, output)
        return _Measured(self._measure(matrix), matrix.shape[0])

    def _measure(self, matrix: torch.Tensor) -> dict[str, float]:
        return measure_singular_values(singular_values(matrix, self.centre), self._metrics, self._lacks)

    def _lacks(self, metric: str, error: Exception) -> None:
        self._warn_once(
            f"metric {metric}", f"{error}: NaN is recorded in its place, here and wherever it happens again"
        )

    def _matrix(self, name: str, output: torch.Tensor) -> torch.Tensor:
        layout, axis = rows_of_layer(self._layers[name], output.ndim, self.layout, self.feature_axis)
        matrix = self._some(to_rows(output, layout, axis))
        if name not in self._shapes:
            self._shapes[name] = (layout, matrix.shape[1])
        return matrix if self.device is None else matrix.to(self.device)

    def _some(self, matrix: torch.Tensor) -> torch.Tensor:
        """The rows that are measured of a matrix: all, or a copy of `max_rows`, evenly spread."""
        count = matrix.shape[0]
        if not isinstance(self.max_rows, int) or count <= self.max_rows:
            return matrix
        key = (count, matrix.device)
        if key not in self._chosen:
            self._chosen[key] = torch.arange(self.max_rows, device=matrix.device) * count // self.max_rows
        return matrix.index_select(0, self._chosen[key])

    def _hand_over(self) -> None:
        """Give the steps set aside to the thread that measures them, and wait if it lags far behind."""
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        if not pending:
            return
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="ontogeny-tracker")
        self._measuring.append(self._worker.submit(self._measured, pending))
        while len(self._measuring) > MEASURING:
            self._collect(self._measuring.popleft().result())

    def _work_off(self) -> None:
        """Have everything measured that was logged so far."""
        self._hand_over()
        while self._measuring:
            self._collect(self._measuring.popleft().result())

    def _measured(self, pending: list[dict[str, Any]]) -> list[dict[str, dict[str, float]]]:
        places = [(step, name) for step in pending for name, found in step.items() if not isinstance(found, _Measured)]
        try:
            values = measure_together([step[name] for step, name in places], self._metrics, self.centre, self._lacks)
        except Exception:
            values = [self._values(step[name]) for step, name in places]
        for (step, name), value in zip(places, values, strict=True):
            step[name] = _Measured(value, 0)
        lacking = _Measured(dict.fromkeys(self._metrics, math.nan), 0)
        return [{name: step.get(name, lacking).values for name in self.layer_names} for step in pending]

    def _values(self, found: torch.Tensor) -> dict[str, float]:
        try:
            return self._measure(found)
        except Exception as error:
            warnings.warn(f"a measurement failed, and NaN is recorded: {first_line(error)}", stacklevel=2)
            return dict.fromkeys(self._metrics, math.nan)

    def _collect(self, measured: list[dict[str, dict[str, float]]]) -> None:
        for step in measured:
            for name, values in step.items():
                for metric, value in values.items():
                    self._columns[name][metric].append(value)

    def _count_rows(self, name: str, found: torch.Tensor | _Measured | None, step: int) -> int:
        if found is None:
            self._warn_once(
                name,
                f"layer '{name}' had no output to measure at step {step}: NaN is recorded, here and wherever it "
                "happens again (log after the forward pass of a batch that is not empty, with gradients enabled)",
            )
            return 0
        rows = found.shape[0]
        before = self._columns[name]["rows"]
        if before and before[-1] not in (0, rows):
            self._warn_once(
                "rows",
                f"layer '{name}' has {rows} rows at step {step} and had {before[-1]} before, which changes every "
                "metric: set max_rows, drop the last incomplete batch, or give a probe",
            )
        return rows

    def _warn_once(self, key: str, message: str) -> None:
        if key not in self._warned:
            self._warned.add(key)
            warnings.warn(message, stacklevel=5)

    def _known(self, layer_name: str) -> str:
        return known_layer(layer_name, self._columns, self.layer_paths)


def _check_probe(probe: Any) -> None:
    """Refuse a probe that holds NaN or, of a tuple or a dict, whose first tensor has no rows."""
    if isinstance(probe, torch.Tensor) and probe.isnan().any():
        raise OntogenyError("the probe holds NaN, so that nothing can be measured: leave those rows out")
    parts = probe.values() if isinstance(probe, Mapping) else probe if isinstance(probe, tuple) else [probe]
    first = next((part for part in parts if isinstance(part, torch.Tensor)), None)
    if first is not None and not first.numel():
        raise OntogenyError(
            f"the probe has no rows (its shape is {tuple(first.shape)}), so that nothing can be measured: give samples"
        )


class _Measured:
    """The metrics of a layer that were measured inside the forward pass, and of how many rows."""

    __slots__ = ("shape", "values")

    def __init__(self, values: dict[str, float], rows: int) -> None:
        self.values = values
        self.shape = (rows,)


def _whole(step: Any) -> int:
    try:
        if not isinstance(step, str | bytes) and step == int(step):
            return int(step)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        pass
    raise OntogenyError(f"step {step!r} is not a whole number: count the steps of training")


def _number(value: Any, name: str) -> float:
    if value is None:
        return math.nan
    try:
        return float(value.detach() if isinstance(value, torch.Tensor) else value)
    except (TypeError, ValueError, RuntimeError):
        given = f"of shape {tuple(value.shape)}" if hasattr(value, "shape") else repr(value)
        raise OntogenyError(f"{name} is one number, such as the batch's mean, not {given}") from None


def run_probe(
    model: nn.Module, layers: Mapping[str, nn.Module], capture: ActivationCapture, probe: Any
) -> dict[str, Any]:
    """Run `probe` through `model` undisturbed (`undisturbed`); what `capture` keeps of `layers`, by name."""
    from ontogeny.models.layers import without_fast_path
    from ontogeny.models.trace import call, undisturbed

    capture.register_hooks(model, layers)
    try:
        with undisturbed(model), without_fast_path():
            call(model, probe)
        return capture.get_all_activations()
    finally:
        capture.remove_hooks()


@checks_arguments
def measure_probe(
    model: nn.Module,
    probe: Any,
    layers: Sequence[nn.Module | str] | Mapping[str, nn.Module | str] | None = None,
    *,
    metrics: str | Iterable[str] | None = None,
    centre: bool = DEFAULTS.centre,
    layout: str = DEFAULTS.rows,
    feature_axis: int | None = None,
) -> dict[str, dict[str, float]]:
    """Metrics of each layer on a fixed input, once; arguments as for `HighFrequencyTracker`. The model is unchanged."""
    with HighFrequencyTracker(
        model, layers, metrics=metrics, centre=centre, layout=layout, feature_axis=feature_axis, probe=probe
    ) as tracker:
        tracker.log(0, math.nan)
        return tracker.latest
