"""Analyse the measurements of all runs of a study together."""

from pathlib import Path

from ontogeny.files import read_table, write_csv
from ontogeny.jumps.study import analyse_study
from ontogeny.phase1 import read_phase1
from ontogeny.pipeline import job

with job(snakemake) as (files, output, _):
    tables = analyse_study(read_phase1(files.record), *map(read_table, (files.jumps, files.series, files.groups)))
    for path in output:
        write_csv(path, tables[Path(path).stem])
