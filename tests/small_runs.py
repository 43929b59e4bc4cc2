"""A small trained run and what is read from it, for tests that need some run, whichever it is."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.activations import extract_activations
from ontogeny.config import load_config
from ontogeny.config.load import runs_of
from ontogeny.jumps.plan import Moment
from ontogeny.training.loop import train
from ontogeny.trajectory import Trajectory

MOMENTS = [
    Moment("start", 0, 0, 2, "early", ""),
    Moment("jump", 6, 4, 8, "early", "", layer="Linear_0", score=3.0),
    Moment("jump", 9, 8, 10, "early", "", layer="Linear_0", score=2.0),
    Moment("control", 12, 10, 14, "late", "", control_for=6),
    Moment("control", 14, 13, 15, "late", "", control_for=9),
    Moment("end", 16, 14, 16, "late", ""),
]


@cache
def scratch() -> Path:
    """A folder that is gone when the tests are over."""
    folder = Path(tempfile.mkdtemp(prefix="ontogeny-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def identity_of(**blocks: Any) -> dict[str, Any]:
    """The identity of a run with these blocks over those of a small one."""
    run: dict[str, Any] = {
        "task": {"n_train": 120, "n_validation": 48, "n_probe": 48},
        "model": {"name": "mlp", "hidden": [8, 6]},
        "training": {"steps": 16, "batch_size": 24, "learning_rate": 0.01, "checkpoint_every": 8},
    }
    run |= blocks
    return runs_of(load_config({"studies": {"s": {"runs": {"run": run}}}}))["run/s0"].identity()


@cache
def small_run() -> Trajectory:
    """A run of a small multilayer perceptron on digits."""
    train(identity_of(), scratch() / "run", "run")
    return Trajectory(scratch() / "run")


@cache
def small_activations(layers: tuple[str, ...] | None = None, steps: tuple[int, ...] | None = None) -> Path:
    """The activations of `small_run`, at all steps of `MOMENTS` if none are given."""
    path = scratch() / f"activations_{layers}_{steps}.h5"
    extract_activations(small_run(), steps or {step for m in MOMENTS for step in m.steps}, path, layers=layers)
    return path


def digest(things: Any) -> str:
    """A digest of tables, arrays, files and whatever prints in full, in order."""
    found = hashlib.sha256()
    for thing in _parts(things):
        if isinstance(thing, pd.DataFrame):
            found.update(thing.to_csv().encode())
        elif isinstance(thing, np.ndarray):
            found.update(str(thing.shape).encode() + np.ascontiguousarray(thing).tobytes())
        elif isinstance(thing, Path):
            found.update(thing.read_bytes())
        else:
            found.update(repr(thing).encode())
    return found.hexdigest()


def _parts(things: Any) -> Iterable[Any]:
    if isinstance(things, dict):
        for key, value in things.items():
            yield key
            yield from _parts(value)
    elif isinstance(things, list | tuple):
        for value in things:
            yield from _parts(value)
    else:
        yield things
