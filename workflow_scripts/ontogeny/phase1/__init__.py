"""Phase 1 records: reading them in every known layout, writing them, and mending what is known to be wrong.

record = read_phase1("mlp_medium_mnist.json")
record.frame                                     # run, layer, step, metric, value
steps, values = record.series("network.0", "stable_rank")
print(*record.notes, sep="\n")                   # what was flagged, dropped or derived
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
