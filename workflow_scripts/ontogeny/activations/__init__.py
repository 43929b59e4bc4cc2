"""Activations of every monitored layer at chosen steps of a finished training, in one HDF5 file a run."""

from ontogeny.activations.store import ActivationFile, read_activations

__all__ = ["ActivationFile", "extract_activations", "read_activations"]


def __getattr__(name: str) -> object:
    if name == "extract_activations":
        from ontogeny.activations.extract import extract_activations

        return extract_activations
    raise AttributeError(f"module 'ontogeny.activations' has no attribute '{name}'")
