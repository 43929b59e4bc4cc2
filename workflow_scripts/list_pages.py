"""Write the page that links to all pages."""

from ontogeny.pipeline import job
from ontogeny.plotting.run_page import write_pages_index

with job(snakemake) as (_, output, params):
    write_pages_index(output.index, params.groups)
