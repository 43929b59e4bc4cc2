"""Draw the circuits of a study: counts, sparsity, losses, an overview, and the effect of each condition."""

from ontogeny.circuits.figures import plot_curves, plot_losses, plot_overview, plot_regularisers
from ontogeny.files import read_table, read_tables
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, _):
    history, effects = read_tables(files.histories), read_table(files.effects)
    drawn = {
        "counts": plot_curves(history, "circuits"),
        "sparsity": plot_curves(history, "sparsity"),
        "losses": plot_losses(history),
        "overview": plot_overview(history),
        "effects": (plot_regularisers(read_table(files.seeds), effects), effects),
    }
    for name, (figure, table) in drawn.items():
        save_figure(figure, output[f"circuits_{name}"], table)
