"""Draw the figures of a study across its runs."""

from pathlib import Path

from ontogeny.jumps.study_figures import FIGURES, draw_study
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, _):
    for name in FIGURES:
        drawn, table = draw_study(name, Path(files[0]).parent)
        save_figure(drawn, output[name], table)
