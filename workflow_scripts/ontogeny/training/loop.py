"""The one training loop: advance a learner, measure it, keep its trajectory, survive being killed.

While it runs, `metrics.jsonl` grows by a line at every logged step, and `.resume` holds the checkpoints so far. A
killed run that is started again goes on from its last checkpoint, and its files end up the same, byte for byte.
"""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ontogeny.code import code_digest
from ontogeny.errors import OntogenyError
from ontogeny.files import disk_errors, json_text, plain, write_json
from ontogeny.identity import identity_hash
from ontogeny.models import (
    MonitoredLayer,
    count_parameters,
    monitored_layers,
    readout_layer,
    trace_layers,
    without_fast_path,
)
from ontogeny.phase1.document import document
from ontogeny.progress import Progress
from ontogeny.provenance import bits, discard, revision, set_aside, versions
from ontogeny.tracking.capture import ActivationCapture
from ontogeny.tracking.collapse import CollapseAlarm, representation_state
from ontogeny.tracking.estimators import measure, to_rows
from ontogeny.tracking.layout import rows_of_layer
from ontogeny.tracking.settings import TrackingSettings
from ontogeny.trajectory.checkpoints import (
    checkpoint_path,
    checkpoint_steps,
    load_checkpoint,
    save_checkpoint,
    weights_digest,
)
from ontogeny.trajectory.learner import Learner
from ontogeny.trajectory.replay import RUN_FORMAT, threads_of_torch
from ontogeny.trajectory.setup import Setup, code_of_setup, set_up

logger = logging.getLogger("ontogeny")


def train(
    identity: dict[str, Any],
    folder: str | os.PathLike,
    run: str,
    cache_dir: str | os.PathLike = "cache",
    threads: int = 1,
) -> None:
    """Train one run and leave its trajectory in `folder`: config.json, phase1.json, metrics.jsonl, checkpoints/.

    `identity` holds the blocks task, model, training, tracking and the seed (see `ontogeny.config`). If an earlier
    attempt at the same identity was killed, it is continued.

    Raises OntogenyError if the settings do not fit the data, the disk is full, or the loss stops being finite; what
    was measured until then stays in metrics.jsonl.
    """
    with threads_of_torch(threads):
        _train(identity, Path(folder), run, cache_dir, threads)


def _train(identity: dict[str, Any], folder: Path, run: str, cache_dir: str | os.PathLike, threads: int) -> None:
    setup = set_up(identity, cache_dir, folder)
    learner = setup.learner
    layers = monitored_layers(learner.model, identity["tracking"]["layers"] or setup.layers)
    code = f"{code_digest(Path(__file__))}-{code_of_setup(identity)}"
    mark = bits(identity_hash(identity), code, setup.record, threads)
    with _Attempt(folder, mark, learner) as attempt:
        attempt.tell(run, identity, setup)
        last = _run(setup, identity, attempt, Progress(setup.steps, f"train {run}", done=learner.step), layers)
        readout = readout_layer(learner.model)
        config = {
            "format": RUN_FORMAT,
            "run": run,
            "identity": attempt.identity,
            "settings": identity,
            "seed": identity["seed"],
            "threads": threads,
            "last_step": last,
            "layers": {layer.name: layer.path for layer in layers},
            "nonlinearities": _nonlinearities(setup, layers),
            "parameters": count_parameters(learner.model),
            "data": setup.record,
            "versions": versions(),
            "revision": revision(),
        }
        if setup.patience is not None:
            config["validation_loss"] = attempt.validation_loss
        if setup.truth is not None:
            config["truth"] = setup.truth(_whole(attempt.rows))
        attempt.finish(config, _collapse(attempt.rows, readout.name if readout else None, setup))


def _nonlinearities(setup: Setup, layers: list[MonitoredLayer]) -> dict[str, str]:
    """What follows each layer, by display name, as a run of the network on two samples of the probe shows it."""
    if setup.nonlinearities is not None:
        return setup.nonlinearities
    followed = trace_layers(setup.learner.model, setup.probe[0][:2], layers)
    return {name: each.nonlinearity for name, each in followed.items()}


def _run(
    setup: Setup, identity: dict[str, Any], attempt: _Attempt, progress: Progress, layers: list[MonitoredLayer]
) -> int:
    """Train to the last step, with a checkpoint and a row wherever one is due; return that step."""
    learner = setup.learner
    settings, checkpoint_every = TrackingSettings(**identity["tracking"]), identity["training"]["checkpoint_every"]
    meter = _make_meter(learner.model, {layer.name: layer.path for layer in layers}, settings)
    watch = _Watch(learner.model, setup, attempt.rows)
    last, epoch = setup.steps, setup.record["steps_per_epoch"]
    checkpoint_every = checkpoint_every or epoch
    while True:
        step = learner.step
        if setup.patience is not None and step % epoch == 0 and attempt.out_of_patience(setup):
            last = step
        if step % checkpoint_every == 0 or step == last:
            attempt.checkpoint(learner, setup)
        if step % settings.every == 0 or step == last:
            row = _measure(learner, setup, meter, watch, settings.source)
            loss = row["loss"]
            attempt.log(row)
            progress.update(step, f"loss {loss:.4g}")
        else:
            loss, _ = learner.gradient()
        if not math.isfinite(loss):
            raise OntogenyError(
                f"training diverged: the loss is {loss} at step {step}; lower training.learning_rate or set "
                f"training.gradient_clip (what was measured until then is in {attempt.metrics})"
            )
        if step == last:
            return last
        learner.update()


def _make_meter(model: nn.Module, layers: dict[str, str], settings: TrackingSettings) -> ActivationCapture:
    """Hooks that measure the layers' activations inside a forward pass, while they are enabled."""

    def measured(name: str, activation: Tensor) -> dict[str, float]:
        rows = to_rows(activation, *rows_of_layer(modules[name], activation.ndim, settings.rows))
        return measure(rows, settings.metrics, settings.centre)

    modules = {name: model.get_submodule(path) for name, path in layers.items()}

    meter = ActivationCapture(model, layers, transform=measured)
    meter.enabled = False
    return meter


class _Watch:
    """The features that the readout layer gets from the probe batch, and the alarm that watches them."""

    def __init__(self, model: nn.Module, setup: Setup, rows: list[dict[str, Any]]) -> None:
        self._labels, self.enabled = setup.probe[1].cpu().numpy(), False
        self._features: Tensor | None = None
        self._alarm: CollapseAlarm | None = None
        readout = readout_layer(model)
        if readout is None or self._labels.ndim != 1 or self._labels.dtype.kind not in "iu":
            return
        readout.module.register_forward_pre_hook(self._take)
        width = readout.module.in_features
        assert isinstance(width, int)
        self._alarm = _alarm(setup, width)
        for row in rows:
            self._hear(row["step"], row.get("representation"))

    def _take(self, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        if self.enabled and isinstance(inputs[0], Tensor) and inputs[0].ndim == 2:
            self._features = inputs[0].detach()

    def _hear(self, step: int, state: dict[str, float] | None) -> None:
        told = self._alarm.update(step, state) if state and self._alarm is not None else None
        if told:
            logger.warning("%s", told)

    def state(self, step: int) -> dict[str, Any] | None:
        """What `representation_state` measures of the latest probe pass; None where there is nothing to measure."""
        features, self._features = self._features, None
        if self._alarm is None or features is None:
            return None
        state = representation_state(features.cpu().numpy(), self._labels) | {"width": features.shape[1]}
        self._hear(step, state)
        return state


def _alarm(setup: Setup, width: int) -> CollapseAlarm:
    return CollapseAlarm(len(setup.probe[1].unique()), width)


def _collapse(rows: list[dict[str, Any]], layer: str | None, setup: Setup) -> dict[str, Any] | None:
    """What the record says of collapse: the readout's features at every logged step, and the alarm's verdict."""
    seen = [(row["step"], row["representation"]) for row in rows if row.get("representation")]
    if layer is None or not seen:
        return None
    alarm = _alarm(setup, seen[0][1]["width"])
    for step, state in seen:
        alarm.update(step, state)
    verdict = alarm.verdict()
    if verdict["state"] == "never formed":
        logger.warning("the representation never formed: it ends as low-dimensional as it began")
    names = ("dimension", "spread", "within_between")
    course = {"step": [step for step, _ in seen]} | {name: [state[name] for _, state in seen] for name in names}
    return {"input_of": layer, **verdict, "course": course}


def _measure(learner: Learner, setup: Setup, meter: ActivationCapture, watch: _Watch, source: str) -> dict[str, Any]:
    """One line of the record: this step's weights, measured; leaves this step's gradient in the learner."""
    digest = weights_digest(learner.model)
    meter.clear_activations()
    learner.model.eval()
    with torch.no_grad(), without_fast_path():
        meter.enabled, watch.enabled = source == "probe", True
        outputs = learner.model(setup.probe[0])
        watch.enabled = False
        meter.enabled = source == "batch"
        with torch.enable_grad():
            loss, norm = learner.gradient()
        meter.enabled = False
    return {
        "step": learner.step,
        "loss": loss,
        "grad_norm": norm,
        **setup.score(outputs, setup.probe[1]),
        "progress": {} if setup.measure is None else setup.measure(learner.model),
        "layers": meter.get_all_activations(),
        "representation": watch.state(learner.step),
        "digest": digest,
    }


def _validation_loss(setup: Setup, chunk: int = 256) -> float:
    """The loss of the network as it is now over all held-out samples."""
    inputs, targets = setup.validation
    learner = setup.learner
    learner.model.eval()
    total = 0.0
    with torch.no_grad(), without_fast_path():
        for part, wanted in zip(inputs.split(chunk), targets.split(chunk)):
            total += float(learner.loss(learner.model(part), wanted)) * len(wanted)
    return total / len(targets)


class _Attempt:
    """The unfinished state of a run on disk: checkpoints in `.resume`, rows in metrics.jsonl."""

    def __init__(self, folder: Path, mark: dict[str, Any], learner: Learner) -> None:
        self.folder, self.mark, self.identity = folder, plain(mark), mark["settings"]
        self.state, self.metrics = folder / ".resume", folder / "metrics.jsonl"
        self.rows: list[dict[str, Any]] = []
        self.validation_loss: list[float] = []
        with disk_errors(folder):
            if not self._continue(learner):
                shutil.rmtree(self.state, ignore_errors=True)
                self.state.mkdir(parents=True)
                write_json(self.state / "mark.json", self.mark)
            self._rewrite_metrics()

    def __enter__(self) -> _Attempt:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        """Close the stream; what it cannot write any more does not hide the error that ended the attempt."""
        with disk_errors(self.metrics) if kind is None else suppress(OSError):
            self._stream.close()

    def _continue(self, learner: Learner) -> bool:
        """Put the learner where the last attempt's newest whole checkpoint was; False if there is none to trust."""
        if not self.state.is_dir():
            return False
        try:
            kept = json.loads((self.state / "mark.json").read_text())
        except (OSError, ValueError):
            kept = None
        if kept != self.mark:
            set_aside(self.state, kept, self.mark)
            return False
        try:
            lines = self.metrics.read_text().split("\n")[:-1]
            rows = [json.loads(line) for line in lines]
            by_step = {row["step"]: row for row in rows}
        except (OSError, ValueError, KeyError, TypeError):
            return False
        for step in reversed(checkpoint_steps(self.state)):
            try:
                tensors, meta = load_checkpoint(checkpoint_path(self.state, step), self.identity)
            except OntogenyError as error:
                logger.warning("%s", error)
                continue
            logged = [row for row in by_step.values() if row["step"] < step]
            if len(logged) != meta["rows"]:
                continue
            learner.restore(tensors, step)
            self.rows, self.validation_loss = logged, meta.get("validation_loss", [])
            logger.info("continuing at step %d", step)
            return True
        return False

    def _rewrite_metrics(self) -> None:
        part = self.metrics.with_name(".metrics.part.jsonl")
        part.write_text("".join(json_text(row, indent=None) for row in self.rows), encoding="utf-8")
        os.replace(part, self.metrics)
        self._stream = open(self.metrics, "a", encoding="utf-8")  # noqa: SIM115

    def tell(self, run: str, settings: dict[str, Any], setup: Setup) -> None:
        """Write down which run trains here, for whoever follows it from its checkpoints."""
        told = {"run": run, "identity": self.identity, "settings": settings, "data": setup.record}
        write_json(self.state / "run.json", told)

    def log(self, row: dict[str, Any]) -> None:
        with disk_errors(self.metrics):
            self._stream.write(json_text(row, indent=None))
            self._stream.flush()
        self.rows.append(plain(row))

    def out_of_patience(self, setup: Setup) -> bool:
        """Add this epoch's validation loss, unless it is there; whether the lowest is too many epochs ago."""
        losses = self.validation_loss
        if len(losses) <= setup.learner.step // setup.record["steps_per_epoch"]:
            losses.append(_validation_loss(setup))
        return setup.patience is not None and len(losses) - 1 - losses.index(min(losses)) >= setup.patience

    def checkpoint(self, learner: Learner, setup: Setup) -> None:
        """Keep the learner; the rows before it reach the disk first, so that a checkpoint never outruns them."""
        with disk_errors(self.metrics):
            os.fsync(self._stream.fileno())
        epoch, batch = divmod(learner.step, setup.record["steps_per_epoch"])
        meta = {"identity": self.identity, "step": learner.step, "epoch": epoch, "batch": batch, "rows": len(self.rows)}
        if setup.patience is not None:
            meta["validation_loss"] = self.validation_loss
        save_checkpoint(checkpoint_path(self.state, learner.step), learner.state(), meta)

    def finish(self, config: dict[str, Any], collapse: dict[str, Any] | None) -> None:
        """Put the finished files in place and drop the state that only resuming needs."""
        kept = self.folder / "checkpoints"
        with disk_errors(kept):
            shutil.rmtree(kept, ignore_errors=True)
            kept.mkdir()
            for step in checkpoint_steps(self.state):
                _link(checkpoint_path(self.state, step), checkpoint_path(kept, step))
        write_json(self.folder / "config.json", config)
        write_json(self.folder / "phase1.json", _columns(self.rows, config, collapse), indent=None)
        discard(self.state)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _whole(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The columns of a record that belong to the whole run, measures of progress last."""
    names = ("step", "loss", "grad_norm", "probe_loss", "probe_accuracy")
    columns = {key: [row[key] for row in rows] for key in names if key in rows[0]}
    return columns | {name: [row["progress"][name] for row in rows] for name in rows[0].get("progress") or ()}


def _columns(rows: list[dict[str, Any]], config: dict[str, Any], collapse: dict[str, Any] | None) -> dict[str, Any]:
    """The Phase 1 record, columns by layer; what belongs to the whole run stands in every layer."""
    whole = _whole(rows)
    steps = whole.pop("step")
    progress = {name: whole.pop(name) for name in rows[0].get("progress") or ()}
    columns: dict[str, dict[str, Any]] = {}
    for layer in config["layers"]:
        metrics = {
            metric: [row["layers"][layer][metric] for row in rows]
            for metric in config["settings"]["tracking"]["metrics"]
        }
        columns[layer] = {"step": steps, **metrics, **whole}
    metadata: dict[str, Any] = {
        "layers": config["layers"],
        "train": config["settings"],
        "digests": {"step": steps, "sha256": [row["digest"] for row in rows]},
    }
    if progress:
        metadata["run_level"] = {"step": steps, **progress}
    if "truth" in config:
        metadata["truth"] = config["truth"]
    if collapse is not None:
        metadata["collapse"] = collapse
    return document(columns, config["run"], metadata)
