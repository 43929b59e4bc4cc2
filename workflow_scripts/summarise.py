"""Say what was found: one sentence and one figure per study."""

from ontogeny.pipeline import job
from ontogeny.pipeline.summary import findings, write_summary

with job(snakemake) as (files, output, params):
    write_summary(findings(params.studies, list(files)), output.summary, output.page)
