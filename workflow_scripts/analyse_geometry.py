"""Describe the shape of one run's captured activations: components, clusters, and how representations compare."""

from ontogeny.activations.store import read_activations
from ontogeny.files import read_json, write_csv
from ontogeny.geometry.representations import representations_of_run
from ontogeny.geometry.run import clusters_of_run, pca_of_run
from ontogeny.geometry.settings import GeometrySettings
from ontogeny.jumps.plan import read_plan
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    settings, moments = GeometrySettings(**params.settings), read_plan(files.plan).moments
    with read_activations(files.activations, read_json(files.config)["identity"]) as activations:
        variance, projections = pca_of_run(activations, settings)
        choice, by_step, assignments = clusters_of_run(activations, settings)
        tables = representations_of_run(activations, moments, settings)
    tables |= {"pca_variance": variance, "pca_projections": projections}
    tables |= {"cluster_choice": choice, "cluster_by_step": by_step, "clusters": assignments}
    for name, table in tables.items():
        write_csv(output[name], table)
