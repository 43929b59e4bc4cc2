"""Write the logbook of a search: log, memory, UCB scores, tables, a scatter of every block's best node, figures."""

from ontogeny.connectome.run_figures import draw_comparisons
from ontogeny.connectome.search.declaration import search_from
from ontogeny.connectome.search.logbook import write_logbook
from ontogeny.connectome.search.records import read_records
from ontogeny.connectome.search_figures import plot_landscape, plot_progress, plot_search_tree
from ontogeny.connectome.search_page import write_tree_page
from ontogeny.connectome.settings import SearchSettings
from ontogeny.pipeline import job

with job(snakemake) as (_, output, params):
    folder = output.iterations.removesuffix("/iterations.csv")
    search = search_from(SearchSettings(**params.search), params.name)
    records = read_records(folder, search)
    write_logbook(folder, search, records)
    draw_comparisons(records, folder)
    plot_search_tree(records, output.search_tree, search)
    plot_progress(records, output.search_progress, search)
    plot_landscape(records, output.search_landscape, search)
    write_tree_page(records, output.page, search, params.title)
