"""The one style of every figure: fonts, sizes, colours that colour-blind readers can tell apart, and saving.

Figures are made with `figure`, coloured with `COLOURS` or `colour_map`, and written with `save_figure`, which
fixes all metadata, so that the same data give the same file.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal, cast

import matplotlib

matplotlib.use("Agg", force=False)

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from ontogeny.arguments import checks_arguments
from ontogeny.errors import check_word
from ontogeny.files import atomic, disk_errors, write_csv
from ontogeny.plotting.notes import note

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5C99", "#B0B0B0", "#B8A400", "#7B1E3A")
"""Okabe and Ito's palette (https://jfly.uni-koeln.de/color/), in the order of use, with three additions."""

INK = "#222222"
MUTED = "#8A8A8A"
_STRIP = 0.22
"""Height in inches of a strip for a note above a figure."""
_GAP = 4
"""Pixels between the labels of two ticks, and between words and the edge of a figure that grew for them."""
_NEGATIVE = re.compile(r"(?<![\w.)\]-])-(?=\.?\d)")
"""The hyphen of a number below zero: not that of `3-5-1`, of a date or of `1e-5`."""
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
GRID = "#E6E6E6"
JUMP = "#D55E00"
SEQUENTIAL = "viridis"
DIVERGING = "RdBu_r"

_STYLE: Any = {
    "figure.dpi": 120,
    "savefig.dpi": 200,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.wspace": 0.04,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "figure.titleweight": "bold",
    "axes.labelsize": 9,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=COLOURS),
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "text.color": INK,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "image.cmap": SEQUENTIAL,
    "image.interpolation": "nearest",
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "ontogeny",
    "text.usetex": False,
    "text.parse_math": False,
}


def use_style() -> None:
    """Apply the project's Matplotlib settings to this process (`figure` does it by itself)."""
    plt.rcParams.update(_STYLE)


@checks_arguments
def figure(
    rows: int = 1, columns: int = 1, width: float = 7.0, height: float = 3.5, **settings: Any
) -> tuple[Figure, Any]:
    """A figure of `width` x `height` inches and its axes, in the project's style.

    `settings` go to `matplotlib.pyplot.subplots`. Axes come as there: one, or an array (`squeeze=False` for always).
    """
    use_style()
    return plt.subplots(rows, columns, figsize=(width, height), **settings)


@checks_arguments
def colour_map(keys: Iterable[Hashable]) -> dict[Hashable, str]:
    """One colour per key, in the order in which keys first appear: of the palette, or from dark to light if it ends."""
    names = list(dict.fromkeys(keys))
    if len(names) <= len(COLOURS):
        return dict(zip(names, COLOURS))
    shades = matplotlib.colormaps[SEQUENTIAL](np.linspace(0.03, 0.92, len(names)))
    return {name: to_hex(shade) for name, shade in zip(names, shades)}


@checks_arguments
def save_figure(
    fig: Figure, path: str | os.PathLike, data: Any = None, formats: Iterable[str] = ("png", "pdf")
) -> list[Path]:
    """Write `fig` in every one of `formats` and close it; return the paths.

    The figure is laid out once, for all formats. A hyphen before a number becomes a minus sign, in words as on axes.

    `path` may end in one of the formats; the others are written beside it. `data`, a pandas DataFrame, is the
    table that the figure shows, written beside it as CSV. Metadata holds no time and no version. Raises OntogenyError
    for a format that Matplotlib does not write.
    """
    formats = list(formats)
    for ending in formats:
        check_word(ending, "format of figures", fig.canvas.get_supported_filetypes())
    _sign_minus(fig)
    _with_note(fig, note())
    stem = Path(path).with_suffix("") if Path(path).suffix.lstrip(".") in {"png", "pdf", "svg"} else Path(path)
    written = []
    with _laid_out(fig):
        area = _area(fig)
        for ending in formats:
            metadata = {"png": {"Software": None}, "pdf": {"CreationDate": None, "Producer": None, "Creator": None}}
            target = stem.with_name(f"{stem.name}.{ending}")
            with atomic(target) as part, _fonts(ending):
                told = metadata.get(ending, {"Date": None, "Creator": None})
                fig.savefig(part, format=ending, metadata=told, bbox_inches=area)
            written.append(target)
    if data is not None:
        target = stem.with_name(f"{stem.name}.csv")
        write_csv(target, data)
        written.append(target)
    plt.close(fig)
    return written


def _sign_minus(fig: Figure) -> None:
    """Draw numbers below zero with the sign that ticks have, in titles, labels, legends and words of the figure too."""
    for parent in (fig, *fig.subfigs, *fig.axes):
        owned = [*parent.get_children(), *(axis.label for axis in getattr(parent, "_axis_map", {}).values())]
        legends = [child for child in owned if isinstance(child, Legend)]
        for text in (*owned, *(text for legend in legends for text in legend.get_texts())):
            if isinstance(text, Text) and "-" in text.get_text():
                text.set_text(_NEGATIVE.sub("\N{MINUS SIGN}", text.get_text()))


@contextmanager
def _laid_out(fig: Figure) -> Iterator[None]:
    """Everything in `fig` is in its place for good: a figure with an engine is drawn once more at every saving."""
    engine = fig.get_layout_engine()
    if engine is not None:
        dots: Any = plt.rcParams["savefig.dpi"]
        fig.set_dpi(fig.dpi if dots == "figure" else dots)
        engine.execute(fig)
    for axes in fig.axes:
        _thin_ticks(axes)
    with plt.rc_context({"figure.constrained_layout.use": False}):
        fig.set_layout_engine(None)
        yield


def _thin_ticks(axes: Axes) -> None:
    """Fewer ticks on the x axis while their labels meet: Matplotlib takes every number for three digits long."""
    axis, locator, canvas = axes.xaxis, axes.xaxis.get_major_locator(), cast(FigureCanvasAgg, axes.figure.canvas)
    if not isinstance(locator, ticker.MaxNLocator) or not axis.get_visible():
        return
    for most in (5, 4, 3):
        low, high = sorted(axis.get_view_interval())
        inside = [label for label, at in zip(axis.get_ticklabels(), axis.get_ticklocs()) if low <= at <= high]
        labels = [label for label in inside if label.get_visible() and label.get_text()]
        boxes = [label.get_window_extent(canvas.get_renderer()) for label in labels]
        if all(left.x1 + _GAP < right.x0 for left, right in itertools.pairwise(boxes)):
            return
        locator.set_params(nbins=most)


def _fonts(ending: str) -> AbstractContextManager[None]:
    """How fonts are embedded in a format; what embeds them takes as long to import as a figure to draw."""
    if ending != "pdf":
        return nullcontext()
    from ontogeny.plotting.fonts import lean_fonts

    return lean_fonts()


def _with_note(fig: Figure, text: str) -> None:
    """Write `text` in a strip above `fig`, where there is any."""
    if text:
        height = fig.get_size_inches()[1]
        fig.text(0.01, 1 + 0.5 * _STRIP / height, text, fontsize=7, color=MUTED, ha="left", va="center")
        fig.patch.set_height(1 + _STRIP / height)


def _area(fig: Figure) -> Bbox:
    """The area to save, in inches: the figure, and what of its titles, labels and legends reaches beyond it."""
    renderer = cast(FigureCanvasAgg, fig.canvas).get_renderer()
    labelled = [axis for axes in fig.axes for axis in (axes.xaxis, axes.yaxis) if axes.axison and axis.label.get_text()]
    for axis in labelled:
        axis.get_tightbbox(renderer)  # which puts its label in its place
    labels = [axis.label for axis in labelled]
    titles = [child for axes in fig.axes for child in axes.get_children() if isinstance(child, Text | Legend)]
    shown = [text for text in (*labels, *titles, *fig.texts, *fig.legends) if text.get_visible()]
    boxes = [text.get_window_extent(renderer) for text in shown]
    canvas = fig.patch.get_window_extent(renderer)
    whole = Bbox.union([canvas, *(box for box in boxes if box.width > 0 and box.overlaps(canvas))])
    more = np.subtract(whole.extents, canvas.extents)
    area = canvas.extents + np.where(np.abs(more) > 1, more + _GAP * np.array([-1, -1, 1, 1]), 0)
    low, high = np.split(area / np.tile(fig.bbox.extents[2:], 2), 2)
    fig.patch.set_bounds(*low, *(high - low))
    return Bbox.from_extents(*area / fig.dpi)


def save_figures(
    drawn: Mapping[str, tuple[Figure, Any]], folder: str | os.PathLike, formats: Sequence[str] = ("png", "pdf")
) -> None:
    """Write figures by name into `folder`, made if need be, each with the table that it shows (`save_figure`)."""
    with disk_errors(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
    for name, (fig, table) in drawn.items():
        save_figure(fig, Path(folder) / f"{name.replace(' ', '_')}.png", table, formats)


class PlainTicks(ticker.Formatter):
    """Ticks as plain numbers, or all of an axis as powers of ten where one of them would not be plain."""

    def __call__(self, value: float, pos: int | None = None) -> str:
        low, high = sorted(cast(Axis, self.axis).get_view_interval())
        words = f"{value:g}"
        if value and any("e" in f"{at:g}" for at in self.locs if low <= at <= high):
            size, exponent = f"{value:e}".split("e")
            words = f"10{str(int(exponent)).translate(_RAISED)}"
            if float(size) != 1:
                words = f"-{words}" if float(size) == -1 else f"{float(size):g}·{words}"
        return self.fix_minus(words)


def plain_ticks(axis: Axis) -> None:
    """Label the major ticks of an axis as `PlainTicks` does, and no others."""
    axis.set_major_formatter(PlainTicks())
    axis.set_minor_formatter(ticker.NullFormatter())


def log_axis(axes: Axes, which: Literal["x", "y"] = "y", most: int = 8) -> None:
    """Make an axis logarithmic, its ticks plain numbers, with 2 and 5 between powers of ten where there are few.

    `most`: about how many powers of ten have room; below 6, nothing stands between them.
    """
    axes.set(**{f"{which}scale": "log"})
    side = axes.yaxis if which == "y" else axes.xaxis
    low, high = side.get_view_interval()
    if high / low < 5:
        side.set_major_locator(ticker.MaxNLocator(4, steps=[1, 2, 5, 10]))
    else:
        subs = (1.0, 2.0, 5.0) if high / low < 150 and most >= 6 else (1.0,)
        side.set_major_locator(ticker.LogLocator(subs=subs, numticks=most))
    plain_ticks(side)


def from_zero(axes: Axes, which: Literal["x", "y"] = "y", margin: float = 0.0) -> None:
    """Start an axis of rates, counts or sizes at 0, or `margin` (a share of it) below, so that no tick is negative.

    Where everything is 0, in these axes and those that share the axis, it ends at 1. Data below 0 leave it as it is.
    """
    side = ("x", "y").index(which)
    shared = (axes.get_shared_x_axes, axes.get_shared_y_axes)[side]().get_siblings(axes)
    held = np.array([each.dataLim.get_points()[:, side] for each in shared])
    held = held[np.isfinite(held).all(axis=1)]
    if len(held) and held.min() < -1e-9 * held.max():
        return
    ends, free = (
        (axes.get_xlim(), axes.get_autoscalex_on()) if which == "x" else (axes.get_ylim(), axes.get_autoscaley_on())
    )
    top = ends[1] if len(held) and held.max() > 0 else 1.0
    if free and len(held):
        top = max(top, 1.05 * held.max())
    axes.set(**{f"{which}lim": (-margin * top, top)})


def step_axis(axes: Axes, steps: Any) -> None:
    """Make the axis of training steps logarithmic where `steps` are spaced so: most of them before a tenth of the last.

    Steps up to the first above 0 keep their place on a linear part, so that step 0 is shown.
    """
    steps = np.unique(np.asarray(steps, dtype=float))
    above = steps[steps > 0]
    if len(above) < 4 or np.median(steps) > steps[-1] / 10:
        return
    axes.set_xscale("symlog", linthresh=above[0])
    decades = 10.0 ** np.arange(np.ceil(np.log10(above[0])), np.log10(steps[-1]) + 1e-9)
    axes.set_xticks([*([0.0] if steps[0] <= 0 else []), *decades[:: 1 + len(decades) // 8]])
    axes.xaxis.set_major_formatter(PlainTicks())
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.set_xlim(-0.1 * above[0] if steps[0] <= 0 else steps[0] / 1.1, 1.15 * steps[-1])


def panel_letter(axes: Axes, letter: str) -> None:
    """Put a bold panel letter at the upper left, outside the axes."""
    axes.annotate(
        letter, (0, 1), (-28, 8), xycoords="axes fraction", textcoords="offset points", weight="bold", size=11
    )
