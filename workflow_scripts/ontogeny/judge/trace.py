"""A judge measured at its epochs: along the trajectory of a finished run, or while it trains, from its checkpoints."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from ontogeny.arguments import checks_arguments
from ontogeny.code import code_digest
from ontogeny.errors import OntogenyError
from ontogeny.files import read_json, write_json
from ontogeny.identity import identity_hash
from ontogeny.judge.mechanism import MechanismBench
from ontogeny.judge.record import read_records
from ontogeny.judge.settings import DEFAULTS, JudgeAnalysisSettings
from ontogeny.models.judge import Judge
from ontogeny.models.pretrained import load_judge
from ontogeny.models.settings import JudgeModelSettings
from ontogeny.progress import Progress
from ontogeny.tasks.prompts import load_prompts
from ontogeny.tasks.settings import JudgeTaskSettings
from ontogeny.trajectory.checkpoints import checkpoint_path, checkpoint_steps, load_checkpoint
from ontogeny.trajectory.prompts import judge_data, set_up_prompts
from ontogeny.trajectory.replay import Trajectory

logger = logging.getLogger("ontogeny")

MECHANISM = "mechanism"
LIVE = "live"
"""The folder of a run that holds records made while it trains; `trace_mechanism` takes them over and removes it."""


def epochs_looked_at(last: int, interval: int) -> list[int]:
    """Epoch 0 (before fine-tuning), every `interval`-th one, and the last."""
    return sorted({0, *range(0, last + 1, interval), last})


@checks_arguments
def trace_mechanism(
    trajectory: Trajectory, folder: str | os.PathLike, settings: JudgeAnalysisSettings | None = None
) -> list[Path]:
    """Measure a finished run at its epochs, in one walk along its trajectory, into `folder`/epoch_{N}.json.

    `settings.visualization_interval` epochs lie between records; the first and the last are always measured. Records
    that `follow_training` made while the run trained are taken over, if settings and code are still the same. Returns
    the paths.
    """
    settings, folder = settings or DEFAULTS, Path(folder)
    data = judge_data(trajectory.config["settings"], trajectory.folder)
    per_epoch = trajectory.config["data"]["steps_per_epoch"]
    epochs = epochs_looked_at(trajectory.last_step // per_epoch, settings.visualization_interval)
    there = dict(_made_while_training(trajectory.folder, trajectory.config["identity"], settings))
    missing = {epoch * per_epoch: epoch for epoch in epochs if epoch not in there}
    progress = Progress(len(epochs), f"mechanism of {trajectory.run}")
    written = {epoch: folder / f"epoch_{epoch}.json" for epoch in epochs}
    for epoch in there.keys() & written.keys():
        write_json(written[epoch], read_json(there[epoch]), indent=None)
    bench: MechanismBench | None = None
    for step, learner in trajectory.walk({0, *missing} if missing else ()):
        model = _judge_of(learner.model, trajectory.folder)
        bench = bench or MechanismBench(
            model, data.tokenizer, data.prompts, settings, max_length=data.max_length, report=data.report
        )
        if step in missing:
            epoch = missing.pop(step)
            write_json(written[epoch], bench.measure(model, epoch, step, trajectory.run), indent=None)
            progress.update(len(epochs) - len(missing), f"epoch {epoch}")
    shutil.rmtree(trajectory.folder / LIVE, ignore_errors=True)
    return list(written.values())


@checks_arguments
def trace_checkpoints(
    checkpoints: str | os.PathLike,
    folder: str | os.PathLike,
    task: JudgeTaskSettings,
    settings: JudgeAnalysisSettings | None = None,
    *,
    model: JudgeModelSettings | None = None,
    before: str | os.PathLike | None = None,
) -> list[Path]:
    """Measure a judge that a Trainer of transformers fine-tuned, at its checkpoints, and draw the pages.

    checkpoints: the folder with `checkpoint-{step}`, each a whole classifier, generative judge or adapter, with its
    tokenizer. task: the prompts; they should be split as they were for that training, or validation prompts were
    trained on. before: the checkpoint that was fine-tuned, the control; the first of the folder, if not given. Records
    lie in `folder`/records, pages in `folder`; their epochs count the checkpoints, and are 0 for `before`. Returns the
    records.

    Raises OntogenyError if there is no checkpoint, or one cannot be loaded, as `load_judge` does.
    """
    from ontogeny.judge.pages import write_pages

    root, folder, model = Path(checkpoints), Path(folder), model or JudgeModelSettings(frozen_layers=0)
    found = {int(path.name.rpartition("-")[2]): path for path in root.glob("checkpoint-*") if path.is_dir()}
    if not found:
        raise OntogenyError(f"{root} holds no folder checkpoint-{{step}}, as a Trainer saves them")
    series: list[tuple[int, Path]] = [(step, found[step]) for step in sorted(found)]
    if before is not None:
        series.insert(0, (0, Path(before)))
    prompts = load_prompts(task)
    bench: MechanismBench | None = None
    written = []
    progress = Progress(len(series), f"mechanism of {root.name}")
    for epoch, (step, place) in enumerate(series):
        judge, tokenizer = load_judge(place, model)
        bench = bench or MechanismBench(judge, tokenizer, prompts, settings, max_length=task.max_length)
        written.append(folder / "records" / f"epoch_{epoch}.json")
        write_json(written[-1], bench.measure(judge, epoch, step, root.name), indent=None)
        progress.update(epoch + 1, place.name)
    write_pages(read_records(folder / "records"), folder)
    return written


def _judge_of(model: nn.Module, folder: Path) -> Judge:
    if not isinstance(model, Judge):
        raise OntogenyError(f"{folder} is the run of another network, not of a judge")
    return model


@dataclass(frozen=True)
class _Training:
    """A training as its files show it now: its checkpoints by epoch, and whether it has ended."""

    checkpoints: dict[int, Path]
    finished: bool


def follow_training(
    folder: str | os.PathLike,
    settings: JudgeAnalysisSettings | None = None,
    cache_dir: str | os.PathLike = "cache",
    *,
    poll: float = 2.0,
    patience: float = 3600.0,
    go_on: Callable[[], bool] = lambda: True,
) -> list[Path]:
    """Measure a judge that trains into `folder` after every epoch, as its checkpoints appear, and return the records.

    Records lie in `folder`/live, where the dashboard finds them. The newest epoch comes first; those that were passed
    over meanwhile are made up when there is time. Ends when the training has and all its checkpoints are measured, when
    `trace_mechanism` takes over, or when `go_on` says no; the training is left alone. poll: seconds between looks at
    the folder. patience: how many seconds the first checkpoint, or the next one, may take.

    Raises OntogenyError if no checkpoint appears in that time, or the run is not of a judge.
    """
    folder, settings = Path(folder), settings or DEFAULTS
    waited = time.monotonic()
    bench: _Bench | None = None
    written: list[Path] = []
    while go_on() and not (folder / MECHANISM).exists():
        training = _look(folder)
        todo = {} if training is None else _missing(training, folder / LIVE, settings)
        if todo:
            bench = bench or _Bench(folder, settings, cache_dir)
            epoch = max(todo)
            written.append(bench.measure(todo[epoch], epoch))
            logger.info("measured epoch %d", epoch)
            waited = time.monotonic()
        elif training is not None and training.finished:
            break
        elif time.monotonic() - waited > patience:
            raise OntogenyError(f"{folder} has had no new checkpoint for {patience:.0f} s: nothing trains into it")
        else:
            time.sleep(poll)
    return written


def _run_file(folder: Path) -> Path | None:
    """What says which run trains, or has trained, into a folder."""
    files = (folder / ".resume" / "run.json", folder / "config.json")
    return next((file for file in files if file.is_file()), None)


def _look(folder: Path) -> _Training | None:
    """The training in a folder, None before it has begun."""
    found = _run_file(folder)
    try:
        if found is None:
            return None
        finished = found.name == "config.json"
        place = folder / "checkpoints" if finished else found.parent
        per_epoch = int(read_json(found)["data"]["steps_per_epoch"])
        steps = checkpoint_steps(place)
    except (OntogenyError, OSError, KeyError):  # it ends just now, and its files move
        return None
    on_epochs = {step // per_epoch: checkpoint_path(place, step) for step in steps if step % per_epoch == 0}
    return _Training(on_epochs, finished)


def _missing(training: _Training, records: Path, settings: JudgeAnalysisSettings) -> dict[int, Path]:
    last = max(training.checkpoints, default=0)
    due = epochs_looked_at(last, settings.visualization_interval)
    if not training.finished and last % settings.visualization_interval:
        due.remove(last)
    there = training.checkpoints
    return {epoch: there[epoch] for epoch in due if epoch in there and not (records / f"epoch_{epoch}.json").exists()}


class _Bench:
    """The learner of a run, put at one checkpoint after another, and what it is measured by."""

    def __init__(self, folder: Path, settings: JudgeAnalysisSettings, cache_dir: str | os.PathLike) -> None:
        found = _run_file(folder)
        config = read_json(found) if found is not None else {}
        identity, self.run = config["settings"], config["run"]
        self.learner = set_up_prompts(identity, cache_dir, folder).learner
        data = judge_data(identity, folder)
        self.bench = MechanismBench(
            _judge_of(self.learner.model, folder),
            data.tokenizer,
            data.prompts,
            settings,
            max_length=data.max_length,
            report=data.report,
        )
        self.folder = folder / LIVE
        mark = _mark_of(config["identity"], settings)
        if not _is_of(self.folder, mark):
            shutil.rmtree(self.folder, ignore_errors=True)
            write_json(self.folder / "mark.json", mark)
        self.identity = config["identity"]

    def measure(self, checkpoint: Path, epoch: int) -> Path:
        tensors, meta = load_checkpoint(_where(checkpoint), self.identity)
        self.learner.restore(tensors, meta["step"])
        path = self.folder / f"epoch_{epoch}.json"
        write_json(
            path,
            self.bench.measure(_judge_of(self.learner.model, self.folder), epoch, meta["step"], self.run),
            indent=None,
        )
        return path


def _where(checkpoint: Path) -> Path:
    """The checkpoint, also if the training has just ended and moved it."""
    moved = checkpoint.parent.parent / "checkpoints" / checkpoint.name
    return checkpoint if checkpoint.is_file() or not moved.is_file() else moved


def _mark_of(identity: str, settings: JudgeAnalysisSettings) -> dict[str, Any]:
    """What has to be the same for a record made while training to be that of the finished run."""
    code = code_digest(Path(__file__).with_name("mechanism.py"))
    return {"identity": identity, "settings": identity_hash(settings.model_dump()), "code": code}


def _is_of(folder: Path, mark: dict[str, Any]) -> bool:
    try:
        return bool(read_json(folder / "mark.json") == mark)
    except OntogenyError:
        return False


def _made_while_training(run: Path, identity: str, settings: JudgeAnalysisSettings) -> Iterator[tuple[int, Path]]:
    """The records of a run that `follow_training` left and that hold still, by epoch."""
    folder = run / LIVE
    if _is_of(folder, _mark_of(identity, settings)):
        for path in sorted(folder.glob("epoch_*.json")):
            yield int(path.stem.removeprefix("epoch_")), path
