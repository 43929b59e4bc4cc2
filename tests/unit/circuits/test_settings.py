"""Every setting of circuits and of the ensembles that they are counted in reaches all that it says it governs."""

import hashlib
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from settings_walk import Walk, cases

from ontogeny.circuits import CircuitSettings, ablate_ensemble
from ontogeny.circuits.animation import frame_epochs
from ontogeny.circuits.frames import frames_from_ensemble
from ontogeny.circuits.page import write_circuit_page
from ontogeny.circuits.statistics import ensemble_history
from ontogeny.circuits.trace import coincidence_table, epochs_of_seed, trace_ensemble, write_records
from ontogeny.models.settings import GateModelSettings
from ontogeny.tasks.settings import GateTaskSettings
from ontogeny.training.ensemble import EnsembleSettings, train_ensemble
from ontogeny.training.settings import GateTrainingSettings


@lru_cache(maxsize=1)
def ensemble():
    made = EnsembleSettings(epochs=40, loss_target=0, learning_rate=0.01, n_samples_train=200, n_samples_val=5)
    return train_ensemble(made, [1, 3])


@lru_cache(maxsize=32)
def every_result_of(text):
    """Digests of all that is made of an ensemble's circuits under settings in JSON."""
    made, settings = ensemble(), CircuitSettings.model_validate_json(text)
    folder = Path(tempfile.mkdtemp())
    lives, structure = trace_ensemble(made, settings)
    jumps = pd.DataFrame({"run": ["x/s1", "x/s3"], "step": [14, 15], "significant": True})
    frames = frames_from_ensemble(made, 3, settings=settings)
    write_records(made, 3, folder / "records", settings)
    page = write_circuit_page(frames, folder / "page.html")
    results = {
        "history": ensemble_history(made, "xor", settings).to_csv(),
        "turnover": lives.to_csv(),
        "structure": structure.to_csv(),
        "coincidence": coincidence_table(made, lives, jumps, settings).to_csv(),
        "records": [(p.name, hashlib.sha256(p.read_bytes()).hexdigest()) for p in (folder / "records").iterdir()],
        "ablations": ablate_ensemble(made, settings).to_csv(),
        "animation": str(frame_epochs(frames, settings.frames)),
        "page": page.read_text(),
    }
    shutil.rmtree(folder)
    return {key: hashlib.sha256(str(value).encode()).hexdigest() for key, value in results.items()}


def every_result(settings):
    return every_result_of(settings.model_dump_json())


REACHES = {
    "candidates": {"history", "turnover", "structure", "records", "page", "ablations"},
    "accuracy_threshold": {"history", "turnover", "structure", "records", "page", "ablations"},
    "min_sparsity": {"history", "turnover", "structure", "records", "page", "ablations"},
    "convergence_frequency": {"history", "turnover", "coincidence", "records", "animation", "page"},
    "window": {"coincidence"},
    "records": {"records"},
    "compress": {"records"},
    "frames": {"animation"},
    "noise": {"ablations"},
    "noise_draws": {"ablations"},
}
CIRCUITS = {
    "candidates": "published",
    "accuracy_threshold": 0.7,
    "min_sparsity": 0.3,
    "convergence_frequency": 7,
    "window": 1,
    "records": "all",
    "compress": False,
    "frames": 5,
    "noise": [0.2],
    "noise_draws": 5,
}


@pytest.mark.parametrize("name", CircuitSettings.model_fields)
def test_a_setting_of_circuits_reaches_all_that_it_governs(name):
    before, after = every_result(CircuitSettings()), every_result(CircuitSettings(**{name: CIRCUITS[name]}))
    changed = {key for key in before if before[key] != after[key]}
    assert changed >= REACHES[name]
    if name in ("window", "records", "compress", "frames", "noise", "noise_draws"):
        assert changed == REACHES[name]


def test_history_turnover_and_records_agree_whatever_is_asked():
    """With min_sparsity 0.5 one network's history counted 174 circuits where turnover and records counted none."""
    made, counts = ensemble(), []
    for settings in (
        CircuitSettings(),
        CircuitSettings(min_sparsity=0.5),
        CircuitSettings(min_sparsity=0.3, convergence_frequency=7, candidates="published"),
    ):
        history = ensemble_history(made, "xor", settings).set_index(["seed", "epoch"]).circuits
        lives = trace_ensemble(made, settings)[0].set_index(["seed", "epoch"]).circuits
        for seed in (1, 3):
            records = {entry.epoch: entry.total_circuits for entry in epochs_of_seed(made, seed, settings)}
            frames = frames_from_ensemble(made, seed, settings=settings)
            drawn = dict(zip(frames.epochs.tolist(), frames.circuits.tolist()))
            assert history[seed].to_dict() == lives[seed].to_dict() == records
            assert {epoch: drawn[epoch] for epoch in records} == records
        counts.append(int(history.sum()))
    assert counts[0] > counts[1]


def test_epochs_are_enumerated_as_published():
    found = [entry.epoch for entry in epochs_of_seed(ensemble(), 1, CircuitSettings(convergence_frequency=20))]
    assert found == [20, 40]


def trained(settings):
    small = {"epochs": 3, "n_samples_train": 40, "n_samples_val": 4}
    made = EnsembleSettings(**{**small, **settings.model_dump(exclude_unset=True)})
    result = train_ensemble(made, [0, 1])
    data = result.data(0).validation
    parts = [*result.weights, result.val_loss, result.converged, data.x, data.y]
    return [hashlib.sha256(np.ascontiguousarray(part).tobytes()).hexdigest() for part in parts]


WALKS = [
    Walk(
        CircuitSettings,
        run=every_result,
        changes=CIRCUITS,
    ),
    Walk(
        GateTaskSettings,
        run=trained,
        changes={
            "gates": ["AND"],
            "n_samples_train": 50,
            "n_samples_val": 7,
            "n_repeats": 2,
            "noise_std": 0.1,
            "noise_copies": {"noise_copies": 2, "noise_std": 0.1},
            "weights": [1, 2, 3, 4],
        },
    ),
    Walk(
        GateModelSettings,
        run=trained,
        changes={"hidden": [3, 2], "activation": "tanh", "dropout_rate": 0.2},
    ),
    Walk(
        GateTrainingSettings,
        run=trained,
        changes={
            "epochs": 2,
            "batch_size": 7,
            "learning_rate": 0.02,
            "weight_decay": 0.5,
            "loss_target": 1.0,
            "accuracy_target": {"accuracy_target": 0.0, "loss_target": 1.0},
            "early_stopping": {"early_stopping": 1, "learning_rate": 10.0, "epochs": 30},
            "l1_lambda": 0.01,
            "l2_lambda": 0.01,
            "published_streams": True,
        },
        base={"epochs": 3},
    ),
]


@pytest.mark.parametrize(("walk", "name"), cases(WALKS[1:]))
def test_a_setting_of_ensembles_changes_what_is_trained(walk, name):
    walk.check(name)
