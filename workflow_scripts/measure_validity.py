"""Measure the false alarms and the recall of one detector."""

from pathlib import Path

from ontogeny.jumps.validity import load_detector, run_battery
from ontogeny.jumps.validity_figures import write_battery
from ontogeny.pipeline import job

with job(snakemake) as (_, output, params):
    detector = load_detector(snakemake.wildcards.detector)
    table = run_battery(detector, repeats=params.settings["repeats"], seed=params.settings["seed"])
    write_battery(table, Path(output.table).parent)
