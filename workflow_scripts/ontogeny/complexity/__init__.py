"""How complex a network is: the local learning coefficient, estimated along a trajectory.

llc = estimate_llc(model, (inputs, targets))
print(llc.value, llc.standard_error, *llc.notes, sep="\\n")
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
