"""Run a whole search with one policy and one seed, to compare policies."""

from ontogeny.connectome.search_run import evaluator, explore, search_from
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    folder = output.iterations.removesuffix("/iterations.csv")
    search, about = search_from(params.search, snakemake.wildcards.study), params.identity
    fields = ("config", "blocks", "n_iter_block", "policy", "ucb_c", "space", "first", "seed", "sequential")
    evaluate = evaluator(dict(zip(search.blocks, files.activities)), about["fit"], folder, about)
    explore(evaluate, folder, identity=about, **{name: getattr(search, name) for name in fields})
