"""What changes from before to after a moment of training, in every part of a network, against matched controls."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
