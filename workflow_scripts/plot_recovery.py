"""Draw recovery against sparsity, one line per condition, and how every fit took shape over its steps."""

import pandas as pd

from ontogeny.connectome.figures import plot_learning, plot_recovery
from ontogeny.files import read_table
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, params):
    drawn, table = plot_recovery(read_table(files.runs))
    save_figure(drawn, output.recovery, table)
    tables = [read_table(path).assign(**about) for path, about in zip(files.learning, params.runs)]
    drawn, table = plot_learning(pd.concat(tables, ignore_index=True))
    save_figure(drawn, output.learning, table)
