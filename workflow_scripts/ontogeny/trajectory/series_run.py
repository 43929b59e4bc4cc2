"""A series of checkpoints as a run: checked, measured at every step, and left on disk as a trajectory is."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ontogeny.errors import OntogenyError
from ontogeny.files import write_csv, write_json
from ontogeny.identity import identity_hash
from ontogeny.models import trace_layers, without_fast_path
from ontogeny.models.trace import call
from ontogeny.phase1.document import document
from ontogeny.progress import Progress
from ontogeny.provenance import revision, versions
from ontogeny.tracking.capture import ActivationCapture
from ontogeny.tracking.estimators import measure, to_rows
from ontogeny.tracking.layout import rows_of_layer
from ontogeny.trajectory.checkpoints import weights_digest
from ontogeny.trajectory.integrity import Integrity
from ontogeny.trajectory.replay import RUN_FORMAT
from ontogeny.trajectory.series import CheckpointSeries, describe, task_loss

logger = logging.getLogger("ontogeny")


def import_series(
    identity: dict[str, Any], folder: str | os.PathLike, run: str, cache_dir: str | os.PathLike = "cache"
) -> Integrity:
    """Check a series, measure it at every step, and write config.json, phase1.json, checkpoints/ and integrity.csv.

    identity: the settings of the series, as `Run.identity` gives them. Raises OntogenyError where checkpoints make the
    series false, and `on_problem` is `stop`; the report is written before.
    """
    series = CheckpointSeries({key: value for key, value in identity.items() if key != "seed"}, cache_dir)
    folder = Path(folder)
    report = series.check()
    write_csv(folder / "integrity.csv", report.table)
    left_out = [step for step in series.steps if step not in report.kept]
    if left_out and series.settings.on_problem == "stop":
        raise OntogenyError(
            f"the series of {run} is not what it says: {report.sentence()}; see {folder / 'integrity.csv'}, mend the "
            "files, or leave these steps out with on_problem: drop"
        )
    for step in left_out:
        logger.warning("step %d is left out: %s", step, "; ".join(report.problems[step]))
    if len(report.kept) < 2:
        raise OntogenyError(f"{run} has {len(report.kept)} usable checkpoints; a series needs at least two")
    series.use(report.kept[:: series.settings.tracking.every])
    rows = measure_series(series, run)
    layers = series.layers
    network = series.network()
    followed = trace_layers(network, series.probe[0][:2])
    config = {
        "format": RUN_FORMAT,
        "run": run,
        "identity": identity_hash(identity),
        "settings": {**identity, "model": {"name": type(network).__name__}},
        "seed": identity["seed"],
        "threads": torch.get_num_threads(),
        "last_step": series.steps[-1],
        "layers": layers,
        "nonlinearities": {name: followed[name].nonlinearity for name in layers if name in followed},
        "parameters": series.parameters,
        "data": {"probe": list(series.probe[0].shape), "labels": list(series.probe[1].shape)},
        "series": {"steps": series.steps, "left_out": left_out, "notes": report.notes},
        "versions": versions(),
        "revision": revision(),
    }
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    write_json(
        folder / "checkpoints" / "series.json", {"source": describe(series.settings)["source"], **config["series"]}
    )
    write_json(folder / "phase1.json", _record(rows, config), indent=None)
    write_json(folder / "config.json", config)
    return report


def measure_series(series: CheckpointSeries, run: str = "series", chunk: int = 64) -> list[dict[str, Any]]:
    """Loss, accuracy and the dimensionality of every layer on the probe, at every step of a series, a row each.

    The probe goes through the network `chunk` samples at a time; metrics are of the whole probe.
    """
    inputs, targets = series.probe
    settings, layers = series.settings.tracking, series.layers
    progress = Progress(len(series.steps), f"measure {run}")
    rows = []
    for done, (step, saved) in enumerate(series.walk(series.steps), start=1):
        kept: dict[str, list[Tensor]] = {name: [] for name in layers}

        def keep(name: str, activation: Tensor, kept: dict[str, list[Tensor]] = kept) -> None:
            kept[name].append(activation.clone())

        losses, rights = [], []
        with torch.no_grad(), without_fast_path(), ActivationCapture(saved.model, layers, transform=keep):
            for part, here in zip(inputs.split(chunk), targets.split(chunk)):
                loss, right = task_loss(call(saved.model, part), here)
                losses.append(float(loss) * len(part))
                rights.append(float(right) * len(part))
        modules = {name: saved.model.get_submodule(path) for name, path in layers.items()}
        measured = {}
        for name, parts in kept.items():
            if not parts:
                raise OntogenyError(f"layer '{name}' of {run} does not run: leave it out of tracking.layers")
            whole = torch.cat(parts)
            matrix = to_rows(whole, *rows_of_layer(modules[name], whole.ndim, settings.rows))
            measured[name] = measure(matrix, settings.metrics, settings.centre)
        rows.append(
            {"step": step, "loss": sum(losses) / len(inputs), "accuracy": sum(rights) / len(inputs),
             "digest": weights_digest(saved.model), "layers": measured}
        )  # fmt: skip
        progress.update(done, f"step {step}, loss {rows[-1]['loss']:.4g}")
    return rows


def _record(rows: list[dict[str, Any]], config: dict[str, Any]) -> dict[str, Any]:
    steps = [row["step"] for row in rows]
    whole = {
        "loss": [row["loss"] for row in rows],
        "grad_norm": [None] * len(rows),
        "probe_loss": [row["loss"] for row in rows],
        "probe_accuracy": [row["accuracy"] for row in rows],
    }
    record: dict[str, Any] = {}
    for layer in config["layers"]:
        metrics = rows[0]["layers"][layer]
        record[layer] = {
            "step": steps,
            **{name: [row["layers"][layer][name] for row in rows] for name in metrics},
            **whole,
        }
    about = {
        "layers": config["layers"],
        "train": config["settings"],
        "digests": {"step": steps, "sha256": [row["digest"] for row in rows]},
        "series": config["series"],
    }
    return document(record, config["run"], about)
