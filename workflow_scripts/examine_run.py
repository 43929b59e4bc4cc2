"""Look at the networks of one run at its planned moments: layers, neurons, maps, boundary, features, changes."""

from ontogeny.jumps.plan import read_plan
from ontogeny.pipeline import job
from ontogeny.pipeline.examination import examine
from ontogeny.trajectory import Trajectory

with job(snakemake) as (files, _, params):
    trajectory = Trajectory(files.config.removesuffix("/config.json"), cache_dir=params.cache)
    examine(snakemake, trajectory, read_plan(files.plan).moments)
