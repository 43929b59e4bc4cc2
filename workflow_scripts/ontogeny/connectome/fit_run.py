"""A fit as a run: continued where it was killed, kept with its settings, its history and its Phase 1 record."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.code import code_digest
from ontogeny.connectome.fit import Fit, fit_connectome
from ontogeny.connectome.settings import FitSettings
from ontogeny.connectome.simulate import Activity
from ontogeny.connectome.store import load_activity, read_arrays, save_fit, write_arrays
from ontogeny.connectome.training import total_steps
from ontogeny.connectome.wiring import connectivity_r2
from ontogeny.errors import OntogenyError
from ontogeny.files import disk_errors, plain, write_csv, write_json
from ontogeny.identity import identity_hash
from ontogeny.phase1.record import RUN_LEVEL
from ontogeny.phase1.write import write_phase1
from ontogeny.progress import Progress
from ontogeny.provenance import bits, discard, revision, set_aside, versions
from ontogeny.settings import complete
from ontogeny.tracking.estimators import choose_metrics, measure_singular_values

logger = logging.getLogger("ontogeny")

RUN_FORMAT = "ontogeny-connectome-run/1"
RESUME_FORMAT = "ontogeny-connectome-resume/1"
METRICS = ("stable_rank", "participation_ratio", "cumulative_90", "nuclear_norm_ratio")


def choose_device() -> str:
    """The GPU if there is one, else the CPU."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def fit_connectome_run(
    identity: dict[str, Any], activity_path: str | os.PathLike, folder: str | os.PathLike, run: str
) -> None:
    """Fit the activity at `activity_path` as `identity` (simulation or data, fit, seed) says, and keep it in `folder`.

    Leaves connectome/fit.safetensors, connectome/history.csv, connectome/cost.json (what it took: the one file that
    differs when it is made again), phase1.json and config.json. A fit that was killed goes on from its last
    checkpoint. Raises OntogenyError as `fit_connectome` does.
    """
    folder = Path(folder)
    activity = load_activity(activity_path)
    settings = complete(FitSettings, identity["fit"], "fit")
    state = folder / ".resume" / "fit.safetensors"
    device = choose_device()
    mark = _mark(identity, activity_path, device)
    progress = Progress(total_steps(settings), f"fit {run}")
    with disk_errors(folder):
        kept = _kept(state, mark)
        state.parent.mkdir(parents=True, exist_ok=True)
    fit = fit_connectome(
        activity,
        settings=settings,
        seed=identity["seed"],
        progress=lambda record: progress.update(int(record["step"]), f"error {record['error']:.3g}"),
        checkpoint=lambda arrays: write_arrays(state, arrays, mark),
        resume=kept,
        device=device,
    )
    for note in fit.notes:
        logger.warning("%s", note)
    save_fit(fit, folder / "connectome" / "fit.safetensors", float(activity.u.min()), float(activity.u.max()))
    write_json(folder / "connectome" / "cost.json", {"training_time_min": sum(fit.seconds.values()) / 60})
    write_csv(folder / "connectome" / "history.csv", pd.DataFrame(fit.history))
    write_phase1(folder / "phase1.json", phase1_of_fit(fit, activity, run))
    write_json(
        folder / "config.json",
        {
            "format": RUN_FORMAT,
            "run": run,
            "identity": identity_hash(identity),
            "settings": identity,
            "fit": fit.settings,
            "device": device,
            "outcome": {
                **_recovered(fit.W, activity),
                "final_loss": fit.final_loss,
                "refined": fit.refined,
            },
            "notes": fit.notes,
            "versions": versions(),
            "revision": revision(),
        },
    )
    discard(state.parent)


def _kept(state: Path, mark: dict[str, Any]) -> dict[str, np.ndarray] | None:
    if not state.exists():
        return None
    try:
        arrays, about = read_arrays(state, RESUME_FORMAT)
    except OntogenyError as error:
        logger.info("starting afresh: %s", error)
        return None
    if about == mark:
        return arrays
    set_aside(state.parent, about, mark)
    return None


def _mark(identity: dict[str, Any], activity_path: str | os.PathLike, device: str) -> dict[str, Any]:
    """What decides the bits of a fit."""
    import torch

    with open(activity_path, "rb") as file:
        data = hashlib.file_digest(file, "sha256").hexdigest()
    code = code_digest(Path(__file__))
    return plain(
        {
            "format": RESUME_FORMAT,
            **bits(identity_hash(identity), code, data, torch.get_num_threads()),
            "device": device,
        }
    )


def _recovered(W: np.ndarray, activity: Activity) -> dict[str, float]:
    return {} if activity.W is None else connectivity_r2(W, activity.weights)


def phase1_of_fit(fit: Fit, activity: Activity, run: str) -> pd.DataFrame:
    """A fit's training as a tidy Phase 1 table: dimensionality of W and of the embeddings, recovery, loss and error."""
    chosen = choose_metrics(METRICS)
    rows: list[tuple[str, int, str, float]] = []
    for step, W, embedding in zip(fit.snapshots["step"], fit.snapshots["W"], fit.snapshots["embedding"]):
        for layer, matrix in (("W", W), ("embedding", embedding)):
            if not matrix.any():
                continue
            sigma = np.linalg.svd(np.asarray(matrix, np.float64), compute_uv=False)
            values = measure_singular_values(sigma, chosen)
            if layer == "W" and activity.W is not None:
                values = {**values, "connectivity_R2": connectivity_r2(W, activity.weights)["connectivity_R2"]}
            rows += [(layer, int(step), metric, value) for metric, value in values.items()]
    for k, step in enumerate(fit.history["step"]):
        rows += [(RUN_LEVEL, int(step), metric, fit.history[metric][k]) for metric in ("loss", "error")]
    frame = pd.DataFrame(rows, columns=["layer", "step", "metric", "value"])
    return frame.assign(run=run)[["run", "layer", "step", "metric", "value"]]


__all__ = ["choose_device", "fit_connectome_run", "phase1_of_fit"]
