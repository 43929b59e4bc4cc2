"""Follow the circuits of one ensemble through training: turnover, structure, records, appearances at jumps."""

from ontogeny.circuits import CircuitSettings
from ontogeny.circuits.trace import coincidence_table, trace_ensemble, write_records
from ontogeny.files import read_table, write_csv
from ontogeny.pipeline import job
from ontogeny.progress import Progress
from ontogeny.training.ensemble import load_ensemble

with job(snakemake) as (files, output, params):
    ensemble, settings = load_ensemble(files.ensemble), CircuitSettings(**params.settings)
    progress = Progress(len(ensemble.seeds), f"turnover of circuits of {params.label}").step
    turnover, structure = trace_ensemble(ensemble, settings, progress)
    write_csv(output.turnover, turnover)
    write_csv(output.structure, structure)
    write_csv(output.coincidence, coincidence_table(ensemble, turnover, read_table(files.jumps), settings))
    chosen = read_table(files.representatives).set_index("condition")["seed"]
    write_records(ensemble, int(chosen[params.label]), output.records, settings)
