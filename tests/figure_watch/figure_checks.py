"""What can be checked of a figure without looking at it: axes, ticks, legends, texts and colour bars."""

import itertools

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import Collection, PathCollection, QuadMesh
from matplotlib.colors import BoundaryNorm, ListedColormap, to_hex
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator

EDGE = 4
"""Pixels that a text may stand over another."""
MOST_CATEGORIES = 20
"""A colour map with up to so many colours shows categories, which need no colour bar."""


def problems(fig):
    """Sentences on what is wrong with `fig`; it is drawn, not changed."""
    FigureCanvasAgg(fig).draw()
    axes = [each for each in fig.axes if each.get_visible()]
    found = []
    for each in axes:
        if each.axison:
            found += [*_axis(fig, axes, each, "x"), *_axis(fig, axes, each, "y")]
            found += _empty(each)
    found += _legends(fig, axes)
    found += _hidden(fig, axes)
    found += _texts(fig, axes)
    found += _crowded(fig, axes)
    return [*found, *_colours(axes)]


def _title(axes):
    return " ".join(axes.get_title(loc).strip() for loc in ("left", "center", "right")).strip()


def _name(axes):
    return f"axes '{_title(axes) or axes.get_ylabel() or axes.get_xlabel()}'"


def _is_bar(axes):
    return getattr(axes, "_colorbar", None) is not None


def _axis(fig, all_axes, axes, which):
    """Whether an axis is named and has two ticks or more, or none at all.

    Ticks that were set by hand may be one, for one category. The title of a panel may name what its y axis shows.
    """
    axis = getattr(axes, f"{which}axis")
    if not axis.get_visible():
        return
    shown = [tick for tick in axis._update_ticks() if tick.tick1line.get_visible() or tick.label1.get_visible()]
    labelled = [tick for tick in shown if tick.label1.get_text() or tick.label2.get_text()]
    ticks = len(axis.get_major_locator()()) if not labelled else len(labelled)
    if _is_bar(axes) and not (axes.get_xlabel() + axes.get_ylabel() + _title(axes)):
        yield "a colour bar has no label"
    if _is_bar(axes) or not shown:
        return
    if ticks == 1 and not isinstance(axis.get_major_locator(), FixedLocator):
        yield f"{_name(axes)}: the {which} axis has one tick"
    categories = any(not _is_numeric(tick.label1.get_text()) for tick in labelled)
    shared = getattr(axes, f"get_shared_{which}_axes")()
    span = "colspan" if which == "x" else "rowspan"
    named = [other for other in all_axes if other is axes or shared.joined(axes, other) or _along(axes, other, span)]
    overall = fig._supxlabel if which == "x" else fig._supylabel or _title(axes)
    if not (any(getattr(other, f"get_{which}label")() for other in named) or overall or categories):
        yield f"{_name(axes)}: the {which} axis has no name"


def _along(a, b, span):
    spec, other = a.get_subplotspec(), b.get_subplotspec()
    if spec is None or other is None or spec.get_gridspec() is not other.get_gridspec():
        return False
    return list(getattr(spec, span)) == list(getattr(other, span))


def _is_numeric(text):
    return not text or text.removeprefix("$\\mathdefault{").lstrip("\u2212-+.")[:1].isdigit()


def _legends(fig, all_axes):
    """Legend entries that draw nothing, or whose colour nothing in the figure has."""
    legends = [*fig.legends, *(each.get_legend() for each in all_axes if each.get_legend() is not None)]
    colours = set(
        itertools.chain.from_iterable(_colours_of(artist) for each in all_axes for artist in each.get_children())
    )
    for legend in legends:
        yield from _alike(legend)
        for handle, text in zip(legend.legend_handles, legend.get_texts()):
            if not text.get_text():
                continue
            drawn = _colours_of(handle, legend=True)
            if not drawn:
                yield f"legend entry '{text.get_text()}' draws nothing"
            elif not drawn & colours:
                yield f"legend entry '{text.get_text()}' has a colour that nothing in the figure has"


def _look(handle):
    """What tells a legend entry from others: colours, marker, line and hatch."""
    if isinstance(handle, Line2D):
        width = handle.get_linewidth() if handle.get_linestyle() != "None" else 0
        more = handle.get_marker(), handle.get_linestyle(), handle._unscaled_dash_pattern, round(width, 1)
    else:
        more = type(handle).__name__, str(getattr(handle, "get_hatch", lambda: None)())
        if isinstance(handle, Collection):
            more += tuple(path.vertices.tobytes() for path in handle.get_paths()[:1])
    return frozenset(_colours_of(handle, legend=True)), str(more)


def _alike(legend):
    looks = {}
    for handle, text in zip(legend.legend_handles, legend.get_texts()):
        if text.get_text() and handle.get_visible():
            looks.setdefault(_look(handle), []).append(text.get_text())
    for names in looks.values():
        if len(names) > 1:
            yield f"legend entries {names} look the same"


def _empty(axes):
    """Whether axes are drawn with nothing in them."""
    drawn = [*axes.lines, *axes.collections, *axes.images, *axes.patches, *axes.texts, *axes.containers]
    if not drawn and not _is_bar(axes):
        yield f"{_name(axes)}: nothing is drawn"


def _hidden(fig, all_axes):
    """Marks of data that lie under a legend of their panel."""
    renderer = fig.canvas.get_renderer()
    for axes in all_axes:
        legend = axes.get_legend()
        if legend is None:
            continue
        handles = zip(legend.legend_handles, legend.get_texts())
        parts = [*(handle.get_window_extent(renderer) for handle, _ in handles)]
        parts += [text.get_window_extent(renderer) for text in legend.get_texts() if text.get_text()]
        under = 0
        for points in _points(axes):
            for box in parts:
                inside = (points > [box.x0 + 1, box.y0 + 1]) & (points < [box.x1 - 1, box.y1 - 1])
                under += int(inside.all(axis=1).sum())
        if under:
            yield f"{_name(axes)}: {under} points lie under the legend"


def _points(axes):
    """Places, in pixels, of what lines and points of some axes show; lines are followed closely."""
    for line in axes.lines:
        if line.get_visible() and line.get_transform().contains_branch(axes.transData):
            data = line.get_xydata()
            at = line.get_transform().transform(data[np.isfinite(data).all(axis=1)]) if len(data) else data
            if len(at) > 1 and line.get_linestyle() not in ("None", "", " "):
                at = np.concatenate([np.linspace(a, b, 20, endpoint=False) for a, b in itertools.pairwise(at)])
            yield at
    for points in axes.collections:
        if isinstance(points, PathCollection) and points.get_visible():
            yield points.get_offset_transform().transform(np.ma.getdata(points.get_offsets()))


def _crowded(fig, all_axes):
    """Names of axes that reach into other axes."""
    renderer = fig.canvas.get_renderer()
    for one, other in itertools.permutations(all_axes, 2):
        place = other.get_window_extent(renderer)
        inside = one.get_window_extent(renderer)
        for axis in (one.xaxis, one.yaxis):
            if not (axis.get_visible() and one.axison and axis.label.get_text()):
                continue
            box = axis.label.get_window_extent(renderer)
            wide = min(box.x1, place.x1) - max(box.x0, place.x0)
            high = min(box.y1, place.y1) - max(box.y0, place.y0)
            apart = inside.x1 <= place.x0 or place.x1 <= inside.x0 or inside.y1 <= place.y0 or place.y1 <= inside.y0
            if wide > EDGE and high > EDGE and apart:
                yield f"the name '{axis.label.get_text()}' reaches into {_name(other)}"


def _colours_of(artist, legend=False):
    """Colours, without their transparency, that an artist draws with."""
    if not artist.get_visible():
        return set()
    if isinstance(artist, Line2D):
        x = np.asarray(artist.get_xdata(orig=False), dtype=float)
        if not legend and not len(x):
            return set()
        line = artist.get_linestyle() not in ("None", "", " ", "none") and artist.get_linewidth() > 0
        marker = artist.get_marker() not in ("None", "", " ", "none", None)
        found = [artist.get_color()] if line else []
        found += [artist.get_markerfacecolor(), artist.get_markeredgecolor()] if marker else []
    elif isinstance(artist, Patch):
        found = [artist.get_facecolor(), artist.get_edgecolor()]
    elif isinstance(artist, Collection):
        if not legend and isinstance(artist, PathCollection) and not len(artist.get_offsets()):
            return set()
        found = [*artist.get_facecolor(), *artist.get_edgecolor()]
    else:
        return set()
    return {to_hex(colour) for colour in found if not isinstance(colour, str) or colour.lower() != "none"}


def _texts(fig, all_axes):
    """Texts that leave the canvas, or lie over each other."""
    renderer = fig.canvas.get_renderer()
    canvas = fig.bbox
    boxes = []
    for text in _all_texts(fig, all_axes):
        box = text.get_window_extent(renderer)
        words = " ".join(text.get_text().split())[:40]
        outside = max(canvas.x0 - box.x0, canvas.y0 - box.y0, box.x1 - canvas.x1, box.y1 - canvas.y1)
        if outside > 1:
            yield f"the text '{words}' leaves the canvas by {outside:.0f} pixels"
        if text.get_rotation() % 90 == 0:
            boxes.append((words, box))
    told = 0
    for (a, one), (b, other) in itertools.combinations(boxes, 2):
        width = min(one.x1, other.x1) - max(one.x0, other.x0)
        height = min(one.y1, other.y1) - max(one.y0, other.y0)
        if width > EDGE and height > EDGE + 1 and told < 3:
            told += 1
            yield f"the texts '{a}' and '{b}' lie over each other"


def _all_texts(fig, all_axes):
    seen = set()
    for each in all_axes:
        for axis in (each.xaxis, each.yaxis):
            if axis.get_visible() and each.axison:
                for tick in axis._update_ticks():
                    yield from _shown((tick.label1, tick.label2), seen)
                yield from _shown((axis.label, axis.get_offset_text()), seen)
        yield from _shown((each.title, each._left_title, each._right_title, *each.texts), seen)
        legend = each.get_legend()
        yield from _shown(legend.findobj(Text) if legend is not None else (), seen)
    yield from _shown((text for text in (*fig.texts, fig._suptitle, fig._supxlabel, fig._supylabel) if text), seen)
    for legend in fig.legends:
        yield from _shown(legend.findobj(Text), seen)


def _shown(texts, seen):
    for text in texts:
        if text.get_visible() and text.get_text().strip() and id(text) not in seen:
            seen.add(id(text))
            yield text


def _colours(all_axes):
    """Numbers shown by colour without a colour bar of the same scale."""
    mappables = [
        (each, artist)
        for each in all_axes
        if not _is_bar(each)
        for artist in each.get_children()
        if isinstance(artist, AxesImage | QuadMesh | PathCollection) and artist.get_array() is not None
    ]
    barred = {_scale(artist) for _, artist in mappables if artist.colorbar is not None}
    for axes, artist in mappables:
        values = np.asarray(artist.get_array())
        if not values.size or len(axes.texts) >= values.size:  # nothing, or every number is written out
            continue
        coloured = isinstance(artist, AxesImage) and values.ndim == 3
        categories = isinstance(artist.norm, BoundaryNorm) or (
            isinstance(artist.cmap, ListedColormap) and artist.cmap.N <= MOST_CATEGORIES
        )
        if not (coloured or categories or artist.colorbar is not None or _scale(artist) in barred):
            yield f"{_name(axes)}: colours carry numbers, and no colour bar tells which"


def _scale(artist):
    return artist.cmap.name, artist.norm.vmin, artist.norm.vmax
