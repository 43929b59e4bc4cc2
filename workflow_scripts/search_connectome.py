"""Run one block of a search over training settings, iteration by iteration."""

from ontogeny.connectome.search.declaration import search_from
from ontogeny.connectome.search.run import evaluator, run_block
from ontogeny.connectome.settings import SearchSettings
from ontogeny.pipeline import job
from ontogeny.provenance import versions

with job(snakemake) as (files, output, params):
    folder, asked = output.records.rpartition("/records/")[0], snakemake.wildcards
    search = search_from(SearchSettings(**params.search), asked.study)
    level, about = search.blocks[int(asked.block) - 1], {**params.identity, "versions": versions()}
    evaluate = evaluator({level: files.activity[0]}, about["fit"], folder, about)
    run_block(evaluate, folder, search, int(asked.block), about)
