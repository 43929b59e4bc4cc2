"""Draw what changed at jumps beside matched controls: for every run of a study, and by architecture."""

from ontogeny.changes.figures import draw_run_changes, plot_change_kinds
from ontogeny.files import read_table
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, params):
    tables = dict(zip(params.titles, map(read_table, files.changes)))
    draw_run_changes(tables, params.titles, output.runs)
    kinds = read_table(files.kinds)
    save_figure(plot_change_kinds(kinds, f"{params.title}: what changes at jumps"), output.png, kinds)
