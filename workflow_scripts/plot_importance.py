"""Draw what the units of a run are worth, what they answer to, and which do no work."""

from ontogeny.files import read_table
from ontogeny.neurons.figures import plot_importance_of_run, plot_selectivity_of_run
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, params):
    table = {name: read_table(path) for name, path in files.items()}
    worth = plot_importance_of_run(
        table["importance"], table["importance_agreement"], table["importance_change"], params.title
    )
    save_figure(worth, output.importance, table["importance_change"])
    answers = plot_selectivity_of_run(table["selectivity"], table["health"], params.title)
    save_figure(answers, output.selectivity, table["selectivity"])
