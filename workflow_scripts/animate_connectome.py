"""Animate the scatter of learned against true weights while the arms of a study train, side by side."""

from ontogeny.connectome.store import load_fit, load_weights
from ontogeny.pipeline import job
from ontogeny.plotting.recovery import animate_arms

with job(snakemake) as (files, output, params):
    truths = [load_weights(path) for path in files.activities]
    animate_arms([load_fit(path) for path in files.fits], truths, params.labels, [output.mp4, output.gif])
