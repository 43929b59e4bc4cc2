"""The pages of the dashboard, drawn by Streamlit from what `ontogeny.dashboard.data` reads."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from markupsafe import Markup

from ontogeny.connectome.search.policy import ucb_scores
from ontogeny.connectome.search.records import Record
from ontogeny.connectome.search.rules import UCB_C
from ontogeny.dashboard import control, data, figures, player
from ontogeny.dashboard.data import RunFolder, Stamp
from ontogeny.errors import OntogenyError
from ontogeny.files import read_json
from ontogeny.judge.pages import (
    Picture,
    circuits_picture,
    comparison_picture,
    evolution_picture,
    layers_picture,
    neurons_picture,
    not_measured,
    numbers_table,
    progress_picture,
    tokens_picture,
)
from ontogeny.phase1 import DIMENSIONALITY_METRICS, RUN_LEVEL

REFRESH = "2s"
_STYLE = f"<style>.block-container {{ padding-top: 2.6rem; padding-bottom: 2rem }}{player.STYLE}</style>"


def markdown(text: Any) -> str:
    """Text from data as Markdown shows it: nothing in it is markup."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:&])", r"\\\1", " ".join(str(text).split()))


def _say(text: str) -> None:
    """A sentence that may hold text from data, as a note on the page."""
    st.info(markdown(text))


def _warn(problems: Sequence[data.Problem]) -> None:
    if problems:
        more = f" (and {len(problems) - 1} more files)" if len(problems) > 1 else ""
        st.warning(markdown(problems[0].sentence + more))


def _guarded(page: Callable[..., None]) -> Callable[..., None]:
    """A page whose troubles with its files are a sentence on it."""

    @functools.wraps(page)
    def wrapped(*arguments: Any) -> None:
        try:
            page(*arguments)
        except OntogenyError as error:
            st.error(markdown(error))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError, OSError) as error:
            what = f"{type(error).__name__}: {error}"
            st.error(
                markdown(
                    f"This cannot be shown: a file is not as this version writes it ({what}). Remove the files of "
                    "that analysis, and run it again."
                )
            )

    return wrapped


def _plot(fig: go.Figure | None, key: str) -> None:
    if fig is not None:
        st.plotly_chart(fig, theme=None, key=f"figure {key}", config={"displaylogo": False})


def _html(text: Markup) -> None:
    """HTML in which all text from data is escaped already; Streamlit removes scripts besides."""
    if text:
        st.html(Markup('<div class="said">{}</div>').format(text))


@st.cache_data(ttl=3, show_spinner=False, max_entries=8)
def _runs(results: str) -> list[RunFolder]:
    return data.find_runs(results)


def _of_kind(results: Path, *kinds: str) -> list[RunFolder]:
    return [run for run in _runs(str(results)) if run.kind in kinds]


def _choose_run(
    runs: Sequence[RunFolder], key: str, label: str = "run", index: int = 0, follow: bool = True
) -> RunFolder:
    """A run chosen by name; at first the one in the address (`follow`), or else the one at `index`."""
    names = [run.name for run in runs]
    asked = st.query_params.get("run")
    place = names.index(asked) if follow and asked in names else index
    return runs[names.index(st.selectbox(label, names, index=place, key=key))]


# Overview


@_guarded
def overview_page(results: Path) -> None:
    """All runs: their kind, their state, what has been made of them."""
    st.header("Runs")
    runs = _runs(str(results))
    if not runs:
        _say(f"The folder {results} holds studies, and no runs yet.")
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
        for run in runs[:2000]:
            state = "trained" if run.trained else "training" if run.live else "not finished"
            there = ", ".join(name for name, file in marks.items() if (run.folder / file).exists())
            rows.append({"run": run.name, "kind": run.kind, "state": state, "made so far": there})
        st.dataframe(pd.DataFrame(rows), hide_index=True, height=min(620, 38 + 35 * len(rows)))


# Judges

PICTURES: dict[str, Callable[..., Picture]] = {
    "Tokens": tokens_picture,
    "Layers": layers_picture,
    "Circuit comparison": comparison_picture,
    "Neuron map": neurons_picture,
    "Circuits": circuits_picture,
}
_PART = {"Circuit comparison": "patching", "Neuron map": "neurons", "Circuits": "circuit"}
_OVER_TIME = ("Metrics", "Evolution")


@lru_cache(maxsize=256)
def picture(state: Stamp, what: str, sample: int = 0, narrow: bool = False) -> Picture:
    """One picture of the record in a file. Raises OntogenyError if the record does not hold what it needs."""
    record = data.read_mechanism(state.path)
    try:
        if what in _PART:
            if not record.get(_PART[what]):
                return not_measured(_PART[what])
            found = PICTURES[what](record)
        else:
            found = PICTURES[what](record, record["samples"][sample])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise OntogenyError(
            f"{state.path} cannot be drawn ({type(error).__name__}: {error}): it is of another version; delete it, "
            "and trace the mechanism again"
        ) from None
    if narrow and found.figure is not None:
        found = Picture(
            found.text, found.control, figures.stacked(found.figure, 560 if what == "Circuits" else 330), found.table
        )
    return found


@lru_cache(maxsize=64)
def over_time(states: tuple[Stamp, ...], what: str, extra: tuple[Stamp | None, Stamp | None], narrow: bool) -> Picture:
    """Metrics or evolution of the records in files; `extra` are the run's Phase 1 record and jumps, None if missing."""
    records = [data.read_mechanism(state.path) for state in states]
    phase1, jumps = extra
    try:
        if what == "Metrics":
            losses = None if phase1 is None else data.losses_in(data.read_run_record(Path(phase1.path).parent))
            found = progress_picture(records, losses)
        else:
            table = None if jumps is None else data.read_jumps(Path(jumps.path).parent)
            found = evolution_picture(records, table)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise OntogenyError(
            f"the records in {Path(states[0].path).parent} cannot be drawn together ({type(error).__name__}: {error}): "
            "they are of different versions; delete the folder, and trace the mechanism again"
        ) from None
    table_below = Markup() if what == "Metrics" else found.table
    fig = figures.stacked(found.figure, 250) if narrow else found.figure
    return Picture(found.text, found.control, fig, table_below)


def _stamp_or_none(path: Path) -> Stamp | None:
    return data.stamp(path) if path.is_file() else None


def judge_picture(
    run: Path, epoch: int, what: str, sample: int = 0, narrow: bool = False, also: Sequence[int] = ()
) -> Picture:
    """A picture of one run at one epoch; in those over time the epoch is marked, and `also` others."""
    files = data.mechanism_files(run)
    if what not in _OVER_TIME:
        return picture(data.stamp(files[epoch]), what, sample, narrow)
    found = _over_time(run, what, narrow)
    fig = found.figure
    for marked in dict.fromkeys((epoch, *also)):
        fig = figures.mark_epoch(fig, marked)
    return Picture(found.text + _numbers(run, what, (epoch, *also)), found.control, fig, found.table)


def _states_over_time(run: Path) -> tuple[tuple[Stamp, ...], tuple[Stamp | None, Stamp | None]]:
    """The state of all records of a run that can be read, and of its Phase 1 record and jumps."""
    states = []
    for path in data.mechanism_files(run).values():
        try:
            data.read_mechanism(path)
            states.append(data.stamp(path))
        except OntogenyError:
            continue
    return tuple(states), (_stamp_or_none(run / "phase1.json"), _stamp_or_none(run / "jumps.csv"))


def _over_time(run: Path, what: str, narrow: bool) -> Picture:
    states, extra = _states_over_time(run)
    try:
        return over_time(states, what, extra, narrow)
    except OntogenyError:
        if extra == (None, None):
            raise
        return over_time(states, what, (None, None), narrow)


def _numbers(run: Path, what: str, epochs: Sequence[int]) -> Markup:
    """The performance at some epochs, for the picture that has it."""
    if what != "Metrics":
        return Markup()
    files = data.mechanism_files(run)
    return numbers_table([data.read_mechanism(files[epoch]) for epoch in dict.fromkeys(epochs)])


def frames_of(run: Path, epochs: Sequence[int], what: str, sample: int = 0) -> tuple[player.Frames, str | None]:
    """The frames of a picture at some epochs, made or being made, and the file of the figure that all share, if any."""
    if what in _OVER_TIME:
        states = _states_over_time(run)
        base = player.frame_file("base", states, what)
        player.write_frames([(base, lambda: player.frame_text(_over_time(run, what, False)))])

        def make(epoch: int) -> str:
            found = judge_picture(run, epoch, what)
            shapes = [] if found.figure is None else found.figure.to_plotly_json()["layout"].get("shapes", [])
            return player.frame_text(found, {"shapes": shapes})

        files = {epoch: player.frame_file("over time", states, what, epoch) for epoch in epochs}
    else:
        base = None
        paths = data.mechanism_files(run)
        stamps = {epoch: data.stamp(paths[epoch]) for epoch in epochs}

        def make(epoch: int) -> str:
            return player.frame_text(picture(stamps[epoch], what, sample))

        files = {epoch: player.frame_file(stamps[epoch], what, sample) for epoch in epochs}
    player.write_frames([(file, functools.partial(make, epoch)) for epoch, file in files.items()])
    return [{"epoch": epoch, "file": file} for epoch, file in files.items()], base


@_guarded
def judge_page(results: Path) -> None:
    """A judge's mechanism by epoch; two epochs or two runs side by side."""
    st.header("The judge: its mechanism by epoch")
    runs = _of_kind(results, "judge")
    traced = [run for run in runs if data.mechanism_files(run.folder)]
    if not traced:
        waiting = f" ({', '.join(run.name for run in runs)}: not yet traced)" if runs else ""
        _say(f"No judge has been traced here{waiting}. Make its records with: snakemake judge --cores 2")
        return
    st.fragment(_judge, run_every=REFRESH if any(run.live for run in traced) else None)(traced)


@_guarded
def _judge(traced: list[RunFolder]) -> None:
    modes = ["one epoch", "two epochs"] + (["two runs"] if len(traced) > 1 else [])
    with st.container():
        first, second = st.columns([3, 2])
        with second:
            mode = st.segmented_control("show", modes, default=modes[0], key="mode") or modes[0]
        with first:
            if mode == "two runs":
                left, right = st.columns(2)
                with left:
                    runs = [_choose_run(traced, "judge", "left")]
                with right:
                    other = next(place for place, run in enumerate(traced) if run.name != runs[0].name)
                    runs.append(_choose_run(traced, "judge right", "right", other, follow=False))
            else:
                runs = [_choose_run(traced, "judge")] * (1 if mode == modes[0] else 2)
    what = (
        st.segmented_control(
            "picture", [*PICTURES, *_OVER_TIME], default="Tokens", key="picture", label_visibility="collapsed"
        )
        or "Tokens"
    )
    if len(runs) == 1:
        _played(runs[0], what)
        return
    columns = st.columns(len(runs), gap="large")
    chosen: list[tuple[Path, int]] = []
    for side, (run, column) in enumerate(zip(runs, columns)):
        with column:
            epoch = _choose_epoch(run, f"{mode} {side}", side == 1 or mode == "two runs")
            if epoch is not None:
                chosen.append((run.folder, epoch))
    if len(chosen) < len(runs):
        return
    sample = _choose_sample(chosen) if what in ("Tokens", "Layers") else 0
    if what in _OVER_TIME and mode == "two epochs":
        one = judge_picture(chosen[0][0], chosen[0][1], what, also=[chosen[1][1]])
        _html(one.text + one.control)
        _plot(one.figure, "picture over time")
        _html(one.table)
        return
    found = [judge_picture(run, epoch, what, sample, True) for run, epoch in chosen]
    drawn = [one.figure for one in found]
    if all(fig is not None for fig in drawn):
        drawn = list(figures.one_scale(drawn))
    for row in ("text", "figure", "table"):
        for side, (one, fig, column) in enumerate(zip(found, drawn, st.columns(len(chosen), gap="large"))):
            with column:
                if row == "figure":
                    _plot(fig, f"picture {side}")
                else:
                    _html(one.text + one.control if row == "text" else one.table)


def _played(run: RunFolder, what: str) -> None:
    """One picture of a run at all its epochs, with a slider that the browser answers by itself."""
    good = _readable(run)
    if not good:
        return
    if len(good) == 1:
        st.caption(f"Epoch {good[0]} is the only one so far.")
    sample = _choose_sample([(run.folder, good[-1])]) if what in ("Tokens", "Layers") else 0
    frames, base = frames_of(run.folder, good, what, sample)
    player.play(frames, f"player {run.name} {what} {sample}", base)


def _readable(run: RunFolder) -> list[int]:
    """The epochs of a run whose records can be read; of others the page says why not."""
    good, problems = [], []
    for epoch, path in data.mechanism_files(run.folder).items():
        try:
            data.read_mechanism(path)
            good.append(epoch)
        except OntogenyError as error:
            problems.append(data.Problem(path, str(error)))
    _warn(problems)
    if not good:
        _say(f"No record of {run.name} can be read.")
    return good


def _choose_epoch(run: RunFolder, place: str, last: bool) -> int | None:
    good = _readable(run)
    if not good:
        return None
    if len(good) == 1:
        st.caption(f"Epoch {good[0]} is the only one so far.")
        return good[0]
    key = f"epoch {place} {run.name}"
    return st.select_slider("epoch", good, value=good[-1 if last else 0], key=key)


def _choose_sample(chosen: Sequence[tuple[Path, int]]) -> int:
    samples = [data.read_mechanism(data.mechanism_files(run)[epoch])["samples"] for run, epoch in chosen]
    count = min(map(len, samples))
    if not count:
        raise OntogenyError("the record holds no sample: nothing can be shown of single prompts")

    def named(index: int) -> str:
        sample = samples[-1][index]
        return f"{'unsafe' if sample['label'] else 'safe'}: {sample['prompt']}"

    return st.selectbox("prompt", range(count), format_func=named, key="sample")


# Training dynamics


@_guarded
def dynamics_page(results: Path) -> None:
    """Phase 1 curves of a run with its jumps."""
    st.header("Training dynamics: dimensionality and its jumps")
    runs = [run for run in _runs(str(results)) if (run.folder / "phase1.json").exists()]
    if not runs:
        _say("No run here has a Phase 1 record (phase1.json) yet. Runs that train now are on the page Live.")
        return
    _dynamics(runs)


@st.fragment
@_guarded
def _dynamics(runs: list[RunFolder]) -> None:
    one, two, three = st.columns([2, 2, 2])
    with one:
        run = _choose_run(runs, "dynamics run")
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
        _say(f"The record of {run.name} holds no measurement yet.")
        return
    jumps = None
    try:
        jumps = data.read_jumps(run.folder)
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
        every = st.toggle("show jumps that are not significant too", key="all jumps")
    _plot(figures.curves_figure(frame, layers, metric, jumps, every), "curves")
    if jumps is not None:
        part = jumps if every else jumps[jumps["significant"].astype(bool)]
        count = int(jumps["significant"].astype(bool).sum())
        st.caption(
            f"{len(jumps)} jumps found in all layers and metrics of this run, {count} significant at the false "
            "discovery rate it was run with (full triangles)."
        )
        if len(part):
            shown = [
                c
                for c in ("step", "layer", "metric", "direction", "size", "p_value", "q_value", "significant")
                if c in part
            ]
            st.dataframe(part[shown].sort_values("step"), hide_index=True, height=min(320, 38 + 35 * len(part)))
    rest = [metric for metric in ("loss", "grad_norm") if (frame["metric"] == metric).any()]
    for column, metric in zip(st.columns(2), rest):
        with column:
            place = frame.loc[frame["metric"] == metric, "layer"].iloc[0]
            label = "" if place == RUN_LEVEL else place
            part = frame[frame["metric"] == metric].assign(layer=label)
            fig = figures.curves_figure(part, [label], metric, height=280)
            fig.update_layout(showlegend=False)
            _plot(fig, f"run {metric}")
    notes = [str(note) for note in record.notes]
    if notes:
        with st.expander(f"{len(notes)} notes on this record"):
            st.text("\n".join(notes[:200]))


def _telling(metrics: Sequence[str], jumps: pd.DataFrame | None) -> str:
    """The metric with the most significant jumps, the first where there are none."""
    if jumps is None or not len(jumps):
        return metrics[0]
    counts = jumps.loc[jumps["significant"].astype(bool), "metric"].value_counts()
    return max(metrics, key=lambda metric: (counts.get(metric, 0), -metrics.index(metric)))


# Circuits


@_guarded
def circuits_page(results: Path) -> None:
    """Circuits of a logic-gate ensemble by epoch: counts, one seed, the animation, and the tables of its study."""
    st.header("Circuits by epoch")
    runs = _of_kind(results, "circuits")
    counted = [run for run in runs if (run.folder / "circuits" / "history.csv").is_file()]
    if not counted:
        waiting = f" ({', '.join(run.name for run in runs)}: trained, not counted)" if runs else ""
        _say(f"No circuits have been counted here yet{waiting}. Count them with: snakemake circuits --cores 2")
        return
    _circuits(results, counted)


@st.fragment
@_guarded
def _circuits(results: Path, runs: list[RunFolder]) -> None:
    one, two, three = st.columns([2, 2, 2])
    with one:
        run = _choose_run(runs, "circuits run")
    history = data.table_of(run.folder / "circuits" / "history.csv", ("seed", "epoch", "circuits"))
    candidates = list(history["candidates"].unique()) if "candidates" in history else []
    if not len(history):
        _say(f"The history of {run.name} holds no epoch yet.")
        return
    with two:
        measures = [name for name in figures.CIRCUIT_MEASURES if name in history and history[name].notna().any()]
        measure: str = st.selectbox(
            "measure", measures, format_func=lambda m: figures.CIRCUIT_MEASURES[m], key="measure"
        )
    with three:
        seeds = sorted(history["seed"].unique().tolist())
        seed = st.selectbox("seed", seeds, index=_representative(results, run, seeds), key=f"seed {run.name}")
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
        _plot(figures.circuits_figure(history, measure, epoch, seed), "counts")
        st.caption("Seeds that stopped early keep their last value in the median and the quartiles.")
    with right:
        video = data.study_file(results, "animations", f"{run.name}.mp4")
        if video is None:
            st.caption("The animation of this run has not been made yet.")
        else:
            st.video(str(video), loop=True)
            st.caption("The circuits of one representative seed through training.")
    _table(run.folder / "circuits" / "appearances_at_jumps.csv", "Do circuits appear at jumps of dimensionality?")
    _table(run.folder / "circuits" / "structure.csv", "The circuits at the end, by seed")
    for study in data.find_studies(results):
        folder = results / "studies" / study / "circuits"
        _table(folder / "conditions.csv", f"Study {study}: conditions")
        _table(folder / "effects.csv", f"Study {study}: effects against the baseline")


def _count(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def _representative(results: Path, run: RunFolder, seeds: list[int]) -> int:
    """Where the seed of the run's records stands in `seeds`; the first, if there are none."""
    try:
        names = os.listdir(run.folder / "circuits" / "records")
    except OSError:
        return 0
    found = [int(match[1]) for name in names if (match := re.search(r"_seed(\d+)_", name))]
    return seeds.index(found[0]) if found and found[0] in seeds else 0


def _table(path: Path, title: str) -> None:
    """A table below a title, in an expander, if the file is there."""
    if not path.is_file():
        return
    with st.expander(markdown(title)):
        try:
            table = data.table_of(path)
        except OntogenyError as error:
            st.warning(markdown(error))
            return
        st.dataframe(table, hide_index=True, height=min(400, 38 + 35 * max(1, len(table))))


# Connectome


@_guarded
def connectome_page(results: Path) -> None:
    """The exploration of settings as a tree, and how well wirings were recovered."""
    st.header("Connectome: recovery and exploration")
    searches = data.search_folders(results)
    recovered = [
        study for study in data.find_studies(results)
        if (results / "studies" / study / "connectome" / "recovery.csv").is_file()
    ]  # fmt: skip
    runs = _of_kind(results, "connectome")
    if not searches and not recovered and not runs:
        _say("No connectome has been fitted here yet. Make one with: snakemake connectome --cores 2")
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
@_guarded
def _exploration(searches: dict[str, Path]) -> None:
    one, two, three = st.columns([2, 2, 3])
    with one:
        study = st.selectbox("study", list(searches), key="search")
    folder = searches[study]
    try:
        _tree(study, data.read_search(folder), two, three)
    except OntogenyError as error:
        st.error(markdown(error))
    _table(folder / "iterations.csv", "All iterations")
    _table(folder / "blocks.csv", "Blocks and what they found")
    _table(folder / "principles.csv", "Principles: what a change of one setting gains")


def _tree(study: str, records: list[Record], two: Any, three: Any) -> None:
    if not records:
        _say(f"The search of {study} has no record yet.")
        return
    blocks = {record.block: record.filling_factor for record in records}
    with two:
        block = st.selectbox(
            "block",
            list(blocks),
            format_func=lambda b: f"{b}: {blocks[b] * 100:g} % of connections",
            key=f"block {study}",
        )
    with three:
        c = st.slider("exploration constant c of the UCB score", 0.0, 3.0, UCB_C, 0.002, key="c")
    part = [record for record in records if record.block == block]
    scores = ucb_scores(part, c)
    _plot(figures.tree_figure(part, scores, figures.naming(records)), "tree")
    st.caption(
        "A row is one training with one setting changed; its parent stands above, to the left. The thick edge marks "
        "the best of the block, bold the node from which the next iteration would start at this c. Circles exploit, "
        "diamonds explore, triangles probe failures, squares test robustness."
    )


@st.fragment
@_guarded
def _recovery(results: Path, studies: list[str]) -> None:
    one, two = st.columns(2)
    with one:
        study = st.selectbox("study", studies, key="recovery study")
    folder = results / "studies" / study / "connectome"
    recovery = data.table_of(folder / "recovery.csv", ("condition", "filling_factor", "seeds"))
    metrics = [name for name in recovery if f"{name}_low" in recovery]
    if not metrics or not len(recovery):
        _say(f"The recovery table of {study} holds no metric yet.")
        return
    with two:
        metric = st.selectbox("metric", metrics, format_func=lambda m: m.replace("_", " "), key=f"recovery {study}")
    _plot(figures.recovery_figure(recovery, metric), "recovery")
    st.caption("Bars are 95 % intervals over seeds; there is none where a level has one seed.")
    shown = recovery[
        ["condition", "filling_factor", "seeds", *(["converged"] if "converged" in recovery else []), *metrics]
    ]
    st.dataframe(shown, hide_index=True)
    _table(folder / "recovery_by_run.csv", "Every run")


@st.fragment
@_guarded
def _fits(runs: list[RunFolder]) -> None:
    run = _choose_run(runs, "fit")
    path = run.folder / "connectome" / "history.csv"
    if path.is_file():
        _plot(figures.history_figure(data.table_of(path, ("step",))), "history")
    else:
        _say(f"The fit of {run.name} has no history yet.")
    metrics = run.folder / "connectome" / "metrics.json"
    if metrics.is_file():
        values = read_json(metrics)
        st.dataframe(
            pd.DataFrame({"metric": list(values), "value": [_short(v) for v in values.values()]}), hide_index=True
        )


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


# Live


@_guarded
def live_page(results: Path) -> None:
    """What training runs have measured so far, drawn again every two seconds."""
    st.header("Live: what training has measured so far")
    st.fragment(_control, run_every=REFRESH)(results)
    st.fragment(_live, run_every=REFRESH)(results)


@_guarded
def _control(results: Path) -> None:
    """Starting and stopping the pipeline, with the command that does it."""
    job = control.running(control.job_of(results))
    with st.expander("Start or stop a training", expanded=job is not None):
        if job is not None:
            st.code(job.text, language="bash", wrap_lines=True)
            if st.button("Stop", key="stop", help="As Ctrl-C does; a later start goes on from the last checkpoint."):
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
    follow = st.checkbox("measure judges while they train (takes a core besides)", value=True, key="follow")
    if not config:
        st.caption("Name a configuration to start one of its targets.")
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


@_guarded
def _live(results: Path) -> None:
    runs = [run for run in data.find_runs(results) if (run.folder / "metrics.jsonl").is_file()]
    if not runs:
        _say("No run here writes metrics.jsonl. This page fills by itself as soon as one trains.")
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
        _say(f"{run.name} has begun, and has measured nothing yet.")
        return
    whole = frame[frame["layer"] == ""]
    last = int(frame["step"].max())
    now = whole[whole["step"] == last].set_index("metric")["value"]
    ago = data.written_ago(run.folder) or 0.0
    columns = st.columns(5)
    columns[0].metric("step", f"{last:,}")
    names = [name for name in ("loss", "probe_loss", "probe_accuracy", "grad_norm") if name in now]
    for column, name in zip(columns[1:4], names):
        column.metric(name.replace("_", " "), f"{now[name]:.4g}")
    columns[4].metric("last written", _ago(ago))
    _plot(figures.live_figure(frame, [name for name in names if name in set(whole["metric"])][:3]), "live run")
    layered = frame[frame["layer"] != ""]
    if len(layered):
        metrics = list(layered["metric"].unique())
        metric = st.selectbox("metric", metrics, format_func=figures.metric_name, key="live metric")
        layers = list(layered.loc[layered["metric"] == metric, "layer"].unique())
        _plot(figures.curves_figure(layered, layers, metric, height=400), "live layers")


def _ago(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now" if seconds < 5 else f"{seconds:.0f} s ago"


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
            st.fragment(_control, run_every=REFRESH)(results)
        st.fragment(_wait, run_every=REFRESH)(results)
        return
    PAGES[page](results)


def _wait(results: Path) -> None:
    """Draw the page anew as soon as there is something to show."""
    try:
        ready = data.explain_folder(results) is None
    except OntogenyError:
        ready = False
    if ready:
        st.rerun()
