"""Compare the neurons of one run before and after its captured moments."""

from ontogeny.activations.store import read_activations
from ontogeny.files import read_json, write_csv
from ontogeny.jumps.plan import read_plan
from ontogeny.neurons.run import neurons_of_run
from ontogeny.neurons.settings import NeuronSettings
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    settings = NeuronSettings(**params.settings)
    config, moments = read_json(files.config), read_plan(files.plan).moments
    with read_activations(files.activations, config["identity"]) as activations:
        units, summary = neurons_of_run(activations, moments, settings)
    write_csv(output.neurons, units)
    write_csv(output.summary, summary)
