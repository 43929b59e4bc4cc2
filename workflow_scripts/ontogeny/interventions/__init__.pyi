from .pairs import loss_barrier
from .run import INTERVENTIONS, intervention_settings, run_intervention

__all__ = [
    "INTERVENTIONS",
    "intervention_settings",
    "loss_barrier",
    "run_intervention",
]
