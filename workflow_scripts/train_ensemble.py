"""Train one ensemble and keep every epoch of every seed."""

from ontogeny.pipeline import job
from ontogeny.training.ensemble_run import train_ensemble_run

with job(snakemake) as (_, output, params):
    folder = output.config.removesuffix("/config.json")
    train_ensemble_run(params.identity, folder, params.run, threads=snakemake.threads)
