"""A series of checkpoints as a run: checked, measured at every step, and left on disk as a trajectory is."""

from __future__ import annotations

import ctypes
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ontogeny.errors import OntogenyError, first_line
from ontogeny.files import write_csv, write_json
from ontogeny.identity import identity_hash
from ontogeny.models import trace_layers, without_fast_path
from ontogeny.models.trace import call, scores_in
from ontogeny.phase1.document import document
from ontogeny.progress import Progress
from ontogeny.provenance import revision, versions
from ontogeny.tracking.capture import ActivationCapture
from ontogeny.tracking.estimators import measure, to_rows
from ontogeny.tracking.layout import rows_of_layer
from ontogeny.trajectory.checkpoints import weights_digest
from ontogeny.trajectory.integrity import Integrity
from ontogeny.trajectory.replay import RUN_FORMAT
from ontogeny.trajectory.series import CheckpointSeries, task_loss
from ontogeny.words import counted

logger = logging.getLogger("ontogeny")

LARGEST = 2**28
"""Numbers that a layer may give on the whole probe (1 GB in single precision)."""


def import_series(
    identity: dict[str, Any], folder: str | os.PathLike, run: str, cache_dir: str | os.PathLike = "cache"
) -> Integrity:
    """Check a series, measure it at every step, and write config.json, phase1.json, checkpoints/ and integrity.csv.

    identity: the settings of the series, as `Run.identity` gives them. Raises OntogenyError where checkpoints make the
    series false, and `on_problem` is `stop`; the report is written before.
    """
    _give_back_memory()
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
        raise OntogenyError(f"{run} has {counted(len(report.kept), 'usable checkpoint')}; a series needs at least two")
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
        folder / "checkpoints" / "series.json",
        {"source": series.settings.source.model_dump(mode="json"), **config["series"]},
    )
    write_json(folder / "phase1.json", _record(rows, config), indent=None)
    write_json(folder / "config.json", config)
    return report


def _give_back_memory() -> None:
    """Have memory go back to the system as soon as a tensor of 1 MB or more is freed, where the C library can do so.

    Left to itself, glibc keeps tensors of up to 32 MB for later use, in gaps that the next ones do not fit.
    """
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(-3, 2**20)  # M_MMAP_THRESHOLD


def measure_series(series: CheckpointSeries, run: str = "series", chunk: int = 8) -> list[dict[str, Any]]:
    """Loss, accuracy and the dimensionality of every layer on the probe, at every step of a series, a row each.

    The whole probe goes through the network at once, and each layer is measured inside the forward pass, so that
    memory holds the activations of one layer; the loss is taken `chunk` samples at a time. A layer that runs several
    times is measured at its last call. Raises OntogenyError for a probe too large for that.
    """
    inputs, targets = series.probe
    settings, layers = series.settings.tracking, series.layers
    progress = Progress(len(series.steps), f"measure {run}")
    rows: list[dict[str, Any]] = []
    for done, (step, saved) in enumerate(series.walk(series.steps), start=1):
        modules = {name: saved.model.get_submodule(path) for name, path in layers.items()}
        if not rows:
            _check_size(saved.model, layers, inputs, run)
        measured: dict[str, dict[str, float]] = {}

        def take(
            name: str,
            activation: Tensor,
            modules: dict[str, nn.Module] = modules,
            measured: dict[str, dict[str, float]] = measured,
        ) -> None:
            matrix = to_rows(activation, *rows_of_layer(modules[name], activation.ndim, settings.rows))
            measured[name] = measure(matrix, settings.metrics, settings.centre)

        with torch.no_grad(), without_fast_path(), ActivationCapture(saved.model, layers, transform=take):
            loss, accuracy = _loss(_outputs(saved.model, inputs), targets, chunk)
        for name in layers:
            if name not in measured:
                raise OntogenyError(f"layer '{name}' of {run} does not run: leave it out of tracking.layers")
        rows.append(
            {"step": step, "loss": loss, "accuracy": accuracy, "digest": weights_digest(saved.model),
             "layers": measured}
        )  # fmt: skip
        progress.update(done, f"step {step}, loss {rows[-1]['loss']:.4g}")
    return rows


def _outputs(model: nn.Module, inputs: Tensor) -> Any:
    try:
        return call(model, inputs)
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        kind = "real numbers" if inputs.is_floating_point() else "tokens, as they are whole numbers"
        raise OntogenyError(
            f"the network does not run on the probe, {tuple(inputs.shape)} {kind}: {first_line(error)}; give what it "
            "takes"
        ) from error


def _loss(outputs: Any, targets: Tensor, chunk: int) -> tuple[float, float]:
    """Mean loss and accuracy of all samples, `chunk` of them at a time."""
    scores = scores_in(outputs)
    pieces = scores.split(chunk) if isinstance(scores, Tensor) else [scores]
    parts = [(len(here), *task_loss(some, here)) for some, here in zip(pieces, targets.split(chunk))]
    count = sum(part[0] for part in parts)
    loss, right = (sum(part[0] * float(part[k]) for part in parts) / count for k in (1, 2))
    return loss, right


def _check_size(model: nn.Module, layers: dict[str, str], inputs: Tensor, run: str) -> None:
    """Raises OntogenyError where a layer's activations on the whole probe would be more than `LARGEST` numbers."""
    sizes: dict[str, int] = {}

    def take(name: str, activation: Tensor) -> None:
        sizes[name] = activation.numel() * len(inputs)

    with torch.no_grad(), without_fast_path(), ActivationCapture(model, layers, transform=take):
        _outputs(model, inputs[:1])
    name = max(sizes, key=lambda each: sizes[each], default=None)
    if name is not None and sizes[name] > LARGEST:
        raise OntogenyError(
            f"layer '{name}' of {run} gives {sizes[name]:,} numbers on the probe, {4 * sizes[name] / 1e9:.1f} GB: "
            f"lower probe.samples or probe.length, to at most {LARGEST:,} numbers"
        )


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
