"""Figures of the dashboard: nothing lost by thinning, panels restacked, scales shared, names escaped."""

import itertools

import numpy as np
import pandas as pd
import pytest

from ontogeny.connectome.search.policy import ucb_scores
from ontogeny.dashboard import data, figures
from ontogeny.judge.figures import PANELS
from ontogeny.judge.pages import circuits_picture, comparison_picture, layers_picture, neurons_picture, progress_picture
from ontogeny.judge.record import read_records

ATTACK = "<script>alert(1)</script>"


def test_thinning_keeps_the_extremes_of_every_stretch():
    rng = np.random.default_rng(0)
    y = rng.normal(size=50_000)
    y[31_234], y[7] = 99.0, -99.0
    x, thin = figures.thinned(np.arange(50_000), y, 400)
    assert len(x) <= 402
    assert {99.0, -99.0} <= set(thin)
    assert (np.diff(x) > 0).all()
    assert (x[0], x[-1]) == (0, 49_999)
    short = figures.thinned(np.arange(5), y[:5], 400)
    assert len(short[0]) == 5


def test_curves_mark_jumps_where_they_are_and_escape_names():
    steps = np.arange(50)
    frame = pd.DataFrame({"layer": ATTACK, "step": steps, "metric": "stable_rank", "value": np.sqrt(steps)})
    jumps = pd.DataFrame(
        {"layer": ATTACK, "metric": "stable_rank", "step": [16, 25], "direction": ["up", "down"],
         "p_value": [0.001, 0.4], "significant": [True, False]}
    )  # fmt: skip
    fig = figures.curves_figure(frame, [ATTACK], "stable_rank", jumps)
    assert len(fig.data) == 2
    assert (fig.data[1].x, fig.data[1].y) == ((16,), (4.0,))
    assert fig.data[1].marker.symbol == ("triangle-up",)
    assert len(figures.curves_figure(frame, [ATTACK], "stable_rank", jumps, all_jumps=True).data) == 3
    assert "<script" not in fig.to_json()
    jumps[["onset", "end", "midpoint_low", "midpoint_high"]] = [[13.5, 60, 15, 17]] * 2
    extent, marker = figures.curves_figure(frame, [ATTACK], "stable_rank", jumps.assign(kind=ATTACK)).data[1:]
    assert (extent.x[0], extent.x[1], extent.x[-2:]) == (13.5, 14, (49, None))
    assert extent.y[-2] == 7
    assert marker.text[0].startswith(" (15 to 17)<br>from 13.5 to 60: ")
    assert "<script" not in marker.text[0]


@pytest.fixture(scope="module")
def records(made):
    return read_records(made / "runs" / "judge" / "mechanism")


@pytest.mark.parametrize(
    ("draw", "panels"),
    [(comparison_picture, 3), (neurons_picture, 3), (lambda r: layers_picture(r, r["samples"][0]), 4)],
)
def test_panels_side_by_side_are_restacked_without_overlap(records, draw, panels):
    fig = draw(records[-1]).figure
    narrow = figures.stacked(fig)
    rows = sorted(narrow.layout[key].domain for key in narrow.layout if str(key).startswith("yaxis"))
    assert len(rows) == panels
    assert all(low[1] < high[0] for low, high in itertools.pairwise(rows))
    assert all(narrow.layout[key].domain == (0, 1) for key in narrow.layout if str(key).startswith("xaxis"))
    titles = [note.y for note in narrow.layout.annotations if note.xref == "paper" and note.yref == "paper"]
    assert len(set(titles)) == panels
    assert fig.layout.xaxis.domain != (0, 1)


def test_names_of_lines_leave_room_for_axes_and_for_each_other(records):
    short = circuits_picture(records[-1]).figure.layout.margin.b
    assert neurons_picture(records[-1]).figure.layout.margin.b >= short + 22
    assert all(sum(len(label) + 3 for _, label in measures) <= 60 for _, _, measures in PANELS)


def test_one_scale_for_what_is_compared(records):
    one, two = (progress_picture(records[:count]).figure for count in (2, 3))
    same = figures.one_scale([one, two])
    assert same[0].layout.yaxis2.range == same[1].layout.yaxis2.range
    assert one.layout.yaxis2.range is None
    other = neurons_picture(records[0]).figure
    assert figures.one_scale([one, other])[0].layout.yaxis2.range is None


def test_the_epoch_is_marked_in_every_panel(records):
    fig = progress_picture(records).figure
    marked = figures.mark_epoch(fig, 1)
    lines = [shape for shape in marked.layout.shapes if shape.x0 == 1 and shape.x1 == 1]
    assert {line.xref for line in lines} == {"x", "x2"}
    assert len(fig.layout.shapes) == len(marked.layout.shapes) - 2


def test_circuits_by_epoch_carry_stopped_seeds_along():
    history = pd.DataFrame({"seed": [0, 0, 0, 1, 1, 2], "epoch": [1, 2, 3, 1, 2, 1], "circuits": [0, 4, 8, 2, 6, 10]})
    fig = figures.circuits_figure(history, "circuits", 2, seed=1)
    median = next(trace for trace in fig.data if trace.name == "median")
    assert list(median.y) == [2.0, 6.0, 8.0]
    assert next(trace for trace in fig.data if trace.name == "seed 1").y == (2, 6)


def test_the_tree_has_a_mark_a_node_and_names_the_next(made):
    records = data.read_search(data.search_folders(made)["wiring"])
    block = [record for record in records if record.block == 1]
    scores = ucb_scores(block, 0.5)
    fig = figures.tree_figure(block, scores, figures.naming(records))
    drawn = [x for trace in fig.data if trace.mode == "markers" for x in trace.x]
    assert len(drawn) == 5
    bold = [note.text for note in fig.layout.annotations if note.text.startswith("<b>")]
    assert bold[0].startswith(f"<b>{max(scores.values(), key=lambda s: s.ucb).node} ")
    assert "<script" not in fig.to_json()
