"""Every setting of neurons and of their importance changes the tables of a run."""

import pytest
from settings_walk import Walk, cases
from small_runs import MOMENTS, digest, small_activations, small_run

from ontogeny.activations import read_activations
from ontogeny.neurons.importance_run import importance_of_run
from ontogeny.neurons.run import neurons_of_run
from ontogeny.neurons.settings import ImportanceSettings, NeuronSettings


def compared(settings):
    with read_activations(small_activations()) as activations:
        return digest(neurons_of_run(activations, MOMENTS, settings))


def important(settings):
    return digest(importance_of_run(small_run(), [MOMENTS[0], MOMENTS[-1]], settings))


WALKS = [
    Walk(NeuronSettings, compared, changes={"threshold": 0.3, "false_discovery_rate": 0.9}),
    Walk(
        ImportanceSettings,
        important,
        changes={
            "samples": 24,
            "layers": ["Linear_1"],
            "untrained": 2,
            "repeats": 2,
            "conductance_steps": 5,
            "permutations": 29,
            "false_discovery_rate": 0.99,
            "duplicates": 0.2,
            "seed": 1,
        },
        base={"samples": 20, "layers": ["Linear_0"], "untrained": 1, "repeats": 1, "conductance_steps": 3,
              "permutations": 19},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("walk", "name"), cases(WALKS))
def test_every_setting_changes_what_it_governs(walk, name):
    walk.check(name)
