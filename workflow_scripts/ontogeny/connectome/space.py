"""The settings that a search may change: the ranges that act on this network, and the study's own."""

from __future__ import annotations

from ontogeny.connectome.policy import Guideline, Setting

SPACE = (
    Setting("coeff_W_L1", "coeff_W_L1", 1e-2, 30.0, steps=(3.0, 10.0), zero=True, objective="W"),
    Setting("learning_rate_W_start", "lr_W", 1e-4, 1e-2, objective="W"),
    Setting("learning_rate_start", "lr", 1e-5, 1e-2),
    Setting("learning_rate_embedding_start", "lr_emb", 1e-5, 1e-2, objective="embedding"),
    Setting("batch_size", "batch_size", values=(64, 128, 256, 384, 512)),
    Setting("data_augmentation_loop", "data_aug", values=(50, 75, 100, 150, 200)),
    Setting("optimizer", "optimizer", values=("adam", "adamw", "rmsprop", "sgd"), option=True),
    Setting("schedule", "schedule", values=("constant", "cosine", "linear", "step"), option=True),
    Setting("gradient_clip", "clip", values=(0, 0.1, 1, 10), option=True),
    Setting("l1_mode", "L1_mode", values=("fixed", "annealed", "adaptive"), option=True, objective="W"),
    Setting("W_init", "W_init", values=("zeros", "scaled", "normal"), option=True, objective="W"),
    Setting("alternating_steps", "alternating", values=(0, 5, 20, 50), option=True, objective="embedding"),
    Setting("masked_share", "masked", values=(0, 0.1, 0.3), option=True),
)
"""The study's six settings, in ranges that bracket what recovers the wiring here, and its code changes as options.

The ranges of the learning rates hold the study's. L1 is measured against a loss in units of the variance of du/dt,
where values near 1 act, and batches are frames of all neurons at once.
"""

FIRST_SETTINGS = {
    "coeff_W_L1": 0,
    "learning_rate_W_start": 3e-3,
    "learning_rate_start": 2e-3,
    "learning_rate_embedding_start": 5e-3,
    "batch_size": 256,
    "data_augmentation_loop": 100,
    "optimizer": "adam",
    "schedule": "cosine",
    "gradient_clip": 0,
    "l1_mode": "fixed",
    "W_init": "zeros",
    "alternating_steps": 0,
    "masked_share": 0,
}
"""Settings of the first iteration."""

L1_GUIDELINES = (
    Guideline(1.0, 0.0, 0.0, "dense wiring needs no L1"),
    Guideline(0.1, 0.3, 10.0, "sparse wiring needs L1, more of it the larger the network"),
    Guideline(0.05, 0.3, 10.0, "sparse wiring needs L1, more of it the larger the network"),
)
"""What is known of L1 before a search starts."""

STUDY_SPACE = (
    Setting("coeff_W_L1", "coeff_W_L1", 1e-14, 1e-10, steps=(10.0, 100.0), objective="W"),
    Setting("learning_rate_W_start", "lr_W", 1e-4, 1e-2, objective="W"),
    Setting("learning_rate_start", "lr", 1e-5, 1e-3),
    Setting("learning_rate_embedding_start", "lr_emb", 1e-5, 1e-2, objective="embedding"),
    Setting("batch_size", "batch_size", values=(1, 2, 4, 8)),
    Setting("data_augmentation_loop", "data_aug", values=(25, 50, 100, 200, 400)),
)
"""The ranges in the study's instructions. Its range of L1 is far too small to act."""

STUDY_FIRST = {
    "coeff_W_L1": 1e-12,
    "learning_rate_W_start": 1e-3,
    "learning_rate_start": 5e-4,
    "learning_rate_embedding_start": 7.5e-4,
    "batch_size": 8,
    "data_augmentation_loop": 100,
}
"""The study's settings at the first iteration."""
