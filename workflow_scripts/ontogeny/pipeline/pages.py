"""Which pages there are to look through in a browser."""

from __future__ import annotations

from collections.abc import Iterable

from ontogeny.pipeline.workflow import Workflow

PAGES = {
    "dynamics": "{study}/{run}.html",
    "series": "{study}/{run}.html",
    "circuits": "{study}/{run}.html",
    "judge": "{run}/training_visualizations/training_progress.html",
}
SEARCH = "{study}/search.html"


def pages_of(plan: Workflow, searched: Iterable[str]) -> dict[str, list[list[str]]]:
    """Title of a study to the name and file of each of its pages; `searched` are the studies that have a search."""
    groups: dict[str, list[list[str]]] = {}
    for run in plan.runs.values():
        pattern = PAGES.get(run.kind)
        shown = run.kind not in ("dynamics", "series") or plan.is_looked_at(run)
        if pattern is not None and shown:
            page = pattern.format(study=run.study, run=run.name)
            groups.setdefault(plan.title_of(run.study), []).append([plan.label(run), page])
    for study in searched:
        groups.setdefault(plan.title_of(study), []).append(["search", SEARCH.format(study=study)])
    return groups
