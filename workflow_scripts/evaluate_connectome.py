"""Measure what one fit recovered against the truth behind its data, and how it took shape over the steps."""

import pandas as pd

from ontogeny.connectome.baselines import as_good, baseline_table
from ontogeny.connectome.edges import COLUMNS, edge_table
from ontogeny.connectome.learning import learning_table
from ontogeny.connectome.metrics import recovery_metrics
from ontogeny.connectome.store import load_activity, load_fit
from ontogeny.connectome.symbolic import symbolic_functions
from ontogeny.files import write_csv, write_json
from ontogeny.pipeline import job

with job(snakemake) as (files, output, _):
    fit, activity = load_fit(files.fit), load_activity(files.activity)
    functions, sentence = symbolic_functions(fit, activity)
    metrics, simpler = recovery_metrics(fit, activity), baseline_table(activity, fit.seed)
    compared = as_good(simpler, metrics["validation_loss"])
    write_json(output.metrics, {**metrics, "functions": sentence, "baselines": compared})
    write_csv(output.baselines, simpler)
    write_csv(output.functions, functions)
    write_csv(output.edges, edge_table(fit) if fit.refined else pd.DataFrame(columns=COLUMNS))
    write_csv(output.learning, learning_table(fit, activity))
