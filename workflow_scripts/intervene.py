"""Do to the networks of one run what the configuration declares, and measure what it does."""

from ontogeny.files import write_csv
from ontogeny.interventions.moments import interventions_of_run
from ontogeny.jumps.plan import read_plan
from ontogeny.pipeline import job
from ontogeny.trajectory import Trajectory

with job(snakemake) as (files, output, params):
    trajectory = Trajectory(files.config.removesuffix("/config.json"), cache_dir=params.cache)
    moments = read_plan(files.plan).moments
    write_csv(output.table, interventions_of_run(trajectory, moments, params.settings))
