"""The dashboard: a folder of results in a browser, live while training runs. Streamlit draws it (extra `dashboard`)."""

from ontogeny.lazy import lazy_names

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

__getattr__ = lazy_names(__name__, _HOMES)


__all__ = list(_HOMES)
