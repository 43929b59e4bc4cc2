"""The interventions by name, and one door to all of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pandas as pd
from torch import nn

from ontogeny.errors import OntogenyError, unknown
from ontogeny.interventions._common import Bench, count
from ontogeny.interventions.pairs import interpolate, patch
from ontogeny.interventions.single import ablate, noise_activations, noise_weights, prune_weights
from ontogeny.neurons.sites import checked_data

INTERVENTIONS: Mapping[str, Callable[..., pd.DataFrame]] = MappingProxyType(
    {
        "ablate": ablate,
        "prune": prune_weights,
        "noise_activations": noise_activations,
        "noise_weights": noise_weights,
        "patch": patch,
        "interpolate": interpolate,
    }
)
"""Interventions by name. Each takes a bench and its settings by name, and returns a tidy table."""

GENERAL = ("resamples", "confidence", "chunk")


def intervention_settings(name: str) -> dict[str, Any]:
    """The settings of an intervention and their defaults. Raises OntogenyError for an unknown name."""
    if name not in INTERVENTIONS:
        raise unknown("intervention", name, INTERVENTIONS)
    parameters = list(inspect.signature(INTERVENTIONS[name]).parameters.values())[1:]
    return {parameter.name: parameter.default for parameter in parameters}


def run_intervention(
    spec: Mapping[str, Any], models: Mapping[str, nn.Module], inputs: Any, labels: Any, seed: int = 0
) -> pd.DataFrame:
    """Do what `spec` says to copies of `models`, and measure it on the given data.

    spec: `kind` names one of `INTERVENTIONS`; the other keys are its settings (`intervention_settings(kind)`), or
    `resamples`, `confidence` (of the intervals) and `chunk` (samples a pass). models: moment to network. inputs,
    labels: (samples, ...), (samples,). The models given are never changed.

    Returns one row a moment, layer, setting, level and metric (`loss` in nats, `accuracy`): value with low and high,
    its change against the intact network with change_low and change_high (paired percentile bootstrap over samples,
    and over repeats where there are any), intact, samples, repeats, and columns of the intervention's own. An
    intervention that does nothing has a change of exactly 0.

    Raises OntogenyError for a spec, network or data that make no sense.
    """
    if not isinstance(spec, Mapping) or "kind" not in spec:
        raise OntogenyError(f"the intervention {spec!r} has no 'kind': give one of {', '.join(INTERVENTIONS)}")
    kind = spec["kind"]
    known = intervention_settings(kind)
    settings = {key: value for key, value in spec.items() if key != "kind"}
    for key in settings:
        if key not in known and key not in GENERAL:
            raise unknown(f"setting of '{kind}'", key, [*known, *GENERAL])
    if not isinstance(models, Mapping) or not models:
        raise OntogenyError("no networks: give at least one moment, as a mapping of name to model")
    for name, model in models.items():
        if not isinstance(model, nn.Module):
            raise OntogenyError(f"'{name}' is a {type(model).__name__}: a torch.nn.Module is wanted")
    inputs, labels = checked_data(inputs, labels)
    bench = Bench(
        models,
        inputs,
        labels,
        seed,
        settings.pop("resamples", 1000),
        settings.pop("confidence", 0.95),
        count("chunk", settings.pop("chunk", 512)),
    )
    return INTERVENTIONS[kind](bench, **settings)
