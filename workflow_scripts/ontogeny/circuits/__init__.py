"""Circuits of tiny networks: every subnetwork that computes the function perfectly."""

from typing import Any

import lazy_loader

from ontogeny.renamed import NAMES

_attached, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if now := NAMES.get(f"{__name__}.{name}"):
        raise ImportError(f"{__name__}.{name} is now called {now}")
    return _attached(name)
