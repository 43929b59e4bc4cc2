"""Draw one figure of a study across its runs."""

from pathlib import Path

from ontogeny.jumps.study_figures import draw_study
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, _):
    drawn, table = draw_study(snakemake.wildcards.figure, Path(files[0]).parent)
    save_figure(drawn, output.png, table)
