"""Figures of a judge's mechanism, drawn from its records: by plotly for pages, by Matplotlib for print.

Labels from data are escaped, since plotly reads them as markup.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from plotly.subplots import make_subplots

from ontogeny.judge.record import evolution
from ontogeny.plotting.style import COLOURS, GRID, INK, JUMP, MUTED, PlainTicks, figure

SAFE_COLOUR, UNSAFE_COLOUR, OTHER_COLOUR = COLOURS[0], COLOURS[1], COLOURS[2]
PRETRAINED = COLOURS[6]
CONTROL_STYLES = {"untrained": ("untrained judge", MUTED), "pretrained": ("before fine-tuning", PRETRAINED)}
TWO_SIDED = [[0.0, SAFE_COLOUR], [0.5, "#F7F7F7"], [1.0, UNSAFE_COLOUR]]


def escaped(text: Any) -> str:
    """Text from data as HTML shows it, for pages and for labels of plotly, which are markup too."""
    return html.escape(str(text), quote=True)


def _legend_lines(fig: go.Figure) -> int:
    """Lines that the legend takes below panels of 780 pixels, in columns as wide as its longest name."""
    names = [trace.name for trace in fig.data if trace.name and trace.showlegend is not False]
    columns = max(1, 780 // (45 + 7 * max(map(len, names), default=0)))
    return 1 if sum(45 + 7 * len(name) for name in names) <= 780 else -(-len(names) // columns)


def _layout(fig: go.Figure, height: int, **settings: Any) -> go.Figure:
    more = 22 * (_legend_lines(fig) - 1)
    fig.update_layout(
        template=go.layout.Template(), height=height + more, margin={"l": 70, "r": 30, "t": 56, "b": 84 + more},
        font={"family": "DejaVu Sans, Verdana, sans-serif", "size": 12, "color": INK},
        paper_bgcolor="white", plot_bgcolor="white", hovermode="closest",
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0}, **settings,
    )  # fmt: skip
    fig.update_xaxes(showgrid=True, gridcolor=GRID, zeroline=False, ticks="outside", linecolor=INK, title_standoff=12)
    fig.update_yaxes(showgrid=True, gridcolor=GRID, zeroline=False, ticks="outside", linecolor=INK)
    fig.update_annotations(font_size=13)
    return fig


def short(value: Any, digits: int = 3) -> str:
    """A number as pages show it; a dash for none."""
    return "–" if value is None or (isinstance(value, float) and not np.isfinite(value)) else f"{value:.{digits}g}"


def _numbers(values: Any) -> np.ndarray:
    """A nested list with None as float64 with NaN."""
    return np.array(pd.DataFrame(values).astype(float)) if values and isinstance(values[0], list) else np.array(
        [np.nan if value is None else value for value in values], dtype=float
    )  # fmt: skip


def _listed(values: np.ndarray, digits: int = 4) -> list:
    """An array as short numbers, None for NaN, so that pages stay small."""
    if values.ndim > 1:
        return [_listed(row, digits) for row in values]
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in values.astype(float)]


def _band(fig: go.Figure, x: Any, low: Any, high: Any, colour: str, where: dict[str, int], **settings: Any) -> None:
    fig.add_trace(
        go.Scatter(
            x=[*x, *reversed(list(x))], y=[*high, *reversed(list(low))], fill="toself", mode="lines", opacity=0.18,
            line={"width": 0}, fillcolor=colour, hoverinfo="skip", showlegend=False, **settings,
        ),
        **where,
    )  # fmt: skip


def _line(
    fig: go.Figure, x: Any, y: Any, name: str, colour: str, where: dict[str, int], dash: str = "solid", **settings: Any
) -> None:
    settings.setdefault("mode", "lines+markers")
    fig.add_trace(
        go.Scatter(x=list(x), y=list(y), name=name, line={"color": colour, "dash": dash, "width": 2},
                   marker={"color": colour, "size": 6}, **settings),
        **where,
    )  # fmt: skip


def tokens_figure(record: dict[str, Any], sample: dict[str, Any]) -> go.Figure:
    """Attribution, occlusion and deletion curve of one prompt."""
    tokens, values = sample["tokens"], _numbers(sample["attribution"])
    called = "unsafe" if sample["score"] > 0 else "safe"
    fig = make_subplots(
        rows=3, cols=1, vertical_spacing=0.13, row_heights=[0.36, 0.32, 0.32],
        subplot_titles=("Integrated Gradients", "occlusion", "deletion: is it these tokens that matter?"),
    )  # fmt: skip
    place = list(range(len(tokens)))
    labels = [f"{escaped(token.strip() or '␣')}" for token in tokens]
    drawn = [(1, "Integrated Gradients", values)] if sample["converged"] else []
    for row, name, data in (*drawn, (2, "occlusion", _numbers(sample["occlusion"]))):
        fig.add_trace(
            go.Bar(x=place, y=_listed(data), name=name, showlegend=False, customdata=labels,
                   marker={"color": [UNSAFE_COLOUR if value > 0 else SAFE_COLOUR for value in data]},
                   hovertemplate="%{customdata}: %{y:.3g}<extra></extra>"),
            row=row, col=1,
        )  # fmt: skip
        fig.update_xaxes(
            tickvals=place, ticktext=labels, tickangle=-45, range=[-0.7, len(tokens) - 0.3], row=row, col=1
        )
        fig.update_yaxes(title_text="logits", row=row, col=1)
    for name, (label, colour) in CONTROL_STYLES.items():
        if sample["converged"] and name in sample:
            _line(fig, place, sample[name], f"Integrated Gradients, {label}", colour, {"row": 1, "col": 1}, "dot",
                  mode="markers")  # fmt: skip
    if sample["converged"]:
        bound = 1.05 * max(record["attribution"]["scale"] or 0.0, 1e-9)
        fig.update_yaxes(range=[-bound, bound], row=1, col=1)
    else:
        fig.add_annotation(text="not converged: nothing is drawn", x=0.5, y=0.5, xref="x domain", yref="y domain",
                           showarrow=False, row=1, col=1)  # fmt: skip
    cut = sample["deletion"]
    where = {"row": 3, "col": 1}
    _band(fig, cut["removed"], cut["by_chance_low"], cut["by_chance_high"], MUTED, where)
    _line(fig, cut["removed"], cut["by_chance"], "taken out in random order", MUTED, where)
    if sample["converged"]:
        _line(fig, cut["removed"], cut["by_attribution"], "most supporting tokens first", OTHER_COLOUR, where)
    fig.update_xaxes(title_text="tokens taken out", row=3, col=1)
    fig.update_yaxes(title_text=f"logits for {called}", row=3, col=1)
    return _layout(fig, 860)


def _frozen_line(fig: go.Figure, record: dict[str, Any], horizontal: bool, **where: int) -> None:
    edge = record["frozen_layers"] + 0.5
    if not record["frozen_layers"]:
        return
    if horizontal:
        fig.add_hline(y=edge, line={"color": INK, "dash": "dash", "width": 1.5}, **where)
    else:
        fig.add_vline(x=edge, line={"color": INK, "dash": "dash", "width": 1.5}, **where)


def layers_figure(record: dict[str, Any], sample: dict[str, Any]) -> go.Figure:
    """Norms, logit lens and probes by layer."""
    norms, lens = _numbers(sample["norms"]), _numbers(sample["lens"])
    layers = list(range(len(norms)))
    labels = [escaped(token.strip() or "␣") for token in sample["tokens"]]
    fig = make_subplots(
        rows=2, cols=2, horizontal_spacing=0.14, vertical_spacing=0.2,
        subplot_titles=("norm of the residual stream", "logit lens (unsafe − safe)",
                        "held-out probe of the label", "logit lens at the token that is read"),
    )  # fmt: skip
    ticks = {"tickvals": list(range(len(labels))), "ticktext": labels, "tickangle": -60}
    bound = float(np.nanmax(np.abs(lens))) or 1.0
    fig.add_trace(
        go.Heatmap(z=_listed(norms, 3), x=list(range(len(labels))), y=layers, colorscale="Viridis",
                   colorbar={"x": 0.44, "len": 0.4, "y": 0.8, "thickness": 10}, name="norm"),
        row=1, col=1,
    )  # fmt: skip
    fig.add_trace(
        go.Heatmap(z=_listed(lens, 3), x=list(range(len(labels))), y=layers, colorscale=TWO_SIDED, zmin=-bound,
                   zmax=bound, colorbar={"x": 1.01, "len": 0.4, "y": 0.8, "thickness": 10}, name="lens"),
        row=1, col=2,
    )  # fmt: skip
    for column in (1, 2):
        fig.update_xaxes(**ticks, row=1, col=column)
        fig.update_yaxes(title_text="layer", tickvals=layers, row=1, col=column)
        fig.update_xaxes(title_text="layer (0: embedding)", tickvals=layers, row=2, col=column)
    probes = record["probes"]
    where = {"row": 2, "col": 1}
    _band(fig, layers, [p["auc_low"] for p in probes], [p["auc_high"] for p in probes], OTHER_COLOUR, where)
    _line(fig, layers, [p["auc"] for p in probes], "probe", OTHER_COLOUR, where)
    _line(fig, layers, [p["pretrained"] for p in probes], "probe, before fine-tuning", PRETRAINED, where, "dash")
    _line(fig, layers, [p["untrained"] for p in probes], "probe, untrained judge", COLOURS[3], where, "dash")
    _line(fig, layers, [p["shuffled_mean"] for p in probes], "probe, shuffled labels", MUTED, where, "dot")
    _band(fig, layers, [2 * p["shuffled_mean"] - p["shuffled_high"] for p in probes],
          [p["shuffled_high"] for p in probes], MUTED, where)  # fmt: skip
    fig.update_yaxes(title_text="AUC, held-out templates", range=[0.3, 1.03], row=2, col=1)
    read = 0 if record["reads"] == "first" else -1
    _line(fig, layers, _listed(lens[:, read]), "this prompt", UNSAFE_COLOUR if sample["label"] else SAFE_COLOUR,
          {"row": 2, "col": 2})  # fmt: skip
    fig.update_yaxes(title_text="logits", row=2, col=2)
    for column in (1, 2):
        _frozen_line(fig, record, True, row=1, col=column)
        _frozen_line(fig, record, False, row=2, col=column)
    return _layout(fig, 800)


def comparison_figure(record: dict[str, Any]) -> go.Figure:
    """Patching by layer and position on matched pairs, and where they part."""
    data = record["patching"]
    restored, distance = _numbers(data["restored"]), _numbers(data["distance"])
    layers = list(range(len(restored)))
    roles = data["roles"]
    fig = make_subplots(
        rows=1, cols=3, horizontal_spacing=0.09, column_widths=[0.36, 0.32, 0.32],
        subplot_titles=("share restored by patching", "the same, with intervals", "distance of the pair"),
    )  # fmt: skip
    fig.add_trace(
        go.Heatmap(z=_listed(restored, 3), x=roles, y=layers, zmin=-1, zmax=1, colorscale=TWO_SIDED,
                   text=[["" if v is None else f"{v:z.2f}" for v in row] for row in data["restored"]],
                   texttemplate="%{text}", showscale=False,
                   hovertemplate="layer %{y}, %{x}: %{z:.3f}<extra></extra>"),
        row=1, col=1,
    )  # fmt: skip
    for role, colour in (("differing", COLOURS[0]), ("next", COLOURS[4]), ("later", COLOURS[3]), ("read", COLOURS[1])):
        column = roles.index(role)
        low, high = _numbers(data["restored_low"])[:, column], _numbers(data["restored_high"])[:, column]
        if np.isfinite(restored[:, column]).any():
            _band(fig, layers, _listed(low), _listed(high), colour, {"row": 1, "col": 2}, legendgroup=role)
            label = "token that is read" if role == "read" else f"{role} tokens"
            _line(fig, layers, _listed(restored[:, column]), label, colour, {"row": 1, "col": 2}, legendgroup=role)
        if np.isfinite(distance[:, column]).any():
            _band(fig, layers, _listed(_numbers(data["distance_low"])[:, column]),
                  _listed(_numbers(data["distance_high"])[:, column]), colour, {"row": 1, "col": 3})  # fmt: skip
            _line(fig, layers, _listed(distance[:, column]), role, colour, {"row": 1, "col": 3},
                  legendgroup=role, showlegend=False)  # fmt: skip
    for control, (label, colour) in CONTROL_STYLES.items():
        if data.get(control, {}).get("distance"):
            other = _numbers(data[control]["distance"])[:, roles.index("read")]
            _line(fig, layers, _listed(other), f"token that is read, {label}", colour, {"row": 1, "col": 3}, "dash")
    for column in (1, 2, 3):
        _frozen_line(fig, record, column == 1, row=1, col=column)
        if column > 1:
            fig.update_xaxes(title_text="layer (0: embedding)", tickvals=layers, row=1, col=column)
    fig.update_yaxes(title_text="layer", tickvals=layers, row=1, col=1)
    fig.update_yaxes(title_text="share of the logit difference", row=1, col=2)
    fig.update_yaxes(title_text="distance / mean norm", row=1, col=3)
    _layout(fig, 520)
    any_restored = np.isfinite(restored).any()
    for column in () if any_restored else (1, 2):
        fig.add_annotation(text="nothing to restore", x=0.5, y=0.5, xref="x domain", yref="y domain", showarrow=False,
                           row=1, col=column)  # fmt: skip
    return fig


def neurons_figure(record: dict[str, Any]) -> go.Figure:
    """AUROC of neurons beside the controls, the effects of single ablations, and what ablating those found does."""
    fig = make_subplots(
        rows=1, cols=3, horizontal_spacing=0.09, column_widths=[0.38, 0.36, 0.26],
        subplot_titles=("all neurons, held-out prompts", "ablated one by one", "ablated together"),
    )  # fmt: skip
    _quantiles_panel(fig, record)
    _effects_panel(fig, record["neurons"])
    if record["neurons"]["ablation"]:
        _ablation_panel(fig, record["neurons"]["ablation"])
    else:
        _empty_panel(fig, "no neuron to ablate", 3)
    _layout(fig, 520)
    return fig


def _empty_panel(fig: go.Figure, text: str, col: int) -> None:
    """`text` where there is nothing to draw."""
    fig.add_annotation(text=text, showarrow=False, x=0.5, y=0.5, row=1, col=col)
    fig.update_xaxes(visible=False, range=[0, 1], row=1, col=col)
    fig.update_yaxes(visible=False, range=[0, 1], row=1, col=col)


def _quantiles_panel(fig: go.Figure, record: dict[str, Any]) -> None:
    """How well the neurons of each layer tell unsafe from safe, in the judge and its controls."""
    data = record["neurons"]
    quantiles = _numbers(data["quantiles"])
    layers = list(range(1, len(quantiles) + 1))
    for name, table, colour, offset in (
        ("this judge", quantiles, OTHER_COLOUR, -0.22),
        ("before fine-tuning", _control_quantiles(data, "pretrained"), PRETRAINED, 0.0),
        ("untrained judge", _control_quantiles(data, "untrained"), MUTED, 0.22),
    ):
        if table is None:
            continue
        middle = table.shape[1] // 2
        x = [layer + offset for layer in layers]
        for wide, (low, high) in ((1.5, (0, -1)), (6, (1, -2))):
            xs = [v for place in x for v in (place, place, None)]
            ys = [v for row in table for v in (*_listed(row[[low, high]], 3), None)]
            fig.add_trace(
                go.Scatter(x=xs, y=ys, mode="lines", line={"color": colour, "width": wide}, hoverinfo="skip",
                           showlegend=wide == 6, name=f"{name}: 90% of neurons, and all"),
                row=1, col=1,
            )  # fmt: skip
        fig.add_trace(
            go.Scatter(x=x, y=_listed(table[:, middle], 3), mode="markers", showlegend=False,
                       marker={"color": "white", "size": 5, "line": {"color": colour, "width": 1}}, name=name),
            row=1, col=1,
        )  # fmt: skip
    fig.update_xaxes(title_text="layer", tickvals=layers, row=1, col=1)
    fig.update_yaxes(title_text="AUROC, unsafe against safe", range=[-0.03, 1.03], row=1, col=1)
    _frozen_line(fig, record, False, row=1, col=1)


def _effects_panel(fig: go.Figure, data: dict[str, Any]) -> None:
    """What ablating each of the strongest neurons alone takes off the margin."""
    for found, colour, name in ((False, MUTED, "not established"), (True, UNSAFE_COLOUR, "found")):
        chosen = [row for row in data["strongest"] if row["found"] == found]
        fig.add_trace(
            go.Scatter(x=[row["held_out_auroc"] for row in chosen], y=[row["effect"] for row in chosen], mode="markers",
                       name=name, marker={"color": colour, "size": 8},
                       error_y={"type": "data", "symmetric": False, "thickness": 1, "width": 0,
                                "array": [row["effect_high"] - row["effect"] for row in chosen],
                                "arrayminus": [row["effect"] - row["effect_low"] for row in chosen]},
                       text=[f"layer {row['layer']}, neuron {row['neuron']}<br>adjusted p {short(row['p_adjusted'])}"
                             for row in chosen],
                       hovertemplate="%{text}<br>AUROC %{x}, effect %{y}<extra></extra>"),
            row=1, col=2,
        )  # fmt: skip
    if data["random_effects"]:
        fig.add_hline(y=max(data["random_effects"]), line={"color": MUTED, "dash": "dash", "width": 1}, row=1, col=2)
    fig.update_xaxes(title_text="AUROC, held-out prompts", range=[-0.03, 1.03], row=1, col=2)
    fig.update_yaxes(title_text="fall of the margin (logits)", row=1, col=2)


def _ablation_panel(fig: go.Figure, ablation: dict[str, Any]) -> None:
    """The margin intact, without the neurons found, and without as many random ones."""
    fig.add_trace(
        go.Bar(x=["intact", "found"], y=[ablation["margin"], ablation["ablated"]], showlegend=False,
               marker={"color": [OTHER_COLOUR, UNSAFE_COLOUR]}),
        row=1, col=3,
    )  # fmt: skip
    fig.add_trace(
        go.Scatter(x=["random"] * len(ablation["random"]), y=ablation["random"], mode="markers", showlegend=False,
                   marker={"color": MUTED, "size": 8}),
        row=1, col=3,
    )  # fmt: skip
    fig.update_yaxes(title_text="margin (logits for the right label)", rangemode="tozero", row=1, col=3)
    fig.update_xaxes(title_text=f"{ablation['count']} neurons set to their mean", row=1, col=3)


def _control_quantiles(data: dict[str, Any], control: str) -> np.ndarray | None:
    return _numbers(data[control]["quantiles"]) if data.get(control) else None


def _places(nodes: Sequence[str], layers: int, heads: int) -> dict[str, tuple[float, float]]:
    """Where each node of a circuit is drawn: layers from the bottom, heads from the left, the MLP at the right."""
    places = {"embedding": (heads / 2, 0.0), "output": (heads / 2, 2.0 * layers + 1.6)}
    for name in nodes:
        number, part = name.split(".")
        level = 2.0 * int(number)
        if part.startswith("h"):
            places[name] = (float(part[1:]) - 1, level - 0.8)
        elif part == "mlp":
            places[name] = (heads + 0.4, level + 0.1)
        else:
            places[name] = (heads / 2 - 0.5, level - 0.15 if part == "norm1" else level + 0.5)
    return places


def _curve(start: tuple[float, float], end: tuple[float, float], points: int = 7) -> tuple[list[float], list[float]]:
    """An edge from node to node, straight between neighbours and bowed to the side where it passes over layers."""
    (x0, y0), (x1, y1) = start, end
    at = np.linspace(0, 1, points if y1 - y0 > 2.5 else 2)
    bow = 0.06 * (y1 - y0) * (1 if x1 >= x0 else -1)
    x = x0 + (x1 - x0) * at + bow * 4 * at * (1 - at)
    return x.round(2).tolist(), (y0 + (y1 - y0) * at).round(2).tolist()


def circuits_figure(record: dict[str, Any]) -> go.Figure | None:
    """The circuit, layer by layer, and its faithfulness against random subgraphs."""
    data = record["circuit"]
    if "edges" not in data:
        return None
    fig = make_subplots(
        rows=1, cols=2, horizontal_spacing=0.1, column_widths=[0.52, 0.48],
        subplot_titles=("strongest edges", "faithfulness on held-out pairs"),
    )  # fmt: skip
    _edges_panel(fig, record)
    if any(value is not None for value in data["restored"]):
        _faithfulness_panel(fig, data)
    else:
        _empty_panel(fig, "nothing to carry", 2)
    return _layout(fig, 720)


def _edges_panel(fig: go.Figure, record: dict[str, Any]) -> None:
    """The edges of the circuit between its nodes, wider where their score is larger."""
    data = record["circuit"]
    places = _places(data["nodes"], record["layers"], record["heads"])
    drawn = data["strongest"][: data["size"]] if data["size"] else []
    used = {"embedding", "output"}
    top = max((abs(edge[2]) for edge in drawn), default=1.0)
    for sign, colour, name in ((1, UNSAFE_COLOUR, "carries unsafe"), (-1, SAFE_COLOUR, "works against")):
        for level in range(1, 5):
            chosen = [e for e in drawn if np.sign(e[2]) == sign and min(4, 1 + int(4 * abs(e[2]) / top)) == level]
            if not chosen:
                continue
            used |= {node for edge in chosen for node in edge[:2]}
            xs = [v for u, w, *_ in chosen for v in (*_curve(places[u], places[w])[0], None)]
            ys = [v for u, w, *_ in chosen for v in (*_curve(places[u], places[w])[1], None)]
            fig.add_trace(
                go.Scatter(x=xs, y=ys, mode="lines", line={"color": colour, "width": 0.6 + level}, hoverinfo="skip",
                           opacity=0.35 + 0.15 * level, showlegend=False, name=name),
                row=1, col=1,
            )  # fmt: skip
    incoming: dict[str, list[str]] = {}
    for sender, receiver, score, error in drawn:
        incoming.setdefault(receiver, []).append(f"from {sender}: {score:+.3g} ± {short(error, 2)}")
    fig.add_trace(
        go.Scatter(
            x=[x for x, _ in places.values()], y=[y for _, y in places.values()], mode="markers+text",
            text=[name.split(".")[-1] for name in places], textposition="middle center", textfont={"size": 9},
            marker={"size": [46 if "." not in name else 34 if "norm" in name else 26 for name in places],
                    "symbol": "square", "opacity": 1,
                    "color": ["#FFFFFF" if name in used else "#F2F2F2" for name in places],
                    "line": {"color": [INK if name in used else "#CCCCCC" for name in places], "width": 1}},
            customdata=[f"<b>{name}</b><br>" + "<br>".join(incoming.get(name, ["no edge drawn"])) for name in places],
            hovertemplate="%{customdata}<extra></extra>", showlegend=False,
        ),
        row=1, col=1,
    )  # fmt: skip
    fig.update_yaxes(
        tickvals=[2.0 * layer - 0.4 for layer in range(1, record["layers"] + 1)],
        ticktext=[f"layer {layer}" for layer in range(1, record["layers"] + 1)], showgrid=False, row=1, col=1,
    )  # fmt: skip
    fig.update_xaxes(visible=False, range=[-0.7, record["heads"] + 1.1], row=1, col=1)
    if record["frozen_layers"]:
        edge = 2.0 * record["frozen_layers"] + 0.85
        fig.add_hline(y=edge, line={"color": INK, "dash": "dash", "width": 1.5}, row=1, col=1)
    if not drawn:
        fig.add_annotation(
            text="no circuit", showarrow=False, x=record["heads"] / 2, y=record["layers"] + 0.5,
            bgcolor="white", bordercolor=INK, borderpad=6, font={"size": 16}, row=1, col=1,
        )  # fmt: skip


def _faithfulness_panel(fig: go.Figure, data: dict[str, Any]) -> None:
    """The share of the logit difference that subgraphs carry, by size."""
    shares = _listed(_numbers(data["sizes"]) / data["edges"])
    where = {"row": 1, "col": 2}
    _band(fig, shares, data["random_low"], data["random_high"], MUTED, where)
    _line(fig, shares, data["random"], "random subgraphs (mean, range)", MUTED, where, "dot")
    _band(fig, shares, data["restored_low"], data["restored_high"], OTHER_COLOUR, where)
    _line(fig, shares, data["restored"], "edges of highest score (95% interval)", OTHER_COLOUR, where)
    fig.add_hline(y=data["needed"], line={"color": MUTED, "dash": "dash", "width": 1}, row=1, col=2)
    if data["size"]:
        fig.add_vline(x=data["size"] / data["edges"], line={"color": JUMP, "width": 1.5}, row=1, col=2)
    least = np.nanmin([*_numbers(data["restored"]), *_numbers(data["random"]), 0.0])
    greatest = np.nanmax([*_numbers(data["restored"]), *_numbers(data["random"]), 1.0])
    fig.update_yaxes(range=[max(-1.5, least - 0.1), min(2.5, greatest + 0.1)], row=1, col=2)
    fig.update_xaxes(title_text="share of edges kept", tickformat=".0%", row=1, col=2)
    fig.update_yaxes(title_text="share of the logit difference carried", row=1, col=2)


PANELS = (
    ("behaviour", "held-out prompts", (("auc", "AUC"), ("accuracy", "accuracy"), ("decoy_accuracy", "on decoys"))),
    ("layers", "probes", (("best_probe", "best layer"), ("last_probe", "last layer"),
                          ("pretrained_probe", "best, before"), ("untrained_probe", "best, untrained"))),
    ("tokens", "attributions: rank correlation with", (("like_before", "epoch before"),
                                                       ("like_pretrained", "before fine-tuning"),
                                                       ("like_untrained", "untrained judge"))),
    ("patching", "matched pairs: logits apart", (("difference", "unsafe − safe"),)),
    ("patching", "layer at which it is decided", (("moved", "patching restores half"),
                                                  ("depth", "probe halfway to its best"))),
    ("neurons", "neurons", (("found", "the judgement depends on"), ("responding", "that respond"))),
    ("neurons", "ablating them: logits lost, less random", (("ablation", "margin"),)),
    ("circuit", "circuit: share carried by a tenth of edges", (("faithfulness", "by score"), ("random", "random"))),
    ("circuit", "circuit: size and stability", (("size", "share of edges"), ("same_edges", "edges kept since before"))),
)  # fmt: skip
"""The panels of the evolution: topic, title, and measures (name in `evolution`, label)."""
REFERENCES = ("best, before", "best, untrained", "random")
"""Labels of lines that are controls of others; dashed."""
_MANY = 200
"""Counts beyond which an axis is logarithmic above 10."""
COUNTED = ("layer at which it is decided", "neurons")
"""Panels that show whole numbers."""


def _panel(table: pd.DataFrame, measures: Sequence[tuple[str, str]]) -> list[tuple[str, pd.DataFrame]]:
    rows = [(label, table[table["measure"] == measure]) for measure, label in measures]
    return [(label, row) for label, row in rows if row["value"].notna().any()]


def jump_epochs(jumps: pd.DataFrame | None, records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The significant jumps of a run (columns layer, metric, step) by epoch: epoch, what; steps lie between epochs."""
    known = [(record["step"], record["epoch"]) for record in records if record["step"] is not None]
    if jumps is None or jumps.empty or len(known) < 2:
        return pd.DataFrame({"epoch": pd.Series(dtype=float), "what": pd.Series(dtype=str)})
    sure = jumps[jumps["significant"].astype(bool)]
    steps, epochs = zip(*sorted(known))
    rows = [
        {
            "epoch": float(np.interp(step, steps, epochs)),
            "what": ", ".join(f"{row.layer} {row.metric}" for row in part.itertuples()),
        }
        for step, part in sure.groupby("step")
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["epoch", "what"])


def evolution_figure(records: Sequence[dict[str, Any]], jumps: pd.DataFrame | None = None) -> go.Figure:
    """All measures on one time axis, with the jumps of the run's dimensionality."""
    table = evolution(list(records))
    panels = [(title, _panel(table, measures)) for _, title, measures in PANELS]
    panels = [(title, lines) for title, lines in panels if lines]
    moments = jump_epochs(jumps, records)
    rows = -(-len(panels) // 2)
    fig = make_subplots(
        rows=rows, cols=2, shared_xaxes=True, vertical_spacing=0.28 / max(rows, 1), horizontal_spacing=0.1,
        subplot_titles=[title for title, _ in panels],
    )  # fmt: skip
    for index, (_, lines) in enumerate(panels):
        where = {"row": index // 2 + 1, "col": index % 2 + 1}
        for colour, (label, line) in zip(COLOURS, lines):
            x, y = line["epoch"].tolist(), _listed(line["value"].to_numpy())
            if line["low"].notna().any():
                inside = line[line["low"].notna()]
                _band(fig, inside["epoch"].tolist(), _listed(inside["low"].to_numpy()),
                      _listed(inside["high"].to_numpy()), colour, where)  # fmt: skip
            _line(fig, x, y, label, colour, where, showlegend=False, hovertemplate=f"{label}: %{{y}}<extra></extra>")
        names = "   ".join(
            f'<span style="color:{colour}">{escaped(label)}</span>' for colour, (label, _) in zip(COLOURS, lines)
        )
        axis = "" if index == 0 else str(index + 1)
        fig.add_annotation(
            text=names, xref=f"x{axis} domain", yref=f"y{axis} domain", x=0, y=1.0, xanchor="left", yanchor="bottom",
            showarrow=False, font={"size": 11},
        )  # fmt: skip
        for moment in moments.itertuples():
            fig.add_vline(x=moment.epoch, line={"color": JUMP, "width": 1, "dash": "dot"}, **where)
        if all(line["value"].min() >= 0 for _, line in lines):
            fig.update_yaxes(rangemode="tozero", **where)
        if index >= len(panels) - 2:
            fig.update_xaxes(title_text="epoch", showticklabels=True, **where)
    _layout(fig, 60 + 235 * max(rows, 1))
    for note in fig.layout.annotations[: len(panels)]:
        note.update(x=note.x - 0.5 * (0.45), xanchor="left", yshift=18, text=f"<b>{note.text}</b>")
    return fig


def progress_figure(records: Sequence[dict[str, Any]], losses: pd.DataFrame | None = None) -> go.Figure:
    """Performance on held-out prompts by epoch, the training loss, and links to all pages.

    losses: columns step, loss; drawn if given.
    """
    epochs = [record["epoch"] for record in records]
    fig = make_subplots(rows=1, cols=2, horizontal_spacing=0.1, subplot_titles=("held-out prompts", "loss (nats)"))
    for name, colour, label in (
        ("auc", COLOURS[2], "AUC"),
        ("accuracy", COLOURS[0], "accuracy"),
        ("f1", COLOURS[4], "F1"),
    ):
        metrics = [record["metrics"] for record in records]
        _band(fig, epochs, [m[f"{name}_low"] for m in metrics], [m[f"{name}_high"] for m in metrics], colour,
              {"row": 1, "col": 1})  # fmt: skip
        _line(fig, epochs, [m[name] for m in metrics], label, colour, {"row": 1, "col": 1})
    _line(fig, epochs, [r["metrics"]["decoy_accuracy"] for r in records], "accuracy on decoys", COLOURS[3],
          {"row": 1, "col": 1}, "dash")  # fmt: skip
    _line(fig, epochs, [r["metrics"].get("pretrained", {}).get("auc") for r in records], "AUC, before fine-tuning",
          PRETRAINED, {"row": 1, "col": 1}, "dot", mode="lines")  # fmt: skip
    _line(fig, epochs, [r["metrics"]["untrained"]["auc"] for r in records], "AUC, untrained judge", MUTED,
          {"row": 1, "col": 1}, "dot", mode="lines")  # fmt: skip
    if losses is not None and len(losses) and records[-1]["step"]:
        steps, at = zip(*sorted((r["step"], r["epoch"]) for r in records if r["step"] is not None))
        places = np.interp(losses["step"].to_numpy(float), steps, at)
        keep = np.unique(np.linspace(0, len(losses) - 1, min(200, len(losses))).astype(int))
        _line(fig, _listed(places[keep]), _listed(losses["loss"].to_numpy()[keep]), "training batch", MUTED,
              {"row": 1, "col": 2}, mode="lines")  # fmt: skip
    _band(fig, epochs, [r["metrics"]["loss_low"] for r in records], [r["metrics"]["loss_high"] for r in records],
          COLOURS[1], {"row": 1, "col": 2})  # fmt: skip
    _line(fig, epochs, [r["metrics"]["loss"] for r in records], "held-out loss", COLOURS[1], {"row": 1, "col": 2})
    fig.update_xaxes(title_text="epoch")
    fig.update_yaxes(range=[-0.03, 1.03], row=1, col=1)
    return _layout(fig, 460)


def plot_evolution(
    records: Sequence[dict[str, Any]], title: str, jumps: pd.DataFrame | None = None
) -> tuple[Figure, pd.DataFrame]:
    """The evolution as a figure for print, and the table that it shows; panels and arguments as `evolution_figure`."""
    table = evolution(list(records))
    panels = [(name, _panel(table, measures)) for _, name, measures in PANELS]
    panels = [(name, lines) for name, lines in panels if lines]
    moments = jump_epochs(jumps, records)
    rows = -(-len(panels) // 3)
    fig, axes = figure(rows, 3, width=10.5, height=2.3 * rows + 0.4, squeeze=False, sharex=True)
    for axis, (name, lines) in zip(axes.flat, panels):
        for moment in moments["epoch"]:
            axis.axvline(moment, color=JUMP, linewidth=0.8, linestyle=":", zorder=0)
        for place, (colour, (label, line)) in enumerate(zip(COLOURS, lines)):
            wide = len(lines) - place if name in COUNTED else 1  # whole numbers coincide, and none is to hide another
            axis.fill_between(line["epoch"], line["low"].astype(float), line["high"].astype(float), color=colour,
                              alpha=0.18, linewidth=0)  # fmt: skip
            style = "s--" if label in REFERENCES else "o-"
            axis.plot(line["epoch"], line["value"].astype(float), style, color=colour, linewidth=1.4 * wide,
                      markersize=3 * wide, label=label)  # fmt: skip
        if name in COUNTED:
            low, high = axis.get_ylim()
            axis.set_ylim(min(low, max(0.0, round(low) - 1)), max(high, round(high) + 1))
            axis.yaxis.set_major_locator(MaxNLocator(integer=True))
            if high > _MANY:
                axis.set_yscale("symlog", linthresh=10)
                axis.set_yticks([0, *(10.0**power for power in range(1, 1 + int(np.log10(high))))])
                axis.yaxis.set_major_formatter(PlainTicks())
                axis.set_ylim(-1, 1.5 * high)
        labels = [label for label, _ in lines]
        deep = 1 if sum(map(len, labels)) + 6 * len(labels) <= 54 else -(-len(labels) // 2)
        deep = deep if max(map(len, labels)) <= 20 else len(labels)
        axis.set_title(name, fontsize=9, pad=6 + 10 * deep)
        legend = axis.legend(fontsize=6.5, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=-(-len(labels) // deep),
                             borderaxespad=0, borderpad=0.2, columnspacing=0.9, handlelength=1.6,
                             labelspacing=0.25)  # fmt: skip
        legend.set_in_layout(False)
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    axes.flat[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    for column in range(3):
        shown = [axis for axis in axes[:, column] if axis.get_visible()]
        if shown:
            shown[-1].set_xlabel("epoch")
            shown[-1].tick_params(labelbottom=True)
    marked = "; dotted: jumps of its dimensionality" if len(moments) else ""
    fig.suptitle(f"{title}: how the mechanism forms{marked}", x=0.01, ha="left", fontsize=11)
    return fig, table
