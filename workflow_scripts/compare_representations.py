"""Compare the representations of one run's layers: similarity, subspaces, dimension, probes, collapse."""

from ontogeny.activations.store import read_activations
from ontogeny.files import read_json, write_csv
from ontogeny.geometry.representations import representations_of_run
from ontogeny.geometry.settings import GeometrySettings
from ontogeny.jumps.plan import read_plan
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    settings = GeometrySettings(**params.settings)
    with read_activations(files.activations, read_json(files.config)["identity"]) as activations:
        tables = representations_of_run(activations, read_plan(files.plan).moments, settings)
    for name, table in tables.items():
        write_csv(output[name], table)
