"""Animate the circuits of an ensemble's representative network, and write the page to look through them."""

from ontogeny.circuits import CircuitSettings
from ontogeny.circuits.animation import animate_circuits
from ontogeny.circuits.frames import frames_of_condition
from ontogeny.circuits.page import write_circuit_page
from ontogeny.files import read_table
from ontogeny.pipeline import job
from ontogeny.training.ensemble import load_ensemble

with job(snakemake) as (files, output, params):
    ensemble, chosen = load_ensemble(files.ensemble), read_table(files.representatives)
    settings = CircuitSettings(**params.settings)
    frames = frames_of_condition(ensemble, params.label, chosen, read_table(files.jumps), settings)
    for path in (output.mp4, output.gif):
        animate_circuits(frames, path, most_frames=settings.frames)
    write_circuit_page(frames, output.page, note="The network nearest to the mean curve of its condition.")
