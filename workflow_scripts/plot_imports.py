"""Draw the heat map of every imported run."""

from ontogeny.files import read_table
from ontogeny.jumps.study_figures import draw_heat_maps
from ontogeny.phase1 import read_phase1
from ontogeny.pipeline import job

with job(snakemake) as (files, output, _):
    draw_heat_maps(read_phase1(files.record), read_table(files.jumps), output.heatmaps)
