"""Draw every figure of one run: activity, weights, scatter, embeddings, functions, rollout."""

from ontogeny.connectome.run_figures import figures_of_run
from ontogeny.connectome.store import load_activity, load_fit
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    targets = {name: path for name, path in output.items() if not name.endswith(("_pdf", "_csv"))}
    figures_of_run(load_fit(files.fit), load_activity(files.activity), targets, params.title)
