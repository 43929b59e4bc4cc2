"""Former names of settings and of columns in results; using one is an error that states the new name."""

from __future__ import annotations

KEYS: dict[str, str] = {
    "resamples": "n_resamples",
}
"""Keys of `config.yaml`: old name to new name."""

COLUMNS: dict[str, str] = {
    "arm": "condition",
    "significant": "significant",
    "jumps_significant": "jumps_significant",
}
"""Columns of tables in `results`: old name to new name."""
