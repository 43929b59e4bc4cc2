"""The tables of record: what every run was and came to, and what every job cost."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from ontogeny.code import PACKAGE, code_digest
from ontogeny.errors import OntogenyError
from ontogeny.files import read_json

FINAL_METRICS = ("loss", "probe_loss", "probe_accuracy")


def cost_table(folder: str | os.PathLike, mem_mb: dict[str, int] | None = None) -> pd.DataFrame:
    """All of Snakemake's benchmark files below `folder` as one table, sorted by rule and job.

    Columns: rule, job, then those of the benchmarks (s, cpu_time, max_rss in MiB, ...). With `mem_mb`, the memory
    that every rule asks for in MB, also that and `mem_share`, the largest share of it that the job held.

    Raises OntogenyError for a file that is no benchmark.
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
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["rule", "job", "s", "max_rss"])
    if mem_mb is not None:
        table["mem_mb"] = table["rule"].map(mem_mb)
        table["mem_share"] = (table["max_rss"] * 2**20 / 1e6 / table["mem_mb"]).astype(float).round(3)
    return table


def cost_of(run: str, folder: str | os.PathLike) -> pd.DataFrame:
    """The rows of `cost_table` that belong to one run: jobs named by it, alone or after a study."""
    table = cost_table(folder)
    job = table["job"].astype(str)
    alone = (job == run) | job.str.startswith(f"{run}/") & ~job.str.match(rf"{re.escape(run)}/s\d+")
    inside = job.str.match(rf"[^/]+/{re.escape(run)}(?:/(?!s\d+).*)?$")
    return table[alone | inside].reset_index(drop=True)


def training_cost(run: str, folder: str | os.PathLike) -> dict[str, Any]:
    """What training a run took: rule, digest of its code, seconds, CPU seconds, peak memory (MiB).

    The rule is the one whose name begins with `train_` or `fit_` and that left a benchmark of the run. Empty if none
    did.
    """
    paths = [path for start in ("train_", "fit_") for path in sorted(Path(folder).glob(f"{start}*/{run}.tsv"))]
    if not paths:
        return {}
    rule = paths[0].relative_to(folder).parts[0]
    cost = pd.read_csv(paths[0], sep="\t", na_values=["-", "NA"]).iloc[-1]
    script = PACKAGE.parent / f"{rule}.py"
    found = {"code": code_digest(script) if script.is_file() else None, "cost.rule": rule}
    names = {"cost.s": "s", "cost.cpu_s": "cpu_time", "cost.max_rss": "max_rss"}
    return found | {name: cost.get(column) for name, column in names.items()}


def experiment_table(
    folders: Iterable[str | os.PathLike],
    benchmarks: str | os.PathLike | None = None,
    swept: dict[str, dict[str, Any]] | None = None,
) -> pd.DataFrame:
    """One row per run: its settings, what it came to, its jumps, the versions and the revision that made it.

    `folders` hold config.json, phase1.json and jumps.csv. Settings are named by their keys (`training.steps`). With
    `benchmarks`, also the digest of the training's code and what training cost. `swept` says of runs that a sweep
    made which run was swept (column `sweep`), and the values it got (`swept.training.steps`).
    """
    rows = [_experiment(Path(folder)) for folder in folders]
    for row in rows:
        origin = (swept or {}).get(row["run"])
        if origin is not None:
            row |= {"sweep": origin["key"], **{f"swept.{key}": _word(value) for key, value in origin["values"].items()}}
        if benchmarks is not None:
            row |= training_cost(row["run"], benchmarks)
    return pd.DataFrame(rows)


def _word(value: Any) -> Any:
    return value if isinstance(value, int | float | str | None) else json.dumps(value)


def _experiment(folder: Path) -> dict[str, Any]:
    config = read_json(folder / "config.json")
    about = {"run": config["run"], "identity": config["identity"]}
    made = {f"version.{name}": version for name, version in config["versions"].items()}
    made |= {"revision": config["revision"]}
    if "outcome" in config:
        return {**about, **config["outcome"], **flat(config["settings"]), **made}
    record = read_json(folder / "phase1.json")
    layers = [name for name in record if name != "metadata"]
    columns = record[layers[0]]
    jumps = pd.read_csv(folder / "jumps.csv")
    row = {**about, "parameters": config["parameters"]}
    row |= {f"final_{metric}": columns[metric][-1] for metric in FINAL_METRICS if metric in columns}
    row |= {"layers": len(layers), "steps_logged": len(columns["step"])}
    row |= {"jumps_found": len(jumps), "jumps_significant": int(jumps["significant"].sum()) if len(jumps) else 0}
    return {**row, **flat(config["settings"]), **made}


def flat(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Nested settings as one mapping with dotted keys, lists as words with spaces between."""
    if not isinstance(settings, dict):
        return {prefix: settings if not isinstance(settings, list) else " ".join(map(str, settings))}
    found: dict[str, Any] = {}
    for key, value in settings.items():
        found |= flat(value, f"{prefix}.{key}" if prefix else key)
    return found
