"""Draw one figure of the geometry of a run's activations: variance, projections at the strongest moment, clusters."""

from ontogeny.files import read_table
from ontogeny.jumps.plan import read_plan
from ontogeny.pipeline import job
from ontogeny.plotting.geometry import plot_clusters, plot_moment, plot_variance
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, params):
    figure = snakemake.wildcards.figure
    if figure == "variance":
        table = read_table(files.variance)
        drawn = plot_variance(table, params.title)
    elif figure == "projections":
        table = read_table(files.projections)
        drawn = plot_moment(table, read_plan(files.plan).moments, params.title)
    else:
        table = read_table(files.by_step)
        drawn = plot_clusters(table, read_table(files.choice), params.title)
    save_figure(drawn, output.png, table)
