"""The register of what is drawn of an examined run: each entry draws some figures from tables of the examination.

A part of `PARTS` is drawn again where the tables that it reads, the run's title or the code of its figures changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from ontogeny.files import read_json, read_table
from ontogeny.jumps.plan import read_plan
from ontogeny.pipeline.examination import REPRESENTATIONS, SEEN, SHAPES, WORTH
from ontogeny.pipeline.figures import on_pages
from ontogeny.pipeline.parts import Part, Parts
from ontogeny.plotting.style import save_figure


@dataclass(frozen=True)
class Drawn:
    """A run that is drawn: its title and study, and the files of inputs and outputs."""

    title: str
    study: str
    inputs: Mapping[str, Any]
    files: Mapping[str, str]

    def table(self, name: str) -> pd.DataFrame:
        """The table of an input."""
        return read_table(self.inputs[name])

    def save(self, name: str, figure: Any, table: pd.DataFrame) -> None:
        """Write a figure and the table that it shows."""
        save_figure(figure, self.files[name], table)


def _shapes(run: Drawn) -> None:
    from ontogeny.geometry.figures import plot_clusters, plot_moment, plot_variance

    moments = read_plan(run.inputs["plan"]).moments
    jumps = [each.step for each in moments if each.is_event]
    variance, places, by_step = map(run.table, ("pca_variance", "pca_projections", "cluster_by_step"))
    run.save("variance", plot_variance(variance, run.title), variance)
    run.save("projections", plot_moment(places, moments, run.title), places)
    run.save("clusters", plot_clusters(by_step, run.table("cluster_choice"), run.title, jumps), by_step)


def _neurons(run: Drawn) -> None:
    from ontogeny.neurons.figures import plot_neuron_change

    summary = run.table("summary")
    run.save("neurons", plot_neuron_change(run.table("comparison"), summary, run.title), summary)


def _representations(run: Drawn) -> None:
    from ontogeny.geometry.representation_figures import FIGURES as DRAWN
    from ontogeny.geometry.representation_figures import plot_collapse

    for name, draw in DRAWN.items():
        table = run.table(name)
        run.save(name, draw(table, run.title), table)
    table, alarm = run.table("collapse"), read_json(run.inputs["phase1"])["metadata"].get("collapse")
    run.save("collapse", plot_collapse(table, alarm, run.title), table)


def _worth(run: Drawn) -> None:
    from ontogeny.neurons.figures import plot_importance_of_run, plot_selectivity_of_run

    importance, agreement, change, selectivity, health = map(run.table, WORTH)
    run.save("importance", plot_importance_of_run(importance, agreement, change, run.title), change)
    run.save("selectivity", plot_selectivity_of_run(selectivity, health, run.title), selectivity)


def _map(run: Drawn) -> None:
    from ontogeny.geometry.map_figures import animate_map, plot_maps

    places, quality = run.table("map"), run.table("map_quality")
    run.save("map", plot_maps(places, quality, run.title), quality)
    animate_map(places, quality, run.files["animation"], run.title)


def _boundary(run: Drawn) -> None:
    from ontogeny.geometry.boundary import read_regions
    from ontogeny.geometry.map_figures import plot_boundary

    steps, changes = run.table("boundary_steps"), run.table("boundary_changes")
    regions = read_regions(run.inputs["boundary_regions"])
    run.save("boundary", plot_boundary(regions, steps, changes, run.title), steps)


def _features(run: Drawn) -> None:
    from ontogeny.features.figures import draw_features

    tables = {name: run.table(name) for name in SEEN if name != "features"}
    draw_features(run.inputs["features"], tables, run.files["features_drawn"], run.title)


def _interventions(run: Drawn) -> None:
    from ontogeny.interventions.figures import draw_interventions

    draw_interventions(run.table("interventions"), run.files["interventions_drawn"], run.title)


_TOLD = ("changes", "flipped", "importance", "selectivity", "probes")


def _page(run: Drawn) -> None:
    from ontogeny.changes.page import write_run_page
    from ontogeny.phase1 import read_phase1

    files = (*run.inputs["of_run"], *run.inputs.get("of_layers", ()), *run.files.values())
    drawn = {Path(file).stem: file for file in files if file.endswith(".png")}
    figures = {heading: drawn[name] for heading, name in on_pages().items() if name in drawn}
    tables = {name: str(run.inputs[name]) for name in _TOLD if name in run.inputs}
    page = run.files["page"]
    index = Path(page.rpartition("/pages/")[0]) / "pages" / "index.html"
    write_run_page(
        page, run.title, run.study, read_json(run.inputs["config"]), read_phase1(run.inputs["phase1"]),
        read_plan(run.inputs["plan"]), {name: read_table(file) for name, file in tables.items()}, figures,
        {f"{name}.csv": file for name, file in tables.items()}, index,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Drawing(Part):
    """A part of what is drawn of a run. work: what draws it."""

    work: Callable[[Drawn], None]


def _outputs(*names: str) -> tuple[str, ...]:
    return tuple(output for name in names for output in (name, f"{name}_pdf", f"{name}_csv"))


PARTS = {
    "shapes": Drawing(
        _outputs("variance", "projections", "clusters"), code=("geometry/figures.py",), reads=("plan", *SHAPES[:-1]),
        work=_shapes,
    ),
    "neurons": Drawing(
        _outputs("neurons"), code=("neurons/figures.py",), reads=("comparison", "summary"), work=_neurons
    ),
    "representations": Drawing(
        _outputs(*REPRESENTATIONS), code=("geometry/representation_figures.py",), reads=("phase1", *REPRESENTATIONS),
        work=_representations,
    ),
    "worth": Drawing(
        _outputs("importance", "selectivity"), code=("neurons/figures.py",), reads=WORTH, work=_worth
    ),
    "map": Drawing(
        (*_outputs("map"), "animation"), code=("geometry/map_figures.py",), reads=("map", "map_quality"), work=_map
    ),
    "boundary": Drawing(
        _outputs("boundary"), code=("geometry/map_figures.py", "geometry/boundary.py"),
        reads=("boundary_steps", "boundary_changes", "boundary_regions"), work=_boundary,
    ),
    "features": Drawing(
        ("features_drawn",), code=("features/figures.py",), reads=SEEN, work=_features
    ),
    "interventions": Drawing(
        ("interventions_drawn",), code=("interventions/figures.py",), reads=("interventions",), work=_interventions
    ),
    "page": Drawing(
        ("page",), code=("changes/page.py",), reads=("config", "phase1", "plan", *_TOLD), work=_page
    ),
}  # fmt: skip
"""What is drawn, in this order."""


def draw(snakemake: Any) -> None:
    """Draw what the job of `snakemake` declares, and what has not been drawn from the same tables yet."""
    run = _drawn(snakemake)
    parts = Parts(snakemake, PARTS, "pipeline/drawing.py", ("title",))
    for name in parts.parts:
        parts.make(name, partial(PARTS[name].work, run))


def draw_page(snakemake: Any) -> None:
    """Write the page that the job of `snakemake` declares, of figures that others drew."""
    _page(_drawn(snakemake))


def _drawn(snakemake: Any) -> Drawn:
    inputs, files = dict(snakemake.input.items()), {name: str(file) for name, file in snakemake.output.items()}
    return Drawn(snakemake.params.title, snakemake.wildcards.study, inputs, files)


def draw_fits(snakemake: Any) -> None:
    """Draw the figures of every fit that the job of `snakemake` declares: inputs `fit_{n}` and `activity_{n}`, outputs
    `{figure}_{n}`, and in its settings the title by `n`."""
    from ontogeny.connectome.run_figures import figures_of_run
    from ontogeny.connectome.store import load_activity, load_fit

    files, titles = snakemake.input, snakemake.params.settings
    outputs = {place: [name for name in snakemake.output.keys() if name.endswith(f"_{place}")] for place in titles}  # noqa: SIM118
    code = ("connectome/run_figures.py", "connectome/store.py")
    parts = {
        place: Part(tuple(names), code, (f"fit_{place}", f"activity_{place}"), (place,))
        for place, names in outputs.items()
    }
    made = Parts(snakemake, parts, "pipeline/drawing.py")

    def figures(place: str) -> None:
        pictures = {name: str(snakemake.output[name]) for name in outputs[place]}
        targets = {name.rpartition("_")[0]: file for name, file in pictures.items() if file.endswith(".png")}
        fit, activity = load_fit(files[f"fit_{place}"]), load_activity(files[f"activity_{place}"])
        figures_of_run(fit, activity, targets, titles[place])

    for place in parts:
        made.make(place, partial(figures, place))
