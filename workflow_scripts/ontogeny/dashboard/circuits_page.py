"""The page of circuits: their counts by epoch, one seed, and the tables of a study."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pandas as pd
import streamlit as st

from ontogeny.dashboard import data, figures
from ontogeny.dashboard.data import RunFolder
from ontogeny.dashboard.elements import choose_run, guarded, plot, runs_of_kind, say, table_below


@guarded
def circuits_page(results: Path) -> None:
    """Circuits of a logic-gate ensemble by epoch: counts, one seed, the animation, and the tables of its study."""
    st.header("Circuits by epoch")
    runs = runs_of_kind(results, "circuits")
    counted = [run for run in runs if (run.folder / "circuits" / "history.csv").is_file()]
    if not counted:
        waiting = f" ({', '.join(run.name for run in runs)}: trained, not counted)" if runs else ""
        say(f"No circuits have been counted here yet{waiting}. Count them with: snakemake circuits --cores 2")
        return
    _circuits(results, counted)


@st.fragment
@guarded
def _circuits(results: Path, runs: list[RunFolder]) -> None:
    one, two, three = st.columns([2, 2, 2])
    with one:
        run = choose_run(runs, "circuits run")
    history = data.table_of(run.folder / "circuits" / "history.csv", ("seed", "epoch", "circuits"))
    candidates = list(history["candidates"].unique()) if "candidates" in history else []
    if not len(history):
        say(f"The history of {run.name} holds no epoch yet.")
        return
    with two:
        measures = [name for name in figures.CIRCUIT_MEASURES if name in history and history[name].notna().any()]
        measure: str = st.selectbox(
            "measure", measures, format_func=lambda m: figures.CIRCUIT_MEASURES[m], key="measure"
        )
    with three:
        seeds = sorted(history["seed"].unique().tolist())
        seed = st.selectbox("seed", seeds, index=_representative(run, seeds), key=f"seed {run.name}")
        if len(candidates) > 1:
            chosen = st.selectbox("candidates", candidates, key="candidates")
            history = history[history["candidates"] == chosen]
    epochs = sorted(history["epoch"].unique().tolist())
    until = int(history.loc[history["seed"] == seed, "epoch"].max())
    key = f"circuit epoch {run.name} {seed}"
    epoch = st.select_slider("epoch", epochs, value=until, key=key) if len(epochs) > 1 else epochs[0]
    now = history[history["epoch"] == epoch]
    own = now[now["seed"] == seed]
    values = st.columns(4)
    values[0].metric(f"circuits of seed {seed}", _count(own["circuits"].iloc[0]) if len(own) else "stopped")
    values[1].metric("median of seeds that train", _count(now["circuits"].median()))
    values[2].metric("seeds with a circuit", f"{int((now['circuits'] > 0).sum())} of {len(now)}")
    if "train_loss" in own and len(own):
        values[3].metric("training loss", f"{own['train_loss'].iloc[0]:.3g}")
    left, right = st.columns([3, 2])
    with left:
        plot(figures.circuits_figure(history, measure, epoch, seed), "counts")
        st.caption("Seeds that stopped early keep their last value in the median and the quartiles.")
    with right:
        video = data.study_file(results, "animations", f"{run.name}.mp4")
        if video is None:
            st.caption("The animation of this run has not been made yet.")
        else:
            st.video(str(video), loop=True)
            st.caption("The circuits of one representative seed through training.")
    table_below(run.folder / "circuits" / "appearances_at_jumps.csv", "Do circuits appear at jumps of dimensionality?")
    table_below(run.folder / "circuits" / "structure.csv", "The circuits at the end, by seed")
    for study in data.find_studies(results):
        folder = results / "studies" / study / "circuits"
        table_below(folder / "conditions.csv", f"Study {study}: conditions")
        table_below(folder / "effects.csv", f"Study {study}: effects against the baseline")


def _count(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def _representative(run: RunFolder, seeds: list[int]) -> int:
    """Where the seed of the run's records stands in `seeds`; the first, if there are none."""
    try:
        names = os.listdir(run.folder / "circuits" / "records")
    except OSError:
        return 0
    found = [int(match[1]) for name in names if (match := re.search(r"_seed(\d+)_", name))]
    return seeds.index(found[0]) if found and found[0] in seeds else 0
