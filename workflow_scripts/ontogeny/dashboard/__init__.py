"""The dashboard: a folder of results in a browser, live while training runs. Streamlit draws it (extra `dashboard`)."""

import importlib
from typing import Any

_HOMES = {
    "Problem": "data",
    "RunFolder": "data",
    "explain_folder": "data",
    "find_runs": "data",
    "find_studies": "data",
    "read_measurements": "data",
    "read_mechanism": "data",
    "serve": "server",
}


def __getattr__(name: str) -> Any:
    """Loaded on first use: reading needs no Streamlit."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"ontogeny.dashboard.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'ontogeny.dashboard' has no attribute '{name}'")


__all__ = list(_HOMES)
