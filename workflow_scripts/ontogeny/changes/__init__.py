"""What changes from before to after a moment of training, in every part of a network, against quiet moments."""

from ontogeny.changes.compare import against_controls
from ontogeny.changes.study import changes_of_study
from ontogeny.lazy import lazy_names

_HOMES = {
    "Change": "measure",
    "changes_of_run": "run",
    "flipped_predictions": "measure",
    "network_changes": "measure",
}

__getattr__ = lazy_names(__name__, _HOMES)


__all__ = ["against_controls", "changes_of_study", *sorted(_HOMES)]
