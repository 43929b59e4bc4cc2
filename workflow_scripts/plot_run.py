"""Draw a run's measurements: its metrics over training, and the heat map of its layers."""

from ontogeny.jumps.figures import plot_heat_map, plot_metrics
from ontogeny.jumps.report import read_jumps
from ontogeny.phase1 import read_phase1
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, params):
    record, jumps = read_phase1(files.phase1), read_jumps(files.jumps).table
    save_figure(plot_metrics(record, jumps=jumps, title=params.title), output.metrics, record.frame)
    save_figure(plot_heat_map(record, jumps=jumps, title=params.title), output.heatmap, record.frame)
