"""Jumps: abrupt, lasting changes in a series of measurements, each a claim with a known false-alarm rate."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
