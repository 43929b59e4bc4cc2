"""An ensemble as a run: trained once, kept whole, continued where it was killed."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pandas as pd

from ontogeny.code import code_digest
from ontogeny.errors import OntogenyError
from ontogeny.files import disk_errors, plain, read_json, write_json
from ontogeny.identity import identity_hash
from ontogeny.phase1.record import RUN_LEVEL
from ontogeny.phase1.write import write_phase1
from ontogeny.progress import Progress
from ontogeny.provenance import bits, discard, revision, set_aside, versions
from ontogeny.tracking.settings import OF_ENSEMBLES
from ontogeny.training.ensemble import (
    EnsembleResult,
    EnsembleSettings,
    ensemble_phase1,
    load_ensemble,
    train_ensemble,
)

logger = logging.getLogger("ontogeny")

ENSEMBLE_FORMAT = "ontogeny-ensemble-run/1"


def ensemble_settings(identity: dict[str, Any]) -> EnsembleSettings:
    """The settings of an ensemble from a run's identity (blocks task, model, training)."""
    blocks = {**identity["task"], **identity["model"], **identity["training"]}
    return EnsembleSettings(**blocks)


def train_ensemble_run(identity: dict[str, Any], folder: str | os.PathLike, run: str, threads: int = 1) -> None:
    """Train one network for each of `identity["seeds"]`, and leave config.json, ensemble.safetensors, phase1.json.

    If an earlier attempt at the same identity was killed, its finished seeds are kept. Raises OntogenyError as
    `train_ensemble` does.
    """
    folder = Path(folder)
    settings, seeds = ensemble_settings(identity), identity["seeds"]
    state = folder / ".resume"
    mark = plain(bits(identity_hash(identity), code_digest(Path(__file__)), None, threads))
    done = _finished(state, mark)
    with disk_errors(folder):
        state.mkdir(parents=True, exist_ok=True)
    write_json(state / "mark.json", mark)
    progress = Progress(len(seeds), f"train {run}", done=len(done.seeds) if done is not None else 0)

    def keep(result: EnsembleResult) -> None:
        result.save(state / "ensemble.safetensors")
        progress.update(len(result.seeds), f"{int(result.converged.sum())} converged")

    result = train_ensemble(
        settings, seeds, done=done, checkpoint=keep, chunk=max(10, len(seeds) // 10), threads=threads
    )
    result.save(folder / "ensemble.safetensors")
    write_phase1(folder / "phase1.json", _tidy(result, run))
    write_json(
        folder / "config.json",
        {
            "format": ENSEMBLE_FORMAT,
            "run": run,
            "identity": identity_hash(identity),
            "settings": identity,
            "ensemble": settings.model_dump(),
            "sizes": settings.sizes,
            "outcome": {"seeds": len(seeds), "converged": int(result.converged.sum())},
            "versions": versions(),
            "revision": revision(),
        },
    )
    discard(state)


def _finished(state: Path, mark: dict[str, Any]) -> EnsembleResult | None:
    """The networks that an earlier attempt finished, if it was the same in all that decides bits."""
    if not state.is_dir():
        return None
    try:
        kept = read_json(state / "mark.json")
        if kept == mark:
            return load_ensemble(state / "ensemble.safetensors")
    except OntogenyError as error:
        logger.info("starting afresh: %s", error)
        return None
    set_aside(state, kept, mark)
    return None


def _tidy(result: EnsembleResult, run: str) -> pd.DataFrame:
    """The ensemble's Phase 1 record as a tidy table; each seed is a run, `{run}/s{seed}`, and a step is an epoch."""
    parts = []
    whole = result.frame().rename(columns={"epoch": "step", "train_loss": "loss"})
    tables = {**ensemble_phase1(result, OF_ENSEMBLES), RUN_LEVEL: whole}
    for layer, table in tables.items():
        table = table.drop(columns="loss") if layer != RUN_LEVEL else table
        long = table.melt(["seed", "step"], var_name="metric").dropna(subset="value")
        parts.append(long.assign(layer=layer, run=run + "/s" + long["seed"].astype(str)))
    columns = ["run", "layer", "step", "metric", "value"]
    return pd.concat(parts, ignore_index=True).sort_values(["seed"], kind="stable")[columns].reset_index(drop=True)
