"""Merge the benchmarks of all jobs into one table."""

from pathlib import Path

from ontogeny.files import write_csv
from ontogeny.pipeline import job
from ontogeny.pipeline.tables import cost_table

with job(snakemake) as (_, output, params):
    write_csv(output.table, cost_table(Path(snakemake.log[0]).parents[1] / "benchmarks", params.mem_mb))
