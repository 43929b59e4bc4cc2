"""Write the logbook of a search: log, memory, UCB scores, tables, and a scatter of the best node of every block."""

from ontogeny.connectome.run_figures import draw_comparisons
from ontogeny.connectome.search.declaration import search_from
from ontogeny.connectome.search.logbook import write_logbook
from ontogeny.connectome.search.records import read_records
from ontogeny.connectome.settings import SearchSettings
from ontogeny.pipeline import job

with job(snakemake) as (_, output, params):
    folder, search = (
        output.iterations.removesuffix("/iterations.csv"),
        search_from(SearchSettings(**params.search), params.name),
    )
    records = read_records(folder, search)
    write_logbook(folder, search, records)
    draw_comparisons(records, folder)
