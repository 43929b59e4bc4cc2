"""Draw one figure of a study across its runs."""

from ontogeny.jumps.study_figures import draw_study
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (_, output, params):
    drawn, table = draw_study(snakemake.wildcards.figure, params.tables)
    save_figure(drawn, output.png, table)
