"""The register of figures: every figure that the pipeline draws, declared once.

An entry says where a figure lies, which caption explains it, how the report lists it, and which runs or studies have
it. From it come the outputs of the rule that draws the figure and the files that target rules ask for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ontogeny.pipeline.workflow import Workflow

RUN = "results/figures/{study}/{run}"
STUDY = "results/figures/{study}"
FORMATS = ("png", "pdf", "csv")


@dataclass(frozen=True)
class Figure:
    """One figure."""

    caption: str
    """Name of its caption in `rules/captions`."""
    label: str = ""
    """How the report lists it; its name by default."""
    scope: Literal["every run", "run looked at", "study", "study looked at", "study with truth", "by name"] = (
        "run looked at"
    )
    """What has the figure: every run of its kinds, those whose captured moments are looked at, the studies of its
    kinds, those with such runs, those with known transitions, or only what target rules ask for by name."""
    kinds: tuple[str, ...] = ("dynamics", "judge", "series")
    """The kinds of studies that have it."""
    folder: str = RUN
    subcategory: str | None = None
    """Part of a study's list in the report; a run's figures are listed under its name."""
    page: str | None = None
    """Heading of the figure on the page of its run, if it stands there."""


def _run(caption: str, page: str | None = None, **settings: object) -> Figure:
    return Figure(caption, page=page or caption, subcategory="{run}", **settings)  # type: ignore[arg-type]


def _connectome(caption: str, label: str = "", **settings: object) -> Figure:
    return Figure(caption, label, "by name", ("connectome",), **settings)  # type: ignore[arg-type]


IMAGES = ("dynamics",)
COMPARED = ("dynamics", "series")
RUN_FIGURES = ("metrics", "heatmap")
STUDY_FIGURES = ("overview", "kinds", "convergence", "critical_periods", "agreement", "comparison")
CIRCUIT_FIGURES = tuple(f"circuits_{name}" for name in ("counts", "sparsity", "losses", "overview", "effects"))
FIGURES = {
    "integrity": Figure("integrity", "checkpoints", "by name", COMPARED, subcategory="{run}"),
    "metrics": _run("metrics", scope="every run"),
    "heatmap": _run("heatmap", "layers by steps", scope="every run"),
    "map": _run("map", "map of the last layer", kinds=IMAGES),
    "boundary": _run("boundary", "decision boundary", label="decision boundary", kinds=IMAGES),
    "variance": _run("variance", "components"),
    "projections": _run("projections"),
    "clusters": _run("clusters"),
    "neurons": _run("neurons", "neurons before and after"),
    "importance": _run("importance", kinds=IMAGES),
    "selectivity": _run("selectivity", kinds=IMAGES),
    "similarity": _run("similarity"),
    "subspaces": _run("subspaces"),
    "dimension": _run("dimension"),
    "probes": _run("probes"),
    "collapse": _run("collapse"),
    "complexity": Figure("complexity", scope="by name", subcategory="{run}"),
    "complexity_by_seed": Figure("complexity_by_seed", "complexity", "by name", ("circuits",), subcategory="{run}"),
    "complexity_and_circuits": Figure(
        "complexity_and_circuits", "complexity and circuits", "by name", ("circuits",), subcategory="{run}"
    ),
    "change_kinds": Figure("change_kinds", "changes by architecture", "study looked at", COMPARED, STUDY),
    **{name: Figure(f"study_{name}", name, "study", ("dynamics", "imports"), STUDY) for name in STUDY_FIGURES},
    **{
        name: Figure("circuits", name.removeprefix("circuits_"), "study", ("circuits",), STUDY)
        for name in CIRCUIT_FIGURES
    },
    "known_transitions": Figure("known_transitions", "known transitions", "study with truth", IMAGES, STUDY),
    "progress": Figure("known_transitions", "progress", "study with truth", IMAGES, STUDY),
    "ablations": Figure("ablations", "circuits under ablation", "by name", ("circuits",), subcategory="{run}"),
    "discovery": Figure("discovery", "methods of discovery", "by name", ("circuits",), subcategory="{run}"),
    "activity": _connectome("connectome_activity", subcategory="{run}"),
    "weights": _connectome("connectome_weights", subcategory="{run}"),
    "scatter": _connectome("connectome_scatter", subcategory="{run}"),
    "training": _connectome("connectome_scatter", subcategory="{run}"),
    "embedding": _connectome("connectome_embedding", subcategory="{run}"),
    "functions": _connectome("connectome_functions", subcategory="{run}"),
    "rollout": _connectome("connectome_rollout", subcategory="{run}"),
    "learning": _connectome("connectome_learning", folder=STUDY),
    "recovery": _connectome("connectome_recovery", folder=STUDY),
    "search_tree": _connectome("connectome_search", "tree", folder=STUDY, subcategory="search"),
    "search_progress": _connectome("connectome_search", "progress", folder=STUDY, subcategory="search"),
    "search_landscape": _connectome("connectome_search", "landscape", folder=STUDY, subcategory="search"),
    "policies": _connectome("connectome_policies", folder=STUDY, subcategory="search"),
}


def on_pages() -> dict[str, str]:
    """Headings of the figures on the page of an image run, and their names."""
    return {figure.page: name for name, figure in FIGURES.items() if figure.page is not None}


def of_examination(kind: str) -> list[str]:
    """The names of the figures of an examined run of a kind of study."""
    return [name for name, figure in FIGURES.items() if figure.scope == "run looked at" and kind in figure.kinds]


def files_of(plan: Workflow, name: str) -> Iterator[str]:
    """The PNG files of the figure `name` for all runs or studies that have it."""
    figure = FIGURES[name]
    pattern = f"{figure.folder}/{name}.png"
    if figure.scope == "every run":
        yield from plan.files(pattern, *figure.kinds)
    elif figure.scope in ("run looked at", "study looked at"):
        yield from dict.fromkeys(plan.looked_at(pattern, *figure.kinds))
    elif figure.scope == "study with truth":
        yield from (pattern.format(study=study) for study in plan.studies_with_truth())
    elif figure.scope == "study":
        imports = plan.config.phase1_imports if "imports" in figure.kinds else ()
        for study in (*(study for kind in figure.kinds for study in plan.studies(kind)), *imports):
            yield pattern.format(study=study)
