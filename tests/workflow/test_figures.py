"""Every figure of the smallest run was checked while it was drawn (tests/figure_watch)."""

import json


def test_figures_are_named_legible_and_complete(finished):
    lines = (finished.folder / "figure_problems.jsonl").read_text(encoding="utf-8").splitlines()
    found = {entry["figure"]: entry["problems"] for entry in map(json.loads, lines)}
    assert len(found) >= 10
    wrong = {figure: said for figure, said in found.items() if said}
    assert not wrong, json.dumps(wrong, indent=1)
