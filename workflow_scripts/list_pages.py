"""Write the page that links to all pages."""

from pathlib import Path

from ontogeny.changes.page import write_pages_index
from ontogeny.pipeline import job

with job(snakemake) as (_, output, params):
    folder = Path(output.index).parent
    groups = {title: [(name, folder / page) for name, page in pages] for title, pages in params.groups.items()}
    write_pages_index(output.index, groups)
