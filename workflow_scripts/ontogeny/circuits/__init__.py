"""Circuits of tiny networks: every subnetwork that computes the function perfectly."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
