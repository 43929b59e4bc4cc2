"""Recovery across conditions, levels and seeds, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ontogeny.statistics import student_interval

METRICS = (
    "connectivity_R2",
    "network_R2",
    "cluster_accuracy",
    "cluster_accuracy_embedding",
    "test_R2",
    "test_pearson",
    "edge_AUROC",
    "sign_accuracy",
    "phi_R2",
    "psi_R2",
    "oracle_R2",
)
_KNOWN_BEFORE = ("oracle_R2", "lyapunov_exponent", "lyapunov_se", "components_90", "components_99")


def recovery_by_run(
    runs: Sequence[Mapping[str, Any]], metrics: Sequence[Mapping[str, Any]], reports: Sequence[Mapping[str, Any]]
) -> pd.DataFrame:
    """One row per run: `runs` says which (run, condition, filling_factor, seed), `metrics` what was recovered, and
    `reports` what the activity told beforehand (see `activity_report`)."""
    rows = []
    for run, found, report in zip(runs, metrics, reports):
        before = {key: report[key] for key in _KNOWN_BEFORE}
        target = found["filling_factor"]
        rows.append(
            {
                **run,
                **before,
                **{k: v for k, v in found.items() if k not in ("filling_factor", "validity")},
                "filled": target,
            }
        )
    return pd.DataFrame(rows)


def recovery_table(by_run: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """One row per condition and filling factor: the mean of every metric with Student's interval over seeds, how many
    seeds converged, and for how many the wiring is trusted. Intervals of a single seed are empty."""
    rows = []
    for (condition, filling), part in by_run.groupby(["condition", "filling_factor"], sort=False, dropna=False):
        row: dict[str, Any] = {"condition": condition, "filling_factor": filling, "seeds": len(part)}
        row["converged"] = int((part["classification"] == "CONVERGED").sum())
        row["trusted"] = int((part["verdict"] == "trusted").sum()) if "verdict" in part else 0
        for metric in METRICS:
            values = pd.to_numeric(part[metric], errors="coerce").dropna().to_numpy(float)
            mean, low, high = (float(end) for end in student_interval(values, confidence))
            row |= {metric: mean, f"{metric}_low": low, f"{metric}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


__all__ = ["METRICS", "recovery_by_run", "recovery_table"]
