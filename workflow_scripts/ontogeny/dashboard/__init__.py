"""The dashboard: a folder of results in a browser, live while training runs. Streamlit draws it (extra `dashboard`)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
