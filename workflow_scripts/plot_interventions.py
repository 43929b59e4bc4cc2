"""Draw what interventions did to the networks of a run: one figure each kind that was declared."""

from ontogeny.files import read_table
from ontogeny.interventions.figures import draw_interventions
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    draw_interventions(read_table(files.table), output.figures, params.title)
