"""Measure the mechanism of one judge at its epochs."""

from ontogeny.judge.settings import JudgeAnalysisSettings
from ontogeny.judge.trace import trace_mechanism
from ontogeny.pipeline import job
from ontogeny.trajectory import Trajectory

with job(snakemake) as (files, output, params):
    trajectory = Trajectory(files.config.removesuffix("/config.json"), cache_dir=params.cache)
    trace_mechanism(trajectory, output.records, JudgeAnalysisSettings(**params.settings))
