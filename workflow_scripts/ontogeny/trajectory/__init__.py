"""Trajectories: checkpoints on disk, and exact replay to any step."""

from ontogeny.trajectory.checkpoints import (
    checkpoint_path,
    checkpoint_steps,
    load_checkpoint,
    save_checkpoint,
    weights_digest,
)
from ontogeny.trajectory.learner import Learner
from ontogeny.trajectory.replay import RUN_FORMAT, Trajectory
from ontogeny.trajectory.setup import Setup, set_up

__all__ = [
    "RUN_FORMAT",
    "Learner",
    "Setup",
    "Trajectory",
    "checkpoint_path",
    "checkpoint_steps",
    "load_checkpoint",
    "save_checkpoint",
    "set_up",
    "weights_digest",
]
