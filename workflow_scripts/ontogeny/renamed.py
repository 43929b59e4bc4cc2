"""Names that settings and columns of results had before, so that a person who still has them is told the new one."""

from __future__ import annotations

KEYS: dict[str, str] = {
    "resamples": "n_resamples",
}
"""Keys of `config.yaml`: old name to new name."""

COLUMNS: dict[str, str] = {
    "significant": "significant",
    "jumps_significant": "jumps_significant",
}
"""Columns of tables in `results`: old name to new name."""
