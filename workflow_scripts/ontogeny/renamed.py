"""Former names of settings, columns, values and functions; using one is an error that states the new name."""

from __future__ import annotations

KEYS: dict[str, str] = {
    "resamples": "n_resamples",
}
"""Keys of `config.yaml`: old name to new name."""

COLUMNS: dict[str, str] = {
    "arm": "condition",
    "believable": "significant",
    "jumps_believable": "jumps_significant",
    "births": "appearances",
    "deaths": "disappearances",
    "p_quiet": "p_controls",
    "p_quiet_adjusted": "p_controls_adjusted",
    "quiet": "other_controls",
    "quiet_effect": "controls_effect",
    "quiet_high": "controls_high",
    "quiet_low": "controls_low",
    "quiet_mean": "controls_mean",
    "strangers": "between_networks",
    "p_strangers": "p_between_networks",
}
"""Columns of tables in `results`: old name to new name."""

VALUES: dict[tuple[str, str], str] = {
    ("activation", "linear"): "none",
}
"""Values of arguments and settings: what it is and its old name, to the new name."""

NAMES: dict[str, str] = {
    "ontogeny.circuits.birth_epochs": "appearance_epochs",
    "ontogeny.circuits.births_at_jumps": "appearances_at_jumps",
}
"""Public names of packages: old name with its package, to the new name."""
