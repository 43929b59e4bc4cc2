"""What is learned: data in, splits and data order out. NumPy only; no model and no PyTorch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
