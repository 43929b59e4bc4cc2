"""Fine-tune one judge and keep its trajectory."""

from ontogeny.pipeline import job
from ontogeny.training.loop import train
from ontogeny.trajectory.prompts import link_pretrained

with job(snakemake) as (files, output, params):
    folder = output.config.removesuffix("/config.json")
    link_pretrained(files.pretrained, folder)
    train(params.identity, folder, params.run, cache_dir=params.cache, threads=snakemake.threads)
