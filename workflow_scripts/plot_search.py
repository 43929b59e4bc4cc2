"""Draw a search: its trees, its course, the landscape of settings, and the page to look through it."""

from pathlib import Path

from ontogeny.connectome.search.declaration import search_from
from ontogeny.connectome.search.records import read_records
from ontogeny.connectome.search_figures import plot_landscape, plot_progress, plot_search_tree
from ontogeny.connectome.search_page import write_tree_page
from ontogeny.connectome.settings import SearchSettings
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    search = search_from(SearchSettings(**params.search), params.name)
    records = read_records(Path(files.iterations).parent, search)
    plot_search_tree(records, output.search_tree, search)
    plot_progress(records, output.search_progress, search)
    plot_landscape(records, output.search_landscape, search)
    write_tree_page(records, output.page, search, params.title)
