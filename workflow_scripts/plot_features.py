"""Draw what the networks of a run look at: one figure each kind of feature that its networks have."""

from ontogeny.features.figures import draw_features
from ontogeny.files import read_table
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    tables = {name: read_table(path) for name, path in files.items() if name != "pictures"}
    draw_features(files.pictures, tables, output.figures, params.title)
