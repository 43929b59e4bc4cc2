"""Run the circuits of one ensemble under mean and resample ablation, with noise, and outside the range of the data."""

from ontogeny.circuits import CircuitSettings, ablate_ensemble, ablation_summary
from ontogeny.circuits.figures import plot_ablations
from ontogeny.files import write_csv
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure
from ontogeny.progress import Progress
from ontogeny.training.ensemble import load_ensemble

with job(snakemake) as (files, output, params):
    ensemble, settings = load_ensemble(files.ensemble), CircuitSettings(**params.settings)
    progress = Progress(len(ensemble.seeds), f"ablations of circuits of {params.label}").step
    networks = ablate_ensemble(ensemble, settings, progress)
    summary = ablation_summary(networks)
    write_csv(output.networks, networks)
    save_figure(plot_ablations(summary, params.label), output.png, summary)
