"""Draw which policy found good settings sooner."""

from pathlib import Path

from ontogeny.connectome.search.comparison import compare_policies
from ontogeny.connectome.search.records import read_written
from ontogeny.connectome.search_figures import plot_policies
from ontogeny.files import write_csv, write_text
from ontogeny.pipeline import job

with job(snakemake) as (files, output, params):
    histories = {policy: [] for policy in params.policies}
    for path in files.searches:
        histories[Path(path).parent.name.rsplit("-", 1)[0]].append(read_written(path))
    comparison = compare_policies(histories)
    plot_policies(comparison, output.png)
    write_csv(output.table, comparison.table)
    write_csv(output.differences, comparison.differences)
    write_text(output.verdict, comparison.verdict + "\n")
