"""The search over training settings: space, rules, policies, records, runs and their logbook."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
