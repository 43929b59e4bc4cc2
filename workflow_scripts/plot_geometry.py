"""Draw the geometry of a run's activations: variance, projections at the strongest moment, clusters."""

from ontogeny.files import read_table
from ontogeny.geometry.figures import plot_clusters, plot_moment, plot_variance
from ontogeny.jumps.plan import read_plan
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, params):
    variance, projections, by_step = map(read_table, (files.variance, files.projections, files.by_step))
    moments = read_plan(files.plan).moments
    moment = plot_moment(projections, moments, params.title)
    jumps = [each.step for each in moments if each.kind == "jump"]
    clusters = plot_clusters(by_step, read_table(files.choice), params.title, jumps)
    save_figure(plot_variance(variance, params.title), output.variance, variance)
    save_figure(moment, output.projections, projections)
    save_figure(clusters, output.clusters, by_step)
