"""Draw what was found in the networks of one run at its planned moments, and write the page of the run."""

from ontogeny.pipeline import job
from ontogeny.pipeline.drawing import draw

with job(snakemake):
    draw(snakemake)
