"""What was found, in one sentence and one figure per study: for the terminal, for `results` and for the report."""

from __future__ import annotations

import base64
import io
import os
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ontogeny.files import read_table, write_text
from ontogeny.phase1 import RUN_LEVEL
from ontogeny.statistics import student_interval
from ontogeny.words import counted, joined

FIGURES = {
    "dynamics": "results/figures/{study}/overview.png",
    "imports": "results/figures/{study}/overview.png",
    "circuits": "results/figures/{study}/circuits_counts.png",
    "connectome": "results/figures/{study}/recovery.png",
    "judge": "results/pages/{run}/mechanism.png",
}
"""The figure that stands for a study, by its kind."""
_ANSWERS = "results/studies/{study}/answers.csv"
TABLES = {
    "dynamics": ("results/studies/{study}/rates.csv", "results/studies/{study}/comparisons.csv", _ANSWERS),
    "imports": ("results/studies/{study}/rates.csv", "results/studies/{study}/comparisons.csv", _ANSWERS),
    "circuits": ("results/studies/{study}/circuits/conditions.csv", "results/studies/{study}/circuits/effects.csv"),
    "connectome": ("results/studies/{study}/connectome/recovery.csv",),
    "judge": ("results/runs/{run}/epochs.csv",),
}
"""The tables from which the sentence on a study is made, by its kind."""
_SIGNIFICANT = 0.05
_WIDTH = 640


@dataclass(frozen=True)
class Finding:
    """The sentence and the figure of one study."""

    title: str
    sentence: str
    figure: Path


def findings(studies: Sequence[Mapping[str, Any]], files: Iterable[str | os.PathLike]) -> list[Finding]:
    """One finding per study, in the order given.

    files: of every study in turn, its TABLES and its figure.

    studies: mappings with `name`, `title`, `kind` (a kind of study, or `imports`) and `run`, the run of a judge whose
    evaluation is summarised (its first).
    """
    found, remaining = [], iter(files)
    for study in studies:
        tables = [read_table(next(remaining)) for _ in TABLES[study["kind"]]]
        found.append(Finding(study["title"], _SENTENCES[study["kind"]](*tables), Path(next(remaining))))
    return found


def files_of(study: Mapping[str, Any]) -> list[str]:
    """The tables and the figure that the finding of `study` is made from."""
    patterns = (*TABLES[study["kind"]], FIGURES[study["kind"]])
    return [pattern.format(study=study["name"], run=study["run"]) for pattern in patterns]


MOST_ANSWERS = 3
"""Runs of a study of which each is said when it changed; of more, only how many did."""


def _jumps(rates: pd.DataFrame, comparisons: pd.DataFrame, answers: pd.DataFrame) -> str:
    """`rates`: one row per run, layer and metric, with measurements and jumps. `comparisons`: families in pairs.
    `answers`: when each run changed."""
    return f"{_when(answers)} {_rates(rates, comparisons)}".strip()


def _when(answers: pd.DataFrame) -> str:
    """When each run changed and how sure that is, or how many did."""
    if len(answers) <= MOST_ANSWERS:
        return " ".join(answers["sentence"])
    found = answers[(answers["kind"] != "none") & (answers["layer"] == RUN_LEVEL)]
    shows, it, its = ("shows", "it", "its") if len(found) == 1 else ("show", "they", "their")
    text = (
        f"{len(found)} of {len(answers)} runs {shows} a significant change of what {it} can do, {its} accuracy or loss"
    )
    if not len(found):
        return f"{text}; how large a change would have been found stands in answers.csv."
    first, last = found["step"].min(), found["step"].max()
    between = f", between steps {first:.0f} and {last:.0f}" if len(found) > 1 else ""
    surest = found.loc[found["p_value"].idxmin(), "sentence"]
    return f"{text}{between} (all in answers.csv). The surest: {surest}"


def _rates(rates: pd.DataFrame, comparisons: pd.DataFrame) -> str:
    by_run = rates.groupby("run", sort=False)[["measurements", "jumps"]].sum()
    per_run = 1000 * by_run["jumps"] / by_run["measurements"]
    mean, low, high = map(float, student_interval(per_run.to_numpy()))
    low = max(low, 0.0)
    text = f"{counted(int(by_run['jumps'].sum()), 'significant change', ',')} in {counted(len(by_run), 'run', ',')}: "
    text += f"{_number(mean)} per 1,000 measurements{_interval(low, high, 'one run')}."
    pairs = (
        comparisons[comparisons["value"] == "jump rate"].dropna(subset=["p_holm"]) if len(comparisons) else comparisons
    )
    if not len(pairs):
        return text + " Families of architectures are not compared: that needs at least two runs of each."
    best = pairs.loc[pairs["p_holm"].idxmin()]
    if best["p_holm"] > _SIGNIFICANT:
        return text + f" No two families of architectures differ significantly (smallest p = {best['p_holm']:.2g})."
    smallest, largest = sorted((abs(best["low"]), abs(best["high"])))
    more, less = ("a", "b") if best["difference"] > 0 else ("b", "a")
    return text + (
        f" {best[more]} networks jump more often than {best[less]} networks, by {_number(abs(best['difference']))}"
        f"{_interval(smallest, largest, '')} (p = {best['p_holm']:.2g})."
    )


def _circuits(conditions: pd.DataFrame, effects: pd.DataFrame) -> str:
    counts = conditions[conditions["measure"] == "circuits"]
    first = counts.iloc[0]
    text = (
        f"{first['condition']}: {_number(first['mean'])} perfect circuits per network"
        f"{_interval(first['mean_low'], first['mean_high'], 'too few networks')} in the {int(first['converged'])} of "
        f"{counted(int(first['seeds']), 'network', ',')} that converged."
    )
    tested = effects[(effects["measure"] == "circuits")].dropna(subset=["p_holm"])
    if not len(tested):
        return text
    clear = tested[tested["p_holm"] <= _SIGNIFICANT]
    if not len(clear):
        return (
            text
            + f" No other condition changes their number significantly (smallest p = {tested['p_holm'].min():.2g})."
        )
    measures = [
        f"{row['condition']} by {row['difference']:+.3g}{_interval(row['difference_low'], row['difference_high'], '')}"
        for _, row in clear.iterrows()
    ]
    return text + f" Changed significantly by {joined(measures)}."


def _recovery(recovery: pd.DataFrame) -> str:
    name = recovery.iloc[0]["condition"]
    rows = recovery[recovery["condition"] == name].sort_values("filling_factor", ascending=False)
    ends = [rows.iloc[0], rows.iloc[-1]] if len(rows) > 1 else [rows.iloc[0]]
    if rows["connectivity_R2"].isna().all():
        return f"{name}: {_without_truth(rows.iloc[0])}"
    measures = [
        f"{row['connectivity_R2']:.3f}{_interval(row['connectivity_R2_low'], row['connectivity_R2_high'], 'one fit')} "
        + ("as recorded" if pd.isna(row["filling_factor"]) else f"at {100 * row['filling_factor']:g}% connectivity")
        for row in ends
    ]
    text = f"{name}: the wiring is recovered with R² = {joined(measures)}"
    shares = [f"{100 * row['cluster_accuracy']:.0f}%" for row in ends if pd.notna(row["cluster_accuracy"])]
    text += f", and the types of {joined(list(dict.fromkeys(shares)))} of the neurons." if shares else "."
    others = recovery[recovery["condition"] != name].dropna(subset=["connectivity_R2"])
    text += f" Judged by the activity alone, {_trusted(rows)} can be trusted{_of_the_others(others)}."
    if len(others):
        best = others.groupby("condition", sort=False)["connectivity_R2"].max()
        text += f" The worst of the other conditions, {best.idxmin()}, reaches R² = {best.min():.2f} at best."
    return text


def _trusted(rows: pd.DataFrame) -> str:
    """How many fits of some rows of a table of recovery are trusted, and of how many."""
    return f"{int(rows['trusted'].dropna().sum())} of {counted(int(rows['seeds'].sum()), 'fit')}"


def _of_the_others(rows: pd.DataFrame) -> str:
    return f", and {_trusted(rows)} of the other conditions" if len(rows) else ""


def _without_truth(row: pd.Series) -> str:
    """What can be said of activity whose wiring nobody knows."""
    told = _trusted(row.to_frame().T)
    text = f"the true wiring is not known; judged by the activity alone, {told} can be trusted."
    if pd.notna(row["test_R2"]):
        text += (
            f" Left alone, the recovered network follows activity that it did not see with R² = {row['test_R2']:.2f}."
        )
    return text


def _judge(epochs: pd.DataFrame) -> str:
    test = epochs[epochs["split"] == "test"]
    judge = test[test["model"] == "judge"]
    last = judge[judge["epoch"] == judge["epoch"].max()]
    words = test[test["model"] == "words"]
    parts = []
    for prompts, where in (("all", "test prompts"), ("decoys", "decoys")):
        ours, theirs = (side[side["prompts"] == prompts] for side in (last, words))
        if len(ours) and len(theirs):
            judged, listed = (
                f"{row['auc']:.3f}{_interval(row['auc_low'], row['auc_high'], '')}"
                for row in (ours.iloc[0], theirs.iloc[0])
            )
            parts.append(f"{judged} on {where}, where a list of words reaches {listed}")
    return f"After {counted(int(last['epoch'].max()), 'epoch', ',')} the judge's AUC is {joined(parts)}."


_SENTENCES: dict[str, Callable[..., str]] = {
    "dynamics": _jumps,
    "imports": _jumps,
    "circuits": _circuits,
    "connectome": _recovery,
    "judge": _judge,
}


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def _interval(low: float, high: float, without: str) -> str:
    """The 95% interval in brackets, or why there is none."""
    if pd.isna(low) or pd.isna(high):
        return f" ({without}, so no interval)" if without else ""
    return f" [{_number(float(low))}, {_number(float(high))}]"


def write_summary(found: Sequence[Finding], markdown: str | os.PathLike, page: str | os.PathLike) -> None:
    """Write the findings as Markdown, with links to the figures, and as the first page of the report (RST)."""
    folder = Path(markdown).parent
    lines = ["# What was found", "", f"{_NOTE} Made by the pipeline from the tables in this folder.", ""]
    for finding in found:
        figure = os.path.relpath(finding.figure, folder)
        lines += [f"## {finding.title}", "", finding.sentence, "", f"![{finding.title}](<{figure}>)", ""]
    write_text(markdown, "\n".join(lines))
    write_text(page, _page(found))


_NOTE = "Brackets are 95% intervals; p-values of several comparisons are corrected by Holm's method."
_HOW = """The studies on the left hold all figures, tables and pages; **Tables** holds what spans studies. The eye icon
opens an item; the icon next to it explains how to read it and shows the rule that made it. Everything works offline.
"""


def _page(found: Sequence[Finding]) -> str:
    """The findings as RST, with the figures inside, safe from Jinja and from markup in titles."""
    parts = [_HOW, _NOTE, ""]
    for finding in found:
        title = _plain(finding.title)
        parts += [title, "-" * max(4, 2 * len(title)), "", _plain(finding.sentence), ""]
        parts += [
            ".. image::",
            textwrap.indent(_data_uri(finding.figure), "   "),
            f"   :alt: {title}",
            f"   :width: {_WIDTH}px",
            "",
        ]
    text = "\n".join(parts).replace("{%", "{ %").replace("{{", "{ {")
    return "{% raw %}" + text + "{% endraw %}\n"


def _plain(text: str) -> str:
    """`text` with everything that RST could take for markup escaped."""
    return re.sub(r"([^\w\s.,:;%=+²()-])", r"\\\1", " ".join(text.split()))


def _data_uri(figure: Path) -> str:
    """A smaller copy of a picture as a URI, in lines, since docutils takes no long ones."""
    from PIL import Image

    with Image.open(figure) as opened:
        image = opened.convert("RGB")
        image.thumbnail((2 * _WIDTH, 4 * _WIDTH), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        image.quantize(128).save(buffer, "PNG", optimize=True)
    return "\n".join(textwrap.wrap("data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode(), 1000))


def summary_text(markdown: str | os.PathLike) -> str:
    """The findings as plain text for the terminal, without links."""
    kept = [line for line in Path(markdown).read_text(encoding="utf-8").splitlines() if not line.startswith("![")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.removeprefix("## ").removeprefix("# ") for line in kept)).strip()
