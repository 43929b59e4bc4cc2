"""The dashboard, drawn by Streamlit from what `ontogeny.dashboard.data` reads: its pages, and the first of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import streamlit as st

from ontogeny.dashboard import data, player
from ontogeny.dashboard.circuits_page import circuits_page
from ontogeny.dashboard.connectome_page import connectome_page
from ontogeny.dashboard.dynamics_page import dynamics_page
from ontogeny.dashboard.elements import REFRESH, guarded, markdown, runs_in_folder, say, show_table
from ontogeny.dashboard.judge_page import judge_page
from ontogeny.dashboard.live_page import control_fragment, live_page
from ontogeny.errors import OntogenyError

MOST_LISTED = 2000
"""Runs in the table of all runs."""
_STYLE = f"<style>.block-container {{ padding-top: 2.6rem; padding-bottom: 2rem }}{player.STYLE}</style>"


@guarded
def overview_page(results: Path) -> None:
    """All runs: their kind, their state, what has been made of them."""
    st.header("Runs")
    runs = runs_in_folder(str(results))
    if not runs:
        say(f"The folder {results} holds studies but no runs yet.")
    live = [run for run in runs if run.live]
    columns = st.columns(4)
    for column, (label, count) in zip(
        columns,
        (("runs", len(runs)), ("trained", sum(run.trained for run in runs)), ("training now", len(live)),
         ("studies", len(data.find_studies(results)))),
    ):  # fmt: skip
        column.metric(label, count)
    if runs:
        marks = {
            "Phase 1": "phase1.json", "jumps": "jumps.csv", "activations": "activations.h5", "geometry": "geometry",
            "neurons": "neurons", "features": "features", "interventions": "interventions", "circuits": "circuits",
            "mechanism": "mechanism", "connectome": "connectome",
        }  # fmt: skip
        rows = []
        for run in runs[:MOST_LISTED]:
            state = "trained" if run.trained else "training" if run.live else "not finished"
            there = ", ".join(name for name, file in marks.items() if (run.folder / file).exists())
            rows.append({"run": run.name, "kind": run.kind, "state": state, "made so far": there})
        show_table(pd.DataFrame(rows), 620)
        if len(runs) > MOST_LISTED:
            st.caption(f"The first {MOST_LISTED:,} of {len(runs):,} runs.")


PAGES: dict[str, Callable[[Path], None]] = {
    "Overview": overview_page,
    "Judge": judge_page,
    "Dynamics": dynamics_page,
    "Circuits": circuits_page,
    "Connectome": connectome_page,
    "Live": live_page,
}


def show(results: str | os.PathLike) -> None:
    """The whole dashboard: a choice of pages at the side, and the chosen one. `?page=Judge&run=NAME` opens one."""
    st.set_page_config(page_title="Ontogeny", layout="wide")
    st.html(_STYLE)
    results = data.results_in(results)
    names = list(PAGES)
    asked = st.query_params.get("page", "").capitalize()
    with st.sidebar:
        st.subheader("Ontogeny")
        page = st.radio("page", names, index=names.index(asked) if asked in names else 0, key="page",
                        label_visibility="collapsed")  # fmt: skip
        st.caption(markdown(f"Results: {results}"))
    try:
        why = data.explain_folder(results)
    except OntogenyError as error:
        why = str(error)
    if why:
        st.header(page)
        st.warning(markdown(why))
        if page == "Live":
            st.fragment(control_fragment, run_every=REFRESH)(results)
        st.fragment(_wait, run_every=REFRESH)(results)
        return
    PAGES[page](results)


def _wait(results: Path) -> None:
    """Draw the page again as soon as there is something to show."""
    try:
        ready = data.explain_folder(results) is None
    except OntogenyError:
        ready = False
    if ready:
        st.rerun()
