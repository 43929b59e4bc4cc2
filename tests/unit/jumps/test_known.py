"""Detectors are scored on runs whose transitions are known."""

import numpy as np
import pandas as pd
import pytest

from ontogeny.errors import OntogenyError
from ontogeny.jumps.known import FINDERS, OUTSIDE, chance_share, score_known
from ontogeny.jumps.known_figures import plot_known_transitions, plot_progress
from ontogeny.phase1 import phase1_from_results


@pytest.fixture(scope="module")
def record():
    """Two layers: one jumps in the window of the only transition, one where nothing is known to happen."""
    rng = np.random.default_rng(0)
    steps = np.arange(0, 1200, 2)
    inside, elsewhere = (rng.standard_normal(600) * 0.01 + (steps >= at) for at in (602, 300))
    truth = [
        {"name": "shock", "quantity": "probe_accuracy", "start": 600, "middle": 600, "end": 600, "from": "settings"}
    ]
    accuracy = (steps >= 600) + 0.01 * rng.standard_normal(600)
    tables = {
        name: pd.DataFrame({"step": steps, "stable_rank": values, "probe_accuracy": accuracy})
        for name, values in (("a", inside), ("b", elsewhere))
    }
    return phase1_from_results(tables, {"run": "run", "truth": truth, "train": {"task": {"name": "digits"}}})


def test_recall_delay_and_false_alarms_are_counted(record):
    table = score_known(record, ["transition", "step"]).set_index(["detector", "transition"])
    for finder in ("transition", "step"):
        row = table.loc[finder, "shock"]
        assert (row["series"], row["found"], row["recall"], row["delay"]) == (2, 1, 0.5, 2.0)
        assert row["own"] == 1, "accuracy itself jumps there"
        outside = table.loc[finder, OUTSIDE]
        assert outside["alarms"] == 1
        assert outside["per_1000"] == pytest.approx(1000 / (2 * (600 - 11)), rel=0.01)


def test_a_record_without_truth_is_refused(record):
    without = type(record)(record.frame, metadata={})
    with pytest.raises(OntogenyError, match="no run of the record has known transitions"):
        score_known(without)
    with pytest.raises(OntogenyError, match="no run of the record has known transitions"):
        plot_progress(without, pd.DataFrame())


def test_the_figures_show_every_detector_and_every_window(record):
    table = score_known(record)
    drawn = plot_known_transitions(table)
    assert [text.get_text() for text in drawn.legends[0].get_texts()][: len(FINDERS)] == list(FINDERS)
    jumps = pd.DataFrame([{"run": "run", "layer": "a", "metric": "stable_rank", "step": 602, "onset": 600, "end": 602}])
    progress = plot_progress(record, jumps)
    assert len(progress.axes) == 3
    marked = [line for line in progress.axes[2].lines if line.get_marker() == "o"]
    assert [line.get_xdata()[0] for line in marked] == [602]


def test_events_everywhere_are_in_every_window():
    assert chance_share(np.arange(0, 1000, 10), 1000, 20) == 1
    assert chance_share(np.array([500]), 1000, 100) == pytest.approx(0.1)
    assert chance_share(np.array([]), 1000, 100) == 0


def test_what_a_known_window_allows_is_told_beside_what_is_found():
    """A sigmoid in the window can be found; a relaxation that is quicker before it has no peak; noise has neither."""
    steps = np.arange(600)
    courses = {
        "sigmoid": 1 / (1 + np.exp(-(steps - 300) / 15)),
        "relaxation": 1 - np.exp(-np.maximum(steps - 200, 0) / 60),
        "noise": np.random.default_rng(0).standard_normal(600),
    }
    truth = [{"name": "it", "quantity": "q", "start": 267, "middle": 300, "end": 333, "from": "closed form"}]
    tables = {name: pd.DataFrame({"step": steps, "stable_rank": values}) for name, values in courses.items()}
    record = phase1_from_results(tables, {"run": "run", "truth": truth})
    row = score_known(record, ["transition"]).set_index("transition").loc["it"]
    assert (row["larger"], row["peaked"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
