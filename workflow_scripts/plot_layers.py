"""Draw what was found in the layers of one run at its planned moments."""

from ontogeny.pipeline import job
from ontogeny.pipeline.drawing import draw

with job(snakemake):
    draw(snakemake)
