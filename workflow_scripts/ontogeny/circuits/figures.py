"""Circuits in pictures: curves over training, the effect of regularisers, and the network itself, still or moving.

A network is drawn in layers from left to right. A neuron that no perfect circuit uses is grey. One that some use is
green, from pale (its mean activation is zero) to dark (the largest of the run), and its border is the wider, the
larger the share of circuits that use it. A connection's width and opacity are that share too, never below a quarter
where any circuit uses it. Below are the number of circuits, the losses, the current epoch and the jumps.

`CircuitFrames` holds what is drawn of one run; it is made from a published record (`frames_from_record`) or from a
trained ensemble (`frames_from_ensemble`).
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from ontogeny.circuits.records import EpochCircuits, read_history
from ontogeny.circuits.statistics import mean_curves
from ontogeny.errors import OntogenyError
from ontogeny.files import atomic
from ontogeny.plotting.style import COLOURS, GRID, INK, JUMP, MUTED, colour_map, figure, save_figure, use_style
from ontogeny.plotting.video import write_mp4

UNUSED = "#D5D5D5"
EDGE = "#1B4332"
ACTIVATION = LinearSegmentedColormap.from_list("activation", ["#E3F4E1", "#9AD29B", "#3FA45B", "#0B5D2B", "#053D1C"])
SHARE_FLOOR = 0.25
_COUNT, _TRAIN, _VAL = COLOURS[2], COLOURS[0], COLOURS[4]


# What is drawn of a run


@dataclass(frozen=True)
class CircuitFrames:
    """One run as it is drawn: a value for every tracked epoch (E of them).

    `node_share[l]` (E, neurons) and `edge_share[l]` (E, out, in) are the shares of circuits that use each neuron and
    connection, 0 where there is no circuit; `activation[l]` (E, neurons) is the mean activation over inputs and over
    the circuits that use the neuron, NaN where it is unknown. `node_share` and `activation` start with the inputs.
    `listed[e][l]` (circuits, out, in) are masks of circuits of an epoch, at most so many as were asked for.
    """

    title: str
    epochs: NDArray[np.int64]
    circuits: NDArray[np.int64]
    train_loss: NDArray[np.float64]
    val_loss: NDArray[np.float64]
    node_share: tuple[NDArray[np.float64], ...]
    edge_share: tuple[NDArray[np.float64], ...]
    activation: tuple[NDArray[np.float64], ...]
    jumps: tuple[int, ...] = ()
    listed: tuple[tuple[NDArray[np.uint8], ...], ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """Neurons of each layer."""
        return tuple(layer.shape[1] for layer in self.node_share)

    def index(self, epoch: int) -> int:
        """The place of the last tracked epoch that is not after `epoch` (the first, if all are after)."""
        return max(int(np.searchsorted(self.epochs, epoch, side="right")) - 1, 0)


def frames_from_record(
    record: str | os.PathLike | Iterable[dict[str, Any] | EpochCircuits],
    title: str = "",
    jumps: Iterable[int] = (),
    sizes: Sequence[int] | None = None,
    most_listed: int = 500,
) -> CircuitFrames:
    """The frames of a record in the published layout: a path to its JSON (gzip or not), or its entries.

    Circuits of several outputs are taken together, each output with its own last neuron. `sizes` (neurons of each
    layer) is needed only for a record without any circuit; `most_listed` circuits of an epoch are kept one by one.
    Raises OntogenyError for a record that is empty, that is not such a record, or in which a mask does not fit
    the others.
    """
    where = str(record) if isinstance(record, str | os.PathLike) else "the record"
    if isinstance(record, str | os.PathLike):
        epochs = read_history(record, sizes)
    else:
        epochs = [entry.as_dict() if isinstance(entry, EpochCircuits) else entry for entry in record]
    if not epochs:
        raise OntogenyError(f"{where} holds no epochs: a list of tracked epochs is wanted")
    try:
        outputs = max(len(entry["outputs"]) for entry in epochs)
        found = _record_sizes(epochs, outputs)
        if found is None and sizes is None:
            raise OntogenyError(f"{where} has no circuit in any epoch, so the network is unknown: give its sizes")
        sizes = tuple(int(size) for size in (found or sizes))
        sums = [_sum_epoch(entry, sizes, where) for entry in epochs]
        counts = np.array([max(total, 1) for *_, total in sums], dtype=float)
        node_share = tuple(np.array([s[0][k] for s in sums]) / counts[:, None] for k in range(len(sizes)))
        edge_share = tuple(np.array([s[1][k] for s in sums]) / counts[:, None, None] for k in range(len(sizes) - 1))
        activation = []
        for k in range(len(sizes)):
            total, seen = np.array([s[2][k] for s in sums]), np.array([s[3][k] for s in sums])
            activation.append(np.divide(total, seen, out=np.full(total.shape, np.nan), where=seen > 0))
        return CircuitFrames(
            title=title,
            epochs=np.array([entry["epoch"] for entry in epochs], dtype=np.int64),
            circuits=np.array([entry["total_circuits"] for entry in epochs], dtype=np.int64),
            train_loss=_losses(epochs, "train_loss"),
            val_loss=_losses(epochs, "val_loss"),
            node_share=node_share,
            edge_share=edge_share,
            activation=tuple(activation),
            jumps=_jump_epochs(jumps),
            listed=tuple(tuple(mask[:most_listed] for mask in listed) for _, _, _, _, listed, _ in sums),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise OntogenyError(f"{where} is not a record of circuits: {type(error).__name__} {error}") from None


def _losses(epochs: list[dict[str, Any]], key: str) -> NDArray[np.float64]:
    values = [entry.get(key) for entry in epochs]
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


def _record_sizes(epochs: list[dict[str, Any]], outputs: int) -> tuple[int, ...] | None:
    for entry in epochs:
        for output in entry["outputs"]:
            for circuit in output["circuits"]:
                sizes = (*(len(mask) for mask in circuit["node_masks"][:-1]), outputs)
                if len(sizes) != len(circuit["edge_masks"]) + 1 or len(sizes) < 3:
                    raise ValueError(f"{len(sizes)} layers of neurons with {len(circuit['edge_masks'])} of edges")
                return sizes
    return None


def _sum_epoch(entry: dict[str, Any], sizes: tuple[int, ...], where: str):
    nodes = [np.zeros(size) for size in sizes]
    edges = [np.zeros((after, before)) for before, after in itertools.pairwise(sizes)]
    total, seen = [np.zeros(size) for size in sizes], [np.zeros(size) for size in sizes]
    listed: list[list[NDArray]] = [[np.zeros((0, *mask.shape), np.uint8)] for mask in edges]
    n = 0
    for position, output in enumerate(entry["outputs"]):
        circuits = output["circuits"]
        if not circuits:
            continue
        n += len(circuits)
        own = int(output.get("output_idx", position))
        for layer in range(len(sizes) - 1):
            masks = [np.asarray(circuit["edge_masks"][layer], dtype=float) for circuit in circuits]
            last = layer == len(sizes) - 2
            shape = (1, sizes[layer]) if last else edges[layer].shape
            for circuit, mask in zip(circuits, masks):
                if mask.shape != shape:
                    raise OntogenyError(
                        f"{where}, epoch {entry['epoch']}: circuit {circuit.get('circuit_idx', '?')} has a mask of "
                        f"shape {mask.shape} in layer {layer}, where the network of the others has {shape}"
                    )
            whole = np.zeros((len(circuits), *edges[layer].shape), np.uint8)
            whole[:, slice(own, own + 1) if last else slice(None)] = masks
            edges[layer] += whole.sum(axis=0)
            listed[layer].append(whole)
            nodes[layer] += np.sum([circuit["node_masks"][layer] for circuit in circuits], axis=0)
        nodes[-1][own] += len(circuits)
        for circuit in circuits:
            for neuron in circuit.get("neurons", ()):
                layer = int(neuron["layer"])
                place = own if layer == len(sizes) - 1 else int(neuron["neuron_idx"])
                if neuron["mean_activation"] is not None:
                    total[layer][place] += neuron["mean_activation"]
                    seen[layer][place] += 1
    return nodes, edges, total, seen, [np.concatenate(parts) for parts in listed], n


def _jump_epochs(jumps: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted({int(jump) for jump in jumps}))


def frames_from_ensemble(
    result: Any,
    seed: int,
    title: str = "",
    jumps: Iterable[int] = (),
    *,
    candidates: str = "all",
    accuracy_threshold: float = 0.99,
    most_listed: int = 500,
    most_averaged: int = 20_000,
) -> CircuitFrames:
    """The frames of one seed of an `ontogeny.training.ensemble.EnsembleResult`, every epoch from 0 on.

    Circuits are enumerated on the seed's validation rows; several outputs are taken together. Where an epoch has more
    than `most_averaged` circuits, a neuron's mean activation is that of the whole network, not of its circuits.
    """
    from ontogeny.circuits import count_circuits, enumerate_circuits
    from ontogeny.training.ensemble import layer_activations

    settings, rows = result.settings, result.rows(seed)
    data = result.data(seed).validation
    x, weight = np.unique(data.x, axis=0, return_counts=True)
    weight = weight / weight.sum()
    sizes = settings.sizes
    node_share, edge_share, activation, circuits, listed = [], [], [], [], []
    for epoch in range(rows.stop - rows.start):
        nodes = [np.zeros(size) for size in sizes]
        edges = [np.zeros((after, before)) for before, after in itertools.pairwise(sizes)]
        total, seen = [np.zeros(size) for size in sizes], [np.zeros(size) for size in sizes]
        masks = [[np.zeros((0, *mask.shape), np.uint8)] for mask in edges]
        n = 0
        for output in range(sizes[-1]):
            weights, biases = result.network(seed, epoch, output)
            problem = (weights, biases, data.x, data.y[:, output : output + 1], candidates, accuracy_threshold)
            found = count_circuits(*problem, activation=settings.activation)
            if not found.count:
                continue
            n += found.count
            each = found.count <= most_averaged
            chosen = enumerate_circuits(*problem, activation=settings.activation) if each else None
            stack = chosen.edge_masks if each else [np.ones((1, *layer.shape), np.uint8) for layer in weights]
            used = chosen.node_masks[1:] if each else [np.ones((1, len(bias))) for bias in biases]
            values = layer_activations(
                [layer * mask for layer, mask in zip(weights, stack)],
                [np.broadcast_to(bias, (len(stack[0]), len(bias))) for bias in biases],
                x,
                settings.activation,
            )
            for layer in range(len(sizes) - 1):
                last = layer == len(sizes) - 2
                own = slice(output, output + 1) if last else slice(None)
                edges[layer][own] += found.count * found.edge_participation[layer]
                nodes[layer] += found.count * found.node_participation[layer]
                mean = np.einsum("r,crn->cn", weight, values[layer])
                total[layer + 1][own] += (mean * used[layer]).sum(axis=0)
                seen[layer + 1][own] += used[layer].sum(axis=0)
                if each:
                    whole = np.zeros((min(found.count, most_listed), *edges[layer].shape), np.uint8)
                    whole[:, own] = stack[layer][:most_listed]
                    masks[layer].append(whole)
            nodes[-1][output] += found.count
        circuits.append(n)
        node_share.append([layer / max(n, 1) for layer in nodes])
        edge_share.append([layer / max(n, 1) for layer in edges])
        activation.append([np.divide(a, b, out=np.full(len(a), np.nan), where=b > 0) for a, b in zip(total, seen)])
        listed.append(tuple(np.concatenate(parts)[:most_listed] for parts in masks))
    return CircuitFrames(
        title=title,
        epochs=np.arange(rows.stop - rows.start),
        circuits=np.array(circuits, dtype=np.int64),
        train_loss=result.train_loss[rows],
        val_loss=result.val_loss[rows],
        node_share=tuple(map(np.array, zip(*node_share))),
        edge_share=tuple(map(np.array, zip(*edge_share))),
        activation=tuple(map(np.array, zip(*activation))),
        jumps=_jump_epochs(jumps),
        listed=tuple(listed),
    )


# Drawing the network


class _Scene:
    """One run on a figure: a network above a strip of curves, drawn once and then changed from epoch to epoch."""

    def __init__(self, fig: Figure, box: tuple[float, float, float, float], frames: CircuitFrames, scale: float):
        left, bottom, width, height = box
        strip = 0.26 * height
        self.frames = frames
        self.network: Axes = fig.add_axes((left, bottom + strip, width, height - strip))
        margin = 0.085 * min(1.0, 0.62 / width) if width < 0.62 else 0.085
        margin = max(margin, 0.045 / scale if width >= 0.3 else 0.05)
        self.strip: Axes = fig.add_axes((left + margin, bottom + 0.25 * strip, width - 2 * margin, 0.66 * strip))
        self.scale = scale
        self._place()
        self._draw_strip()
        self.moving = [self.edges, self.nodes, *self.labels, self.heading, self.mark, self.dot]

    def _place(self) -> None:
        axes, sizes = self.network, self.frames.sizes
        axes.set_axis_off()
        tallest = max(sizes)
        gap = 1.0
        self.xy = [
            np.column_stack([np.full(size, 1.5 * layer), gap * ((size - 1) / 2 - np.arange(size))])
            for layer, size in enumerate(sizes)
        ]
        axes.set_xlim(-0.55, 1.5 * (len(sizes) - 1) + 0.55)
        axes.set_ylim(-gap * (tallest - 1) / 2 - 0.85, gap * (tallest - 1) / 2 + 0.95)
        axes.set_aspect("equal", adjustable="box")
        segments = [
            (self.xy[layer][i], self.xy[layer + 1][o])
            for layer, (before, after) in enumerate(itertools.pairwise(sizes))
            for o in range(after)
            for i in range(before)
        ]
        axes.add_collection(LineCollection(segments, colors=GRID, linewidths=0.6, zorder=0.5))
        self.edges = LineCollection(segments, zorder=1, capstyle="round")
        axes.add_collection(self.edges)
        box = axes.get_window_extent()
        unit = min(box.width / np.ptp(axes.get_xlim()), box.height / np.ptp(axes.get_ylim()))
        radius = 0.27 * unit * 72 / axes.figure.dpi
        points = np.concatenate(self.xy)
        self.nodes = axes.scatter(points[:, 0], points[:, 1], s=(2 * radius) ** 2, zorder=2)
        self.widest = max(0.24 * radius, 1.5)
        self.font = float(np.clip(0.52 * radius, 3.5, 10))
        self.labels = [
            axes.text(x, y, "", ha="center", va="center_baseline", fontsize=self.font, zorder=3) for x, y in points
        ]
        for layer, size in enumerate(sizes):
            name = "inputs" if layer == 0 else f"hidden {layer}" if layer < len(sizes) - 1 else "output"
            name += "s" if name == "output" and size > 1 else ""
            axes.text(
                1.5 * layer, axes.get_ylim()[0] + 0.12, name,
                ha="center", va="bottom", fontsize=max(8 * self.scale, 6), color=MUTED,
            )  # fmt: skip
        top = axes.get_position().y1
        middle = (axes.get_position().x0 + axes.get_position().x1) / 2
        self.title = axes.figure.text(
            middle, top, self.frames.title, ha="center", va="bottom", fontsize=11 * self.scale, weight="bold"
        )
        self.heading = axes.figure.text(middle, top - 0.006, "", ha="center", va="top", fontsize=9.5 * self.scale)
        top_activation = max(
            (float(np.nanmax(np.abs(layer))) for layer in self.frames.activation if np.isfinite(layer).any()),
            default=1.0,
        )
        self.norm = Normalize(0.0, top_activation or 1.0)

    def _draw_strip(self) -> None:
        axes, frames = self.strip, self.frames
        small = max(7 * self.scale, 5.5)
        epochs = frames.epochs
        axes.fill_between(epochs, frames.circuits, step="post", color=_COUNT, alpha=0.18, linewidth=0)
        axes.step(epochs, frames.circuits, where="post", color=_COUNT, linewidth=1.2)
        most = max(int(frames.circuits.max()), 1)
        axes.set_ylim(0, 1.18 * most)
        span = max(int(epochs[-1] - epochs[0]), 1)
        axes.set_xlim(epochs[0] - 0.01 * span, epochs[-1] + 0.01 * span)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
        axes.tick_params(labelsize=small, length=2, pad=1.5)
        axes.tick_params(axis="y", colors=_COUNT)
        axes.set_ylabel("circuits", fontsize=small, color=_COUNT, labelpad=2)
        axes.set_xlabel("epoch", fontsize=small, labelpad=1)
        losses = axes.twinx()
        losses.set_facecolor("none")
        for values, colour, style in ((frames.train_loss, _TRAIN, "-"), (frames.val_loss, _VAL, "--")):
            good = np.isfinite(values) & (values > 0)
            if good.any():
                losses.plot(epochs[good], values[good], style, color=colour, linewidth=1.1)
        losses.grid(False)
        if losses.lines:
            _log_axis(losses, "y")
        losses.spines["right"].set_visible(True)
        losses.tick_params(labelsize=small, length=2, pad=1.5)
        losses.tick_params(which="minor", length=1)
        losses.set_ylabel("loss", fontsize=small, labelpad=2)
        for jump in frames.jumps:
            axes.axvline(jump, color=JUMP, linewidth=1.0, linestyle=(0, (2, 1.5)))
            axes.plot([jump], [1.18 * most], marker="v", color=JUMP, markersize=4 * self.scale + 1, clip_on=False)
        self.mark = losses.axvline(epochs[0], color=INK, linewidth=1.1)
        self.dot = losses.plot(
            [epochs[0]], [0], "o", color=_COUNT, markeredgecolor="white", markersize=5, transform=axes.transData,
            clip_on=False,
        )[0]  # fmt: skip

    def show(self, epoch: int) -> None:
        """Change the moving artists to what the run is at `epoch`."""
        frames = self.frames
        at = frames.index(epoch)
        share = np.concatenate([layer[at].ravel() for layer in frames.edge_share])
        strength = np.where(share > 0, np.maximum(share, SHARE_FLOOR), 0.0)
        colours = np.tile(to_rgba(EDGE), (len(share), 1))
        colours[:, 3] = strength
        widths = strength * 0.75 * self.widest
        self.edges.set_color(colours)
        self.edges.set_linewidth(widths)

        used = np.concatenate([layer[at] for layer in frames.node_share])
        activation = np.concatenate([layer[at] for layer in frames.activation])
        faces = ACTIVATION(self.norm(np.nan_to_num(np.abs(activation))))
        inputs = frames.sizes[0]
        faces[:inputs] = to_rgba("white")
        faces[used <= 0] = to_rgba(UNUSED)
        borders = np.tile(to_rgba(EDGE), (len(used), 1))
        borders[used <= 0] = to_rgba("#BDBDBD")
        self.nodes.set_facecolor(faces)
        self.nodes.set_edgecolor(borders)
        self.nodes.set_linewidth(np.where(used > 0, 0.6 + used * (self.widest - 0.6), 0.6))
        for k, label in enumerate(self.labels):
            if k < inputs:
                text = f"x{k + 1}"
            elif used[k] > 0 and np.isfinite(activation[k]):
                text = f"{activation[k]:.2f}".replace("-0.00", "0.00")
            else:
                text = ""
            label.set_text(text)
            bright = faces[k, :3] @ (0.299, 0.587, 0.114) > 0.5
            label.set_color(INK if bright else "white")
        count = int(frames.circuits[at])
        stopped = f"stopped at epoch {frames.epochs[-1]}" if epoch > frames.epochs[-1] else f"epoch {frames.epochs[at]}"
        self.heading.set_text(f"{stopped}  ·  {count:,} perfect circuit{'' if count == 1 else 's'}")
        self.mark.set_xdata([frames.epochs[at]] * 2)
        self.dot.set_data([frames.epochs[at]], [count])


def _short(value: float) -> str:
    """A count in few characters: 950, 12k, 1.2M, 100M."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e3 if letter == 'k' else size):g}{letter}"
    return f"{value:g}"


def _log_axis(axes: Axes, which: str) -> None:
    """Make one axis logarithmic, with plain numbers at its powers of ten."""
    getattr(axes, f"set_{which}scale")("log")
    axis = getattr(axes, f"{which}axis")
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _legend(fig: Figure, scenes: Sequence[_Scene], bottom: float, height: float) -> None:
    """The key at the foot of a figure."""
    size = 7.5
    jumps = any(scene.frames.jumps for scene in scenes)
    narrow = fig.get_figwidth() < 6
    marker = {"marker": "o", "linestyle": "none", "markersize": 8}
    handles = [
        Line2D([], [], markerfacecolor=UNUSED, markeredgecolor="#BDBDBD", label="in no circuit", **marker),
        Line2D([], [], markerfacecolor=ACTIVATION(0.0), markeredgecolor=EDGE, label="silent", **marker),
        Line2D([], [], markerfacecolor=ACTIVATION(0.6), markeredgecolor=EDGE, label="active", **marker),
        Line2D([], [], markerfacecolor=ACTIVATION(0.0), markeredgecolor=EDGE, markeredgewidth=2.4,
               label="border, edge: share of circuits", **marker),
        Line2D([], [], color=_COUNT, label="circuits"),
        Line2D([], [], color=_TRAIN, label="training loss"),
        Line2D([], [], color=_VAL, linestyle="--", label="validation loss"),
    ]  # fmt: skip
    if jumps:
        handles.append(Line2D([], [], color=JUMP, marker="v", linestyle=(0, (2, 1.5)), label="jump"))
    fig.legend(
        handles=handles, loc="center", bbox_to_anchor=(0.5, bottom + height / 2), fontsize=size,
        ncols=4 if narrow or jumps or len(handles) > 4 else len(handles), columnspacing=1.3, handletextpad=0.5,
        labelspacing=0.45, borderaxespad=0,
    )  # fmt: skip


def _compose(runs: Sequence[CircuitFrames], columns: int | None, dpi: float) -> tuple[Figure, list[_Scene]]:
    """A figure with a scene for each run, in rows of `columns`."""
    use_style()
    n = len(runs)
    columns = columns or (n if n <= 2 else math.ceil(math.sqrt(n)))
    columns = min(columns, n)
    rows = math.ceil(n / columns)
    width, height = (6.8, 4.7) if n == 1 else (4.6 * columns, 3.9 * rows)
    key = 0.52
    even = [2 * math.ceil(inches * dpi / 2) / dpi for inches in (width, height + key)]  # films need even pixels
    fig = Figure(figsize=even, dpi=dpi)
    fig.set_layout_engine(PlaceHolderLayoutEngine(adjust_compatible=True, colorbar_gridspec=True))
    FigureCanvasAgg(fig)
    total = height + key
    scenes = []
    scale = 1.0 if n == 1 else 0.9
    for k, run in enumerate(runs):
        row, column = divmod(k, columns)
        cell_w, cell_h = 1 / columns, height / rows / total
        box = (
            column * cell_w + 0.01 / columns,
            key / total + (rows - 1 - row) * cell_h,
            cell_w * (1 - 0.02 / columns),
            cell_h * (1 - 0.065),
        )
        scenes.append(_Scene(fig, box, run, scale))
    _legend(fig, scenes, 0.02 / total, key / total)
    return fig, scenes


def _as_runs(runs: CircuitFrames | Sequence[CircuitFrames]) -> list[CircuitFrames]:
    listed = [runs] if isinstance(runs, CircuitFrames) else list(runs)
    if not listed:
        raise OntogenyError("no run was given to draw: give at least one")
    return listed


def draw_epoch(
    runs: CircuitFrames | Sequence[CircuitFrames], epoch: int, columns: int | None = None, dpi: float = 120
) -> Figure:
    """A still of one run, or of several beside each other, at `epoch`.

    Each shows its last tracked epoch that is not after it. Raises OntogenyError for an epoch before the first.
    """
    runs = _as_runs(runs)
    first = min(int(run.epochs[0]) for run in runs)
    if epoch < first:
        last = max(int(run.epochs[-1]) for run in runs)
        raise OntogenyError(f"epoch {epoch} was not tracked: epochs {first} to {last} were")
    fig, scenes = _compose(runs, columns, dpi)
    for scene in scenes:
        scene.show(epoch)
    return fig


def save_snapshot(
    runs: CircuitFrames | Sequence[CircuitFrames],
    epoch: int,
    path: str | os.PathLike,
    formats: Iterable[str] = ("png", "pdf", "svg"),
    columns: int | None = None,
) -> list[Path]:
    """Write `draw_epoch` in every one of `formats`, and what it shows as CSV beside them; return the paths."""
    return save_figure(draw_epoch(runs, epoch, columns), path, snapshot_table(runs, epoch), formats)


def snapshot_table(runs: CircuitFrames | Sequence[CircuitFrames], epoch: int) -> pd.DataFrame:
    """What `draw_epoch` shows: a row for every neuron (`source` empty) and connection of every run.

    Columns: run, epoch (the tracked one that is drawn), circuits, layer and neuron (the inputs are layer 0), source
    (the neuron of the layer before), share (of the circuits that use it), activation (mean, of neurons).
    """
    rows = []
    for run in _as_runs(runs):
        place = run.index(epoch)
        about = (run.title, int(run.epochs[place]), int(run.circuits[place]))
        for layer, (shares, means) in enumerate(zip(run.node_share, run.activation)):
            drawn = enumerate(zip(shares[place], means[place]))
            rows += [(*about, layer, neuron, None, share, mean) for neuron, (share, mean) in drawn]
        for layer, shares in enumerate(run.edge_share, 1):
            rows += [(*about, layer, *where, share, None) for where, share in np.ndenumerate(shares[place])]
    columns = ["run", "epoch", "circuits", "layer", "neuron", "source", "share", "activation"]
    return pd.DataFrame(rows, columns=columns).astype({"source": "Int64"})


def frame_epochs(runs: CircuitFrames | Sequence[CircuitFrames], most: int = 240) -> list[int]:
    """The epochs that an animation shows: all that any run tracked, or about `most` of them, evenly spaced.

    The first and the last, the first circuit of every run, and the jumps are always among them.
    """
    runs = _as_runs(runs)
    known = np.unique(np.concatenate([run.epochs for run in runs]))
    if len(known) <= most:
        return known.tolist()
    chosen = set(known[np.linspace(0, len(known) - 1, most).round().astype(int)].tolist())
    for run in runs:
        found = np.flatnonzero(run.circuits)
        chosen.update(run.epochs[found[:1]].tolist())
        chosen.update(int(run.epochs[run.index(jump)]) for jump in run.jumps)
    return sorted(chosen)


def animate_circuits(
    runs: CircuitFrames | Sequence[CircuitFrames],
    path: str | os.PathLike,
    *,
    columns: int | None = None,
    fps: float = 4.0,
    dpi: float = 110,
    most_frames: int = 240,
    hold: float = 1.5,
) -> Path:
    """Write an animation of one run, of two side by side, or of a grid of runs, all at the same epoch.

    The ending of `path` decides: `.mp4` (H.264, plays everywhere) or `.gif`. `fps` is frames a second, `hold` how
    many seconds the last one stays; epochs are thinned to about `most_frames` (`frame_epochs`). The same runs give
    the same file on the same machine. Raises OntogenyError for another ending, no runs, and a rate that is not above 0.
    """
    path = Path(path)
    if path.suffix not in (".mp4", ".gif"):
        raise OntogenyError(f"{path} ends in '{path.suffix}': an animation is written as .mp4 or .gif")
    if not (math.isfinite(fps) and fps > 0):
        raise OntogenyError(f"fps is {fps}: a number above 0 is wanted")
    runs = _as_runs(runs)
    epochs = frame_epochs(runs, most_frames)
    fig, scenes = _compose(runs, columns, dpi)
    images = _render(fig, scenes, epochs)
    extra = max(round(hold * fps) - 1, 0)
    with atomic(path) as part:
        if path.suffix == ".mp4":
            write_mp4(part, images, fig.canvas.get_width_height(), fps, extra, ["-tune", "animation"])
        else:
            _write_gif(part, images, fps, hold)
    return path


def _render(fig: Figure, scenes: Sequence[_Scene], epochs: Sequence[int]):
    """RGB frames: the still parts are drawn once, the moving ones over a copy for every epoch."""
    canvas = fig.canvas
    moving = [artist for scene in scenes for artist in scene.moving]
    for artist in moving:
        artist.set_animated(True)
    canvas.draw()
    still = canvas.copy_from_bbox(fig.bbox)
    for epoch in epochs:
        canvas.restore_region(still)
        for scene in scenes:
            scene.show(epoch)
            for artist in scene.moving:
                fig.draw_artist(artist)
        yield np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def _write_gif(path: Path, images: Iterable[NDArray], fps: float, hold: float) -> None:
    from PIL import Image

    pictures = [Image.fromarray(image) for image in images]
    sample = Image.fromarray(
        np.concatenate([np.asarray(pictures[k]) for k in sorted({0, len(pictures) // 2, len(pictures) - 1})])
    )
    cut = sample.quantize(colors=184, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).getpalette()
    colours = np.array(cut[: 3 * 184], dtype=np.uint8).reshape(-1, 3)
    colours[(colours > 247).all(axis=1)] = 255  # the paper, which the cut makes a little grey
    meant = [*ACTIVATION(np.linspace(0, 1, 64)), to_rgba(UNUSED)]  # colours that mean something stay what they are
    colours = np.concatenate([colours, (255 * np.array(meant)[:, :3]).round().astype(np.uint8)])
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours.tobytes())
    frames = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    step = max(round(1000 / fps), 20)
    times = [step] * (len(frames) - 1) + [max(round(1000 * hold), step)]
    frames[0].save(
        path, format="GIF", save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=False
    )  # fmt: skip


# Curves and effects


_NAMES = {
    "circuits": "perfect circuits",
    "sparsity": "mean node sparsity",
    "train_loss": "training loss",
    "val_loss": "validation loss",
    "first_circuit": "epoch of the first circuit",
    "epochs": "epochs trained",
    "converged": "converged",
}


def _name(measure: str, table: pd.DataFrame) -> str:
    """The axis label of a measure, with the candidates that circuits were counted among."""
    return _NAMES[measure] + (f" ({table.candidates.iloc[0]} candidates)" if measure == "circuits" else "")


def _curve(axes: Axes, curves: pd.DataFrame, colour: str, label: str | None, style: str = "-") -> None:
    curves = curves[curves.n >= min(5, curves.n.max())]
    axes.fill_between(curves.epoch, curves.low, curves.high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(curves.epoch, curves["mean"], style, color=colour, label=label)


def _epoch_axis(axes: Axes, history: pd.DataFrame) -> None:
    axes.set_xlabel("epoch")
    lowest, highest = max(int(history.epoch.min()), 1), int(history.epoch.max())
    if highest > 30 * lowest:
        _log_axis(axes, "x")
        axes.set_xlim(lowest, highest)


def plot_curves(history: pd.DataFrame, measure: str = "circuits") -> tuple[Figure, pd.DataFrame]:
    """Circuits (or sparsity) against epochs: the mean over seeds of each condition and its 95 % interval.

    A seed that has stopped keeps its last value. A mean is drawn from where five seeds have a value on (all, if there
    are fewer). Returns the figure and the table it shows (`mean_curves`).
    """
    history = history[history.epoch > 0]
    table = mean_curves(history, measure)
    fig, axes = figure(width=5.2, height=3.4)
    colours = colour_map(table.condition)
    for condition, curves in table.groupby("condition", sort=False):
        _curve(axes, curves, colours[condition], condition)
    _epoch_axis(axes, history)
    axes.set_ylabel(_name(measure, history))
    axes.set_ylim(bottom=0)
    axes.legend(loc="best")
    return fig, table


def plot_losses(history: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """Training (solid, penalties included) and validation loss (dashed) against epochs, means over seeds."""
    history = history[history.epoch > 0]
    tables = [mean_curves(history, measure).assign(measure=measure) for measure in ("train_loss", "val_loss")]
    fig, axes = figure(width=5.2, height=3.4)
    colours = colour_map(tables[0].condition)
    for table, style in zip(tables, ("-", "--")):
        for condition, curves in table.groupby("condition", sort=False):
            axes.plot(
                curves.epoch, curves["mean"], style, color=colours[condition], label=condition if style == "-" else None
            )
    _log_axis(axes, "y")
    _epoch_axis(axes, history)
    axes.set_ylabel("mean loss (solid training, dashed validation)")
    axes.legend(loc="best")
    return fig, pd.concat(tables, ignore_index=True)


def plot_overview(history: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """A grid: circuits, sparsity and losses (rows) of every condition (columns), each seed thin, their mean thick."""
    history = history[history.epoch > 0]
    conditions = list(dict.fromkeys(history.condition))
    colours = colour_map(conditions)
    fig, grid = figure(
        3, len(conditions), width=max(2.3 * len(conditions) + 0.6, 4), height=6.2, sharex="col", sharey="row",
        squeeze=False,
    )  # fmt: skip
    tables = []
    for row, measure in enumerate(("circuits", "sparsity", "train_loss")):
        table = mean_curves(history, measure)
        tables.append(table.assign(measure=measure))
        for column, condition in enumerate(conditions):
            axes = grid[row, column]
            chosen = history[history.condition == condition]
            lines = [group[["epoch", measure]].to_numpy(float) for _, group in chosen.groupby("seed")]
            axes.add_collection(LineCollection(lines, colors=MUTED, linewidths=0.4, alpha=0.35, zorder=1))
            axes.autoscale_view()
            curves = table[table.condition == condition]
            curves = curves[curves.n >= min(5, curves.n.max())]
            axes.plot(curves.epoch, curves["mean"], color=colours[condition], linewidth=2, zorder=3)
            if measure == "train_loss":
                _log_axis(axes, "y")
            if row == 0:
                axes.set_title(condition)
            if column == 0:
                axes.set_ylabel(_name(measure, history).replace(" (", "\n("))
    for axes in grid[-1]:
        _epoch_axis(axes, history)
    return fig, pd.concat(tables, ignore_index=True)


def _bars(value: float, low: float, high: float) -> list[list[float]]:
    """Error bars down and up, never below nothing by rounding."""
    return [[max(value - low, 0.0)], [max(high - value, 0.0)]]


def plot_regularisers(seeds: pd.DataFrame, effects: pd.DataFrame, measure: str = "circuits") -> Figure:
    """The effect of every condition: values of each seed, what share converged, and the paired effect sizes.

    `seeds` is `ontogeny.circuits.statistics.seed_table`, `effects` is `compare_conditions` of it. Effects show their
    bootstrap interval, filled where the Holm-corrected p value is below 0.05.
    """
    from ontogeny.circuits.statistics import condition_table

    conditions = list(dict.fromkeys(seeds.condition))
    colours = colour_map(conditions)
    summary = condition_table(seeds, [measure]).set_index("condition")
    fig, (values, shares, forest) = figure(
        1, 3, width=2.6 + 1.15 * max(len(conditions), 3) + 1.6, height=3.3, width_ratios=(1.5, 1, 1.35)
    )  # fmt: skip
    rng = np.random.default_rng(0)
    for k, condition in enumerate(conditions):
        points = seeds.loc[(seeds.condition == condition) & seeds.converged, measure].dropna().to_numpy(float)
        values.plot(
            k + rng.uniform(-0.17, 0.17, len(points)), points, "o", color=colours[condition], markersize=2.4,
            alpha=0.45, markeredgewidth=0,
        )  # fmt: skip
        row = summary.loc[condition]
        if len(points):
            values.errorbar(
                k + 0.33, row["mean"], _bars(row["mean"], row.mean_low, row.mean_high), fmt="o",
                color=INK, markersize=4, linewidth=1.2, capsize=2,
            )  # fmt: skip
            values.plot([k - 0.24, k + 0.24], [row["median"]] * 2, color=INK, linewidth=1.2)
        shares.errorbar(
            k, row.converged_share, _bars(row.converged_share, row.share_low, row.share_high),
            fmt="o", color=colours[condition], capsize=2,
        )  # fmt: skip
    for axes in (values, shares):
        axes.set_xticks(range(len(conditions)), conditions, rotation=30 if len(conditions) > 2 else 0, ha="right")
        axes.set_xlim(-0.6, len(conditions) - 0.4)
        axes.grid(axis="x", visible=False)
    values.set_ylabel(_name(measure, seeds))
    values.set_ylim(bottom=0)
    values.set_title("each seed, median, mean ± 95 %")
    shares.set_ylabel("share of seeds converged")
    shares.set_ylim(0, 1.02)
    shares.set_title("convergence")
    shown = effects[(effects.measure == measure) & effects.effect.notna()]
    for k, (_, row) in enumerate(shown.iterrows()):
        significant = row.p_holm < 0.05
        forest.errorbar(
            row.effect, k, xerr=_bars(row.effect, row.effect_low, row.effect_high), fmt="o", capsize=2,
            color=colours.get(row.condition, INK), markerfacecolor=None if significant else "white",
        )  # fmt: skip
        forest.annotate(
            f"p = {row.p_holm:.2g}", (row.effect, k), (0, 6), textcoords="offset points", ha="center", fontsize=7
        )
    forest.axvline(0, color=MUTED, linewidth=0.8)
    forest.set_yticks(range(len(shown)), shown.condition)
    forest.set_ylim(len(shown) - 0.4, -0.7)
    forest.grid(axis="y", visible=False)
    baseline = shown.baseline.iloc[0] if len(shown) else conditions[0]
    forest.set_xlabel(f"Cohen's d, against {baseline}")
    forest.set_title("paired effect (Holm p)")
    return fig
