"""Write the page that links to all pages."""

from ontogeny.changes.page import write_pages_index
from ontogeny.pipeline import job

with job(snakemake) as (_, output, params):
    write_pages_index(output.index, params.groups)
