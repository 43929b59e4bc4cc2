"""Changing a trained network on purpose, and measuring what it does: ablation, pruning, noise, patching, lines."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
