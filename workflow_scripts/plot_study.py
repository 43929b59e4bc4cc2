"""Draw the figures of a study across its runs."""

from pathlib import Path

from ontogeny.jumps.study_figures import draw_study
from ontogeny.pipeline import job
from ontogeny.pipeline.figures import STUDY_FIGURES
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, _):
    for name in STUDY_FIGURES:
        drawn, table = draw_study(name, Path(files[0]).parent)
        save_figure(drawn, output[name], table)
