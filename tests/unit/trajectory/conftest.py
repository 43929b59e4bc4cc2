"""Small real runs that the trajectory tests share."""

import pytest

from ontogeny.config import load_config, runs_of
from ontogeny.training.loop import train

MODELS = {
    "mlp": {"name": "mlp", "hidden": [16, 16], "dropout": 0.3},
    "resnet": {"name": "resnet_small", "channels": [4, 8]},
    "transformer": {"name": "transformer_shallow", "width": 16, "depth": 1, "heads": 2, "feedforward": 16},
}


def identity_of(model="mlp", **training):
    settings = {"steps": 23, "batch_size": 16, "checkpoint_every": 10, **training}
    run = {
        "task": {"n_train": 100, "n_validation": 40, "n_probe": 30},
        "model": MODELS[model],
        "training": settings,
        "tracking": {"every": 4},
    }
    config = load_config({"studies": {"study": {"runs": {"run": run}}}})
    return runs_of(config)["run/s0"].identity()


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A function: train `model` once for all tests with these settings, and give the folder."""
    done = {}

    def run(model="mlp", **training):
        key = (model, *sorted(training.items()))
        if key not in done:
            identity = identity_of(model, **training)
            done[key] = tmp_path_factory.mktemp(model)
            train(identity, done[key], "run")
        return done[key]

    return run
