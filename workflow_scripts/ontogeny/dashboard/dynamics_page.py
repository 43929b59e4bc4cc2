"""The page of training dynamics: when a run changed, and its curves with jumps and transitions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from ontogeny.dashboard import data, figures
from ontogeny.dashboard.data import RunFolder
from ontogeny.dashboard.elements import choose_run, guarded, markdown, plot, runs_in_folder, say, show_table
from ontogeny.errors import OntogenyError
from ontogeny.jumps.answer import counted_changes
from ontogeny.phase1 import DIMENSIONALITY_METRICS, RUN_LEVEL
from ontogeny.words import counted


@guarded
def dynamics_page(results: Path) -> None:
    """Phase 1 curves of a run with its jumps and transitions."""
    st.header("Training dynamics: jumps and transitions")
    runs = [run for run in runs_in_folder(str(results)) if (run.folder / "phase1.json").exists()]
    if not runs:
        say("No run here has a Phase 1 record (phase1.json) yet. Runs that train now are on the page Live.")
        return
    _dynamics(runs)


@st.fragment
@guarded
def _dynamics(runs: list[RunFolder]) -> None:
    one, two, three = st.columns([2, 2, 2])
    with one:
        run = choose_run(runs, "dynamics run")
    record = data.read_run_record(run.folder)
    name = record.runs[0]
    if len(record.runs) > 1:
        with one:
            name = st.selectbox("member of the ensemble", record.runs, key=f"member {run.name}")
    frame = record.frame[record.frame["run"] == name]
    seen = list(frame["metric"].unique())
    metrics = [metric for metric in DIMENSIONALITY_METRICS if metric in seen]
    metrics += [metric for metric in seen if metric not in metrics and (metric not in ("loss", "grad_norm"))]
    metrics = metrics or seen
    if not metrics:
        say(f"The record of {run.name} holds no measurement yet.")
        return
    jumps, answer = None, ""
    try:
        jumps, answer = data.read_jumps(run.folder), data.read_answer(run.folder, name)
    except OntogenyError as error:
        st.warning(markdown(error))
    if jumps is not None and (len(record.runs) > 1 or name in set(jumps["run"])):
        jumps = jumps[jumps["run"] == name]
    with two:
        place = metrics.index(_telling(metrics, jumps))
        metric = st.selectbox(
            "metric", metrics, index=place, format_func=figures.metric_name, key=f"metric {run.name} {name}"
        )
    known = list(frame.loc[frame["metric"] == metric, "layer"].unique())
    with three:
        layers = st.multiselect("layers (all, if none is chosen)", known, key=f"layers {run.name} {metric}") or known
    every = False
    if jumps is None:
        st.caption("Jumps have not been looked for in this run yet.")
    elif len(jumps):
        every = st.toggle("also show changes that are not significant", key="all jumps")
    if answer:
        st.markdown(markdown(answer))
    plot(figures.curves_figure(frame, layers, metric, jumps, every), "curves")
    if jumps is not None:
        _jump_table(jumps, every)
    _run_level_curves(frame)
    notes = [str(note) for note in record.notes]
    if notes:
        with st.expander(f"{counted(len(notes), 'note')} on this record"):
            st.text("\n".join(notes[:200]))


def _jump_table(jumps: pd.DataFrame, every: bool) -> None:
    """How many jumps and transitions there are, and the significant ones, or every one, in a table."""
    significant = jumps["significant"].astype(bool)
    st.caption(
        f"{counted_changes(jumps)} found in all layers and metrics of this run, {int(significant.sum())} "
        "significant at the false discovery rate of the analysis (full triangles, with a broad line from 10% to 90% of "
        "the change)."
    )
    part = jumps if every else jumps[significant]
    if len(part):
        columns = (
            "step", "midpoint_low", "midpoint_high", "onset", "end", "layer", "metric", "kind",
            "size", "p_value", "q_value",
        ) + ("significant",) * every  # fmt: skip
        show_table(part[[column for column in columns if column in part]].sort_values("step"), 320)


def _run_level_curves(frame: pd.DataFrame) -> None:
    """Loss and gradient norm of a run, where they were measured."""
    measured = [metric for metric in ("loss", "grad_norm") if (frame["metric"] == metric).any()]
    for column, metric in zip(st.columns(2), measured):
        with column:
            place = frame.loc[frame["metric"] == metric, "layer"].iloc[0]
            label = "" if place == RUN_LEVEL else place
            part = frame[frame["metric"] == metric].assign(layer=label)
            fig = figures.curves_figure(part, [label], metric, height=280)
            fig.update_layout(showlegend=False)
            plot(fig, f"run {metric}")


def _telling(metrics: Sequence[str], jumps: pd.DataFrame | None) -> str:
    """The metric with the most significant jumps, the first where there are none."""
    if jumps is None or not len(jumps):
        return metrics[0]
    counts = jumps.loc[jumps["significant"].astype(bool), "metric"].value_counts()
    return max(metrics, key=lambda metric: (counts.get(metric, 0), -metrics.index(metric)))
