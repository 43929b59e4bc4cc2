"""A tracker never breaks a run: whatever a network does, training goes on, and gaps are recorded as gaps."""

import dataclasses
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from ontogeny.tracking import HighFrequencyTracker


@dataclasses.dataclass
class Output:
    name: str
    states: torch.Tensor


class Odd(nn.Module):
    """Layers that return a scalar, a vector, and a data class."""

    def __init__(self):
        super().__init__()
        self.body, self.scale, self.energy = nn.Linear(4, 6), Weight(lambda x: x.mean()), Weight(lambda x: x.sum(1))
        self.boxed = Weight(lambda x: Output("states", x * 2))

    def forward(self, x):
        h = torch.tanh(self.body(x))
        return self.scale(h) + self.energy(h).mean() + self.boxed(h).states.mean()


class Weight(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.weight, self.function = nn.Parameter(torch.ones(1)), function

    def forward(self, x):
        return self.function(x * self.weight)


def train(model, tracker, steps=3, batch=None, forward=None):
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(steps):
        x = torch.randn(8, 4) if batch is None else batch(step)
        optimiser.zero_grad()
        loss = (forward or model)(x).sum()
        loss.backward()
        optimiser.step()
        tracker.log(step, loss)
    return tracker.get_results()


def test_layers_without_rows_are_gaps_with_one_warning():
    model = Odd()
    tracker = HighFrequencyTracker(model, ["body", "scale", "energy", "boxed"], ["body", "scale", "energy", "boxed"])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        results = train(model, tracker)
    assert results["scale"]["stable_rank"].isna().all()
    assert results["energy"]["rows"].tolist() == [0, 0, 0]
    assert np.isfinite(results["boxed"]["stable_rank"]).all()
    assert np.isfinite(results["body"]["stable_rank"]).all()
    said = [str(each.message) for each in told]
    assert sum("'scale' returns a tensor of shape ()" in text for text in said) == 1
    assert sum("'energy' returns a tensor of shape (8,)" in text for text in said) == 1


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2))


def test_training_in_evaluation_mode_is_measured_and_an_evaluation_is_not():
    model = small().eval()
    tracker = HighFrequencyTracker(model)
    assert np.isfinite(train(model, tracker)["Linear_0"]["stable_rank"]).all()
    model.train()
    model(torch.randn(5, 4))
    model.eval()
    model(torch.randn(3, 4))
    model.train()
    tracker.log(9, 0.0)
    assert tracker.get_results()["Linear_0"]["rows"].iloc[-1] == 5
    model.eval()
    with torch.no_grad():
        model(torch.randn(3, 4))
    with pytest.warns(UserWarning, match="had no output"):
        tracker.log(10, 0.0)
    assert tracker.get_results()["Linear_0"]["rows"].iloc[-1] == 0


def test_accumulated_gradients_log_one_step_several_times():
    model = small()
    tracker = HighFrequencyTracker(model)

    def accumulate():
        for micro in range(6):
            model(torch.randn(8, 4)).sum().backward()
            tracker.log(micro // 3, 0.0)

    with pytest.warns(UserWarning, match="passed over"):
        accumulate()
    assert tracker.get_results()["Linear_0"]["step"].tolist() == [0, 1]


def test_an_empty_first_batch_is_a_gap():
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    tracker = HighFrequencyTracker(model)
    with pytest.warns(UserWarning, match="had no output to measure at step 0"):
        results = train(model, tracker, batch=lambda step: torch.randn(8 if step else 0, 4))
    assert results["Linear_0"]["rows"].tolist() == [0, 8, 8]
    assert results["Linear_0"]["stable_rank"].isna().tolist() == [True, False, False]


def test_vmap_goes_on():
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    tracker = HighFrequencyTracker(model)
    with pytest.warns(UserWarning, match=r"runs inside torch\.vmap"):
        train(model, tracker, forward=lambda x: torch.vmap(model)(x))


def test_a_compiled_model_runs_and_is_not_compiled_again_and_again():
    import torch._dynamo

    torch._dynamo.reset()
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    tracker = HighFrequencyTracker(model)
    compiled = torch.compile(model, backend=backend)
    results = train(model, tracker, steps=8, forward=compiled)
    assert np.isfinite(results["Linear_0"]["stable_rank"]).all()
    made = len(graphs)
    train(model, HighFrequencyTracker(model), steps=8, forward=compiled)
    assert made <= 2, "one graph, which the hooks do not break"
    torch._dynamo.reset()


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_model_compiled_as_one_graph_is_measured_as_it_is_eagerly(backend):
    import torch._dynamo

    class Boxes(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(4, 6), nn.Linear(6, 2)

        def forward(self, x):
            return {"scores": self.last(torch.relu_(self.first(x)))}

    torch._dynamo.reset()
    batches = [torch.randn(8, 4) for _ in range(6)]
    found = []
    for compiled in (False, True):
        torch.manual_seed(0)
        model = Boxes()
        run = torch.compile(model, backend=backend, fullgraph=True) if compiled else model
        with HighFrequencyTracker(model, ["first", "last"]) as tracker:
            found.append(train(model, tracker, 6, batches.__getitem__, lambda x, run=run: run(x)["scores"]))
            run(torch.randn(3, 4))["scores"].detach()
            with torch.no_grad():
                run(torch.randn(5, 4))
            tracker.log(6, 0.0)
            assert tracker.get_results()["Linear_0"]["rows"].iloc[-1] == 3, "without gradients, nothing is kept"
        run(torch.randn(3, 4))
    for layer, table in found[0].items():
        np.testing.assert_allclose(table.to_numpy(float), found[1][layer].to_numpy(float), rtol=1e-5)
    torch._dynamo.reset()


def test_numbers_do_not_depend_on_the_thread_that_measures():
    model, again = small(), small()
    batches = [torch.randn(8, 4) for _ in range(40)]
    results = train(model, HighFrequencyTracker(model), steps=40, batch=batches.__getitem__)
    tracker = HighFrequencyTracker(again)
    tracker._hand_over = lambda: [tracker._collect(tracker._measured(tracker._pending)), tracker._pending.clear()]
    other = train(again, tracker, steps=40, batch=batches.__getitem__)
    assert results["Linear_0"].equals(other["Linear_0"])
