"""Draw what the captured activations of one run show: components, clusters, representations, neurons at jumps."""

from ontogeny.files import read_json, read_table
from ontogeny.geometry.figures import plot_clusters, plot_moment, plot_variance
from ontogeny.geometry.representation_figures import FIGURES, plot_collapse
from ontogeny.jumps.plan import read_plan
from ontogeny.neurons.figures import plot_neuron_change
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, params):
    title, alarm = params.title, read_json(files.phase1)["metadata"].get("collapse")
    table = {name: read_table(path) for name, path in files.items() if path.endswith(".csv")}
    moments = read_plan(files.plan).moments
    jumps = [each.step for each in moments if each.kind == "jump"]
    variance, places, by_step = table["pca_variance"], table["pca_projections"], table["cluster_by_step"]
    save_figure(plot_variance(variance, title), output.variance, variance)
    save_figure(plot_moment(places, moments, title), output.projections, places)
    save_figure(plot_clusters(by_step, table["cluster_choice"], title, jumps), output.clusters, by_step)
    save_figure(plot_neuron_change(table["neurons"], table["summary"], title), output.neurons, table["summary"])
    for name, draw in FIGURES.items():
        save_figure(draw(table[name], title), output[name], table[name])
    save_figure(plot_collapse(table["collapse"], alarm, title), output.collapse, table["collapse"])
