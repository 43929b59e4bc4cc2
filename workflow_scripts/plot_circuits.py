"""Draw one figure of a study's circuits: counts, sparsity, losses, an overview, or the effect of each condition."""

from ontogeny.circuits.figures import plot_curves, plot_losses, plot_overview, plot_regularisers
from ontogeny.files import read_table, read_tables
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, _):
    history, figure = read_tables(files.histories), snakemake.wildcards.figure
    if figure == "losses":
        drawn, table = plot_losses(history)
    elif figure == "overview":
        drawn, table = plot_overview(history)
    elif figure == "effects":
        table = read_table(files.effects)
        drawn = plot_regularisers(read_table(files.seeds), table)
    else:
        drawn, table = plot_curves(history, {"counts": "circuits", "sparsity": "sparsity"}[figure])
    save_figure(drawn, output.png, table)
