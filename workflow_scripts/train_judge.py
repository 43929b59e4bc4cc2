"""Fine-tune one judge and keep its trajectory."""

from ontogeny.pipeline import job
from ontogeny.training.processes import train_in_processes
from ontogeny.trajectory.prompts import link_pretrained

with job(snakemake) as (files, output, params):
    folder = output.config.removesuffix("/config.json")
    link_pretrained(files.pretrained, folder)
    train_in_processes(params.identity, folder, params.run, cache_dir=params.cache)
