"""Pages of a judge's mechanism, drawn from its records: standalone HTML that works from disk without a network.

All pages of a folder share one `plotly.min.js`, so that a page is a few kilobytes. What pages say is in the templates
`texts.html`, `page.html` and `book.html`, which escape everything.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.files import json_text, read_json, write_json, write_text
from ontogeny.judge import figures
from ontogeny.judge.figures import SAFE_COLOUR, UNSAFE_COLOUR, short
from ontogeny.judge.record import measured, read_records
from ontogeny.plotting.templates import template

LIBRARY = "plotly.min.js"
Record = dict[str, Any]


@dataclass(frozen=True)
class Picture:
    """One picture of a mechanism: what it says, its negative control, the figure (None: nothing to draw), a table."""

    text: Markup
    control: Markup
    figure: go.Figure | None
    table: Markup = field(default_factory=Markup)

    @property
    def body(self) -> Markup:
        """All of it, as the body of a page."""
        return self.text + self.control + ("" if self.figure is None else _div(self.figure)) + self.table


def _div(fig: go.Figure) -> Markup:
    config = {"displaylogo": False, "responsive": True}
    return Markup(fig.to_html(full_html=False, include_plotlyjs=False, div_id="figure", config=config))


@cache
def _words() -> Any:
    """The macros of `texts.html`."""
    helpers = {
        "plain": short,
        "spread": _spread,
        "label": _label,
        "mean": np.mean,
        "pages_of": page_names,
        "measured": measured,
    }
    return template("ontogeny.judge", "texts.html").make_module(helpers)


def _spread(table: Record, name: str) -> str:
    low, high = short(table[f"{name}_low"]), short(table[f"{name}_high"])
    return f"{short(table[name])} (95% interval {low} to {high})"


def _label(sample: Record) -> str:
    return "unsafe" if sample["label"] else "safe"


def _tint(share: float) -> str:
    colour = UNSAFE_COLOUR if share > 0 else SAFE_COLOUR
    channels = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "rgb({},{},{})".format(*(round(255 + (c - 255) * min(1.0, abs(share)) * 0.75) for c in channels))


def page_names(record: Record) -> dict[str, str]:
    """The pages of one epoch: what they are called, and their files."""
    epoch = record["epoch"]
    pages = {}
    for sample in record["samples"]:
        name = sample["name"].replace("_", " ")
        pages[f"{name}: tokens"] = f"epoch_{epoch}_{sample['name']}_tokens.html"
        pages[f"{name}: layers"] = f"epoch_{epoch}_{sample['name']}_layers.html"
    for part, name, file in _PARTS:
        if record.get(part):
            pages[name] = f"epoch_{epoch}_{file}.html"
    return pages


_PARTS = (
    ("patching", "matched pairs", "circuit_comparison"),
    ("neurons", "neurons", "neuron_map"),
    ("circuit", "circuit", "circuits"),
)
"""Parts of a record that have a page: key, name, end of the file's name."""


def _page(record: Record | None, title: str, picture: Picture, file: str, epochs: Sequence[int] = ()) -> str:
    links = [("evolution", "evolution.html"), ("training", "training_progress.html")]
    where, notes = "", [] if record is None else record["notes"]
    if record is not None:
        epoch = record["epoch"]
        step = "" if record["step"] is None else f", step {record['step']}"
        where = f"{record['run']}, epoch {epoch}{step}"
        rest = file.removeprefix(f"epoch_{epoch}_")
        place = list(epochs).index(epoch) if epoch in epochs else -1
        if place > 0:
            links.append((f"← epoch {epochs[place - 1]}", f"epoch_{epochs[place - 1]}_{rest}"))
        if 0 <= place < len(epochs) - 1:
            links.append((f"epoch {epochs[place + 1]} →", f"epoch_{epochs[place + 1]}_{rest}"))
        links += [(name, page) for name, page in page_names(record).items() if page != file]
    else:
        links = [link for link in links if link[1] != file]
    return template("ontogeny.judge", "page.html").render(
        title=title, links=links, where=where, notes=notes, body=picture.body
    )


def tokens_picture(record: Record, sample: Record) -> Picture:
    """Attribution, occlusion and deletion curve of one prompt."""
    values = [0.0 if value is None or not sample["converged"] else value for value in sample["attribution"]]
    top = max(record["attribution"]["scale"] or 0.0, 1e-12)
    words = [
        {"token": token, "colour": _tint(value / top), "value": f"{value:+.3g}"}
        for token, value in zip(sample["tokens"], values)
    ]
    return Picture(
        _words().tokens(record, sample, words, "unsafe" if sample["score"] > 0 else "safe", _small(record, sample)),
        _words().tokens_control(record, sample),
        figures.tokens_figure(record, sample),
    )


def _small(record: Record, sample: Record) -> bool:
    """Whether a prompt changes the judgement so little that its attributions say nothing."""
    change = abs(sample["score"] - sample["baseline_score"])
    return change < max(0.1, 0.05 * (record["attribution"]["largest_change"] or 0.0))


def layers_picture(record: Record, sample: Record) -> Picture:
    """Norms, logit lens and probes by layer."""
    best = max(record["probes"], key=lambda row: row["auc"])
    return Picture(
        _words().layers(record, sample, best),
        _words().layers_control(record["probes"][-1]),
        figures.layers_figure(record, sample),
    )


def comparison_picture(record: Record) -> Picture:
    """Patching by layer and position on matched pairs, and where they part."""
    data = record["patching"]
    if not measured(record, "patching"):
        return _reason(data)
    return Picture(
        _words().comparison(data, any(value is not None for row in data["restored"] for value in row)),
        _words().comparison_control(data),
        figures.comparison_figure(record),
    )


def neurons_picture(record: Record) -> Picture:
    """AUROC of neurons, the effects of single ablations, and what ablating those found does."""
    data = record["neurons"]
    if not measured(record, "neurons"):
        return _reason(data)
    return Picture(_words().neurons(data), _words().neurons_control(data), figures.neurons_figure(record))


def circuits_picture(record: Record) -> Picture:
    """The circuit, layer by layer, and its faithfulness against random subgraphs."""
    data = record["circuit"]
    if not measured(record, "circuit"):
        return _reason(data)
    drawn = min(len(data["strongest"]), data["size"] or 0)
    return Picture(_words().circuit(data, drawn), _words().circuit_control(data), figures.circuits_figure(record))


def _reason(part: Record) -> Picture:
    """The picture of a part that could not be measured: why."""
    return Picture(_words().reason(part["reason"]), _words().reason_control(), None)


def evolution_picture(records: Sequence[Record], jumps: pd.DataFrame | None = None) -> Picture:
    """All measures on one time axis, with the jumps of the run's dimensionality."""
    moments = figures.jump_epochs(jumps, records).to_dict("records")
    probe = max(records[-1]["probes"], key=lambda row: row["auc"])
    return Picture(
        _words().evolution(records, moments),
        _words().evolution_control(records[-1], probe),
        figures.evolution_figure(records, jumps),
        _words().jumps(moments),
    )


def progress_picture(records: Sequence[Record], losses: pd.DataFrame | None = None) -> Picture:
    """Performance on held-out prompts by epoch, the training loss, and links to all pages.

    losses: columns step, loss; drawn if given.
    """
    return Picture(
        _words().progress(records[-1]),
        _words().progress_control(records[-1]["metrics"]),
        figures.progress_figure(records, losses),
        _words().epochs(records),
    )


def losses_of(phase1: str | os.PathLike) -> pd.DataFrame:
    """The training loss in a Phase 1 record of this project, columns step and loss."""
    layers = [entry for key, entry in read_json(phase1).items() if key != "metadata" and "loss" in entry]
    return pd.DataFrame({name: layers[0][name] for name in ("step", "loss")} if layers else {"step": [], "loss": []})


def epoch_metrics(record: Record) -> Record:
    """The numbers of one epoch that `epoch_{N}_metrics.json` holds."""
    probes = [row["auc"] for row in record["probes"]]
    result = {"run": record["run"], "epoch": record["epoch"], "step": record["step"], **record["metrics"]}
    result |= {"probe_auc": probes, "deletion_gap": record["attribution"]["gap"]}
    if measured(record, "patching"):
        result["pair_difference"] = record["patching"]["difference"]
    if measured(record, "neurons"):
        result["neurons_found"] = record["neurons"]["found"]
    if measured(record, "circuit"):
        result["circuit_edges"] = record["circuit"]["size"]
    return result


NUMBERS = {"auc": "AUC", "accuracy": "accuracy", "f1": "F1", "loss": "loss", "decoy_accuracy": "on decoys"}


def numbers_table(records: Sequence[Record]) -> Markup:
    """The performance of these records with its intervals, one row per epoch."""
    return _words().numbers(records, NUMBERS)


def not_measured(part: str) -> Picture:
    """The picture of a part that a record does not have."""
    return Picture(_words().not_measured(part), Markup(), None)


def write_epoch(record: Record, folder: str | os.PathLike, epochs: Sequence[int] = ()) -> list[Path]:
    """Write all pages of one record, and its metrics, into `folder`; return the paths. `epochs` are those linked to."""
    folder = Path(folder)
    epoch = record["epoch"]
    pages: dict[str, tuple[str, Picture]] = {}
    for sample in record["samples"]:
        what = sample["name"].replace("_", " ")
        stem = f"epoch_{epoch}_{sample['name']}"
        pages[f"{stem}_tokens.html"] = (f"Which tokens decide: {what}", tokens_picture(record, sample))
        pages[f"{stem}_layers.html"] = (f"Layer by layer: {what}", layers_picture(record, sample))
    for (part, _, file), title, draw in zip(_PARTS, _TITLES, (comparison_picture, neurons_picture, circuits_picture)):
        if record.get(part):
            pages[f"epoch_{epoch}_{file}.html"] = (title, draw(record))
    _write_library(folder)
    for file, (title, picture) in pages.items():
        write_text(folder / file, _page(record, title, picture, file, epochs))
    write_json(folder / f"epoch_{epoch}_metrics.json", epoch_metrics(record))
    return [*(folder / file for file in pages), folder / f"epoch_{epoch}_metrics.json"]


_TITLES = ("Where safe and unsafe part", "Neurons that tell unsafe from safe", "The circuit")


def write_pages(
    records: Sequence[Record],
    folder: str | os.PathLike,
    jumps: pd.DataFrame | None = None,
    losses: pd.DataFrame | None = None,
) -> list[Path]:
    """Write the pages of all records, `training_progress.html` and `evolution.html`; return the paths.

    jumps: the run's jumps (columns layer, metric, step, significant). losses: columns step, loss. Raises OntogenyError
    without a record.
    """
    if not records:
        raise OntogenyError("there is no record to draw: measure the mechanism at one epoch at least")
    folder = Path(folder)
    epochs = [record["epoch"] for record in records]
    written = [path for record in records for path in write_epoch(record, folder, epochs)]
    run = records[-1]["run"]
    name = f": {run}" if run else ""
    for file, title, picture in (
        ("evolution.html", f"How the mechanism forms{name}", evolution_picture(records, jumps)),
        ("training_progress.html", f"Training progress{name}", progress_picture(records, losses)),
    ):
        write_text(folder / file, _page(None, title, picture, file))
        written.append(folder / file)
    return written


def write_book(folder: str | os.PathLike, path: str | os.PathLike, title: str) -> None:
    """Write the pages that `write_pages` left in `folder` as one HTML file, which needs no other and no network.

    Raises OntogenyError if the pages are not there.
    """
    pages = {page.name: page.read_text(encoding="utf-8") for page in sorted(Path(folder).glob("*.html"))}
    if "training_progress.html" not in pages:
        raise OntogenyError(f"{folder} holds no page training_progress.html; write the pages first")
    inside = Markup(json_text(pages, indent=None).replace("<", "\\u003c"))
    book = template("ontogeny.judge", "book.html")
    write_text(path, book.render(title=title, library=Markup(get_plotlyjs()), pages=inside))


def _write_library(folder: Path) -> None:
    if not (folder / LIBRARY).exists():
        write_text(folder / LIBRARY, get_plotlyjs())


@checks_arguments
def visualise_epoch(model: Any, bench: Any, epoch: int, folder: str | os.PathLike, step: int | None = None) -> Record:
    """Measure a judge in the middle of somebody's own training loop, and write the pages of this epoch.

    `bench` is an `ontogeny.judge.MechanismBench`. The record is kept beside the pages, in `folder`/records, so that
    `training_progress.html` and `evolution.html` show all epochs so far. Returns the record. The model, its mode and
    the global random state stay as they were.
    """
    folder = Path(folder)
    record = bench.measure(model, epoch, step)
    write_json(folder / "records" / f"epoch_{epoch}.json", record, indent=None)
    write_pages(read_records(folder / "records"), folder)
    return record
