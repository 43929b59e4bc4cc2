import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch

from ontogeny.errors import OntogenyError
from ontogeny.interventions import run_intervention
from ontogeny.interventions.figures import (
    plot_ablation,
    plot_interpolation,
    plot_noise,
    plot_patching,
    plot_pruning,
)
from ontogeny.models import build_model
from ontogeny.plotting.style import save_figure


@pytest.fixture(scope="module")
def run():
    models = {name: build_model("mlp", (1, 4, 4), 3, seed=i, hidden=[8, 6]) for i, name in enumerate("abcd")}
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(30, 1, 4, 4, generator=generator), torch.randint(3, (30,), generator=generator)
    return lambda **spec: run_intervention({"n_resamples": 100, **spec}, models, x, y)


def saved(fig, path):
    assert all(file.stat().st_size > 1000 for file in save_figure(fig, path / "figure", formats=["png"]))
    assert not plt.get_fignums()


def test_every_figure_is_drawn_from_its_table(run, tmp_path):
    curves = pd.concat([run(kind="prune", method=method, repeats=2) for method in ("magnitude", "random")])
    saved(plot_pruning(curves, chance=1 / 3), tmp_path)
    saved(plot_noise(run(kind="noise_activations", repeats=2)), tmp_path)
    saved(plot_noise(run(kind="noise_weights", repeats=2, together=False)), tmp_path)
    line = run(kind="interpolate", source="a", target="b")
    saved(plot_interpolation({"across": line, "quiet": run(kind="interpolate", source="c", target="d")}), tmp_path)
    for what in ("activations", "weights"):
        saved(plot_patching(run(kind="patch", source="a", target="b", what=what, control=["c", "d"])), tmp_path)
    saved(plot_patching(run(kind="patch", source="a", target="a")), tmp_path)
    saved(plot_ablation(run(kind="ablate")), tmp_path)


def test_tables_of_another_kind_are_refused(run):
    with pytest.raises(OntogenyError, match="holds no patch: it holds ablate"):
        plot_patching(run(kind="ablate"))
    with pytest.raises(OntogenyError, match="single units"):
        plot_ablation(run(kind="ablate", units="each"))
