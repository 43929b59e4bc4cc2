"""Find the jumps in one run's measurements."""

from ontogeny.jumps.locate import with_answers
from ontogeny.jumps.report import find_jumps, write_jumps
from ontogeny.jumps.settings import JumpSettings
from ontogeny.phase1 import read_phase1
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    frame, settings = read_phase1(files.phase1).frame, JumpSettings(**params.settings)
    report = with_answers(find_jumps(frame, settings), frame, settings)
    write_jumps(report, output.json, output.csv)
