"""Pages of a judge's mechanism, drawn from its records: standalone HTML that works from disk without a network.

All pages of a folder share one `plotly.min.js`, so that a page is a few kilobytes. All text that comes from data is
escaped: in the page, and in the labels that plotly reads as markup.
"""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from ontogeny.errors import OntogenyError
from ontogeny.files import json_text, read_json, write_json, write_text
from ontogeny.judge.record import evolution
from ontogeny.plotting.style import COLOURS, GRID, INK, JUMP, MUTED, figure

LIBRARY = "plotly.min.js"
SAFE_COLOUR, UNSAFE_COLOUR, OTHER_COLOUR = COLOURS[0], COLOURS[1], COLOURS[2]
TWO_SIDED = [[0.0, SAFE_COLOUR], [0.5, "#F7F7F7"], [1.0, UNSAFE_COLOUR]]

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<script src="plotly.min.js"></script>
<style>
body {{ font: 15px/1.5 "DejaVu Sans", Verdana, sans-serif; color: #222; max-width: 1120px; margin: 1.2em auto;
  padding: 0 1em }}
h1 {{ font-size: 1.35em; margin: .2em 0 }} .where, nav {{ color: #666; font-size: .9em }}
nav a {{ margin-right: 1em }} a {{ color: #0072B2 }}
.control {{ border-left: 4px solid #8A8A8A; background: #F4F4F4; padding: .5em .9em; margin: .9em 0 }}
.words span {{ padding: .15em .1em; border-radius: 3px; line-height: 2; white-space: pre-wrap }}
table {{ border-collapse: collapse; font-size: .88em }} td, th {{ padding: .2em .8em; text-align: right;
  border-bottom: 1px solid #E6E6E6 }} td:first-child, th:first-child {{ text-align: left }}
</style></head><body>
<nav>{links}</nav>
<h1>{title}</h1>
<p class="where">{where}</p>
{body}
</body></html>
"""

_BOOK = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>%(title)s</title>
<style>html, body { margin: 0; height: 100%% } iframe { border: 0; width: 100%%; height: 100%%; display: block }</style>
</head><body>
<iframe id="page" title="%(title)s"></iframe>
<script id="library" type="text/plain">%(library)s</script>
<script id="pages" type="application/json">%(pages)s</script>
<script>
const pages = JSON.parse(document.getElementById("pages").textContent);
const linked = '<script src="plotly.min.js"><' + "/script>";
const library = "<script>" + document.getElementById("library").textContent + "<" + "/script>";
const frame = document.getElementById("page");
const show = name => { frame.srcdoc = pages[name].replace(linked, () => library); };
frame.addEventListener("load", () => frame.contentDocument.addEventListener("click", event => {
  const link = event.target.closest("a[href]");
  const name = link && link.getAttribute("href");
  if (name && name in pages) { event.preventDefault(); show(name); }
}));
show("training_progress.html");
</script></body></html>
"""


def escaped(text: Any) -> str:
    """Text from data as HTML shows it, for pages and for labels of plotly, which are markup too."""
    return html.escape(str(text), quote=True)


def _layout(fig: go.Figure, height: int, **settings: Any) -> go.Figure:
    fig.update_layout(
        template=go.layout.Template(), height=height, margin={"l": 70, "r": 30, "t": 56, "b": 84},
        font={"family": "DejaVu Sans, Verdana, sans-serif", "size": 12, "color": INK},
        paper_bgcolor="white", plot_bgcolor="white", hovermode="closest",
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0}, **settings,
    )  # fmt: skip
    fig.update_xaxes(showgrid=True, gridcolor=GRID, zeroline=False, ticks="outside", linecolor=INK, title_standoff=12)
    fig.update_yaxes(showgrid=True, gridcolor=GRID, zeroline=False, ticks="outside", linecolor=INK)
    fig.update_annotations(font_size=13)
    return fig


@dataclass(frozen=True)
class Picture:
    """One picture of a mechanism: what it says, its negative control, the figure (None: nothing to draw), a table.

    text, control and table are HTML in which all text from data is escaped.
    """

    text: str
    control: str
    figure: go.Figure | None
    table: str = ""

    @property
    def body(self) -> str:
        """All of it, as the body of a page."""
        return self.text + self.control + ("" if self.figure is None else _div(self.figure)) + self.table


def _div(fig: go.Figure, name: str = "figure") -> str:
    return fig.to_html(
        full_html=False, include_plotlyjs=False, div_id=name, config={"displaylogo": False, "responsive": True}
    )


def _plain(value: Any, digits: int = 3) -> str:
    return "–" if value is None or (isinstance(value, float) and not np.isfinite(value)) else f"{value:.{digits}g}"


def _spread(table: dict[str, Any], name: str, digits: int = 3) -> str:
    return (
        f"{_plain(table[name], digits)} "
        f"(95 % interval {_plain(table[f'{name}_low'], digits)} to {_plain(table[f'{name}_high'], digits)})"
    )


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


def _names(record: dict[str, Any]) -> dict[str, str]:
    """The pages of one epoch: what they are called, and their files."""
    epoch = record["epoch"]
    pages = {}
    for sample in record["samples"]:
        stem = f"epoch_{epoch}_{sample['name']}"
        label = sample["name"].replace("_", " ").replace("sample ", "sample ")
        pages[f"{label}: tokens"] = f"{stem}_tokens.html"
        pages[f"{label}: layers"] = f"{stem}_layers.html"
    if record.get("patching"):
        pages["matched pairs"] = f"epoch_{epoch}_circuit_comparison.html"
    if record.get("neurons"):
        pages["neurons"] = f"epoch_{epoch}_neuron_map.html"
    if record.get("circuit"):
        pages["circuit"] = f"epoch_{epoch}_circuits.html"
    return pages


def _page(record: dict[str, Any] | None, title: str, body: str, file: str, epochs: Sequence[int] = ()) -> str:
    links = [("evolution", "evolution.html"), ("training", "training_progress.html")]
    where = ""
    if record is not None:
        epoch = record["epoch"]
        step = "" if record["step"] is None else f", step {record['step']}"
        where = f"{escaped(record['run'])}, epoch {epoch}{step}"
        prefix, rest = f"epoch_{epoch}_", file.removeprefix(f"epoch_{epoch}_")
        place = list(epochs).index(epoch) if epoch in epochs else -1
        if place > 0:
            links.append((f"← epoch {epochs[place - 1]}", file.replace(prefix, f"epoch_{epochs[place - 1]}_", 1)))
        if 0 <= place < len(epochs) - 1:
            links.append((f"epoch {epochs[place + 1]} →", f"epoch_{epochs[place + 1]}_{rest}"))
        links += [(name, page) for name, page in _names(record).items() if page != file]
    else:
        links = [link for link in links if link[1] != file]
    listed = "".join(f'<a href="{escaped(page)}">{escaped(name)}</a>' for name, page in links)
    return _PAGE.format(title=escaped(title), links=listed, where=where, body=body)


def _control(text: str) -> str:
    return f'<div class="control"><b>Negative control.</b> {text}</div>'


def tokens_picture(record: dict[str, Any], sample: dict[str, Any]) -> Picture:
    """Attribution, occlusion and deletion curve of one prompt."""
    tokens, values = sample["tokens"], _numbers(sample["attribution"])
    top = max(float(np.nanmax(np.abs(values))), 1e-12)
    words = "".join(
        f'<span style="background:{_tint(value / top)}" title="{value:+.3g}">{escaped(token)}</span>'
        for token, value in zip(tokens, values)
    )
    called = "unsafe" if sample["score"] > 0 else "safe"
    truth = "unsafe" if sample["label"] else "safe"
    fig = make_subplots(
        rows=3, cols=1, vertical_spacing=0.13, row_heights=[0.36, 0.32, 0.32],
        subplot_titles=("Integrated Gradients", "occlusion", "deletion: is it these tokens that matter?"),
    )  # fmt: skip
    place = list(range(len(tokens)))
    labels = [f"{escaped(token.strip() or '␣')}" for token in tokens]
    for row, name, data in ((1, "Integrated Gradients", values), (2, "occlusion", _numbers(sample["occlusion"]))):
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
    if sample["untrained"] is not None:
        _line(fig, place, sample["untrained"], "Integrated Gradients, untrained judge", MUTED, {"row": 1, "col": 1},
              "dot", mode="markers")  # fmt: skip
    cut = sample["deletion"]
    where = {"row": 3, "col": 1}
    _band(fig, cut["removed"], cut["by_chance_low"], cut["by_chance_high"], MUTED, where)
    _line(fig, cut["removed"], cut["by_chance"], "taken out in random order", MUTED, where)
    _line(fig, cut["removed"], cut["by_attribution"], "most supporting tokens first", OTHER_COLOUR, where)
    fig.update_xaxes(title_text="tokens taken out", row=3, col=1)
    fig.update_yaxes(title_text=f"logits for {called}", row=3, col=1)
    _layout(fig, 860)
    control = ""
    if sample["untrained"] is not None:
        control = _control(
            f"An untrained judge, same prompt (grey dots): rank correlation of its attributions with these is "
            f"{_plain(sample['like_untrained'])}; over {record['attribution']['prompts']} prompts "
            f"{_spread(record['attribution'], 'like_untrained')}. A value near 1 would say that the picture shows the "
            f"prompt, not what was learned. The control of the deletion is the random order, in grey: area between the "
            f"curves {_spread(cut, 'gap')} logits a point; over {record['attribution']['prompts']} prompts "
            f"{_spread(record['attribution'], 'gap')}."
        )
    text = (
        f'<p class="words">{words}</p>'
        f"<p>The judge says <b>{called}</b>, the label is <b>{truth}</b>: logit difference (unsafe − safe) "
        f"{sample['score']:+.3g}. Orange speaks for unsafe, blue for safe. Baseline: the mean embedding of the "
        f"training prompts' tokens in the place of every word, at which the difference is "
        f"{sample['baseline_score']:+.3g}. The attributions add up to the change from there, but "
        f"for an error (delta) of {sample['delta']:+.2g}.</p>"
    )
    return Picture(text, control, fig)


def _tint(share: float) -> str:
    colour = UNSAFE_COLOUR if share > 0 else SAFE_COLOUR
    channels = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "rgb({},{},{})".format(*(round(255 + (c - 255) * min(1.0, abs(share)) * 0.75) for c in channels))


def _frozen_line(fig: go.Figure, record: dict[str, Any], horizontal: bool, **where: int) -> None:
    edge = record["frozen_layers"] + 0.5
    if not record["frozen_layers"]:
        return
    if horizontal:
        fig.add_hline(y=edge, line={"color": INK, "dash": "dash", "width": 1.5}, **where)
    else:
        fig.add_vline(x=edge, line={"color": INK, "dash": "dash", "width": 1.5}, **where)


def layers_picture(record: dict[str, Any], sample: dict[str, Any]) -> Picture:
    """Norms, logit lens and probes by layer."""
    norms, lens = _numbers(sample["norms"]), _numbers(sample["lens"])
    layers = list(range(len(norms)))
    labels = [escaped(token.strip() or "␣") for token in sample["tokens"]]
    fig = make_subplots(
        rows=2, cols=2, horizontal_spacing=0.14, vertical_spacing=0.2,
        subplot_titles=("norm of the residual stream", "logit lens (unsafe − safe)",
                        "held-out probe of the label, last token", "logit lens at the last token"),
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
        _frozen_line(fig, record, True, row=1, col=column)
        _frozen_line(fig, record, False, row=2, col=column)
    probes = record["probes"]
    where = {"row": 2, "col": 1}
    _band(fig, layers, [p["auc_low"] for p in probes], [p["auc_high"] for p in probes], OTHER_COLOUR, where)
    _line(fig, layers, [p["auc"] for p in probes], "probe", OTHER_COLOUR, where)
    _line(fig, layers, [p["untrained"] for p in probes], "probe, untrained judge", COLOURS[3], where, "dash")
    _line(fig, layers, [p["shuffled_mean"] for p in probes], "probe, shuffled labels", MUTED, where, "dot")
    _band(fig, layers, [2 * p["shuffled_mean"] - p["shuffled_high"] for p in probes],
          [p["shuffled_high"] for p in probes], MUTED, where)  # fmt: skip
    fig.update_yaxes(title_text="AUC, held-out templates", range=[0.3, 1.03], row=2, col=1)
    _line(fig, layers, _listed(lens[:, -1]), "this prompt", UNSAFE_COLOUR if sample["label"] else SAFE_COLOUR,
          {"row": 2, "col": 2})  # fmt: skip
    fig.update_yaxes(title_text="logits", row=2, col=2)
    _layout(fig, 800)
    frozen = record["frozen_layers"]
    border = (
        f"The dashed line is the frozen boundary: what is below it, {frozen} of {record['layers']} layers and the "
        "embedding, is not trained."
        if frozen
        else "No layer is frozen."
    )
    last, best = probes[-1], max(probes, key=lambda row: row["auc"])
    text = (
        f"<p>What each layer holds for one {'unsafe' if sample['label'] else 'safe'} prompt (above), and what a linear "
        f"probe reads from each layer on {record['prompts']['validation']} held-out prompts (below, left): best at "
        f"layer {best['layer']}, AUC {_spread(best, 'auc')}. {border}</p>"
    )
    control = _control(
        f"At the last layer, a probe trained on shuffled labels gives an AUC of {_plain(last['shuffled_mean'])} "
        f"(95th percentile {_plain(last['shuffled_high'])}), and a probe in the untrained judge "
        f"{_plain(last['untrained'])}, against {_plain(last['auc'])} here. Random features hold words too: only "
        "what is above the dashed line was learned."
    )
    return Picture(text, control, fig)


def comparison_picture(record: dict[str, Any]) -> Picture:
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
                   text=[["" if v is None else f"{v:.2f}" for v in row] for row in data["restored"]],
                   texttemplate="%{text}", showscale=False,
                   hovertemplate="layer %{y}, %{x}: %{z:.3f}<extra></extra>"),
        row=1, col=1,
    )  # fmt: skip
    for role, colour in (("differing", COLOURS[0]), ("next", COLOURS[4]), ("later", COLOURS[3]), ("last", COLOURS[1])):
        column = roles.index(role)
        low, high = _numbers(data["restored_low"])[:, column], _numbers(data["restored_high"])[:, column]
        if np.isfinite(restored[:, column]).any():
            _band(fig, layers, _listed(low), _listed(high), colour, {"row": 1, "col": 2}, legendgroup=role)
            _line(fig, layers, _listed(restored[:, column]), f"{role} token" + ("s" if role != "last" else ""), colour,
                  {"row": 1, "col": 2}, legendgroup=role)  # fmt: skip
        if np.isfinite(distance[:, column]).any():
            _band(fig, layers, _listed(_numbers(data["distance_low"])[:, column]),
                  _listed(_numbers(data["distance_high"])[:, column]), colour, {"row": 1, "col": 3})  # fmt: skip
            _line(fig, layers, _listed(distance[:, column]), role, colour, {"row": 1, "col": 3},
                  legendgroup=role, showlegend=False)  # fmt: skip
    untrained = data.get("untrained")
    if untrained:
        other = _numbers(untrained["distance"])[:, roles.index("last")]
        _line(fig, layers, _listed(other), "last token, untrained judge", MUTED, {"row": 1, "col": 3}, "dash")
    for column in (1, 2, 3):
        _frozen_line(fig, record, column == 1, row=1, col=column)
        if column > 1:
            fig.update_xaxes(title_text="layer (0: embedding)", tickvals=layers, row=1, col=column)
    fig.update_yaxes(title_text="layer", tickvals=layers, row=1, col=1)
    fig.update_yaxes(title_text="share of the logit difference", row=1, col=2)
    fig.update_yaxes(title_text="distance / mean norm", row=1, col=3)
    _layout(fig, 520)
    told = np.isfinite(restored).any()
    for column in () if told else (1, 2):
        fig.add_annotation(text="nothing to restore", x=0.5, y=0.5, xref="x domain", yref="y domain", showarrow=False,
                           row=1, col=column)  # fmt: skip
    text = (
        f"<p>{data['pairs']} pairs of a safe and an unsafe held-out prompt of equal length. Their logit differences "
        f"(unsafe − safe) are {_spread(data, 'difference')} apart. "
    )
    text += (
        "Shown is how much of that comes back when the residual stream of the unsafe prompt is put into the safe "
        "prompt's run at one layer and position: 1 means that everything the judge needs is there.</p>"
        if told
        else "The interval holds 0: the judge does not tell the pairs apart, and there is nothing to restore.</p>"
    )
    control = f"With shuffled labels the two prompts are {_spread(data['shuffled_labels'], 'difference')} logits apart"
    if untrained:
        some = any(value is not None for row in untrained["restored"] for value in row)
        control += f"; in an untrained judge {_spread(untrained, 'difference')}, so that " + (
            "patching restores something there too, of the difference stated: random features see the words"
            if some
            else "nothing is there to restore"
        )
    return Picture(text, _control(control + "."), fig)


def neurons_picture(record: dict[str, Any]) -> Picture:
    """AUROC of neurons, the replicated ones, and what ablating them does."""
    data = record["neurons"]
    untrained = data.get("untrained") or {}
    quantiles = _numbers(data["quantiles"])
    layers = list(range(1, len(quantiles) + 1))
    fig = make_subplots(
        rows=1, cols=3, horizontal_spacing=0.09, column_widths=[0.4, 0.32, 0.28],
        subplot_titles=("all neurons, held-out prompts", "strongest: chosen and replicated", "ablated"),
    )  # fmt: skip
    shift = 0.17
    for name, table, colour, offset in (
        ("this judge", quantiles, OTHER_COLOUR, -shift),
        ("untrained judge", _numbers(untrained["quantiles"]) if untrained else None, MUTED, shift),
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
                           showlegend=wide == 6, name=f"{name}: 90 % of neurons, and all"),
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
    for found, colour, name in ((False, MUTED, "not established"), (True, UNSAFE_COLOUR, "found")):
        chosen = [row for row in data["strongest"] if row["found"] == found]
        fig.add_trace(
            go.Scatter(x=[row["auroc"] for row in chosen], y=[row["held_out_auroc"] for row in chosen], mode="markers",
                       name=name, marker={"color": colour, "size": 8},
                       text=[f"layer {row['layer']}, neuron {row['neuron']}<br>adjusted p {_plain(row['p_adjusted'])}"
                             for row in chosen],
                       hovertemplate="%{text}<br>AUROC %{x}, held out %{y}<extra></extra>"),
            row=1, col=2,
        )  # fmt: skip
    fig.add_shape(type="line", x0=0, y0=0, x1=1, y1=1, line={"color": GRID}, row=1, col=2)
    limit = untrained.get("limit")
    if limit is not None:
        for side in (0.5 - limit, 0.5 + limit):
            fig.add_hline(y=side, line={"color": MUTED, "dash": "dash", "width": 1}, row=1, col=2)
    fig.update_xaxes(title_text="AUROC, training prompts", range=[-0.03, 1.03], row=1, col=2)
    fig.update_yaxes(title_text="AUROC, held-out prompts", range=[-0.03, 1.03], row=1, col=2)
    ablation = data["ablation"]
    if ablation:
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
    else:
        fig.add_annotation(text="no neuron to ablate", showarrow=False, x=0.5, y=0.5, row=1, col=3)
        fig.update_xaxes(visible=False, range=[0, 1], row=1, col=3)
        fig.update_yaxes(visible=False, range=[0, 1], row=1, col=3)
    _layout(fig, 520)
    text = (
        f"<p>Of {data['tested']} MLP neurons, read at the last token, {data['selective']} pass the permutation test on "
        f"training prompts (false discovery rate {data['alpha']:g}), {data['replicated']} of them again on held-out "
        f"templates, and <b>{data['found']}</b> of these are further from 0.5 than every neuron of an untrained judge "
        f"(dashed; {', '.join(f'layer {i}: {n}' for i, n in enumerate(data['found_by_layer'], 1))}). "
    )
    if ablation:
        text += (
            f"Setting {ablation['count']} found ones (at most half of a layer) to their mean changes the margin from "
            f"{_plain(ablation['margin'])} to {_plain(ablation['ablated'])} logits and the accuracy from "
            f"{_plain(ablation['accuracy'])} to {_plain(ablation['accuracy_ablated'])}; as many random neurons of the "
            f"same layers leave {_plain(float(np.mean(ablation['random'])))} (p {_plain(ablation['p_value'])}, "
            f"{len(ablation['random'])} random sets)."
        )
    control = (
        f"Found with shuffled labels: {data['shuffled_labels']}. "
        + (f"In the untrained judge: {untrained['random_labels']} with random labels; with the true labels "
           f"{untrained['replicated']} pass the permutation tests, and the furthest is {_plain(limit)} from 0.5; "
           "random features answer to words too." if untrained else "")
    )  # fmt: skip
    return Picture(text + "</p>", _control(control), fig)


def _places(layers: int, heads: int) -> dict[str, tuple[float, float]]:
    """Where each node of a circuit is drawn: layers from the bottom, heads from the left, the MLP at the right."""
    places = {"embedding": (heads / 2, 0.0), "output": (heads / 2, 2.0 * layers + 1.6)}
    for layer in range(1, layers + 1):
        for head in range(1, heads + 1):
            places[f"{layer}.h{head}"] = (float(head - 1), 2.0 * layer - 0.8)
        places[f"{layer}.mlp"] = (heads + 0.4, 2.0 * layer + 0.1)
    return places


def _curve(start: tuple[float, float], end: tuple[float, float], points: int = 7) -> tuple[list[float], list[float]]:
    """An edge from node to node, straight between neighbours and bowed to the side where it passes over layers."""
    (x0, y0), (x1, y1) = start, end
    at = np.linspace(0, 1, points if y1 - y0 > 2.5 else 2)
    bow = 0.06 * (y1 - y0) * (1 if x1 >= x0 else -1)
    x = x0 + (x1 - x0) * at + bow * 4 * at * (1 - at)
    return x.round(2).tolist(), (y0 + (y1 - y0) * at).round(2).tolist()


def circuits_picture(record: dict[str, Any]) -> Picture:
    """The circuit, layer by layer, and its faithfulness against random subgraphs."""
    data = record["circuit"]
    if "edges" not in data:
        reason = f"<p>No circuit: {escaped(data['reason'])}.</p>"
        return Picture(reason, _control("none, since nothing was measured."), None)
    fig = make_subplots(
        rows=1, cols=2, horizontal_spacing=0.1, column_widths=[0.52, 0.48],
        subplot_titles=("strongest edges", "faithfulness on held-out pairs"),
    )  # fmt: skip
    places = _places(record["layers"], record["heads"])
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
        incoming.setdefault(receiver, []).append(f"from {sender}: {score:+.3g} ± {_plain(error, 2)}")
    fig.add_trace(
        go.Scatter(
            x=[x for x, _ in places.values()], y=[y for _, y in places.values()], mode="markers+text",
            text=[name.split(".")[-1] for name in places], textposition="middle center", textfont={"size": 9},
            marker={"size": [46 if name in ("embedding", "output") else 26 for name in places], "symbol": "square",
                    "opacity": 1,
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
        edge = 2.0 * record["frozen_layers"] + 0.65
        fig.add_hline(y=edge, line={"color": INK, "dash": "dash", "width": 1.5}, row=1, col=1)
    if not drawn:
        fig.add_annotation(
            text="no circuit", showarrow=False, x=record["heads"] / 2, y=record["layers"] + 0.5,
            bgcolor="white", bordercolor=INK, borderpad=6, font={"size": 16}, row=1, col=1,
        )  # fmt: skip
    shares = _listed(_numbers(data["sizes"]) / data["edges"])
    where = {"row": 1, "col": 2}
    if any(value is not None for value in data["restored"]):
        _band(fig, shares, data["random_low"], data["random_high"], MUTED, where)
        _line(fig, shares, data["random"], "random subgraphs (mean, range)", MUTED, where, "dot")
        _band(fig, shares, data["restored_low"], data["restored_high"], OTHER_COLOUR, where)
        _line(fig, shares, data["restored"], "edges of highest score (95 % interval)", OTHER_COLOUR, where)
        fig.add_hline(y=data["wanted"], line={"color": MUTED, "dash": "dash", "width": 1}, row=1, col=2)
        if data["size"]:
            fig.add_vline(x=data["size"] / data["edges"], line={"color": JUMP, "width": 1.5}, row=1, col=2)
        least = np.nanmin([*_numbers(data["restored"]), *_numbers(data["random"]), 0.0])
        greatest = np.nanmax([*_numbers(data["restored"]), *_numbers(data["random"]), 1.0])
        fig.update_yaxes(range=[max(-1.5, least - 0.1), min(2.5, greatest + 0.1)], row=1, col=2)
        fig.update_xaxes(title_text="share of edges kept", tickformat=".0%", row=1, col=2)
        fig.update_yaxes(title_text="share of the logit difference carried", row=1, col=2)
    else:
        fig.add_annotation(text="nothing to carry", showarrow=False, x=0.5, y=0.5, row=1, col=2)
        fig.update_xaxes(visible=False, range=[0, 1], row=1, col=2)
        fig.update_yaxes(visible=False, range=[0, 1], row=1, col=2)
    _layout(fig, 720)
    pairs = data["pairs"]
    text = (
        f"<p>Edges between heads and MLPs, scored by attribution patching with integrated gradients on "
        f"{pairs['scoring']} matched pairs and judged on {pairs['judging']} others, whose prompts are "
        f"{_spread(data, 'difference')} logits apart. Edges left out carry what they carry for the safe prompt. "
    )
    if data["size"]:
        shown = "" if len(drawn) == data["size"] else f" (the {len(drawn)} strongest are drawn)"
        index = data["sizes"].index(data["size"])
        text += (
            f"<b>{data['size']} of {data['edges']} edges</b>{shown} carry {_plain(data['restored'][index])} of the "
            f"difference; random subgraphs of that size {_plain(data['random'][index])} "
            f"(p {_plain(data['p_value'][index])} after Holm). Orange edges carry the difference, blue ones work "
            "against it.</p>"
        )
    else:
        text += f"<b>No circuit</b>: {escaped(data['reason'])}.</p>"
    parts = []
    for key, name in (("untrained_random_labels", "An untrained judge with random labels"),
                      ("untrained", "An untrained judge with the true labels")):  # fmt: skip
        if data.get(key):
            other = data[key]
            outcome = "no circuit" if other["size"] is None else f"{other['size']} edges"
            reason = f", {escaped(other['reason'])}" if other["reason"] else ""
            parts.append(f"{name}: <b>{outcome}</b>{reason} (prompts {_spread(other, 'difference')} logits apart).")
    parts.append("The other control is the random subgraphs, drawn as paths from the embedding to the output.")
    return Picture(text, _control(" ".join(parts)), fig)


PANELS = (
    ("behaviour", "held-out prompts", (("auc", "AUC"), ("accuracy", "accuracy"), ("decoy_accuracy", "on decoys"))),
    ("layers", "probes", (("best_probe", "best layer"), ("last_probe", "last layer"),
                          ("untrained_probe", "best, untrained"))),
    ("tokens", "attributions: rank correlation", (("like_before", "with the epoch before"),
                                                  ("like_untrained", "with an untrained judge"))),
    ("patching", "matched pairs: logits apart", (("difference", "unsafe − safe"),)),
    ("patching", "layer at which it is decided", (("moved", "patching restores half at the last token"),
                                                  ("depth", "probe half-way to its best"))),
    ("neurons", "neurons that tell unsafe from safe", (("replicated", "replicated"),
                                                       ("found", "beyond an untrained judge"))),
    ("neurons", "ablating them: logits lost, less random", (("ablation", "margin"),)),
    ("circuit", "circuit: share carried by a tenth of edges", (("faithfulness", "by score"), ("random", "random"))),
    ("circuit", "circuit: size and stability", (("size", "share of edges"), ("same_edges", "edges kept since before"))),
)  # fmt: skip
"""The panels of the evolution: topic, title, and measures (name in `evolution`, label)."""


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


def evolution_picture(records: Sequence[dict[str, Any]], jumps: pd.DataFrame | None = None) -> Picture:
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
    last = records[-1]
    listed = "".join(
        f"<tr><td>{escaped(row.what)}</td><td>{row.epoch:.2f}</td></tr>" for row in moments.head(40).itertuples()
    )
    noted = (
        f"Dotted lines: {len(moments)} moments at which the dimensionality of a layer jumps."
        if len(moments)
        else "No significant jump of dimensionality was found in this run."
    )
    body = f"<p>Epochs {records[0]['epoch']} to {last['epoch']}; bands are 95 % intervals. {noted}</p>"
    metrics = last["metrics"]
    control = f"An untrained judge has an AUC of {_plain(metrics['untrained']['auc'])} on these prompts"
    probe = max(last["probes"], key=lambda row: row["auc"])
    control += f", its best-layer probe {_plain(probe['untrained'])}"
    control += f", a probe of shuffled labels {_plain(probe['shuffled_mean'])}"
    if last.get("neurons"):
        control += f"; neurons found under shuffled labels: {last['neurons']['shuffled_labels']}"
    if last.get("circuit") and last["circuit"].get("untrained_random_labels"):
        size = last["circuit"]["untrained_random_labels"]["size"]
        control += f"; circuit of the untrained judge with random labels: {'none' if size is None else f'{size} edges'}"
    table_of_jumps = (
        f"<table><tr><th>jump of dimensionality</th><th>epoch</th></tr>{listed}</table>" if len(moments) else ""
    )
    return Picture(body, _control(control + "."), fig, table_of_jumps)


def progress_picture(records: Sequence[dict[str, Any]], losses: pd.DataFrame | None = None) -> Picture:
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
    _line(fig, epochs, [r["metrics"]["untrained"]["auc"] for r in records], "AUC, untrained judge", MUTED,
          {"row": 1, "col": 1}, "dot", mode="lines")  # fmt: skip
    if losses is not None and len(losses) and records[-1]["step"]:
        known = sorted((r["step"], r["epoch"]) for r in records if r["step"] is not None)
        places = np.interp(losses["step"], *zip(*known))
        keep = np.unique(np.linspace(0, len(losses) - 1, min(200, len(losses))).astype(int))
        _line(fig, _listed(places[keep]), _listed(losses["loss"].to_numpy()[keep]), "training batch", MUTED,
              {"row": 1, "col": 2}, mode="lines")  # fmt: skip
    _band(fig, epochs, [r["metrics"]["loss_low"] for r in records], [r["metrics"]["loss_high"] for r in records],
          COLOURS[1], {"row": 1, "col": 2})  # fmt: skip
    _line(fig, epochs, [r["metrics"]["loss"] for r in records], "held-out loss", COLOURS[1], {"row": 1, "col": 2})
    fig.update_xaxes(title_text="epoch")
    fig.update_yaxes(range=[-0.03, 1.03], row=1, col=1)
    _layout(fig, 460)
    rows = []
    for record in records:
        links = " ".join(f'<a href="{escaped(page)}">{escaped(name)}</a>' for name, page in _names(record).items())
        m = record["metrics"]
        rows.append(
            f"<tr><td>{record['epoch']}</td><td>{_plain(m['auc'])}</td><td>{_plain(m['accuracy'])}</td>"
            f"<td>{_plain(m['loss'])}</td><td style='text-align:left'>{links}</td></tr>"
        )
    last = records[-1]["metrics"]
    text = (
        f"<p>Measured on {records[-1]['prompts']['validation']} held-out prompts, {last['decoys']} of them decoys. "
        "Bands are 95 % intervals over templates.</p>"
    )
    control = _control(
        f"An untrained judge on the same prompts: AUC {_plain(last['untrained']['auc'])}, accuracy "
        f"{_plain(last['untrained']['accuracy'])}, loss {_plain(last['untrained']['loss'])}."
    )
    table = (
        "<table><tr><th>epoch</th><th>AUC</th><th>accuracy</th><th>loss</th>"
        "<th style='text-align:left'>pages</th></tr>" + "".join(rows) + "</table>"
    )
    return Picture(text, control, fig, table)


def losses_of(phase1: str | os.PathLike) -> pd.DataFrame:
    """The training loss in a Phase 1 record of this project, columns step and loss."""
    layers = [entry for key, entry in read_json(phase1).items() if key != "metadata" and "loss" in entry]
    return pd.DataFrame({name: layers[0][name] for name in ("step", "loss")} if layers else {"step": [], "loss": []})


def epoch_metrics(record: dict[str, Any]) -> dict[str, Any]:
    """The numbers of one epoch that `epoch_{N}_metrics.json` holds."""
    probes = [row["auc"] for row in record["probes"]]
    result = {"run": record["run"], "epoch": record["epoch"], "step": record["step"], **record["metrics"]}
    result |= {"probe_auc": probes, "deletion_gap": record["attribution"]["gap"]}
    if record.get("patching"):
        result["pair_difference"] = record["patching"]["difference"]
    if record.get("neurons"):
        result["neurons_found"] = record["neurons"]["found"]
    if record.get("circuit"):
        result["circuit_edges"] = record["circuit"]["size"]
    return result


def write_epoch(record: dict[str, Any], folder: str | os.PathLike, epochs: Sequence[int] = ()) -> list[Path]:
    """Write all pages of one record, and its metrics, into `folder`; return the paths. `epochs` are those linked to."""
    folder = Path(folder)
    epoch = record["epoch"]
    pages: dict[str, tuple[str, str]] = {}
    for sample in record["samples"]:
        what = sample["name"].replace("_", " ")
        stem = f"epoch_{epoch}_{sample['name']}"
        pages[f"{stem}_tokens.html"] = (f"Which tokens decide: {what}", tokens_picture(record, sample).body)
        pages[f"{stem}_layers.html"] = (f"Layer by layer: {what}", layers_picture(record, sample).body)
    if record.get("patching"):
        pages[f"epoch_{epoch}_circuit_comparison.html"] = (
            "Where safe and unsafe part",
            comparison_picture(record).body,
        )
    if record.get("neurons"):
        pages[f"epoch_{epoch}_neuron_map.html"] = ("Neurons that tell unsafe from safe", neurons_picture(record).body)
    if record.get("circuit"):
        pages[f"epoch_{epoch}_circuits.html"] = ("The circuit", circuits_picture(record).body)
    _write_library(folder)
    for file, (title, body) in pages.items():
        write_text(folder / file, _page(record, title, body, file, epochs))
    write_json(folder / f"epoch_{epoch}_metrics.json", epoch_metrics(record))
    return [*(folder / file for file in pages), folder / f"epoch_{epoch}_metrics.json"]


def write_pages(
    records: Sequence[dict[str, Any]],
    folder: str | os.PathLike,
    jumps: pd.DataFrame | None = None,
    losses: pd.DataFrame | None = None,
) -> list[Path]:
    """Write the pages of all records, `training_progress.html` and `evolution.html`; return the paths.

    jumps: the run's jumps (columns layer, metric, step, significant). losses: columns step, loss. Raises OntogenyError
    without a record.
    """
    if not records:
        raise OntogenyError("there is no record to draw: measure the mechanism at one epoch at least")
    folder = Path(folder)
    epochs = [record["epoch"] for record in records]
    written = [path for record in records for path in write_epoch(record, folder, epochs)]
    run = records[-1]["run"]
    name = f": {run}" if run else ""
    for file, title, body in (
        ("evolution.html", f"How the mechanism forms{name}", evolution_picture(records, jumps).body),
        ("training_progress.html", f"Training progress{name}", progress_picture(records, losses).body),
    ):
        write_text(folder / file, _page(None, title, body, file))
        written.append(folder / file)
    return written


def write_book(folder: str | os.PathLike, path: str | os.PathLike, title: str) -> None:
    """Write the pages that `write_pages` left in `folder` as one HTML file, which needs no other and no network."""
    pages = {page.name: page.read_text(encoding="utf-8") for page in sorted(Path(folder).glob("*.html"))}
    if "training_progress.html" not in pages:
        raise OntogenyError(f"{folder} holds no page training_progress.html; write the pages first")
    inside = json_text(pages, indent=None).replace("<", "\\u003c")
    write_text(path, _BOOK % {"title": escaped(title), "library": get_plotlyjs(), "pages": inside})


def _write_library(folder: Path) -> None:
    if not (folder / LIBRARY).exists():
        write_text(folder / LIBRARY, get_plotlyjs())


def visualise_epoch(
    model: Any, bench: Any, epoch: int, folder: str | os.PathLike, step: int | None = None
) -> dict[str, Any]:
    """Measure a judge in the middle of somebody's own training loop, and write the pages of this epoch.

    `bench` is an `ontogeny.judge.MechanismBench`. The record is kept beside the pages, in `folder`/records, so that
    `training_progress.html` and `evolution.html` show all epochs so far. Returns the record. The model, its mode and
    the global random state stay as they were.
    """
    from ontogeny.judge.record import read_records

    folder = Path(folder)
    record = bench.measure(model, epoch, step)
    write_json(folder / "records" / f"epoch_{epoch}.json", record, indent=None)
    write_pages(read_records(folder / "records"), folder)
    return record


def plot_evolution(
    records: Sequence[dict[str, Any]], title: str, jumps: pd.DataFrame | None = None
) -> tuple[Figure, pd.DataFrame]:
    """The evolution as a figure for print, and the table that it shows; panels and arguments as `evolution_picture`."""
    table = evolution(list(records))
    panels = [(name, _panel(table, measures)) for _, name, measures in PANELS]
    panels = [(name, lines) for name, lines in panels if lines]
    moments = jump_epochs(jumps, records)
    rows = -(-len(panels) // 3)
    fig, axes = figure(rows, 3, width=10.5, height=2.3 * rows + 0.4, squeeze=False, sharex=True)
    for axis, (name, lines) in zip(axes.flat, panels):
        for moment in moments["epoch"]:
            axis.axvline(moment, color=JUMP, linewidth=0.8, linestyle=":", zorder=0)
        for colour, (label, line) in zip(COLOURS, lines):
            axis.fill_between(line["epoch"], line["low"].astype(float), line["high"].astype(float), color=colour,
                              alpha=0.18, linewidth=0)  # fmt: skip
            axis.plot(line["epoch"], line["value"].astype(float), "o-", color=colour, markersize=3, label=label)
        axis.set_title(name, fontsize=9)
        axis.legend(fontsize=7, loc="best")
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    axes.flat[0].xaxis.set_major_locator(MaxNLocator(integer=True))
    for column in range(3):
        shown = [axis for axis in axes[:, column] if axis.get_visible()]
        if shown:
            shown[-1].set_xlabel("epoch")
            shown[-1].tick_params(labelbottom=True)
    fig.suptitle(f"{title}: how the mechanism forms", x=0.01, ha="left", fontsize=11, fontweight="bold")
    return fig, table
