"""Every setting of the learning coefficient changes what is estimated."""

from functools import cache

import pytest
import torch
from settings_walk import Walk, cases
from torch import nn

from ontogeny.complexity import (
    ComplexityAnalysisSettings,
    ComplexitySettings,
    complexity_of_ensemble,
    estimate_llc,
)
from ontogeny.training.ensemble import EnsembleSettings, train_ensemble


def _digest(settings):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1))
    data = torch.randn(30, 3), torch.randn(30, 1)
    llc = estimate_llc(model, data, settings)
    return llc.value, llc.by_chain.shape


def _tables(settings):
    return complexity_of_ensemble(_xor(), settings).drop(columns="notes").to_csv()


@cache
def _xor():
    return train_ensemble(EnsembleSettings(n_samples_train=20, epochs=6), range(2))


_BASE = {"chains": 2, "draws": 8, "burn_in": 20, "step_size": 1e-3}
_CHANGES = {
    "sampler": "rmsprop",
    "corrected": False,
    "chains": 3,
    "draws": 9,
    "burn_in": 21,
    "step_size": 2e-3,
    "acceptance": {"acceptance": 0.6, "step_size": "calibrated"},
    "localisation": 50.0,
    "n_beta": 20.0,
    "batch_size": 10,
    "parameters": ["0.*"],
    "seed": 1,
}
_BY_RUN = "it acts on runs alone, in `test_a_run_by_replay`"
WALKS = [
    Walk(ComplexitySettings, _digest, _CHANGES, base=_BASE),
    Walk(
        ComplexityAnalysisSettings,
        _tables,
        {**{key: value for key, value in _CHANGES.items() if key not in ("batch_size", "parameters")}, "frames": 2},
        {
            "batch_size": "the few distinct rows of a logic gate are always used whole; runs: `ComplexitySettings`",
            "parameters": "networks of an ensemble move as a whole; runs: `ComplexitySettings`",
            "strongest": _BY_RUN,
            "localisations": _BY_RUN,
            "by_layer": _BY_RUN,
            "by_head": "networks of an ensemble have no heads; runs: `test_every_head_alone`",
        },
        base=_BASE,
    ),
]


@pytest.mark.parametrize(("walk", "name"), cases(WALKS))
def test_every_setting_acts(walk, name):
    walk.check(name)
