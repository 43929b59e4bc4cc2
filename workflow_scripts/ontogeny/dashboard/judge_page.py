"""The page of judges: the mechanism of one at every epoch, and two epochs or two runs side by side."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import streamlit as st
from markupsafe import Markup

from ontogeny.dashboard import data, figures, player
from ontogeny.dashboard.data import RunFolder, Stamp
from ontogeny.dashboard.elements import REFRESH, choose_run, guarded, html, plot, runs_of_kind, say, warn
from ontogeny.errors import OntogenyError
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
    """Metrics or evolution of the records in files; `extra` are the run's Phase 1 record and jumps, None if missing.

    Raises OntogenyError for records of different versions.
    """
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


@guarded
def judge_page(results: Path) -> None:
    """A judge's mechanism by epoch; two epochs or two runs side by side."""
    st.header("The judge: its mechanism by epoch")
    runs = runs_of_kind(results, "judge")
    traced = [run for run in runs if data.mechanism_files(run.folder)]
    if not traced:
        waiting = f" ({', '.join(run.name for run in runs)}: not yet traced)" if runs else ""
        say(f"No judge has been traced here{waiting}. Make its records with: snakemake judge --cores 2")
        return
    st.fragment(_judge, run_every=REFRESH if any(run.live for run in traced) else None)(traced)


@guarded
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
                    runs = [choose_run(traced, "judge", "left")]
                with right:
                    other = next(place for place, run in enumerate(traced) if run.name != runs[0].name)
                    runs.append(choose_run(traced, "judge right", "right", other, follow=False))
            else:
                runs = [choose_run(traced, "judge")] * (1 if mode == modes[0] else 2)
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
        html(one.text + one.control)
        plot(one.figure, "picture over time")
        html(one.table)
        return
    found = [judge_picture(run, epoch, what, sample, True) for run, epoch in chosen]
    drawn = [one.figure for one in found]
    if all(fig is not None for fig in drawn):
        drawn = list(figures.one_scale(drawn))
    for row in ("text", "figure", "table"):
        for side, (one, fig, column) in enumerate(zip(found, drawn, st.columns(len(chosen), gap="large"))):
            with column:
                if row == "figure":
                    plot(fig, f"picture {side}")
                else:
                    html(one.text + one.control if row == "text" else one.table)


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
    warn(problems)
    if not good:
        say(f"No record of {run.name} can be read.")
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
