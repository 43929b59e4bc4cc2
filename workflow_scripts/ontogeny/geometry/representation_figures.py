"""Figures of how representations compare: similarity, subspaces, dimension, linear probes, collapse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ontogeny.plotting.style import COLOURS, JUMP, MUTED, SEQUENTIAL, colour_map, figure, from_zero, log_axis

_ROUNDING = 1e-12
"""Measures of collapse up to this are 0, as those of NC2 are between two classes."""


def plot_similarity(similarity: pd.DataFrame, title: str) -> Figure:
    """Debiased CKA, layers by layers at three moments and moments by moments for three layers.

    `similarity` is the table of that name of `ontogeny.geometry.representations.representations_of_run`.
    """
    across = similarity[similarity["scope"] == "layers"]
    along = similarity[similarity["scope"] == "moments"]
    layers = list(dict.fromkeys([*along["layer_a"], *across["layer_a"], *across["layer_b"]]))
    steps = sorted({*along["step_a"], *along["step_b"], *across["step_a"]})
    fig, axes = figure(2, 3, width=8.2, height=6.4, squeeze=False)
    image = None
    for axis, step in zip(axes[0], _three(steps)):
        rows = across[across["step_a"] == step]
        image = _matrix(axis, rows, "layer", layers) or image
        axis.set_title(f"layers, step {step}", size=9, loc="center")
    for axis, layer in zip(axes[1], _three(layers)):
        image = _matrix(axis, along[along["layer_a"] == layer], "step", steps) or image
        axis.set_title(f"moments, {layer}", size=9, loc="center")
        axis.set_xlabel("training step", size=7)
    axes[1, 0].set_ylabel("training step", size=7)
    for axis in [*axes[0, 1:], *axes[1, 1:]]:
        axis.tick_params(labelleft=False)
    for axis in [*axes[0][len(_three(steps)) :], *axes[1][len(_three(layers)) :]]:
        axis.set_axis_off()
    if image is not None:
        fig.colorbar(image, ax=axes, label="debiased CKA", shrink=0.6)
    chance = similarity["cka_shuffled"].abs().max() if len(similarity) else np.nan
    fig.suptitle(f"{title}: similarity (samples shuffled: at most {chance:.2f})", x=0.01, ha="left")
    return fig


def plot_subspaces(subspaces: pd.DataFrame, title: str) -> Figure:
    """The overlap of each layer's leading subspace with that at the end, a panel per layer, with the random range."""
    last = subspaces["step_b"].max() if len(subspaces) else 0
    table = subspaces[subspaces["step_b"] == last]
    layers = list(dict.fromkeys(table["layer"]))
    fig, panels = _panels(layers)
    for axis, layer in zip(panels, layers):
        rows = table[table["layer"] == layer].sort_values("step_a")
        axis.fill_between(rows["step_a"], rows["null_low"], rows["null_high"], color=MUTED, alpha=0.3, lw=0)
        if len(rows) == 1:
            axis.vlines(rows["step_a"], rows["null_low"], rows["null_high"], color=MUTED, alpha=0.3, linewidth=6)
        axis.plot(rows["step_a"], rows["null"], color=MUTED, linewidth=1, marker="_", label="random subspaces")
        axis.errorbar(
            rows["step_a"], rows["value"], _around(rows, "value", "low", "high"), color=COLOURS[0], marker="o",
            markersize=3, elinewidth=0.8, label="this run",
        )  # fmt: skip
        start = rows["step_a"].min()
        axis.set(ylim=(0, 1.03), xlim=(start - 0.05 * (last - start), last + 0.05 * (last - start)))
    _label(fig, panels, "step", "overlap with the end")
    k = int(table["k"].iloc[0]) if len(table) else 0
    fig.suptitle(f"{title}: first {k} components against those at step {last}", x=0.01, ha="left")
    return fig


def plot_dimension(dimension: pd.DataFrame, title: str) -> Figure:
    """TwoNN dimension with interval and with shuffled features, and effective rank, per layer and captured step."""
    layers = list(dict.fromkeys(dimension["layer"]))
    colours = colour_map(layers)
    fig, axes = figure(1, 2, width=8.2, height=3.4)
    for layer in layers:
        rows = dimension[dimension["layer"] == layer]
        error = _around(rows, "two_nn", "two_nn_low", "two_nn_high")
        style = {"color": colours[layer], "marker": "o", "markersize": 3.5, "linestyle": "none", "alpha": 0.9}
        axes[0].errorbar(rows["step"], rows["two_nn"], error, elinewidth=0.8, label=layer, **style)
        axes[0].plot(rows["step"], rows["two_nn_shuffled"], color=colours[layer], marker="_", linestyle="none")
        axes[1].plot(rows["step"], rows["effective_rank"], **style)
    copies = int(dimension["duplicates"].max()) if len(dimension) else 0
    note = f" (up to {copies} copies left out)" if copies else ""
    axes[0].set(xlabel="step", ylabel="TwoNN dimension", title=f"intrinsic dimension{note}")
    log_axis(axes[0])
    axes[1].set(xlabel="step", ylabel="effective rank", title="effective rank")
    from_zero(axes[1])
    fig.legend(
        *axes[0].get_legend_handles_labels(), loc="outside right center", title="layer; dashes:\nfeatures shuffled"
    )
    fig.suptitle(f"{title}: dimension", x=0.01, ha="left")
    return fig


def plot_probes(probes: pd.DataFrame, title: str) -> Figure:
    """Accuracy of linear probes, a panel per layer over steps, with the untrained network's and shuffled labels'."""
    layers = list(dict.fromkeys(probes["layer"]))
    fig, panels = _panels(layers)
    for axis, layer in zip(panels, layers):
        rows = probes[probes["layer"] == layer].sort_values("step")
        axis.axhline(rows["untrained"].iloc[0], color=JUMP, linewidth=1, linestyle="--", label="untrained")
        axis.fill_between(rows["step"], rows["shuffled_low"], rows["shuffled_high"], color=MUTED, alpha=0.3, lw=0)
        axis.plot(rows["step"], rows["shuffled"], color=MUTED, linestyle=":", label="labels shuffled")
        error = _around(rows, "accuracy", "low", "high")
        axis.errorbar(rows["step"], rows["accuracy"], error, color=COLOURS[0], elinewidth=0.8, label="probe")
        sure = (rows["p_untrained_adjusted"] <= 0.05).to_numpy()
        for chosen, face in ((sure, COLOURS[0]), (~sure, "white")):
            part = rows[chosen]
            axis.plot(part["step"], part["accuracy"], "o", ms=4, mfc=face, mec=COLOURS[0], zorder=5)
        axis.set(ylim=(0, 1.03))
    _label(fig, panels, "step", "accuracy, held out")
    note = "" if layers else " (labels are not classes with enough samples)"
    fig.suptitle(f"{title}: linear probes{note}", x=0.01, ha="left")
    return fig


def plot_collapse(collapse: pd.DataFrame, alarm: Mapping[str, Any] | None, title: str) -> Figure:
    """The course of the readout's dimension with its alarm (of a record's metadata), and NC1 to NC4 at moments."""
    fig, axes = figure(1, 2, width=8.2, height=3.4)
    state = "not watched"
    if alarm:
        course, state = alarm["course"], alarm["state"]
        dimension = np.array([np.nan if value is None else value for value in course["dimension"]], dtype=float)
        axes[0].plot(course["step"], dimension, color=COLOURS[0])
        for level, colour, style, words in (
            (alarm["low"], JUMP, "--", "collapsed below"),
            (alarm["high"], MUTED, ":", "healthy above"),
        ):
            axes[0].axhline(level, color=colour, linewidth=1, linestyle=style, label=words)
        for event in alarm["events"]:
            colour = JUMP if event["event"] == "collapsed" else COLOURS[2]
            axes[0].axvline(event["step"], color=colour, linewidth=1)
        from_zero(axes[0])
    axes[0].set(xlabel="step", ylabel="effective dimensions", title=f"what the last layer reads: {state}")
    names = {"nc1": "NC1 within / between", "nc2_norm": "NC2 norms", "nc2_angle": "NC2 angles", "nc3": "NC3 duality"}
    names |= {"nc4": "NC4 disagreement"}
    nothing: list[str] = []
    least = np.inf
    for (name, label), colour in zip(names.items(), COLOURS):
        if name in collapse and len(collapse):
            values = collapse[name].where(collapse[name] > _ROUNDING)
            if values.notna().any():
                axes[1].plot(collapse["step"], values, color=colour, marker="o", markersize=3, label=label)
                least = min(least, values.min())
            else:
                nothing.append(label)
    if len(collapse):
        low = collapse["nc1_low"].clip(least / 3)
        axes[1].fill_between(collapse["step"], low, collapse["nc1_high"], color=COLOURS[0], alpha=0.2, lw=0)
        axes[1].plot(
            collapse["step"], collapse["nc1_shuffled"], color=MUTED, linestyle=":", label="NC1, labels shuffled"
        )
        log_axis(axes[1])
    (lines, words), (more, others) = (axis.get_legend_handles_labels() for axis in axes)
    if words or others:
        fig.legend([*lines, *more], [*words, *others], loc="outside right center")
    zero = f" ({' and '.join(nothing)}: 0)" if nothing else ""
    axes[1].set(xlabel="step", ylabel="measure", title=f"neural collapse{zero}")
    fig.suptitle(f"{title}: collapse", x=0.01, ha="left")
    return fig


FIGURES = {
    "similarity": plot_similarity,
    "subspaces": plot_subspaces,
    "dimension": plot_dimension,
    "probes": plot_probes,
}
"""The figures that need one table, by the name of both."""


def _three(items: list) -> list:
    return list(dict.fromkeys([items[0], items[len(items) // 2], items[-1]])) if items else []


def _matrix(axis: Any, rows: pd.DataFrame, key: str, names: list) -> Any:
    place = {name: index for index, name in enumerate(names)}
    values = np.eye(len(names))
    for a, b, value in zip(rows[f"{key}_a"], rows[f"{key}_b"], rows["cka"]):
        values[place[a], place[b]] = values[place[b], place[a]] = value
    image = axis.imshow(values, vmin=0, vmax=1, cmap=SEQUENTIAL, origin="lower")
    axis.set_xticks(range(len(names)), names, rotation=90, size=6)
    axis.set_yticks(range(len(names)), names, size=6)
    axis.grid(False)
    return image


def _panels(layers: list[str]) -> tuple[Figure, list]:
    columns = min(4, max(1, len(layers)))
    rows = max(1, -(-len(layers) // columns))
    fig, axes = figure(
        rows,
        columns,
        width=max(1.9 * columns + 1.6, 5),
        height=1.7 * rows + 0.8,
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    for axis in axes.flat[len(layers) :]:
        axis.set_axis_off()
    panels = list(axes.flat[: max(len(layers), 1)])
    for axis, layer in zip(panels, layers):
        axis.set_title(layer, size=8)
    return fig, panels


def _label(fig: Figure, panels: list, across: str, up: str) -> None:
    fig.supxlabel(across, size=9)
    fig.supylabel(up, size=9)
    handles, names = panels[0].get_legend_handles_labels()
    if handles:
        fig.legend(handles, names, loc="outside right center")


def _around(rows: pd.DataFrame, value: str, low: str, high: str) -> np.ndarray:
    return np.nan_to_num(np.abs([rows[value] - rows[low], rows[high] - rows[value]]))
