"""Animate the scatter of learned against true weights while the conditions of a study train, side by side."""

from ontogeny.connectome.run_figures import animate_conditions
from ontogeny.connectome.store import load_fit, load_weights
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    truths = [load_weights(path) for path in files.activities]
    animate_conditions([load_fit(path) for path in files.fits], truths, params.labels, [output.mp4, output.gif])
