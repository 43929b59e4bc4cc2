"""A fit held against the truth behind its data, in all the tables that a run keeps of it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ontogeny.connectome.baselines import as_good, baseline_table
from ontogeny.connectome.edges import COLUMNS, edge_table
from ontogeny.connectome.learning import learning_table
from ontogeny.connectome.metrics import recovery_metrics
from ontogeny.connectome.simulate import Activity
from ontogeny.connectome.store import StoredFit
from ontogeny.connectome.symbolic import symbolic_functions


def evaluate_fit(fit: StoredFit, activity: Activity) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """What a fit recovered, and how it took shape over the steps.

    Returns the numbers of `recovery_metrics`, with the functions in words and the simpler models that do as well, and
    the tables `baselines`, `functions`, `edges` (empty without refinement) and `learning`.
    """
    functions, sentence = symbolic_functions(fit, activity)
    metrics, simpler = recovery_metrics(fit, activity), baseline_table(activity, fit.seed)
    compared = as_good(simpler, metrics["validation_loss"])
    edges = edge_table(fit) if fit.refined else pd.DataFrame(columns=COLUMNS)
    tables = {"baselines": simpler, "functions": functions, "edges": edges, "learning": learning_table(fit, activity)}
    return {**metrics, "functions": sentence, "baselines": compared}, tables
