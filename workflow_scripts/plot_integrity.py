"""Draw whether a series of checkpoints is what it says: distances along it, and the steps that make it false."""

from ontogeny.files import read_table
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure
from ontogeny.trajectory.figures import plot_integrity

with job(snakemake) as (files, output, params):
    table = read_table(files.table)
    save_figure(plot_integrity(table, params.title), output.png, table)
