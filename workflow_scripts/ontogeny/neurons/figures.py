"""Figures of single neurons before and after captured moments."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ontogeny.plotting.style import COLOURS, GRID, JUMP, MUTED, figure

_KINDS = {
    "jump": (JUMP, "jump"),
    "control": (MUTED, "quiet control"),
    "start": (COLOURS[0], "start of training"),
    "end": (COLOURS[2], "end of training"),
}


def plot_neuron_change(units: pd.DataFrame, summary: pd.DataFrame, title: str) -> Figure:
    """How units change at jumps and at quiet controls, by layer, input layers at the top.

    Without a jump, the start and the end of training are shown. Left: standardised change of every unit, one dot each,
    with the middle half as a bar. Right: share of units whose change is significant, with its Wilson interval, one
    line a moment. `units` has columns moment, kind, layer, effect_size; `summary` moment, kind, layer, share,
    share_low, share_high.
    """
    layers = list(dict.fromkeys(summary["layer"]))
    fig, (left, right) = figure(1, 2, width=8.4, height=0.42 * len(layers) + 1.7, sharey=True, width_ratios=[3, 2])
    there = set(summary["kind"])
    kinds = [kind for kind in _KINDS if kind in there]
    if "jump" in there:
        kinds = [kind for kind in kinds if kind in ("jump", "control")]
    generator = np.random.default_rng(0)
    for place, kind in enumerate(kinds):
        colour, label = _KINDS[kind]
        shift = (place - (len(kinds) - 1) / 2) * 0.72 / len(kinds)
        for row, layer in enumerate(layers):
            here = units[(units["kind"] == kind) & (units["layer"] == layer)]["effect_size"]
            values = here.to_numpy(float)
            values = values[np.isfinite(values)]
            if len(values):
                jitter = generator.uniform(-0.12, 0.12, len(values))
                left.scatter(values, row + shift + jitter, s=5, color=colour, alpha=0.45, linewidths=0)
                low, middle, high = np.percentile(values, [25, 50, 75])
                left.plot([low, high], [row + shift] * 2, color=colour, linewidth=3, solid_capstyle="butt", alpha=0.9)
                left.plot(middle, row + shift, "|", color="white", markersize=6)
            moments = summary[(summary["kind"] == kind) & (summary["layer"] == layer)]
            spread = np.linspace(-0.12, 0.12, len(moments)) if len(moments) > 1 else [0.0]
            for offset, (_, moment) in zip(spread, moments.iterrows()):
                place_y = row + shift + offset
                right.plot([moment["share_low"], moment["share_high"]], [place_y] * 2, color=colour, linewidth=1.2)
                right.plot(moment["share"], place_y, "o", color=colour, markersize=3.5)
        left.plot([], [], "o", color=colour, label=label)
    left.axvline(0, color=GRID, zorder=0)
    left.set_yticks(range(len(layers)), layers)
    left.set_ylim(len(layers) - 0.4, -0.6)
    left.set(xlabel="change of a unit's mean, in standard deviations", title=f"{title}: neurons before and after")
    right.set(xlabel="share of units that change", xlim=(-0.02, 1.02))
    for axis in (left, right):
        axis.grid(axis="y", visible=False)
    fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(kinds))
    return fig
