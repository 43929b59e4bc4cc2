"""Ontogeny: how mechanisms form inside a neural network while it trains.

Names below are loaded on first use, so that importing the package costs nothing and code that needs no
PyTorch never loads it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
