"""Figures and animations of the map of a layer through training, and of the decision boundary."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure, SubFigure

from ontogeny.errors import OntogenyError
from ontogeny.files import atomic
from ontogeny.jumps.plan import EVENTS
from ontogeny.plotting.style import COLOURS, GRID, INK, JUMP, MUTED, from_zero, use_style
from ontogeny.plotting.video import write_mp4

_METHODS = {"tsne": "t-SNE", "umap": "UMAP"}
_LINES = (
    ("trustworthiness", COLOURS[0], "trustworthiness"),
    ("continuity", COLOURS[2], "continuity"),
    ("label_agreement", COLOURS[4], "neighbours of one label, map"),
    ("label_agreement_layer", COLOURS[3], "neighbours of one label, layer"),
)


def plot_maps(places: pd.DataFrame, quality: pd.DataFrame, title: str, most: int = 5) -> Figure:
    """The map of a layer at up to `most` moments, above its quality at every step.

    All panels share one fit and one scale. Shown are the start, the jumps and the end, filled up with other frames.
    `places` and `quality` are the tables of `ontogeny.geometry.map_run.map_of_run`. Grey bands in the lower panel
    hold 95 % of maps with shuffled samples; the dashed line is what shuffled labels give.
    """
    mapped = quality[quality["trustworthiness"].notna()]
    steps = _chosen(mapped["step"].tolist(), mapped["kind"].tolist(), most)
    kinds = dict(zip(mapped["step"], mapped["kind"]))
    use_style()
    fig = Figure(figsize=(1.75 * len(steps) + 1.0, 4.3), layout="constrained")
    FigureCanvasAgg(fig)
    upper, lower = _halves(fig, 1.15)
    panels = upper.subplots(1, len(steps), squeeze=False, sharex=True, sharey=True)[0]
    labels = sorted(places["label"].unique())
    for axes, step in zip(panels, steps):
        here = places[places["step"] == step]
        axes.scatter(here["x"], here["y"], s=7, c=[_colour(labels, label) for label in here["label"]], linewidths=0)
        kind = kinds[step]
        name = "" if kind == "frame" else f"{kind}\n"
        axes.set_title(f"{name}step {step}", loc="center", size=8, color=JUMP if kind in EVENTS else INK)
        _bare(axes)
    _limits(panels[0], places)
    for label in labels:
        panels[0].plot([], [], "o", color=_colour(labels, label), markersize=4, label=str(label))
    handles, names = panels[0].get_legend_handles_labels()
    upper.legend(handles, names, loc="outside right center", title="label", handletextpad=0.1)
    method = _METHODS.get(str(quality["method"].iloc[0]), "")
    upper.suptitle(f"{title}: {quality['layer'].iloc[0]}, {method} of all moments", x=0.01, ha="left", size=10)
    axes = lower.subplots()
    low = mapped[["trustworthiness_null_low", "continuity_null_low"]].min(axis=1)
    high = mapped[["trustworthiness_null_high", "continuity_null_high"]].max(axis=1)
    axes.fill_between(mapped["step"], low, high, color=MUTED, alpha=0.3, linewidth=0, label="shuffled maps")
    axes.plot(mapped["step"], mapped["label_agreement_null"], "--", color=MUTED, linewidth=1, label="shuffled labels")
    for column, colour, name in _LINES:
        axes.plot(mapped["step"], mapped[column], color=colour, marker="o", markersize=2.5, label=name)
    axes.set(xlabel="training step", ylabel="quality of the map", ylim=(0, 1.05))
    _mark_jumps(axes, quality)
    lower.legend(*axes.get_legend_handles_labels(), loc="outside right center")
    return fig


def animate_map(
    places: pd.DataFrame,
    quality: pd.DataFrame,
    path: str | os.PathLike,
    title: str = "",
    *,
    between: int = 5,
    fps: float = 8.0,
    dpi: float = 110,
    hold: float = 2.0,
) -> Path:
    """Write the map's way through training as MP4: samples coloured by label, with quality and jumps in a strip below.

    Each mapped step is followed by `between` frames in which samples move evenly to where they are next; the strip
    says which step is shown, and that it lies between two where it does. The same tables give the same file on the
    same machine. Raises OntogenyError for another ending, and for fewer than two steps.
    """
    path = Path(path)
    if path.suffix != ".mp4":
        raise OntogenyError(f"{path} ends in '{path.suffix}': an animation of a map is written as .mp4")
    steps = sorted(places["step"].unique().tolist())
    if len(steps) < 2:
        raise OntogenyError(f"{len(steps)} step was mapped: an animation needs two or more")
    ordered = places.sort_values(["step", "sample"])
    where = ordered[["x", "y"]].to_numpy(float).reshape(len(steps), -1, 2)
    marks = ordered["label"].to_numpy()[: where.shape[1]]
    labels = sorted(set(marks.tolist()))
    use_style()
    width, height = (2 * math.ceil(inches * dpi / 2) / dpi for inches in (5.2, 5.9))  # videos need even pixels
    fig = Figure(figsize=(width, height), dpi=dpi)
    fig.set_layout_engine("none")
    canvas = FigureCanvasAgg(fig)
    axes = fig.add_axes((0.02, 0.25, 0.84, 0.67))
    strip = fig.add_axes((0.1, 0.085, 0.76, 0.125))
    layer, method = quality["layer"].iloc[0], _METHODS.get(str(quality["method"].iloc[0]), "")
    fig.text(0.02, 0.975, f"{title}: {layer}, {method}".lstrip(": "), weight="bold", size=10, va="top")
    heading = fig.text(0.02, 0.938, "", size=9, va="top", animated=True)
    colours = [_colour(labels, label) for label in marks]
    dots = axes.scatter(where[0][:, 0], where[0][:, 1], s=16, c=colours, linewidths=0, animated=True)
    _bare(axes)
    _limits(axes, places)
    for label in labels:
        axes.plot([], [], "o", color=_colour(labels, label), markersize=4.5, label=str(label))
    fig.legend(
        *axes.get_legend_handles_labels(), loc="center right", bbox_to_anchor=(0.995, 0.58), title="label",
        handletextpad=0.1,
    )  # fmt: skip
    _draw_strip(strip, quality, steps)
    now = strip.axvline(steps[0], color=INK, linewidth=1.1, animated=True)
    kinds = dict(zip(quality["step"], quality["kind"]))
    canvas.draw()
    still = canvas.copy_from_bbox(fig.bbox)

    def images() -> Iterator[np.ndarray]:
        for index, step in enumerate(steps):
            for part in range(between + 1 if index + 1 < len(steps) else 1):
                share = part / (between + 1)
                later = index + 1 if part else index
                canvas.restore_region(still)
                dots.set_offsets((1 - share) * where[index] + share * where[later])
                now.set_xdata([(1 - share) * step + share * steps[later]] * 2)
                kind = kinds.get(step, "frame")
                shown = f"step {step}" + ("" if kind == "frame" else f", {kind}")
                heading.set_text(f"between steps {step} and {steps[later]}" if part else shown)
                heading.set_color(MUTED if part else JUMP if kind in EVENTS else INK)
                for owner, artist in ((axes, dots), (strip, now), (fig, heading)):
                    owner.draw_artist(artist)
                yield np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])

    with atomic(path) as part:
        extra = max(round(hold * fps) - 1, 0)
        write_mp4(part, images(), canvas.get_width_height(), fps, extra, ["-tune", "animation"])
    return path


def _draw_strip(strip: Axes, quality: pd.DataFrame, steps: list[int]) -> None:
    """The quality of the map over training, with its jumps, and the legend beside it."""
    mapped = quality[quality["trustworthiness"].notna()]
    strip.plot(mapped["step"], mapped["trustworthiness"], color=COLOURS[0], label="trust-\nworthiness")
    strip.plot(mapped["step"], mapped["label_agreement_layer"], color=COLOURS[3], label="one label\n(layer)")
    strip.set(xlim=(steps[0] - 0.01 * steps[-1], 1.01 * steps[-1]), ylim=(0, 1.08))
    strip.set_xlabel("training step", size=8, labelpad=1)
    strip.tick_params(labelsize=7, length=2, pad=1.5)
    _mark_jumps(strip, quality)
    strip.figure.legend(
        *strip.get_legend_handles_labels(), loc="center left", bbox_to_anchor=(0.865, 0.145), fontsize=6.5,
        handlelength=1.0, handletextpad=0.4, borderaxespad=0,
    )  # fmt: skip


def plot_boundary(
    arrays: Mapping[str, np.ndarray], steps: pd.DataFrame, changes: pd.DataFrame, title: str, most: int = 5
) -> Figure:
    """Decision regions on two planes at up to `most` steps, above margins, distances, and what changes at jumps.

    `arrays`, `steps`, `changes` are what `ontogeny.geometry.map_run.boundary_of_run` gives. Upper row: the plane of the
    first two principal components of the inputs, with inputs projected on it; second row: a plane through three inputs.
    Colours are predicted classes, the paler the smaller the lead of the largest logit; dots have the colour of their
    label.
    """
    known = arrays["steps"].tolist()
    jumps = changes[changes["kind"].isin(EVENTS)]
    around = {int(step): f"before {kind}" for step, kind in zip(jumps["before"], jumps["kind"])}
    around |= {int(step): f"after {kind}" for step, kind in zip(jumps["after"], jumps["kind"])}
    around |= {known[0]: "start", known[-1]: "end"}
    shown = _chosen(known, [around.get(step, "frame") for step in known], most)
    classes = int(max(arrays["pca_classes"].max(), arrays["triple_classes"].max(), arrays["pca_labels"].max())) + 1
    use_style()
    fig = Figure(figsize=(1.65 * len(shown) + 1.0, 6.0), layout="constrained")
    FigureCanvasAgg(fig)
    upper, lower = _halves(fig, 1.9)
    panels = upper.subplots(2, len(shown), squeeze=False)
    for row, (key, name) in enumerate((("pca", "principal components"), ("triple", "three inputs"))):
        low, high = arrays[f"{key}_corners"]
        top = np.quantile(arrays[f"{key}_gap"][known.index(shown[-1])], 0.9)
        for axes, step in zip(panels[row], shown):
            at = known.index(step)
            strength = np.clip(arrays[f"{key}_gap"][at] / max(top, 1e-12), 0, 1)[..., None] ** 0.5
            colours = np.array([to_rgb(_colour(range(classes), k)) for k in range(classes)])
            shade = 0.22 + 0.38 * strength
            picture = 1 - shade * (1 - colours[arrays[f"{key}_classes"][at]])
            axes.imshow(picture, origin="lower", extent=(low[0], high[0], low[1], high[1]), aspect="auto")
            labels = arrays[f"{key}_labels"]
            points = arrays[f"{key}_marks"]
            dot = {"s": 5, "linewidths": 0} if key == "pca" else {"s": 40, "linewidths": 1.2, "edgecolors": "white"}
            axes.scatter(*points.T, c=[_colour(range(classes), int(label)) for label in labels], **dot)
            _bare(axes)
            if row == 0:
                kind = around.get(step, "frame")
                colour = JUMP if kind.endswith(EVENTS) else INK
                prefix = "" if kind == "frame" else f"{kind}\n"
                axes.set_title(f"{prefix}step {step}", loc="center", size=8, color=colour)
        panels[row, 0].set_ylabel(name, size=8)
    names = range(classes)
    for k in names:
        panels[0, 0].plot([], [], "s", color=_colour(names, k), markersize=5, label=str(k))
    upper.legend(
        *panels[0, 0].get_legend_handles_labels(), loc="outside right center", title="class", handletextpad=0.1
    )
    upper.suptitle(f"{title}: decision regions", x=0.01, ha="left", size=10)
    margin, distance, change = lower.subplots(1, 3)
    _band(margin, steps, "margin", COLOURS[0], "")
    margin.axhline(0, color=MUTED, linewidth=0.8)
    margin.set(xlabel="training step", title="logit margin")
    _band(distance, steps, "distance_on_lines", COLOURS[2], "on the line to another class")
    _band(distance, steps, "distance_linearised", COLOURS[0], "linearised")
    distance.set(xlabel="training step", title="distance of inputs")
    from_zero(distance)
    for axes in (margin, distance):
        for index, step in enumerate(jumps["step"]):
            label = "" if index or axes is margin else "jump or transition"
            axes.axvline(step, color=JUMP, linewidth=1.0, linestyle=(0, (2, 1.5)), label=label)
    _draw_changes(change, changes)
    named = dict(
        pair for axes in (change, distance) for pair in zip(*reversed(axes.get_legend_handles_labels()), strict=True)
    )
    lower.legend(named.values(), named, fontsize=7, loc="outside lower center", ncols=4, columnspacing=1.0)
    return fig


def _draw_changes(axes: Axes, changes: pd.DataFrame) -> None:
    """Share of the planes that changed: per step of training between frames, and at jumps and their controls."""
    names = {"frame": (MUTED, "between frames"), "control": (COLOURS[0], "matched controls"), "jump": (JUMP, "jump")}
    names["transition"] = (COLOURS[3], "transition")
    for kind, (colour, name) in names.items():
        here = changes[changes["kind"] == kind]
        if not len(here):
            continue
        width = (here["after"] - here["before"]).clip(lower=1)
        middle = (here["before"] + here["after"]) / 2
        values, low, high = (100 * here[c] / width for c in ("changed", "changed_low", "changed_high"))
        spread = np.vstack([(values - low).fillna(0), (high - values).fillna(0)])
        axes.errorbar(
            middle, values, yerr=spread, xerr=width / 2, fmt="o", color=colour, markersize=3.5, linewidth=1, label=name
        )
    axes.set(xlabel="training step", title="% of planes changed per step")
    from_zero(axes)


def _band(axes: Axes, table: pd.DataFrame, column: str, colour: str, label: str) -> None:
    values, low, high = (
        table[name].replace([np.inf, -np.inf], np.nan) for name in (column, f"{column}_low", f"{column}_high")
    )
    axes.fill_between(table["step"], low, high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(table["step"], values, color=colour, marker="o", markersize=2.5, label=label)


def _chosen(steps: Sequence[int], kinds: Sequence[str], most: int) -> list[int]:
    """At most `most` steps: start, end, transitions, jumps, other moments, then the frames farthest from these."""
    named = [step for step, kind in zip(steps, kinds) if kind in ("start", "end")]
    for event in reversed(EVENTS):
        named += [step for step, kind in zip(steps, kinds) if kind.endswith(event)]
    named += [step for step, kind in zip(steps, kinds) if not kind.endswith((*EVENTS, "start", "end", "frame"))]
    chosen = named[:most]
    frames = [step for step, kind in zip(steps, kinds) if kind == "frame"]
    while frames and len(chosen) < most:
        apart = [min((abs(step**0.5 - other**0.5) for other in chosen), default=0.0) for step in frames]
        chosen.append(frames.pop(int(np.argmax(apart))))
    return sorted(set(chosen))


def _mark_jumps(axes: Axes, quality: pd.DataFrame) -> None:
    top = axes.get_ylim()[1]
    for index, step in enumerate(quality.loc[quality["kind"].isin(EVENTS), "step"]):
        axes.axvline(
            step, color=JUMP, linewidth=1.0, linestyle=(0, (2, 1.5)), label=None if index else "jump or\ntransition"
        )
        axes.plot([step], [top], marker="v", color=JUMP, markersize=5, clip_on=False)


def _limits(axes: Axes, places: pd.DataFrame) -> None:
    for column, setter in (("x", axes.set_xlim), ("y", axes.set_ylim)):
        low, high = places[column].min(), places[column].max()
        setter(low - 0.05 * (high - low), high + 0.05 * (high - low))


def _bare(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(GRID)


def _halves(fig: Figure, ratio: float) -> tuple[SubFigure, SubFigure]:
    """The upper part, `ratio` times as high as the lower one, and the lower part."""
    upper, lower = fig.subfigures(2, 1, height_ratios=[ratio, 1], squeeze=False).ravel()
    return upper, lower


def _colour(labels: Sequence[Any], label: Any) -> str:
    return COLOURS[list(labels).index(label) % len(COLOURS)]
