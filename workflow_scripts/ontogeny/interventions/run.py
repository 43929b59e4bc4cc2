"""The interventions by name, and one door to all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pandas as pd
from torch import nn

from ontogeny.arguments import Classes, Reals, checks_arguments
from ontogeny.errors import OntogenyError, unknown
from ontogeny.interventions._common import Bench
from ontogeny.interventions.pairs import interpolate, patch
from ontogeny.interventions.settings import INTERVENTIONS as SETTINGS
from ontogeny.interventions.settings import InterventionSettings
from ontogeny.interventions.single import ablate, noise_activations, noise_weights, prune_weights
from ontogeny.neurons.scores import checked_data
from ontogeny.settings import checked
from ontogeny.words import with_article

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
"""Interventions by name. Each takes a bench and its settings, and returns a tidy table."""


@checks_arguments
def intervention_settings(name: str) -> dict[str, Any]:
    """The settings of an intervention and their defaults, None where one must be given.

    Raises OntogenyError for an unknown name.
    """
    fields = _model(name).model_fields
    return {
        key: None if field.is_required() else field.get_default(call_default_factory=True)
        for key, field in fields.items()
        if key != "kind"
    }


def _model(name: Any) -> type[InterventionSettings]:
    if name not in SETTINGS:
        raise unknown("intervention", str(name), SETTINGS)
    return SETTINGS[name]


@checks_arguments
def run_intervention(
    spec: InterventionSettings | Mapping[str, Any],
    models: Mapping[str, nn.Module],
    inputs: Reals,
    labels: Classes,
    seed: int = 0,
) -> pd.DataFrame:
    """Do what `spec` says to copies of `models`, and measure it on the given data.

    spec: settings of `ontogeny.interventions.settings`, or a mapping whose `kind` names one of `INTERVENTIONS` and
    whose other keys are its settings (`intervention_settings(kind)`). Moments are names of `models`. models: moment to
    network. inputs, labels: (samples, ...), (samples,); of language models tokens twice, (samples, positions), whose
    loss and accuracy are those of the next token, a sample's mean over its positions. The models are never changed.

    Returns one row per moment, layer, setting, level and metric (`loss` in nats, `accuracy`): value with low and high,
    its change against the intact network with change_low and change_high (paired percentile bootstrap over samples,
    and over repeats where there are any), intact, samples, repeats, and columns of the intervention's own. An
    intervention that does nothing has a change of exactly 0.

    Raises OntogenyError for a spec, network or data that make no sense.
    """
    if not isinstance(models, Mapping) or not models:
        raise OntogenyError("no networks: give at least one moment, as a mapping of name to model")
    for name, model in models.items():
        if not isinstance(model, nn.Module):
            raise OntogenyError(f"'{name}' is {with_article(type(model).__name__)}; it should be a torch.nn.Module")
    if not isinstance(spec, InterventionSettings):
        if not isinstance(spec, Mapping) or "kind" not in spec:
            raise OntogenyError(f"the intervention {spec!r} has no 'kind': give one of {', '.join(INTERVENTIONS)}")
        spec = checked(_model(spec["kind"]), spec, str(spec["kind"]), {"moments": list(models)})
    inputs, labels = checked_data(inputs, labels, sequences=True)
    return INTERVENTIONS[spec.kind](Bench(models, inputs, labels, spec, seed), spec)
