"""The figure of the battery of verdicts on recovered wiring."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from ontogeny.connectome.battery import summary
from ontogeny.files import write_csv
from ontogeny.plotting.style import COLOURS, INK, MUTED, figure, save_figure

_COLOURS = {"trusted": COLOURS[2], "undetermined": MUTED, "wrong": COLOURS[1]}


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
    fig, ax = figure(width=6.4, height=1.2 + 0.26 * len(short))
    ranks = np.arange(len(short))[::-1]
    left = np.zeros(len(short))
    for kind, colour in _COLOURS.items():
        share = (short[kind] / short["seeds"]).to_numpy(float)
        ax.barh(ranks, share, left=left, color=colour, height=0.7, label=kind)
        left += share
    ax.hlines(ranks, short["low"], short["high"], color=INK, lw=1.2)
    names = [f"{name}{'' if able else ' (no)'}" for name, able in zip(short["case"], short["recoverable"])]
    ax.set_yticks(ranks, names)
    ax.set_xlim(0, 1)
    ax.set_xlabel("share of recordings; lines: 95% interval of the share trusted")
    ax.set_title("Verdicts where wiring can be recovered, and where it cannot (no)")
    fig.legend(loc="outside lower center", ncols=3)
    return save_figure(fig, path, data=short)


__all__ = ["plot_battery", "write_battery"]
