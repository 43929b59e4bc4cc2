"""Connectomes: simulated populations, their wiring recovered from activity, and the search for good settings.

    activity = simulate_activity({"n_neurons": 300, "n_trajectories": 100, "n_frames": 1000}, seed=0)
    result = fit_connectome(activity, settings={"n_steps": 300}, seed=0)
    metrics = recovery_metrics(result, activity)

Names are looked up on first use, so that what needs no torch imports none.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
