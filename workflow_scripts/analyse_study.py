"""Put the measurements and jumps of a study's runs side by side, analyse them together, and draw the figures."""

from ontogeny.jumps.report import read_jumps
from ontogeny.jumps.study import gather, study_groups
from ontogeny.jumps.study_figures import write_analysis
from ontogeny.phase1 import read_many
from ontogeny.pipeline import job

with job(snakemake) as (files, output, _):
    record = read_many(files.records)
    gather(record, [read_jumps(path) for path in files.jumps], study_groups(record), output)
    write_analysis(output)
