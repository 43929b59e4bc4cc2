import copy
import time

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch
import torch.nn.functional as F
from captum.attr import LayerConductance, LayerGradientXActivation
from sklearn.datasets import load_digits
from torch import nn

from ontogeny.errors import OntogenyError
from ontogeny.models import build_model
from ontogeny.neurons.importance import (
    ablation_importance,
    against_control,
    conductance_importance,
    gradient_importance,
    importance_agreement,
    importance_change,
    importance_with_controls,
)
from ontogeny.neurons.rest import find_consumer
from ontogeny.neurons.scores import working_copy
from ontogeny.neurons.sites import find_site, unit_activations
from ontogeny.trajectory import weights_digest


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    return torch.tensor(x / 8 - 1, dtype=torch.float32).reshape(-1, 1, 8, 8), torch.tensor(y)


@pytest.fixture(scope="module")
def trained(digits):
    x, y = digits
    model = build_model("mlp", (1, 8, 8), 10, seed=0, hidden=[48, 32])
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    order = torch.Generator().manual_seed(0)
    for _ in range(150):
        chosen = torch.randint(1400, (64,), generator=order)
        optimizer.zero_grad()
        F.cross_entropy(model(x[chosen]), y[chosen]).backward()
        optimizer.step()
    return model.eval()


class Functional(nn.Module):
    """ReLU called as a function, in place, and a residual around the hidden layer."""

    def __init__(self, residual: bool) -> None:
        super().__init__()
        self.one, self.two, self.out = nn.Linear(64, 12), nn.Linear(12, 12), nn.Linear(12, 10)
        self.activation, self.drop, self.residual = nn.ReLU(inplace=True), nn.Dropout(0.5), residual

    def forward(self, x):
        x = self.drop(self.activation(self.one(x.flatten(1))))
        y = F.relu(self.two(x))
        return self.out(y + x if self.residual else y)


def one_by_one(model, site, x, y, values, units):
    """The plain way: every unit through the whole model (a unit set to 0 stays so behind a ReLU)."""
    base = F.cross_entropy(model(x), y, reduction="none")
    changes = []
    module = model.get_submodule(site.path if site.side == "output" else "one")
    for unit in units:

        def hook(_module, _args, output, unit=unit):
            value = (output[0] if isinstance(output, tuple) else output).clone()
            view = value.movedim(site.axis, -1)
            view[..., unit] = values[unit] if values is not None else 0.0
            return (value, *output[1:]) if isinstance(output, tuple) else value

        handle = module.register_forward_hook(hook)
        changes.append((F.cross_entropy(model(x), y, reduction="none") - base).mean().item())
        handle.remove()
    return np.array(changes)


@pytest.mark.parametrize(
    ("name", "layer", "where"),
    [
        ("mlp", "Linear_0", "relu"),
        ("mlp", "Linear_2", "none"),
        ("cnn_shallow", "Conv2d_1", "relu"),
        ("resnet_small", "Conv2d_1", "relu"),
        ("vit_tiny", "Linear_0", "gelu"),
        ("vit_tiny", "MultiheadAttention_1", "none"),
        ("transformer_narrow", "Linear_1", "relu"),
        ("transformer_narrow", "Linear_0", "none"),
    ],
)
@torch.no_grad()
def test_a_batched_pass_equals_one_unit_at_a_time(digits, name, layer, where):
    x, y = digits[0][:24], digits[1][:24]
    model = build_model(name, (1, 8, 8), 10, seed=1).eval()
    site = find_site(working_copy(model), layer, x)
    assert site.nonlinearity == where
    units = [0, 3, 7, 9]
    table = ablation_importance(model, x, y, layer, units=units, n_resamples=100, chunk=10)
    expected = one_by_one(model, site, x, y, None, units)
    np.testing.assert_allclose(table["loss_change"], expected, atol=2e-6)
    mean = unit_activations(model, x, layer)
    if mean.shape[1] == site.units and site.nonlinearity == "relu" and name == "mlp":
        table = ablation_importance(model, x, y, layer, mode="mean", units=units, n_resamples=100, chunk=10)
        expected = one_by_one(model, site, x, y, mean.mean(0), units)
        np.testing.assert_allclose(table["loss_change"], expected, atol=2e-6)


@pytest.mark.parametrize("residual", [False, True])
def test_in_place_and_functional_nonlinearities(digits, residual):
    torch.manual_seed(0)
    model = Functional(residual).eval()
    x, y = digits[0][:40], digits[1][:40]
    twin = working_copy(model)
    site = find_site(twin, "Linear_0", x)
    assert (site.path, site.nonlinearity) == ("activation", "relu")
    consumer = find_consumer(twin, site, x)
    assert (consumer is None) == residual, "the residual path reads the site too"
    hidden = torch.relu(model.one(x.flatten(1)))
    base = F.cross_entropy(model(x), y)
    table = ablation_importance(model, x, y, "Linear_0", n_resamples=100)
    for unit in range(12):
        cut = hidden.clone()
        cut[:, unit] = 0
        after = F.relu(model.two(cut))
        after = F.cross_entropy(model.out(after + cut if residual else after), y)
        assert table["loss_change"][unit] == pytest.approx((after - base).item(), abs=2e-6)


@torch.no_grad()
def test_a_nonlinearity_called_as_a_function_is_found_where_it_is_called(digits):
    """PyTorch's own encoder layer calls F.relu; the call itself is the place."""
    torch.manual_seed(0)
    encoder = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.1, batch_first=True)
    model = nn.Sequential(nn.Flatten(1, 2), encoder, nn.Flatten(), nn.Linear(64, 10)).eval()
    x, y = digits[0][:30], digits[1][:30]
    twin = working_copy(model)
    site = find_site(twin, "Linear_0", x)
    assert (site.path, site.side, site.nonlinearity) == ("relu#0", "call", "relu")
    assert find_consumer(twin, site, x).path == "1.linear2"
    table = ablation_importance(model, x, y, "Linear_0", units=[0, 5], n_resamples=100)
    base = F.cross_entropy(model(x), y)
    for unit, change in zip([0, 5], table["loss_change"]):
        cut = copy.deepcopy(model)
        cut[1].linear2.weight[:, unit] = 0
        assert change == pytest.approx((F.cross_entropy(cut(x), y) - base).item(), abs=2e-6)


def test_the_planted_unit_is_found_and_units_that_do_nothing_change_nothing():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(300, 6, generator=generator)
    y = (x[:, 2] > 0).long()
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
    with torch.no_grad():
        for layer in (model[0], model[2]):
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) * 0.01)
            layer.bias.zero_()
        model[0].weight[5] = 0
        model[0].weight[5, 2] = 4.0
        model[2].weight[:, 5] = torch.tensor([-4.0, 4.0])
        model[2].bias.copy_(torch.tensor([1.0, -1.0]))
        model[0].weight[3], model[0].bias[3] = 0, -1.0
        model[2].weight[:, 6] = 0
    tables = {mode: ablation_importance(model, x, y, "Linear_0", mode=mode) for mode in ("zero", "mean", "resample")}
    for table in tables.values():
        assert table["loss_change"].idxmax() == 5
        assert table["loss_low"][5] > 0
        assert table["accuracy_high"][5] < 0
        assert (table.loc[3, ["loss_change", "loss_low", "loss_high", "accuracy_change"]] == 0).all()
        assert np.isnan(table["p_value"][3])
        assert table["loss_change"][6] == 0
    gradient = gradient_importance(model, x, y, "Linear_0")
    conductance = conductance_importance(model, x, y, "Linear_0")
    assert gradient["magnitude"].idxmax() == conductance["magnitude"].idxmax() == 5
    assert gradient["importance"][3] == 0


def test_intervals_are_paired_and_the_seed_decides(trained, digits):
    x, y = digits[0][1400:], digits[1][1400:]
    one = ablation_importance(trained, x, y, "Linear_1", mode="resample", seed=3)
    pd.testing.assert_frame_equal(one, ablation_importance(trained, x, y, "Linear_1", mode="resample", seed=3))
    other = ablation_importance(trained, x, y, "Linear_1", mode="resample", seed=4)
    assert not np.array_equal(one["loss_change"], other["loss_change"])
    assert (one["loss_low"] <= one["loss_change"]).all()
    assert (one["loss_change"] <= one["loss_high"]).all()
    zero = ablation_importance(trained, x, y, "Linear_1", chunk=100)
    whole = ablation_importance(trained, x, y, "Linear_1", chunk=1000)
    np.testing.assert_allclose(zero["loss_change"], whole["loss_change"], atol=1e-7)


def test_gradient_importance_against_captum(trained, digits):
    x, y = digits[0][1400:1500], digits[1][1400:1500]
    found = gradient_importance(trained, x, y, "Linear_0", chunk=33)

    def loss(inputs):
        return F.cross_entropy(trained(inputs), y, reduction="none")

    direct = -LayerGradientXActivation(loss, trained.network[1]).attribute(x).double().detach().numpy()
    np.testing.assert_allclose(found["importance"], direct.mean(0), atol=1e-7)
    np.testing.assert_allclose(found["magnitude"], np.abs(direct).mean(0), atol=1e-7)


def test_gradient_importance_is_exact_where_the_loss_is_linear():
    """Last layer, one sample far from the boundary: the loss is linear in the units to first order."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    x, y = torch.randn(50, 3).double(), torch.zeros(50, dtype=torch.long)
    with torch.no_grad():
        model[2].weight.mul_(1e-4)
    ablated = ablation_importance(model, x, y, "Linear_0", n_resamples=100)
    estimated = gradient_importance(model, x, y, "Linear_0", n_resamples=100)
    np.testing.assert_allclose(estimated["importance"], ablated["loss_change"], atol=1e-8)


def test_conductance_against_captum_and_its_own_completeness(trained, digits):
    x, y = digits[0][1400:1464], digits[1][1400:1464]
    found = conductance_importance(trained, x, y, "Linear_0", steps=64)
    direct = LayerConductance(trained, trained.network[1]).attribute(
        x, baselines=torch.zeros_like(x), target=y, n_steps=64
    )
    np.testing.assert_allclose(found["importance"], direct.detach().double().mean(0), atol=1e-5)
    gain = trained(x).gather(1, y[:, None]).mean() - trained(torch.zeros_like(x)).gather(1, y[:, None]).mean()
    assert found["importance"].sum() == pytest.approx(gain.item(), rel=0.02)


@pytest.mark.parametrize("layer", ["MultiheadAttention_0", "Linear_0", "Conv2d_0"])
def test_importance_inside_a_vision_transformer(digits, layer):
    x, y = digits[0][:16], digits[1][:16]
    model = build_model("vit_tiny", (1, 8, 8), 10, seed=0)
    site = find_site(working_copy(model), layer, x)
    for function in (gradient_importance, conductance_importance):
        table = function(model, x, y, layer, n_resamples=100)
        assert len(table) == site.units
        assert np.isfinite(table["importance"]).all()


def test_the_model_is_never_changed(trained, digits):
    x, y = digits[0][:20], digits[1][:20]
    model = working_copy(trained).train().requires_grad_(True)
    digest, hooks = weights_digest(model), [len(m._forward_hooks) for m in model.modules()]
    for function in (ablation_importance, gradient_importance, conductance_importance):
        function(model, x, y, "Linear_0", n_resamples=100)
        with pytest.raises(OntogenyError, match="classes"):
            function(model, x, y + 10, "Linear_0")
    assert weights_digest(model) == digest
    assert all(m.training for m in model.modules())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert [len(m._forward_hooks) for m in model.modules()] == hooks


def test_agreement(trained, digits):
    x, y = digits[0][1400:], digits[1][1400:]
    ablated = ablation_importance(trained, x, y, "Linear_1")["loss_change"]
    estimated = gradient_importance(trained, x, y, "Linear_1")["importance"]
    noise = np.random.default_rng(0).normal(size=32)
    table = importance_agreement({"ablation": ablated, "gradient": estimated, "noise": noise}).set_index(
        ["first", "second"]
    )
    strong = table.loc[("ablation", "gradient")]
    assert strong["spearman"] == pytest.approx(scipy.stats.spearmanr(ablated, estimated).statistic)
    assert strong["spearman_low"] > 0.2
    weak = table.loc[("ablation", "noise")]
    assert weak["spearman_high"] - weak["spearman_low"] > 0.4
    assert strong["p_adjusted"] < 0.01 < weak["p_adjusted"]
    constant = importance_agreement({"a": np.ones(5), "b": np.arange(5)})
    assert constant["spearman"].isna().all()
    with pytest.raises(OntogenyError, match="four or more units"):
        importance_agreement({"a": [1, 2, 3], "b": [1, 2, 3]})


def test_controls_stay_quiet_and_the_trained_network_does_not(trained, digits):
    x, y = digits[0][1400:], digits[1][1400:]
    untrained = [build_model("mlp", (1, 8, 8), 10, seed=seed, hidden=[48, 32]) for seed in range(20, 24)]
    table = importance_with_controls(trained, untrained, x, y, "Linear_1", n_resamples=100)
    found = table.groupby("control")["stands_out"].mean()
    assert found["none"] > 0.3
    assert found["untrained"] <= 0.05
    assert found["shuffled labels"] < found["none"] / 3


def test_against_control_is_a_valid_test():
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        table, control = (pd.DataFrame({"unit": range(n), "x": rng.normal(size=n)}) for n in (30, 60))
        shares.append(against_control(table, control, "x")["stands_out"].any())
    assert np.mean(shares) < 0.1
    lower = against_control(pd.DataFrame({"x": [-9.0, 0.0]}), control, "x", larger=False)
    assert lower["stands_out"].tolist() == [True, False]
    with pytest.raises(OntogenyError, match="did you mean"):
        against_control(table, control, "xx")


def test_change_across_a_jump_against_quiet_pairs():
    rng = np.random.default_rng(0)

    def table(values):
        return pd.DataFrame({"layer": "Linear_0", "unit": np.arange(len(values)), "loss_change": values})

    start = rng.normal(size=40)
    quiet = [(table(start), table(start + 0.05 * rng.normal(size=40))) for _ in range(19)]
    jump = importance_change(table(start), table(rng.permutation(start)), quiet).set_index("quantity")
    assert (jump["p_value"] == 0.05).all()
    assert (jump["effect_size"] > 10).all()
    none = importance_change(*quiet[0], quiet[1:])
    assert (none["p_value"] > 0.05).all()
    with pytest.raises(OntogenyError, match="no control pair"):
        importance_change(table(start), table(start), [])
    with pytest.raises(OntogenyError, match="like with like"):
        importance_change(table(start), table(start[:-1]), quiet)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer": "Linear_9"}, "unknown layer 'Linear_9'"),
        ({"mode": "zeros"}, "did you mean 'zero'"),
        ({"units": [99]}, "no unit 99: its units are 0 to 31"),
        ({"labels": torch.zeros(3, dtype=torch.long)}, "20 inputs, labels of shape"),
        ({"labels": torch.zeros(20)}, "integers from 0"),
        ({"inputs": torch.full((20, 1, 8, 8), torch.nan)}, "NaN"),
        ({"n_resamples": 3}, "at least 100"),
        ({"units": "all"}, "units is 'all': give several, as a list"),
        ({"confidence": 1.5}, "between 0 and 1"),
    ],
)
def test_mistakes_are_told_in_a_sentence(trained, digits, change, message):
    settings = {"inputs": digits[0][:20], "labels": digits[1][:20], "layer": "Linear_1"} | change
    with pytest.raises(OntogenyError, match=message):
        ablation_importance(trained, **settings)


def test_a_layer_that_runs_twice_is_refused(digits):
    shared = nn.Linear(64, 64)
    model = nn.Sequential(nn.Flatten(), shared, nn.ReLU(), shared, nn.ReLU(), nn.Linear(64, 10))
    with pytest.raises(OntogenyError, match="runs 2 times"):
        ablation_importance(model, digits[0][:5], digits[1][:5], "Linear_0")


def test_a_unit_is_ablated_for_all_that_read_it(digits):
    """A shortcut reads the layer beside the block that follows, past a nonlinearity that is used twice."""

    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.block, self.read = nn.Linear(64, 8), nn.Linear(8, 8), nn.Linear(8, 10)
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x, silent=None):
            x = self.stem(x.flatten(1))
            if silent is not None:
                x = x.index_fill(1, torch.tensor([silent]), 0.0)
            x = self.relu(x)
            return self.read(self.relu(self.block(x) + x))

    torch.manual_seed(0)
    model = Residual()
    inputs, labels = digits[0][:40], digits[1][:40]
    with torch.no_grad():
        losses = [float(nn.functional.cross_entropy(model(inputs, silent), labels)) for silent in (None, *range(8))]
    table = ablation_importance(model, inputs, labels, "Linear_0")
    np.testing.assert_allclose(table["loss_change"], np.array(losses[1:]) - losses[0], atol=1e-6)
    assert set(ablation_importance(model, inputs, labels, "Linear_1")["where"]) == {"none"}


def test_a_model_that_does_not_batch_falls_back(digits):
    class Stubborn(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(64, 8), nn.Linear(8, 10)

        def forward(self, x):
            hidden = torch.relu(self.one(x.flatten(1)))
            if hidden.sum().item() > -1:
                hidden = hidden * 1.0
            return self.two(hidden) + hidden[:, :1]

    torch.manual_seed(0)
    model = Stubborn().eval()
    x, y = digits[0][:20], digits[1][:20]
    table = ablation_importance(model, x, y, "Linear_0", n_resamples=100)
    site = find_site(working_copy(model), "Linear_0", x)
    with torch.no_grad():
        np.testing.assert_allclose(table["loss_change"], one_by_one(model, site, x, y, None, range(8)), atol=2e-6)


@pytest.mark.benchmark
@torch.no_grad()
def test_every_unit_of_a_layer_of_512_is_fast():
    model = build_model("mlp", (1, 28, 28), 10, seed=0, hidden=[512, 512]).eval()
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(500, 1, 28, 28, generator=generator), torch.randint(10, (500,), generator=generator)
    ablation_importance(model, x[:50], y[:50], "Linear_0")
    batched = []
    for _ in range(2):
        start = time.process_time()
        table = ablation_importance(model, x, y, "Linear_0")
        batched.append(time.process_time() - start)
    site = find_site(working_copy(model), "Linear_0", x)
    start = time.process_time()
    plain = one_by_one(model, site, x, y, None, range(32))
    slow = (time.process_time() - start) * 512 / 33
    np.testing.assert_allclose(table["loss_change"][:32], plain, atol=2e-6)
    print(f"batched {min(batched):.2f} s, one by one {slow:.1f} s: {slow / min(batched):.0f} times")
    assert slow / min(batched) > 8
