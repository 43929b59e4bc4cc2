"""A whole run: what changed at every captured moment, and which predictions flipped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from ontogeny.activations.networks import networks_at, place_of, spread_over_classes
from ontogeny.activations.store import ActivationFile
from ontogeny.arguments import checks_arguments
from ontogeny.changes.compare import Change, against_controls
from ontogeny.changes.measure import (
    FLIPPED,
    Network,
    Stored,
    activation_changes,
    attention_changes,
    feature_changes,
    flipped_predictions,
    prediction_changes,
    selectivity_changes,
    sequence_changes,
    unit_changes,
    weight_changes,
)
from ontogeny.changes.settings import ChangeSettings
from ontogeny.jumps.plan import Moment
from ontogeny.progress import Progress
from ontogeny.trajectory import Trajectory

MOST_SAMPLES = 200
"""Probe samples whose representations and attention are compared; those of the probe, from the first."""


@checks_arguments
def changes_of_run(
    trajectory: Trajectory,
    moments: Iterable[Moment],
    activations: ActivationFile,
    units: pd.DataFrame,
    importance: pd.DataFrame | None = None,
    settings: ChangeSettings | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What changed from before to after every moment, against matched controls, and the predictions that flipped there.

    activations: of the run's probe. units: the run's table of `neurons_of_run`; importance: that of
    `importance_of_run`, if there is one. The rest is measured on networks replayed in one walk: weights, attention and
    saliency on the probe, predictions on all held-out samples. Of networks that read tokens there is no saliency, and
    of the predictions of next tokens loss and accuracy, each the mean over a sequence. Of a series of checkpoints one
    network is in memory at a time.

    Returns the table of `against_controls`, and one row per moment and flipped sample: moment, kind, step, and the
    columns of `flipped_predictions`.
    """
    settings = settings or ChangeSettings()
    moments = list(moments)
    series = trajectory.series
    steps = {step for moment in moments for step in moment.steps}
    networks: Mapping[int, Network]
    networks = {step: Stored(trajectory, step) for step in steps} if series else networks_at(trajectory, steps)
    inputs, labels = (part.cpu() for part in trajectory.probe)
    chosen = spread_over_classes(labels, settings.explained)
    held_out = tuple(part.cpu() for part in (series.probe if series else trajectory.validation))
    by_unit = dict(iter(units.groupby(["moment", "layer"], sort=False)))
    worth = {} if importance is None else _importance(importance)
    found: dict[Moment, list[Change]] = {}
    flipped = []
    progress = Progress(len(moments), f"changes of {trajectory.run}")
    for done, moment in enumerate(moments, start=1):
        before, at, after = (networks[step] for step in (moment.before, moment.step, moment.after))
        name = place_of(moment).name
        here = weight_changes(before, after, trajectory.layers, at)
        for layer in activations.layers:
            one, two = (activations.array(step, layer) for step in (moment.before, moment.after))
            flat = [values.reshape(len(values), -1)[:MOST_SAMPLES] for values in (one, two)]
            here += activation_changes(layer, *flat)
            if (name, layer) in by_unit:
                here += unit_changes(layer, by_unit[name, layer], settings.false_discovery_rate)
            states = [activations.units(step, layer) for step in (moment.before, moment.step, moment.after)]
            first, middle, last = (values for values, _ in states)
            here += selectivity_changes(layer, first, last, labels.numpy(), states[0][1], middle)
            ends = [worth.get((place_of(moment, role).name, layer)) for role in ("before", "after")]
            known = [end for end in ends if end is not None]
            if len(known) == 2:
                here.append(_worth(layer, *known))
        attended = attention_changes(before, after, inputs[:MOST_SAMPLES], at)
        here += [_named(change, trajectory.layers) for change in attended]
        if inputs.is_floating_point():
            here += feature_changes(before, after, inputs[chosen], labels[chosen])
            table = flipped_predictions(before, after, *held_out)
            here += prediction_changes(table, flipped_predictions(before, at, *held_out))
            turned = table[table["flip"] != ""]
            flipped.append(turned.assign(moment=name, kind=moment.kind, step=moment.step))
        else:
            here += sequence_changes(before, after, held_out[0], held_out[1], at)
        found[moment] = here
        progress.update(done, name)
    columns = ["moment", "kind", "step", *FLIPPED]
    joined = pd.concat(flipped, ignore_index=True)[columns] if flipped else pd.DataFrame(columns=columns)
    return against_controls(found, seed=settings.seed), joined


def _importance(table: pd.DataFrame) -> dict[tuple[str, str], np.ndarray]:
    """Ablation importance (nats) of the units of every moment and layer."""
    zero = table[(table["measure"] == "ablation zero") & (table["control"] == "none")]
    return {key: part["value"].to_numpy(float) for key, part in zero.groupby(["moment", "layer"], sort=False)}


def _worth(layer: str, before: np.ndarray, after: np.ndarray) -> Change:
    moved = Change.of_samples("neurons", layer, "importance", np.abs(after - before), over="units")
    return moved.at([float(before.mean()), float(after.mean())])


def _named(change: Change, layers: Mapping[str, str]) -> Change:
    """The change under the display name of its layer, which the attention maps call by its path."""
    names = {path: name for name, path in layers.items()}
    return replace(change, layer=names.get(change.layer, change.layer))
