"""Figures of a study across its runs, from its tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ontogeny.errors import unknown
from ontogeny.files import disk_errors, read_table, write_csv
from ontogeny.jumps import jump_kinds
from ontogeny.jumps.answer import Answer
from ontogeny.jumps.figures import plot_heat_map, plot_measures
from ontogeny.jumps.runs_figures import (
    plot_agreement,
    plot_comparison,
    plot_convergence,
    plot_critical_periods,
    plot_jump_kinds,
    plot_jump_overview,
)
from ontogeny.jumps.study import analyse_study
from ontogeny.phase1 import Phase1, read_phase1, safe_name
from ontogeny.plotting.style import MUTED, figure, save_figure

Drawing = tuple[Figure, pd.DataFrame]


def draw_study(name: str, folder: str | os.PathLike) -> Drawing:
    """One of `FIGURES`, from the tables of `ontogeny.jumps.study` as CSV files in `folder`, and the table it shows.

    Raises OntogenyError for an unknown figure or a table that cannot be read.
    """
    if name not in FIGURES:
        raise unknown("figure", name, FIGURES)
    return FIGURES[name](lambda table: read_table(Path(folder) / f"{table}.csv"))


def write_analysis(output: Any) -> None:
    """Analyse what `ontogeny.jumps.study.gather` wrote to `output`, and write the tables and figures.

    `output` has the paths that `gather` takes, of each table `table_{name}`, and of each figure its name (.png).
    """
    held = map(read_table, (output.jumps, output.series, output.groups))
    for name, table in analyse_study(read_phase1(output.record), *held).items():
        write_csv(output[f"table_{name}"], table)
    for name in FIGURES:
        drawn, table = draw_study(name, Path(output.record).parent)
        save_figure(drawn, output[name], table)


def draw_heat_maps(
    record: Phase1, jumps: pd.DataFrame, folder: str | os.PathLike, answers: Sequence[Answer] = ()
) -> None:
    """Write the heat map of every run of `record` as `{run}.png` into `folder`, names made safe for files.

    A run without layers has its measures over training instead, with the step that `answers` has for it.

    The measurements that it shows are beside it, as `{run}.csv`.
    """
    with disk_errors(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
    for run in record.runs:
        if record.layers_of(run):
            drawn = plot_heat_map(record, run, jumps[jumps["run"] == run])
        else:
            drawn = plot_measures(record, run, next((each for each in answers if each.run == run), None))
        shown = record.frame[record.frame["run"] == run]
        save_figure(drawn, Path(folder) / f"{safe_name(run)}.png", shown, formats=["png"])


Tables = Callable[[str], pd.DataFrame]


def _overview(tables: Tables) -> Drawing:
    rates = tables("rates")
    groups = dict(zip(rates["run"], rates["family"]))
    return plot_jump_overview(tables("characterised"), rates, groups), rates


def _nothing(sentence: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    drawn, axes = figure(width=6.0, height=1.4)
    axes.set_axis_off()
    axes.text(0.5, 0.5, sentence, ha="center", va="center", wrap=True, color=MUTED)
    return drawn


def _without_jumps(tables: Tables) -> str:
    rates = tables("rates")
    runs = rates["run"].nunique()
    return f"No jump is significant in the {len(rates)} series of {runs} {'run' if runs == 1 else 'runs'}."


def _kinds(tables: Tables) -> Drawing:
    jumps, evidence = tables("characterised"), tables("kinds_evidence")
    if jumps.empty:
        return _nothing(_without_jumps(tables)), jumps
    reason = str(evidence["reason"].iloc[0]) if len(evidence) else jump_kinds(jumps).reason
    return plot_jump_kinds(jumps, jumps["cluster"].to_numpy(), evidence, reason), jumps


def _convergence(tables: Tables) -> Drawing:
    layers = tables("convergence")
    known = list(dict.fromkeys(layers["metric"]))
    metric = "participation_ratio" if "participation_ratio" in known else known[0]
    return plot_convergence(layers, tables("order"), metric), layers


def _critical_periods(tables: Tables) -> Drawing:
    coordination, relation = tables("coordination"), tables("loss_relation")
    if tables("characterised").empty:
        return _nothing(_without_jumps(tables)), coordination
    sentence = str(relation["sentence"].iloc[0]) if len(relation) else ""
    return plot_critical_periods(coordination, relation, sentence=sentence), coordination


def _agreement(tables: Tables) -> Drawing:
    table = tables("agreement")
    return plot_agreement(table), table


def _comparison(tables: Tables) -> Drawing:
    rates, comparisons = tables("rates"), tables("comparisons")
    chosen = comparisons[(comparisons["value"] == "jump rate") & (comparisons["group"] == "family")]
    columns = ["a", "b", "difference", "low", "high", "p_holm"]
    return plot_comparison(
        rates,
        chosen.reindex(columns=[*columns, *chosen.columns.difference(columns)]),
        "rate",
        "family",
        label="Changes per 1,000 measurements",
    ), comparisons


FIGURES: dict[str, Callable[[Tables], Drawing]] = {
    "overview": _overview,
    "kinds": _kinds,
    "convergence": _convergence,
    "critical_periods": _critical_periods,
    "agreement": _agreement,
    "comparison": _comparison,
}
"""The figures of a study by name. To add one: a function from its tables, and an entry here."""
