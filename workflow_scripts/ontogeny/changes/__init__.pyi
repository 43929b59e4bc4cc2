from .compare import Change, against_controls
from .measure import flipped_predictions, network_changes
from .run import changes_of_run
from .study import changes_of_study

__all__ = [
    "Change",
    "against_controls",
    "changes_of_run",
    "changes_of_study",
    "flipped_predictions",
    "network_changes",
]
