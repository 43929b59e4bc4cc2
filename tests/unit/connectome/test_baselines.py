"""Simpler methods beside a fit."""

import numpy as np
import pandas as pd
import pytest

from ontogeny.connectome.baselines import as_good, baseline_table
from ontogeny.connectome.simulate import Activity, simulate_activity

MADE = simulate_activity(
    {"n_neurons": 10, "n_trajectories": 12, "n_frames": 60, "connectivity_filling_factor": 0.5}, seed=2
)


def test_a_library_that_holds_the_truth_finds_it_and_a_line_does_not():
    table = baseline_table(MADE).set_index("method")
    assert table.loc["OLS", "connectivity_R2"] > 0.999
    assert table.loc["OLS", "held_out_error"] < 1e-4
    assert table.loc["lasso", "connectivity_R2"] > 0.9
    assert table.loc["VAR", "held_out_error"] > 100 * table.loc["OLS", "held_out_error"]
    assert table.loc["VAR", "connectivity_R2"] < table.loc["OLS", "connectivity_R2"]


def test_a_recording_without_truth_has_errors_alone():
    table = baseline_table(Activity(u=7 * MADE.u, du=7 * MADE.du))
    assert table["connectivity_R2"].isna().all()
    assert table["held_out_error"].notna().all()


@pytest.mark.parametrize(
    ("error", "words"), [(0.1, "OLS predicts frames held out as well"), (0.01, "no baseline predicts")]
)
def test_it_is_said_when_a_baseline_is_as_good(error, words):
    table = pd.DataFrame(
        {"method": ["VAR", "OLS"], "held_out_error": [0.5, 0.105], "connectivity_R2": [np.nan, np.nan]}
    )
    assert as_good(table, error).startswith(words)
