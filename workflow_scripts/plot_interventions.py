"""Draw what interventions did to the networks of a run: one figure each kind that was declared."""

from ontogeny.files import read_table
from ontogeny.pipeline import job
from ontogeny.plotting.inside import draw_interventions

with job(snakemake) as (files, output, params):
    draw_interventions(read_table(files.table), output.figures, params.title)
