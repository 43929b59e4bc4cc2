"""What a network looks at and for: attribution, attention, filters, preferred inputs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
