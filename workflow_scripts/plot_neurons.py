"""Draw how the neurons of a run change at its jumps and at matched controls."""

from ontogeny.files import read_table
from ontogeny.neurons.figures import plot_neuron_change
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, params):
    summary = read_table(files.summary)
    save_figure(plot_neuron_change(read_table(files.neurons), summary, params.title), output.png, summary)
