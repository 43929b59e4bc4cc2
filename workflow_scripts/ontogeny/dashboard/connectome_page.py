"""The page of connectomes: the search over settings, recovery, and single fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from ontogeny.connectome.search.policy import ucb_scores
from ontogeny.connectome.search.records import Record
from ontogeny.connectome.search.rules import UCB_C
from ontogeny.dashboard import data, figures
from ontogeny.dashboard.data import RunFolder
from ontogeny.dashboard.elements import choose_run, guarded, markdown, plot, runs_of_kind, say, show_table, table_below
from ontogeny.errors import OntogenyError
from ontogeny.files import read_json


@guarded
def connectome_page(results: Path) -> None:
    """The exploration of settings as a tree, and how well wirings were recovered."""
    st.header("Connectome: recovery and exploration")
    searches = data.search_folders(results)
    recovered = [
        study for study in data.find_studies(results)
        if (results / "studies" / study / "connectome" / "recovery.csv").is_file()
    ]  # fmt: skip
    runs = runs_of_kind(results, "connectome")
    if not searches and not recovered and not runs:
        say("No connectome has been fitted here yet. Make one with: snakemake connectome --cores 2")
        return
    parts = (["Exploration"] if searches else []) + (["Recovery"] if recovered else []) + (["Fits"] if runs else [])
    part = st.segmented_control("part", parts, default=parts[0], key="part", label_visibility="collapsed") or parts[0]
    if part == "Exploration":
        _exploration(searches)
    elif part == "Recovery":
        _recovery(results, recovered)
    else:
        _fits(runs)


@st.fragment
@guarded
def _exploration(searches: dict[str, Path]) -> None:
    one, two, three = st.columns([2, 2, 3])
    with one:
        study = st.selectbox("study", list(searches), key="search")
    folder = searches[study]
    try:
        _tree(study, data.read_search(folder), two, three)
    except OntogenyError as error:
        st.error(markdown(error))
    table_below(folder / "iterations.csv", "All iterations")
    table_below(folder / "blocks.csv", "Blocks and what they found")
    table_below(folder / "principles.csv", "Principles: what a change of one setting gains")


def _tree(study: str, records: list[Record], two: Any, three: Any) -> None:
    if not records:
        say(f"The search of {study} has no record yet.")
        return
    blocks = {record.block: record.filling_factor for record in records}
    with two:
        block = st.selectbox(
            "block",
            list(blocks),
            format_func=lambda b: f"{b}: {blocks[b] * 100:g}% of connections",
            key=f"block {study}",
        )
    with three:
        c = st.slider("exploration constant c of the UCB score", 0.0, 3.0, UCB_C, 0.002, key="c")
    part = [record for record in records if record.block == block]
    scores = ucb_scores(part, c)
    plot(figures.tree_figure(part, scores, figures.naming(records)), "tree")
    st.caption(
        "A row is one training with one setting changed; its parent is above it, to the left. A thick edge marks the "
        "best of the block; the node in bold is where the next iteration would start at this c. Circles exploit, "
        "diamonds explore, triangles probe failures, squares test robustness."
    )


@st.fragment
@guarded
def _recovery(results: Path, studies: list[str]) -> None:
    one, two = st.columns(2)
    with one:
        study = st.selectbox("study", studies, key="recovery study")
    folder = results / "studies" / study / "connectome"
    recovery = data.table_of(folder / "recovery.csv", ("condition", "filling_factor", "seeds"))
    metrics = [name for name in recovery if f"{name}_low" in recovery]
    if not metrics or not len(recovery):
        say(f"The recovery table of {study} holds no metric yet.")
        return
    with two:
        metric = st.selectbox("metric", metrics, format_func=lambda m: m.replace("_", " "), key=f"recovery {study}")
    plot(figures.recovery_figure(recovery, metric), "recovery")
    st.caption("Bars are 95% intervals over seeds; a level with one seed has none.")
    counts = [name for name in ("condition", "filling_factor", "seeds", "converged", "trusted") if name in recovery]
    show_table(recovery[counts + metrics], 400)
    table_below(folder / "recovery_by_run.csv", "Every run")


@st.fragment
@guarded
def _fits(runs: list[RunFolder]) -> None:
    run = choose_run(runs, "fit")
    path, metrics = (run.folder / "connectome" / name for name in ("history.csv", "metrics.json"))
    values = read_json(metrics) if metrics.is_file() else {}
    if "verdict" in values:
        st.markdown(f"**The wiring is {markdown(values['verdict'])}:** {markdown(values.get('verdict_reason') or '')}.")
    if path.is_file():
        plot(figures.history_figure(data.table_of(path, ("step",))), "history")
    else:
        say(f"The fit of {run.name} has no history yet.")
    if values:
        show_table(pd.DataFrame({"metric": list(values), "value": [_short(v) for v in values.values()]}), 1200)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
