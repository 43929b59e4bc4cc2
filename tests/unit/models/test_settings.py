"""Every setting of a model changes the network that is built."""

import pytest
import torch
from settings_walk import Walk, cases
from small_runs import digest

from ontogeny.models import build_model
from ontogeny.models.build import MODELS
from ontogeny.models.settings import ModelName, ModelSettings


def run(settings):
    model = build_model(settings.name, (1, 8, 8), 10, 0, **settings.overrides())
    torch.manual_seed(0)
    return digest([str(model), model.train()(torch.ones(4, 1, 8, 8)).detach().numpy()])


VIT = {"name": "vit_tiny", "width": 8, "depth": 1, "heads": 2, "feedforward": 8}
WALKS = [
    Walk(
        ModelSettings,
        run,
        {
            "name": "mlp_shallow_2",
            "hidden": [7],
            "channels": {"channels": [3], "name": "cnn_shallow"},
            "width": VIT | {"width": 16},
            "depth": VIT | {"depth": 2},
            "heads": VIT | {"heads": 1},
            "feedforward": VIT | {"feedforward": 12},
            "patch": VIT | {"patch": 4},
            "tokens": {"tokens": 4, "name": "transformer_shallow", "width": 8, "depth": 1, "heads": 2},
            "dropout": 0.5,
            "activation": "tanh",
        },
    )
]


@pytest.mark.parametrize(("walk", "name"), cases(WALKS))
def test_every_setting_changes_what_it_governs(walk, name):
    walk.check(name)


def test_the_models_to_choose_from_are_those_that_there_are():
    assert set(ModelName.__args__) == set(MODELS)
