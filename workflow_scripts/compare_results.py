"""Compare two configurations, or two folders of results."""

from ontogeny.pipeline import job
from ontogeny.pipeline.compare import compare, write_comparison

with job(snakemake) as (_, output, params):
    write_comparison(compare(*params.compared), dict(output.items()))
