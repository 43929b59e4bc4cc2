"""Follow the circuits of one ensemble through training: turnover, structure, records, births against jumps."""

from ontogeny.circuits.trace import births_against_jumps, trace_ensemble, write_records
from ontogeny.files import read_table, write_csv
from ontogeny.pipeline import job
from ontogeny.progress import Progress
from ontogeny.training.ensemble import load_ensemble

with job(snakemake) as (files, output, params):
    ensemble, settings = load_ensemble(files.ensemble), params.settings
    progress = Progress(len(ensemble.seeds), f"lives of circuits of {params.label}").step
    turnover, structure, births = trace_ensemble(ensemble, settings, progress)
    write_csv(output.turnover, turnover)
    write_csv(output.structure, structure)
    write_csv(output.coincidence, births_against_jumps(ensemble, births, read_table(files.jumps)))
    chosen = read_table(files.representatives).set_index("condition")["seed"]
    seeds = {"all": list(ensemble.seeds), "representative": [int(chosen[params.label])], "none": []}
    write_records(ensemble, seeds[settings["records"]], output.records, settings)
