"""A series of a network in another style (functional calls, a shared module, a dict as output), to the last table."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.image import imread
from torch import nn

from ontogeny import HighFrequencyTracker, Trajectory
from ontogeny.changes.page import _facts
from ontogeny.complexity import ComplexityAnalysisSettings, complexity_of_run
from ontogeny.files import read_json
from ontogeny.interventions.moments import interventions_of_run
from ontogeny.interventions.settings import default_interventions
from ontogeny.jumps.plan import CapturePlan, Moment
from ontogeny.plotting.notes import noted
from ontogeny.plotting.style import figure, save_figure
from ontogeny.trajectory.series_run import import_series

STEPS = [0, 2, 8, 20]
CODE = """
import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.shared = nn.Linear(6, 8), nn.Linear(8, 8)
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 3)

    def forward(self, x):
        x = F.relu(self.stem(x))
        x = x + F.silu(self.shared(x))
        x = self.norm(x + torch.relu(self.shared(x)))
        return {"features": x, "logits": self.head(x)}


def build():
    return Net()
"""


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """The folder of the imported run, and what the tracker measured while the network was trained."""
    folder = tmp_path_factory.mktemp("series")
    (folder / "mine.py").write_text(CODE)
    names: dict = {}
    exec(CODE, names)
    torch.manual_seed(0)
    model = names["build"]()
    inputs = torch.randn(40, 6)
    labels = (inputs[:, 0] > 0).long() + (inputs[:, 1] > 0).long()
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    with HighFrequencyTracker(model, probe=inputs) as tracker:
        for step in range(STEPS[-1] + 1):
            loss = nn.functional.cross_entropy(model(inputs)["logits"], labels)
            if step in STEPS:
                tracker.log(step, loss)
                torch.save({"state_dict": model.state_dict()}, folder / f"epoch=0-step={step}.ckpt")
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        results = tracker.get_results()
    np.savez(folder / "probe.npz", inputs=inputs.numpy(), labels=labels.numpy())
    torch.save(torch.load(folder / "epoch=0-step=20.ckpt"), folder / "epoch=0-step=5.ckpt")
    identity = {
        "source": {"path": str(folder)}, "network": {"build": f"{folder / 'mine.py'}:build"},
        "probe": {"file": str(folder / "probe.npz")}, "on_problem": "drop", "seed": 0,
    }  # fmt: skip
    import_series(identity, folder / "run", "run")
    return folder / "run", results


def test_the_record_is_that_of_the_tracker(series):
    folder, results = series
    record = read_json(folder / "phase1.json")
    for layer, table in results.items():
        assert record[layer]["step"] == STEPS
        for metric in ("stable_rank", "participation_ratio", "cumulative_90", "nuclear_norm_ratio"):
            assert record[layer][metric] == table[metric].tolist(), "to the last bit"
        assert record[layer]["loss"] == pytest.approx(table["loss"].tolist(), rel=1e-6)


def test_it_takes_part_in_what_networks_are_changed_for_and_asked(series):
    run = Trajectory(series[0])
    places = (("start", 0, 0, 0), ("jump", 8, 2, 20), ("end", 20, 20, 20))
    moments = [Moment(*place, phase="", reason="") for place in places]
    done = interventions_of_run(run, moments, default_interventions())
    assert {"ablate", "prune", "patch"} <= set(done["intervention"])
    ablated = set(done.loc[done["intervention"] == "ablate", "layer"])
    assert ablated == {"Linear_0", "Linear_2"}, "the shared layer, which runs twice, is left out"
    table = complexity_of_run(run, moments, ComplexityAnalysisSettings(chains=2, draws=6, burn_in=2, frames=3))
    assert list(table["step"]) == [0, 8, 20]
    assert table["loss"].tolist() == pytest.approx([_loss(run, step) for step in table["step"]], rel=1e-5)


def _loss(run, step):
    inputs, labels = run.probe
    with torch.no_grad():
        return float(nn.functional.cross_entropy(run.at(step)(inputs)["logits"], labels))


def test_its_page_says_where_it_is_from_and_its_figures_what_is_left_out(series, tmp_path):
    facts = dict(_facts(read_json(series[0] / "config.json"), CapturePlan("run", (), 5)))
    assert facts["left out"] == "steps 5, which make the series false"
    assert "4 steps from 0 to 20" in facts["checkpoints"]
    assert "seed" not in facts

    def drawn():
        fig, axes = figure(1, 1)
        axes.plot([0, 1])
        return fig

    save_figure(drawn(), tmp_path / "plain.png")
    with noted("left out: steps 5"):
        save_figure(drawn(), tmp_path / "noted.png")
    plain, marked = (imread(tmp_path / f"{name}.png")[..., :3] for name in ("plain", "noted"))
    assert len(marked) > len(plain)
    assert marked[: -len(plain)].min() < 0.9, "a line above"
    assert (marked[-len(plain) :] == plain).all()
    assert not plt.get_fignums()
