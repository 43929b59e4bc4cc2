"""Measure what one fit recovered against the truth behind its data, and find the jumps in its measurements."""

from ontogeny.connectome.evaluation import evaluate_fit
from ontogeny.connectome.store import load_activity, load_fit
from ontogeny.files import write_csv, write_json
from ontogeny.jumps.report import find_jumps, write_jumps
from ontogeny.jumps.settings import JumpSettings
from ontogeny.phase1 import read_phase1
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    report = find_jumps(read_phase1(files.phase1).frame, JumpSettings(**params.jumps))
    write_jumps(report, output.json, output.csv)
    metrics, tables = evaluate_fit(load_fit(files.fit), load_activity(files.activity))
    write_json(output.metrics, metrics)
    for name, table in tables.items():
        write_csv(output[name], table)
