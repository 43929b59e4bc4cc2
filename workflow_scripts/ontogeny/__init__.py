"""Ontogeny: how mechanisms form inside a neural network while it trains.

Names below are loaded on first use, so that importing the package costs nothing and code that needs no
PyTorch never loads it.
"""

from __future__ import annotations

from ontogeny.lazy import lazy_names

__version__ = "0.1.0"

_HOMES = {
    "OntogenyError": "ontogeny.errors",
    "HighFrequencyTracker": "ontogeny.tracking",
    "ActivationCapture": "ontogeny.tracking",
    "detect_architecture": "ontogeny.models",
    "get_handler": "ontogeny.models",
    "read_phase1": "ontogeny.phase1",
    "write_phase1": "ontogeny.phase1",
    "detect_jumps": "ontogeny.jumps",
    "Trajectory": "ontogeny.trajectory",
}
__all__ = ["__version__", *sorted(_HOMES)]

__getattr__ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
