"""The figure of the battery of verdicts on recovered wiring."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from ontogeny.connectome.battery import summary
from ontogeny.connectome.outcome import KINDS
from ontogeny.files import write_csv
from ontogeny.plotting.style import COLOURS, INK, MUTED, figure, save_figure

_GROUPS = {"Wiring that can be recovered": True, "Wiring that cannot": False}
_COLOURS = dict(zip(KINDS, (COLOURS[2], MUTED, COLOURS[1])))


def write_battery(table: pd.DataFrame, out: str | os.PathLike) -> list[Path]:
    """Write the battery's rows, its summary and its figure into the folder `out`; the paths."""
    folder, short = Path(out), summary(table)
    write_csv(folder / "connectome_cases.csv", table)
    write_csv(folder / "connectome_validity.csv", short)
    return [
        folder / "connectome_cases.csv",
        folder / "connectome_validity.csv",
        *plot_battery(short, folder / "connectome_validity_figure"),
    ]


def plot_battery(short: pd.DataFrame, path: str | os.PathLike) -> list[Path]:
    """Draw how often each case was trusted, undetermined or wrong; `short` is what `summary` gives."""
    groups = [(words, part) for words, able in _GROUPS.items() if len(part := short[short["recoverable"] == able])]
    sizes = [len(part) for _, part in groups]
    fig, panels = figure(
        len(groups), 1, width=6.4, height=1.4 + 0.24 * sum(sizes), sharex=True, squeeze=False, height_ratios=sizes
    )
    for ax, (words, part) in zip(panels[:, 0], groups):
        ranks = np.arange(len(part))
        left = np.zeros(len(part))
        for kind, colour in _COLOURS.items():
            share = (part[kind] / part["seeds"]).to_numpy(float)
            ax.barh(ranks, share, left=left, color=colour, height=0.7, label=kind)
            left += share
        ax.hlines(ranks, part["low"], part["high"], color=INK, lw=1.2)
        ax.set_yticks(ranks, part["case"])
        ax.set_ylim(len(part) - 0.4, -0.6)
        ax.grid(axis="y", visible=False)
        ax.set_title(f"{words}: {int(part['trusted'].sum())} of {int(part['seeds'].sum())} trusted")
    panels[-1, 0].set_xlim(0, 1)
    panels[-1, 0].set_xlabel("share of recordings; lines: 95% interval of the share trusted")
    fig.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return save_figure(fig, path, data=short)


__all__ = ["plot_battery", "write_battery"]
