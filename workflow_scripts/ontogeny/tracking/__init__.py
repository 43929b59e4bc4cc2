"""Following the dimensionality of a network's layers while it trains.

`measure` turns an activation matrix into numbers, `ActivationCapture` takes activations out of a model, and
`HighFrequencyTracker` does both from inside any training loop. Names are loaded on first use: the estimators
need no PyTorch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
