"""Read the recorded activity of one assembly, and say what it can tell before anything is trained."""

import logging

from ontogeny.connectome.recorded import read_activity
from ontogeny.connectome.simulate import activity_report
from ontogeny.connectome.store import save_activity
from ontogeny.files import write_json
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    optional = {key: files.get(key) or None for key in ("derivative", "connectivity", "types")}
    activity = read_activity(files.file, difference=params.difference, delta_t=params.delta_t, **optional)
    report = activity_report(activity)
    logging.getLogger("ontogeny").info("%s", report["verdict"])
    save_activity(activity, output.activity)
    write_json(output.report, report)
