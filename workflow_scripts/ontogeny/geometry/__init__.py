"""The shape of a layer's activations over training: components, clusters, similarity, dimension, probes, collapse."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
