from .errors import OntogenyError
from .jumps import detect_jumps, detect_transitions
from .models import detect_architecture, get_handler
from .phase1 import read_phase1, write_phase1
from .tracking import ActivationCapture, HighFrequencyTracker
from .trajectory import CheckpointSeries, Trajectory

__version__: str

__all__ = [
    "__version__",
    "ActivationCapture",
    "CheckpointSeries",
    "HighFrequencyTracker",
    "OntogenyError",
    "Trajectory",
    "detect_architecture",
    "detect_jumps",
    "detect_transitions",
    "get_handler",
    "read_phase1",
    "write_phase1",
]
