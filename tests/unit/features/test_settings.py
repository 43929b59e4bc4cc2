"""Every setting of features changes what is written about a run."""

import pytest
from settings_walk import Walk, cases
from small_runs import MOMENTS, digest, scratch, small_run

from ontogeny.features.attribution import METHODS
from ontogeny.features.run import features_of_run
from ontogeny.features.settings import FeatureSettings, Method


def run(settings):
    path = scratch() / "features.h5"
    return digest([features_of_run(small_run(), [MOMENTS[-1]], path, settings), path])


WALKS = [
    Walk(
        FeatureSettings,
        run,
        changes={
            "samples": 5,
            "methods": ["smoothgrad"],
            "baseline": {"baseline": "mean", "methods": ["integrated_gradients"]},
            "integrated_steps": {"integrated_steps": 5, "methods": ["integrated_gradients"]},
            "noisy_copies": {"noisy_copies": 4, "methods": ["smoothgrad"]},
            "units": 2,
            "ascent_steps": 3,
            "seed": 1,
        },
        base={"samples": 4, "methods": ["saliency"], "integrated_steps": 4, "noisy_copies": 3, "units": 1,
              "ascent_steps": 2},
    )
]  # fmt: skip


@pytest.mark.parametrize(("walk", "name"), cases(WALKS))
def test_every_setting_changes_what_it_governs(walk, name):
    walk.check(name)


def test_the_methods_to_choose_from_are_those_that_there_are():
    assert set(Method.__args__) == set(METHODS)
