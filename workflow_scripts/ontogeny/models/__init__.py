"""Networks by name, and the layers worth watching in any PyTorch network."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
