"""Estimate the learning coefficient of one run's network along its training."""

from ontogeny.complexity.run import complexity_of_run
from ontogeny.complexity.settings import ComplexityAnalysisSettings
from ontogeny.complexity.stages import find_stages, main_estimates
from ontogeny.files import write_csv
from ontogeny.jumps.plan import read_plan
from ontogeny.pipeline import job
from ontogeny.progress import Progress
from ontogeny.trajectory import Trajectory

with job(snakemake) as (files, output, params):
    trajectory = Trajectory(files.config.removesuffix("/config.json"), cache_dir=params.cache)
    settings = ComplexityAnalysisSettings(**params.settings)
    progress = Progress(settings.frames, f"learning coefficient of {trajectory.run}").step
    table = complexity_of_run(trajectory, read_plan(files.plan).moments, settings, progress)
    write_csv(output.complexity, table)
    write_csv(output.stages, find_stages(main_estimates(table)))
