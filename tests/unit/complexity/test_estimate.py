"""Learning coefficients, against closed forms."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from ontogeny.complexity import (
    ComplexitySettings,
    MLPLandscape,
    calibrate,
    deep_linear_coefficient,
    estimate_llc,
    estimate_llc_of_mlps,
    reduced_rank_coefficient,
    regular_coefficient,
)
from ontogeny.errors import OntogenyError

SEEDS = 20


def linear_networks(widths, rank, rng, balanced):
    """Deep linear networks whose map has `rank`, and the rows that show it: weights (SEEDS, out, in), x, y."""
    pairs = list(itertools.pairwise(widths))
    networks = []
    for _ in range(SEEDS):
        if balanced:
            bases = [np.linalg.qr(rng.normal(size=(width, width)))[0][:, :rank] for width in widths]
            networks.append([after @ before.T for before, after in itertools.pairwise(bases)])
            continue
        layers = [rng.normal(size=(n_out, n_in)) / np.sqrt(n_in) for n_in, n_out in pairs]
        where = rng.integers(len(layers))
        u, values, v = np.linalg.svd(layers[where], full_matrices=False)
        values[rank:] = 0
        layers[where] = (u * values) @ v
        networks.append(layers)
    weights = [np.stack([network[k] for network in networks]) for k in range(len(pairs))]
    x = np.eye(widths[0]) * np.sqrt(widths[0])
    y = np.stack([np.linalg.multi_dot([*reversed(network), x.T]).T if len(pairs) > 1 else (network[0] @ x.T).T
                  for network in networks])  # fmt: skip
    return weights, x, y


def test_closed_forms_agree_where_they_meet():
    for m, h, n in itertools.product(range(1, 7), repeat=3):
        for rank in range(min(m, h, n) + 1):
            assert deep_linear_coefficient([m, h, n], rank) == pytest.approx(reduced_rank_coefficient(m, h, n, rank))
    assert deep_linear_coefficient([4, 3], 3) == regular_coefficient(12)


@pytest.mark.parametrize(
    ("widths", "rank", "balanced"),
    [
        ([4, 3], 3, True),
        ([2, 2, 2], 1, False),
        ([4, 2, 5], 1, False),
        ([4, 2, 5], 0, True),
        ([5, 3, 4], 2, True),
        ([3, 3, 3, 3], 1, False),
        ([5, 6, 4, 6, 5], 3, False),
        ([3, 5, 2], 1, True),
        ([2, 3, 4, 2], 1, False),
        ([7, 4, 4, 6], 3, True),
    ],
)
def test_estimates_meet_the_closed_form(widths, rank, balanced):
    weights, x, y = linear_networks(widths, rank, np.random.default_rng(0), balanced)
    settings = ComplexitySettings(n_beta=1086, localisation=1.0, draws=2000, burn_in=1000, chains=4)
    found = estimate_llc_of_mlps(weights, None, x, y, activation="none", settings=settings)
    values = np.array([llc.value for llc in found])
    truth = deep_linear_coefficient(widths, rank)
    error = values.std(ddof=1) / np.sqrt(SEEDS)
    assert abs(values.mean() - truth) <= max(0.1 * truth, 2 * error)
    assert sum(bool(llc.notes) for llc in found) <= 2


def test_a_singular_minimum_of_one_variable():
    """L(w) = w^4 in the one weight that a line of two layers shares has the coefficient 1/4."""

    class Quartic(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.zeros(1, dtype=torch.float64))

        def forward(self, x):
            return x * self.w**2

    x = torch.ones(50, 1, dtype=torch.float64)
    settings = ComplexitySettings(n_beta=1e4, localisation=0.01, draws=2000, burn_in=500, chains=20)
    llc = estimate_llc(Quartic(), (x, torch.zeros_like(x)), settings)
    assert abs(llc.value - 0.25) <= max(0.025, 2 * llc.standard_error)


def test_a_network_as_module_and_as_arrays_reads_the_same():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    x = torch.randn(40, 2, dtype=torch.float64)
    y = model(x).detach()
    settings = ComplexitySettings(chains=20, draws=1000, burn_in=300)
    arrays = (
        [model[k].weight.detach().numpy()[None] for k in (0, 2)],
        [model[k].bias.detach().numpy()[None] for k in (0, 2)],
    )
    one = estimate_llc(model, (x, y), settings)
    other = estimate_llc_of_mlps(*arrays, x, y, activation="tanh", settings=settings)[0]
    assert abs(one.value - other.value) < 3 * np.hypot(one.standard_error, other.standard_error)
    assert one.n_parameters == other.n_parameters == 13
    assert one.losses.shape == (1300, 20)


def test_gradients_of_small_mlps_are_those_of_autograd():
    rng = np.random.default_rng(1)
    for activation, module in (("leaky_relu", nn.LeakyReLU()), ("relu", nn.ReLU()), ("sigmoid", nn.Sigmoid())):
        model = nn.Sequential(nn.Linear(3, 4), module, nn.Linear(4, 2), module, nn.Linear(2, 2)).double()
        x, counts = rng.normal(size=(6, 3)), rng.integers(1, 5, 6)
        y = rng.normal(size=(6, 2))
        weights, biases = (
            [getattr(model[k], name).detach().numpy()[None] for k in (0, 2, 4)] for name in ("weight", "bias")
        )
        landscape = MLPLandscape(weights, biases, x, y, counts, activation)
        losses, gradient = landscape.evaluate(landscape.start, torch.arange(1), None, torch.Generator())
        squares = (model(torch.tensor(x)) - torch.tensor(y)).square().mean(1)
        loss = (squares * torch.tensor(counts / counts.sum())).sum()
        loss.backward()
        expected = torch.cat([p.grad.reshape(-1) for p in model.parameters()])
        assert float(losses[0]) == pytest.approx(loss.item())
        assert torch.allclose(gradient[:, 0], expected)


def test_chains_one_after_another_give_what_chains_side_by_side_give(monkeypatch):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    data = torch.randn(30, 5), torch.randint(3, (30,))
    settings = ComplexitySettings(chains=3, draws=20, burn_in=5, step_size=1e-3, batch_size=10)
    together = estimate_llc(model, data, settings)
    monkeypatch.setattr("ontogeny.complexity.landscape._LARGEST_TOGETHER", 0)
    assert np.allclose(together.losses, estimate_llc(model, data, settings).losses, atol=1e-5)


def test_chains_of_large_networks_find_a_regular_coefficient(monkeypatch):
    """They draw uniform noise, and move in one compiled pass."""
    torch.manual_seed(0)
    x = torch.randn(300, 4)
    model = nn.Linear(4, 3, bias=False)
    monkeypatch.setattr("ontogeny.complexity.sampling.LARGE", 0)
    llc = estimate_llc(model, (x, model(x).detach()), ComplexitySettings(n_beta=3000, draws=600, burn_in=200, chains=8))
    assert abs(llc.value - 6) < max(0.3, 2 * llc.standard_error)


def test_language_models_are_given_their_data_by_name():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.out = nn.Embedding(11, 6), nn.Linear(6, 11)

        def forward(self, input_ids, labels):
            scores = self.out(self.embed(input_ids))
            return {"loss": nn.functional.cross_entropy(scores.flatten(0, 1), labels.flatten()), "logits": scores}

    torch.manual_seed(0)
    ids = torch.randint(11, (20, 7))
    llc = estimate_llc(Model(), {"input_ids": ids, "labels": ids}, ComplexitySettings(chains=2, draws=10, burn_in=5))
    assert np.isfinite(llc.value)


def test_the_restricted_coefficient_moves_only_what_it_names():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3, bias=False), nn.Linear(3, 2, bias=False)).double()
    nn.init.orthogonal_(model[0].weight)
    x = torch.randn(200, 4, dtype=torch.float64)
    data = x, model(x).detach()
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    settings = ComplexitySettings(n_beta=1e4, chains=20, draws=1500, burn_in=500, parameters=["1.*"])
    llc = estimate_llc(model, data, settings)
    assert llc.n_parameters == 6
    assert abs(llc.value - 3) < max(0.3, 2 * llc.standard_error), "the outer layer alone is a regular model"
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())


def test_rows_and_columns_alone_may_move():
    """Of a linear model with three outputs, one row moves: a regular model of its own, with a known coefficient."""
    torch.manual_seed(0)
    x = torch.randn(300, 4)
    model = nn.Sequential(nn.Linear(4, 3, bias=False))
    data = x, model(x).detach()
    settings = ComplexitySettings(n_beta=3000, draws=300, burn_in=100, chains=6)
    row = estimate_llc(model, data, settings.model_copy(update={"parameters": ["0.weight[1:2]"]}))
    assert row.n_parameters == 4
    assert abs(row.value - 2) < max(0.2, 2 * row.standard_error)
    column = settings.model_copy(update={"parameters": ["0.weight[:,0:1]", "0.weight[:, 3:]"]})
    assert estimate_llc(model, data, column).n_parameters == 6
    for wrong, said in (["0.weight[7:]", "should be rows"], ["0.weight[:,0:0]", "should be rows"]):
        with pytest.raises(OntogenyError, match=said):
            estimate_llc(model, data, ComplexitySettings(parameters=[wrong]))


def test_the_preconditioned_sampler_finds_a_regular_coefficient_too():
    weights, x, y = linear_networks([4, 3], 3, np.random.default_rng(0), True)
    x = x * np.array([0.2, 1, 1, 4])
    y = np.einsum("soi,ri->sro", weights[0], x)
    settings = ComplexitySettings(n_beta=1e4, sampler="rmsprop", draws=2000, burn_in=1000, chains=4)
    found = estimate_llc_of_mlps(weights, None, x, y, activation="none", settings=settings)
    assert np.mean([llc.value for llc in found]) == pytest.approx(6, rel=0.1)


def test_the_calibrated_step_is_as_large_as_serves():
    weights, x, y = linear_networks([4, 3], 3, np.random.default_rng(0), True)
    landscape = MLPLandscape(weights, None, x, y, activation="none")
    settings = ComplexitySettings(acceptance=0.9)
    small, large = (calibrate(landscape, n_beta, settings).chosen for n_beta in (1e4, 1e2))
    assert np.median(large / small) == pytest.approx(100, rel=0.7)


def test_estimates_are_reproducible_and_leave_no_trace():
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5), nn.Linear(2, 1))
    model[1].eval()
    data = torch.randn(10, 2), torch.randn(10, 1)
    state = torch.get_rng_state()
    settings = ComplexitySettings(chains=2, draws=10, burn_in=0)
    one, other = estimate_llc(model, data, settings), estimate_llc(model, data, settings)
    assert np.array_equal(one.losses, other.losses)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.training
    assert not model[1].training


class TestWhatSpeaksAgainstAnEstimate:
    data = torch.linspace(-1, 1, 40)[:, None], torch.linspace(-2, 2, 40)[:, None]

    def line(self, slope):
        model = nn.Linear(1, 1)
        with torch.no_grad():
            model.weight.fill_(slope)
            model.bias.fill_(0.0)
        return model

    def test_weights_that_are_not_at_a_minimum(self):
        llc = estimate_llc(self.line(0.0), self.data, ComplexitySettings(step_size=1e-3))
        assert llc.value < 0
        assert "not at a minimum" in llc.notes[0]

    def test_steps_that_are_too_large(self):
        llc = estimate_llc(self.line(2.0), self.data, ComplexitySettings(step_size=10.0))
        assert "of the steps were accepted: the step size 10 is too large" in llc.notes[0]
        llc = estimate_llc(self.line(2.0), self.data, ComplexitySettings(step_size=10.0, corrected=False))
        assert "10 of 10 chains diverged" in llc.notes[0]
        assert np.isnan(llc.value)

    def test_nothing_at_a_minimum(self):
        llc = estimate_llc(self.line(2.0), self.data, ComplexitySettings(draws=1000, n_beta=1000))
        assert llc.notes == ()
        assert llc.value == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("loss", "data", "said"),
    [
        (lambda out, y: (out - y).square().sum(), None, "expected a mean over samples, not a sum"),
        (lambda out, y: (out - y).square(), None, "expected one number, the mean over samples"),
        (lambda out, y: (out - y).square().mean().detach(), None, "the loss has no gradient"),
        (None, (torch.ones(10, 2), torch.ones(10, 1)), "the network or its loss fails on these data: mat1"),
        (None, (torch.full((10, 1), float("nan")), torch.ones(10, 1)), "the loss of these data is nan"),
        (None, (torch.ones(10, 1), torch.ones(9, 1)), "equally many in each"),
        (None, (torch.ones(2, 1), torch.ones(2, 1)), "needs 3 or more"),
    ],
)
def test_bad_input_is_one_sentence(loss, data, said):
    data = data or (torch.randn(10, 1), torch.randn(10, 1))
    with pytest.raises(OntogenyError, match=said):
        estimate_llc(nn.Linear(1, 1), data, loss=loss)


def test_patterns_that_match_nothing_and_zero_chains_are_refused():
    data = torch.randn(10, 1), torch.randn(10, 1)
    with pytest.raises(OntogenyError, match="unknown parameters 'wieght'"):
        estimate_llc(nn.Linear(1, 1), data, ComplexitySettings(parameters=["wieght"]))
    with pytest.raises(
        OntogenyError, match="learning coefficient settings: chains is 0; it should be greater than or eq"
    ):
        estimate_llc(nn.Linear(1, 1), data, {"chains": 0})


def test_the_former_name_of_no_activation_states_the_new_one():
    weights, x, y = linear_networks([4, 3], 3, np.random.default_rng(0), True)
    with pytest.raises(OntogenyError, match="unknown activation 'linear': it is now called 'none'"):
        MLPLandscape(weights, None, x, y, activation="linear")
