"""Split the prompts of a judge and pretrain its backbone."""

from ontogeny.pipeline import job
from ontogeny.trajectory.prompts import pretrain

with job(snakemake) as (_, output, params):
    pretrain(params.settings, output.folder)
