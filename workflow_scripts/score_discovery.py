"""Hold methods of circuit discovery against all circuits of one ensemble, along training and at its end."""

from ontogeny.circuits import CircuitSettings
from ontogeny.circuits.discovery import discovery_by_progress, discovery_table, score_discovery
from ontogeny.circuits.figures import plot_discovery
from ontogeny.files import write_csv
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure
from ontogeny.progress import Progress
from ontogeny.training.ensemble import load_ensemble

with job(snakemake) as (files, output, params):
    ensemble, settings = load_ensemble(files.ensemble), CircuitSettings(**params.settings)
    progress = Progress(len(ensemble.seeds), f"discovery of circuits of {params.label}").step
    scores = score_discovery(ensemble, settings, progress=progress)
    table, along = discovery_table(scores), discovery_by_progress(scores)
    write_csv(output.scores, scores)
    write_csv(output.progress, along)
    save_figure(plot_discovery(table, along), output.png, table)
