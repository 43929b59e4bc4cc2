"""Analyse a study whose transitions are known, and try every detector on them."""

from ontogeny.files import read_table, write_csv
from ontogeny.jumps.known import score_known
from ontogeny.jumps.known_figures import plot_known_transitions, plot_progress
from ontogeny.jumps.report import read_jumps
from ontogeny.jumps.study import gather, study_groups
from ontogeny.jumps.study_figures import write_analysis
from ontogeny.phase1 import RUN_LEVEL, read_many, read_phase1
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, _):
    record = read_many(files.records)
    gather(record, [read_jumps(path) for path in files.jumps], study_groups(record), output)
    write_analysis(output)
    record = read_phase1(output.record)
    known = score_known(record)
    write_csv(output.known, known)
    save_figure(plot_known_transitions(known), output.known_transitions, known)
    of_run = record.frame[record.frame["layer"] == RUN_LEVEL]
    save_figure(plot_progress(record, read_table(output.jumps)), output.progress, of_run)
