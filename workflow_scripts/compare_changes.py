"""Compare what changed at the jumps of all runs of a study: which kinds of change go with which architecture."""

from ontogeny.changes.figures import draw_run_changes, plot_change_kinds
from ontogeny.changes.study import changes_of_study
from ontogeny.files import read_json, read_table, write_csv
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, params):
    tables = dict(zip(params.titles, map(read_table, files.changes)))
    configs = dict(zip(params.titles, map(read_json, files.configs)))
    architectures = {run: config["settings"]["model"]["name"] for run, config in configs.items()}
    kinds, pairs = changes_of_study(tables, architectures)
    write_csv(output.kinds, kinds)
    write_csv(output.pairs, pairs)
    draw_run_changes(tables, params.titles, output.runs)
    kinds = read_table(output.kinds)
    save_figure(plot_change_kinds(kinds, f"{params.title}: what changes at jumps"), output.png, kinds)
