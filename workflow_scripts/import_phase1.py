"""Read records that others trained, say what was mended or left out, and find their jumps."""

from ontogeny.files import write_csv
from ontogeny.jumps.report import find_jumps, write_jumps
from ontogeny.jumps.study import gather, study_groups
from ontogeny.phase1 import read_many
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    record = read_many(files.records, on_problem=params.on_problem)
    settings = {key: value for key, value in params.settings.items() if value is not None}
    report = find_jumps(record.frame, **settings)
    write_jumps(report, output.json)
    write_csv(output.notes, record.notes_table)
    gather(record, [report], study_groups(record), output)
