"""Animate the representative networks of all conditions of a study, side by side."""

from ontogeny.circuits import CircuitSettings
from ontogeny.circuits.animation import animate_circuits, save_snapshot
from ontogeny.circuits.frames import frames_of_condition
from ontogeny.files import read_table
from ontogeny.pipeline import job
from ontogeny.training.ensemble import load_ensemble

with job(snakemake) as (files, output, params):
    chosen, settings = read_table(files.representatives), CircuitSettings(**params.settings)
    runs = [
        frames_of_condition(load_ensemble(path), label, chosen, read_table(jumps), settings)
        for path, jumps, label in zip(files.ensembles, files.jumps, params.labels)
    ]
    animate_circuits(runs, output.mp4, most_frames=settings.frames)
    save_snapshot(runs, max(int(run.epochs[-1]) for run in runs), output.snapshot, formats=["png"])
