"""Plausible mistakes in calls from Python: each ends in one sentence that says what would be right."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from ontogeny import HighFrequencyTracker
from ontogeny.circuits import DetailedCircuitTracker, from_torch
from ontogeny.connectome import edge_table, fit_connectome, read_activity, recovery_metrics, simulate_activity
from ontogeny.errors import OntogenyError
from ontogeny.jumps import detect_many, find_jumps, locate_transition

MODEL = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
X = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
SERIES = np.arange(200.0)
U = np.ones((20, 3))


def small():
    return simulate_activity({"n_neurons": 4, "n_trajectories": 1, "n_frames": 10})


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: HighFrequencyTracker(MODEL, probe=X * float("nan")), "the probe holds NaN.*leave those rows out"),
        (lambda: HighFrequencyTracker(MODEL, probe=X.T).log(0, 1.0), "give what the model takes"),
        (lambda: HighFrequencyTracker(MODEL).save("none.json"), "nothing was measured yet: call log"),
        (lambda: detect_many(SERIES), "values has 1 dimensions: .* an array .series, n."),
        (lambda: find_jumps(SERIES), "a record is expected.*detect_jumps and detect_transitions search an array"),
        (
            lambda: locate_transition(pd.DataFrame({"step": SERIES, "accuracy": SERIES})),
            "the table lacks the columns run, layer, metric, value: a record's frame has a row for each value",
        ),
        (lambda: locate_transition(SERIES), "a record is expected.*not ndarray: detect_jumps and.*search an array"),
        (lambda: from_torch(nn.Sequential, X), "the model is the class Sequential: give a module"),
        (lambda: from_torch(MODEL.state_dict(), X), "the model is of type OrderedDict: give a module"),
        (lambda: DetailedCircuitTracker(1, X, X[:3, :1]).track_epoch(0, MODEL, 1.0, 1.0), "y 3 rows"),
        (lambda: fit_connectome("recording.npy"), "'recording.npy': read the file with read_activity"),
        (lambda: fit_connectome(U.astype(str), U), "the activity is of str.*give real numbers"),
        (lambda: edge_table(small()), "a result of fit_connectome is expected, not Activity"),
        (lambda: recovery_metrics(small(), small()), "give what fit_connectome returned first"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(call, said):
    with pytest.raises(OntogenyError, match=said):
        call()


@pytest.mark.filterwarnings("error")
def test_a_recording_without_numbers_is_refused_in_a_sentence_and_nothing_else(tmp_path):
    (tmp_path / "empty.csv").write_text("a,b\n")
    with pytest.raises(OntogenyError, match=r"empty.csv holds no numbers: give a CSV, npy, npz or NWB file"):
        read_activity(tmp_path / "empty.csv", delta_t=0.1)
