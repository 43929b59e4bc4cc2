"""Count the perfect circuits of every network of one ensemble at every epoch."""

from ontogeny.circuits import CircuitSettings
from ontogeny.circuits.statistics import ensemble_history
from ontogeny.files import write_csv
from ontogeny.pipeline import job
from ontogeny.progress import Progress
from ontogeny.training.ensemble import load_ensemble

with job(snakemake) as (files, output, params):
    result = load_ensemble(files.ensemble)
    history = ensemble_history(
        result,
        params.label,
        CircuitSettings(**params.settings),
        progress=Progress(len(result.seeds), f"circuits of {params.label}").step,
    )
    write_csv(output.history, history)
