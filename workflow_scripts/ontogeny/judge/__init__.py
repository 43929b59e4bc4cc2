"""How a judge judges, measured: tokens, layers, matched pairs, neurons and circuits, each beside its control."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
