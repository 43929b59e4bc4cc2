"""List every run: settings, outcome, cost, versions."""

from pathlib import Path

from ontogeny.files import write_csv
from ontogeny.pipeline import job
from ontogeny.pipeline.tables import experiment_table

with job(snakemake) as (files, output, params):
    folders = [Path(config).parent for config in files.configs]
    write_csv(output.table, experiment_table(folders, Path(snakemake.log[0]).parents[1] / "benchmarks", params.swept))
