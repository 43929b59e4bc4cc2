from .checkpoints import checkpoint_path, checkpoint_steps, load_checkpoint, save_checkpoint, weights_digest
from .learner import Learner
from .replay import RUN_FORMAT, Trajectory
from .series import CheckpointSeries
from .setup import Setup, set_up

__all__ = [
    "CheckpointSeries",
    "Learner",
    "RUN_FORMAT",
    "Setup",
    "Trajectory",
    "checkpoint_path",
    "checkpoint_steps",
    "load_checkpoint",
    "save_checkpoint",
    "set_up",
    "weights_digest",
]
