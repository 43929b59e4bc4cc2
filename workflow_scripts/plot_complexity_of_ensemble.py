"""Draw the learning coefficients of the networks of one ensemble over training."""

from ontogeny.complexity.figures import plot_complexity_of_ensemble
from ontogeny.files import read_table
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, params):
    table = read_table(files.complexity)
    save_figure(plot_complexity_of_ensemble(table, params.title), output.png, table)
