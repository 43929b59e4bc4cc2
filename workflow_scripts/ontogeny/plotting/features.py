"""What a network looks at, in pictures: attribution grids, attention, filters, and how much units matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ontogeny.errors import OntogenyError
from ontogeny.plotting.style import COLOURS, DIVERGING, INK, JUMP, MUTED, SEQUENTIAL, colour_map, figure

_NAMES = {
    "saliency": "saliency",
    "smoothgrad": "SmoothGrad",
    "integrated_gradients": "integrated\ngradients",
    "grad_cam": "Grad-CAM",
}


def plot_attributions(
    inputs: Any, maps: Mapping[str, Any], labels: Sequence[Any] | None = None, limit: int = 8
) -> Figure:
    """A grid: the inputs in the first row, then one row a method, one column an input (the first `limit`).

    inputs (samples, channels, height, width); maps: method (or moment) to values of that shape or with one channel.
    Channels are averaged. Maps with negative values are drawn from blue (against the class) to red (for it), white at
    zero; others from dark (nothing) to bright. Each map has its own scale: compare places, not brightness.
    """
    pictures = np.asarray(inputs, dtype=np.float64)
    if pictures.ndim != 4:
        raise OntogenyError(f"inputs of shape {pictures.shape}: images (samples, channels, height, width) are wanted")
    count = min(limit, len(pictures))
    maps = {name: np.asarray(values, dtype=np.float64) for name, values in maps.items()}
    for name, values in maps.items():
        if len(values) < count or values.ndim != 4:
            raise OntogenyError(f"the maps of '{name}' have the shape {values.shape}: one map an input is wanted")
    fig, axes = figure(
        1 + len(maps), count, width=0.9 * count + 1.1, height=0.95 * (1 + len(maps)) + 0.3, squeeze=False
    )
    for column in range(count):
        axes[0, column].imshow(pictures[column].mean(0), cmap="gray")
        if labels is not None:
            axes[0, column].set_title(str(labels[column]), loc="center", fontsize=8)
    for row, values in enumerate(maps.values(), start=1):
        for column in range(count):
            picture = values[column].mean(0)
            top = max(np.abs(picture).max(), 1e-30)
            signed = values.min() < 0
            axes[row, column].imshow(
                picture, cmap=DIVERGING if signed else SEQUENTIAL, vmin=-top if signed else 0, vmax=top
            )
    for row, name in enumerate(["input", *maps]):
        axes[row, 0].set_ylabel(_NAMES.get(name, name), rotation=0, ha="right", va="center", fontsize=8)
    _bare(axes)
    return fig


def _bare(axes: Any) -> None:
    for each in np.ravel(axes):
        each.set_xticks([])
        each.set_yticks([])
        each.grid(False)
        for spine in each.spines.values():
            spine.set_visible(False)


def plot_attention(maps: Mapping[str, Any], sample: int | None = None) -> Figure:
    """Attention of every head: one row a layer, one column a head; queries down, keys across.

    maps: layer to weights (samples, heads, queries, keys). sample: one sample's maps; None averages over all. All
    panels share one scale from 0 to the largest weight shown, so that sharp heads stand out.
    """
    if not maps:
        raise OntogenyError("no attention maps to draw")
    shown = {}
    for layer, weights in maps.items():
        weights = np.asarray(weights, dtype=np.float64)
        shown[layer] = weights.mean(0) if sample is None else weights[sample]
    heads = max(len(weights) for weights in shown.values())
    top = max(weights.max() for weights in shown.values())
    fig, axes = figure(len(shown), heads, width=1.25 * heads + 1.5, height=1.3 * len(shown) + 0.5, squeeze=False)
    image = None
    for row, weights in enumerate(shown.values()):
        for head in range(heads):
            axes[row, head].axis("off" if head >= len(weights) else "on")
            if head < len(weights):
                image = axes[row, head].imshow(weights[head], vmin=0, vmax=top, cmap=SEQUENTIAL)
    for head in range(heads):
        axes[0, head].set_title(f"head {head}", loc="center", fontsize=8)
    for row in range(len(shown)):
        axes[row, 0].set_ylabel(f"layer {row}\nquery", fontsize=8)
    axes[-1, 0].set_xlabel("key", fontsize=8)
    _bare(axes)
    fig.colorbar(image, ax=axes, label="attention weight", shrink=0.8, pad=0.02)
    return fig


def plot_heads(table: pd.DataFrame, steps: Mapping[str, float] | None = None, jumps: Sequence[float] = ()) -> Figure:
    """Entropy and specialisation of every head over training, with bands of their intervals.

    table: of `head_evolution`. steps: moment to training step; without it moments are spaced evenly. jumps: steps to
    mark. One panel a layer and quantity; the dotted line is uniform attention (entropy) or ln 2 (specialisation).
    """
    moments = list(dict.fromkeys(table["moment"]))
    place = {name: index if steps is None else steps[name] for index, name in enumerate(moments)}
    layers = list(dict.fromkeys(table["layer"]))
    fig, axes = figure(
        2, len(layers), width=2.6 * len(layers) + 1.2, height=4.6, squeeze=False, sharex=True, sharey="row"
    )
    colours = colour_map(sorted(set(table["head"])))
    for column, layer in enumerate(layers):
        for row, (quantity, name) in enumerate(
            (("relative_entropy", "entropy / ln(tokens)"), ("specialisation", "specialisation (nats)"))
        ):
            panel = axes[row, column]
            for head, part in table[table["layer"] == layer].groupby("head"):
                x = part["moment"].map(place)
                panel.plot(x, part[quantity], color=colours[head], label=f"head {head}", marker="o", markersize=2.5)
                panel.fill_between(x, part[f"{quantity}_low"], part[f"{quantity}_high"], color=colours[head], alpha=0.2)
            for jump in jumps:
                panel.axvline(jump, color=JUMP, linestyle="--", linewidth=0.8)
            if row == 0:
                panel.axhline(1.0, color=MUTED, linestyle=":", linewidth=1)
                panel.set_title(f"layer {column}")
            if column == 0:
                panel.set_ylabel(name)
        _moments(axes[-1, column], moments, place, steps)
    axes[1, 0].set_ylim(bottom=0)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center")
    return fig


def _moments(panel: Any, moments: Sequence[str], place: Mapping[str, float], steps: Any) -> None:
    if steps is None:
        panel.set_xticks([place[name] for name in moments], moments)
        panel.set_xlabel("moment")
    else:
        panel.set_xlabel("training step")


def plot_filters(filters: Mapping[str, Any], limit: int = 16, order: Sequence[int] | None = None) -> Figure:
    """First-layer filters through training: one row a moment, one column a filter (the first `limit`, or `order`).

    filters: moment to (filters, channels, height, width). Channels are averaged; filters of one row are drawn as they
    are. A filter has one scale through all moments, white at zero, so that growth shows.
    """
    stacks = {name: np.asarray(values, dtype=np.float64).mean(1) for name, values in filters.items()}
    if not stacks:
        raise OntogenyError("no filters to draw")
    chosen = list(order if order is not None else range(len(next(iter(stacks.values())))))[:limit]
    shape = next(iter(stacks.values())).shape[1:]
    flat = shape[0] == 1
    fig, axes = figure(
        len(stacks), len(chosen), width=0.55 * len(chosen) + 1.1, height=(0.3 if flat else 0.58) * len(stacks) + 0.35,
        squeeze=False,
    )  # fmt: skip
    for column, unit in enumerate(chosen):
        top = max(np.abs(values[unit]).max() for values in stacks.values()) or 1.0
        for row, values in enumerate(stacks.values()):
            axes[row, column].imshow(
                values[unit], cmap=DIVERGING, vmin=-top, vmax=top, aspect="auto" if flat else "equal"
            )
        axes[0, column].set_title(str(unit), loc="center", fontsize=7, weight="normal")
    for row, name in enumerate(stacks):
        axes[row, 0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
    _bare(axes)
    return fig


def plot_filter_evolution(
    table: pd.DataFrame, steps: Mapping[str, float] | None = None, jumps: Sequence[float] = ()
) -> Figure:
    """Norm of the first layer's filters, and their likeness to the last moment, over training.

    table: of `filter_evolution`. Thin lines are filters; the thick one is their median, the band their quartiles.
    """
    moments = list(dict.fromkeys(table["moment"]))
    place = {name: index if steps is None else steps[name] for index, name in enumerate(moments)}
    fig, axes = figure(1, 2, width=7.0, height=2.8)
    for panel, column, name in (
        (axes[0], "norm", "norm of a filter"),
        (axes[1], "cosine_last", "cosine to its last self"),
    ):
        wide = table.pivot(index="moment", columns="filter", values=column).loc[moments]
        x = [place[moment] for moment in moments]
        panel.plot(x, wide.to_numpy(), color=MUTED, linewidth=0.4, alpha=0.6)
        panel.fill_between(x, wide.quantile(0.25, axis=1), wide.quantile(0.75, axis=1), color=COLOURS[0], alpha=0.2)
        panel.plot(x, wide.median(axis=1), color=COLOURS[0], linewidth=2)
        for jump in jumps:
            panel.axvline(jump, color=JUMP, linestyle="--", linewidth=0.8)
        panel.set_ylabel(name)
        _moments(panel, moments, place, steps)
    axes[0].set_ylim(bottom=0)
    return fig


def plot_top_inputs(inputs: Any, table: pd.DataFrame, units: Sequence[int], preferred: Any = None) -> Figure:
    """The inputs that units like best: one row a unit; with `preferred`, unit to image, the input made for it first.

    inputs (samples, channels, height, width); table: of `top_inputs`. Above each input its activation.
    """
    inputs = np.asarray(inputs, dtype=np.float64)
    extra = 1 if preferred is not None else 0
    count = int(table["rank"].max()) + 1
    fig, axes = figure(
        len(units), count + extra, width=0.8 * (count + extra) + 0.9, height=1.0 * len(units) + 0.2, squeeze=False
    )
    for row, unit in enumerate(units):
        if extra:
            axes[row, 0].imshow(np.asarray(preferred[unit], dtype=np.float64).mean(0), cmap="gray")
            axes[row, 0].set_title("made", loc="center", fontsize=7, weight="normal", color=JUMP)
        part = table[table["unit"] == unit].sort_values("rank")
        for column, (index, value) in enumerate(zip(part["index"], part["activation"]), start=extra):
            axes[row, column].imshow(inputs[index].mean(0), cmap="gray")
            axes[row, column].set_title(f"{value:.2g}", loc="center", fontsize=7, weight="normal")
        axes[row, 0].set_ylabel(f"unit {unit}", rotation=0, ha="right", va="center", fontsize=8)
    _bare(axes)
    return fig


def plot_importance(table: pd.DataFrame, limit: int = 40) -> Figure:
    """Ablation importance of a layer's units with intervals, against what controls show.

    table: of `importance_with_controls`. Left: the `limit` most important units of the network, filled where they
    stand out against the untrained networks, whose 95th percentile is the dashed line. Right: the distribution of all
    units in the network, under shuffled labels, and in untrained networks, with how many stand out in each; its scale
    is linear up to the largest change in an untrained network, and logarithmic beyond.
    """
    own = table[table["control"] == "none"].sort_values("loss_change", ascending=False)
    fig, axes = figure(1, 2, width=7.4, height=3.2, width_ratios=[1.5, 1])
    shown = own.head(limit).reset_index(drop=True)
    left = axes[0]
    out = shown["stands_out"].to_numpy(bool)
    spread = [shown["loss_change"] - shown["loss_low"], shown["loss_high"] - shown["loss_change"]]
    left.errorbar(shown.index, shown["loss_change"], spread, fmt="none", ecolor=MUTED, elinewidth=1)
    for chosen, fill, name in ((out, COLOURS[0], "stands out"), (~out, "white", "does not")):
        left.plot(
            shown.index[chosen], shown["loss_change"][chosen], "o", markersize=4, markerfacecolor=fill,
            markeredgecolor=COLOURS[0], linestyle="none", label=f"{name} ({chosen.sum()})",
        )  # fmt: skip
    left.axhline(
        own["control_high"].iloc[0], color=JUMP, linestyle="--", linewidth=1, label="untrained, 95th percentile"
    )
    left.axhline(0, color=INK, linewidth=0.6)
    left.set_xlabel("units, most important first")
    left.set_ylabel("change of loss when ablated (nats)")
    left.legend(loc="upper right")
    right = axes[1]
    names = {"untrained": "untrained", "shuffled labels": "shuffled\nlabels", "none": "the network"}
    rng = np.random.default_rng(0)
    for place, control in enumerate(names):
        part = table[table["control"] == control]
        jitter = rng.uniform(-0.16, 0.16, len(part))
        right.plot(part["loss_change"], place + jitter, "o", markersize=2.5, alpha=0.5, color=COLOURS[2 - place])
        right.text(
            0.02, place + 0.28, f"{int(part['stands_out'].sum())} of {len(part)} stand out", fontsize=7,
            transform=right.get_yaxis_transform(),
        )  # fmt: skip
    fine = max(np.abs(table.loc[table["control"] == "untrained", "loss_change"]).max(), 1e-9)
    right.set_xscale("symlog", linthresh=fine)
    reach = [sign * 10.0**power for sign in (-1, 1) for power in range(-12, 4) if 10.0**power > fine]
    low, high = right.get_xlim()
    right.set_xticks([0.0, *(tick for tick in reach if low <= tick <= high)])
    right.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    right.xaxis.set_minor_locator(NullLocator())
    right.tick_params(axis="x", labelrotation=45)
    right.set_yticks(range(3), names.values())
    right.set_ylim(-0.5, 2.6)
    right.set_xlabel("change of loss (nats)")
    return fig


def plot_agreement(table: pd.DataFrame) -> Figure:
    """Rank correlations between measures of importance, with intervals. table: of `importance_agreement`."""
    fig, axes = figure(1, 1, width=5.2, height=0.42 * len(table) + 0.9)
    names = table["first"] + " and " + table["second"]
    y = np.arange(len(table))[::-1]
    spread = [table["spearman"] - table["spearman_low"], table["spearman_high"] - table["spearman"]]
    axes.errorbar(table["spearman"], y, xerr=spread, fmt="o", color=COLOURS[0], markersize=4, elinewidth=1)
    axes.axvline(0, color=INK, linewidth=0.6)
    axes.set_xlim(-1, 1)
    axes.set_yticks(y, names)
    axes.set_ylim(-0.6, len(table) - 0.4)
    axes.set_xlabel("Spearman's rank correlation over units")
    return fig
