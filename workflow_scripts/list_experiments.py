"""List every run: settings, outcome, versions."""

from pathlib import Path

from ontogeny.files import write_csv
from ontogeny.pipeline import job
from ontogeny.pipeline.tables import experiment_table

with job(snakemake) as (files, output, _):
    write_csv(output.table, experiment_table(Path(config).parent for config in files.configs))
