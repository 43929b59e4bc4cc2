"""Figures of how representations compare."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from ontogeny.geometry.representation_figures import plot_collapse


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
