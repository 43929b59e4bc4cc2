"""Changing a trained network on purpose, and measuring what it does: ablation, pruning, noise, patching, lines."""

from ontogeny.interventions.pairs import loss_barrier
from ontogeny.interventions.run import INTERVENTIONS, intervention_settings, run_intervention

__all__ = ["INTERVENTIONS", "intervention_settings", "loss_barrier", "run_intervention"]
