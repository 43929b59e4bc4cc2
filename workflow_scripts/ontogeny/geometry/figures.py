"""Figures of the geometry of activations: explained variance, projections before and after a jump, clusters."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ontogeny.jumps.plan import Moment
from ontogeny.plotting.style import COLOURS, INK, JUMP, MUTED, SEQUENTIAL, figure


def plot_variance(variance: pd.DataFrame, title: str) -> Figure:
    """Cumulative explained variance of every layer, with its 95 % interval, in the order of the layers.

    `variance` has columns layer, component, cumulative, cumulative_low, cumulative_high.
    """
    layers = list(dict.fromkeys(variance["layer"]))
    fig, axes = figure(width=6.5, height=3.6)
    shades = _shades(len(layers))
    for layer, shade in zip(layers, shades):
        rows = variance[variance["layer"] == layer]
        axes.fill_between(
            rows["component"], rows["cumulative_low"], rows["cumulative_high"], color=shade, alpha=0.18, lw=0
        )
        axes.plot(rows["component"], rows["cumulative"], color=shade, marker="o", markersize=3, label=layer)
    axes.axhline(0.9, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.annotate(
        "90%",
        (1, 0.9),
        xycoords=("axes fraction", "data"),
        xytext=(3, 0),
        textcoords="offset points",
        va="center",
        color=MUTED,
        size=8,
    )
    axes.set(
        xlabel="principal components",
        ylabel="share of the variance",
        ylim=(0, 1.02),
        title=f"{title}: explained variance",
    )
    axes.set_xticks(range(1, int(variance["component"].max()) + 1))
    fig.legend(*axes.get_legend_handles_labels(), loc="outside right upper", title="layer, input first")
    return fig


def plot_projections(projections: pd.DataFrame, layer: str, moments: Sequence[tuple[str, int]], title: str) -> Figure:
    """The probe samples on the first two components of `layer` at each of `moments` (name, step), coloured by label.

    `projections` has columns layer, step, sample, label, PC1, PC2. All panels share one basis and one scale.
    """
    rows = projections[projections["layer"] == layer]
    fig, axes = figure(
        1, len(moments), width=2.3 * len(moments) + 0.9, height=2.9, sharex=True, sharey=True, squeeze=False
    )
    labels = sorted(rows["label"].unique())
    shown = rows["PC2"] if "PC2" in rows else pd.Series(0.0, index=rows.index)
    rows = rows.assign(PC2=shown)
    for axis, (name, step) in zip(axes[0], moments):
        here = rows[rows["step"] == step]
        for index, label in enumerate(labels):
            points = here[here["label"] == label]
            axis.scatter(
                points["PC1"],
                points["PC2"],
                s=9,
                color=COLOURS[index % len(COLOURS)],
                alpha=0.8,
                linewidths=0,
                label=str(label),
            )
        axis.set_title(f"{name}\nstep {step}", loc="center")
        axis.set_xlabel("PC 1")
        axis.margins(0.05)
        axis.xaxis.set_major_locator(MaxNLocator(3))
    axes[0, 0].set_ylabel("PC 2")
    handles, names = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, names, loc="outside right center", title="label", markerscale=2, handletextpad=0.1)
    fig.suptitle(f"{title}: {layer}", x=0.01, ha="left", size=10)
    return fig


def plot_moment(projections: pd.DataFrame, moments: Sequence[Moment], title: str) -> Figure:
    """The projections before, at and after the strongest event among `moments`; start and end, if there is none.

    The layer is the one that jumps; without a jump, the last hidden layer.
    """
    layers = list(dict.fromkeys(projections["layer"]))
    events = [moment for moment in moments if moment.is_event]
    if events:
        best = min(events, key=lambda moment: moment.rank)
        shown = [("before", best.before), (best.kind, best.step), ("after", best.after)]
        layer = best.layer if best.layer in layers else layers[max(0, len(layers) - 2)]
        return plot_projections(projections, layer, shown, title)
    ends = [(moment.kind, moment.step) for moment in moments if moment.kind in ("start", "end")]
    return plot_projections(projections, layers[max(0, len(layers) - 2)], ends, f"{title}, no jump")


def plot_clusters(by_step: pd.DataFrame, choice: pd.DataFrame, title: str, jumps: Sequence[int] = ()) -> Figure:
    """Share of the probe samples in each cluster at every captured step, a panel per layer; layers without are named.

    Steps of `jumps` are marked.

    `by_step` has columns layer, step, cluster, share; `choice` layer, n_clusters, labels_ari,
    untrained_ari, end_ari, shuffled_ari.
    """
    stable = choice[choice["n_clusters"] > 0]
    without = list(choice.loc[choice["n_clusters"] == 0, "layer"])
    columns = min(4, max(1, len(stable)))
    rows = max(1, -(-len(stable) // columns))
    fig, axes = figure(rows, columns, width=2.1 * columns + 0.8, height=2.0 * rows + 0.7, squeeze=False, sharey=True)
    for axis in axes.flat[len(stable) :]:
        axis.set_axis_off()
    for axis, (_, chosen) in zip(axes.flat, stable.iterrows()):
        here = by_step[by_step["layer"] == chosen["layer"]]
        table = here.pivot(index="step", columns="cluster", values="share").fillna(0.0)
        bottom = np.zeros(len(table))
        for cluster, shade in zip(table, _shades(table.shape[1])):
            axis.bar(
                range(len(table)),
                table[cluster],
                bottom=bottom,
                width=0.9,
                color=shade,
                edgecolor="white",
                linewidth=0.4,
            )
            bottom += table[cluster].to_numpy()
        axis.set_title(
            f"{chosen['layer']}\n{chosen['n_clusters']} clusters, ARI {chosen['labels_ari']:z.2f}"
            f" (shuffled {chosen['shuffled_ari']:z.2f})\nfirst step alone {chosen['untrained_ari']:z.2f},"
            f" last {chosen['end_ari']:z.2f}",
            size=6.5,
        )
        _step_ticks(axis, list(table.index))
        for index in np.flatnonzero(table.index.isin(jumps)):
            axis.axvline(index, color=JUMP, linewidth=1.2, linestyle=(0, (2, 1.5)))
        axis.grid(False)
    axes[0, 0].set_ylabel("share of samples")
    note = "\n".join(wrap(f"no stable clusters: {', '.join(without)}", 26 * columns + 10)) if without else ""
    marked = " (dashed: a jump or transition)" if by_step["step"].isin(jumps).any() else ""
    fig.suptitle(f"{title}: clusters by step", x=0.01, ha="left", size=10)
    fig.supxlabel(f"captured step{marked}" + (f"\n{note}" if note else ""), size=8)
    return fig


def _step_ticks(axis: Axes, steps: list[int], most: int = 16) -> None:
    shown = np.unique(np.linspace(0, len(steps) - 1, min(most, len(steps))).round().astype(int))
    size, angle = (7, 45) if len(shown) <= 6 else (5.5, 60)
    axis.set_xticks(shown, [str(steps[index]) for index in shown], rotation=angle, ha="right", size=size)


def _shades(count: int) -> list:
    import matplotlib

    colours = matplotlib.colormaps[SEQUENTIAL]
    return [colours(value) for value in np.linspace(0.05, 0.88, count)] if count > 1 else [INK]
