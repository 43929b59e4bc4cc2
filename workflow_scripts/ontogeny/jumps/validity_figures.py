"""The figure of the validity battery: false alarms in series without a jump, and recall of planted ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ontogeny.files import write_csv
from ontogeny.jumps.validity import BARS, false_alarm_bar
from ontogeny.plotting.style import COLOURS, INK, MUTED, colour_map, figure, panel_letter, save_figure

if TYPE_CHECKING:
    import pandas as pd


def write_battery(table: pd.DataFrame, out: str | os.PathLike) -> list[Path]:
    """Write a battery's table (validity.csv) and its figure (validity_figure) into the folder `out`; the paths."""
    folder = Path(out)
    write_csv(folder / "validity.csv", table)
    return [folder / "validity.csv", *plot_validity(table, folder / "validity_figure")]


def plot_validity(table: pd.DataFrame, path: str | os.PathLike) -> list[Path]:
    """Draw a battery's table (`ontogeny.jumps.validity.run_battery`) to `path` as PNG and PDF, data beside as CSV.

    Left: false alarms per 1000 points in every null, by length, with 95% intervals, and the bars. Right: recall
    against the size of the step on every background, one panel per length.
    """
    nulls = table[table["kind"] == "null"]
    steps = table[table["kind"] == "step"]
    lengths = sorted(table["length"].unique())
    families = list(dict.fromkeys(nulls["series"]))
    panels = 1 + (len(lengths) if len(steps) else 0)
    fig, axes = figure(
        1,
        panels,
        width=3.9 + 2.7 * (panels - 1),
        height=max(3.4, 1.3 + 0.2 * len(families)),
        squeeze=False,
        width_ratios=[1.35] + [1] * (panels - 1),
    )
    left = axes[0, 0]
    colours = colour_map(lengths)
    ranks = np.arange(len(families))[::-1]
    for k, length in enumerate(lengths):
        rows = nulls[nulls["length"] == length].set_index("series").reindex(families)
        shift = (k - (len(lengths) - 1) / 2) * -0.28
        rate = rows["per_1000"].to_numpy(float)
        error = [rate - rows["per_1000_low"].to_numpy(float), rows["per_1000_high"].to_numpy(float) - rate]
        left.errorbar(
            rate,
            ranks + shift,
            xerr=error,
            fmt="o",
            ms=3.5,
            lw=1,
            color=colours[length],
            label=f"{length} measurements",
        )
    for bar in sorted({false_alarm_bar(length) for length in lengths}):
        where = [length for length in lengths if false_alarm_bar(length) == bar]
        left.axvline(bar, color=colours[where[0]], ls="--", lw=1)
    left.set_xscale("symlog", linthresh=0.1, linscale=0.6)
    top = max(2.0, 1.3 * float(nulls["per_1000_high"].max()))
    left.set_xlim(-0.01, top)
    ticks = [t for t in (0, 0.1, 0.5, 1.5, 5, 20, 100, 500) if t <= top]
    left.set_xticks(ticks, [f"{t:g}" for t in ticks])
    left.minorticks_off()
    left.set_yticks(ranks, [name.replace("_", " ") for name in families])
    left.set_ylim(-1.9, len(families) - 0.3)
    left.set_xlabel("false alarms per 1,000 measurements (dashed: bar)")
    left.set_title(f"Series without a jump: {table['detector'].iloc[0]}")
    left.legend(loc="lower left", ncols=len(lengths), borderaxespad=0.2)
    for k, length in enumerate(lengths if len(steps) else []):
        panel = axes[0, 1 + k]
        for i, background in enumerate(dict.fromkeys(steps["series"])):
            rows = steps[(steps["length"] == length) & (steps["series"] == background)].sort_values("sigmas")
            size, recall = rows["sigmas"].to_numpy(float), rows["recall"].to_numpy(float)
            colour = COLOURS[(i + 2) % len(COLOURS)]
            panel.plot(size, recall, "-o", ms=3, color=colour, label=background.replace("_", " "))
            panel.fill_between(size, rows["recall_low"], rows["recall_high"], color=colour, alpha=0.15, lw=0)
        panel.axhline(BARS["recall"], color=MUTED, ls="--", lw=1)
        panel.axvline(BARS["recall_sigmas"], color=MUTED, ls="--", lw=1)
        panel.set_ylim(-0.03, 1.03)
        panel.set_xlabel("size of the step (local σ)")
        panel.set_ylabel("share found within 2 measurements" if k == 0 else "")
        panel.set_title(f"Recall, {length} measurements")
        if k == 0:
            panel.legend(loc="lower right", labelcolor=INK, frameon=True, edgecolor="none", framealpha=0.85)
    for letter, panel in zip("abcdef", axes[0]):
        panel_letter(panel, letter)
    return save_figure(fig, path, data=table)
