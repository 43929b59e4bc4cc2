"""Every setting of changes changes the tables of a run."""

import pytest
from settings_walk import Walk, cases
from small_runs import MOMENTS, digest, small_activations, small_run

from ontogeny.activations import read_activations
from ontogeny.changes.run import changes_of_run
from ontogeny.changes.settings import ChangeSettings
from ontogeny.neurons.run import neurons_of_run


def run(settings):
    import pandas as pd

    run = small_run()
    functions = dict.fromkeys(run.layers, "relu")
    nothing = pd.DataFrame(columns=["measure", "control", "moment", "layer", "value"])
    with read_activations(small_activations()) as activations:
        units, _ = neurons_of_run(activations, MOMENTS[:2], functions)
        return digest(changes_of_run(run, MOMENTS[:2], activations, units, nothing, functions, settings))


WALKS = [
    Walk(
        ChangeSettings,
        run,
        changes={"explained": 5, "false_discovery_rate": 0.9, "seed": 1},
        base={"explained": 4, "false_discovery_rate": 1e-9},
    )
]


@pytest.mark.parametrize(("walk", "name"), cases(WALKS))
def test_every_setting_changes_what_it_governs(walk, name):
    walk.check(name)
