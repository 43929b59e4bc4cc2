"""Connectomes: simulated assemblies, their wiring recovered from activity, and the search for good settings.

    activity = simulate_activity({"n_neurons": 300, "n_trajectories": 100, "n_frames": 1000}, seed=0)
    result = fit_connectome(activity, settings={"n_steps": 300}, seed=0)
    metrics = recovery_metrics(result, activity)

Names are looked up on first use, so that what needs no torch imports none.
"""

from __future__ import annotations

from ontogeny.lazy import lazy_names

_HOMES = {
    "Activity": "simulate",
    "ActivitySettings": "simulate",
    "activity_report": "simulate",
    "read_activity": "recorded",
    "symbolic_form": "symbolic",
    "symbolic_functions": "symbolic",
    "learning_table": "learning",
    "as_activity": "simulate",
    "simulate_activity": "simulate",
    "Fit": "fit",
    "FitSettings": "fit",
    "fit_connectome": "fit",
    "recommended_settings": "fit",
    "recovery_metrics": "metrics",
    "diagnose_scatter": "diagnose",
    "FIRST_SETTINGS": "space",
    "SPACE": "space",
    "STUDY_FIRST": "space",
    "STUDY_SPACE": "space",
    "Guideline": "policy",
    "Proposal": "policy",
    "Record": "policy",
    "Rules": "policy",
    "Setting": "policy",
    "classify": "policy",
    "propose": "policy",
    "ucb_scores": "policy",
    "valid_prefix": "policy",
    "Search": "search",
    "compare_policies": "search",
    "explore": "search_run",
    "read_records": "search",
    "run_iteration": "search",
    "principles": "logbook",
    "read_memory": "logbook",
    "write_logbook": "logbook",
}

__all__ = sorted(_HOMES)

__getattr__ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
