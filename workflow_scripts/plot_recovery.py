"""Draw recovery against sparsity, one line an arm."""

from ontogeny.files import read_table
from ontogeny.pipeline import job
from ontogeny.plotting.connectome import plot_recovery
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, _):
    drawn, table = plot_recovery(read_table(files.runs))
    save_figure(drawn, output.png, table)
