"""What a run's networks look at and for, in pictures: attribution, attention, filters, preferred inputs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from ontogeny.files import open_hdf5
from ontogeny.jumps.plan import EVENTS
from ontogeny.neurons.figures import CONTROLS
from ontogeny.plotting.style import (
    COLOURS,
    DIVERGING,
    INK,
    JUMP,
    MUTED,
    SEQUENTIAL,
    colour_map,
    figure,
    from_zero,
    save_figures,
)

NAMES = {
    "saliency": "saliency",
    "smoothgrad": "SmoothGrad",
    "integrated_gradients": "integrated gradients",
    "grad_cam": "Grad-CAM",
    "attention_rollout": "attention rollout",
}
_SHOWN = 10
"""Samples drawn of those that were explained."""

Tables = Mapping[str, pd.DataFrame]


def draw_features(pictures: str | os.PathLike, tables: Tables, folder: str | os.PathLike, title: str) -> None:
    """Write a figure for every kind of feature that the run has into `folder`, as PNG, with the table that it shows.

    pictures: the file of `ontogeny.features.run`; tables: its tables by name.
    """
    drawn: dict[str, tuple[Figure, pd.DataFrame]] = {}
    with open_hdf5(pictures) as file:
        drawn["attributions"] = plot_attribution_grid(file, tables["attribution_control"], title)
        drawn["randomised layers"] = plot_cascade(tables["attribution_control"], title)
        drawn["preferred inputs"] = plot_preferred(file, tables["top_inputs"], tables["top_inputs_control"], title)
        if len(tables["filters"]):
            drawn["filters"] = plot_filter_rows(file, tables["filters"], title)
        if len(tables["heads"]):
            drawn["attention"] = plot_heads_and_maps(file, tables["heads"], title)
    save_figures(drawn, folder, ("png",))


def _moments(file: h5py.File) -> list[str]:
    """The moments of a file of features, in order of step."""
    found = [name for name in file if "step" in file[name].attrs]
    return sorted(found, key=lambda name: (file[name].attrs["step"], name))


def _tiles(rows: Sequence[Sequence[np.ndarray]], modes: Sequence[str], gap: float = 0.08) -> np.ndarray:
    """Pictures (height, width) side by side as one RGBA picture, each row coloured by its mode, each tile by itself.

    modes: `grey`, `signed` (white at zero), or `positive`.
    """
    height = max(tile.shape[0] for row in rows for tile in row)
    width = max(tile.shape[1] for row in rows for tile in row)
    scale = max(1, round(48 / max(height, width)))
    height, width = height * scale, width * scale
    space = max(2, round(gap * max(height, width)))
    count = max(len(row) for row in rows)
    canvas = np.ones((len(rows) * (height + space) - space, count * (width + space) - space, 4), dtype=np.float32)
    for place, (row, mode) in enumerate(zip(rows, modes)):
        for column, tile in enumerate(row):
            coloured = np.kron(_coloured(tile, mode), np.ones((scale, scale, 1), dtype=np.float32))
            top = place * (height + space) + (height - coloured.shape[0]) // 2
            left = column * (width + space) + (width - coloured.shape[1]) // 2
            canvas[top : top + coloured.shape[0], left : left + coloured.shape[1]] = coloured
    return canvas


def _coloured(tile: np.ndarray, mode: str) -> np.ndarray:
    tile = np.asarray(tile, dtype=np.float64)
    if mode == "grey":
        low, high = tile.min(), tile.max()
        return colormaps["gray"]((tile - low) / max(high - low, 1e-30)).astype(np.float32)
    top = max(float(np.abs(tile).max()), 1e-30)
    if mode == "signed":
        return colormaps[DIVERGING]((tile / top + 1) / 2).astype(np.float32)
    return colormaps[SEQUENTIAL](tile / top).astype(np.float32)


def _mosaic(axes: Axes, rows: Sequence[Sequence[np.ndarray]], modes: Sequence[str], names: Sequence[str]) -> None:
    """Rows of pictures with their names at the left."""
    canvas = _tiles(rows, modes)
    axes.imshow(canvas, interpolation="nearest")
    step = canvas.shape[0] / len(rows)
    axes.set_yticks([(place + 0.5) * step for place in range(len(rows))], names)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _scales(fig: Figure, axes: Axes, modes: Sequence[str]) -> None:
    """Below a mosaic, the colours of its maps: each map is scaled by its largest value."""
    kinds = [("positive", SEQUENTIAL, (0, 1)), ("signed", DIVERGING, (-1, 1))]
    for place, (_, colours, limits) in enumerate(kind for kind in kinds if kind[0] in modes):
        beside = axes.inset_axes((0.02 + 0.52 * place, -0.05, 0.42, 0.018))
        shades = ScalarMappable(Normalize(*limits), colours)
        bar = fig.colorbar(shades, cax=beside, orientation="horizontal", ticks=[*dict.fromkeys((limits[0], 0, 1))])
        bar.ax.tick_params(labelsize=6)
        bar.set_label("share of the map's largest value", size=6.5)


def _interval(row: Any, name: str = "spearman") -> str:
    return f"{row[name]:.2f} [{row[f'{name}_low']:.2f}, {row[f'{name}_high']:.2f}]"


def plot_attribution_grid(file: h5py.File, control: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """Maps of every method at the last moment, and of one method through training, for the same inputs.

    Beside each method stands how like its maps are to those of an untrained network. Returns the figure and its table.
    """
    moments = _moments(file)
    labels = file["labels"][:_SHOWN]
    rows = [list(file["inputs"][:_SHOWN].mean(1))]
    modes, names = ["grey"], ["input"]
    idle = control[control["layer"] == "all"].set_index("method")
    methods = [method for method in NAMES if method in file[moments[-1]]["attribution"]]
    for method in methods:
        values = file[moments[-1]]["attribution"][method][:_SHOWN].mean(1)
        rows.append(list(values))
        modes.append("signed" if values.min() < 0 else "positive")
        names.append(f"{NAMES[method]}\nuntrained: {_interval(idle.loc[method])}")
    if "rollout_picture" in file[moments[-1]]:
        rows.append(list(file[moments[-1]]["rollout_picture"][:_SHOWN, 0]))
        modes.append("positive")
        names.append(f"attention rollout\nuntrained: {_interval(idle.loc['attention_rollout'])}")
    followed = "integrated_gradients" if "integrated_gradients" in methods else methods[-1]
    for moment in moments[:-1][:4]:
        values = file[moment]["attribution"][followed][:_SHOWN].mean(1)
        rows.append(list(values))
        modes.append("signed" if values.min() < 0 else "positive")
        names.append(f"{NAMES[followed]}\nat step {file[moment].attrs['step']} ({moment.split(' at ')[0]})")
    fig, axes = figure(1, 1, width=0.62 * len(labels) + 2.9, height=0.64 * len(rows) + 1.0)
    _mosaic(axes, rows, modes, names)
    _scales(fig, axes, modes)
    width = axes.images[0].get_array().shape[1] / len(labels)
    axes.set_xticks([(place + 0.5) * width for place in range(len(labels))], [str(label) for label in labels])
    axes.xaxis.tick_top()
    axes.set_title(f"{title}: what the class score rests on, step {file[moments[-1]].attrs['step']}", pad=18)
    return fig, control


def plot_cascade(control: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """How like the maps stay to themselves as layers are given fresh weights, from the last to the first."""
    layers = control.drop_duplicates("randomised").sort_values("randomised")["layer"].fillna("")
    names = ["none", *layers.iloc[1:-1], "everything"]
    fig, axes = figure(1, 1, width=6.6, height=3.4)
    colours = colour_map(NAMES)
    for method, part in control.groupby("method", sort=False):
        axes.plot(part["randomised"], part["spearman"], "o-", markersize=3, color=colours[method], label=NAMES[method])
        axes.fill_between(
            part["randomised"], part["spearman_low"], part["spearman_high"], color=colours[method], alpha=0.15,
            linewidth=0,
        )  # fmt: skip
    axes.axhline(0, color=INK, linewidth=0.6)
    axes.set_xticks(range(len(names)), names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set(ylim=(min(-0.1, axes.get_ylim()[0]), 1.05), ylabel="rank correlation with the map")
    axes.set_title(f"{title}: maps under fresh weights")
    axes.set_xlabel("layers with fresh weights, cumulative from the last")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return fig, control


def plot_preferred(
    file: h5py.File, tops: pd.DataFrame, control: pd.DataFrame, title: str, limit: int = 12
) -> tuple[Figure, pd.DataFrame]:
    """The input made for each unit, and the probe inputs that activate it most; and how pure their classes are."""
    shown = file["shown"][:].mean(1)
    units = tops[["layer", "unit"]].drop_duplicates()
    if len(units) > limit:
        units = units.drop_duplicates("layer") if units["layer"].nunique() <= limit else units.tail(limit)
    blank = np.full_like(shown[0], np.nan)
    rows, names = [], []
    for layer, unit in units.itertuples(index=False):
        part = tops[(tops["layer"] == layer) & (tops["unit"] == unit)].sort_values("rank")
        place = f"preferred/{layer}/{unit}"
        made = file[place][:].mean(0) if place in file else blank
        rows.append([made, *(shown[index] for index in part["picture"])])
        names.append(f"{layer}, unit {unit}")
    fig, (left, right) = figure(
        1, 2, width=9.2, height=max(2.8, 0.52 * len(rows) + 0.9), width_ratios=[1.6, 1], layout="constrained"
    )
    _mosaic(left, rows, ["grey"] * len(rows), names)
    width = left.images[0].get_array().shape[1] / len(rows[0])
    left.set_xticks([0.5 * width, 4.5 * width], ["made", "probe inputs, best first"])
    left.xaxis.tick_top()
    left.set_title(f"{title}: what units prefer", pad=18)
    layers = list(dict.fromkeys(control["layer"]))
    for shift, (name, (label, colour)) in zip((0.2, 0.0, -0.2), CONTROLS.items()):
        part = control[control["control"] == name].set_index("layer").loc[layers]
        y = np.arange(len(layers))[::-1] + shift
        spread = [part["purity"] - part["purity_low"], part["purity_high"] - part["purity"]]
        right.errorbar(part["purity"], y, xerr=spread, fmt="o", markersize=4, elinewidth=1, color=colour, label=label)
    right.set_yticks(np.arange(len(layers))[::-1], layers)
    right.set(xlim=(0, 1.02), xlabel="share of one class among the top inputs")
    right.grid(axis="y", visible=False)
    right.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, columnspacing=1.0, handletextpad=0.2)
    return fig, control


def plot_filter_rows(file: h5py.File, table: pd.DataFrame, title: str, limit: int = 16) -> tuple[Figure, pd.DataFrame]:
    """First-layer filters through training, those that moved most, and how all of them turn and grow."""
    moments = [name for name in _moments(file) if "filters" in file[name]][:6]
    last = table[table["moment"] == moments[-1]].sort_values("cosine_first", kind="stable")
    chosen = last["filter"].to_numpy()[:limit]
    rows = [[file[moment]["filters"][int(unit)].mean(0) for unit in chosen] for moment in moments]
    top = [max(np.abs(row[column]).max() for row in rows) or 1.0 for column in range(len(chosen))]
    rows = [[tile / top[column] for column, tile in enumerate(row)] for row in rows]
    flat = rows[0][0].shape[0] == 1
    fig, (upper, norm, turn) = _filter_axes(len(rows), flat)
    canvas = _scaled_tiles(rows)
    upper.imshow(canvas, interpolation="nearest", aspect="auto" if flat else "equal")
    step = canvas.shape[0] / len(rows)
    names = [f"step {file[moment].attrs['step']} ({moment.split(' at ')[0]})" for moment in moments]
    upper.set_yticks([(place + 0.5) * step for place in range(len(rows))], names)
    width = canvas.shape[1] / len(chosen)
    upper.set_xticks([(place + 0.5) * width for place in range(len(chosen))], [str(unit) for unit in chosen])
    upper.set_xlabel("unit")
    upper.tick_params(length=0)
    upper.grid(False)
    for spine in upper.spines.values():
        spine.set_visible(False)
    upper.set_title(f"{title}: filters of the first layer that turned most")
    for axes, column, name in ((norm, "norm", "norm of a filter"), (turn, "cosine_first", "cosine to its first self")):
        wide = table.pivot_table(index="step", columns="filter", values=column, sort=True)
        axes.plot(wide.index, wide.to_numpy(), color=MUTED, linewidth=0.4, alpha=0.6)
        axes.fill_between(
            wide.index, wide.quantile(0.25, axis=1), wide.quantile(0.75, axis=1), color=COLOURS[0], alpha=0.2
        )
        axes.plot(wide.index, wide.median(axis=1), "o-", markersize=3, color=COLOURS[0], linewidth=2)
        for step in table.loc[table["moment"].str.startswith(EVENTS), "step"].unique():
            axes.axvline(step, color=JUMP, linestyle="--", linewidth=0.8)
        axes.set(xlabel="training step", ylabel=name)
    from_zero(norm)
    return fig, table


def _filter_axes(rows: int, flat: bool) -> tuple[Figure, tuple[Axes, Axes, Axes]]:
    above = (0.3 if flat else 0.52) * rows + 0.5
    fig, axes = figure(2, 2, width=8.4, height=above + 2.4, height_ratios=[above, 2.2])
    grid = axes[0, 0].get_gridspec()
    for panel in axes[0]:
        panel.remove()
    return fig, (fig.add_subplot(grid[0, :]), axes[1, 0], axes[1, 1])


def _scaled_tiles(rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Tiles that share one scale, -1 to 1, white at zero."""
    height, width = rows[0][0].shape
    scale = max(1, round(48 / max(height, width)))
    tall = scale if height > 1 else 24
    space = 5
    canvas = np.ones((len(rows) * (height * tall + space) - space, len(rows[0]) * (width * scale + space) - space, 4))
    for place, row in enumerate(rows):
        for column, tile in enumerate(row):
            coloured = colormaps[DIVERGING]((np.asarray(tile, dtype=np.float64) + 1) / 2)
            coloured = np.kron(coloured, np.ones((tall, scale, 1)))
            top, left = place * (height * tall + space), column * (width * scale + space)
            canvas[top : top + coloured.shape[0], left : left + coloured.shape[1]] = coloured
    return canvas


def plot_heads_and_maps(file: h5py.File, heads: pd.DataFrame, title: str) -> tuple[Figure, pd.DataFrame]:
    """Attention of every head at the last moment, and entropy and specialisation of heads through training.

    Dotted: the same quantity of an untrained network, mean over its heads.
    """
    last = file[_moments(file)[-1]]
    maps = [last["attention"][key][:] for key in sorted(last["attention"], key=int)]
    layers = list(dict.fromkeys(heads["layer"]))
    shown = min(len(maps), 4)
    fig, axes = figure(
        shown, 3, width=9.6, height=1.75 * shown + 0.9, squeeze=False, width_ratios=[2.2, 1, 1], sharex="col"
    )
    top = max(weights.max() for weights in maps)
    colours = colour_map(sorted(set(heads["head"])))
    for row in range(shown):
        weights = maps[row]
        canvas = np.full((weights.shape[1], len(weights) * (weights.shape[2] + 1) - 1), np.nan)
        for head, each in enumerate(weights):
            canvas[:, head * (weights.shape[2] + 1) :][:, : weights.shape[2]] = each
        image = axes[row, 0].imshow(canvas, vmin=0, vmax=top, cmap=SEQUENTIAL, aspect="auto")
        width = weights.shape[2] + 1
        axes[row, 0].set_xticks(
            [(head + 0.5) * width - 1 for head in range(len(weights))], [f"head {head}" for head in range(len(weights))]
        )
        axes[row, 0].tick_params(length=0, labelbottom=True)
        axes[row, 0].set_yticks([])
        axes[row, 0].set_ylabel(f"layer {row}\nquery")
        axes[row, 0].grid(False)
        own = heads[(heads["layer"] == layers[row]) & (heads["control"] == "none")]
        idle = heads[(heads["layer"] == layers[row]) & (heads["control"] == "untrained")]
        for axis, column in zip(axes[row, 1:], ("relative_entropy", "specialisation")):
            for head, part in own.groupby("head"):
                part = part.sort_values("step")
                axis.plot(part["step"], part[column], "o-", markersize=2.5, color=colours[head], label=f"head {head}")
                axis.fill_between(
                    part["step"], part[f"{column}_low"], part[f"{column}_high"], color=colours[head], alpha=0.2,
                    linewidth=0,
                )  # fmt: skip
            axis.axhline(idle[column].mean(), color=MUTED, linestyle=":", linewidth=1.2, label="untrained")
            for step in own.loc[own["kind"].isin(EVENTS), "step"].unique():
                axis.axvline(step, color=JUMP, linestyle="--", linewidth=0.8)
    axes[0, 0].set_title(f"{title}: attention, step {last.attrs['step']}")
    axes[0, 1].set_title("entropy / ln(tokens)")
    axes[0, 2].set_title("specialisation (nats)")
    for axis in axes[-1, 1:]:
        axis.set_xlabel("training step")
    fig.colorbar(image, ax=axes[:, 0], label="attention weight", location="left", shrink=0.8)
    fig.legend(*axes[0, 1].get_legend_handles_labels(), loc="outside lower right", ncols=len(colours) + 1)
    return fig, heads
