"""The map and the decision boundary of a whole run, by replay of its training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import torch

from ontogeny.activations.networks import networks_at, probe_of
from ontogeny.errors import OntogenyError, known_layer
from ontogeny.geometry.boundary import boundary_of_moments
from ontogeny.geometry.maps import frame_steps, map_moments, usual_neighbours
from ontogeny.geometry.settings import BoundarySettings, MapSettings
from ontogeny.jumps.plan import Moment
from ontogeny.models import without_fast_path
from ontogeny.tracking.capture import ActivationCapture
from ontogeny.trajectory import Trajectory

SHOWN = 4
"""Strongest jumps that a map shows besides its evenly spaced frames."""


def map_of_run(
    trajectory: Trajectory,
    moments: Iterable[Moment],
    settings: MapSettings | None = None,
    chunk: int = 256,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The map of one layer at about `settings.frames` steps of a run, its strongest jumps among them (`map_moments`).

    Both tables begin with the layer; the table of quality ends with the neighbours and with the kind of moment that
    each step is (`frame` if none).

    Raises OntogenyError for a layer that the run did not monitor.
    """
    settings = settings or MapSettings()
    name = _layer(trajectory, settings.layer)
    inputs, labels = probe_of(trajectory, settings.samples)
    moments = list(moments)
    shown, steps = _marked(moments, SHOWN), steps_of_map(trajectory, moments, settings)
    matrices = []
    for _, learner in trajectory.walk(steps):
        matrices.append(_matrix(learner, trajectory.layers[name], inputs, chunk))
    count = len(labels)
    near = usual_neighbours(count) if settings.neighbours is None else settings.neighbours
    places, quality = map_moments(
        matrices, steps, labels.numpy(), quality_neighbours=min(10, (count - 1) // 2), method=settings.method,
        neighbours=near, coupling=settings.coupling, seed=settings.seed,
    )  # fmt: skip
    places.insert(0, "layer", name)
    quality.insert(0, "layer", name)
    return places, quality.assign(neighbours=near, kind=[shown.get(step, "frame") for step in steps])


def steps_of_map(trajectory: Trajectory, moments: Iterable[Moment], settings: MapSettings) -> list[int]:
    """The steps that the map of a run shows."""
    return frame_steps(trajectory.steps, settings.frames, sorted(_marked(moments, SHOWN)))


def steps_of_boundary(trajectory: Trajectory, moments: Sequence[Moment], settings: BoundarySettings) -> list[int]:
    """The steps at which the boundary of a run is measured."""
    around = [step for _, each in _compared(moments, settings.strongest) for step in (each.before, each.after)]
    return sorted({*frame_steps(trajectory.steps, settings.frames), *around})


def boundary_of_run(
    trajectory: Trajectory,
    moments: Iterable[Moment],
    settings: BoundarySettings | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, np.ndarray]]:
    """The boundary at about `settings.frames` steps of a run, and around its strongest jumps and their controls.

    Returns what `boundary_of_moments` does; compared are these jumps, these controls, and each frame with the one
    before it (kind `frame`).
    """
    settings = settings or BoundarySettings()
    moments = list(moments)
    steps = frame_steps(trajectory.steps, settings.frames)
    pairs: list[dict[str, Any]] = [
        {"kind": kind, "step": moment.step, "before": moment.before, "after": moment.after}
        for kind, moment in _compared(moments, settings.strongest)
    ]
    pairs += [{"kind": "frame", "step": b, "before": a, "after": b} for a, b in pairwise(steps)]
    inputs, labels = probe_of(trajectory, settings.samples)
    networks = networks_at(trajectory, steps_of_boundary(trajectory, moments, settings))
    return boundary_of_moments(networks.items(), pairs, inputs.numpy(), labels.numpy(), settings)


def _layer(trajectory: Trajectory, layer: str | None) -> str:
    names = list(trajectory.layers)
    if layer is None:
        return names[max(len(names) - 2, 0)]
    return known_layer(layer, names, trajectory.layers, f"run {trajectory.run}")


def _matrix(learner: Any, path: str, inputs: torch.Tensor, chunk: int) -> np.ndarray:
    parts: list[np.ndarray] = []

    def keep(_: str, activation: torch.Tensor) -> None:
        parts.append(activation.detach().flatten(1).float().cpu().numpy())

    model = learner.model
    was_training = model.training
    model.eval()
    with torch.no_grad(), without_fast_path(), ActivationCapture(model, {"layer": path}, transform=keep):
        for offset in range(0, len(inputs), chunk):
            model(inputs[offset : offset + chunk].to(learner.device))
    model.train(was_training)
    if not parts:
        raise OntogenyError(f"layer {path} gave no activations to map: choose one that the network calls")
    return np.concatenate(parts)


def _strongest(moments: Sequence[Moment], count: int) -> list[Moment]:
    return sorted((moment for moment in moments if moment.is_event), key=lambda moment: moment.rank)[:count]


def _marked(moments: Iterable[Moment], strongest: int) -> dict[int, str]:
    """Step to kind, of the start, the end, the user's steps and the strongest jumps."""
    moments = list(moments)
    found = {moment.step: moment.kind for moment in moments if moment.kind in ("start", "end", "user")}
    return found | {moment.step: moment.kind for moment in _strongest(moments, strongest)}


def _compared(moments: Sequence[Moment], strongest: int) -> list[tuple[str, Moment]]:
    jumps = _strongest(moments, strongest)
    steps = {moment.step for moment in jumps}
    controls = [moment for moment in moments if moment.kind == "control" and moment.control_for in steps]
    return sorted([*((m.kind, m) for m in jumps), *(("control", m) for m in controls)], key=lambda pair: pair[1].step)
