"""Every setting of changes changes the tables of a run."""

import pandas as pd
import pytest
from settings_walk import Walk, cases
from small_runs import MOMENTS, digest, small_activations, small_run

from ontogeny.activations import read_activations
from ontogeny.changes.run import changes_of_run
from ontogeny.changes.settings import ChangeSettings
from ontogeny.neurons.run import neurons_of_run


def run(settings):
    nothing = pd.DataFrame(columns=["measure", "control", "moment", "layer", "value"])
    with read_activations(small_activations()) as activations:
        units, _ = neurons_of_run(activations, MOMENTS[:2])
        return digest(changes_of_run(small_run(), MOMENTS[:2], activations, units, nothing, settings))


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
