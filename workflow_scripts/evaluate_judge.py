"""Evaluate one judge after every epoch."""

from ontogeny.files import write_csv
from ontogeny.judge.epochs import evaluate_epochs
from ontogeny.pipeline import job
from ontogeny.trajectory import Trajectory

with job(snakemake) as (files, output, _):
    write_csv(output.epochs, evaluate_epochs(Trajectory(files.config.removesuffix("/config.json"))))
