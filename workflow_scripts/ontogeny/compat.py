"""The names of the published tracking package, each a call of ours: scripts for it run after one changed import line.

    from ontogeny.compat import HighFrequencyTracker, JumpDetector, compute_all_metrics, export_to_hdf5, plot_phases

Estimators take a matrix (rows, features) instead of singular values; results are mappings from layer to a DataFrame
with the columns step, metrics, loss and grad_norm, as `HighFrequencyTracker.get_results` gives them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ontogeny.errors import OntogenyError
from ontogeny.jumps import Jump, detect_jumps
from ontogeny.models import detect_architecture, get_handler
from ontogeny.tracking import ActivationCapture, HighFrequencyTracker, estimators

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = [
    "ActivationCapture",
    "HighFrequencyTracker",
    "Jump",
    "JumpDetector",
    "compute_all_metrics",
    "cumulative_energy_90",
    "detect_architecture",
    "export_to_csv",
    "export_to_hdf5",
    "export_to_json",
    "get_handler",
    "nuclear_norm_ratio",
    "participation_ratio",
    "plot_jumps",
    "plot_metrics_comparison",
    "plot_phases",
    "plot_single_metric",
    "stable_rank",
]

Results = Mapping[str, "pd.DataFrame"]
METRICS = ("stable_rank", "participation_ratio", "cumulative_90", "nuclear_norm_ratio")


def _sigma(matrix: Any) -> np.ndarray:
    return estimators.singular_values(estimators.to_rows(matrix))


def stable_rank(matrix: Any) -> float:
    """Squared Frobenius norm over squared spectral norm of a matrix (rows, features)."""
    return estimators.stable_rank(_sigma(matrix))


def participation_ratio(matrix: Any) -> float:
    """(sum of singular values)^2 over the sum of their squares."""
    return estimators.participation_ratio(_sigma(matrix))


def cumulative_energy_90(matrix: Any) -> float:
    """Number of singular values that hold 90% of the energy."""
    return estimators.cumulative_90(_sigma(matrix))


def nuclear_norm_ratio(matrix: Any) -> float:
    """Nuclear norm over spectral norm."""
    return estimators.nuclear_norm_ratio(_sigma(matrix))


def compute_all_metrics(matrix: Any) -> dict[str, float]:
    """The four metrics of a matrix (rows, features), from one decomposition."""
    sigma = _sigma(matrix)
    return {
        "stable_rank": estimators.stable_rank(sigma),
        "participation_ratio": estimators.participation_ratio(sigma),
        "cumulative_energy_90": estimators.cumulative_90(sigma),
        "nuclear_norm_ratio": estimators.nuclear_norm_ratio(sigma),
    }


class JumpDetector:
    """Rolling z-scores over a trailing window, as published; `ontogeny.detect_jumps` is the calibrated detector."""

    def __init__(self, window_size: int = 50, z_threshold: float = 3.0, min_samples: int = 20) -> None:
        self.window_size, self.z_threshold, self.min_samples = window_size, z_threshold, min_samples

    def detect_jumps(self, values: Any, metric_name: str = "", steps: Any = None) -> list[Jump]:
        """Jumps of one series (n,), with `value_before`, `value_after` and `z_score`. `metric_name` is not needed."""
        return list(
            detect_jumps(
                values,
                steps,
                "z_score",
                window=self.window_size,
                threshold=self.z_threshold,
                min_samples=self.min_samples,
            )
        )

    def detect_all_jumps(self, results: Results, metrics: Sequence[str] = METRICS) -> dict[str, dict[str, list[Jump]]]:
        """Jumps of every layer and metric: layer -> metric -> jumps."""
        return {
            layer: {name: self.detect_jumps(table[name], steps=table["step"]) for name in metrics if name in table}
            for layer, table in results.items()
        }


def _write(results: Results | pd.DataFrame, path: str | os.PathLike, suffixes: Sequence[str]) -> None:
    from pathlib import Path

    import pandas as pd

    from ontogeny.phase1 import phase1_from_results, write_phase1

    if Path(path).suffix.lower() not in suffixes:
        raise OntogenyError(f"{path} does not end in {' or '.join(suffixes)}")
    tables = {"layer": results} if isinstance(results, pd.DataFrame) else dict(results)
    kept = {name: table.drop(columns="rows", errors="ignore") for name, table in tables.items()}
    write_phase1(path, phase1_from_results(kept))


def export_to_csv(results: Results | pd.DataFrame, path: str | os.PathLike) -> None:
    """Write results as one tidy CSV table (run, layer, step, metric, value)."""
    _write(results, path, (".csv", ".tsv"))


def export_to_hdf5(results: Results | pd.DataFrame, path: str | os.PathLike) -> None:
    """Write results as HDF5, one group per layer."""
    _write(results, path, (".h5", ".hdf5"))


def export_to_json(results: Results | pd.DataFrame, path: str | os.PathLike) -> None:
    """Write results as a Phase 1 record in JSON."""
    _write(results, path, (".json",))


def _record(results: Results) -> Any:
    from ontogeny.phase1 import phase1_from_results

    return phase1_from_results({name: table.drop(columns="rows", errors="ignore") for name, table in results.items()})


def plot_phases(results: Results, metric: str = "stable_rank") -> Figure:
    """One metric of all layers over training, with the loss below."""
    from ontogeny.jumps.figures import plot_metrics

    return plot_metrics(_record(results), metrics=[metric])


plot_single_metric = plot_phases


def plot_metrics_comparison(results: Results, layer_name: str | None = None) -> Figure:
    """All metrics of all layers over training, or of one layer."""
    from ontogeny.jumps.figures import plot_metrics

    if layer_name is not None and layer_name not in results:
        raise OntogenyError(f"there is no layer {layer_name!r} in the results, only {', '.join(results)}")
    return plot_metrics(_record(results if layer_name is None else {layer_name: results[layer_name]}))


def plot_jumps(results: Results, jumps: Mapping[str, Sequence[Jump]], metric: str = "stable_rank") -> Figure:
    """One metric of all layers with its jumps (layer -> jumps) marked."""
    import pandas as pd

    from ontogeny.jumps.figures import plot_metrics

    record = _record(results)
    rows = [(record.runs[0], layer, metric, j.step, j.direction) for layer, found in jumps.items() for j in found]
    table = pd.DataFrame(rows, columns=["run", "layer", "metric", "step", "direction"])
    return plot_metrics(record, jumps=table, metrics=[metric])
