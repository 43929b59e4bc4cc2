"""Train one run and keep its trajectory."""

from ontogeny.pipeline import job
from ontogeny.training.loop import train

with job(snakemake) as (_, output, params):
    folder = output.config.removesuffix("/config.json")
    train(params.identity, folder, params.run, cache_dir=params.cache, threads=snakemake.threads)
