"""Which metrics a run records, as far as its configuration says."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from ontogeny.config.mistakes import Path_, mistake
from ontogeny.errors import unknown
from ontogeny.tasks.known import PROGRESS, WITHOUT_CLASSES
from ontogeny.tracking.settings import OF_ENSEMBLES, TrackingSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ontogeny.config.load import Run
    from ontogeny.config.models import Config

LARGEST = 20_000_000
"""Bytes of records of a group up to which they are read for the names of their metrics."""

_OF_KIND: dict[str, tuple[str, ...]] = {
    "circuits": ("loss", "val_loss", "val_accuracy", *OF_ENSEMBLES),
    "connectome": ("loss", "error", "connectivity_R2", *TrackingSettings().metrics),
}


def metrics_of(run: Run) -> tuple[str, ...]:
    """The metrics of a run's record; `*` stands for the number of a mode, feature or head."""
    if run.kind in _OF_KIND:
        return _OF_KIND[run.kind]
    settings = run.settings.model_dump()
    task = settings.get("task", {}).get("name", "")
    scores = ("loss", "grad_norm", "probe_loss", *(() if task in WITHOUT_CLASSES else ("probe_accuracy",)))
    return (*settings["tracking"]["metrics"], *scores, *PROGRESS.get(task, ()))


def refuse_unknown_metrics(config: Config, runs: Iterable[Run], files: list[Path]) -> None:
    """Raises OntogenyError where `analyses.jumps.metrics` names a metric that a run to which it applies never has."""
    chosen = {study: config.analyses_of(study).jumps.metrics for study in config.groups}
    for run in runs:
        if named := chosen[run.study]:
            _refuse_unknown(config, run.study, named, metrics_of(run), f"run {run.name}", files)


def refuse_metrics_not_imported(config: Config, study: str, records: Sequence[Path], files: list[Path]) -> None:
    """Raises OntogenyError where `analyses.jumps.metrics` names a metric that a record of a group of imports lacks.

    Records are read for it; nothing is said where they are larger than `LARGEST` together.
    """
    from ontogeny.phase1 import read_many

    chosen = config.analyses_of(study).jumps.metrics
    if not chosen or sum(record.stat().st_size for record in records) > LARGEST:
        return
    for run, part in read_many(records).frame.groupby("run", sort=False, observed=True):
        _refuse_unknown(config, study, chosen, list(part["metric"].unique()), f"record {run}", files)


def _refuse_unknown(
    config: Config, study: str, chosen: Iterable[str], known: Sequence[str], of: str, files: list[Path]
) -> None:
    for metric in chosen:
        if not any(fnmatchcase(metric, pattern) for pattern in known):
            raise mistake(unknown("metric", metric, known, of), _written(config, study), files)


def _written(config: Config, study: str) -> Path_:
    """The key of the metrics that count for a study."""
    for block in ("studies", "trajectory_imports", "phase1_imports"):
        own = getattr(config, block).get(study)
        if own is not None and "metrics" in (own.analyses.get("jumps") or {}):
            return (block, study, "analyses", "jumps", "metrics")
    return ("analyses", "jumps", "metrics")
