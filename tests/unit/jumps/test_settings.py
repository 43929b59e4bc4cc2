"""Every setting of jumps, of their validity and of captures changes a result; choices are those of the registry."""

import typing

import numpy as np
import pandas as pd
import pytest
from settings_walk import Walk, cases

from ontogeny.jumps import find_jumps, plan_captures, run_battery
from ontogeny.jumps.detectors import DETECTORS
from ontogeny.jumps.settings import CaptureSettings, JumpSettings, ValiditySettings


def _frame():
    rng = np.random.default_rng(0)
    parts = []
    for layer, metric, size in (
        ("a", "stable_rank", 7.0),
        ("b", "stable_rank", 12.0),
        ("b", "participation_ratio", 9.0),
    ):
        x = 1e3 + rng.standard_normal(300)
        x[160:] += size
        parts.append(pd.DataFrame({"run": "r", "layer": layer, "step": range(300), "metric": metric, "value": x}))
    slow = 1e3 + rng.standard_normal(300) + 12 * np.clip(np.arange(300) / 40 - 3, 0, 1)
    parts.append(pd.DataFrame({"run": "r", "layer": "c", "step": range(300), "metric": "stable_rank", "value": slow}))
    return pd.concat(parts, ignore_index=True)


FRAME = _frame()


def jumps(settings):
    report = find_jumps(FRAME, settings, surrogates=19)
    return report.table.drop(columns="p_value").to_csv() + report.series.to_csv()


def battery(settings):
    tables = [run_battery(name, (100,), settings.repeats, settings.seed, planted=False) for name in settings.detectors]
    return "".join(table.to_csv() for table in tables)


def captured(settings):
    return plan_captures(find_jumps(FRAME, surrogates=19), range(300), settings)


WALKS = [
    Walk(
        JumpSettings,
        jumps,
        {
            "detector": "z_score",
            "threshold": {"threshold": 12.0, "transitions": False},
            "noise_floor": 0.01,
            "transitions": False,
            "metrics": ["stable_rank"],
            "false_discovery_rate": 1e-9,
        },
    ),
    Walk(
        ValiditySettings,
        battery,
        {"detectors": ["gradient"], "repeats": 2, "seed": 1},
        base={"detectors": ["z_score"], "repeats": 1},
    ),
    Walk(
        CaptureSettings,
        captured,
        {"strongest": 0, "controls": 1, "window": 20},
        cannot={"dtype": "it acts on the file of activations, not on the plan: see the test below"},
    ),
]


@pytest.mark.parametrize(("walk", "name"), cases(WALKS))
def test_every_setting_acts(walk, name):
    walk.check(name)


def test_choices_are_those_of_the_registry():
    assert typing.get_args(JumpSettings.model_fields["detector"].annotation) == tuple(DETECTORS)
