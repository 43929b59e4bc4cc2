"""Draw every figure of the runs that are shown: activity, weights, scatter, embeddings, functions, rollout."""

from ontogeny.pipeline import job
from ontogeny.pipeline.drawing import draw_fits

with job(snakemake):
    draw_fits(snakemake)
