"""Figures of single units: before and after captured moments, what they are worth, what they answer to."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, NullLocator

from ontogeny.jumps.plan import EVENTS
from ontogeny.plotting.style import (
    COLOURS,
    DIVERGING,
    GRID,
    INK,
    JUMP,
    MUTED,
    PlainTicks,
    colour_map,
    figure,
    from_zero,
)
from ontogeny.statistics import proportion_interval

CONTROLS = {
    "none": ("the network", COLOURS[0]),
    "shuffled labels": ("shuffled labels", COLOURS[1]),
    "untrained": ("untrained", MUTED),
}
"""What a finding about units is set beside: the control, its label and its colour."""

_KINDS = {
    "jump": (JUMP, "jump"),
    "transition": (COLOURS[3], "transition"),
    "control": (MUTED, "matched controls"),
    "start": (COLOURS[0], "start of training"),
    "end": (COLOURS[2], "end of training"),
}


def plot_neuron_change(units: pd.DataFrame, summary: pd.DataFrame, title: str) -> Figure:
    """How units change at jumps and at matched controls, by layer, input layers at the top.

    Without a jump, the start and the end of training are shown. Left: standardised change of every unit, one dot each,
    with the middle half as a bar. Right: share of units whose change is significant, with its Wilson interval, one
    line per moment. `units` has columns moment, kind, layer, effect_size; `summary` moment, kind, layer, share,
    share_low, share_high.
    """
    layers = list(dict.fromkeys(summary["layer"]))
    fig, (left, right) = figure(1, 2, width=8.4, height=0.42 * len(layers) + 1.7, sharey=True, width_ratios=[3, 2])
    there = set(summary["kind"])
    kinds = [kind for kind in _KINDS if kind in there]
    if there & set(EVENTS):
        kinds = [kind for kind in kinds if kind in (*EVENTS, "control")]
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


def plot_importance_of_run(
    importance: pd.DataFrame, agreement: pd.DataFrame, change: pd.DataFrame, title: str
) -> Figure:
    """What units are worth at the end, beside controls; whether measures agree; and what moved across jumps.

    importance, agreement, change: tables of `ontogeny.neurons.importance_run`.
    """
    layers = list(dict.fromkeys(importance["layer"]))
    wide = max(7.6, 1.05 * len(layers) + 1.8)
    fig, axes = figure(2, 2, width=wide, height=6.4, height_ratios=[1.25, 1])
    grid = axes[0, 0].get_gridspec()
    for panel in axes[0]:
        panel.remove()
    _importance_strip(fig.add_subplot(grid[0, :]), importance, layers, title)
    _agreement_matrix(axes[1, 0], agreement, layers)
    _change_or_course(axes[1, 1], importance, change, layers)
    return fig


def _importance_strip(axes: Axes, importance: pd.DataFrame, layers: list[str], title: str) -> None:
    end = importance[(importance["measure"] == "ablation zero") & importance["control_p_value"].notna()]
    generator = np.random.default_rng(0)
    counts = []
    for shift, (control, (name, colour)) in zip((-0.27, 0.0, 0.27), CONTROLS.items()):
        found = end[end["control"] == control]
        for place, layer in enumerate(layers):
            part = found[found["layer"] == layer]
            jitter = generator.uniform(-0.1, 0.1, len(part))
            out = part["stands_out"].to_numpy(bool)
            for chosen, alpha in ((~out, 0.3), (out, 0.9)):
                axes.plot(
                    place + shift + jitter[chosen], part["value"][chosen], "o", markersize=3, alpha=alpha, color=colour,
                    markeredgewidth=0,
                )  # fmt: skip
        axes.plot(
            [], [], "o", color=colour, markersize=4, label=f"{name}: {int(found['stands_out'].sum())} of {len(found)}"
        )
    for layer in layers:
        own = end[(end["layer"] == layer) & (end["control"] == "none")]
        counts.append(f"{_wrapped(layer)}\n{int(own['stands_out'].sum())} of {len(own)}")
    fine = max(float(end.loc[end["control"] == "untrained", "value"].abs().max()), 1e-6)
    axes.set_yscale("symlog", linthresh=fine)
    axes.set_yticks(_ticks(*axes.get_ylim(), fine))
    axes.yaxis.set_major_formatter(PlainTicks())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.axhline(0, color=INK, linewidth=0.6)
    axes.set_xticks(range(len(layers)), counts)
    axes.grid(axis="x", visible=False)
    axes.set_ylabel("change of loss when\na unit is ablated (nats)")
    step = int(end["step"].dropna().iloc[0])
    axes.set_title(f"{title}: importance of units, step {step}")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title="stand out against\nuntrained units")


def _ticks(low: float, high: float, fine: float) -> list[float]:
    """Ticks of an axis that is linear up to `fine` and logarithmic beyond: at least three, 0 among them if it shows."""
    for digits in ((1,), (1, 3), (1, 2, 5)):
        sizes = [digit * 10.0**power for power in range(-12, 4) for digit in digits]
        found = [sign * size for size in sizes for sign in (-1, 1) if size > 1.5 * fine and low <= sign * size <= high]
        if len(found) >= 2:
            return sorted([*found, *([0.0] if low <= 0 <= high else [])])
    return [float(tick) for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high]


def _wrapped(layer: str) -> str:
    """A long name of a layer on two lines."""
    return layer.replace("MultiheadAttention", "Multihead-\nAttention")


def _agreement_matrix(axes: Axes, agreement: pd.DataFrame, layers: list[str]) -> None:
    if agreement.empty:
        axes.axis("off")
        return
    names = {"ablation zero": "zero", "ablation mean": "mean", "ablation resample": "resample"}
    table = agreement[agreement["first"] == "ablation zero"]
    others = list(dict.fromkeys(table["second"]))
    values = table.pivot(index="layer", columns="second", values="spearman").reindex(index=layers, columns=others)
    axes.imshow(values, vmin=-1, vmax=1, cmap=DIVERGING, aspect="auto")
    for row, layer in enumerate(layers):
        for column, other in enumerate(others):
            value = values.loc[layer, other]
            text = "" if np.isnan(value) else f"{value:.2f}"
            axes.text(
                column, row, text, ha="center", va="center", fontsize=7, color="white" if abs(value) > 0.6 else INK
            )
    axes.set_xticks(range(len(others)), [names.get(other, other) for other in others], rotation=25, ha="right")
    axes.set_yticks(range(len(layers)), layers)
    axes.grid(False)
    axes.set_title("rank correlation with zeroing", fontsize=8.5)


def _change_or_course(axes: Axes, importance: pd.DataFrame, change: pd.DataFrame, layers: list[str]) -> None:
    y = np.arange(len(layers))[::-1]
    if len(change):
        part = change[change["quantity"] == "mean_change"]
        colours = colour_map(part["moment"])
        for place, (_, each) in enumerate(part.groupby("moment", sort=False)):
            found = each.set_index("layer").reindex(layers)
            height = y + 0.2 * ((len(colours) - 1) / 2 - place)
            axes.plot(found["change"], height, "o", color=JUMP, markersize=5, label="across a jump or transition")
            axes.hlines(height, found["controls_low"], found["controls_high"], color=MUTED, linewidth=1.2)
            axes.plot(found["controls_mean"], height, "s", color=MUTED, markersize=4, label="control pairs")
        numbers = sorted({int(number) for number in part["pairs"].dropna()})
        pairs = "to ".join(f"{number} " for number in numbers[:1] + numbers[1:][-1:])
        events = f"{len(colours)} event{'s' * (len(colours) > 1)}"
        axes.set_title(f"{events}, {pairs}control pair{'s' * (numbers[-1:] != [1])} each", fontsize=8.5)
        axes.set_xlabel("mean change of a unit's importance (nats)")
        handles = dict(zip(*reversed(axes.get_legend_handles_labels())))
        axes.legend(handles.values(), handles.keys(), loc="upper center", bbox_to_anchor=(0.5, -0.26), ncols=2)
        from_zero(axes, "x")
        axes.margins(y=0.2)
        if len(layers) == 1:  # room for the events' names
            axes.set_yticks(
                y[0] + 0.2 * ((len(colours) - 1) / 2 - np.arange(len(colours))), [str(moment) for moment in colours]
            )
            return
    else:
        zero = importance[(importance["measure"] == "ablation zero") & (importance["control"] == "none")]
        zero = zero[zero["role"] == "at"]
        colours = colour_map(zero["moment"])
        for place, (moment, part) in enumerate(zero.groupby("moment", sort=False)):
            total = part.groupby("layer")["value"].agg(lambda values: values.abs().mean()).reindex(layers)
            height = y + 0.12 * ((len(colours) - 1) / 2 - place)
            axes.plot(total, height, "o", color=colours[moment], markersize=5, label=moment)
        axes.set_title("through training; no jump with a control pair", fontsize=8.5)
        axes.set_xlabel("mean importance of a unit (nats)")
        from_zero(axes, "x")
        axes.legend(loc="best")
    axes.set_yticks(y, layers)
    axes.grid(axis="y", visible=False)


def plot_selectivity_of_run(selectivity: pd.DataFrame, health: pd.DataFrame, title: str) -> Figure:
    """Which share of units answers to a class, replicated on held-out samples, and which do no work of their own.

    selectivity, health: tables of `ontogeny.neurons.importance_run`. Left with Wilson intervals, right counts.
    """
    layers = list(dict.fromkeys(health["layer"]))
    y = np.arange(len(layers))[::-1]
    fig, (left, middle, right) = figure(
        1, 3, width=10.0, height=0.46 * len(layers) + 2.0, sharey=True, width_ratios=[1, 1, 1.2]
    )
    end = selectivity["step"].max() if len(selectivity) else None
    here = selectivity[selectivity["step"] == end]
    for shift, (control, (name, colour)) in zip((0.24, 0.0, -0.24), CONTROLS.items()):
        part = here[here["control"] == control]
        for axes, column in ((left, "replicated"), (middle, "stands_out")):
            for row, layer in zip(y, layers):
                units = part[part["layer"] == layer]
                if len(units):
                    hits = int((units[column] == True).sum())  # noqa: E712
                    low, high = proportion_interval(hits, len(units))
                    axes.plot([low, high], [row + shift] * 2, color=colour, linewidth=1.2)
                    axes.plot(hits / len(units), row + shift, "o", color=colour, markersize=4)
        both = [int((part[column] == True).sum()) for column in ("replicated", "stands_out")]  # noqa: E712
        left.plot([], [], "o-", color=colour, label=f"{name} ({both[0]} and {both[1]} of {len(part)})")
    left.set(xlim=(-0.02, 1.02), xlabel="share of units that answer\nto one class, replicated")
    middle.set(xlim=(-0.02, 1.02), xlabel="share more selective than\nthe untrained network's units")
    left.set_title(f"{title}: selectivity" + ("" if end is None else f", step {int(end)}"))
    kinds = {"dead": COLOURS[3], "saturated": COLOURS[4], "duplicated": COLOURS[5]}
    last = health["step"].max()
    places = [("first", health["step"] == health["step"].min()), ("last", (health["step"] == last)),
              ("untrained", health["control"] == "untrained")]  # fmt: skip
    for shift, (name, mask) in zip((0.24, 0.0, -0.24), places):
        part = health[mask & ((health["role"] == "at") | (name == "untrained"))]
        shares = part.groupby("layer")[list(kinds)].mean().reindex(layers).fillna(0.0)
        start = np.zeros(len(layers))
        for kind, colour in kinds.items():
            right.barh(y + shift, shares[kind], left=start, height=0.2, color=colour)
            start += shares[kind].to_numpy()
        for row in y:
            right.text(-0.015, row + shift, name, fontsize=5.5, ha="right", va="center", color=INK)
    right.set(xlim=(-0.22, 1.02), xlabel="share of units that do no work")
    right.set_xticks([0, 0.5, 1])
    handles = [Patch(color=colour, label=f"{kind} ({_working(health, kind)})") for kind, colour in kinds.items()]
    right.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=3, columnspacing=0.6,
                 handlelength=0.8)  # fmt: skip
    left.set_yticks(y, layers)
    left.set_ylim(-0.6, len(layers) - 0.4)
    for axes in (left, middle, right):
        axes.grid(axis="y", visible=False)
    fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return fig


def _working(health: pd.DataFrame, kind: str) -> int:
    """How many units are of `kind` at the last moment."""
    last = health[(health["step"] == health["step"].max()) & (health["role"] == "at")]
    return int(last[kind].sum())
