"""Every figure of the smallest run was checked while it was drawn (tests/figure_watch)."""

import json
from pathlib import Path

CHECKED = [
    "ablation_0",
    "activity",
    "attention",
    "attributions",
    "boundary",
    "clusters",
    "collapse",
    "critical_periods",
    "dimension",
    "embedding",
    "functions",
    "heatmap",
    "interpolation",
    "map",
    "neurons",
    "noise_in_activations",
    "noise_in_weights",
    "patching_activations_start_at_0_to_end_at_120",
    "preferred_inputs",
    "probes",
    "pruning",
    "randomised_layers",
    "rollout",
    "scatter",
    "selectivity",
    "subspaces",
    "training",
    "variance",
    "weights",
]
"""Figures that must be without fault; add yours."""


def test_figures_are_named_legible_and_complete(finished):
    lines = (finished.folder / "figure_problems.jsonl").read_text(encoding="utf-8").splitlines()
    found = {entry["figure"]: entry["problems"] for entry in map(json.loads, lines)}
    assert len(found) >= 10
    wrong = {figure: said for figure, said in found.items() if said and Path(figure).stem in CHECKED}
    assert not wrong, json.dumps(wrong, indent=1)
