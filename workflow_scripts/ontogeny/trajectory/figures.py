"""Whether a series of checkpoints is what it says, in a picture."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ontogeny.plotting.style import COLOURS, JUMP, MUTED, figure, log_axis, step_axis


def plot_integrity(table: pd.DataFrame, title: str) -> Figure:
    """Distance of every checkpoint to the first and the last, and how far it lies off the path of its neighbours.

    table: of `check_series`. Steps that make the series false are marked, each with what is wrong written below.
    """
    fig, (above, below) = figure(2, 1, width=7.4, height=5.2, sharex=True)
    for name, label, colour in (
        ("distance_first", "to the first", COLOURS[0]),
        ("distance_last", "to the last", COLOURS[2]),
        ("distance_previous", "to the one before", MUTED),
    ):
        above.plot(table["step"], table[name], "o-", markersize=3, color=colour, label=label)
    below.plot(table["step"], table["detour"].clip(upper=1e6), "o-", markersize=3, color=COLOURS[0])
    below.axhline(2.0, color=MUTED, linestyle=":", label="off the path above this")
    _mark(above, below, table)
    above.set(ylabel="distance of weights", title=f"{title}: checkpoints")
    below.set(ylabel="distance to the nearer neighbour\nover that of both", xlabel="training step")
    log_axis(below)
    step_axis(below, table["step"])
    for axes in (above, below):
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    problems = table[table["problem"].fillna("") != ""]
    said = [f"step {row.step}: {row.problem}" for row in problems.itertuples()]
    text = "\n".join(each if len(each) < 110 else each[:107] + "..." for each in said[:6])
    more = f"\nand {len(said) - 6} more steps" if len(said) > 6 else ""
    fig.supxlabel(text + more if said else "no step makes the series false", fontsize=7, x=0.01, ha="left")
    return fig


def _mark(above: Axes, below: Axes, table: pd.DataFrame) -> None:
    wrong = table[~table["kept"].astype(bool)]
    for place, step in enumerate(wrong["step"]):
        for axes in (above, below):
            axes.axvline(step, color=JUMP, linewidth=0.9, linestyle="--", zorder=0)
        if not place:
            above.plot([], [], color=JUMP, linewidth=0.9, linestyle="--", label="makes the series false")
