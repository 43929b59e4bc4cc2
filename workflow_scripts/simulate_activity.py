"""Simulate one population of neurons, and say what its activity can tell before anything is trained."""

import logging

from ontogeny.connectome.simulate import activity_report, simulate_activity
from ontogeny.connectome.store import save_activity
from ontogeny.files import write_json
from ontogeny.pipeline import job

with job(snakemake) as (_, output, params):
    activity = simulate_activity(params.population["simulation"], seed=params.population["seed"])
    report = activity_report(activity)
    logging.getLogger("ontogeny").info("%s", report["verdict"])
    save_activity(activity, output.activity)
    write_json(output.report, report)
