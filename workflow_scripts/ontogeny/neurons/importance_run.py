"""The units of a whole run from inside: what each is worth, what it answers to, whether it works, and when that came.

Every finding stands beside what untrained networks and shuffled labels give.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor, nn

from ontogeny.activations.networks import Place, networks_at, place_of, places, probe_of, untrained_networks
from ontogeny.errors import OntogenyError, known_layer
from ontogeny.jumps.plan import EVENTS, Moment
from ontogeny.models import monitored_layers, readout_layer
from ontogeny.neurons.importance import (
    ablation_importance,
    conductance_importance,
    gradient_importance,
    importance_agreement,
    importance_change,
    importance_with_controls,
)
from ontogeny.neurons.selectivity import class_selectivity, selectivity_with_controls
from ontogeny.neurons.settings import ImportanceSettings
from ontogeny.neurons.sites import find_site, unit_activations
from ontogeny.neurons.units import unit_health
from ontogeny.progress import Progress
from ontogeny.statistics import adjust
from ontogeny.trajectory import Trajectory

logger = logging.getLogger("ontogeny")

IMPORTANCE = [
    "moment", "kind", "role", "step", "jump", "control", "network", "measure", "layer", "unit", "where", "samples",
    "value", "low", "high", "accuracy_change", "accuracy_low", "accuracy_high", "p_value", "p_adjusted",
    "control_high", "control_p_value", "control_p_adjusted", "stands_out",
]  # fmt: skip
CHANGE = [
    "moment", "jump", "before", "after", "layer", "quantity", "change", "controls_mean", "controls_low",
    "controls_high", "effect_size", "p_value", "p_adjusted", "pairs",
]  # fmt: skip
MINIMUM = 4
"""Samples that a class needs for its selectivity to be tested and replicated."""


def importance_of_run(
    trajectory: Trajectory,
    moments: Iterable[Moment],
    settings: ImportanceSettings | None = None,
) -> dict[str, pd.DataFrame]:
    """What the units of a run do, at the start, at jumps, at the end, and what changes across jumps, as tidy tables.

    For `settings.layers` (all but the one whose outputs are the scores). Importance is measured on the first
    `settings.samples` of the probe, selectivity and health on all of it. Returns

    - `importance`: one row per moment, control, measure, layer and unit. measure: `ablation zero` at every moment, and
      at the end also `ablation mean`, `ablation resample`, `gradient` and `conductance`; value with low and high
      (change of loss in nats; conductance in score), and for ablations accuracy_change and p-values. control: `none`,
      at the end also `shuffled labels` and `untrained` (`network` numbers them); stands_out: above the untrained units.
    - `importance_agreement`: rank correlations of the measures at the end, by layer.
    - `selectivity`: `class_selectivity` at every moment, with the controls at the end. Classes of fewer than four
      samples are left out.
    - `health`: `unit_health` at every moment, around jumps and controls, and of the untrained networks.
    - `importance_change`: change across each event against the run's control pairs as long, p-values adjusted over its
      layers and quantities. Empty without a jump or without a control pair.

    Raises OntogenyError for an unknown layer, or if captum is missing.
    """
    settings = settings or ImportanceSettings()
    moments, seed = list(moments), settings.seed
    probe, classes = probe_of(trajectory)
    inputs, labels = probe[: settings.samples], classes[: settings.samples]
    shown = places(moments, around=(*EVENTS, "control"))
    networks = networks_at(trajectory, [place.step for place in shown])
    fresh = untrained_networks(trajectory, settings.untrained, seed)
    end = max((place for place in shown if place.role == "at"), key=lambda place: place.step)
    chosen = hidden_layers(networks[end.step], trajectory.layers, settings.layers, inputs)
    common: dict[str, Any] = {"repeats": settings.repeats, "seed": seed}
    tests: dict[str, Any] = {
        "permutations": settings.permutations,
        "n_resamples": 200,
        "false_discovery_rate": settings.false_discovery_rate,
        "seed": seed,
    }
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in ("importance", "agreement", "selectivity", "health")}
    progress = Progress(len(chosen), f"units of {trajectory.run}")
    tested = _tested(classes)
    for done, layer in enumerate(chosen, start=1):
        where = find_site(networks[end.step], layer, inputs).nonlinearity
        activations = {step: unit_activations(network, probe, layer).numpy() for step, network in networks.items()}
        idle = [unit_activations(network, probe, layer).numpy() for network in fresh]
        for place in shown:
            if place is not end:
                table = ablation_importance(networks[place.step], inputs, labels, layer, "zero", **common)
                parts["importance"].append(_ablation(table, place))
        parts["health"] += _health(shown, activations, idle, layer, where, settings.duplicates)
        if tested is not None:
            of_tested = {step: values[tested] for step, values in activations.items()}
            idle_tested = [values[tested] for values in idle]
            parts["selectivity"] += _selectivity(
                shown, end, of_tested, idle_tested, classes[tested].numpy(), layer, tests
            )
        tables = _measures(networks[end.step], fresh, inputs, labels, layer, settings)
        parts["importance"] += [_placed(table, end) for table in tables]
        own = {table["measure"].iloc[0]: table[table["control"] == "none"]["value"] for table in tables}
        if len(tables[0]) and min(map(len, own.values())) >= 4:
            parts["agreement"].append(_placed(importance_agreement(own, seed=seed), end, layer=layer))
        progress.update(done, layer)
    importance = pd.concat(parts["importance"], ignore_index=True).reindex(columns=IMPORTANCE)
    return {
        "importance": importance,
        "importance_agreement": _joined(parts["agreement"], ["moment", "layer", "first", "second", "spearman"]),
        "selectivity": _ordered(_joined(parts["selectivity"], ["moment", "layer", "control", "unit"])),
        "health": _ordered(_joined(parts["health"], ["moment", "layer", "control", "unit"])),
        "importance_change": _changes(importance, moments),
    }


def hidden_layers(
    network: nn.Module, monitored: Iterable[str], wanted: Sequence[str] | None, inputs: Tensor
) -> list[str]:
    """The layers whose units are examined, by display name: `wanted`, or all monitored but the readout.

    Layers that no single forward pass shows are left out, and logged. Raises OntogenyError for an unknown one.
    """
    known = {layer.name: layer.path for layer in monitored_layers(network)}
    if wanted is not None:
        return [known_layer(name, known, known, "importance.layers") for name in wanted]
    readout = readout_layer(network)
    found = []
    for name in monitored:
        if name not in known or (readout is not None and name == readout.name):
            continue
        try:
            find_site(network, name, inputs)
        except OntogenyError as error:
            logger.info("left out: %s", error)
            continue
        found.append(name)
    if not found:
        raise OntogenyError(f"this {type(network).__name__} has no hidden layer whose units could be asked about")
    return found


def _known(nonlinearity: str) -> str:
    """The nonlinearity as `unit_health` knows it; one without bounds for those that it does not."""
    try:
        unit_health(np.zeros((3, 1)), nonlinearity)
    except OntogenyError:
        return "none"
    return nonlinearity


def _health(
    shown: Iterable[Place],
    activations: Mapping[int, np.ndarray],
    idle: Sequence[np.ndarray],
    layer: str,
    where: str,
    duplicates: float,
) -> Iterator[pd.DataFrame]:
    """`unit_health` of a layer at every place, and of the untrained networks; activations (samples, units) by step."""
    for place in shown:
        health = unit_health(activations[place.step], _known(where), correlation=duplicates)
        yield _placed(health, place, layer=layer, where=where, control="none")
    for number, values in enumerate(idle):
        health = unit_health(values, _known(where), correlation=duplicates)
        yield health.assign(layer=layer, where=where, control="untrained", network=number)


def _selectivity(
    shown: Iterable[Place],
    end: Place,
    activations: Mapping[int, np.ndarray],
    idle: Sequence[np.ndarray],
    classes: np.ndarray,
    layer: str,
    tests: dict[str, Any],
) -> Iterator[pd.DataFrame]:
    """`class_selectivity` of a layer at every moment, with the controls at the end; activations by step."""
    for place in shown:
        if place.role == "at" and place is not end:
            own = class_selectivity(activations[place.step], classes, **tests)
            yield _placed(own, place, layer=layer, control="none")
    yield _placed(selectivity_with_controls(activations[end.step], idle, classes, **tests), end, layer=layer)


def _tested(labels: Tensor) -> np.ndarray | None:
    """Which samples are of classes large enough; None if there are not two such classes."""
    names, counts = np.unique(labels.numpy(), return_counts=True)
    enough = names[counts >= MINIMUM]
    if len(enough) < 2:
        logger.warning("no selectivity: fewer than two classes have %d probe samples; raise n_probe", MINIMUM)
        return None
    return np.isin(labels.numpy(), enough)


def _measures(
    network: nn.Module,
    fresh: Sequence[nn.Module],
    inputs: Tensor,
    labels: Tensor,
    layer: str,
    settings: ImportanceSettings,
) -> list[pd.DataFrame]:
    """All five measures of a layer, ablation to zero with its controls."""
    common: dict[str, Any] = {"repeats": settings.repeats, "seed": settings.seed}
    with_controls = importance_with_controls(
        network, fresh, inputs, labels, layer, false_discovery_rate=settings.false_discovery_rate, **common
    )
    found = [_named(with_controls, "ablation zero")]
    for mode in ("mean", "resample"):
        table = ablation_importance(network, inputs, labels, layer, mode, **common)
        found.append(_named(table.assign(control="none"), f"ablation {mode}"))
    seed = settings.seed
    slope = gradient_importance(network, inputs, labels, layer, seed=seed)
    flow = conductance_importance(network, inputs, labels, layer, steps=settings.conductance_steps, seed=seed)
    for name, table in (("gradient", slope), ("conductance", flow)):
        renamed = table.rename(columns={"importance": "value", "importance_low": "low", "importance_high": "high"})
        found.append(renamed.assign(measure=name, control="none"))
    return found


def _named(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    renamed = table.rename(columns={"loss_change": "value", "loss_low": "low", "loss_high": "high"})
    return renamed.assign(measure=measure)


def _ablation(table: pd.DataFrame, place: Place) -> pd.DataFrame:
    return _placed(_named(table, "ablation zero"), place, control="none")


def _placed(table: pd.DataFrame, place: Place, **more: Any) -> pd.DataFrame:
    return table.assign(**place.columns(), **more)


def _joined(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _ordered(table: pd.DataFrame) -> pd.DataFrame:
    """The columns that say where a row belongs, first."""
    first = ["moment", "kind", "role", "step", "jump", "control", "network", "layer", "where"]
    first = [name for name in first if name in table]
    return table[[*first, *(name for name in table.columns if name not in first)]]


def _changes(importance: pd.DataFrame, moments: Sequence[Moment]) -> pd.DataFrame:
    """Change of importance across every jump against the control pairs of the run that are as long."""
    zero = importance[(importance["measure"] == "ablation zero") & (importance["control"] == "none")]
    zero = zero.rename(columns={"value": "loss_change"})
    by_place = dict(iter(zero.groupby(["moment", "layer"], sort=False)))

    def pair(moment: Moment, layer: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        return tuple(by_place[place_of(moment, role).name, layer] for role in ("before", "after"))

    quiet = [moment for moment in moments if moment.kind == "control"]
    tables = []
    for jump in (moment for moment in moments if moment.is_event):
        controls = [moment for moment in quiet if jump.matches(moment)]
        for layer in dict.fromkeys(zero["layer"]) if controls else ():
            table = importance_change(*pair(jump, layer), [pair(moment, layer) for moment in controls])
            table = table.rename(columns={"jump": "change"})
            tables.append(
                table.assign(moment=place_of(jump).name, jump=jump.step, before=jump.before, after=jump.after)
            )
    if not tables:
        return pd.DataFrame(columns=CHANGE)
    joined = pd.concat(tables, ignore_index=True)
    return joined.assign(p_adjusted=adjust(joined["p_value"].to_numpy(), "bh").p_values)[CHANGE]
