"""See what the networks of one run look at and for, at its captured moments."""

from ontogeny.features.run import features_of_run
from ontogeny.features.settings import FeatureSettings
from ontogeny.files import write_csv
from ontogeny.jumps.plan import read_plan
from ontogeny.pipeline import job
from ontogeny.trajectory import Trajectory

with job(snakemake) as (files, output, params):
    trajectory = Trajectory(files.config.removesuffix("/config.json"), cache_dir=params.cache)
    moments = read_plan(files.plan).moments
    settings = FeatureSettings(**params.settings)
    for name, table in features_of_run(trajectory, moments, output.pictures, settings).items():
        write_csv(getattr(output, name), table)
