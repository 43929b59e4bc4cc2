"""Every setting of a series of checkpoints changes what is read, measured or left out."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from settings_walk import Walk, cases
from small_runs import digest, scratch, small_run

from ontogeny.trajectory import CheckpointSeries
from ontogeny.trajectory.series_run import import_series, measure_series
from ontogeny.trajectory.settings import (
    NetworkSettings,
    ProbeSettings,
    SeriesSettings,
    SeriesTrackingSettings,
    SourceSettings,
)

TASK = {"task": {"name": "digits", "n_train": 120, "n_validation": 48, "n_probe": 48}}
MODEL = {"model": {"name": "mlp", "hidden": [8, 6]}}


def saved():
    """Series of three steps, a function that builds their network, and a file of a probe."""
    place = scratch() / "series"
    if place.exists():
        return place
    place.mkdir()
    for step in (0, 4, 16):
        state = {name: value.clone() for name, value in small_run().at(step).state_dict().items()}
        save_file(state, place / f"step_{step}.safetensors")
        double = {name: value * 2 for name, value in state.items()}
        torch.save({"model": state, "average": double}, place / f"a{step}.pt")
        torch.save(double, place / f"double_{step}.pt")
    (place / "mine.py").write_text(
        "from ontogeny.models import build_model\n\n\ndef build():\n"
        "    return build_model('mlp', (1, 8, 8), 10, 0, hidden=[8, 6], activation='tanh')\n"
    )
    random = np.random.default_rng(0)
    np.savez(place / "probe.npz", inputs=random.random((40, 1, 8, 8), np.float32), labels=np.arange(40) % 10)
    return place


def run(**blocks):
    given = {"source": str(saved() / "step_{step}.safetensors"), "network": MODEL, "probe": TASK} | blocks
    settings = SeriesSettings(**given)
    identity = {**settings.model_dump(mode="json", exclude={"label", "capture_steps"}), "seed": 0}
    folder = scratch() / "imported"
    import_series(identity, folder, "run")
    return digest([folder / "phase1.json"])


def source(settings):
    series = CheckpointSeries(source=settings, network=MODEL, probe=TASK)
    return digest([series.steps, measure_series(series)])


WALKS = [
    Walk(
        SourceSettings,
        source,
        {
            "path": str(saved() / "double_{step}.pt"),
            "steps": [0, 16],
            "key": {"key": "average", "path": str(saved() / "a{step}.pt")},
        },
        {
            "hub": "a hub is another machine; a test of series gives one in its place",
            "revision": "names revisions of a hub",
            "cache_limit": "says how many downloads are kept, which a test of series counts",
        },
        {"path": str(saved() / "step_{step}.safetensors")},
    ),
    Walk(
        NetworkSettings,
        lambda settings: run(network=settings.model_dump()),
        {"model": {"name": "mlp", "hidden": [8, 6], "activation": "tanh"}},
        {
            "build": "a test of series builds with a function of a user's",
            "auto": "a test of series loads a network of transformers",
            "config": "the folder of a configuration, read like that of a checkpoint",
        },
        MODEL,
    ),
    Walk(
        ProbeSettings,
        lambda settings: run(probe=settings.model_dump()),
        {
            "task": {"name": "digits", "n_train": 120, "n_validation": 40, "n_probe": 40},
            "samples": 20,
        },
        {
            "file": "stands in place of a task; a test of series gives one",
            "text": "needs a tokenizer, which only hubs have",
            "tokenizer": "needs one, which only hubs have",
            "length": "cuts text into samples",
            "tokens": "says which analyses the run takes part in; a test of the configuration shows it",
        },
        TASK,
    ),
    Walk(
        SeriesTrackingSettings,
        lambda settings: run(tracking=settings.model_dump()),
        {"every": 2, "metrics": ["stable_rank"], "centre": True, "layers": ["Linear_0"]},
        {
            "source": "there is one: no batch is trained on",
            "rows": "this network has no positions; a test of training shows that it acts",
        },
    ),
    Walk(
        SeriesSettings,
        lambda settings: run(**settings.model_dump(exclude={"label", "capture_steps"})),
        {
            "source": {"path": str(saved() / "a{step}.pt"), "key": "average"},
            "network": {"build": f"{saved() / 'mine.py'}:build"},
            "probe": {"file": str(saved() / "probe.npz")},
            "tracking": {"centre": True},
        },
        {
            "on_problem": "a false series stops by default, and leaves nothing to compare; a test of series shows both",
            "label": "names the run in figures",
            "capture_steps": "are captured as those of runs that were trained here are",
        },
        {"source": str(saved() / "step_{step}.safetensors"), "network": MODEL, "probe": TASK},
    ),
]


@pytest.mark.parametrize(("walk", "name"), cases(WALKS))
def test_every_setting_changes_what_it_governs(walk, name):
    walk.check(name)
