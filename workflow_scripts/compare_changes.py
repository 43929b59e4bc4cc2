"""Compare what changed at the jumps of all runs of a study: which kinds of change go with which architecture."""

from ontogeny.changes.study import changes_of_study
from ontogeny.files import read_json, read_table, write_csv
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    tables = dict(zip(params.runs, map(read_table, files.changes)))
    configs = dict(zip(params.runs, map(read_json, files.configs)))
    architectures = {run: config["settings"]["model"]["name"] for run, config in configs.items()}
    kinds, pairs = changes_of_study(tables, architectures)
    write_csv(output.kinds, kinds)
    write_csv(output.pairs, pairs)
