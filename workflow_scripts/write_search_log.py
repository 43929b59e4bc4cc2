"""Write the logbook of a search: log, memory, UCB scores, tables, and a scatter of the best node of every block."""

from ontogeny.connectome.logbook import write_logbook
from ontogeny.connectome.run_figures import draw_comparisons
from ontogeny.connectome.search import read_records
from ontogeny.connectome.search_run import search_from
from ontogeny.pipeline import job

with job(snakemake) as (_, output, params):
    folder, search = output.iterations.removesuffix("/iterations.csv"), search_from(params.search, params.name)
    records = read_records(folder, search)
    write_logbook(folder, search, records)
    draw_comparisons(records, folder)
