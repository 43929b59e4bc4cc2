"""The tables of record: what every run was and came to, and what every job cost."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from ontogeny.errors import OntogenyError
from ontogeny.files import read_json

FINAL_METRICS = ("loss", "probe_loss", "probe_accuracy")


def cost_table(folder: str | os.PathLike) -> pd.DataFrame:
    """All of Snakemake's benchmark files below `folder` as one table, sorted by rule and job.

    Columns: rule, job, then those of the benchmarks (s, cpu_time, max_rss in MiB, ...).
    """
    folder = Path(folder)
    parts = []
    for path in sorted(folder.rglob("*.tsv")):
        relative = path.relative_to(folder)
        try:
            part = pd.read_csv(path, sep="\t", na_values=["-", "NA"])
        except (ValueError, OSError):
            raise OntogenyError(f"{path} is not a benchmark table; delete it") from None
        part.insert(0, "rule", relative.parts[0])
        part.insert(1, "job", "/".join(relative.parts[1:])[: -len(".tsv")])
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["rule", "job", "s"])


def experiment_table(folders: Iterable[str | os.PathLike]) -> pd.DataFrame:
    """One row a run: its settings, what it came to, its jumps, the versions and the revision that made it.

    `folders` hold config.json, phase1.json and jumps.csv. Settings are named by their keys (`training.steps`).
    """
    return pd.DataFrame([_experiment(Path(folder)) for folder in folders])


def _experiment(folder: Path) -> dict[str, Any]:
    config = read_json(folder / "config.json")
    about = {"run": config["run"], "identity": config["identity"]}
    made = {f"version.{name}": version for name, version in config["versions"].items()}
    made |= {"revision": config["revision"]}
    if "outcome" in config:
        return {**about, **config["outcome"], **_flat(config["settings"]), **made}
    record = read_json(folder / "phase1.json")
    layers = [name for name in record if name != "metadata"]
    columns = record[layers[0]]
    jumps = pd.read_csv(folder / "jumps.csv")
    row = {**about, "parameters": config["parameters"]}
    row |= {f"final_{metric}": columns[metric][-1] for metric in FINAL_METRICS if metric in columns}
    row |= {"layers": len(layers), "steps_logged": len(columns["step"])}
    row |= {"jumps_found": len(jumps), "jumps_believable": int(jumps["believable"].sum()) if len(jumps) else 0}
    return {**row, **_flat(config["settings"]), **made}


def _flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(settings, dict):
        return {prefix: settings if not isinstance(settings, list) else " ".join(map(str, settings))}
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{prefix}.{key}" if prefix else key)
    return flat
