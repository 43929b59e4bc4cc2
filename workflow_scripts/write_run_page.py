"""Write the page of one run: what it is, its curves, and what changed at each of its jumps."""

from pathlib import Path

from ontogeny.changes.page import write_run_page
from ontogeny.files import read_json, read_table
from ontogeny.jumps.plan import read_plan
from ontogeny.phase1 import read_phase1
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    tables = {name: files[name] for name in ("changes", "flipped", "importance", "selectivity", "probes")}
    index = Path(output.page.rpartition("/pages/")[0]) / "pages" / "index.html"
    write_run_page(
        output.page, params.title, snakemake.wildcards.study, read_json(files.config), read_phase1(files.phase1),
        read_plan(files.plan), {name: read_table(file) for name, file in tables.items()},
        dict(zip(params.headings, files.figures)), {f"{name}.csv": file for name, file in tables.items()}, index,
    )  # fmt: skip
