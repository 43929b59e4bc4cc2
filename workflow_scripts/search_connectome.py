"""Run one iteration of a search over training settings."""

from ontogeny.connectome.search.declaration import search_from
from ontogeny.connectome.search.run import evaluator, keep_weights, run_iteration
from ontogeny.connectome.settings import SearchSettings
from ontogeny.pipeline import job
from ontogeny.provenance import versions

with job(snakemake) as (files, output, params):
    folder, wanted = output.record.split("/records/")[0], snakemake.wildcards
    search = search_from(SearchSettings(**params.search), wanted.study)
    level, about = search.blocks[int(wanted.block) - 1], {**params.identity, "versions": versions()}
    evaluate = evaluator({level: files.activity[0]}, about["fit"], folder, about)
    record = run_iteration(evaluate, folder, search, int(wanted.block), int(wanted.iteration), about)
    keep_weights(record, evaluate, folder, output.weights)
