"""Estimate the learning coefficient of every network of one ensemble, and whether it changes with its circuits."""

from ontogeny.complexity.run import changes_beside, complexity_and_circuits, complexity_of_ensemble
from ontogeny.complexity.settings import ComplexityAnalysisSettings
from ontogeny.files import read_table, write_csv
from ontogeny.phase1 import read_phase1
from ontogeny.pipeline import job
from ontogeny.progress import Progress
from ontogeny.training.ensemble import load_ensemble

with job(snakemake) as (files, output, params):
    ensemble, settings = load_ensemble(files.ensemble), ComplexityAnalysisSettings(**params.settings)
    progress = Progress(len(ensemble.seeds), f"learning coefficients of {snakemake.wildcards.run}").step
    history = read_table(files.history)
    table = complexity_of_ensemble(ensemble, settings, progress, history)
    write_csv(output.complexity, table)
    beside = changes_beside(history, read_phase1(files.phase1))
    write_csv(output.circuits, complexity_and_circuits(table, beside))
