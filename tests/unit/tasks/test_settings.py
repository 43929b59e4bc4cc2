"""Every setting of a task of images changes what is trained on or measured on."""

from typing import get_args

import numpy as np
import pytest
from settings_walk import Walk, cases
from sklearn.datasets import load_digits
from small_runs import digest, identity_of, scratch

from ontogeny.tasks.images import IMAGE_SETS
from ontogeny.tasks.known import SIZES
from ontogeny.tasks.settings import ComputedTask, ImageTask, TaskSettings
from ontogeny.trajectory import set_up


def other_images():
    path = scratch() / "other.npz"
    if not path.exists():
        digits = load_digits()
        np.savez(path, x=digits.images[::-1].reshape(-1, 1, 8, 8) / 16, y=digits.target[::-1])
    return str(path)


def run(settings):
    found = set_up(identity_of(task=settings.model_dump()))
    parts = [*found.learner.batch(0), *found.probe, *found.validation]
    return digest([found.record["steps_per_epoch"], *(part.numpy() for part in parts)])


WALKS = [
    Walk(
        TaskSettings,
        run,
        {"path": other_images(), "n_train": 100, "n_validation": 50, "n_probe": 30, "split_seed": 1,
         "standardise": False, "size": {"name": "sparse_parity", "size": 30}},
        {"name": "the other sets are downloads; a test of loading shows that the name chooses the set"},
        {"n_train": 200, "n_validation": 40, "n_probe": 40},
    )
]  # fmt: skip


@pytest.mark.parametrize(("walk", "name"), cases(WALKS))
def test_every_setting_changes_what_it_governs(walk, name):
    walk.check(name)


def test_the_sets_to_choose_from_are_those_that_there_are():
    assert set(get_args(ImageTask)) == set(IMAGE_SETS)
    assert set(get_args(ComputedTask)) == set(SIZES)
