"""Draw how the representations of a run compare: similarity, subspaces, dimension, probes, collapse."""

from ontogeny.files import read_json, read_table
from ontogeny.geometry.representation_figures import FIGURES, plot_collapse
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, params):
    for name, draw in FIGURES.items():
        table = read_table(files[name])
        save_figure(draw(table, params.title), output[name], table)
    table, alarm = read_table(files.collapse), read_json(files.phase1)["metadata"].get("collapse")
    save_figure(plot_collapse(table, alarm, params.title), output.collapse, table)
