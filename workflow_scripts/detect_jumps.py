"""Find the jumps in one run's measurements."""

from ontogeny.jumps.report import find_jumps, write_jumps
from ontogeny.phase1 import read_phase1
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    settings = {key: value for key, value in params.settings.items() if value is not None}
    write_jumps(find_jumps(read_phase1(files.phase1).frame, **settings), output.json, output.csv)
