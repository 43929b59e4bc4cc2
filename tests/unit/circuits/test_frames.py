"""The representative network of a condition is drawn, with its own significant jumps marked."""

import pandas as pd
import pytest

from ontogeny.circuits import CircuitSettings
from ontogeny.circuits.frames import frames_of_condition
from ontogeny.errors import OntogenyError
from ontogeny.training.ensemble import EnsembleSettings, train_ensemble

SETTINGS = CircuitSettings()


def test_the_seed_and_its_jumps():
    ensemble = train_ensemble(EnsembleSettings(epochs=12), range(3))
    chosen = pd.DataFrame({"condition": ["baseline"], "seed": [2]})
    jumps = pd.DataFrame(
        {
            "run": ["xor/s2", "xor/s2", "xor/s0", "xor/s12"],
            "step": [4.0, 6.0, 5.0, 3.0],
            "significant": [True, False, True, True],
        }
    )
    frames = frames_of_condition(ensemble, "baseline", chosen, jumps, SETTINGS)
    assert frames.title == "baseline, seed 2"
    assert frames.jumps == (4,)
    assert len(frames.epochs) == 13
    with pytest.raises(OntogenyError, match="did you mean 'baseline'"):
        frames_of_condition(ensemble, "base line", chosen, jumps, SETTINGS)
