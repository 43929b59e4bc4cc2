"""Map one layer of a run through training, all moments in one fit."""

from ontogeny.files import write_csv
from ontogeny.geometry.map_run import map_of_run
from ontogeny.geometry.settings import MapSettings
from ontogeny.jumps.plan import read_plan
from ontogeny.pipeline import job
from ontogeny.trajectory import Trajectory

with job(snakemake) as (files, output, params):
    trajectory = Trajectory(files.config.removesuffix("/config.json"), cache_dir=params.cache)
    places, quality = map_of_run(trajectory, read_plan(files.plan).moments, MapSettings(**params.settings))
    write_csv(output.places, places)
    write_csv(output.quality, quality)
