"""Choose the moments of one run that are worth a closer look."""

from ontogeny.files import read_json
from ontogeny.jumps.plan import find_progress, plan_captures, steps_of, write_plan
from ontogeny.jumps.report import read_jumps
from ontogeny.jumps.settings import CaptureSettings, JumpSettings
from ontogeny.phase1 import RUN_LEVEL, read_phase1
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    record = read_phase1(files.phase1)
    plan = plan_captures(
        read_jumps(files.jumps),
        steps_of(read_json(files.config)),
        CaptureSettings(**params.settings["captures"]),
        user_steps=params.steps,
        loss=record.series(RUN_LEVEL, "loss"),
        progress=find_progress(record.frame, JumpSettings(**params.settings["jumps"])),
    )
    write_plan(plan, output.plan)
