"""Compare recovery over the conditions, levels and seeds of a study."""

from ontogeny.connectome.recovery import recovery_by_run, recovery_table
from ontogeny.files import read_json, write_csv
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    metrics, reports = ([read_json(path) for path in paths] for paths in (files.metrics, files.reports))
    by_run = recovery_by_run(params.runs, metrics, reports)
    write_csv(output.runs, by_run)
    write_csv(output.recovery, recovery_table(by_run))
