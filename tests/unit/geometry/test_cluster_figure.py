"""The figure of clusters by step."""

import pandas as pd

from ontogeny.geometry.figures import plot_clusters


def test_marked_steps_are_explained_below_and_others_say_nothing():
    steps, clusters = [0, 0, 5, 5], [0, 1, 0, 1]
    by_step = pd.DataFrame({"layer": "a", "step": steps, "cluster": clusters, "share": 0.5})
    aris = dict.fromkeys(("labels_ari", "untrained_ari", "end_ari", "shuffled_ari"), 0.5)
    choice = pd.DataFrame([{"layer": "a", "n_clusters": 2, **aris}])
    fig = plot_clusters(by_step, choice, "digits_mlp", jumps=[5])
    assert fig.get_supxlabel() == "captured step (dashed: a jump or transition)"
    fig.draw_without_rendering()
    assert fig._suptitle.get_window_extent().x1 <= fig.bbox.x1
    assert plot_clusters(by_step, choice, "run", jumps=[3]).get_supxlabel() == "captured step"
