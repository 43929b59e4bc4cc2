"""Compare the circuits of a study's ensembles: by seed, by condition, and against the first; and draw them."""

from ontogeny.circuits.figures import figures_of_study
from ontogeny.circuits.statistics import compare_conditions, condition_table, representative_seeds, seed_table
from ontogeny.files import read_table, read_tables, write_csv
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, _):
    history = read_tables(files.histories)
    seeds = seed_table(history)
    write_csv(output.seeds, seeds)
    write_csv(output.conditions, condition_table(seeds))
    write_csv(output.effects, compare_conditions(seeds))
    write_csv(output.representatives, representative_seeds(history))
    for name, drawn in figures_of_study(history, read_table(output.seeds), read_table(output.effects)).items():
        save_figure(drawn[0], output[f"circuits_{name}"], drawn[1])
