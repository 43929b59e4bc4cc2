"""Write the page of one run that reads tokens, of the figures that were drawn of it."""

from ontogeny.pipeline import job
from ontogeny.pipeline.drawing import draw_page

with job(snakemake):
    draw_page(snakemake)
