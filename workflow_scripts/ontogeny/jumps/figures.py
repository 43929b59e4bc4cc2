"""Figures of one run and of what was found in it. Each takes a record and tables, and gives a Matplotlib figure.

Colours of layers run from dark (input) to light (output). Upward jumps are triangles that point up, downward ones
point down. Save with `ontogeny.plotting.save_figure`, with the table as its data.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ontogeny.errors import OntogenyError
from ontogeny.jumps.answer import Answer, counted_changes
from ontogeny.jumps.measures import LOSSES, rank_of, ranked
from ontogeny.phase1 import RUN_LEVEL, Phase1
from ontogeny.plotting.style import DIVERGING, INK, JUMP, figure, log_axis, step_axis
from ontogeny.words import step_text

METRIC_LABELS = {
    "stable_rank": "Stable rank",
    "participation_ratio": "Participation ratio",
    "participation_ratio_covariance": "Participation ratio\n(covariance)",
    "cumulative_90": "Components for 90%",
    "nuclear_norm_ratio": "Nuclear norm ratio",
    "loss": "Loss",
    "grad_norm": "Gradient norm",
}
_MOST_LABELS = 20
_TITLE = 74
"""Letters of a title across a figure of 7.2 inches."""
_MOST_MEASURES = 8
_SOLID = 5
"""With more layers every second line is dashed, since shades alone are hard to tell apart."""


def metric_label(metric: str) -> str:
    """How a metric is called in figures."""
    return METRIC_LABELS.get(metric, shortened(metric))


def shortened(name: str, most: int = 34) -> str:
    """`name` on one line, its middle left out when it is long."""
    text = " ".join(str(name).split())
    return text if len(text) <= most else f"{text[: most // 2 - 1]}…{text[-(most - most // 2) :]}"


def wrapped(text: str, width: int) -> list[str]:
    """`text` as lines of at most `width` letters, at least one."""
    return textwrap.wrap(text, width) or [""]


def plot_metrics(
    record: Phase1,
    run: str | None = None,
    jumps: pd.DataFrame | None = None,
    metrics: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """All metrics of one run over training: one panel per metric, one line per layer, the loss at the bottom.

    `jumps` has run, layer, metric, step, direction, and optionally `significant` (true, by default). Significant
    jumps of the layers drawn are filled triangles, the others hollow; the title counts both. With kind,
    onset and end, the spans of significant transitions are shaded. Raises OntogenyError for a run without any of the
    metrics, and without a loss.
    """
    run = record.run_name(run)
    layers = record.layers_of(run)
    held = {(layer, metric): (s, v) for r, layer, metric, s, v in record.each_series() if r == run}
    names = [m for m in (metrics or record.metrics) if any((layer, m) in held for layer in layers)]
    bottom = [m for m in ("loss", "val_loss") if (RUN_LEVEL, m) in held]
    if not names and not bottom:
        raise OntogenyError(f"run {run!r} has nothing to draw of {list(metrics or [])}")
    rows = len(names) + bool(bottom)
    fig, axes = figure(rows, 1, width=7.2, height=0.6 + 1.5 * rows, sharex=True, squeeze=False)
    colours = _layer_colours(layers)
    marked = [False, False]
    for axis, metric in zip(axes[:, 0], names):
        drawn = [layer for layer in layers if (layer, metric) in held]
        for layer in drawn:
            axis.plot(*held[layer, metric], color=colours[layer], linewidth=1.0, linestyle=_dashes(layers, layer))
        marked = [a or b for a, b in zip(marked, _mark_jumps(axis, _of(jumps, run, metric), held, metric))]
        rebuilt = any((run, layer, metric) in record.derived for layer in drawn)
        axis.set_ylabel(metric_label(metric) + ("\n(rebuilt)" if rebuilt else ""))
        _log_if_wide(axis, [held[layer, metric][1] for layer in drawn])
        if metric.startswith("cumulative") and axis.get_yscale() == "linear":
            axis.yaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True, min_n_ticks=2))
    if bottom:
        axis = axes[-1, 0]
        for metric, style in zip(bottom, ("-", "--")):
            axis.plot(*held[RUN_LEVEL, metric], style, color=INK, linewidth=0.9, label=metric_label(metric))
        axis.set_ylabel("Loss")
        _log_if_wide(axis, [held[RUN_LEVEL, metric][1] for metric in bottom])
        if len(bottom) > 1:
            axis.legend()
    axes[-1, 0].set_xlabel("Training step")
    step_axis(axes[-1, 0], np.concatenate([steps for steps, _ in held.values()]))
    said = _title(f"{title or shortened(run, 50)}: metrics by layer", _jump_counts(jumps, run))
    axes[0, 0].set_title("\n".join(said))
    fig.align_ylabels(axes[:, 0])
    _layer_legend(fig, layers, colours, _marks(jumps, run, marked))
    return fig


def plot_heat_map(
    record: Phase1,
    run: str | None = None,
    jumps: pd.DataFrame | None = None,
    metrics: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Layers by steps of one run, one panel per metric, jumps overlaid; the input layer is at the bottom.

    Each layer is centred at its median and scaled so that 98% of its values lie between -1 and 1, so that layers of
    different level compare and steep first steps do not saturate. A layer that does not vary is grey. Raises
    OntogenyError for a run without layers.
    """
    run = record.run_name(run)
    layers = record.layers_of(run)
    held = {(layer, metric): (s, v) for r, layer, metric, s, v in record.each_series() if r == run}
    names = [m for m in (metrics or record.metrics) if any((layer, m) in held for layer in layers)]
    if not names:
        raise OntogenyError(f"run {run!r} has no layers to draw")
    tall = max(1.0, 0.16 * len(layers) + 0.35)
    fig, axes = figure(
        len(names), 1, width=7.2, height=0.8 + tall * len(names), sharex=True, squeeze=False, layout="none"
    )
    for axis, metric in zip(axes[:, 0], names):
        steps, scaled = _scaled(layers, metric, held)
        edges = _edges(steps)
        shades = mpl.colormaps[DIVERGING].with_extremes(bad="#DDDDDD")
        image = axis.pcolormesh(
            edges, np.arange(len(layers) + 1) - 0.5, scaled, cmap=shades, vmin=-1, vmax=1, rasterized=True
        )
        found = _of(jumps, run, metric)
        found = found[found["significant"].astype(bool)] if "significant" in found else found
        depth = {layer: i for i, layer in enumerate(layers)}
        for direction, marker in (("up", "^"), ("down", "v")):
            part = found[(found["direction"] == direction) & found["layer"].isin(layers)]
            axis.scatter(
                part["step"],
                part["layer"].map(depth),
                marker=marker,
                s=20,
                c="black",
                edgecolors="white",
                linewidths=0.5,
            )
        shown = range(0, len(layers), max(1, -(-len(layers) // _MOST_LABELS)))
        axis.set_yticks(list(shown), [shortened(layers[i], 28) for i in shown], fontsize=7)
        axis.grid(False)
        rebuilt = any((run, layer, metric) in record.derived for layer in layers)
        axis.set_title(metric_label(metric).replace("\n", " ") + (" (rebuilt)" if rebuilt else ""), fontsize=9)
    axes[-1, 0].set_xlabel("Training step")
    step_axis(axes[-1, 0], steps)
    said = _title(f"{title or shortened(run, 50)}: layers by steps", _jump_counts(jumps, run))
    fig.set_figheight(fig.get_figheight() + 0.17 * (len(said) - 1))
    top = 1 - 0.12 / fig.get_figheight()
    fig.suptitle("\n".join(said), x=0.01, ha="left", fontsize=10, y=top)
    _place_by_hand(fig, axes[:, 0].tolist(), max(len(shortened(layer, 28)) for layer in layers), len(said))
    beside = fig.add_axes((1 - 0.85 / fig.get_figwidth(), 0.3, 0.14 / fig.get_figwidth(), 0.4))
    bar = fig.colorbar(image, cax=beside, extend="both")
    bar.set_label("Deviation from the layer's median / largest of 98% of steps")
    return fig


def _place_by_hand(fig: Figure, panels: Sequence[Axes], letters: int, lines: int) -> None:
    """Room for tick labels of so many letters, a title of so many lines and a colour bar, without measuring text."""
    width, height = fig.get_figwidth(), fig.get_figheight()
    left, right = (0.2 + 0.062 * letters) / width, 1 - 1.05 / width
    above = 0.48 + 0.17 * lines
    fig.subplots_adjust(left, 0.5 / height, right, 1 - above / height, hspace=0.35 / (height / len(panels) - 0.4))


def plot_measures(record: Phase1, run: str | None = None, answer: Answer | None = None) -> Figure:
    """The measures of one run as a whole over training, one panel each, at most eight, held-out accuracy first.

    Settings, clocks and norms are left out, unless there is nothing else.
    The step at which `answer` says that one of them changed is a line, its 95% interval is shaded. Raises OntogenyError
    for a run without such measures.
    """
    run = record.run_name(run)
    held = {metric: (s, v) for r, layer, metric, s, v in record.each_series() if r == run and layer == RUN_LEVEL}
    if not held:
        raise OntogenyError(f"run {run!r} has no measures of the whole run to draw")
    asked = answer.metric if answer is not None and answer.kind != "none" else ""
    names = sorted(ranked(held) or held, key=lambda metric: metric != asked)[:_MOST_MEASURES]
    fig, axes = figure(
        len(names), 1, width=7.2, height=0.8 + 1.3 * len(names), sharex=True, squeeze=False, layout="constrained"
    )
    for axis, metric in zip(axes[:, 0], names):
        steps, values = held[metric]
        axis.plot(steps, values, color=INK, linewidth=1.0, marker="." if len(steps) < 50 else None)
        axis.set_ylabel(metric_label(metric))
        if rank_of(metric) in LOSSES:
            _log_if_wide(axis, [values])
    said = f"{shortened(run, 50)}: measures of the run"
    if answer is not None and asked in held:
        axes[0, 0].axvspan(answer.low, answer.high, color=JUMP, alpha=0.25, linewidth=0)
        axes[0, 0].axvline(answer.step, color=JUMP, linewidth=1.2)
        said += f"\n{shortened(asked)} changes at step {step_text(answer.step)} "
        said += f"(95% interval {step_text(answer.low)} to {step_text(answer.high)})"
    axes[0, 0].set_title(said)
    axes[-1, 0].set_xlabel("Training step")
    step_axis(axes[-1, 0], np.concatenate([held[metric][0] for metric in names]))
    fig.align_ylabels(axes[:, 0])
    return fig


def _of(jumps: pd.DataFrame | None, run: str, metric: str) -> pd.DataFrame:
    if jumps is None:
        return pd.DataFrame(columns=["layer", "step", "direction"])
    return jumps[(jumps["run"] == run) & (jumps["metric"] == metric)]


def _layer_colours(layers: Sequence[str]) -> dict[str, tuple]:
    shades = mpl.colormaps["viridis"]
    return {layer: shades(0.05 + 0.85 * i / max(len(layers) - 1, 1)) for i, layer in enumerate(layers)}


def _jump_counts(jumps: pd.DataFrame | None, run: str | None) -> str:
    """How many jumps and transitions of a run were found and are significant, as a part of a title."""
    if jumps is None:
        return ""
    mine = jumps[jumps["run"] == run]
    significant = int(mine["significant"].sum()) if "significant" in mine else len(mine)
    return f"({counted_changes(mine)} found, {significant} significant)"


def _title(name: str, counts: str) -> list[str]:
    """Lines of a title: one, where it fits."""
    whole = f"{name} {counts}".strip()
    return [whole] if len(whole) <= _TITLE or not counts else [*wrapped(name, _TITLE), counts]


def _dashes(layers: Sequence[str], layer: str) -> Any:
    return (0, (4, 1.2)) if len(layers) > _SOLID and layers.index(layer) % 2 else "-"


def _marks(jumps: pd.DataFrame | None, run: str, drawn: Sequence[bool]) -> list[str]:
    """What filled and hollow triangles mean, "" for those that are not drawn."""
    if jumps is None:
        return ["", ""]
    mine = jumps[jumps["run"] == run]
    sure = mine["significant"].astype(bool) if "significant" in mine else pd.Series(True, index=mine.index)
    said = []
    for part in (mine[sure], mine[~sure]):
        kinds = set(part["kind"]) if "kind" in part else {"jump"}
        said.append(" or ".join(kind for kind in ("jump", "transition") if kind in kinds))
    filled = f"significant {said[0]}, up or down" + ("; shaded: transition" if "transition" in said[0] else "")
    return [words if shown else "" for words, shown in zip((filled, f"{said[1]}, not significant"), drawn)]


def _layer_legend(fig: Figure, layers: Sequence[str], colours: dict, marks: Sequence[str]) -> None:
    shown = list(layers) if len(layers) <= _MOST_LABELS else [layers[0], layers[len(layers) // 2], layers[-1]]
    handles = [
        Line2D([], [], color=colours[layer], linestyle=_dashes(layers, layer), label=shortened(layer, 32))
        for layer in shown
    ]
    for fill, label in zip((JUMP, "white"), marks):
        if label:
            handles.append(Line2D([], [], color=JUMP, markerfacecolor=fill, marker="^", linestyle="", label=label))
    if handles:
        fig.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)), fontsize=7)


def _mark_jumps(axis: Axes, found: pd.DataFrame, held: dict, metric: str) -> tuple[bool, bool]:
    """Mark jumps by triangles; whether any significant one, and any other, was drawn."""
    sure = found["significant"].astype(bool) if "significant" in found else pd.Series(True, index=found.index)
    if "kind" in found:
        slow = found[sure & (found["kind"] == "transition")]
        for onset, end in slow[["onset", "end"]].itertuples(index=False):
            axis.axvspan(onset, end, color=JUMP, alpha=0.1, linewidth=0)
    drawn = []
    for chosen, face, edge, line in ((sure, JUMP, "white", 0.5), (~sure, "white", JUMP, 0.8)):
        points: dict[str, list[tuple[float, float]]] = {"^": [], "v": []}
        for _, jump in found[chosen].iterrows():
            steps, values = held.get((jump["layer"], metric), (np.zeros(0), np.zeros(0)))
            place = int(np.searchsorted(steps, jump["step"]))
            if place < len(steps):
                points["^" if jump["direction"] == "up" else "v"].append((steps[place], values[place]))
        for marker, spots in points.items():
            if spots:
                x, y = np.array(spots).T
                axis.scatter(x, y, marker=marker, s=22, zorder=3, c=face, edgecolors=edge, linewidths=line)
        drawn.append(any(points.values()))
    return drawn[0], drawn[1]


def _log_if_wide(axis: Axes, series: Sequence[np.ndarray]) -> None:
    low, high = min(s.min() for s in series), max(s.max() for s in series)
    if low > 0 and high / low > 8:
        log_axis(axis)


def _scaled(layers: Sequence[str], metric: str, held: dict) -> tuple[np.ndarray, np.ma.MaskedArray]:
    present = {layer: held[layer, metric] for layer in layers if (layer, metric) in held}
    steps = np.unique(np.concatenate([s for s, _ in present.values()]))
    grid = np.full((len(layers), len(steps)), np.nan)
    for i, layer in enumerate(layers):
        if layer in present:
            at, values = present[layer]
            low, middle, high = np.quantile(values, [0.01, 0.5, 0.99])
            spread = max(high - middle, middle - low) or np.abs(values - middle).max()
            if spread > 1e-9 * max(abs(middle), 1e-300):
                grid[i, np.searchsorted(steps, at)] = (values - middle) / spread
    return steps, np.ma.masked_invalid(grid)


def _edges(steps: np.ndarray) -> np.ndarray:
    if len(steps) == 1:
        return np.array([steps[0] - 0.5, steps[0] + 0.5])
    middle = (steps[1:] + steps[:-1]) / 2
    return np.concatenate([[steps[0] - (middle[0] - steps[0])], middle, [steps[-1] + (steps[-1] - middle[-1])]])
