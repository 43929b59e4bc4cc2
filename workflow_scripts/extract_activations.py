"""Extract the activations of one run at its planned moments."""

from ontogeny.activations import extract_activations
from ontogeny.jumps.plan import read_plan
from ontogeny.pipeline import job
from ontogeny.trajectory import Trajectory

with job(snakemake) as (files, output, params):
    trajectory = Trajectory(files.config.removesuffix("/config.json"), cache_dir=params.cache)
    steps = read_plan(files.plan).steps
    extract_activations(trajectory, steps, output.activations, dtype=params.settings["dtype"])
