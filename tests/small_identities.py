"""Identities of runs small enough to be trained within a test, one of each kind."""

from ontogeny.config import load_config, runs_of


def _identity(run, seed, kind="dynamics"):
    settings = {"studies": {"s": {"kind": kind, "runs": {"run": {**run, "seeds": seed}}}}}
    return next(iter(runs_of(load_config(settings)).values())).identity()


def dynamics_identity(path=None, steps=24, seed=0):
    """An image run of a small network."""
    task = {"name": "digits", "path": path, "n_train": 80, "n_validation": 30, "n_probe": 30}
    training = {"steps": steps, "batch_size": 20, "checkpoint_every": 8}
    return _identity({"task": task, "model": {"name": "mlp", "hidden": [6]}, "training": training}, [seed])


def circuits_identity(seed=0):
    """An ensemble of a few networks."""
    return _identity({"training": {"epochs": 40}}, list(range(seed, seed + 12)), "circuits")


def fit_identity(seed=0):
    """A fit of a small population."""
    simulation = {"n_neurons": 8, "n_trajectories": 8, "n_frames": 40}
    run = {
        "simulation": simulation,
        "levels": [0.5],
        "fit": {"n_steps": 40, "refine": False, "n_snapshots": 3, "checkpoint_every": 20},
    }
    return _identity(run, [seed], "connectome")
