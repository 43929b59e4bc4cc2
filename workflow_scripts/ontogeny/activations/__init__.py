"""Activations of every monitored layer at chosen steps of a finished training, in one HDF5 file a run."""

from ontogeny.activations.store import ActivationFile, read_activations
from ontogeny.lazy import lazy_names

_HOMES = {"extract_activations": "extract"}
__all__ = ["ActivationFile", "extract_activations", "read_activations"]

__getattr__ = lazy_names(__name__, _HOMES)
