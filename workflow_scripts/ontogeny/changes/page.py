"""One plain HTML page for a run: what it is, its curves, and what changed at each of its events, for browsing.

The page works from disk: it loads nothing but figures beside it, by relative links, and runs no script. All text that
comes from data or settings is escaped by the template engine.
"""

from __future__ import annotations

import math
import os
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from ontogeny.changes.compare import ALPHA, FAMILIES, FARTHEST, ratios_of_run
from ontogeny.files import write_text
from ontogeny.jumps.plan import EVENTS, CapturePlan, Moment
from ontogeny.phase1 import RUN_LEVEL, Phase1
from ontogeny.plotting.templates import template
from ontogeny.words import counted

MOST_FLIPS = 30
_COLOURS = ((68, 1, 84), (65, 68, 135), (42, 120, 142), (34, 168, 132), (122, 209, 81), (214, 196, 30))
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 1000, 170, 62, 990, 8, 148
_POINTS = 300
_CURVES = {
    "loss": "Loss",
    "stable_rank": "Stable rank by layer",
    "participation_ratio": "Participation ratio by layer",
}

Tables = Mapping[str, pd.DataFrame]


def write_run_page(
    path: str | os.PathLike,
    title: str,
    study: str,
    config: Mapping[str, Any],
    record: Phase1,
    plan: CapturePlan,
    tables: Tables,
    figures: Mapping[str, str | os.PathLike],
    links: Mapping[str, str | os.PathLike],
    index: str | os.PathLike | None = None,
) -> Path:
    """Write the page of one run to `path`, whole or not at all; the same inputs give the same bytes.

    config: the run's config.json. tables: `changes` and, of classifiers of real numbers, `flipped` (both of
    `changes_of_run`); and, for the negative controls, `selectivity`, `importance` and `probes` where there are any.
    figures: name to picture; links: name to table; index: the page that lists all pages. Links are relative to the
    page. Title, study, names and reasons are escaped.
    """
    path = Path(path)
    changes = tables["changes"].assign(layer=tables["changes"]["layer"].fillna(""))
    flipped = tables.get("flipped", pd.DataFrame(columns=["moment", "flip", "margin_before", "margin_after"]))
    moments = [_moment(moment, changes, flipped) for moment in _shown(plan.moments)]
    page = template("ontogeny.changes", "page.html").render(
        title=title,
        run=config["run"],
        study=study,
        index=None if index is None else _link(path, index),
        facts=_facts(config, plan),
        answer=plan.answer,
        notes=plan.notes,
        curves=_curves(record, plan.moments),
        moments=moments,
        controls=_controls(changes, tables),
        figures=[{"name": name, "link": _link(path, file)} for name, file in figures.items()],
        tables=[{"name": name, "link": _link(path, file)} for name, file in links.items()],
        flipped=_link(path, links["flipped.csv"]) if "flipped.csv" in links else None,
    )
    write_text(path, page)
    return path


def write_pages_index(path: str | os.PathLike, groups: Mapping[str, Iterable[Sequence[str | os.PathLike]]]) -> Path:
    """Write the page that links to all pages; groups: heading to (name, file) of each. Names are escaped."""
    path = Path(path)
    listed = [
        {"name": name, "pages": [{"name": label, "link": _link(path, file)} for label, file in pages]}
        for name, pages in ((name, list(pages)) for name, pages in groups.items())
        if pages
    ]
    write_text(path, template("ontogeny.changes", "pages_index.html").render(groups=listed))
    return path


def _link(page: Path, file: str | os.PathLike) -> str:
    """`file` relative to the folder of `page`, as a URL."""
    relative = os.path.relpath(file, page.parent).replace(os.sep, posixpath.sep)
    return quote(relative if relative.startswith(".") else f"./{relative}")


def _shown(moments: Iterable[Moment]) -> list[Moment]:
    """The jumps, the transitions and the user's moments; the start and the end where there is neither."""
    moments = list(moments)
    chosen = [moment for moment in moments if moment.is_event or moment.kind == "user"]
    return chosen or [moment for moment in moments if moment.kind in ("start", "end")]


def _facts(config: Mapping[str, Any], plan: CapturePlan) -> list[tuple[str, str]]:
    settings = config["settings"]
    kinds = [moment.kind for moment in plan.moments]

    def listed(block: Mapping[str, Any], leave: Sequence[str] = ()) -> str:
        shown = {key: value for key, value in block.items() if value is not None and key not in leave}
        return ", ".join(f"{key.replace('_', ' ')} {_text(value)}" for key, value in shown.items())

    if "series" in config:
        steps, left_out = config["series"]["steps"], config["series"]["left_out"]
        learned = [
            ("checkpoints", f"{listed(settings['source'])}: {len(steps)} steps from {steps[0]} to {steps[-1]}"),
            ("left out", f"steps {_text(left_out)}, which make the series false" if left_out else "no step"),
            ("probe", listed(settings["probe"])),
        ]
    else:
        learned = [
            ("data", f"{settings['task']['name']}: {listed(settings['task'], ['name'])}"),
            ("training", listed(settings["training"])),
            ("seed", str(settings["seed"])),
        ]
    return [
        ("network", f"{settings['model']['name']}: {listed(settings['model'], ['name'])}".rstrip(": ")),
        ("parameters", f"{config['parameters']:,} in {len(config['layers'])} monitored layers"),
        *learned,
        (
            "looked at",
            f"{_count(kinds, 'jump')}, {_count(kinds, 'transition')}, {_count(kinds, 'control', 'matched control')}",
        ),
        ("versions", ", ".join(f"{name} {version}" for name, version in config["versions"].items())),
    ]


def _count(kinds: Sequence[str], kind: str, name: str | None = None) -> str:
    return counted(kinds.count(kind), name or kind)


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


# ----------------------------------------------------------------------------------------------------------- curves


def _curves(record: Phase1, moments: Sequence[Moment]) -> list[dict[str, Any]]:
    series = {(layer, metric): (s, v) for _, layer, metric, s, v in record.each_series()}
    layers = list(dict.fromkeys(layer for layer, _ in series if layer != RUN_LEVEL))
    found = []
    for metric, name in _CURVES.items():
        if metric == "loss":
            wanted = {"training batch": "loss", "probe": "probe_loss", "validation": "val_loss"}
            lines = {label: series[RUN_LEVEL, m] for label, m in wanted.items() if (RUN_LEVEL, m) in series}
        else:
            lines = {layer: series[layer, metric] for layer in layers if (layer, metric) in series}
        if lines:
            found.append(_curve(name, lines, moments, log=metric == "loss"))
    return found


def _curve(
    name: str, lines: Mapping[str, tuple[np.ndarray, np.ndarray]], moments: Sequence[Moment], log: bool
) -> dict[str, Any]:
    values = np.concatenate([np.asarray(v, dtype=float) for _, v in lines.values()])
    values = values[np.isfinite(values) & (values > 0)] if log else values[np.isfinite(values)]
    scale = np.log10 if log else np.asarray
    low, high = (float(scale(edge)) for edge in (values.min(), values.max())) if values.size else (0.0, 1.0)
    high = high if high > low else low + 1.0
    steps = np.concatenate([np.asarray(s, dtype=float) for s, _ in lines.values()])
    first, last = float(steps.min()), max(float(steps.max()), float(steps.min()) + 1)

    def x(step: float) -> float:
        return round(_LEFT + (step - first) / (last - first) * (_RIGHT - _LEFT), 1)

    def y(value: Any) -> float:
        return round(float(_BOTTOM - (value - low) / (high - low) * (_BOTTOM - _TOP)), 1)

    drawn = []
    for place, (label, (at, measured)) in enumerate(lines.items()):
        at, measured = np.asarray(at, dtype=float), np.asarray(measured, dtype=float)
        known = np.isfinite(measured) & ((measured > 0) | (not log))
        at, measured = at[known], scale(measured[known])
        kept = np.unique(np.linspace(0, max(len(at) - 1, 0), min(len(at), _POINTS)).astype(int))
        points = " ".join(f"{x(at[k])},{y(measured[k])}" for k in kept)
        drawn.append({"name": label, "points": points, "colour": _colour(place / max(len(lines) - 1, 1))})
    marked = _log_ticks(10**low, 10**high) if log else _ticks(low, high, 4)
    ticks = [{"y": y(scale(value)), "text": f"{value:.6g}"} for value in marked]
    marks = [
        {
            "x": x(m.step),
            "jump": m.is_event,
            "text": f"{m.kind}, step {m.step}",
        }
        for m in moments
        if m.is_event or m.kind == "control"
    ]
    return {
        "name": f"{name}{' (logarithmic)' if log else ''}", "lines": drawn, "ticks": ticks, "marks": marks,
        "steps": [{"x": x(s), "text": f"{s:.0f}"} for s in _ticks(first, last, 8, least=1.0)],
        "width": _WIDTH, "height": _HEIGHT, "left": _LEFT, "right": _RIGHT, "top": _TOP, "bottom": _BOTTOM,
    }  # fmt: skip


def _ticks(low: float, high: float, most: int, least: float = 0.0) -> list[float]:
    """Up to `most` + 1 round numbers from `low` to `high`, at equal distances of `least` or more."""
    rough = max((high - low) / most, least)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * part for part in (1, 2, 5, 10) if power * part >= rough * (1 - 1e-9))
    places = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [float(f"{place * step:.10g}") for place in places]


def _log_ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`, both above 0, for a logarithmic axis."""
    low, high = low * (1 - 1e-9), high * (1 + 1e-9)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    inside = [part * 10.0**power for power in powers for part in (1, 2, 5) if low <= part * 10.0**power <= high]
    if len(inside) > 6:
        decades = [10.0**power for power in powers if low <= 10.0**power <= high]
        inside = decades[:: math.ceil(len(decades) / 6)]
    return inside if len(inside) >= 2 else [tick for tick in _ticks(low, high, 4) if tick > 0]


def _colour(share: float) -> str:
    """From dark (the first line) to light (the last)."""
    place = min(max(share, 0.0), 1.0) * (len(_COLOURS) - 1)
    low = min(int(place), len(_COLOURS) - 2)
    mixed = (round(a + (place - low) * (b - a)) for a, b in zip(_COLOURS[low], _COLOURS[low + 1]))
    return "#" + "".join(f"{part:02x}" for part in mixed)


# ---------------------------------------------------------------------------------------------------------- moments


def _moment(moment: Moment, changes: pd.DataFrame, flipped: pd.DataFrame) -> dict[str, Any]:
    name = f"{moment.kind} at {moment.step}"
    here = changes[changes["moment"] == name]
    flips = flipped[flipped["moment"] == name]
    families = [
        {"name": family, "rows": [_row(row) for row in part.to_dict("records")]}
        for family, part in ((family, here[here["family"] == family]) for family in FAMILIES)
        if len(part)
    ]
    titles = {
        "jump": "Jump at step",
        "transition": "Transition at step",
        "user": "Step",
        "start": "Start, step",
        "end": "End, step",
    }
    moved = (flips["margin_after"] - flips["margin_before"]).abs().sort_values(ascending=False, kind="stable").index
    listed = flips.loc[moved[:MOST_FLIPS]]
    return {
        "anchor": f"{moment.kind}-{moment.step}",
        "title": f"{titles[moment.kind]} {moment.step}",
        "reason": f"Chosen because: {moment.reason}.",
        "steps": f"Before is step {moment.before}, during {moment.step}, after {moment.after}; {_quiet(here, changes)}",
        "sentences": _sentences(here, flips),
        "strip": _strip(ratios_of_run(here)),
        "families": families,
        "rows": len(here),
        "open": len(here) <= 40,
        "flipped": len(flips),
        "flips": [
            [row["sample"], row["label"], row["predicted_before"], row["predicted_after"], row["flip"],
             _number(row["margin_before"]), _number(row["margin_after"])]
            for row in listed.to_dict("records")
        ],
    }  # fmt: skip


def _strip(ratios: pd.DataFrame) -> dict[str, Any] | None:
    """Ratios to the matched control as marks of a picture: a row per quantity, a mark per layer; None if there are
    none."""
    if not len(ratios):
        return None
    left, right, high = 170, 900, 20
    reach = np.abs(np.log2(ratios["ratio"].replace(0, 1 / FARTHEST).clip(1 / FARTHEST, FARTHEST)))
    span = max(2.0, math.ceil(float(reach.max())))
    rows = [(family, quantity) for family in FAMILIES
            for quantity in dict.fromkeys(ratios.loc[ratios["family"] == family, "quantity"])]  # fmt: skip

    def x(ratio: float) -> float:
        turns = math.log2(min(max(ratio, 1 / FARTHEST), FARTHEST))
        return round((left + right) / 2 + turns / span * (right - left) / 2, 1)

    drawn = []
    for place, (family, quantity) in enumerate(rows):
        here = ratios[(ratios["family"] == family) & (ratios["quantity"] == quantity)]
        marks = [
            {
                "x": x(row["ratio"]),
                "sure": _known(row["p_adjusted"]) and row["p_adjusted"] <= ALPHA,
                "tested": _known(row["p_adjusted"]),
                "text": f"{row['layer'] or 'the network'}: {_number(row['ratio'])} times",
            }
            for row in here.to_dict("records")
        ]
        first = place == 0 or rows[place - 1][0] != family
        drawn.append({"y": high * place + 16, "quantity": quantity, "family": family if first else "", "marks": marks})
    turns = range(-int(span), int(span) + 1, 1 if span <= 3 else 2)
    ticks = [{"x": x(2.0**turn), "text": f"{2**turn}" if turn >= 0 else f"1/{2**-turn}"} for turn in turns]
    bottom = high * len(rows) + 6
    return {"rows": drawn, "ticks": ticks, "one": x(1.0), "bottom": bottom, "height": bottom + 22, "left": left,
            "right": right}  # fmt: skip


def _quiet(here: pd.DataFrame, changes: pd.DataFrame) -> str:
    if not len(here) or here["kind"].iloc[0] not in EVENTS:
        return "there is nothing to compare it with."
    matched = changes[(changes["kind"] == "control") & (changes["jump"] == here["step"].iloc[0])]
    steps = [str(step) for step in dict.fromkeys(matched["step"])]
    if not steps:
        return "no matched control was found for it, so its changes are described alone."
    return f"compared with the matched control{'s' if len(steps) > 1 else ''} at step {', '.join(steps)}."


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    cells = [_number(row[key]) for key in ("before", "during", "after", "change")]
    cells += [_span(row["low"], row["high"]), _number(row["control"]), _number(row["difference"])]
    cells += [_span(row["difference_low"], row["difference_high"]), _number(row["effect_size"])]
    cells.append(_p_value(row["p_adjusted"]))
    return {
        "quantity": row["quantity"],
        "layer": row["layer"],
        "cells": cells,
        "sure": _known(row["p_adjusted"]) and row["p_adjusted"] <= ALPHA,
    }


def _sentences(here: pd.DataFrame, flips: pd.DataFrame) -> list[str]:
    """What changed, in words: the strongest layer of each family, beside the matched control."""
    said = []
    for family, quantity, words in (
        ("weights", "relative change", "Weights: those of {layer} moved most, by {change} of their length{quiet}."),
        ("activations", "displacement", "Activations: those of {layer} moved most, by {change} times the spread of "
         "samples{quiet}."),
        ("neurons", "unit effect", "Neurons: those of {layer} changed most, on average by {change} standard "
         "deviations{quiet}."),
        ("neurons", "importance", "Importance: that of the units of {layer} moved most, on average by {change} nats"
         "{quiet}."),
        ("attention", "attention moved", "Attention: {layer} moved most; {change} of the weight now goes elsewhere"
         "{quiet}."),
        ("features", "saliency moved", "Features: the rank correlation of saliency maps before and after falls short "
         "of 1 by {change}{quiet}."),
    ):  # fmt: skip
        part = here[(here["family"] == family) & (here["quantity"] == quantity) & here["change"].notna()]
        if len(part):
            row = part.loc[part["change"].abs().idxmax()]
            said.append(words.format(layer=row["layer"], change=_number(row["change"]), quiet=_beside(row)))
    dead = {name: part["change"].mul(part["samples"].astype(float)).sum() for name, part in here.groupby("quantity")
            if name in ("died", "revived")}  # fmt: skip
    if dead:
        said.append(f"Units that died: {dead.get('died', 0):.0f}; that came back: {dead.get('revived', 0):.0f}.")
    rows = here[here["family"] == "predictions"].set_index("quantity")
    levels = ", ".join(
        f"{name} {_number(rows.loc[name, 'before'])} before, {_number(rows.loc[name, 'after'])} after"
        for name in ("accuracy", "loss")
        if name in rows.index
    )
    if "flipped" in rows.index:
        row = rows.loc["flipped"]
        ways = flips["flip"].value_counts()
        said.append(
            f"Predictions: {len(flips)} of {int(row['samples'])} held-out samples flipped, {ways.get('to right', 0)} "
            f"to right and {ways.get('to wrong', 0)} to wrong{_beside(row, share=True)}; {levels}."
        )
    elif levels:
        said.append(f"Predictions: {levels}.")
    tested = here["p_adjusted"].notna().sum()
    if tested:
        sure = int((here["p_adjusted"] <= ALPHA).sum())
        said.append(
            f"Of {tested} quantities tested, {sure} changed differently from the matched control, beyond chance."
        )
    return said


def _beside(row: Mapping[str, Any], share: bool = False) -> str:
    """What the same was at the matched control, in brackets."""
    if not _known(row["control"]):
        return ""
    control = f"{round(row['control'] * row['samples']):d}" if share else _number(row["control"])
    p_value = f"; p {_p_value(row['p_adjusted'], equals=True)}" if _known(row["p_adjusted"]) else ""
    return f" (matched control: {control}{p_value})"


def _controls(changes: pd.DataFrame, tables: Tables) -> list[str]:
    said = []
    for kind, words in (
        ("control", "Matched controls against each other"),
        ("jump", "For comparison, jumps against theirs"),
        ("transition", "For comparison, transitions against theirs"),
    ):
        part = changes[(changes["kind"] == kind) & changes["p_adjusted"].notna()]
        if len(part):
            sure = int((part["p_adjusted"] <= ALPHA).sum())
            said.append(f"{words}: {sure} of {len(part)} quantities differ beyond what samples explain.")
        elif kind == "control":
            said.append("There are fewer than two matched controls, so they cannot be compared with each other.")
    for name, column, words in (
        ("selectivity", "selective", "Selective units"),
        ("importance", "stands_out", "Units whose importance stands out"),
    ):
        table = tables.get(name)
        if table is None or not len(table) or not table["moment"].astype(str).str.startswith("end").any():
            continue
        end = table[table["moment"].astype(str).str.startswith("end") & table[column].notna()]
        shares = end[column].astype(float).groupby(end["control"]).agg(["sum", "count"])
        names = {"none": "the network", "untrained": "untrained networks", "shuffled labels": "shuffled labels"}
        parts = [
            f"{label} {int(shares.loc[key, 'sum'])} of {int(shares.loc[key, 'count'])}"
            for key, label in names.items()
            if key in shares.index
        ]
        said.append(f"{words} at the end of training: {'; '.join(parts)}.")
    probes = tables.get("probes")
    if probes is not None and len(probes):
        last = probes[probes["step"] == probes["step"].max()]
        best = last.loc[last["accuracy"].idxmax()]
        said.append(
            f"Linear probe of {best['layer']} at step {best['step']}: accuracy {_number(best['accuracy'])}; with "
            f"shuffled labels {_number(best['shuffled'])}, on the untrained network {_number(best['untrained'])}."
        )
    return said


def _known(value: Any) -> bool:
    return value is not None and not pd.isna(value)


def _number(value: Any) -> str:
    if not _known(value):
        return ""
    value = float(value)
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.3g}".replace("-", "−")


def _span(low: Any, high: Any) -> str:
    return f"{_number(low)} to {_number(high)}" if _known(low) and _known(high) else ""


def _p_value(value: Any, equals: bool = False) -> str:
    if not _known(value):
        return ""
    return "< 0.001" if value < 0.001 else f"{'= ' if equals else ''}{value:.2g}"
