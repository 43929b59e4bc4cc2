"""Read the recorded activity of one population, and say what it can tell before anything is trained."""

import logging

from ontogeny.connectome.recorded import read_activity
from ontogeny.connectome.settings import DataSettings
from ontogeny.connectome.simulate import activity_report
from ontogeny.connectome.store import save_activity
from ontogeny.files import write_json
from ontogeny.pipeline import job

with job(snakemake) as (_, output, params):
    activity = read_activity(DataSettings(**params.settings))
    report = activity_report(activity)
    logging.getLogger("ontogeny").info("%s", report["verdict"])
    save_activity(activity, output.activity)
    write_json(output.report, report)
