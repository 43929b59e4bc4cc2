"""The network and its circuits in pictures, still or moving.

A network is drawn in layers from left to right. A neuron that no perfect circuit uses is grey. One that some use is
green, from pale (its mean activation is zero) to dark (the largest of all that is drawn), and its border is the wider,
the larger the share of circuits that use it. A connection's width and opacity are that share too, never below a quarter
where any circuit uses it. The circuit with the fewest edges is outlined; of several as small, the one that was outlined
before, as long as it stays a circuit. Below are the number of circuits, the losses, the current epoch and the jumps.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from ontogeny.circuits.frames import CircuitFrames
from ontogeny.errors import OntogenyError
from ontogeny.files import atomic
from ontogeny.plotting.style import COLOURS, GRID, INK, JUMP, MUTED, log_axis, save_figure, use_style
from ontogeny.plotting.video import write_mp4
from ontogeny.words import counted

UNUSED = "#D5D5D5"
EDGE = "#1B4332"
ACTIVATION = LinearSegmentedColormap.from_list("activation", ["#E3F4E1", "#9AD29B", "#3FA45B", "#0B5D2B", "#053D1C"])
SHARE_FLOOR = 0.25
OUTLINE = COLOURS[3]
_COUNT, _TRAIN, _VAL = COLOURS[2], COLOURS[0], COLOURS[4]


class _Scene:
    """One run on a figure: a network above a strip of curves, drawn once and then changed from epoch to epoch."""

    def __init__(
        self, fig: Figure, box: tuple[float, float, float, float], frames: CircuitFrames, scale: float, norm: Normalize
    ) -> None:
        left, bottom, width, height = box
        strip = 0.26 * height
        self.frames = frames
        self.network: Axes = fig.add_axes((left, bottom + strip, width, height - strip))
        margin = 0.085 * min(1.0, 0.62 / width) if width < 0.62 else 0.085
        margin = max(margin, 0.045 / scale if width >= 0.3 else 0.05)
        self.strip: Axes = fig.add_axes((left + margin, bottom + 0.25 * strip, width - 2 * margin, 0.66 * strip))
        self.scale, self.norm = scale, norm
        self.smallest = smallest_circuits(frames)
        self._place(fig)
        self._draw_strip()
        drawn = (self.outline, self.edges, self.rings, self.nodes)
        self.moving = [*drawn, *self.labels, self.heading, self.told, self.mark, self.dot]

    def _place(self, fig: Figure) -> None:
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
        self.outline = LineCollection(segments, zorder=0.8, capstyle="round", colors=OUTLINE, linewidths=0)
        axes.add_collection(self.outline)
        self.edges = LineCollection(segments, zorder=1, capstyle="round")
        axes.add_collection(self.edges)
        box = axes.get_window_extent()
        unit = min(box.width / np.ptp(axes.get_xlim()), box.height / np.ptp(axes.get_ylim()))
        radius = 0.27 * unit * 72 / axes.figure.dpi
        points = np.concatenate(self.xy)
        self.rings = axes.scatter(points[:, 0], points[:, 1], s=(2.5 * radius) ** 2, zorder=1.5, color=OUTLINE)
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
        below = top - 0.2 * self.scale / fig.get_figheight()
        self.told = fig.text(middle, below, "", ha="center", va="top", fontsize=8.5 * self.scale, color=OUTLINE)

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
            log_axis(losses, "y", most=4)
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
        self.edges.set_color([*map(tuple, colours)])
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
        self.nodes.set_edgecolor([*map(tuple, borders)])
        self.nodes.set_linewidth(np.where(used > 0, 0.6 + used * (self.widest - 0.6), 0.6).tolist())
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
        self.heading.set_text(f"{stopped}  ·  {counted(count, 'perfect circuit', ',')}")
        chosen = self.smallest[at]
        on = np.zeros(len(share), bool) if chosen is None else chosen.edges
        self.outline.set_linewidth(np.where(on, widths + 0.5 * self.widest + 1.2, 0.0).tolist())
        ringed = np.zeros(len(used), bool) if chosen is None else chosen.nodes
        self.rings.set_alpha(ringed.astype(float).tolist())
        self.told.set_text("" if chosen is None else chosen.label)
        self.mark.set_xdata([frames.epochs[at]] * 2)
        self.dot.set_data([frames.epochs[at]], [count])


@dataclass(frozen=True)
class _Outlined:
    """A circuit that is outlined: which edges and which neurons it has, side by side, and how it is labelled."""

    edges: NDArray[np.bool_]
    nodes: NDArray[np.bool_]
    label: str


def smallest_circuits(frames: CircuitFrames) -> list[_Outlined | None]:
    """The circuit with the fewest edges at every epoch, the one before where it is still among them; None for none."""
    chosen: list[_Outlined | None] = []
    before: NDArray[np.bool_] | None = None
    for at in range(len(frames.epochs)):
        listed = frames.listed[at] if frames.listed else ()
        if not listed or not len(listed[0]):
            chosen.append(None)
            before = None
            continue
        flat = np.concatenate([mask.reshape(len(mask), -1) for mask in listed], axis=1).astype(bool)
        edges = flat.sum(axis=1)
        least = flat[edges == edges.min()]
        place = 0 if before is None else int((least == before).all(axis=1).argmax())
        own = [mask[edges == edges.min()][place] for mask in listed]
        nodes = [own[0].any(axis=0), *(mask.any(axis=1) for mask in own)]
        which = "the smallest" if len(least) == 1 else f"one of the {len(least)} smallest"
        before = least[place]
        chosen.append(_Outlined(before, np.concatenate(nodes), f"outlined: {which}, {edges.min()} edges"))
    return chosen


def _legend(fig: Figure, scenes: Sequence[_Scene], bottom: float, height: float, unused: bool) -> None:
    """The key at the foot of a figure; `unused`: with neurons that are in no circuit."""
    size = 7.5
    jumps = any(scene.frames.jumps for scene in scenes)

    def neuron(face: str | tuple[float, float, float, float], edge: str, label: str, width: float = 1.0) -> Line2D:
        return Line2D(
            [], [], marker="o", linestyle="none", markersize=8, markerfacecolor=to_rgba(face), markeredgecolor=edge,
            markeredgewidth=width, label=label,
        )  # fmt: skip

    handles = [
        neuron(UNUSED, "#BDBDBD", "in no circuit"),
        neuron(ACTIVATION(0.0), EDGE, "border, edge: share of circuits", 2.4),
        Line2D([], [], color=OUTLINE, linewidth=4, label="smallest circuit"),
        Line2D([], [], color=_COUNT, label="circuits"),
        Line2D([], [], color=_TRAIN, label="training loss, with penalties"),
        Line2D([], [], color=_VAL, linestyle="--", label="validation loss"),
    ]  # fmt: skip
    handles = handles[not unused :]
    if jumps:
        handles.append(Line2D([], [], color=JUMP, marker="v", linestyle=(0, (2, 1.5)), label="jump"))
    fig.legend(
        handles=handles, loc="center right", bbox_to_anchor=(0.99, bottom + height / 2), fontsize=size,
        ncols=4, columnspacing=1.1, handletextpad=0.5, labelspacing=0.45, borderaxespad=0,
    )  # fmt: skip
    inches = fig.get_figwidth(), fig.get_figheight()
    bar = fig.add_axes((0.15 / inches[0], bottom + height / 2, 0.55 / inches[0], 0.09 / inches[1]))
    scale = fig.colorbar(ScalarMappable(scenes[0].norm, ACTIVATION), cax=bar, orientation="horizontal")
    scale.set_ticks([0, scenes[0].norm.vmax or 1.0], labels=["0", f"{scenes[0].norm.vmax:.2g}"])
    scale.ax.tick_params(labelsize=size - 1, length=2, pad=1)
    scale.ax.set_title("activation", fontsize=size - 0.5, pad=2, weight="normal")


def _compose(
    runs: Sequence[CircuitFrames], columns: int | None, dpi: float, unused: bool = True
) -> tuple[Figure, list[_Scene]]:
    """A figure with a scene for each run, in rows of `columns`."""
    use_style()
    n = len(runs)
    columns = columns or (n if n <= 2 else math.ceil(math.sqrt(n)))
    columns = min(columns, n)
    rows = math.ceil(n / columns)
    width, height = (6.8, 4.7) if n == 1 else (4.6 * columns, 3.9 * rows)
    key = 0.52
    even = [2 * math.ceil(inches * dpi / 2) for inches in (width, height + key)]  # pixels, even as animations need
    fig = Figure(figsize=(even[0] / dpi, even[1] / dpi), dpi=dpi)
    fig.set_layout_engine(PlaceHolderLayoutEngine(adjust_compatible=True, colorbar_gridspec=True))
    FigureCanvasAgg(fig)
    total = height + key
    scenes = []
    scale = 1.0 if n == 1 else 0.9
    values = np.concatenate([np.abs(layer).ravel() for run in runs for layer in run.activation[1:]])
    norm = Normalize(0.0, float(np.nanmax(values)) or 1.0 if np.isfinite(values).any() else 1.0)
    for k, run in enumerate(runs):
        row, column = divmod(k, columns)
        cell_w, cell_h = 1 / columns, height / rows / total
        box = (
            column * cell_w + 0.01 / columns,
            key / total + (rows - 1 - row) * cell_h,
            cell_w * (1 - 0.02 / columns),
            cell_h * (1 - 0.065),
        )
        scenes.append(_Scene(fig, box, run, scale, norm))
    _legend(fig, scenes, 0.02 / total, key / total, unused)
    return fig, scenes


def _as_runs(runs: CircuitFrames | Sequence[CircuitFrames]) -> list[CircuitFrames]:
    listed = [runs] if isinstance(runs, CircuitFrames) else list(runs)
    if not listed:
        raise OntogenyError("no run was given to draw: give at least one")
    return listed


def draw_epoch(
    runs: CircuitFrames | Sequence[CircuitFrames],
    epoch: int,
    columns: int | None = None,
    dpi: float = 120,
    unused: bool = True,
) -> Figure:
    """A still of one run, or of several beside each other, at `epoch`; its key names neurons in no circuit if `unused`.

    Each shows its last tracked epoch that is not after it. Raises OntogenyError for an epoch before the first.
    """
    runs = _as_runs(runs)
    first = min(int(run.epochs[0]) for run in runs)
    if epoch < first:
        last = max(int(run.epochs[-1]) for run in runs)
        raise OntogenyError(f"epoch {epoch} was not tracked: epochs {first} to {last} were")
    fig, scenes = _compose(runs, columns, dpi, unused)
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
    runs = _as_runs(runs)
    unused = any((layer[run.index(epoch)] <= 0).any() for run in runs for layer in run.node_share)
    return save_figure(draw_epoch(runs, epoch, columns, unused=unused), path, snapshot_table(runs, epoch), formats)


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

    It begins one tracked epoch before the first circuit of any run, if there is one. The last epoch, the first circuit
    of every run, and the jumps after the beginning are always among them.
    """
    runs = _as_runs(runs)
    known = np.unique(np.concatenate([run.epochs for run in runs]))
    born = [int(run.epochs[run.circuits > 0][0]) for run in runs if run.circuits.any()]
    if born:
        known = known[max(int(np.searchsorted(known, min(born))) - 1, 0) :]
    if len(known) <= most:
        return known.tolist()
    chosen = set(known[np.linspace(0, len(known) - 1, most).round().astype(int)].tolist())
    for run in runs:
        found = np.flatnonzero(run.circuits)
        chosen.update(run.epochs[found[:1]].tolist())
        chosen.update(int(run.epochs[run.index(jump)]) for jump in run.jumps if jump >= known[0])
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

    The ending of `path` decides: `.mp4` (H.264, plays everywhere) or `.gif`. `fps` is frames per second, `hold` how
    many seconds the last one stays; epochs are thinned to about `most_frames` (`frame_epochs`). The same runs give
    the same file on the same machine. Raises OntogenyError for another ending, no runs, and a rate that is not above 0.
    """
    path = Path(path)
    if path.suffix not in (".mp4", ".gif"):
        raise OntogenyError(f"{path} ends in '{path.suffix}': an animation is written as .mp4 or .gif")
    if not (math.isfinite(fps) and fps > 0):
        raise OntogenyError(f"fps is {fps}: give a number above 0")
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


def _render(fig: Figure, scenes: Sequence[_Scene], epochs: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    """RGB frames: the still parts are drawn once, the moving ones over a copy for every epoch."""
    canvas = FigureCanvasAgg(fig)
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
    cut = sample.quantize(colors=183, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).getpalette() or []
    colours = np.array(cut[: 3 * 183], dtype=np.uint8).reshape(-1, 3)
    colours[(colours > 247).all(axis=1)] = 255  # the paper, which the cut makes a little grey
    meant = [
        *ACTIVATION(np.linspace(0, 1, 64)),
        to_rgba(UNUSED),
        to_rgba(OUTLINE),
    ]  # colours that mean something stay what they are
    colours = np.concatenate([colours, (255 * np.array(meant)[:, :3]).round().astype(np.uint8)])
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours.tobytes())
    frames = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    step = max(round(1000 / fps), 20)
    times = [step] * (len(frames) - 1) + [max(round(1000 * hold), step)]
    frames[0].save(
        path, format="GIF", save_all=True, append_images=frames[1:], duration=times, loop=0, optimize=False
    )  # fmt: skip


def _short(value: float) -> str:
    """A count in few characters: 950, 12k, 1.2M, 100M."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e3 if letter == 'k' else size):g}{letter}"
    return f"{value:g}"
