"""Run a whole search with one policy and one seed, to compare policies."""

from ontogeny.connectome.search.declaration import search_from
from ontogeny.connectome.search.records import write_records
from ontogeny.connectome.search.run import evaluator, explore
from ontogeny.connectome.settings import SearchSettings
from ontogeny.pipeline import job
from ontogeny.provenance import versions

with job(snakemake) as (files, output, params):
    folder = output.iterations.removesuffix("/iterations.csv")
    search = search_from(SearchSettings(**params.search), snakemake.wildcards.study)
    about = {**params.identity, "versions": versions()}
    evaluate = evaluator(dict(zip(search.blocks, files.activities)), about["fit"], folder, about)
    write_records(output.records, explore(evaluate, folder, search, identity=about))
