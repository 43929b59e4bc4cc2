"""Every setting of every intervention changes what it measures."""

import copy

import pytest
import torch
from settings_walk import Walk, cases
from small_runs import digest
from torch import nn

from ontogeny.interventions import run_intervention
from ontogeny.interventions.settings import (
    INTERVENTIONS,
    Ablate,
    Interpolate,
    NoiseActivations,
    NoiseWeights,
    Patch,
    Prune,
)
from ontogeny.neurons.importance import ABLATIONS

GENERAL = {"n_resamples": 120, "confidence": 0.5}
CHUNK = {"chunk": "samples per pass divide the work, and change no number"}


def networks():
    torch.manual_seed(0)
    first = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 3))
    last, other = copy.deepcopy(first), copy.deepcopy(first)
    for network in (last, other):
        for value in network.parameters():
            value.data += 0.3 * torch.randn_like(value)
        network.train()(torch.randn(40, 6))
    return {name: network.eval() for name, network in zip(("start", "end", "control"), (first, last, other))}


def run(settings):
    torch.manual_seed(1)
    inputs, labels = torch.randn(30, 6), torch.randint(0, 3, (30,))
    return digest(run_intervention(settings, networks(), inputs, labels).drop(columns=["intervention"]))


SINGLE = {"moments": ["end"], "layers": ["Linear_0"]} | GENERAL
WALKS = [
    Walk(Ablate, run, {"units": [0], "mode": "zero"} | SINGLE, CHUNK | {"kind": "it is the intervention itself"}),
    Walk(
        Prune,
        run,
        {"method": "random", "amounts": [0.3], "scope": "layer", "repeats": {"repeats": 2, "method": "random"}}
        | SINGLE,
        CHUNK | {"kind": "it is the intervention itself"},
        {"amounts": [0.5]},
    ),
    Walk(
        NoiseActivations,
        run,
        {"levels": [0.3], "repeats": 2} | SINGLE,
        CHUNK | {"kind": "it is the intervention itself"},
        {"levels": [0.5], "repeats": 1},
    ),
    Walk(
        NoiseWeights,
        run,
        {"levels": [0.3], "repeats": 2, "together": False} | SINGLE,
        CHUNK | {"kind": "it is the intervention itself"},
        {"levels": [0.5], "repeats": 1},
    ),
    Walk(
        Patch,
        run,
        {"source": "control", "target": "control", "what": "weights", "control": ["start", "control"],
         "layers": ["Linear_0"]} | GENERAL,
        CHUNK | {"kind": "it is the intervention itself"},
        {"source": "start", "target": "end"},
    ),
    Walk(
        Interpolate,
        run,
        {"source": "control", "target": "control", "positions": [0.2], "batch_norm": "interpolate"} | GENERAL,
        CHUNK | {"kind": "it is the intervention itself"},
        {"source": "start", "target": "end", "positions": [0.5]},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("walk", "name"), cases(WALKS))
def test_every_setting_changes_what_it_governs(walk, name):
    walk.check(name)


def test_every_intervention_is_walked():
    assert {walk.model for walk in WALKS} == set(INTERVENTIONS.values())


def test_the_ablations_to_choose_from_are_those_that_there_are():
    assert set(Ablate.model_fields["mode"].annotation.__args__) == set(ABLATIONS)
