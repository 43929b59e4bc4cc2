"""Figures, animations and pages, all in one style (`ontogeny.plotting.style`)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
