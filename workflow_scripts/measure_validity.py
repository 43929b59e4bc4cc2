"""Measure the false alarms and the recall of one detector."""

from pathlib import Path

from ontogeny.jumps.settings import ValiditySettings
from ontogeny.jumps.validity import load_detector, run_battery
from ontogeny.jumps.validity_figures import write_battery
from ontogeny.pipeline import job

with job(snakemake) as (_, output, params):
    detector = load_detector(snakemake.wildcards.detector)
    settings = ValiditySettings(**params.settings)
    table = run_battery(detector, repeats=settings.repeats, seed=settings.seed)
    write_battery(table, Path(output.table).parent)
