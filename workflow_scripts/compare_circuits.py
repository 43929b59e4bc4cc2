"""Compare the circuits of a study's ensembles: by seed, by condition, and against the first."""

from ontogeny.circuits.statistics import compare_conditions, condition_table, representative_seeds, seed_table
from ontogeny.files import read_tables, write_csv
from ontogeny.pipeline import job

with job(snakemake) as (files, output, _):
    history = read_tables(files.histories)
    seeds = seed_table(history)
    write_csv(output.seeds, seeds)
    write_csv(output.conditions, condition_table(seeds))
    write_csv(output.effects, compare_conditions(seeds))
    write_csv(output.representatives, representative_seeds(history))
