"""Measure what the units of one run are worth, what they answer to, and whether they work."""

from ontogeny.files import write_csv
from ontogeny.jumps.plan import read_plan
from ontogeny.neurons.importance_run import importance_of_run
from ontogeny.neurons.settings import ImportanceSettings
from ontogeny.pipeline import job
from ontogeny.trajectory import Trajectory

with job(snakemake) as (files, output, params):
    trajectory = Trajectory(files.config.removesuffix("/config.json"), cache_dir=params.cache)
    moments = read_plan(files.plan).moments
    for name, table in importance_of_run(trajectory, moments, ImportanceSettings(**params.settings)).items():
        write_csv(getattr(output, name), table)
