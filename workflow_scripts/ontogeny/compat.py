"""The names of the published tracking package, each a call of ours: scripts for it run after one changed import line.

    from ontogeny.compat import HighFrequencyTracker, JumpDetector, compute_all_metrics, export_to_hdf5, plot_phases

Arguments and results are as published: estimators take a matrix (rows, features); results are mappings from layer to a
DataFrame with the columns step, metrics, loss and grad_norm, as `HighFrequencyTracker.get_results` gives them. Mistakes
raise `Mistake`, an OntogenyError that is a ValueError too, as published.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from ontogeny import jumps as detection
from ontogeny.errors import OntogenyError
from ontogeny.models import get_handler as _handler
from ontogeny.tracking import ActivationCapture, estimators
from ontogeny.tracking import HighFrequencyTracker as Tracker

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = [
    "ActivationCapture",
    "ArchitectureHandler",
    "CNNHandler",
    "DimensionalityMetrics",
    "HighFrequencyTracker",
    "Jump",
    "JumpDetector",
    "MLPHandler",
    "Mistake",
    "RNNHandler",
    "TransformerHandler",
    "ViTHandler",
    "compute_all_metrics",
    "create_interactive_plot",
    "create_multi_layer_plot",
    "cumulative_energy_90",
    "detect_architecture",
    "export_to_csv",
    "export_to_hdf5",
    "export_to_json",
    "get_default_config",
    "get_handler",
    "get_layers_for_model",
    "load_config",
    "load_from_csv",
    "load_from_hdf5",
    "load_from_json",
    "nuclear_norm_ratio",
    "participation_ratio",
    "plot_jumps",
    "plot_metrics_comparison",
    "plot_phases",
    "plot_single_metric",
    "save_config",
    "setup_logger",
    "stable_rank",
]


class Mistake(OntogenyError, ValueError):
    """A mistake that the user can fix, for scripts that expect the ValueError of the published package."""


@contextmanager
def _mistakes() -> Iterator[None]:
    try:
        yield
    except OntogenyError as error:
        raise Mistake(str(error)) from None


class HighFrequencyTracker(Tracker):
    """As `ontogeny.HighFrequencyTracker`, but all rows of a batch are measured, and jumps are found, as published."""

    def __init__(self, *arguments: Any, max_rows: int | str | None = "all", **others: Any) -> None:
        with _mistakes():
            super().__init__(*arguments, max_rows=max_rows, **others)

    def detect_jumps(
        self,
        layer_name: str | None = None,
        metric: str = "stable_rank",
        detector: str | None = "z_score",
        threshold_z: float | None = None,
        **settings: Any,
    ) -> dict[str, list[Jump]]:
        """Jumps of a metric by layer: by rolling z-scores beyond `threshold_z`, `jump_z_threshold` if not given, unless
        another detector of `ontogeny.detect_jumps` is named."""
        if threshold_z is not None:
            settings["threshold"] = threshold_z
        with _mistakes():
            found = super().detect_jumps(layer_name, metric, detector, **settings)
        return {name: [Jump(**asdict(jump), metric_name=metric) for jump in jumps] for name, jumps in found.items()}


Results = Mapping[str, "pd.DataFrame"]
METRICS = ("stable_rank", "participation_ratio", "cumulative_90", "nuclear_norm_ratio")


@dataclass
class DimensionalityMetrics:
    """What is measured of a layer at a step."""

    step: int
    stable_rank: float
    participation_ratio: float
    cumulative_90: int
    nuclear_norm_ratio: float
    loss: float
    grad_norm: float | None = None


# ----------------------------------------------------------------------------------------------------- estimators


def _sigma(matrix: Any) -> np.ndarray:
    with _mistakes():
        return estimators.singular_values(estimators.to_rows(matrix))


def stable_rank(matrix: Any, eps: float = 0.0) -> float:
    """Squared Frobenius norm over squared spectral norm of a matrix (rows, features). `eps` is not needed."""
    return estimators.stable_rank(_sigma(matrix))


def participation_ratio(matrix: Any, eps: float = 0.0) -> float:
    """(sum of singular values)^2 over the sum of their squares. `eps` is not needed."""
    return estimators.participation_ratio(_sigma(matrix))


def cumulative_energy_90(matrix: Any, threshold: float = 0.9) -> int:
    """Number of singular values whose squares hold `threshold` of the sum of all squares.

    Raises Mistake for a threshold that is no share above 0.
    """
    if not 0 < threshold <= 1:
        raise Mistake(f"threshold is {threshold!r}: give a share above 0 and up to 1")
    energy = np.cumsum(np.square(_sigma(matrix), dtype=np.float64))
    if threshold == 0.9 or not energy[-1] > 0:
        return int(estimators.cumulative_90(_sigma(matrix)))
    return min(int(np.searchsorted(energy / energy[-1], threshold)) + 1, energy.size)


def nuclear_norm_ratio(matrix: Any, eps: float = 0.0) -> float:
    """Nuclear norm over spectral norm. `eps` is not needed."""
    return estimators.nuclear_norm_ratio(_sigma(matrix))


def compute_all_metrics(matrix: Any, eps: float = 0.0) -> tuple[float, float, int, float]:
    """stable_rank, participation_ratio, cumulative_energy_90 and nuclear_norm_ratio, from one decomposition."""
    sigma = _sigma(matrix)
    ninety = int(estimators.cumulative_90(sigma))
    ratios = estimators.stable_rank(sigma), estimators.participation_ratio(sigma)
    return *ratios, ninety, estimators.nuclear_norm_ratio(sigma)


# -------------------------------------------------------------------------------------------------- architectures


class ArchitectureHandler:
    """The layers to watch in models of one architecture; a subclass of yours says which these are."""

    architecture: str | None = None
    """As `ontogeny.models.detect_architecture` calls it; None: any."""

    def validate_model(self, model: Any) -> bool:
        """Whether a model is of this architecture."""
        try:
            found = _handler(model).architecture
        except OntogenyError:
            return False
        return self.architecture in (None, found)

    def get_activation_layers(self, model: Any) -> list[Any]:
        """The layers to watch."""
        return _handler(model).get_activation_layers()

    def get_layer_names(self, model: Any) -> list[str]:
        """Their names."""
        return _handler(model).get_layer_names()

    def get_name(self) -> str:
        """The name of the class without `Handler`."""
        return type(self).__name__.replace("Handler", "")


class MLPHandler(ArchitectureHandler):
    """Linear layers alone."""

    architecture = "mlp"


class CNNHandler(ArchitectureHandler):
    """Convolutions."""

    architecture = "cnn"


class TransformerHandler(ArchitectureHandler):
    """Attention to tokens."""

    architecture = "transformer"


class ViTHandler(ArchitectureHandler):
    """Attention to patches of images."""

    architecture = "vit"


class RNNHandler(ArchitectureHandler):
    """Recurrent layers, which the published package does not know."""

    architecture = "rnn"


_HANDLERS = {
    str(handler.architecture): handler
    for handler in (MLPHandler, CNNHandler, TransformerHandler, ViTHandler, RNNHandler)
}


def detect_architecture(model: Any) -> ArchitectureHandler | None:
    """The handler of a model, whose `get_name()` is its architecture; None if it is of no known one."""
    try:
        return get_handler(model)
    except OntogenyError:
        return None


def get_handler(model: Any, architecture: str | None = None) -> ArchitectureHandler:
    """The handler of a model: that of the named architecture (mlp, cnn, transformer, vit, rnn), or the one found.

    Raises Mistake for an unknown architecture, and for a model that is not of it.
    """
    with _mistakes():
        return _HANDLERS[_handler(model, architecture).architecture]()


def get_layers_for_model(model: Any, architecture: str | None = None) -> tuple[list[Any], list[str]]:
    """The layers to watch in a model, and their names."""
    with _mistakes():
        layers = _handler(model, architecture).layers
    return [layer.module for layer in layers], [layer.name for layer in layers]


# -------------------------------------------------------------------------------------------------- configuration


def get_default_config() -> dict[str, Any]:
    """Settings of `HighFrequencyTracker` and of its jump detection, as published."""
    return {
        "sampling_frequency": 1,
        "enable_jump_detection": True,
        "jump_window_size": 50,
        "jump_z_threshold": 3.0,
    }


def load_config(config_path: str | os.PathLike) -> dict[str, Any]:
    """Settings from a YAML file: `HighFrequencyTracker(model, **load_config(path))`.

    Raises Mistake for a file that is missing, is not YAML, or holds no settings.
    """
    from ontogeny.files import read_text

    try:
        found = yaml.safe_load(read_text(config_path))
    except yaml.YAMLError as error:
        raise Mistake(f"{config_path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict):
        raise Mistake(f"{config_path} holds no settings: it should consist of lines like sampling_frequency: 10")
    return found


def save_config(config: Mapping[str, Any], output_path: str | os.PathLike) -> None:
    """Write settings as YAML."""
    from ontogeny.files import write_text

    write_text(output_path, yaml.safe_dump(dict(config), sort_keys=False))


def setup_logger(
    name: str = "ndt", level: int = logging.INFO, log_file: str | os.PathLike | None = None, **_: Any
) -> logging.Logger:
    """A logger that writes to standard error and, where a file is given, to it too. Other arguments are not used."""
    logger = logging.getLogger(name)
    logger.setLevel(level)
    logger.propagate = False
    for old in list(logger.handlers):
        logger.removeHandler(old)
        old.close()
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if log_file is not None:
        Path(log_file).parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(log_file, encoding="utf-8"))
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s - %(name)s - %(levelname)s - %(message)s"))
        logger.addHandler(handler)
    return logger


# ----------------------------------------------------------------------------------------------------------- jumps


@dataclass(frozen=True, init=False)
class Jump(detection.Jump):
    """A jump that also says of which metric it is."""

    metric_name: str = ""

    def __init__(
        self,
        step: float,
        z_score: float = math.nan,
        value_before: float = math.nan,
        value_after: float = math.nan,
        metric_name: str = "",
        **others: Any,
    ) -> None:
        size = value_after - value_before
        found: dict[str, Any] = {
            "index": int(step), "size": size, "direction": "up" if size > 0 else "down", "score": abs(z_score),
            "step": step, "z_score": z_score, "value_before": value_before, "value_after": value_after,
        }  # fmt: skip
        super().__init__(**(found | others))
        object.__setattr__(self, "metric_name", metric_name)


class JumpDetector:
    """Rolling z-scores over a trailing window, as published; `ontogeny.detect_jumps` is the calibrated detector.

    A run of flagged points is one jump, the strongest; the published class lists each of them.
    """

    def __init__(self, window_size: int = 50, z_threshold: float = 3.0, min_samples: int = 20) -> None:
        for name, value, least in (("window_size", window_size, 2), ("min_samples", min_samples, 1)):
            if value < least:
                raise Mistake(f"{name} is {value!r}: give a whole number of {least} or more")
        if not z_threshold > 0:
            raise Mistake(f"z_threshold is {z_threshold!r}: give a number above 0")
        self.window_size, self.z_threshold, self.min_samples = window_size, z_threshold, min_samples

    def detect_jumps(
        self, values: Any, metric_name: str = "dimensionality", step_offset: int = 0, steps: Any = None
    ) -> list[Jump]:
        """Jumps of one series (n,), with `value_before`, `value_after` and `z_score`; steps are positions plus
        `step_offset`, or those of `steps` (n,)."""
        places = np.arange(len(values)) + step_offset if steps is None else steps
        given: dict[str, Any] = {
            "window": self.window_size,
            "threshold": self.z_threshold,
            "min_samples": self.min_samples,
        }
        found = detection.detect_jumps(values, places, "z_score", **given)
        return [Jump(**asdict(jump), metric_name=metric_name) for jump in found]

    def detect_jumps_with_direction(
        self, values: Any, metric_name: str = "dimensionality", step_offset: int = 0, direction: str | None = None
    ) -> list[Jump]:
        """Jumps of one series, only those "up" or "down" if `direction` says so.

        Raises Mistake for another direction.
        """
        if direction not in (None, "up", "down"):
            raise Mistake(f"direction is {direction!r}: it must be 'up', 'down' or None")
        found = self.detect_jumps(values, metric_name, step_offset)
        return [jump for jump in found if direction in (None, jump.direction)]

    def compute_rolling_statistics(self, values: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean and standard deviation of the window before each value, and the size of its z-score, each (n,); 0 where
        fewer than `min_samples` values came before.

        Raises Mistake if there are no values.
        """
        x = np.asarray(values, np.float64)
        if not x.size:
            raise Mistake("values is empty: give at least one number")
        found = np.zeros((3, x.size))
        for i in range(self.min_samples, x.size):
            past = x[max(i - self.window_size, 0) : i]
            spread = past.std()
            found[:, i] = past.mean(), spread, abs(x[i] - past.mean()) / spread if spread > 1e-10 else 0.0
        return found[0], found[1], found[2]

    def detect_all_jumps(self, results: Results, metrics: Sequence[str] = METRICS) -> dict[str, dict[str, list[Jump]]]:
        """Jumps of every layer and metric: layer -> metric -> jumps."""
        return {
            layer: {
                name: self.detect_jumps(table[name], name, steps=table["step"]) for name in metrics if name in table
            }
            for layer, table in results.items()
        }


# ---------------------------------------------------------------------------------------------------------- export


def _write(
    results: Results | pd.DataFrame,
    path: str | os.PathLike,
    suffixes: Sequence[str],
    metadata: Mapping[str, Any] | None = None,
) -> None:
    import pandas as pd

    from ontogeny.phase1 import write_phase1

    if Path(path).suffix.lower() not in suffixes:
        raise Mistake(f"{path} does not end in {' or '.join(suffixes)}")
    tables = {"layer": results} if isinstance(results, pd.DataFrame) else results
    write_phase1(path, _record(tables, metadata))


def export_to_csv(
    results: Results | pd.DataFrame, output_path: str | os.PathLike, separate_files: bool = False
) -> None:
    """Write results as one tidy CSV table (run, layer, step, metric, value), or as one per layer in a folder."""
    if not separate_files:
        return _write(results, output_path, (".csv", ".tsv"))
    Path(output_path).mkdir(parents=True, exist_ok=True)
    for layer, table in results.items():
        _write({str(layer): table}, Path(output_path) / f"{layer}.csv", (".csv",))
    return None


def export_to_hdf5(
    results: Results | pd.DataFrame,
    output_path: str | os.PathLike,
    compression: str | None = "gzip",
    compression_opts: int = 4,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write results as HDF5, one group per layer, with `metadata`; always compressed with gzip."""
    _write(results, output_path, (".h5", ".hdf5"), metadata)


def export_to_json(
    results: Results | pd.DataFrame,
    output_path: str | os.PathLike,
    indent: int | None = 2,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write results as a Phase 1 record in JSON, with `metadata`, one line per column whatever `indent` says."""
    _write(results, output_path, (".json",), metadata)


def _loaded(path: str | os.PathLike) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    from ontogeny.phase1 import RUN_LEVEL, read_phase1

    record = read_phase1(path, repair=False)
    tables = {layer: record.wide(layer) for layer in record.layers}
    whole = {metric: (s, v) for _, layer, metric, s, v in record.each_series() if layer == RUN_LEVEL}
    for table in tables.values():
        for metric, (steps, values) in whole.items():
            table[metric] = table["step"].map(dict(zip(steps, values)))
    return tables, dict(record.metadata)


def load_from_csv(input_path: str | os.PathLike, separate_files: bool = False) -> dict[str, pd.DataFrame]:
    """Results by layer from a file that `export_to_csv` wrote, or from its folder."""
    if not separate_files:
        return _loaded(input_path)[0]
    return {path.stem: table for path in Path(input_path).glob("*.csv") for table in _loaded(path)[0].values()}


def load_from_hdf5(input_path: str | os.PathLike) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Results by layer, and metadata, from a file that `export_to_hdf5` wrote."""
    return _loaded(input_path)


def load_from_json(input_path: str | os.PathLike) -> dict[str, pd.DataFrame]:
    """Results by layer from a file that `export_to_json` wrote."""
    return _loaded(input_path)[0]


# --------------------------------------------------------------------------------------------------------- figures


def _record(results: Results, metadata: Mapping[str, Any] | None = None) -> Any:
    from ontogeny.phase1 import phase1_from_results

    tables = {str(name): table.drop(columns="rows", errors="ignore") for name, table in results.items()}
    return phase1_from_results(tables, dict(metadata or {}))


def _chosen(df: Results | pd.DataFrame, layer_name: str | None) -> Results:
    """Results by layer, from one layer's table with its name, or from results, of which one layer may be chosen."""
    if not isinstance(df, Mapping):
        return {layer_name or "Layer": df}
    if layer_name is None:
        return df
    if layer_name not in df:
        raise Mistake(f"there is no layer {layer_name!r} in the results, only {', '.join(df)}")
    return {layer_name: df[layer_name]}


def plot_phases(
    results_dict: Results, metric: str = "stable_rank", figsize: Any = None, title: str | None = None
) -> Figure:
    """One metric of all layers over training, with the loss below. `figsize` is not used."""
    from ontogeny.jumps.figures import plot_metrics

    return plot_metrics(_record(results_dict), metrics=[metric], title=title)


def plot_single_metric(
    df: Results | pd.DataFrame,
    metric: str = "stable_rank",
    layer_name: str | None = None,
    title: str | None = None,
    **_: Any,
) -> Figure:
    """One metric of a layer over training, with the loss below. Other arguments are not used."""
    return plot_phases(_chosen(df, layer_name), metric, title=title)


def plot_metrics_comparison(
    df: Results | pd.DataFrame,
    metrics: Sequence[str] | None = None,
    layer_name: str | None = None,
    figsize: Any = None,
    title: str | None = None,
) -> Figure:
    """Several metrics, all by default, of a layer over training. `figsize` is not used."""
    from ontogeny.jumps.figures import plot_metrics

    return plot_metrics(_record(_chosen(df, layer_name)), metrics=metrics, title=title)


def plot_jumps(
    df: Results | pd.DataFrame,
    jumps: Sequence[Any] | Mapping[str, Sequence[Any]],
    metric: str = "stable_rank",
    layer_name: str | None = None,
    figsize: Any = None,
    title: str | None = None,
) -> Figure:
    """One metric with its jumps marked: of a layer's table, or of results with jumps by layer."""
    import pandas as pd

    from ontogeny.jumps.figures import plot_metrics

    tables = _chosen(df, layer_name)
    by_layer = jumps if isinstance(jumps, Mapping) else dict.fromkeys(tables, jumps)
    record = _record(tables)
    rows = [(record.runs[0], layer, metric, j.step, j.direction) for layer, found in by_layer.items() for j in found]
    table = pd.DataFrame(rows, columns=["run", "layer", "metric", "step", "direction"])
    return plot_metrics(record, jumps=table, metrics=[metric], title=title)


def create_multi_layer_plot(results_dict: Results, metric: str = "stable_rank") -> Any:
    """An interactive figure (Plotly) of one metric of all layers."""
    import plotly.graph_objects as go

    from ontogeny.jumps.figures import metric_label

    shown = {layer: table for layer, table in results_dict.items() if metric in table}
    lines = [go.Scatter(x=table["step"], y=table[metric], mode="lines", name=layer) for layer, table in shown.items()]
    return go.Figure(lines).update_layout(xaxis_title="Training step", yaxis_title=metric_label(metric))


def create_interactive_plot(
    df: pd.DataFrame, metrics: Sequence[str] | None = None, layer_name: str = "Layer", show_loss: bool = True
) -> Any:
    """An interactive figure (Plotly) of the metrics of a layer, a panel each, and the loss."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    from ontogeny.jumps.figures import metric_label

    shown = [name for name in (*(metrics or METRICS), *(["loss"] if show_loss else [])) if name in df]
    labels = [metric_label(name) for name in shown]
    fig = make_subplots(rows=len(shown), cols=1, shared_xaxes=True, subplot_titles=labels)
    for row, (name, label) in enumerate(zip(shown, labels), 1):
        fig.add_trace(go.Scatter(x=df["step"], y=df[name], mode="lines", name=label), row=row, col=1)
    return fig.update_layout(title_text=layer_name, showlegend=False, height=220 * max(len(shown), 1))
