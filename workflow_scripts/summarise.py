"""Say what was found: one sentence and one figure per study."""

from ontogeny.pipeline import job
from ontogeny.pipeline.summary import findings, write_summary

with job(snakemake) as (_, output, params):
    write_summary(findings(params.studies), output.summary, output.page)
