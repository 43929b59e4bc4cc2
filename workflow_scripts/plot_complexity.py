"""Draw loss, learning coefficient and dimensionality of one run on one time axis."""

from ontogeny.complexity.figures import plot_complexity
from ontogeny.files import read_table
from ontogeny.phase1 import read_phase1
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, params):
    table = read_table(files.complexity)
    fig = plot_complexity(table, read_phase1(files.phase1), read_table(files.jumps), params.title)
    save_figure(fig, output.png, table)
