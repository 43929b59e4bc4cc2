"""Cluster one run's captured activations."""

from ontogeny.activations.store import read_activations
from ontogeny.files import read_json, write_csv
from ontogeny.geometry.run import clusters_of_run
from ontogeny.geometry.settings import GeometrySettings
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    with read_activations(files.activations, read_json(files.config)["identity"]) as activations:
        tables = clusters_of_run(activations, GeometrySettings(**params.settings))
    for path, table in zip((output.choice, output.by_step, output.assignments), tables):
        write_csv(path, table)
