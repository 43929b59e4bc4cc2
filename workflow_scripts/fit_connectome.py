"""Recover the wiring, the types and the functions of one population from its activity."""

from ontogeny.connectome.fit_run import fit_connectome_run
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    folder = output.config.removesuffix("/config.json")
    fit_connectome_run(params.identity, files.activity, folder, params.run)
