"""Activations of every monitored layer at chosen steps of a finished training, in one HDF5 file per run."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
