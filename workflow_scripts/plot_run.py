"""Draw one figure of a run's measurements: its metrics over training, or the heat map of its layers."""

from ontogeny.jumps.report import read_jumps
from ontogeny.phase1 import read_phase1
from ontogeny.pipeline import job
from ontogeny.plotting.phase1 import plot_heat_map, plot_metrics
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, params):
    record, report = read_phase1(files.phase1), read_jumps(files.jumps)
    draw = {"metrics": plot_metrics, "heatmap": plot_heat_map}[snakemake.wildcards.figure]
    save_figure(draw(record, jumps=report.believable), output.png, record.frame)
