"""Project one run's captured activations on their principal components."""

from ontogeny.activations.store import read_activations
from ontogeny.files import read_json, write_csv
from ontogeny.geometry.run import pca_of_run
from ontogeny.geometry.settings import GeometrySettings
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    with read_activations(files.activations, read_json(files.config)["identity"]) as activations:
        variance, projections = pca_of_run(activations, GeometrySettings(**params.settings))
    write_csv(output.variance, variance)
    write_csv(output.projections, projections)
