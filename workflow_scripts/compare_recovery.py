"""Compare recovery over the conditions, levels and seeds of a study, and how every fit took shape; and draw both."""

import pandas as pd

from ontogeny.connectome.figures import plot_learning, plot_recovery
from ontogeny.connectome.recovery import recovery_by_run, recovery_table
from ontogeny.files import read_json, read_table, write_csv
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, params):
    metrics, reports = ([read_json(path) for path in paths] for paths in (files.metrics, files.reports))
    by_run = recovery_by_run(params.runs, metrics, reports)
    write_csv(output.runs, by_run)
    write_csv(output.table, recovery_table(by_run))
    drawn, table = plot_recovery(read_table(output.runs))
    save_figure(drawn, output.recovery, table)
    tables = [read_table(path).assign(**about) for path, about in zip(files.learning, params.runs)]
    drawn, table = plot_learning(pd.concat(tables, ignore_index=True))
    save_figure(drawn, output.learning, table)
