"""Compare the networks of one run that reads tokens before, at and after its planned moments."""

from ontogeny.activations.store import read_activations
from ontogeny.changes.run import changes_of_run
from ontogeny.changes.settings import ChangeSettings
from ontogeny.files import read_table, write_csv
from ontogeny.jumps.plan import read_plan
from ontogeny.pipeline import job
from ontogeny.trajectory import Trajectory

with job(snakemake) as (files, output, params):
    trajectory = Trajectory(files.config.removesuffix("/config.json"), cache_dir=params.cache)
    moments, units = read_plan(files.plan).moments, read_table(files.comparison)
    with read_activations(files.activations, trajectory.config["identity"]) as activations:
        settings = ChangeSettings(**params.settings)
        changes, _ = changes_of_run(trajectory, moments, activations, units, settings=settings)
    write_csv(output.changes, changes)
