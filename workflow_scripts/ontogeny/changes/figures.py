"""What changed at jumps beside what changed at matched controls: figures of a run, and of a study."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ontogeny.changes.compare import ALPHA, FAMILIES, FARTHEST, ratios_of_run
from ontogeny.changes.study import ALL
from ontogeny.files import disk_errors
from ontogeny.phase1 import safe_name
from ontogeny.plotting.style import DIVERGING, INK, MUTED, colour_map, figure, save_figure

_MOST_SHOWN = 3.0
"""Log2 of the ratios with which the colours of `plot_change_kinds` end."""


def draw_run_changes(tables: Mapping[str, pd.DataFrame], titles: Mapping[str, str], folder: str | os.PathLike) -> None:
    """Write `plot_run_changes` of every run as `{run}.png` into `folder`, with the table that it shows beside it.

    Runs without a jump that has a matched control are left out.
    """
    with disk_errors(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
    for run, table in tables.items():
        shown = ratios_of_run(table)
        if len(shown):
            drawn = plot_run_changes(shown, titles[run])
            save_figure(drawn, Path(folder) / f"{safe_name(run)}.png", shown, formats=["png"])


def plot_run_changes(ratios: pd.DataFrame, title: str) -> Figure:
    """Every quantity's change, by how much larger it is than at a matched control: one mark per layer, by jump.

    ratios: of `ratios_of_run`. Filled marks differ from the matched control beyond chance over samples (corrected),
    hollow ones do not; small crosses are quantities without samples, such as weights. Ratios beyond 64 are drawn at
    the edge.
    """
    order = {family: place for place, family in enumerate(FAMILIES)}
    rows = list(dict.fromkeys(zip(ratios["family"], ratios["quantity"])))
    rows.sort(key=lambda row: order[row[0]])
    fig, axis = figure(1, 1, width=7.4, height=0.23 * max(len(rows), 4) + 1.5)
    moments = list(dict.fromkeys(ratios["moment"]))
    colours = colour_map(moments)
    generator = np.random.default_rng(0)
    for place, moment in enumerate(moments):
        shift = (place - (len(moments) - 1) / 2) * 0.7 / len(moments)
        for y, row in enumerate(rows):
            here = ratios[(ratios["moment"] == moment) & (ratios["family"] == row[0]) & (ratios["quantity"] == row[1])]
            x = here["ratio"].clip(1 / FARTHEST, FARTHEST).to_numpy()
            heights = y + shift + generator.uniform(-0.07, 0.07, len(x))
            p_values = here["p_adjusted"].to_numpy(dtype=float)
            untested = np.isnan(p_values)
            sure = p_values <= ALPHA
            axis.scatter(x[sure], heights[sure], s=17, color=colours[moment], linewidths=0, zorder=3)
            rest = ~sure & ~untested
            axis.scatter(
                x[rest], heights[rest], s=15, facecolors="white", edgecolors=colours[moment], linewidths=0.9, zorder=3
            )
            axis.scatter(
                x[untested], heights[untested], s=14, marker="x", color=colours[moment], linewidths=0.9, zorder=3
            )
        axis.scatter([], [], color=colours[moment], s=17, label=moment)
    if len(ratios) and ratios["p_adjusted"].notna().any():
        axis.scatter([], [], facecolors="white", edgecolors=MUTED, s=15, label="within chance")
    axis.scatter([], [], marker="x", color=MUTED, s=14, label="no test")
    starts = [y for y in range(len(rows)) if y == 0 or rows[y][0] != rows[y - 1][0]]
    for y in starts:
        axis.axhline(y - 0.5, color=MUTED, linewidth=0.5)
        axis.text(
            1.01, y, rows[y][0], transform=axis.get_yaxis_transform(), va="center", fontsize=8, color=INK, weight="bold"
        )
    axis.axvline(1, color=INK, linewidth=0.9)
    axis.set_xscale("log", base=2)
    reached = ratios["ratio"].replace(np.inf, FARTHEST).clip(1 / FARTHEST, FARTHEST)
    edge = float(max(4.0, reached.max(), 1 / reached.min())) * 1.25 if len(ratios) else 4.0
    axis.set_xlim(1 / edge, edge)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}" if value >= 1 else f"1/{1 / value:g}")
    axis.set_yticks(range(len(rows)), [quantity for _, quantity in rows])
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("size of the change at the jump or transition, over that at the matched control")
    axis.set_title(f"{title}: before and after")
    fig.legend(loc="outside lower center", ncols=4)
    return fig


def plot_change_kinds(table: pd.DataFrame, title: str) -> Figure:
    """Which kinds of change go with which architecture: ratios of the change at jumps to that at matched controls.

    table: first of `changes_of_study`. Blue is less, red more; a star marks what is beyond chance after correction.
    "only": it changes at jumps and not at controls; "none": at controls and not at jumps.
    """
    names = [name for name in dict.fromkeys(table["architecture"]) if name != ALL] + [ALL]
    order = {family: place for place, family in enumerate(FAMILIES)}
    table = table[(table["at_jump"] != 0) | (table["at_control"] != 0)]
    rows = sorted(dict.fromkeys(zip(table["family"], table["quantity"])), key=lambda row: order[row[0]])
    fig, axis = figure(1, 1, width=2.6 + 1.1 * max(len(names), 2), height=0.23 * max(len(rows), 4) + 1.5)
    if not rows:
        axis.text(0.5, 0.5, "no jump of this study has a matched control to compare with", ha="center", color=MUTED,
                  transform=axis.transAxes)  # fmt: skip
        axis.set_axis_off()
        axis.set_title(title)
        return fig
    cells = table.set_index(["family", "quantity", "architecture"])
    values = np.full((len(rows), len(names)), np.nan)
    starred = 0
    for y, row in enumerate(rows):
        for x, name in enumerate(names):
            if (*row, name) in cells.index:
                cell = cells.loc[(*row, name)]
                values[y, x], shown = _cell(cell["ratio"], cell["at_jump"], cell["at_control"])
                starred += (star := bool(cell["p_adjusted"] <= ALPHA))
                shown += "*" * star
                dark = abs(values[y, x]) > 2.2
                axis.text(x, y, shown, ha="center", va="center", fontsize=7.5, color="white" if dark else INK)
    drawn = axis.imshow(values, cmap=DIVERGING, vmin=-_MOST_SHOWN, vmax=_MOST_SHOWN, aspect="auto")
    counts = table.groupby("architecture")[["runs", "jumps"]].max()
    said = [f"{name}\n{_count(counts, name, 'runs')}, {_count(counts, name, 'jumps')}" for name in names]
    axis.set_xticks(range(len(names)), said)
    axis.tick_params(axis="x", labelsize=7)
    axis.set_yticks(range(len(rows)), [f"{family}: {quantity}" for family, quantity in rows])
    for y in range(1, len(rows)):
        if rows[y][0] != rows[y - 1][0]:
            axis.axhline(y - 0.5, color="white", linewidth=3)
    axis.grid(False)
    axis.set_title(title)
    bar = fig.colorbar(drawn, ax=axis, shrink=0.5, pad=0.02, ticks=[-3, -2, -1, 0, 1, 2, 3])
    bar.ax.set_yticklabels(["1/8", "1/4", "1/2", "1", "2", "4", "8"])
    bar.set_label("change at jumps / at matched controls" + ("; *: beyond chance" if starred else ""))
    bar.outline.set_visible(False)
    return fig


def _cell(ratio: float, at_jump: float, at_control: float) -> tuple[float, str]:
    """Log2 of the ratio, infinite where one of the two is 0, and what is written."""
    if np.isfinite(ratio) and ratio > 0:
        return np.log2(ratio), f"{ratio:.2g}"
    if at_jump > 0 and at_control > 0:  # in no jump both
        return np.nan, "–"
    return (_MOST_SHOWN, "only") if at_jump > 0 else (-_MOST_SHOWN, "none")


def _count(counts: pd.DataFrame, name: str, what: str) -> str:
    number = int(counts.loc[name, what])
    return f"{number} {what if number != 1 else what[:-1]}"
