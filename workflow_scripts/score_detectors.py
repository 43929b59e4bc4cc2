"""Try every detector on the known transitions of a study, and draw what progressed when."""

from ontogeny.files import read_table, write_csv
from ontogeny.jumps.known import score_known
from ontogeny.jumps.known_figures import plot_known_transitions, plot_progress
from ontogeny.phase1 import read_phase1
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, _):
    record, jumps = read_phase1(files.record), read_table(files.jumps)
    table = score_known(record)
    write_csv(output.table, table)
    save_figure(plot_known_transitions(table), output.known_transitions, table)
    save_figure(plot_progress(record, jumps), output.progress, record.frame[record.frame["layer"] == "(run)"])
