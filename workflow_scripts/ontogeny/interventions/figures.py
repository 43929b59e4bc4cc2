"""What interventions do, in pictures: curves of damage, the line between moments, and what patching carries."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ontogeny.errors import OntogenyError
from ontogeny.jumps.plan import EVENTS
from ontogeny.plotting.style import COLOURS, INK, MUTED, colour_map, figure, plain_ticks, save_figures

_UNITS = {"loss": "loss (nats)", "accuracy": "accuracy"}


def _only(table: pd.DataFrame, *names: str) -> pd.DataFrame:
    found = table[table["intervention"].isin(names)]
    if found.empty:
        raise OntogenyError(
            f"the table holds no {' or '.join(names)}: it holds {', '.join(set(table['intervention']))}"
        )
    return found


def _curve(panel: Axes, x: pd.Series, part: pd.DataFrame, colour: str, **line: Any) -> None:
    panel.plot(x, part["value"], color=colour, marker="o", markersize=3, **line)
    panel.fill_between(x, part["low"], part["high"], color=colour, alpha=0.15, linewidth=0)


def plot_pruning(table: pd.DataFrame, chance: float | None = None) -> Figure:
    """Accuracy and loss against the share of weights removed, at each moment; controls are dashed.

    table: rows of `prune`, of one method and its random control (concatenated). chance: accuracy of guessing, dotted.
    """
    table = _only(table, "prune")
    fig, axes = figure(1, 2, width=8.4, height=2.8)
    colours = colour_map(table["moment"])
    for panel, metric in zip(axes, ("accuracy", "loss")):
        for (moment, method), part in table[table["metric"] == metric].groupby(["moment", "setting"], sort=False):
            control = method.startswith("random")
            part = part.sort_values("sparsity")
            name = f"{moment}, {method.replace('_', ' ')}"
            _curve(panel, part["sparsity"], part, colours[moment], linestyle="--" if control else "-", label=name)
        panel.set_xlabel("share of weights removed")
        panel.set_ylabel(_UNITS[metric])
    if chance is not None:
        axes[0].axhline(chance, color=MUTED, linestyle=":", linewidth=1)
    axes[0].set_ylim(0, 1.02)
    if table.loc[table["metric"] == "loss", "value"].max() > 20 * table.loc[table["metric"] == "loss", "intact"].min():
        axes[1].set_yscale("log")
        plain_ticks(axes[1].yaxis)
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    return fig


def plot_noise(table: pd.DataFrame) -> Figure:
    """Accuracy against the size of noise: one panel per layer, one line per moment, bands over samples and draws."""
    table = _only(table, "noise_activations", "noise_weights")
    table = table[table["metric"] == "accuracy"]
    layers = list(dict.fromkeys(table["layer"]))
    columns = min(4, len(layers))
    rows = -(-len(layers) // columns)
    fig, axes = figure(
        rows, columns, width=1.9 * columns + 1.8, height=1.8 * rows + 0.7, squeeze=False, sharex=True, sharey=True
    )
    colours = colour_map(table["moment"])
    for panel in axes.flat[len(layers) :]:
        panel.axis("off")
    for panel, layer in zip(axes.flat, layers):
        for moment, part in table[table["layer"] == layer].groupby("moment", sort=False):
            _curve(panel, part["level"], part, colours[moment], label=moment)
        panel.set_title("all layers" if layer == "all" else layer)
    what = "weights" if (table["intervention"] == "noise_weights").all() else "activations"
    for panel in axes[-1]:
        panel.set_xlabel(f"noise / size of the {what}")
    for panel in axes[:, 0]:
        panel.set_ylabel("accuracy")
    axes[0, 0].set_ylim(0, 1.02)
    fig.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside right center")
    return fig


def plot_interpolation(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Loss and accuracy along straight lines of weights; the dotted chord joins the ends, what is above is a barrier.

    tables: name (such as `across the jump`, `control`) to a table of `interpolate`.
    """
    tables = {name: _only(table, "interpolate") for name, table in tables.items()}
    fig, axes = figure(1, 2, width=7.4, height=3.0)
    colours = colour_map(tables)
    for name, table in tables.items():
        for panel, metric in zip(axes, ("loss", "accuracy")):
            part = table[table["metric"] == metric].sort_values("level")
            _curve(panel, part["level"], part, colours[name], label=name)
            ends = part[part["level"].isin([0.0, 1.0])]
            panel.plot(ends["level"], ends["value"], color=colours[name], linestyle=":", linewidth=1)
    for panel, metric in zip(axes, ("loss", "accuracy")):
        panel.set_xlabel("position on the line (0: source, 1: target)")
        panel.set_ylabel(_UNITS[metric])
    axes[0].legend(loc="best")
    return fig


def plot_patching(table: pd.DataFrame) -> Figure:
    """How much of the change between two moments each layer carries when patched, with its controls.

    table: of `patch`. Left: the share of the loss difference (0: the target's loss, 1: the source's). Right: the change
    of the target's loss, with the control patches of a matched control and of other inputs, where the table has them.
    """
    table = _only(table, "patch")
    losses = table[table["metric"] == "loss"]
    main = losses[losses["setting"] == "patch"]
    layers = list(dict.fromkeys(main["layer"]))
    fig, axes = figure(1, 2, width=7.6, height=0.36 * len(layers) + 1.3, sharey=True)
    y = np.arange(len(layers))[::-1]
    share = main.set_index("layer").loc[layers]
    axes[0].barh(y, share["carried"], color=COLOURS[0], height=0.6)
    known = share["carried"].notna().to_numpy()
    spread = np.abs(np.stack([share["carried"] - share["carried_low"], share["carried_high"] - share["carried"]]))
    axes[0].errorbar(share["carried"][known], y[known], xerr=spread[:, known], fmt="none", ecolor=INK, elinewidth=1)
    axes[0].axvline(0, color=INK, linewidth=0.6)
    axes[0].axvline(1, color=MUTED, linestyle=":", linewidth=1)
    axes[0].set_xlabel("share of the change carried")
    axes[0].set_yticks(y, layers)
    axes[0].grid(False, axis="y")
    kinds = {"patch": "patched", "control": "matched controls", "shuffled": "other inputs"}
    colours = colour_map(kinds)
    for place, (setting, name) in enumerate(kinds.items()):
        part = losses[losses["setting"] == setting].drop_duplicates("layer").set_index("layer").reindex(layers)
        if part["value"].isna().all():
            continue
        spread = np.stack([part["change"] - part["change_low"], part["change_high"] - part["change"]])
        axes[1].errorbar(
            part["change"], y + 0.2 - 0.2 * place, xerr=spread, fmt="o", markersize=4, color=colours[setting],
            elinewidth=1, label=name,
        )  # fmt: skip
    axes[1].axvline(0, color=INK, linewidth=0.6)
    axes[1].set_xlabel("change of the target's loss (nats)")
    axes[1].grid(False, axis="y")
    axes[1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return fig


def plot_ablation(table: pd.DataFrame) -> Figure:
    """What whole layers are worth: the accuracy left when each is ablated, at every moment, with intervals.

    Raises OntogenyError for a table in which single units are ablated.
    """
    table = _only(table, "ablate")
    table = table[table["metric"] == "accuracy"]
    if "unit" in table and table["unit"].notna().any():
        raise OntogenyError("these rows ablate single units: give rows of whole layers (units: all)")
    layers, moments = list(dict.fromkeys(table["layer"])), list(dict.fromkeys(table["moment"]))
    fig, axes = figure(1, 1, width=6.4, height=0.34 * len(layers) + 1.2)
    colours = colour_map(moments)
    y = np.arange(len(layers))[::-1]
    for place, moment in enumerate(moments):
        part = table[table["moment"] == moment].drop_duplicates("layer").set_index("layer").loc[layers]
        spread = np.stack([part["value"] - part["low"], part["high"] - part["value"]])
        height = y + 0.15 * ((len(moments) - 1) / 2 - place)
        axes.errorbar(
            part["value"], height, xerr=spread, fmt="o", markersize=4, color=colours[moment], elinewidth=1, label=moment
        )
        axes.axvline(part["intact"].iloc[0], color=colours[moment], linestyle=":", linewidth=1)
    axes.set_yticks(y, layers)
    axes.set_xlim(0, 1.02)
    axes.grid(False, axis="y")
    axes.set_xlabel("accuracy with the layer ablated (dotted: intact)")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return fig


def draw_interventions(table: pd.DataFrame, folder: str | os.PathLike, title: str) -> None:
    """Write a figure for every kind of intervention in `table` (of `interventions_of_run`) into `folder`."""
    drawn: dict[str, tuple[Figure, pd.DataFrame]] = {}
    whats = {"pruning": "weights pruned", "interpolation": "weights interpolated"}
    for kind, part in table.groupby("intervention", sort=False):
        if kind == "ablate":
            for entry, each in part.groupby("entry"):
                whole = each["unit"].isna().all() if "unit" in each else True
                if whole:
                    drawn[f"ablation {entry}"] = plot_layers_ablated(each), each
                    modes = " and ".join(dict.fromkeys(each["setting"]))
                    whats[f"ablation {entry}"] = f"units of a layer set to their {modes}".replace("their zero", "zero")
        elif kind == "prune":
            drawn["pruning"] = plot_pruning(part), part
        elif kind in ("noise_activations", "noise_weights"):
            drawn[f"noise in {kind.removeprefix('noise_')}"] = plot_noise(part), part
        elif kind == "patch":
            for (what, jump), each in part.groupby(["what", "jump"], dropna=False, sort=False):
                for name, figure_, rows in _patches(each, jump):
                    drawn[f"patching {what} {name}"] = figure_, rows
        elif kind == "interpolate":
            fig = plot_interpolation(_lines(part))
            legend = fig.axes[0].get_legend()
            if legend is not None:
                legend.remove()
            fig.legend(*fig.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
            drawn["interpolation"] = fig, part
    for name, (fig, _) in drawn.items():
        fig.suptitle(f"{title}: {whats.get(name, name)}", x=0.01, ha="left", fontsize=10)
    save_figures(drawn, folder)


def _patches(part: pd.DataFrame, jump: float) -> list[tuple[str, Figure, pd.DataFrame]]:
    """A figure for every pair of moments of one event (or of none), with its matched controls."""
    found = []
    matched = part[(part["control"] == "matched") & (part["setting"] != "shuffled")].assign(setting="control")
    own = part[(part["control"] != "matched") & ~part["moment"].isin(matched["moment"])]
    for (source, target), rows in own.groupby(["source", "moment"], sort=False):
        fig = plot_patching(pd.concat([rows, matched], ignore_index=True))
        fig.axes[0].set_title(f"{source}\n→ {target}", fontsize=8)
        kind = rows["kind"].iloc[0] if "kind" in rows and rows["kind"].iloc[0] in EVENTS else "jump"
        name = f"{kind} {int(jump)}" if pd.notna(jump) else f"{source} to {target}"
        found.append((name, fig, pd.concat([rows, matched], ignore_index=True)))
    return found


def _lines(part: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {
        f"{source} to {target}" if control == "none" else f"control: {source} to {target}": rows
        for (control, source, target), rows in part.groupby(["control", "source", "moment"], sort=False)
    }


def plot_layers_ablated(table: pd.DataFrame) -> Figure:
    """Whole layers ablated, and how many matter: at each moment (the start is untrained), and under shuffled labels.

    A layer matters if accuracy falls and the loss rises without it, the intervals of both changes clear of zero. An
    untrained network guesses, so that some layer changes its accuracy by chance, without a loss that rises.
    """
    own = table[table["control"] == "none"]
    fig = plot_ablation(own)
    keys = ["control", "moment", "layer"]
    falls = table[table["metric"] == "accuracy"].set_index(keys)["change_high"] < 0
    rises = table[table["metric"] == "loss"].set_index(keys)["change_low"] > 0
    needed = falls & rises.reindex(falls.index, fill_value=False)
    matter = {
        key: f"{int(part.sum())} of {len(part)} layers matter"
        for key, part in needed.groupby(["control", "moment"], sort=False)
    }
    axes = fig.axes[0]
    handles, names = axes.get_legend_handles_labels()
    names = [f"{name}: {matter['none', name]}" for name in names]
    for (control, _), said in matter.items():
        if control != "none":
            axes.annotate(
                f"{control}: {said}", (1.02, 0), xycoords="axes fraction", fontsize=8, color=MUTED, va="bottom"
            )
    axes.legend(handles, names, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    fig.set_size_inches(8.6, fig.get_figheight())
    return fig
