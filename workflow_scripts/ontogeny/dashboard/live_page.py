"""The page of what trains now, where a training can be started and stopped too."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

from ontogeny.dashboard import control, data, figures
from ontogeny.dashboard.elements import REFRESH, guarded, markdown, plot, say
from ontogeny.errors import OntogenyError


@guarded
def live_page(results: Path) -> None:
    """What training runs have measured so far, drawn again every two seconds."""
    st.header("Live: what training has measured so far")
    st.fragment(control_fragment, run_every=REFRESH)(results)
    st.fragment(_live, run_every=REFRESH)(results)


@guarded
def control_fragment(results: Path) -> None:
    """Starting and stopping the pipeline, with the command that does it."""
    job = control.running(control.job_of(results))
    with st.expander("Start or stop a training", expanded=job is not None):
        if job is not None:
            st.code(job.text, language="bash", wrap_lines=True)
            if st.button("Stop", key="stop", help="As Ctrl-C does; a later start continues from the last checkpoint."):
                control.stop(job)
                st.rerun()
        else:
            _start(results)
        last = job or control.job_of(results)
        if last is not None:
            st.caption(markdown(f"What it says ({'running' if job else 'ended'}; all of it is in {last.log})"))
            st.code(control.said_by(last), language=None)


def _start(results: Path) -> None:
    one, two, three = st.columns([4, 2, 1])
    near = results.absolute().parent / "config.yaml"
    config = one.text_input("configuration", str(near) if near.is_file() else "", key="config")
    target = two.selectbox("what to make", control.TARGETS, key="target")
    cores = int(three.number_input("cores", 1, os.cpu_count() or 1, min(2, os.cpu_count() or 1), key="cores"))
    follow = st.checkbox("measure judges while they train (takes another core)", value=True, key="follow")
    if not config:
        st.caption("Give a configuration to start one of its targets.")
        return
    try:
        command = control.pipeline_command(results, config, target, cores)
        beside = control.followers(results, config) if follow and target in ("all", "judge") else []
    except OntogenyError as error:
        st.warning(markdown(error))
        return
    st.code("\n".join(control.shown(each) for each in [command, *beside]), language="bash", wrap_lines=True)
    if st.button("Start", type="primary", key="start"):
        control.start(results, command, beside)
        st.rerun()


@guarded
def _live(results: Path) -> None:
    runs = [run for run in data.find_runs(results) if (run.folder / "metrics.jsonl").is_file()]
    if not runs:
        say("No run here has written metrics.jsonl yet. This page fills as soon as one trains.")
        return
    runs.sort(key=lambda run: (not run.live, data.written_ago(run.folder) or 0.0))
    live = [run for run in runs if run.live]
    names = [run.name for run in runs]
    state = {run.name: "training" if run.live else "trained" if run.trained else "not finished" for run in runs}
    asked = st.query_params.get("run")
    chosen = st.selectbox(
        f"run ({len(live)} training now)", names, index=names.index(asked) if asked in names else 0,
        format_func=lambda name: f"{name} ({state[name]})", key="live run",
    )  # fmt: skip
    run = runs[names.index(chosen)]
    frame = data.read_measurements(run.folder)
    if not len(frame):
        say(f"{run.name} has begun, and has measured nothing yet.")
        return
    whole = frame[frame["layer"] == ""]
    last = int(frame["step"].max())
    now = whole[whole["step"] == last].set_index("metric")["value"]
    ago = data.written_ago(run.folder) or 0.0
    columns = st.columns(5)
    columns[0].metric("step", f"{last:,}")
    shown = [name for name in ("loss", "probe_loss", "probe_accuracy", "grad_norm") if name in now][:3]
    for column, name in zip(columns[1:4], shown):
        column.metric(name.replace("_", " "), f"{now[name]:.4g}")
    columns[4].metric("last written", _ago(ago))
    plot(figures.live_figure(frame, shown), "live run")
    layered = frame[frame["layer"] != ""]
    if len(layered):
        metrics = list(layered["metric"].unique())
        metric = st.selectbox("metric", metrics, format_func=figures.metric_name, key="live metric")
        layers = list(layered.loc[layered["metric"] == metric, "layer"].unique())
        plot(figures.curves_figure(layered, layers, metric, height=400), "live layers")


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now" if seconds < 5 else f"{seconds:.0f} s ago"
