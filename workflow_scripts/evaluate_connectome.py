"""Measure what one fit recovered against the truth behind its data."""

from ontogeny.connectome.metrics import recovery_metrics
from ontogeny.connectome.store import load_activity, load_fit
from ontogeny.files import write_json
from ontogeny.pipeline import job

with job(snakemake) as (files, output, _):
    write_json(output.metrics, recovery_metrics(load_fit(files.fit), load_activity(files.activity)))
