"""Figures and films of maps and of the decision boundary."""

import numpy as np
import pandas as pd
import pytest

from ontogeny.errors import OntogenyError
from ontogeny.geometry.map_figures import animate_map, plot_boundary, plot_maps


@pytest.fixture
def tables():
    generator = np.random.default_rng(0)
    steps, kinds, count = [0, 5, 9, 20], ["start", "jump", "frame", "end"], 12
    places = pd.DataFrame(
        {
            "layer": "Linear_0",
            "step": np.repeat(steps, count),
            "sample": np.tile(np.arange(count), 4),
            "label": np.tile(np.arange(count) % 3, 4),
            "x": generator.normal(size=4 * count),
            "y": generator.normal(size=4 * count),
        }
    )
    quality = pd.DataFrame({"layer": "Linear_0", "step": [*steps, 30], "method": "tsne", "kind": [*kinds, "frame"]})
    for name, value in (("trustworthiness", 0.9), ("continuity", 0.8)):
        quality[name] = [value] * 4 + [np.nan]
        quality[f"{name}_null_low"], quality[f"{name}_null_high"] = 0.45, 0.55
    quality["label_agreement"], quality["label_agreement_layer"], quality["label_agreement_null"] = 0.7, 0.6, 0.3
    return places, quality


def test_a_map_shows_start_jump_and_end_on_one_scale(tables):
    fig = plot_maps(*tables, "MLP", most=3)
    panels = [axes for axes in fig.axes if axes.get_title(loc="center")]
    assert [axes.get_title(loc="center") for axes in panels] == ["start\nstep 0", "jump\nstep 5", "end\nstep 20"]
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in panels}) == 1
    assert all(len(axes.collections[0].get_offsets()) == 12 for axes in panels)


def test_a_film_is_the_same_every_time(tables, tmp_path):
    first, again = (animate_map(*tables, tmp_path / f"{name}.mp4", "MLP", between=1, dpi=60) for name in "ab")
    assert first.read_bytes() == again.read_bytes()
    assert len(first.read_bytes()) > 1000
    places, quality = tables
    with pytest.raises(OntogenyError, match=r"written as \.mp4"):
        animate_map(places, quality, tmp_path / "film.gif")
    with pytest.raises(OntogenyError, match="two or more"):
        animate_map(places[places["step"] == 0], quality, tmp_path / "film.mp4")


@pytest.mark.parametrize("jump", [True, False])
def test_a_boundary_is_drawn_with_and_without_a_jump(jump):
    generator = np.random.default_rng(0)
    arrays = {"steps": np.array([0, 4, 8])}
    for key, marks in (("pca", 7), ("triple", 3)):
        arrays[f"{key}_classes"] = generator.integers(0, 3, (3, 10, 10)).astype(np.int16)
        arrays[f"{key}_gap"] = generator.random((3, 10, 10)).astype(np.float32)
        arrays[f"{key}_corners"] = np.array([[-1.0, -1.0], [1.0, 1.0]])
        arrays[f"{key}_marks"] = generator.uniform(-1, 1, (marks, 2))
        arrays[f"{key}_labels"] = np.arange(marks) % 3
    steps = pd.DataFrame({"step": [0, 4, 8]})
    for name in ("margin", "distance_on_lines", "distance_linearised"):
        steps[name], steps[f"{name}_low"], steps[f"{name}_high"] = [1.0, np.inf, 2.0], 0.5, 2.5
    changes = pd.DataFrame(
        {"kind": ["jump" if jump else "frame", "frame"], "step": [4, 8], "before": [0, 4], "after": [4, 8]}
    )
    changes["changed"], changes["changed_low"], changes["changed_high"] = 0.4, [0.3, np.nan], [0.5, np.nan]
    fig = plot_boundary(arrays, steps, changes, "MLP")
    titles = [axes.get_title(loc="center") for axes in fig.axes if axes.get_title(loc="center")]
    assert titles[0] == "start\nstep 0"
    assert ("after jump\nstep 4" in titles) == jump
    fig.canvas.draw()
    for axes in fig.axes:
        if axes.get_legend() is not None:
            assert axes.get_legend().get_window_extent().y1 < axes.get_window_extent().y0
