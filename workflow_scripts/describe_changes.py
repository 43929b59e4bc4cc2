"""Describe what changed in one run from before to after its captured moments, against matched controls."""

from ontogeny.activations.store import read_activations
from ontogeny.changes.run import changes_of_run
from ontogeny.changes.settings import ChangeSettings
from ontogeny.files import read_json, read_table, write_csv
from ontogeny.jumps.plan import read_plan
from ontogeny.pipeline import job
from ontogeny.trajectory import Trajectory

with job(snakemake) as (files, output, params):
    config, moments = read_json(files.config), read_plan(files.plan).moments
    trajectory = Trajectory(files.config.removesuffix("/config.json"), cache_dir=params.cache)
    with read_activations(files.activations, config["identity"]) as activations:
        units, importance = read_table(files.neurons), read_table(files.importance)
        changes, flipped = changes_of_run(
            trajectory,
            moments,
            activations,
            units,
            importance,
            ChangeSettings(**params.settings),
        )
    write_csv(output.changes, changes)
    write_csv(output.flipped, flipped)
