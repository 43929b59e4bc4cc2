"""Check a series of checkpoints that others saved, measure it at every step, and keep it as a run."""

from ontogeny.pipeline import job
from ontogeny.trajectory.series_run import import_series

with job(snakemake) as (_, output, params):
    folder = output.config.removesuffix("/config.json")
    import_series(params.identity, folder, snakemake.wildcards.run, cache_dir=params.cache)
