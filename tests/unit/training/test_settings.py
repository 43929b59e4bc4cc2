"""Every setting of training, and of what is measured meanwhile, changes the trajectory of a run."""

import itertools
import shutil

import pytest
from settings_walk import Walk, cases
from small_runs import digest, identity_of, scratch

from ontogeny.tracking.estimators import LAYOUTS, METRICS
from ontogeny.tracking.settings import Metric, TrackingSettings
from ontogeny.training.loop import train
from ontogeny.training.settings import ShockSettings, TrainingSettings

FOLDERS = itertools.count()
VIT = {"name": "vit_tiny", "width": 8, "depth": 1, "heads": 2, "feedforward": 8, "patch": 4}


def trained(**blocks):
    folder = scratch() / f"settings_{next(FOLDERS)}"
    train(identity_of(**blocks), folder, "run")
    kept = sorted(path.name for path in (folder / "checkpoints").iterdir())
    found = digest([kept, folder / "metrics.jsonl"])
    shutil.rmtree(folder)
    return found


SHORT = {"steps": 4, "batch_size": 24, "learning_rate": 0.01, "checkpoint_every": 4}


def training(settings):
    return trained(training=settings.model_dump())


def tracking(settings):
    steps = {"steps": 4, "batch_size": 24, "checkpoint_every": 4}
    return trained(tracking=settings.model_dump(), model=VIT, training=steps)


WALKS = [
    Walk(
        TrainingSettings,
        training,
        {
            "steps": 5,
            "batch_size": 20,
            "optimizer": "sgd",
            "learning_rate": 0.02,
            "weight_decay": 0.5,
            "momentum": {"momentum": 0.5, "optimizer": "sgd"},
            "schedule": "cosine",
            "warmup_steps": 2,
            "gradient_clip": 0.1,
            "label_smoothing": 0.2,
            "checkpoint_every": 2,
            "shock": {"step": 2},
        },
        {"device": "this machine may have no GPU; on one, replay warns instead of refusing"},
        {"steps": 4, "batch_size": 24, "learning_rate": 0.01},
    ),
    Walk(
        ShockSettings,
        lambda settings: trained(training={**SHORT, "shock": settings.model_dump()}),
        {"kind": "labels", "step": 3, "factor": 0.5},
        {},
        {"step": 2},
    ),
    Walk(
        TrackingSettings,
        tracking,
        {
            "every": 2,
            "metrics": ["stable_rank"],
            "source": "batch",
            "rows": "samples",
            "centre": True,
            "layers": ["Linear_0"],
        },
    ),
]


@pytest.mark.parametrize(("walk", "name"), cases(WALKS))
def test_every_setting_changes_what_it_governs(walk, name):
    walk.check(name)


def test_the_choices_are_those_that_there_are():
    assert set(Metric.__args__) == set(METRICS)
    assert set(TrackingSettings.model_fields["rows"].annotation.__args__) == set(LAYOUTS)
