"""Measure a run's decision boundary through training, and keep its regions on two planes to draw."""

from ontogeny.files import write_csv
from ontogeny.geometry.boundary import write_regions
from ontogeny.geometry.map_run import boundary_of_run
from ontogeny.geometry.settings import BoundarySettings
from ontogeny.jumps.plan import read_plan
from ontogeny.pipeline import job
from ontogeny.trajectory import Trajectory

with job(snakemake) as (files, output, params):
    trajectory = Trajectory(files.config.removesuffix("/config.json"), cache_dir=params.cache)
    settings = BoundarySettings(**params.settings)
    steps, planes, changes, arrays = boundary_of_run(trajectory, read_plan(files.plan).moments, settings)
    write_csv(output.steps, steps)
    write_csv(output.planes, planes)
    write_csv(output.changes, changes)
    write_regions(output.regions, arrays)
