"""Read records that others trained, say what was mended or left out, find their jumps, and analyse them together."""

from ontogeny.files import read_table, write_csv
from ontogeny.jumps.locate import with_answers
from ontogeny.jumps.report import find_jumps, write_jumps
from ontogeny.jumps.settings import JumpSettings
from ontogeny.jumps.study import gather, study_groups
from ontogeny.jumps.study_figures import draw_heat_maps, write_analysis
from ontogeny.phase1 import read_many, read_phase1
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    record = read_many(files.records, on_problem=params.on_problem)
    settings = JumpSettings(**params.settings)
    report = with_answers(find_jumps(record.frame, settings), record, settings)
    write_jumps(report, output.json)
    write_csv(output.notes, record.notes_table)
    gather(record, [report], study_groups(record), output)
    write_analysis(output)
    draw_heat_maps(read_phase1(output.record), read_table(output.jumps), output.heatmaps, report.answers)
