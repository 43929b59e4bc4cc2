"""Figures of how representations compare."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from ontogeny.geometry.representation_figures import plot_collapse, plot_subspaces


@pytest.mark.parametrize("lowest", [0.2, 1e-5])
def test_labels_of_logarithmic_axes_are_plain_numbers(lowest):
    steps = {"step": [0, 120]}
    names = ("nc1", "nc1_low", "nc1_high", "nc1_shuffled", "nc2_norm", "nc2_angle", "nc3")
    measures = {name: [4.0, lowest] for name in names}
    figure = plot_collapse(pd.DataFrame({**steps, **measures, "nc4": [0.9, 0.0]}), None, "run")
    figure.canvas.draw()
    labels = [label.get_text() for axes in figure.axes for label in axes.get_yticklabels(which="both")]
    assert [text for text in labels if text]
    assert not [text for text in labels if "$" in text]
    plt.close(figure)


def test_of_two_moments_the_overlap_stands_on_the_axis_of_steps():
    row = {"layer": "Linear_0", "step_a": 0, "step_b": 42, "k": 5, "value": 0.9, "low": 0.8, "high": 0.95}
    figure = plot_subspaces(pd.DataFrame([row | {"null": 0.1, "null_low": 0.05, "null_high": 0.2}]), "run")
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    assert -5 < low <= 0
    assert 42 <= high < 47
    plt.close(figure)
