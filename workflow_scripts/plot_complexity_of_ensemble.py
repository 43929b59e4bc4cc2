"""Draw the learning coefficients of the networks of one ensemble over training, and what changes with them."""

from ontogeny.complexity.figures import plot_complexity_and_circuits, plot_complexity_of_ensemble
from ontogeny.files import read_table
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, params):
    table, circuits = read_table(files.complexity), read_table(files.circuits)
    save_figure(plot_complexity_of_ensemble(table, params.title), output.complexity_by_seed, table)
    save_figure(plot_complexity_and_circuits(circuits, params.title), output.complexity_and_circuits, circuits)
