"""Evaluate one judge after every epoch, and draw its mechanism: pages of every epoch, and its evolution as a figure."""

from ontogeny.files import read_table, write_csv
from ontogeny.judge.epochs import evaluate_epochs
from ontogeny.judge.figures import plot_evolution
from ontogeny.judge.pages import losses_of, write_book, write_pages
from ontogeny.judge.record import read_records
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure
from ontogeny.trajectory import Trajectory

with job(snakemake) as (files, output, params):
    write_csv(output.epochs, evaluate_epochs(Trajectory(files.config.removesuffix("/config.json"))))
    records, jumps = read_records(files.records), read_table(files.jumps)
    write_pages(records, output.pages, jumps, losses_of(files.phase1))
    write_book(output.pages, output.book, params.title)
    fig, table = plot_evolution(records, params.title, jumps)
    save_figure(fig, output.png, table)
