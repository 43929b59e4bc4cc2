from .extract import extract_activations
from .store import ActivationFile, read_activations

__all__ = [
    "ActivationFile",
    "extract_activations",
    "read_activations",
]
