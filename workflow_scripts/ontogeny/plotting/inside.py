"""The inside of a run's networks in pictures: features, units and interventions, beside what controls show."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator
from statsmodels.stats.proportion import proportion_confint

from ontogeny.files import disk_errors, open_hdf5
from ontogeny.interventions.figures import (
    plot_ablation,
    plot_interpolation,
    plot_noise,
    plot_patching,
    plot_pruning,
)
from ontogeny.plotting.style import COLOURS, DIVERGING, INK, JUMP, MUTED, SEQUENTIAL, colour_map, figure, save_figure

NAMES = {
    "saliency": "saliency",
    "smoothgrad": "SmoothGrad",
    "integrated_gradients": "integrated gradients",
    "grad_cam": "Grad-CAM",
}
CONTROLS = {
    "none": ("the network", COLOURS[0]),
    "shuffled labels": ("shuffled labels", COLOURS[1]),
    "untrained": ("untrained", MUTED),
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
    _save(drawn, folder, ("png",))


def _save(
    drawn: Mapping[str, tuple[Figure, pd.DataFrame]],
    folder: str | os.PathLike,
    formats: Sequence[str] = ("png", "pdf"),
) -> None:
    with disk_errors(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
    for name, (fig, table) in drawn.items():
        save_figure(fig, Path(folder) / f"{name.replace(' ', '_')}.png", table, formats)


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
        names.append("attention rollout")
    followed = "integrated_gradients" if "integrated_gradients" in methods else methods[-1]
    for moment in moments[:-1][:4]:
        values = file[moment]["attribution"][followed][:_SHOWN].mean(1)
        rows.append(list(values))
        modes.append("signed" if values.min() < 0 else "positive")
        names.append(f"{NAMES[followed]}\nat step {file[moment].attrs['step']} ({moment.split(' at ')[0]})")
    fig, axes = figure(1, 1, width=0.62 * len(labels) + 2.9, height=0.64 * len(rows) + 0.6)
    _mosaic(axes, rows, modes, names)
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
    axes.set(ylim=(min(-0.1, axes.get_ylim()[0]), 1.05), ylabel="rank correlation with the map", title=title)
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
        for step in table.loc[table["moment"].str.startswith("jump"), "step"].unique():
            axes.axvline(step, color=JUMP, linestyle="--", linewidth=0.8)
        axes.set(xlabel="training step", ylabel=name)
    norm.set_ylim(bottom=0)
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
            for step in own.loc[own["kind"] == "jump", "step"].unique():
                axis.axvline(step, color=JUMP, linestyle="--", linewidth=0.8)
    axes[0, 0].set_title(f"{title}: attention, step {last.attrs['step']}")
    axes[0, 1].set_title("entropy / ln(tokens)")
    axes[0, 2].set_title("specialisation (nats)")
    for axis in axes[-1, 1:]:
        axis.set_xlabel("training step")
    fig.colorbar(image, ax=axes[:, 0], label="attention weight", location="left", shrink=0.8)
    fig.legend(*axes[0, 1].get_legend_handles_labels(), loc="outside lower right", ncols=len(colours) + 1)
    return fig, heads


# ----------------------------------------------------------------------------------------------------------- units


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
    reach = [sign * 10.0**power for sign in (-1, 1) for power in range(-12, 4) if 10.0**power > 1.5 * fine]
    low, high = axes.get_ylim()
    axes.set_yticks([0.0, *(tick for tick in reach if low <= tick <= high)])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.axhline(0, color=INK, linewidth=0.6)
    axes.set_xticks(range(len(layers)), counts)
    axes.grid(axis="x", visible=False)
    axes.set_ylabel("change of loss when\na unit is ablated (nats)")
    step = int(end["step"].dropna().iloc[0])
    axes.set_title(f"{title}: importance of units, step {step}")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title="stand out against\nuntrained units")


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
        for _, each in part.groupby("moment", sort=False):
            found = each.set_index("layer").reindex(layers)
            axes.plot(found["change"], y + 0.12, "o", color=JUMP, markersize=5, label="across a jump")
        quiet = part.drop_duplicates("layer").set_index("layer").reindex(layers)
        axes.hlines(y - 0.12, quiet["quiet_low"], quiet["quiet_high"], color=MUTED, linewidth=1.2)
        axes.plot(quiet["quiet_mean"], y - 0.12, "s", color=MUTED, markersize=4, label="quiet pairs")
        pairs = int(quiet["pairs"].max())
        jumps = f"{len(colours)} jump{'s' * (len(colours) > 1)}"
        axes.set_title(f"{jumps}, {pairs} quiet pair{'s' * (pairs > 1)}", fontsize=8.5)
        axes.set_xlabel("mean change of a unit's importance (nats)")
        handles = dict(zip(*reversed(axes.get_legend_handles_labels())))
        axes.legend(handles.values(), handles.keys(), loc="best")
        axes.set_xlim(left=0)
    else:
        zero = importance[(importance["measure"] == "ablation zero") & (importance["control"] == "none")]
        zero = zero[zero["role"] == "at"]
        colours = colour_map(zero["moment"])
        for place, (moment, part) in enumerate(zero.groupby("moment", sort=False)):
            total = part.groupby("layer")["value"].agg(lambda values: values.abs().mean()).reindex(layers)
            height = y + 0.12 * ((len(colours) - 1) / 2 - place)
            axes.plot(total, height, "o", color=colours[moment], markersize=5, label=moment)
        axes.set_title("through training; no jump with a quiet pair", fontsize=8.5)
        axes.set_xlabel("mean importance of a unit (nats)")
        axes.set_xlim(left=0)
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
                    low, high = proportion_confint(hits, len(units), method="wilson")
                    axes.plot([low, high], [row + shift] * 2, color=colour, linewidth=1.2)
                    axes.plot(hits / len(units), row + shift, "o", color=colour, markersize=4)
        hits = [int((part[column] == True).sum()) for column in ("replicated", "stands_out")]  # noqa: E712
        left.plot([], [], "o-", color=colour, label=f"{name} ({hits[0]} and {hits[1]} of {len(part)})")
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


# --------------------------------------------------------------------------------------------------- interventions


def draw_interventions(table: pd.DataFrame, folder: str | os.PathLike, title: str) -> None:
    """Write a figure for every kind of intervention in `table` (of `interventions_of_run`) into `folder`."""
    drawn: dict[str, tuple[Figure, pd.DataFrame]] = {}
    for kind, part in table.groupby("intervention", sort=False):
        if kind == "ablate":
            for entry, each in part.groupby("entry"):
                whole = each["unit"].isna().all() if "unit" in each else True
                if whole:
                    drawn[f"ablation {entry}"] = plot_layers_ablated(each), each
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
            fig.axes[0].get_legend().remove()
            fig.legend(*fig.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
            drawn["interpolation"] = fig, part
    for fig, _ in drawn.values():
        fig.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    _save(drawn, folder)


def _patches(part: pd.DataFrame, jump: float) -> list[tuple[str, Figure, pd.DataFrame]]:
    """A figure for every pair of moments of one jump (or of none), with its quiet control."""
    found = []
    quiet = part[(part["control"] == "quiet") & (part["setting"] != "shuffled")].assign(setting="control")
    own = part[(part["control"] != "quiet") & ~part["moment"].isin(quiet["moment"])]
    for (source, target), rows in own.groupby(["source", "moment"], sort=False):
        fig = plot_patching(pd.concat([rows, quiet], ignore_index=True))
        fig.axes[0].set_title(f"{source}\n→ {target}", fontsize=8)
        name = f"jump {int(jump)}" if pd.notna(jump) else f"{source} to {target}"
        found.append((name, fig, pd.concat([rows, quiet], ignore_index=True)))
    return found


def _lines(part: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {
        f"{source} to {target}" if control == "none" else f"quiet: {source} to {target}": rows
        for (control, source, target), rows in part.groupby(["control", "source", "moment"], sort=False)
    }


def plot_layers_ablated(table: pd.DataFrame) -> Figure:
    """Whole layers ablated, and how many matter: at each moment (the start is untrained), and under shuffled labels.

    A layer matters if the interval of the change of accuracy lies below zero.
    """
    own = table[table["control"] == "none"]
    fig = plot_ablation(own)
    accuracy = table[table["metric"] == "accuracy"]
    matter = {
        key: f"{int((part['change_high'] < 0).sum())} of {len(part)} layers matter"
        for key, part in accuracy.groupby(["control", "moment"], sort=False)
    }
    axes = fig.axes[0]
    handles, names = axes.get_legend_handles_labels()
    names = [f"{name}: {matter['none', name]}" for name in names]
    for (control, _), said in matter.items():
        if control != "none":
            handles.append(axes.plot([], [], " ")[0])
            names.append(f"{control}: {said}")
    axes.legend(handles, names, loc="center left", bbox_to_anchor=(1.0, 0.5))
    fig.set_size_inches(8.6, fig.get_figheight())
    return fig
