"""The neurons of a whole run: every unit of every layer, before and after every captured moment, as tables."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ontogeny.activations.store import ActivationFile
from ontogeny.jumps.plan import Moment
from ontogeny.neurons.settings import NeuronSettings
from ontogeny.neurons.statistics import compare_neurons
from ontogeny.progress import Progress
from ontogeny.statistics import proportion_interval


def neurons_of_run(
    activations: ActivationFile,
    moments: Iterable[Moment],
    settings: NeuronSettings | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare every unit before and after each of `moments`, and sum up the comparison.

    Units are measured after what follows their layer, as the file of activations says; where that is unknown, so is
        whether a unit is silent. Returns the units (moment, kind, layer, and the columns of `compare_neurons`) and a
        summary (moment, kind, layer, before, at, after, units, changed, its share with a Wilson interval, died,
        revived, and the median magnitude of the effect). A unit counts as changed if its adjusted p-value is at most
        `settings.false_discovery_rate`.
    """
    settings = settings or NeuronSettings()
    moments = list(moments)
    units, summary = [], []
    progress = Progress(len(moments) * len(activations.layers), f"neurons of {activations.run}")
    for moment in moments:
        before, at, after = moment.before, moment.step, moment.after
        name = f"{moment.kind} at {at}"
        for layer in activations.layers:
            rows = activations.fitting(layer)
            found = [activations.units(step, layer, rows) for step in (before, at, after)]
            (first, nonlinearity), (middle, _), (last, _) = found
            table = compare_neurons(first, middle, last, nonlinearity, settings.threshold)
            place = {"moment": name, "kind": moment.kind, "layer": layer}
            units.append(table.assign(**place)[[*place, *table.columns]])
            changed = int((table["p_adjusted"] <= settings.false_discovery_rate).sum())
            low, high = proportion_interval(changed, len(table))
            summary.append(
                {**place, "before": before, "at": at, "after": after, "units": len(table), "changed": changed}
                | {"share": changed / len(table), "share_low": low, "share_high": high}
                | {name: table[name].sum(min_count=1) for name in ("died", "revived")}
                | {"median_effect": float(np.nanmedian(np.abs(table["effect_size"])))}
            )
            progress.update(len(summary), f"{name}, {layer}")
    if not moments:
        empty = ["moment", "kind", "layer"]
        return pd.DataFrame(columns=[*empty, "unit"]), pd.DataFrame(columns=[*empty, "units", "changed", "share"])
    return pd.concat(units, ignore_index=True), pd.DataFrame(summary)
