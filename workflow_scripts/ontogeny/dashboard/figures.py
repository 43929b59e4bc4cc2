"""The figures of the dashboard that no other page has, and changes to those of `ontogeny.judge.figures`.

Each takes tables or records and gives a plotly figure. Names from data are escaped: plotly reads labels as markup.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from ontogeny.connectome.search.declaration import Search
from ontogeny.connectome.search.policy import UCBScore
from ontogeny.connectome.search.records import Record
from ontogeny.connectome.search.text import config_text, mutation_text
from ontogeny.connectome.search_tree import OUTCOME_COLOURS, tree_layout
from ontogeny.judge.figures import escaped
from ontogeny.jumps.figures import metric_label, shortened
from ontogeny.plotting.style import COLOURS, GRID, INK, JUMP, MUTED

MOST_POINTS = 1200
"""Points drawn of one curve; more are thinned to the least and greatest of every stretch."""

_SYMBOLS = {
    "exploit": "circle",
    "explore": "diamond",
    "failure-probe": "triangle-down",
    "robustness-test": "square",
}


def _layout(fig: go.Figure, height: int, **settings: Any) -> go.Figure:
    fig.update_layout(
        template=go.layout.Template(), height=height, margin={"l": 64, "r": 24, "t": 40, "b": 52},
        font={"family": "DejaVu Sans, Verdana, sans-serif", "size": 12, "color": INK}, paper_bgcolor="white",
        plot_bgcolor="white", hovermode="closest", legend={"x": 1.01, "y": 1, "font": {"size": 11}}, **settings,
    )  # fmt: skip
    for update in (fig.update_xaxes, fig.update_yaxes):
        update(showgrid=True, gridcolor=GRID, zeroline=False, ticks="outside", linecolor=INK, title_standoff=8)
    return fig


def metric_name(metric: str) -> str:
    """How a metric is called on a page, in one line."""
    name = metric_label(metric).replace("\n", " ").replace("_", " ")
    return name[:1].upper() + name[1:]


def thinned(x: np.ndarray, y: np.ndarray, most: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most about `most` points of a curve, so that its extremes stay: the least and greatest of every stretch."""
    if len(x) <= most:
        return x, y
    edges = np.linspace(0, len(x), most // 2 + 1).astype(int)
    keep = {0, len(x) - 1}
    for low, high in itertools.pairwise(edges):
        part = y[low:high]
        if np.isfinite(part).any():
            keep |= {low + int(np.nanargmin(part)), low + int(np.nanargmax(part))}
    places = np.array(sorted(keep))
    return x[places], y[places]


def _shades(count: int) -> list[str]:
    """Colours of layers: the style's palette, or from dark (input) to light (output) where there are many."""
    if count <= 8:
        return list(COLOURS[:count])
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps["viridis"](share)) for share in np.linspace(0, 0.92, count)]


def curves_figure(
    frame: pd.DataFrame,
    layers: Sequence[str],
    metric: str,
    jumps: pd.DataFrame | None = None,
    all_jumps: bool = False,
    height: int = 430,
) -> go.Figure:
    """One metric of some layers by step, with jumps: full markers are significant, hollow ones are not (`all_jumps`).

    A broad line reaches from the onset to the end of what is significant. frame: columns layer, step, metric, value.
    jumps: columns layer, metric, step, direction, p_value, significant, and those of `write_jumps` that there are.
    """
    fig = go.Figure()
    label = metric_name(metric)
    part = frame[frame["metric"] == metric]
    for layer, colour in zip(layers, _shades(len(layers))):
        series = part[part["layer"] == layer]
        steps, values = series["step"].to_numpy(), series["value"].to_numpy(float)
        name = escaped(shortened(layer or "run"))
        x, y = thinned(steps, values)
        fig.add_trace(
            go.Scatter(x=x, y=y, mode="lines", name=name, line={"color": colour, "width": 1.8},
                       hovertemplate=f"{name}<br>step %{{x}}: %{{y:.4g}}<extra></extra>")
        )  # fmt: skip
        if jumps is None or not len(jumps):
            continue
        found = jumps[(jumps["layer"] == layer) & (jumps["metric"] == metric)]
        sure = found["significant"].astype(bool)
        for rows, hollow in ((found[sure], False), (found[~sure], True)):
            if not len(rows) or (hollow and not all_jumps) or not len(steps):
                continue
            if not hollow and {"onset", "end"} <= set(rows):
                fig.add_trace(_extents(rows, x, y, colour))
            places = np.abs(steps[:, None] - rows["step"].to_numpy()[None, :]).argmin(0)
            ways = rows["direction"].tolist()
            fig.add_trace(
                go.Scatter(
                    x=rows["step"].tolist(), y=values[places].tolist(), mode="markers", showlegend=False,
                    marker={"symbol": [f"triangle-{'up' if way == 'up' else 'down'}" for way in ways], "size": 12,
                            "color": "white" if hollow else JUMP,
                            "line": {"color": MUTED if hollow else INK, "width": 1.2}},
                    text=[f"{'not significant: ' if hollow else ''}{_change(row)}" for row in rows.to_dict("records")],
                    hovertemplate=f"{name}<br>step %{{x}}%{{text}}<extra></extra>",
                )
            )  # fmt: skip
    fig.update_xaxes(title_text="step")
    fig.update_yaxes(title_text=escaped(label))
    return _layout(fig, height, showlegend=True)


def _extents(found: pd.DataFrame, x: np.ndarray, y: np.ndarray, colour: str) -> go.Scatter:
    """The part of a curve between the onset and the end of each change, as a broad line behind it."""
    at: list[float | None] = []
    height: list[float | None] = []
    for ends in found[["onset", "end"]].to_numpy(float):
        onset, end = np.clip(ends, x[0], x[-1])
        places = [onset, *x[(x > onset) & (x < end)], end]
        at += [*places, None]
        height += [*np.interp(places, x, y), None]
    return go.Scatter(x=at, y=height, mode="lines", showlegend=False, hoverinfo="skip", opacity=0.35,
                      line={"color": colour, "width": 9})  # fmt: skip


def _change(row: Mapping[str, Any]) -> str:
    """What the marker of a change says: the interval of its step, its extent, direction and p-value."""
    between = (
        ""
        if pd.isna(row.get("midpoint_low"))
        else (
            f" ({row['midpoint_low']:.6g} to {row['midpoint_high']:.6g})<br>from {row['onset']:.6g} to {row['end']:.6g}"
        )
    )
    return f"{between}: {escaped(row.get('kind', 'jump'))} {escaped(row['direction'])}, p {row['p_value']:.2g}"


def live_figure(frame: pd.DataFrame, metrics: Sequence[str]) -> go.Figure:
    """Numbers of the run as a whole by step, one panel each, side by side.

    frame: columns layer, step, metric, value; the run as a whole is layer "".
    """
    fig = make_subplots(rows=1, cols=max(1, len(metrics)), horizontal_spacing=0.08)
    whole = frame[frame["layer"] == ""]
    for column, metric in enumerate(metrics, 1):
        series = whole[whole["metric"] == metric]
        x, y = thinned(series["step"].to_numpy(), series["value"].to_numpy(float), 600)
        fig.add_trace(
            go.Scatter(x=x, y=y, mode="lines", line={"color": COLOURS[column - 1], "width": 1.6}, showlegend=False,
                       hovertemplate="step %{x}: %{y:.4g}<extra></extra>"),
            row=1, col=column,
        )  # fmt: skip
        fig.update_yaxes(title_text=escaped(metric_name(metric)), row=1, col=column)
        fig.update_xaxes(title_text="step", row=1, col=column)
    return _layout(fig, 300)


def mark_epoch(fig: go.Figure, epoch: int) -> go.Figure:
    """A copy of a figure over epochs with a vertical line at `epoch` in every panel."""
    fig = go.Figure(fig)
    axes = {(trace.xaxis or "x", trace.yaxis or "y") for trace in fig.data}
    lines = [
        {"type": "line", "xref": x, "yref": f"{y} domain", "x0": epoch, "x1": epoch, "y0": 0, "y1": 1, "layer": "above",
         "line": {"color": INK, "width": 1.5}}
        for x, y in sorted(axes)
    ]  # fmt: skip
    fig.layout.shapes = [*fig.layout.shapes, *lines]
    return fig


def _number(axis: str) -> int:
    return int(axis[1:] or 1)


def _axis(fig: go.Figure, name: str) -> Any:
    return fig.layout[f"{name[0]}axis{name[1:]}"]


def _panels(fig: go.Figure) -> list[tuple[str, str]]:
    """The panels of a figure as pairs of axes, as traces name them, in rows from the top left."""
    names = [str(key)[0] + str(key)[5:] for key in fig.layout if str(key).startswith("xaxis")]
    pairs = [(name, _axis(fig, name).anchor or "y") for name in names]
    return sorted(pairs, key=lambda p: (-round(_axis(fig, p[1]).domain[1], 3), _axis(fig, p[0]).domain[0]))


def stacked(fig: go.Figure, panel: int = 330) -> go.Figure:
    """A copy of a figure for half the width of a page: panels one under another, room for more lines of legend."""
    fig = go.Figure(fig)
    order = _panels(fig)
    before = {x: (_axis(fig, x).domain, _axis(fig, y).domain) for x, y in order}
    fig.update_layout(margin={"b": 150})
    if len({domain[0] for domain in before.values()}) < 2:
        fig.update_layout(height=(fig.layout.height or 450) + 60)
        return fig
    gap = 0.3
    share = 1 / (len(order) - gap)
    place: dict[str, tuple[float, float]] = {}
    for index, (x, y) in enumerate(order):
        top = 1 - index * share
        place[x] = (max(0.0, top - (1 - gap) * share), top)
        _axis(fig, x).update(domain=(0, 1), showticklabels=True)
        _axis(fig, y).update(domain=place[x])
    for trace in fig.data:
        if trace.type == "heatmap" and trace.showscale is not False:
            low, high = place[trace.xaxis or "x"]
            trace.colorbar.update(x=1.01, y=(low + high) / 2, len=high - low, thickness=10)
    for note in fig.layout.annotations:
        if note.xref == "paper" and note.yref == "paper":
            home = min(before, key=lambda x: _distance(note, before[x]))
            note.update(x=0, xanchor="left", y=place[home][1])
    fig.update_layout(height=round(panel * len(order)) + 120)
    return fig


def _distance(note: Any, domain: tuple[tuple[float, float], tuple[float, float]]) -> float:
    (left, right), (_, top) = domain
    return max(left - note.x, 0.0, note.x - right) + 3 * abs(note.y - top)


def _titles(fig: go.Figure) -> list[str]:
    return [note.text for note in fig.layout.annotations if note.xref == "paper" and note.yref == "paper"]


def one_scale(figures: Sequence[go.Figure]) -> list[go.Figure]:
    """Copies of figures of the same make whose free y axes (and colours around 0) have one range, to be compared.

    Figures with other panels are returned as they are.
    """
    figures = [go.Figure(fig) for fig in figures]
    if len({tuple(_titles(fig)) for fig in figures}) > 1:
        return figures
    reach: dict[str, list[float]] = {}
    for fig in figures:
        for trace in fig.data:
            name = trace.yaxis or "y"
            axis = _axis(fig, name)
            free = axis.range is None and axis.visible is not False and axis.ticktext is None
            if free and trace.type in ("scatter", "bar"):
                values = [v for v in trace.y if isinstance(v, int | float) and math.isfinite(v)]
                floor = [0.0] if trace.type == "bar" or axis.rangemode == "tozero" else []
                reach.setdefault(name, []).extend([*values, *floor])
    for fig in figures:
        for name, values in reach.items():
            if values and f"{name[0]}axis{name[1:]}" in fig.layout and _axis(fig, name).range is None:
                low, high = min(values), max(values)
                if low == high:
                    continue
                margin = 0.06 * (high - low)
                _axis(fig, name).update(range=(low - margin * (low != 0), high + margin * (high != 0)))
    heat: dict[int, float] = {}
    for fig in figures:
        for place, trace in enumerate(fig.data):
            if trace.type == "heatmap" and trace.zmax is not None and trace.zmin == -trace.zmax:
                heat[place] = max(heat.get(place, 0.0), trace.zmax)
    for fig in figures:
        for place, bound in heat.items():
            if place < len(fig.data) and fig.data[place].type == "heatmap":
                fig.data[place].update(zmin=-bound, zmax=bound)
    return figures


# Circuits

CIRCUIT_MEASURES = {
    "circuits": "circuits",
    "sparsity": "mean sparsity of circuits",
    "train_loss": "training loss",
    "val_loss": "validation loss",
}


def circuits_figure(
    history: pd.DataFrame, measure: str, epoch: int | None = None, seed: int | None = None
) -> go.Figure:
    """A measure of circuits by epoch: every seed thin, the median and the quartiles thick, one seed black.

    history: columns seed, epoch, and `measure`; `epoch` is marked. The axis is logarithmic where few seeds train long.
    """
    fig = go.Figure()
    wide = history.pivot_table(index="epoch", columns="seed", values=measure, aggfunc="last")
    epochs = wide.index.to_numpy()
    xs: list[Any] = []
    ys: list[Any] = []
    for one in wide.columns:
        values = wide[one].to_numpy(float)
        known = np.isfinite(values)
        x, y = thinned(epochs[known], values[known], 200)
        xs += [*x.tolist(), None]
        ys += [*y.tolist(), None]
    fig.add_trace(go.Scatter(x=xs, y=ys, mode="lines", line={"color": COLOURS[0], "width": 0.8}, opacity=0.35,
                             name="seeds", hoverinfo="skip"))  # fmt: skip
    filled = wide.ffill()
    quartiles = filled.quantile([0.25, 0.5, 0.75], axis=1).to_numpy()
    known = np.isfinite(quartiles).all(0)
    low, middle, high = quartiles[:, known]
    x = epochs[known].tolist()
    fig.add_trace(go.Scatter(x=[*x, *reversed(x)], y=[*high, *low[::-1]], fill="toself", mode="lines", opacity=0.2,
                             line={"width": 0}, fillcolor=COLOURS[0], hoverinfo="skip", name="quartiles"))  # fmt: skip
    fig.add_trace(go.Scatter(x=x, y=middle.tolist(), mode="lines", line={"color": COLOURS[0], "width": 2.6},
                             name="median", hovertemplate="epoch %{x}: median %{y:.4g}<extra></extra>"))  # fmt: skip
    if seed is not None and seed in wide.columns:
        values = wide[seed].to_numpy(float)
        known = np.isfinite(values)
        fig.add_trace(go.Scatter(x=epochs[known].tolist(), y=values[known].tolist(), mode="lines",
                                 line={"color": INK, "width": 2}, name=f"seed {seed}",
                                 hovertemplate=f"seed {seed}, epoch %{{x}}: %{{y:.4g}}<extra></extra>"))  # fmt: skip
    stops = wide.apply(lambda column: column.last_valid_index()).dropna()
    late = len(stops) and epochs[-1] > 5 * stops.median() and epochs[0] > 0
    fig.update_xaxes(title_text="epoch", **({"type": "log", "dtick": "D2"} if late else {}))
    fig.update_yaxes(title_text=CIRCUIT_MEASURES.get(measure, escaped(measure)), rangemode="tozero")
    _layout(fig, 400)
    fig.update_layout(
        legend={"x": 0, "y": 0, "yref": "container", "yanchor": "bottom", "orientation": "h"}, margin_b=80
    )
    return fig if epoch is None else mark_epoch(fig, epoch)


# Connectome


def naming(records: Sequence[Record]) -> Search:
    """A declaration of a search that is good enough to name its settings."""
    levels = {record.block: record.filling_factor for record in records}
    per_block = max(record.iteration for record in records)
    return Search(blocks=tuple(levels.get(block, 1.0) for block in range(1, max(levels) + 1)), n_iter_block=per_block)


def _row(*cells: str) -> str:
    """Cells of equal width, for a font of equal widths; plotly would join ordinary spaces."""
    return "".join(f"{cell:>10}" for cell in cells).replace(" ", "\u00a0")


def tree_figure(block: Sequence[Record], scores: Mapping[int, UCBScore], search: Search) -> go.Figure:
    """The tree of one block: a row per node under its parent, with its change, R2 and clusters, and its UCB score."""
    places = tree_layout(block)
    deepest = max(depth for depth, _ in places.values())
    chosen = max(scores.values(), key=lambda score: score.ucb).node if scores else None
    best = max(block, key=lambda record: (record.score, -record.node)).node
    fig = go.Figure()
    xs: list[Any] = []
    ys: list[Any] = []
    for record in block:
        if record.parent in places:
            (above, top), (depth, row) = places[record.parent], places[record.node]
            xs += [above, above, depth, None]
            ys += [top, row, row, None]
    fig.add_trace(go.Scatter(x=xs, y=ys, mode="lines", line={"color": MUTED, "width": 1}, hoverinfo="skip",
                             showlegend=False))  # fmt: skip
    for outcome, colour in OUTCOME_COLOURS.items():
        part = [record for record in block if record.outcome == outcome]
        if not part:
            continue
        fig.add_trace(
            go.Scatter(
                x=[places[r.node][0] for r in part], y=[places[r.node][1] for r in part], mode="markers", name=outcome,
                marker={"color": colour, "size": 15, "symbol": [_SYMBOLS.get(r.strategy, "circle") for r in part],
                        "line": {"color": INK, "width": [2.6 if r.node == best else 0.8 for r in part]}},
                text=[f"<b>node {r.node}</b>: {escaped(mutation_text(r, search))}<br>{escaped(r.strategy)}: "
                      f"{escaped(r.rule)}<br>{escaped(config_text(r, search))}" for r in part],
                hovertemplate="%{text}<extra></extra>",
            )
        )  # fmt: skip
    for record in block:
        depth, row = places[record.node]
        words = escaped(f"{record.node}  {mutation_text(record, search)}".replace("->", "→"))
        score = scores.get(record.node)
        numbers = "" if score is None else _row(f"{score.R2:.3f}", f"{score.cluster:.3f}", f"{score.ucb:.3f}")
        bold = ("<b>", "</b>") if record.node == chosen else ("", "")
        fig.add_annotation(x=depth, y=row, text=f"{bold[0]}{words}{bold[1]}", xanchor="left", xshift=13,
                           showarrow=False, font={"size": 11})  # fmt: skip
        fig.add_annotation(x=1, xref="paper", y=row, text=f"{bold[0]}{numbers}{bold[1]}", xanchor="right",
                           showarrow=False, font={"size": 11, "family": "DejaVu Sans Mono, monospace"})  # fmt: skip
    fig.add_annotation(x=1, xref="paper", y=-0.9, text=_row("R²", "clusters", "UCB"), xanchor="right", showarrow=False,
                       font={"size": 11, "color": MUTED, "family": "DejaVu Sans Mono, monospace"})  # fmt: skip
    _layout(fig, 130 + 30 * len(block), legend_orientation="h", legend_y=0, legend_x=0, legend_yref="container",
            legend_yanchor="bottom")  # fmt: skip
    fig.update_xaxes(visible=False, range=[-0.4, deepest + 6])
    fig.update_yaxes(visible=False, range=[len(block) - 0.4, -1.4])
    return fig


def recovery_figure(recovery: pd.DataFrame, metric: str) -> go.Figure:
    """A recovery metric by filling factor, one line per condition, with 95 % intervals over seeds.

    recovery: columns condition, filling_factor, `metric`, and `metric` with _low and _high.
    """
    fig = go.Figure()
    for (condition, part), colour in zip(recovery.groupby("condition", sort=False), COLOURS * 5):
        part = part.sort_values("filling_factor")
        value = part[metric].astype(float)
        low, high = (part.get(f"{metric}_{end}", value).astype(float).fillna(value) for end in ("low", "high"))
        fig.add_trace(
            go.Scatter(x=(part["filling_factor"] * 100).tolist(), y=value.tolist(),
                       name=escaped(shortened(str(condition))),
                       mode="lines+markers", line={"color": colour, "width": 1.6}, marker={"size": 8},
                       error_y={"type": "data", "array": (high - value).tolist(), "symmetric": False,
                                "arrayminus": (value - low).tolist(), "thickness": 1.2},
                       hovertemplate=f"{escaped(condition)}<br>%{{x:g}} %: %{{y:.4g}}<extra></extra>")
        )  # fmt: skip
    fig.update_xaxes(title_text="connectivity filling factor (%)")
    fig.update_yaxes(title_text=escaped(metric.replace("_", " ")))
    if recovery[metric].dropna().between(0, 1).all():
        fig.update_yaxes(range=[-0.03, 1.05])
    return _layout(fig, 380, showlegend=True)


def history_figure(history: pd.DataFrame) -> go.Figure:
    """The losses of a connectome fit by step, on a logarithmic axis. history: column step and one a loss."""
    fig = go.Figure()
    names = [name for name in history.columns if name != "step" and pd.api.types.is_numeric_dtype(history[name])]
    for name, colour in zip(names, COLOURS * 3):
        x, y = thinned(history["step"].to_numpy(), history[name].to_numpy(float))
        fig.add_trace(go.Scatter(x=x, y=np.where(y > 0, y, np.nan), mode="lines", name=escaped(name.replace("_", " ")),
                                 line={"color": colour, "width": 1.6}))  # fmt: skip
    fig.update_xaxes(title_text="step")
    fig.update_yaxes(title_text="loss", type="log", exponentformat="power")
    return _layout(fig, 340, showlegend=True)
